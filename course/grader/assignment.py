"""Reading assignment.toml: tasks, tests, points and limits of one assignment.

    id, title, hours, prerequisites, sources
    [limits]   seconds, memory_mib            of one test
    [build]    flags, vector, libraries       optional: how a program is compiled (build.py)
    [[tasks]]  id, title, file, needs         one file each, which the student hands in
    [[tests]]  task, case, title, points, hidden    and, optional,
               tool (kernels.py), ranks: how many (ranks.py)
    [[speed]]  task, case, title, curve       optional: what is timed (speed.py)

A mistake in the file is a GradeError that names the file, the table and the key.
"""

import hashlib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from . import GradeError

PUBLIC_SEED = 2012  # of the public tests' inputs
TOOLS = ("", "oclgrind")  # that a test may need
MOST_RANKS = 8


@dataclass(frozen=True)
class Task:
    id: str
    title: str
    file: str
    needs: tuple[str, ...] = ()

    @property
    def is_kernel(self) -> bool:
        """Whether its file is OpenCL C, and not C++."""
        return self.file.endswith(".cl")


@dataclass(frozen=True)
class Test:
    number: str  # "3.1.2"; "3.1.2h" with hidden inputs; "5.2.1s" is timed
    task: str
    case: str
    title: str
    points: float
    hidden: bool
    # Of a timed test: from which share of the library's speed on there are how many points.
    curve: tuple[tuple[float, float], ...] = ()
    tool: str = ""  # the program that runs the submission's; where it is missing, nothing is graded
    ranks: int = 0  # how many programs that share no memory; 0: one, which sends no messages

    @property
    def name(self) -> str:
        if self.curve:
            return f"{self.title} (speed)"
        return f"{self.title} (hidden inputs)" if self.hidden else self.title


@dataclass
class Assignment:
    folder: Path
    id: str
    title: str
    hours: float
    seconds: float
    memory_mib: int
    sources: list[str]
    tasks: dict[str, Task]
    tests: list[Test]
    prerequisites: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)  # of the compiler; empty: the grader's usual
    vector: list[str] = field(default_factory=list)  # "avx2", "fma": where the processor has all
    libraries: list[str] = field(default_factory=list)  # "OpenCL": of the runner, not of solutions

    @property
    def staff(self) -> Path:
        return self.folder / "staff"

    @property
    def points(self) -> float:
        return sum(test.points for test in self.tests)

    @property
    def untimed(self) -> list[Test]:
        """The tests of what is right. Their result is the same on every machine."""
        return [test for test in self.tests if not test.curve]

    @property
    def has_kernels(self) -> bool:
        return any(task.is_kernel for task in self.tasks.values())

    @property
    def timed(self) -> list[Test]:
        return [test for test in self.tests if test.curve]

    def full_name(self, test: Test) -> str:
        return f"{test.task} {self.tasks[test.task].title}: {test.name}"

    def before(self, task: str) -> list[str]:
        """All tasks whose functions this one's may call, directly or not, in the assignment's
        order."""
        found: set[str] = set()
        pending = list(self.tasks[task].needs)
        while pending:
            need = pending.pop()
            if need not in found:
                found.add(need)
                pending += self.tasks[need].needs
        return [id for id in self.tasks if id in found]

    def hidden_toml(self) -> dict:
        path = self.staff / "hidden.toml"
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise GradeError(f"{path}: {error}") from None

    def secret(self) -> int | None:
        """What the hidden inputs are made from, or None where there is no staff folder."""
        path = self.staff / "hidden.toml"
        value = self.hidden_toml().get("secret")
        if value is None and not path.exists():
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise GradeError(f"{path}: it must say `secret = NUMBER`")
        return value

    def secret_is_published(self) -> bool:
        secret = self.secret()
        return secret is not None and secret == self.hidden_toml().get("published")

    def seed(self, test: Test) -> int:
        if not test.hidden:
            return PUBLIC_SEED
        secret = self.secret()
        if secret is None:
            raise GradeError(f"{self.staff}/hidden.toml is not there: hidden inputs cannot be made")
        digest = hashlib.sha256(f"{secret} {test.case}".encode()).digest()
        return int.from_bytes(digest[:6], "big")


class Table:
    """One table of a TOML file, whose keys are checked as they are taken."""
    def __init__(self, values, where: str):
        if not isinstance(values, dict):
            raise GradeError(f"{where} must be a table")
        self.values, self.where = dict(values), where

    def take(self, key: str, kind, default=None):
        if key not in self.values:
            if default is None:
                raise GradeError(f"{self.where}: '{key}' is missing")
            return default
        value = self.values.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            wanted = {str: "text", list: "a list"}.get(kind, "a number")
            raise GradeError(f"{self.where}: '{key}' must be {wanted}, not {value!r}")
        if kind is list and not all(isinstance(item, str) for item in value):
            raise GradeError(f"{self.where}: '{key}' must be a list of texts")
        return value

    def tables(self, key: str, what: str) -> list["Table"]:
        values = self.values.pop(key, None)
        if not isinstance(values, list) or not values:
            raise GradeError(f"{self.where}: [[{key}]] is missing")
        return [Table(item, f"{self.where}, {what} {n}") for n, item in enumerate(values, 1)]

    def number(self, key: str, least: float, default=None):
        value = self.take(key, (int, float), default)
        if not least <= value < 1e6:
            raise GradeError(f"{self.where}: '{key}' is {value}; it must be {least} or more")
        return value

    def curve(self) -> tuple[tuple[float, float], ...]:
        """[[0.1, 2], [0.5, 6]]: 2 points from a tenth of the yardstick's speed on, 6 from half of
        it on. Both numbers must rise."""
        steps = self.values.pop("curve", None)
        if not isinstance(steps, list) or not steps:
            raise GradeError(f"{self.where}: 'curve' is missing: [[share, points], ...]")
        found = []
        for step in steps:
            pair = isinstance(step, list) and len(step) == 2 and all(
                isinstance(x, (int, float)) and not isinstance(x, bool) and 0 < x < 1e6
                for x in step)
            if not pair or found and not all(b < a for a, b in zip(step, found[-1], strict=True)):
                raise GradeError(f"{self.where}: 'curve' has {step!r}; it lists [share, points], "
                                 "both above 0 and each larger than the one before")
            found.append(tuple(step))
        return tuple(found)

    def end(self):
        if self.values:
            raise GradeError(f"{self.where}: unknown key '{next(iter(self.values))}'")


