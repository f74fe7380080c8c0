"""What a student calls, with no network: test, bench, hint, pack, list."""

import json
import re
import secrets
import tempfile
import zipfile
from functools import partial
from pathlib import Path

from . import GradeError, kernels
from .assignment import Assignment, Test, all_assignments, find, find_task
from .build import Builder
from .collect import collect
from .grading import CLEAN, Grading
from .limulus import Judge
from .machine import processor
from .results import NOT_GRADED, Results, write_atomically
from .sandbox import Sandbox, work_folder
from .timing import machine, time_tests

HINT_AFTER = (1, 3, 6)  # failed attempts at a task for each level


class Chosen:
    """What "3.2" or "a3" on the command line means."""
    def __init__(self, what: str | None):
        found = all_assignments()
        self.task = None
        if what is None:
            if len(found) != 1:
                raise GradeError("which one? " + ", ".join(a.id for a in found))
            self.a = found[0]
        elif re.fullmatch(r"\d+\.\d+", what):
            self.a, self.task = find_task(what)
        else:
            self.a = find(what)


def attempts_file(a: Assignment) -> Path:
    return a.folder / ".attempts.json"


def read_attempts(a: Assignment) -> dict[str, int]:
    try:
        found = json.loads(attempts_file(a).read_text(encoding="utf-8"))
        return {task: int(found.get(task, 0)) for task in a.tasks}
    except (OSError, ValueError, TypeError, AttributeError):
        return dict.fromkeys(a.tasks, 0)


def run_tests(what: str | None, case: str | None, seed: int | None, tries: int) -> int:
    """Builds and runs the public tests of a task or an assignment; prints the verdicts. Returns
    how many failed."""
    chosen = Chosen(what)
    a = chosen.a
    tests = [
        t for t in a.tests
        if not t.hidden and chosen.task in (None, t.task) and case in (None, t.case)
    ]
    if not tests:
        raise GradeError(f"there is no case '{case}'; there is: " + ", ".join(
            t.case for t in a.tests if not t.hidden and chosen.task in (None, t.task)))
    once = tries == 1 and seed is None  # what is timed has fresh inputs anyway
    if not once and not all(t.curve for t in tests):
        tests = [t for t in tests if not t.curve]
    judge = Judge(a)
    files = collect(a, a.folder)
    failed: list[Test] = []
    with work_folder() as work:
        builder = Builder(a, Sandbox("limits"), work)
        for number in range(tries):
            used = seed if seed is not None else secrets.randbits(30) if tries > 1 else None
            if used is not None:
                a.seed = lambda test, used=used: used
            results = Results(a, None, {})
            grading = Grading(judge, builder, results, files, replace=False, tests=tests)
            grading.build()
            if number == 0:
                show_build(results)
            report = partial(show, a=a, quiet=tries > 1)
            with machine(exclusive=False):
                grading.run(report)
            time_tests(grading, [t for t in tests if t.curve], report)
            failed = [
                t for t in tests
                if not t.curve and results.tests[t.number]["status"] == "failed"
                and not results.is_ungraded(t)
            ]
            if failed and tries > 1 and results.build["status"] == "failed":
                break  # no input is to blame
            if failed and tries > 1:
                print(
                    f"\nto repeat it: ./grade test {failed[0].task} --case {failed[0].case} "
                    f"--seed {used}"
                )
                break
    summary(a, tests, failed, results, tries)
    if case is None and tries == 1 and seed is None:
        count_attempts(a, tests, results)
    return len(failed)


def bench(what: str | None) -> int:
    """Times a task's function, or all of an assignment, beside the library's and the plain one.
    Nothing else is tested, but that all of its results are right."""
    chosen = Chosen(what)
    a = chosen.a
    tests = [t for t in a.timed if chosen.task in (None, t.task)]
    if not tests:
        raise GradeError(f"nothing of {what or a.id} is timed" + (
            f"; timed is: {', '.join(dict.fromkeys(t.task for t in a.timed))}" if a.timed else ""))
    judge, files = Judge(a), collect(a, a.folder)
    print(processor()[0], flush=True)
    with work_folder() as work:
        results = Results(a, None, {})
        grading = Grading(judge, Builder(a, Sandbox("limits"), work), results, files,
                          replace=False, tests=tests)
        grading.build()
        show_build(results)
        time_tests(grading, tests, partial(show, a=a, quiet=False))
    kinds = {results.tests[t.number]["extra_data"]["kind"] for t in tests}
    return 0 if kinds == {"timed"} else 1


def show_build(results: Results):
    """What the compiler said, where it said something."""
    if results.build["output"] != CLEAN:
        mark = "FAIL" if results.build["status"] == "failed" else "warn"
        print(f"{mark}  0       build\n" + indented(results.build["output"]), flush=True)


def indented(text: str) -> str:
    return "\n".join("              " + line for line in text.splitlines())


