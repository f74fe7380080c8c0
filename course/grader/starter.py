"""From the solution to what a student gets: markers, and the starter's archive.

    // BEGIN SOLUTION 3.2          in the starter: throw NotWritten("3.2");
    ...                            (of a kernel, NotWritten("6.1"); as OpenCL C throws nothing)
    // END SOLUTION

    // BEGIN SOLUTION 3.2 removed  in the starter: nothing (a helper function, an #include)
"""

import gzip
import io
import re
import tarfile
from functools import partial
from pathlib import Path

from . import GradeError, plain_math
from .assignment import Assignment, common_folder, course_folder

BEGIN = re.compile(r"^(\s*)//\s*BEGIN SOLUTION(?:\s+(\S+))?(?:\s+(removed))?\s*$")
END = re.compile(r"^\s*//\s*END SOLUTION\s*$")
MENTION = re.compile(r"(BEGIN|END)\s+SOLUTION", re.IGNORECASE)


def strip(text: str, name: str, tasks: set[str], keep: set[str] = frozenset()) -> str:
    """The text without its solutions, but for those of the tasks in `keep`. GradeError, with the
    line, for a marker that is nested, unclosed, unopened, misspelt, or of no task."""
    out: list[str] = []
    opened, task = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        here = f"{name}:{number}"
        if begin := BEGIN.match(line):
            if opened:
                raise GradeError(f"{here}: BEGIN SOLUTION within the one of line {opened}")
            indent, task, removed = begin.groups()
            if task not in tasks:
                raise GradeError(
                    f"{here}: BEGIN SOLUTION of task '{task or ''}', which does not exist")
            opened = number
            if task not in keep and not removed:
                throw = "" if name.endswith(".cl") else "throw "
                out.append(f'{indent}{throw}NotWritten("{task}");')
        elif END.match(line):
            if not opened:
                raise GradeError(f"{here}: END SOLUTION without a BEGIN SOLUTION above it")
            opened = 0
        elif MENTION.search(line):
            raise GradeError(f"{here}: a marker that is not understood: {line.strip()}")
        elif not opened or task in keep:
            out.append(line)
    if opened:
        raise GradeError(f"{name}:{opened}: BEGIN SOLUTION without an END SOLUTION")
    return "\n".join(out) + "\n"


def solution_lines(text: str) -> list[str]:
    """The lines between markers, without their indentation."""
    found, within = [], False
    for line in text.splitlines():
        if BEGIN.match(line):
            within = True
        elif END.match(line):
            within = False
        elif within:
            found.append(line.strip())
    return found


def task_file(a: Assignment, task: str, solved: bool) -> str:
    """A task's file as the staff has it, or as the starter has it."""
    name = a.tasks[task].file
    text = (a.folder / name).read_text(encoding="utf-8")
    if not a.staff.is_dir() and not MENTION.search(text):  # a starter is its own
        return text
    return strip(text, f"{a.folder.name}/{name}", set(a.tasks), {task} if solved else frozenset())


LINK = re.compile(r"\[([^\]]*)\]\((\.\./[^)#\s]*)(#[^)\s]*)?\)")
CALCULATION = re.compile(r"\{calc\}`([^`]*)`")
NAME = re.compile(r" = [a-z]\w*\.\w+")  # of a number that the site knows: "= conv2.parameters"


def handout(a: Assignment) -> str:
    """README.md as a text that stands alone."""
    text = EXCERPT.sub(partial(excerpt, a), (a.folder / "README.md").read_text(encoding="utf-8"))
    text = stands_alone(text, a.folder)
    return text if PAGES in text else text.replace("\n## ", f"\n{PAGES}\n\n## ", 1)


def for_students(a: Assignment) -> str:
    """The page "For students", which a starter has beside the handout."""
    page = course_folder().parent / "docs" / "course" / "students.md"
    own = a.folder / STUDENTS
    if own.is_file():
        return own.read_text(encoding="utf-8")
    return stands_alone(page.read_text(encoding="utf-8"), page.parent)


