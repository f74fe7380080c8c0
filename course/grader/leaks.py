"""Does a text give away a solution? Looked for in starters, in student repositories, and on the
site."""

import re

from .assignment import Assignment
from .starter import solution_lines

# Lines that anybody would write: braces, counters from 0, the heads of loops and of conditions on
# indices.
COMMON = re.compile(
    r"for \((const )?(std::int64_t|std::size_t|int|auto) \w+ = [^;]*; [^;]*; [^)]*\)( \{)?"
    r"|(double|std::int64_t|std::size_t|int) \w+ = -?\w+;|if \([^=]*\) continue;"
    r"|return \w+;|continue;|template <class \w+>|#include .*|//.*|\W*"
)
SHORTEST = 18


def telling_lines(a: Assignment) -> dict[str, str]:
    """Lines of solutions by which one would be recognized, and the file of each."""
    found = {}
    for task in a.tasks.values():
        for line in solution_lines((a.folder / task.file).read_text(encoding="utf-8")):
            if len(line) >= SHORTEST and not COMMON.fullmatch(line):
                found[line] = task.file
    return found


def leaks(a: Assignment, files: dict[str, bytes | str]) -> list[str]:
    """Where a line of a solution, or a file of the staff, is among these files."""
    telling = telling_lines(a)
    found = []
    for name, data in files.items():
        if "staff/" in name or name.endswith(("hidden.toml", "mutants.toml")):
            found.append(f"{name} belongs to the staff")
        text = data if isinstance(data, str) else data.decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if (stripped := line.strip()) in telling:
                found.append(
                    f"{name}:{number}: a line of {telling[stripped]}'s solution: {stripped}")
    secret = a.secret()
    for name, data in files.items():
        text = data if isinstance(data, str) else data.decode(errors="replace")
        if secret is not None and re.search(rf"\b{secret}\b", text):
            found.append(f"{name} holds the secret of the hidden tests")
    return found