def show(test: Test, entry: dict, a: Assignment, quiet: bool):
    passed = entry["status"] == "passed"
    skipped = entry.get("extra_data", {}).get("kind") == NOT_GRADED and not test.curve
    if quiet and (passed or skipped):
        return
    mark = "time" if test.curve else "ok  " if passed else "skip" if skipped else "FAIL"
    print(f"{mark}  {test.number:7} {a.tasks[test.task].title}: {test.title}")
    if not passed or test.curve:
        print(indented(entry["output"]), flush=True)


def summary(a: Assignment, tests: list[Test], failed: list[Test], results: Results, tries: int):
    if tries > 1:
        if not failed:
            print(f"right for {tries} seeds")
        return
    def points(chosen: list[Test]) -> str:
        reached = sum(results.tests[t.number]["score"] for t in chosen)
        return f"{reached:g} of {sum(t.points for t in chosen):g} points"

    timed = [t for t in tests if t.curve]
    skipped = [t for t in tests if not t.curve and results.is_ungraded(t)]
    public = [t for t in tests if not t.curve and t not in skipped]
    if public:
        cases = {t.case for t in public}
        hidden = sum(t.points for t in a.tests if t.hidden and t.case in cases)
        print(f"\n{len(public) - len(failed)} of {len(public)} public tests pass: "
              f"{points(public)}; hidden inputs of the same kinds are worth another {hidden:g}")
    if skipped:
        print(f"{len(skipped)} skipped, worth {sum(t.points for t in skipped):g} points: "
              f"{kernels.missing_tool(skipped[0].tool)}")
    if timed:
        print(f"speed, on this machine: {points(timed)}")


def count_attempts(a: Assignment, tests: list[Test], results: Results):
    counts = read_attempts(a)
    for task in dict.fromkeys(t.task for t in tests):
        kinds = [
            results.tests[t.number].get("extra_data", {}).get("kind") for t in tests
            if t.task == task and not t.curve
        ]
        if any(kind not in ("ok", "not written", "build", NOT_GRADED) for kind in kinds):
            counts[task] += 1
            print(f"task {task}: hints that are open: {levels_open(counts[task])} of "
                  f"{len(HINT_AFTER)}: ./grade hint {task}")
    try:
        write_atomically(attempts_file(a), json.dumps(counts) + "\n")
    except OSError:
        pass  # a folder that cannot be written to: hints stay as they are


def levels_open(attempts: int) -> int:
    return sum(attempts >= needed for needed in HINT_AFTER)


def read_hints(a: Assignment) -> dict[str, list[str]]:
    """hints.md: "## 3.2 ..." begins a task, "### " a level."""
    hints: dict[str, list[str]] = {}
    task = None
    for line in (a.folder / "hints.md").read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## (\d+\.\d+)\b", line):
            task = heading[1]
            hints[task] = []
        elif line.startswith("### "):
            if task is None:
                raise GradeError(f"{a.folder}/hints.md: a level before the first task")
            hints[task].append("")
        elif task and hints[task]:
            hints[task][-1] += line + "\n"
    return {task: [text.strip() for text in levels] for task, levels in hints.items()}


def hint(task: str, every: bool) -> int:
    a, task = find_task(task)
    levels = read_hints(a).get(task, [])
    attempts = read_attempts(a)[task]
    opened = len(levels) if every else min(len(levels), levels_open(attempts))
    for number, text in enumerate(levels[:opened], 1):
        print(f"Hint {number} of {len(levels)}\n\n{text}\n")
    if opened < len(levels):
        print(
            f"Hint {opened + 1} opens after {HINT_AFTER[opened]} failed "
            f"run{'s' if HINT_AFTER[opened] > 1 else ''} of ./grade test {task} "
            f"(so far: {attempts}).")
    return 0


def pack(what: str | None, out: Path | None) -> int:
    """Writes the archive to hand in: the files of tasks and nothing else."""
    a = Chosen(what).a
    files = collect(a, a.folder)
    path = out or Path(f"{a.id}-submission.zip")
    handle, name = tempfile.mkstemp(dir=path.resolve().parent, prefix=".new-")
    with open(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for file_name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(file_name, (2012, 9, 30, 0, 0, 0)), data)
    Path(name).chmod(0o644)
    Path(name).rename(path)
    for task in a.tasks.values():
        text = files.get(task.file)
        state = ("is not there" if text is None else
                 "is yet to be written" if f'NotWritten("{task.id}")'.encode() in text else "is in")
        print(f"  {task.id}  {task.file}  {state}")
    print(f"Hand in {path}")
    return 0


def list_all() -> int:
    for a in all_assignments():
        print(f"{a.id}  {a.title}: {a.points:g} points, about {a.hours:g} hours")
        for task in a.tasks.values():
            mine = [t for t in a.tests if t.task == task.id]
            print(
                f"    {task.id}  {task.title}: {sum(t.points for t in mine):g} points, {task.file}")
    return 0
