"""A function, whole, out of the source that is compiled. Found by its name, so that an excerpt follows
the code; a function that is no longer there is an error."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ExcerptError(Exception):
    """No such file or function."""


def excerpt(path: str, name: str) -> tuple[str, int]:
    """The first definition of `name` in `path` with the comment above it, and its line number."""
    try:
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ExcerptError(f"{path}: {error.strerror}") from None
    head = re.compile(rf"^[A-Za-z].*\b{re.escape(name)}\(")
    for i, line in enumerate(lines):
        if not head.match(line):
            continue
        code = [text.partition("//")[0].rstrip() for text in lines]
        brace = next((j for j in range(i, len(lines)) if code[j].endswith(("{", ";"))), None)
        if brace is None or code[brace].endswith(";"):
            continue  # a declaration
        last = lines.index("}", brace)
        first = i
        while first > 0 and lines[first - 1].startswith(("//", "template")):
            first -= 1
        return "\n".join(lines[first : last + 1]), first + 1
    raise ExcerptError(f"{path}: there is no function {name}()")
