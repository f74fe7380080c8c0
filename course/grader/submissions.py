"""Grading a whole class: every folder or archive of a directory, in any order, stopped and
continued at will."""

import csv
import hashlib
import io
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

from . import VERSION, GradeError
from .assignment import Assignment
from .build import Builder
from .collect import ARCHIVES, collect, is_archive
from .grading import Grading, check_cases
from .history import add_hints, keep_best, previous_results, read_best, write_best
from .kernels import missing_tool
from .limulus import Judge
from .machine import lacks
from .own_secrets import warn
from .progress import Bar
from .results import NOT_GRADED, Results, write_atomically
from .sandbox import Sandbox, choose, work_folder
from .store import digest
from .timing import machine, time_tests


def confined(wanted: str, anyway: bool) -> Sandbox:
    sandbox = choose(wanted)
    if sandbox.kind == "limits" and not anyway:
        raise GradeError(
            "neither bubblewrap works here, nor are you root: a submission could read and delete "
            "your files. Install bubblewrap, or say --without-isolation")
    return sandbox


def readable_secret(a: Assignment, sandbox: Sandbox) -> bool:
    """Whether a program could read the hidden tests' secret."""
    secret = a.staff / "hidden.toml"
    if sandbox.kind == "bubblewrap" or not secret.exists():
        return False
    if sandbox.kind == "limits":
        return True
    mode = secret.stat().st_mode & 0o004
    return bool(mode) and all(folder.stat().st_mode & 0o001 for folder in secret.resolve().parents)


def facts(a: Assignment, judge: Judge, sandbox: Sandbox) -> dict:
    notes = {"isolation": sandbox.described(), "limulus": judge.version}
    if readable_secret(a, sandbox):
        notes["warning"] = (
            "programs could read the hidden inputs: chmod go-rwx the staff folder, and install "
            "bubblewrap")
    return notes


def grade_files(judge: Judge, sandbox: Sandbox, files: dict[str, bytes], out: Path | None,
                extra: dict, **options) -> Results:
    """Grades one submission's files into `out`. What is timed comes last, and alone; with
    `timed=False` not at all."""
    timed, began = options.pop("timed", True), time.monotonic()
    with work_folder() as work:
        results = Results(judge.a, out, {**facts(judge.a, judge, sandbox), **extra})
        builder = Builder(judge.a, sandbox, work, check_symbols=options.pop("check_symbols", True))
        grading = Grading(judge, builder, results, files, **options)
        with machine(exclusive=False):
            grading.run()
        time_tests(grading, [t for t in grading.tests or judge.a.tests if t.curve and timed])
        results.finish(time.monotonic() - began)
    return results


def unreadable(judge: Judge, sandbox: Sandbox, out: Path | None, extra: dict,
               message: str) -> Results:
    results = Results(judge.a, out, {**facts(judge.a, judge, sandbox), **extra})
    results.data["output"] = message
    results.set_build(False, message)
    for test in judge.a.tests:
        results.set(test, False, "nothing could be built: see the test \"build\"", "build")
    results.finish(0)
    return results


def grade_one(a: Assignment, args) -> int:
    if not args.path.exists():
        raise GradeError(f"{args.path} does not exist")
    sandbox, judge = confined(args.isolation, args.without_isolation), Judge(a)
    check_cases(a, judge)
    before = previous_results(args.metadata)
    try:
        files = collect(a, args.path)
    except GradeError as error:
        results = unreadable(judge, sandbox, args.out, {}, str(error))
    else:
        results = grade_files(judge, sandbox, files, args.out, {})
    add_hints(results, before)
    keep_best(results, before)
    results.write()
    print(f"{results.data['score']:g} of {a.points:g} points: {args.out}")
    return 0


# ---- a class ---------------------------------------------------------------------------------


def submissions_in(folder: Path, out: Path) -> list[Path]:
    if not folder.is_dir():
        raise GradeError(f"{folder} is not a folder of submissions")
    found = [
        path for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and path.resolve() != out.resolve() and (
            path.is_dir() or is_archive(path))
    ]
    if not found:
        raise GradeError(f"there is no submission in {folder}: neither a folder nor an archive "
                         f"({', '.join(ARCHIVES)})")
    return found


def name_of(path: Path) -> str:
    if path.is_dir():
        return path.name
    return next(path.name[:-len(end)] for end in sorted(ARCHIVES, key=len, reverse=True)
                if path.name.lower().endswith(end))


def state_of(a: Assignment, judge: Judge) -> str:
    """What a grade depends on besides the submission."""
    tools = sorted({test.tool for test in a.tests if missing_tool(test.tool)})
    parts = [VERSION, judge.version, judge.program.parent.name, *lacks(a.vector), *tools]
    for path in [
            a.folder / "assignment.toml", a.staff / "hidden.toml",
            *(a.folder / t.file for t in a.tasks.values())
    ]:
        parts.append(path.read_bytes() if path.exists() else b"")
    return digest(*parts)


def fingerprint(files: dict[str, bytes]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:24]


worker_state = {}


def start_worker(a: Assignment, kind: str, out: Path, state: str):
    worker_state.update(a=a, judge=Judge(a), sandbox=Sandbox(kind), out=out, state=state)


