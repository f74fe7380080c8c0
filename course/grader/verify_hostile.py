"""Hostile submissions (course/hostile/*.cpp): each one's task 3.1 does something else than a
convolution.

What each may not reach is set up here, named in its text, and looked at afterwards: a listening
socket, a file that must stay, a file that nobody may read, a results.json."""

import argparse
import multiprocessing
import os
import secrets
import socket
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from .assignment import Assignment, Test, course_folder, find
from .limulus import Judge
from .processes import count_processes
from .sandbox import KINDS, Sandbox, available
from .schema import trouble
from .starter import task_file
from .submissions import grade_all, grade_files

SECONDS = 1  # the limit of a test: endless loops are waited for, and sleep four times as long


class Targets:
    """What hostile programs go for, in a folder of its own."""
    def __init__(self, work: Path):
        self.folder = work / "targets"
        self.folder.mkdir(mode=0o711)
        self.tree = self.folder / "tree"
        self.tree.mkdir()
        self.tree.joinpath("keep").write_text("keep")
        self.hidden = self.folder / "hidden.toml"
        self.token = secrets.token_hex(12)
        self.hidden.write_text(f'secret = "{self.token}"')
        self.hidden.chmod(0o600)
        self.results = self.folder / "results.json"
        self.results.write_text("{}")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)

    def put_into(self, text: str) -> bytes:
        for name, value in (("TREE", self.tree), ("HIDDEN", self.hidden), ("RESULTS", self.results),
                            ("PORT", self.listener.getsockname()[1])):
            text = text.replace(f"@{name}@", str(value))
        return text.encode()

    def harmed(self, output: str) -> list[str]:
        wrong = []
        if not (self.tree / "keep").is_file():
            wrong.append("a file outside of its folder was deleted")
        if self.results.read_text() != "{}":
            wrong.append("results.json was written to")
        if self.token in output:
            wrong.append("the hidden file was read")
        try:
            self.listener.accept()[0].close()
            wrong.append("a connection was made")
        except BlockingIOError:
            pass
        return wrong


def hostile_files(pattern: str = "*.cpp") -> dict[str, str]:
    return {
        p.stem: p.read_text(encoding="utf-8")
        for p in sorted((course_folder() / "hostile").glob(pattern))
    }


def good(a: Assignment) -> dict[str, bytes]:
    return {t.file: task_file(a, t.id, solved=True).encode() for t in a.tasks.values()}


def prove_hostile(a: Assignment, proof):
    if a.id != "a3":
        print("skip        6 hostile submissions are ones of a3, which is not among these")
        return
    a.seconds = SECONDS
    for kind in KINDS:
        # As nobody but oneself, a program can do what one can do: no protection is claimed.
        if kind == "limits" or not available(kind):
            continue
        confined(a, kind, proof)
    in_a_class(a, proof)


def confined(a: Assignment, kind: str, proof):
    """Each graded with the check of symbols off, so that nothing but the sandbox is in its way."""
    files = hostile_files()
    wrong = side_by_side(partial(one, a.id, kind), files.items())
    if len(files) < 12:
        wrong.append(f"there are {len(files)} hostile programs, not 12")
    proof.say(
        a.id,
        f"6 {len(files)} hostile submissions by {kind}: 0 points for 3.1, all for a test of each "
        "other task, nothing harmed",
        wrong)


def side_by_side(grade: Callable[[tuple[str, str]], list[str]], files) -> list[str]:
    """What is wrong with these, graded side by side: whatever a worker runs, it runs as a user of
    its own, with targets of its own."""
    with ProcessPoolExecutor(workers(), multiprocessing.get_context("fork")) as pool:
        return [w for found in pool.map(grade, files) for w in found]


def workers() -> int:
    """Two for each processor: much of the time a hostile program sleeps, or waits."""
    return 2 * len(os.sched_getaffinity(0))


def one(id: str, kind: str, file: tuple[str, str]) -> list[str]:
    name, text = file
    a = find(id)
    a.seconds = SECONDS
    judge, sandbox = Judge(a), Sandbox(kind)
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o711)
        targets = Targets(Path(scratch))
        submitted = {**good(a), "src/forward.cpp": targets.put_into(text)}
        out = targets.folder / "graded" / f"{name}.json"
        tests = few_tests(a)
        results = grade_files(judge, sandbox, submitted, out, {}, check_symbols=False, tests=tests)
        printed = out.read_text(encoding="utf-8")
        wrong = targets.harmed(printed) + trouble(out) + scores(tests, results.tests)
        if results.build["status"] != "passed":
            wrong.append(f"does not build: {results.build['output']}")
        if sandbox.root and count_processes(sandbox.user):
            wrong.append("processes were left behind")
    return [f"{name}: {w}" for w in wrong]


def few_tests(a: Assignment) -> list[Test]:
    """All of the task that is not done, and one of each other. In a class they have all tests."""
    firsts = [next(t for t in a.tests if t.task == id) for id in a.tasks if id != "3.1"]
    return [*(t for t in a.tests if t.task == "3.1"), *firsts]


def scores(chosen: list[Test], tests: dict[str, dict]) -> list[str]:
    wrong = []
    for test in chosen:
        entry = tests[test.number]
        if test.task == "3.1" and entry["score"] != 0:
            wrong.append(f"{test.number} has {entry['score']} points")
        if test.task != "3.1" and entry["score"] != test.points:
            wrong.append(f"{test.number} lost its points: {entry['output']}")
    return wrong


def in_a_class(a: Assignment, proof):
    """All of them in one run, with good ones in front and behind; then again, which must do
    nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o711)
        targets, folder = Targets(Path(scratch)), Path(scratch) / "class"
        everybody = {"a-good": None, **hostile_files(), "zz-good": None}
        for name, text in everybody.items():
            submitted = {**good(a), **({"src/forward.cpp": targets.put_into(text)} if text else {})}
            for file, data in submitted.items():
                path = folder / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        args = argparse.Namespace(path=folder, out=None, isolation="auto", without_isolation=True,
                                  jobs=workers())
        with silent():
            grade_all(a, args)
        graded = folder.with_name("class-graded")
        before = {p: p.stat().st_mtime_ns for p in graded.rglob("results.json")}
        with silent():
            grade_all(a, args)
        after = {p: p.stat().st_mtime_ns for p in graded.rglob("results.json")}
        table = (graded / "grades.csv").read_text(encoding="utf-8").splitlines()
        score = {row.split(",")[0]: float(row.split(",")[1]) for row in table[1:]}
        lost = sum(t.points for t in a.tests if t.task == "3.1")
        wrong = [
            f"{name} has {score.get(name)} points" for name, text in everybody.items()
            if score.get(name) != (a.points if text is None else a.points - lost)
        ]
        wrong += [f"{p.parent.name}: {w}" for p in before for w in trouble(p)] + targets.harmed("")
        if before != after:
            wrong.append("a second run graded again what was graded")
        proof.say(
            a.id,
            f"6 {len(everybody)} submissions in one run: the good ones have all points; a second "
            "run "
            "grades nothing again", wrong)


class silent:
    """Standard output and error of this process, away."""
    def __enter__(self):
        sys.stdout.flush()
        self.kept = os.dup(1), os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        os.close(nowhere)

    def __exit__(self, *_):
        sys.stdout.flush()
        for number, kept in zip((1, 2), self.kept, strict=True):
            os.dup2(kept, number)
            os.close(kept)
