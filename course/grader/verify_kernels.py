"""Hostile kernels (course/hostile/kernels/*.cl). On PoCL a kernel is machine code in the process
that starts it: it can write to any of its memory and call the system. So that process has nothing
to give away and no verdict to make; what a kernel aims at is set up and looked at as for the others
(verify_hostile.py)."""

import tempfile
from functools import partial
from pathlib import Path

from .assignment import Assignment, Test, find
from .kernels import missing_tool
from .limulus import Judge
from .processes import count_processes
from .sandbox import KINDS, Sandbox, available
from .submissions import grade_files
from .verify_hostile import SECONDS, Targets, good, hostile_files, side_by_side

VICTIM = "src/conv2d_forward.cl"
SYSTEM_CALL = "// @SYSTEM_CALL@\n"  # where a kernel has hostile/kernels/system_call.h
LEAST = 12
# What the results say of these. That the others have no points is enough.
TOLD = {
    "endless_loop": "it was stopped after", "nothing": "got NaN",
    "write_outside": "outside of y", "include_file": "hidden.toml",
    "call_library": "it calls _exit, which OpenCL C does not have", "print_pass": "got NaN"
}


def prove_kernels(a: Assignment, proof):
    if not a.has_kernels or not any(t.file == VICTIM for t in a.tasks.values()):
        return
    for kind in KINDS:
        # As nobody but oneself, a program can do what one can do: no protection is claimed.
        if kind != "limits" and available(kind):
            confined(a, kind, proof)


def few_tests(a: Assignment, task: str) -> list[Test]:
    """Of the task that is not done two tests, one of them hidden, and what Oclgrind says; of each
    other task one, whose points are not to be lost."""
    mine = [t for t in a.untimed if t.task == task and not missing_tool(t.tool)]
    others = [next(t for t in a.untimed if t.task == id) for id in list(a.tasks)[1:3]]
    return [*mine[:2], *(t for t in mine if t.tool), *others]


def confined(a: Assignment, kind: str, proof):
    task = victim(a)
    files = hostile_files("kernels/*.cl")
    wrong = side_by_side(partial(one, a.id, kind), files.items())
    if len(files) < LEAST:
        wrong.append(f"there are {len(files)} hostile kernels, not {LEAST}")
    proof.say(
        a.id, f"9 {len(files)} hostile kernels by {kind}: 0 points for {task}, all for the rest, "
        "nothing harmed", wrong)


def victim(a: Assignment) -> str:
    """The task that hostile kernels do not do."""
    return next(t.id for t in a.tasks.values() if t.file == VICTIM)


def one(id: str, kind: str, file: tuple[str, str]) -> list[str]:
    name, text = file
    a, wrong = find(id), []
    a.seconds, task = SECONDS, victim(a)
    judge, sandbox = Judge(a), Sandbox(kind)
    text = text.replace(SYSTEM_CALL, hostile_files("kernels/*.h")["system_call"])
    if "ask(" in text and "long ask(" not in text:
        wrong.append("it has no system_call.h in the place of its mark")
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch).chmod(0o711)
        targets = Targets(Path(scratch))
        submitted = {**good(a), VICTIM: targets.put_into(text)}
        results = grade_files(judge, sandbox, submitted, None, {}, tests=few_tests(a, task))
        printed = str(results.data)
        wrong += targets.harmed(printed)
    if TOLD.get(name, "") not in printed:
        wrong.append(f"nothing says '{TOLD[name]}': {results.tests[f'{task}.1']}")
    for test in few_tests(a, task):
        entry = results.tests[test.number]
        if entry["score"] != (0 if test.task == task else test.points):
            wrong.append(f"{test.number} has {entry['score']} points: {entry['output']}")
    if sandbox.root and count_processes(sandbox.user):
        wrong.append("processes were left behind")
    return [f"{name}: {w}" for w in wrong]