def work_on(item: tuple[str, Path]) -> tuple[str, float, bool, str]:
    """Grades one submission, unless this was done before. Returns its name, score, whether it
    was, and what went wrong with the grader itself: whatever it is, the others are graded."""
    name, path = item
    try:
        return name, *grade_or_find(name, path), ""
    except Exception as error:  # pylint: disable=broad-except
        return name, 0, False, f"{type(error).__name__}: {error}"


def grade_or_find(name: str, path: Path) -> tuple[float, bool]:
    a, judge, sandbox = worker_state["a"], worker_state["judge"], worker_state["sandbox"]
    out = worker_state["out"] / name / "results.json"
    try:
        files, trouble = collect(a, path), ""
    except GradeError as error:
        files, trouble = {}, str(error)
    extra = {
        "submission": name, "files": trouble or fingerprint(files), "state": worker_state["state"]
    }
    done = finished(out, extra)
    if done is not None:
        return done, True
    best = read_best(out.with_name("best.json"), worker_state["state"])
    results = (unreadable(judge, sandbox, out, extra, trouble)
               if trouble else grade_files(judge, sandbox, files, out, extra))
    keep_best(results, [best])
    results.write()
    write_best(out.with_name("best.json"), worker_state["state"], results)
    return results.score, False


def finished(out: Path, extra: dict) -> float | None:
    try:
        data = json.loads(out.read_text(encoding="utf-8"))
        found = data["extra_data"]
        same = all(found.get(key) == value for key, value in extra.items())
        return data["score"] if same and found["complete"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def grade_all(a: Assignment, args) -> int:
    warn(a)
    out = args.out or args.path.resolve().with_name(args.path.resolve().name + "-graded")
    found: dict[str, Path] = {}
    for path in submissions_in(args.path, out):
        name = name_of(path)
        if name in found:
            raise GradeError(f"{found[name]} and {path} have the same name: whose is it?")
        found[name] = path
    sandbox, judge = confined(args.isolation, args.without_isolation), Judge(a)
    check_cases(a, judge)
    if warning := facts(a, judge, sandbox).get("warning"):
        print(f"grade: {warning}", file=sys.stderr)
    jobs = min(args.jobs or len(os.sched_getaffinity(0)), len(found))
    started, again, bar = time.monotonic(), 0, Bar(len(found))
    failed: dict[str, str] = {}
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, start_worker, (a, sandbox.kind, out, state_of(a, judge))) as pool:
        for name, score, before, trouble in pool.imap_unordered(work_on, found.items()):
            again += before
            failed |= {name: trouble} if trouble else {}
            bar.step(f"{name}: {score:g}")
    bar.end()
    write_atomically(out / "grades.csv", class_table(a, out, sorted(found), failed))
    print(
        f"{len(found)} submissions ({again} were graded before) in "
        f"{time.monotonic() - started:.0f} s, "
        f"isolation: {sandbox.described()}\n{out / 'grades.csv'}")
    for name, trouble in sorted(failed.items()):
        print(f"grade: {name} was not graded, run the command again: {trouble}", file=sys.stderr)
    return 1 if failed else 0


def class_table(a: Assignment, out: Path, names: list[str], failed: dict[str, str]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["submission", "score", "max_score", *(f"{t.number}" for t in a.tests), "notes"])
    for name in names:
        if name in failed:  # an empty cell is no 0
            table.writerow([
                plain(name), "", a.points, *("" for _ in a.tests),
                plain(f"not graded: {failed[name]}")
            ])
            continue
        data = json.loads((out / name / "results.json").read_text(encoding="utf-8"))
        tests = {test["number"]: test for test in data["tests"]}
        built = tests["0"]["output"].splitlines()
        notes = [built[0]] if tests["0"]["status"] == "failed" else []
        missing = sum(line.endswith(" was not handed in") for line in built)
        if missing and not notes:
            notes.append(f"{missing} of {len(a.tasks)} files were not handed in")
        open_ones = {
            n for n, t in tests.items() if t.get("extra_data", {}).get("kind") == NOT_GRADED
        }
        if open_ones:
            notes.append(data["output"])
        table.writerow([
            plain(name), data["score"], a.points,
            *("" if t.number in open_ones else tests[t.number]["score"] for t in a.tests),
            plain("; ".join(notes))
        ])
    return text.getvalue()


def plain(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def nbgrader_csv(a: Assignment, graded: Path, out: Path | None) -> int:
    """The columns of nbgrader's export; what only its data base knows is left empty."""
    rows = sorted(graded.glob("*/results.json"))
    if not rows:
        raise GradeError(f"there are no results in {graded}: run grade submissions first")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([
        "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
        "raw_score", "late_submission_penalty", "score", "max_score"
    ])
    for path in rows:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.get("extra_data", {}).get("assignment") != a.id:
            raise GradeError(f"{path} is not of {a.id}")
        table.writerow([
            a.id, "", "",
            plain(path.parent.name), "", "", "", data["score"], 0, data["score"], a.points
        ])
    if out:
        write_atomically(out, text.getvalue())
    else:
        print(text.getvalue(), end="")
    return 0
