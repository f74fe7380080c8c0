"""The numbers that hidden inputs are made from: those of the repository are known to everybody who
has it, so that a course draws its own, once."""

import re
import secrets
import sys

from . import GradeError
from .assignment import Assignment
from .results import write_atomically

LINE = re.compile(r"^secret *= *\d+", re.MULTILINE)


def renew(assignments: list[Assignment]) -> int:
    """Draws a number for each assignment that has the repository's. One that has its own keeps it:
    another number would make other hidden inputs in the middle of a term."""
    for a in assignments:
        path = a.staff / "hidden.toml"
        if a.secret() is None:
            raise GradeError(f"{path} is not there")
        if not a.secret_is_published():
            print(f"{a.id}: has a number of its own, and keeps it")
            continue
        text = path.read_text(encoding="utf-8")
        write_atomically(path, LINE.sub(f"secret = {secrets.randbelow(10**12)}", text))
        print(f"{a.id}: a new number is in {path}")
    return 0


def warn(a: Assignment):
    if a.secret_is_published():
        print(f"grade: everybody who has the repository knows the number that {a.id}'s hidden "
              "inputs are made from. `course/grade secrets` draws one of your own",
              file=sys.stderr)
