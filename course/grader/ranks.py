"""A test of several ranks: programs that share no memory and know each other by messages alone.

Each rank is a process in a sandbox of its own, with the inputs that are its own. Its one way out is
a socket to the judge, which passes messages on, counts them, and writes the results
(common/judge_route.cpp). So nothing that one rank computes can reach another uncounted; but where
bubblewrap is missing all ranks see the same /tmp, and what keeps them apart is that a solution may
not open files (build.py).
"""

import os
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from . import GradeError
from .processes import wait_patiently
from .program import Limits, Outcome, Program
from .sandbox import Sandbox

COMMAND = ["./runner", "{channel}", "rank"]
PATIENCE = 2  # seconds until a rank ends that nobody talks with any more


def run(sandbox: Sandbox, judge: Path, folder: Path, limits: Limits, count: int, inputs: Path,
        results: Path) -> Outcome:
    """Runs the program in `folder` as `count` ranks. The outcome is that of the first rank that did
    not end as it should; which one did not, the judge tells in the results."""
    all_of_them = replace(limits, processes=count * limits.processes)

    def attempt() -> tuple[Outcome, bool]:
        with ExitStack() as stack:
            return once(stack, sandbox, judge, folder, all_of_them, count, inputs, results)

    return sandbox.patiently(attempt, limits)


def once(stack: ExitStack, sandbox: Sandbox, judge: Path, folder: Path, limits: Limits, count: int,
         inputs: Path, results: Path) -> tuple[Outcome, bool]:
    pairs = [socket.socketpair() for _ in range(count)]
    ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for end in (*ours, *theirs):
        stack.callback(end.close)
    handles = [end.fileno() for end in ours]
    messages = stack.enter_context(open(os.devnull, "wb"))
    process = subprocess.Popen(
        [str(judge), "route", str(inputs), str(results), *map(str, handles)],
        stdin=subprocess.DEVNULL, stdout=messages, stderr=messages, pass_fds=handles,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"})
    try:
        programs = [start(stack, sandbox, folder, limits, end) for end in theirs]
        for end in (*ours, *theirs):
            end.close()
        late = not wait_patiently(process, limits.wall)
    finally:
        process.kill()
        process.wait()
    if not late and process.returncode:
        raise GradeError(f"judge route {inputs} ended with status {process.returncode}")
    return ended(programs, late)


def start(stack: ExitStack, sandbox: Sandbox, folder: Path, limits: Limits,
          end: socket.socket) -> Program:
    words = [word.replace("{channel}", str(end.fileno())) for word in COMMAND]
    return stack.enter_context(sandbox.talk(words, folder, limits, (end.fileno(), )))


def ended(programs: list[Program], late: bool) -> tuple[Outcome, bool]:
    """All ranks are waited for before one of them is ended: where they are of one user, the end of
    one is the end of all."""
    deadline = time.monotonic() + (0 if late else PATIENCE)
    for program in programs:
        program.wait(max(0.0, deadline - time.monotonic()))
        program.timed_out = late and program.cut
    found = [program.outcome() for program in programs]
    outcome = next((o for o, _ in found if o.code or o.timed_out), found[0][0])
    printed = "".join(f"rank {r}: {o.output}" for r, (o, _) in enumerate(found) if o.output.strip())
    return replace(outcome, output=printed), all(started for _, started in found)
