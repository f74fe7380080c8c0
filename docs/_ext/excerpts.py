"""A function out of the source that is compiled. Found by its name, so that an excerpt follows the
code; a function that is no longer there is an error. Of a long function a part can be shown, from
the line that holds some words to the next one that holds some others, or to the brace that closes
the first line's block:

    FILE FUNCTION
    FILE FUNCTION | first words ... last words
    FILE FUNCTION | first words ... }
"""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ExcerptError(Exception):
    """No such file or function."""


def excerpt(words: str) -> tuple[str, str, int]:
    """What `words` ask for, and its file and line number."""
    whole, bar, part = words.partition(" | ")
    try:
        path, name = whole.split()
    except ValueError:
        raise ExcerptError(
            f"{words}: an excerpt is a file, a function and, after ' | ', a part") from None
    code, path, line = function(path, name)
    if not bar:
        return code, path, line
    lines, (begin, _, end) = code.splitlines(), part.partition(" ... ")
    first = next((i for i, text in enumerate(lines) if begin in text), None)
    if first is None:
        raise ExcerptError(f"{path}: there is no '{begin}' in {name}()")
    if end == "}":
        end = re.match(" *", lines[first])[0] + end
    last = next((i for i, text in enumerate(lines)
                 if i >= first and (text.startswith(end) if end.endswith("}") else end in text)),
                None)
    if last is None:
        raise ExcerptError(f"{path}: there is no '{end}' behind '{begin}' in {name}()")
    return textwrap.dedent("\n".join(lines[first : last + 1])), path, line + first


def function(path: str, name: str) -> tuple[str, str, int]:
    """The first definition of `name` with the comment above it, and its file and line number.
    `path` is a file, or a folder, in which one file at most may define it."""
    place = ROOT / path
    files = sorted([*place.glob("*.h"), *place.glob("*.cpp")]) if place.is_dir() else [place]
    found = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise ExcerptError(f"{path}: {error.strerror}") from None
        code, line = definition(lines, name)
        if code:
            found.append((code, str(file.relative_to(ROOT)), line))
    if not found:
        raise ExcerptError(f"{path}: there is no function {name}()")
    if len(found) > 1:
        raise ExcerptError(
            f"{path}: {name}() is in {', '.join(f[1] for f in found)}; name the file")
    return found[0]


def definition(lines: list[str], name: str) -> tuple[str, int]:
    """The text of the function and its first line's number; "" where it is not defined."""
    head = re.compile(rf"^[A-Za-z].*\b{re.escape(name)}\(")
    code = [text.partition("//")[0].rstrip() for text in lines]
    for i, line in enumerate(lines):
        if not head.match(line):
            continue
        brace = next((j for j in range(i, len(lines)) if code[j].endswith(("{", ";"))), None)
        if brace is None or code[brace].endswith(";"):
            continue  # a declaration
        last = lines.index("}", brace)
        first = i
        while first > 0 and lines[first - 1].startswith(("//", "template")):
            first -= 1
        return "\n".join(lines[first : last + 1]), first + 1
    return method(lines, *name.split("::")) if "::" in name else ("", 0)


def method(lines: list[str], struct: str, name: str) -> tuple[str, int]:
    """The same for a function that is written inside of its struct."""
    head = re.compile(rf"^  [A-Za-z].*\b{re.escape(name)}\(.*{{( *//.*)?$")
    begin = next((i for i, line in enumerate(lines) if line.startswith(f"struct {struct} ")), None)
    if begin is None:
        return "", 0
    first = next((i for i in range(begin, lines.index("};", begin)) if head.match(lines[i])), None)
    if first is None:
        return "", 0
    return textwrap.dedent("\n".join(lines[first : lines.index("  }", first) + 1])), first + 1