def stands_alone(text: str, folder: Path) -> str:
    """A page outside of the site: links into it become the names of pages, calculations, which the
    site checks, become plain ones, and so do formulas (plain_math.py)."""
    def replaced(link: re.Match) -> str:
        target = (folder / link[2]).resolve()
        if target.name == "students.md":
            return f"{link[1]} (`{STUDENTS}`)"
        root = course_folder().parent.resolve()
        where = target.relative_to(root) if target.is_relative_to(root) else target.name
        return f"{link[1]} (`{where}` in Limulus)"

    text = LINK.sub(replaced, text)
    text = CALCULATION.sub(lambda found: f"`{NAME.sub('', found[1])}`", text)
    return plain_math.of_page(text)


# What the site shows of a file: "```{literalinclude} src/machines.h", options, "```".
EXCERPT = re.compile(r"```\{literalinclude\} (\S+)\n((?::[a-z-]+:.*\n)*)```\n")
OPTION = re.compile(r":([a-z-]+): *(.*)")
STUDENTS = "STUDENTS.md"
PAGES = ('Pages and files "in Limulus" are in its repository, and the pages on its site: ask your '
         "lecturer where that is.")


def excerpt(a: Assignment, found: re.Match) -> str:
    """The lines themselves, as the options choose them."""
    options = dict(OPTION.findall(found[2]))
    lines = (a.folder / found[1]).read_text(encoding="utf-8").splitlines()
    first, last = options.get("lines", "1-").split("-")
    lines = lines[int(first) - 1:int(last or len(lines))]
    begin, end = options.get("start-at", ""), options.get("end-before")
    lines = lines[next(n for n, line in enumerate(lines) if begin in line):]
    if end:
        lines = lines[:next(n for n, line in enumerate(lines) if end in line)]
    text = "\n".join(lines).strip("\n")
    return f"```{options.get('language', '')}\n{text}\n```\n"


def files_of(a: Assignment) -> dict[str, bytes]:
    """All of a starter, by name. Neither staff/ nor a solution is among it."""
    files = {"README.md": handout(a).encode(), STUDENTS: for_students(a).encode()}
    for task in a.tasks.values():
        files[task.file] = task_file(a, task.id, solved=False).encode()
    for name in ["assignment.toml", "hints.md", *a.sources]:
        files[name] = (a.folder / name).read_bytes()
    for folder, into, patterns in ((a.folder / "tests", "tests", ("*.cpp", "*.h")),
                                   (common_folder(), "common", ("*.cpp", "*.h", "CMakeLists.txt")),
                                   (course_folder() / "grader", "grader", ("*.py", "*.json"))):
        for path in sorted(p for pattern in patterns for p in folder.glob(pattern)):
            if path.name not in STAFF_ONLY:
                files[f"{into}/{path.name}"] = path.read_bytes()
    files["grade"] = (course_folder() / "grade").read_bytes()
    return files


# Modules of the grader that a student has no use for.
STAFF_ONLY = {
    "verify.py", "verify_hostile.py", "verify_elsewhere.py", "verify_kernels.py",
    "verify_ranks.py", "verify_speed.py", "gradescope.py", "github.py", "student_repository.py",
    "submissions.py", "leaks.py", "history.py", "progress.py", "schema.py", "own_secrets.py",
    "results.schema.json"
}


def folder_name(a: Assignment) -> str:
    return f"{a.id}-{re.sub(r'[^a-z0-9]+', '-', a.title.lower()).strip('-')}"


def write(a: Assignment, folder: Path) -> Path:
    """Writes the archive into `folder`. The same bytes each time: names in order, one time of
    change for all."""
    path = folder / f"{folder_name(a)}.tar.gz"
    folder.mkdir(parents=True, exist_ok=True)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, data in sorted(files_of(a).items()):
            entry = tarfile.TarInfo(f"{folder_name(a)}/{name}")
            entry.size, entry.mode = len(data), 0o755 if name == "grade" else 0o644
            entry.mtime = 1348963200  # 30 September 2012, AlexNet's contest
            archive.addfile(entry, io.BytesIO(data))
    path.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
    return path


def write_folder(files: dict[str, bytes], folder: Path):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if name == "grade":
            path.chmod(0o755)