def inside(path: str, where: str) -> str:
    """A file's name, which must stay within the assignment's folder."""
    if path.startswith("/") or "\\" in path or ".." in path.split("/"):
        raise GradeError(f"{where}: '{path}' must be a path within the assignment's folder")
    return path


def read(folder: Path) -> Assignment:
    path = folder / "assignment.toml"
    try:
        top = Table(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
    except FileNotFoundError:
        raise GradeError(f"{path} does not exist: {folder} is not an assignment's folder") from None
    except (OSError, ValueError) as error:
        raise GradeError(f"{path}: {error}") from None
    limits = Table(top.take("limits", dict), f"{path}, [limits]")
    a = Assignment(folder=folder, id=top.take("id", str), title=top.take("title", str),
                   hours=top.number("hours", 0), seconds=limits.number("seconds", 0.1),
                   memory_mib=limits.number("memory_mib", 64), tasks={}, tests=[],
                   sources=[inside(name, str(path)) for name in top.take("sources", list, [])],
                   prerequisites=top.take("prerequisites", list, []))
    limits.end()
    build = Table(top.values.pop("build", {}), f"{path}, [build]")
    a.flags, a.vector = build.take("flags", list, []), build.take("vector", list, [])
    a.libraries = build.take("libraries", list, [])
    build.end()
    for table in top.tables("tasks", "task"):
        add_task(a, table)
    for table in top.tables("tests", "test"):
        add_test(a, table)
    for table in top.tables("speed", "speed") if "speed" in top.values else []:
        add_speed(a, table)
    top.end()
    a.tests.sort(
        key=lambda test: list(a.tasks).index(test.task))  # a task's needs are tested before it
    for task in a.tasks:
        if not any(test.task == task for test in a.untimed):
            raise GradeError(f"{path}: task {task} has no test")
    return a


def add_task(a: Assignment, table: Table):
    task = Task(table.take("id", str), table.take("title", str),
                inside(table.take("file", str), table.where), tuple(table.take("needs", list, [])))
    table.end()
    if task.id in a.tasks:
        raise GradeError(f"{table.where}: there is a task {task.id} already")
    if any(task.file == other.file for other in a.tasks.values()):
        raise GradeError(f"{table.where}: {task.file} belongs to another task already")
    for need in task.needs:
        if need not in a.tasks:
            raise GradeError(f"{table.where}: it needs {need}, which is no task above it")
    a.tasks[task.id] = task


def task_and_case(a: Assignment, table: Table) -> tuple[str, str]:
    task, case = table.take("task", str), table.take("case", str)
    if task not in a.tasks:
        raise GradeError(f"{table.where}: there is no task {task}")
    if any(test.case == case for test in a.tests):
        raise GradeError(f"{table.where}: the case {case} has a test already")
    return task, case


def add_test(a: Assignment, table: Table):
    task, case = task_and_case(a, table)
    title = table.take("title", str)
    points, hidden = table.number("points", 0), table.number("hidden", 0)
    tool, ranks = table.take("tool", str, ""), table.number("ranks", 0, 0)
    table.end()
    if ranks != int(ranks) or ranks > MOST_RANKS:
        raise GradeError(f"{table.where}: 'ranks' is {ranks}; it must be a whole number, "
                         f"{MOST_RANKS} at most")
    if tool not in TOOLS:
        raise GradeError(f"{table.where}: no tool '{tool}' is known")
    number = f"{task}.{1 + sum(test.task == task and not test.hidden for test in a.tests)}"
    a.tests.append(Test(number, task, case, title, points, hidden=False, tool=tool,
                        ranks=int(ranks)))
    if hidden:
        a.tests.append(Test(f"{number}h", task, case, title, hidden, hidden=True, tool=tool,
                            ranks=int(ranks)))


def add_speed(a: Assignment, table: Table):
    task, case = task_and_case(a, table)
    title, curve = table.take("title", str), table.curve()
    table.end()
    number = f"{task}.{1 + sum(test.task == task for test in a.timed)}s"
    a.tests.append(Test(number, task, case, title, curve[-1][1], hidden=False, curve=curve))


def course_folder() -> Path:
    """Where `grade` stands: the course's folder, or that of a starter."""
    return Path(__file__).resolve().parents[1]


def common_folder() -> Path:
    return course_folder() / "common"


def all_assignments() -> list[Assignment]:
    root = course_folder()
    folders = [root] if (root / "assignment.toml").is_file() else sorted(
        path.parent for path in root.glob("*/assignment.toml"))
    if not folders:
        raise GradeError(f"there is no assignment in {root}")
    return [read(folder) for folder in folders]


def find(id: str) -> Assignment:
    found = all_assignments()
    for a in found:
        if a.id == id:
            return a
    raise GradeError(f"there is no assignment '{id}'; there is: {', '.join(a.id for a in found)}")


def find_task(id: str) -> tuple[Assignment, str]:
    for a in all_assignments():
        if id in a.tasks:
            return a, id
    raise GradeError(f"there is no task '{id}'; `grade list` shows all")
