"""The way of an assignment out of this folder and back: a student's with the starter's archive,
and Gradescope's with its zip, each by the programs that are in there."""

import json
import multiprocessing
import os
import subprocess
import tarfile
import zipfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from . import gradescope, starter
from .assignment import Assignment
from .kernels import missing_tool
from .limulus import prefix
from .sandbox import work_folder
from .schema import trouble
from .starter import task_file
from .store import cache_folder


def environment(**more: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": os.environ.get("HOME", "/tmp"),
        "LIMULUS_PREFIX": str(prefix()), "XDG_CACHE_HOME": str(cache_folder().parent), **more
    }


def called(command: list[str], folder: Path, wanted: int, **more: str) -> tuple[str, list[str]]:
    done = subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True,
                          text=True, check=False)
    wrong = [] if done.returncode == wanted else [
        f"{' '.join(command)} ended with {done.returncode}, not {wanted}: {done.stdout[-800:]}"
        f"{done.stderr[-800:]}"
    ]
    return done.stdout, wrong


def write_solution(a: Assignment, folder: Path, flat: bool = False):
    for task in a.tasks.values():
        path = folder / (Path(task.file).name if flat else task.file)
        path.write_text(task_file(a, task.id, solved=True), encoding="utf-8")


def prove_elsewhere(a: Assignment, proof):
    """Both ways at once: most of the time either one works on one processor alone."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        ways = [pool.submit(way, a) for way in (a_student, on_gradescope)]
        for what, way in zip((
                "a student: unpacks the starter, tests, solves, packs; graded with all points",
                "Gradescope's zip: setup.sh and run_autograder give all points, and keep them"),
                             ways, strict=True):
            proof.say(a.id, what, way.result())


def a_student(a: Assignment) -> list[str]:
    """Unpack, test, solve, test, pack; then the staff grades what was packed."""
    with work_folder() as folder:
        with tarfile.open(starter.write(a, folder)) as archive:
            archive.extractall(folder, filter="data")
        home = folder / starter.folder_name(a)
        printed, wrong = called(["./grade", "test", a.id], home, 1)
        wrong += [
            f"nothing says that {t} is yet to be written" for t in a.tasks
            if f"task {t} is yet to be written" not in printed
        ]
        write_solution(a, home)
        printed, more = called(["./grade", "test", a.id], home, 0)
        public = [t for t in a.untimed if not t.hidden and not missing_tool(t.tool)]
        if f"{len(public)} of {len(public)} public tests pass" not in printed:
            wrong.append(f"not all tests pass: {printed[-500:]}")
        packed, hinted = home / f"{a.id}-submission.zip", next(iter(a.tasks))
        wrong += more + called(["./grade", "pack"], home, 0)[1] + called(
            ["./grade", "hint", hinted], home, 0)[1]
        wrong += called(["./grade", "verify"], home, 2)[1]  # is the staff's
        out, course = folder / "results.json", a.folder.parent
        wrong += called(
            ["./grade", "one", a.id,
             str(packed), str(out), "--without-isolation"], course, 0)[1]
        wrong += trouble(out) or score(out, a)
    return wrong


def score(path: Path, a: Assignment) -> list[str]:
    """Whether it has all points. How many of them speed gives is the machine's matter."""
    found = json.loads(path.read_text(encoding="utf-8"))["score"]
    least = sum(t.points for t in a.untimed if not missing_tool(t.tool))
    return [] if least <= found <= a.points else [
        f"{path.name} has {found} points, not {least:g}" +
        (f" to {a.points:g}" if a.timed else "")
    ]


def on_gradescope(a: Assignment) -> list[str]:
    with work_folder() as root:
        gradescope.write(a, root / "autograder.zip", quiet=True)
        with zipfile.ZipFile(root / "autograder.zip") as archive:
            archive.extractall(root / "source")
        (root / "submission").mkdir()
        (root / "cache").symlink_to(cache_folder().parent)  # the judge is built already
        here = {"AUTOGRADER_ROOT": str(root)}
        wrong = called(["bash", str(root / "source" / "setup.sh")], root, 0, **here)[1]
        out = root / "results" / "results.json"
        write_solution(a, root / "submission", flat=True)
        wrong += called(["bash", str(root / "source" / "run_autograder")], root, 0, **here)[1]
        wrong += trouble(out) or score(out, a)
        # Then a submission of nothing: what passed before keeps its points.
        earlier = json.loads(out.read_text(encoding="utf-8"))
        for path in (root / "submission").iterdir():
            path.unlink()
        (root / "submission_metadata.json").write_text(
            json.dumps({"previous_submissions": [{"results": earlier}]}))
        wrong += called(["bash", str(root / "source" / "run_autograder")], root, 0, **here)[1]
        wrong += trouble(out) or score(out, a)
    return wrong
