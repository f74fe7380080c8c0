"""Holding the clock: the library and a submission compute the same, in turns.

Three programs run: the judge, which makes inputs, computes with the library and checks; the
submission; and the same program without the submission's files, for the plain product. Each waits
for a letter, calls one function, and answers (common/timed.h). The clock is this process's: it
starts before fresh inputs are copied to where the program sees them, and is read after the output
was copied away. So whatever a program does before it is asked, or after it has answered, cannot
help it.
"""

import fcntl
import json
import mmap
import os
import secrets
import select
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import GradeError
from .assignment import Assignment, Test
from .build import forbidden_instruction
from .grading import Grading, indented
from .machine import lacks, processor
from .program import Limits
from .speed import Refused, Turn, judged, shown
from .store import cache_folder

PAGE = 4096
CPU_SECONDS = 60  # of a program that is timed, for all of its turns
TURN_SECONDS = 10  # on the wall, of one call
YARDSTICK = {"LIMULUS_ISA": "avx2", "LIMULUS_THREADS": "1", "LC_ALL": "C"}
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@contextmanager
def machine(exclusive: bool):
    """While something is timed, no grader of this user compiles or tests, and none times."""
    with open(cache_folder() / "machine.lock", "w", encoding="ascii") as lock:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(lock, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if sys.stderr.isatty():
                print("grade: waiting for another grader on this machine", file=sys.stderr)
            fcntl.flock(lock, kind)
        yield


class Memory:
    """Arrays of floats, one behind the other, each from the begin of a page, in memory that another
    process shares and cannot make smaller."""
    def __init__(self, counts: list[int]):
        self.begins, size = [], 0
        for count in counts:
            self.begins.append(size)
            size += -(-4 * count // PAGE) * PAGE
        self.counts = counts
        self.fd = os.memfd_create("arrays", os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
        os.ftruncate(self.fd, size)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, SEALS)
        self.map = mmap.mmap(self.fd, size)

    def part(self, first: int, last: int) -> slice:
        """From the begin of one array to the end of another."""
        return slice(self.begins[first], self.begins[last] + 4 * self.counts[last])

    def close(self):
        self.map.close()
        os.close(self.fd)


class Partner:
    """A program that obeys letters and answers lines. Where it fails to, `error` is raised: the
    judge's failure is no submission's fault."""
    def __init__(self, stack: ExitStack, memory: Memory, error: type[Exception] = Refused):
        self.memory, self.error = memory, error
        self.printed = str  # a function: what the program has printed
        stack.callback(memory.close)
        theirs, self.to = os.pipe()
        self.answers, ours = os.pipe()
        self.theirs = (theirs, ours)
        stack.callback(os.close, self.to)
        stack.callback(os.close, self.answers)

    @property
    def handles(self) -> tuple[int, int, int]:
        return (*self.theirs, self.memory.fd)

    def started(self):
        for handle in self.theirs:
            os.close(handle)

    def ask(self, letter: bytes, longest: int = 4096) -> str:
        try:
            os.write(self.to, letter)
        except BrokenPipeError:
            raise self.error(self.ended("was called")) from None
        line = b""
        while not line.endswith(b"\n"):
            if not self.ready():
                raise self.error(f"one call took more than {TURN_SECONDS} s")
            more = os.read(self.answers, longest)
            if not more:
                raise self.error(self.ended("returned"))
            line += more
            if len(line) > longest:
                raise self.error("the program wrote to where only results are written")
        return line.decode(errors="replace").rstrip("\n")

    def ended(self, before: str) -> str:
        printed = self.printed().strip()
        return f"the program ended before its function {before}" + (
            f"; it printed:\n{indented(printed)}" if printed else "")

    def ready(self) -> bool:
        """Whether there is something to read in time. As in processes.wait_patiently, a moment in
        which this process was not served, either, does not count."""
        left = float(TURN_SECONDS)
        while left > 0:
            before = time.monotonic()
            if select.select([self.answers], [], [], min(left, 0.25))[0]:
                return True
            left -= min(time.monotonic() - before, 0.5)
        return False


class Duel:
    """One timed test of one program, beside the library (a speed.Meter)."""
    def __init__(self, stack: ExitStack, grading: Grading, test: Test, folder: Path):
        self.stack, self.sandbox, self.test = stack, grading.builder.sandbox, test
        judge = grading.judge
        self.layout = json.loads(judge.run("layout", test.case))
        self.operations = self.layout["operations"]
        self.counts = [*self.layout["inputs"], self.layout["output"]]
        self.last = len(self.counts) - 1
        self.judge = Partner(stack, Memory([*self.counts, self.layout["output"]]), GradeError)
        stack.enter_context(
            trusted([
                str(judge.program), "serve", test.case,
                str(secrets.randbits(48)), *map(str, self.judge.handles)
            ], self.judge))
        self.submission = self.program(folder, self.layout["call"])
        self.turns = 0

    def program(self, folder: Path, call: str) -> Partner:
        partner = Partner(self.stack, Memory(self.counts))
        words = [
            "./runner", call, *map(str, partner.handles), ",".join(map(str, self.layout["sizes"])),
            ",".join(map(str, self.counts))
        ]
        limits = Limits(seconds=CPU_SECONDS, processes=self.sandbox.alone)
        partner.printed = self.stack.enter_context(
            self.sandbox.talk(words, folder, limits, partner.handles)).printed
        partner.started()
        return partner

    def turn(self) -> Turn:
        self.turns += 1
        self.judge.ask(b"m")
        inputs = self.judge.memory.map[self.judge.memory.part(0, self.last - 1)]
        seconds, result = {}, b""
        # Who comes first alternates: the caches and the processor's pace favour neither.
        for mine in (True, False) if self.turns % 2 else (False, True):
            partner = self.submission if mine else self.judge
            seconds[mine], output = self.call(partner, inputs)
            result = output if mine else result
        memory = self.judge.memory
        memory.map[memory.part(self.last + 1, self.last + 1)] = result
        verdict = self.judge.ask(b"c", 1 << 16)
        if verdict != "right":
            raise Refused(f"wrong, in turn {self.turns} of those that are timed:\n" +
                          json.loads(verdict))
        return Turn(seconds[False], seconds[True], float(self.judge.ask(b"p")))

    def call(self, partner: Partner, inputs: bytes) -> tuple[float, bytes]:
        """One call: its seconds, and what it wrote."""
        memory = partner.memory
        output = memory.part(self.last, self.last)
        memory.map[output] = b"\xff" * (output.stop - output.start)  # NaN
        given = memory.part(0, self.last - 1)
        began = time.perf_counter()
        memory.map[given] = inputs
        answer = partner.ask(b"g")
        written = memory.map[output]
        seconds = time.perf_counter() - began
        if answer != "done":
            raise Refused(answer.removeprefix("error ") if answer.startswith("error ") else
                          f"task {answer.removeprefix('not written ')} is yet to be written")
        return seconds, written

    def plain(self, folder: Path, turns: int = 2) -> float:
        """Seconds of the plain product, by the program in `folder`."""
        partner = self.program(folder, "plain")
        inputs = self.judge.memory.map[self.judge.memory.part(0, self.last - 1)]
        return min(self.call(partner, inputs)[0] for _ in range(turns))


@contextmanager
def trusted(command: list[str], partner: Partner):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=partner.handles,
                               env={"PATH": os.environ.get("PATH", ""), **YARDSTICK})
    partner.started()
    try:
        yield
    finally:
        process.kill()
        process.wait()


# ---- of a submission -------------------------------------------------------------------------


def cannot_be_timed(a: Assignment) -> str:
    """Why nothing of this assignment can be timed on this machine, or "". """
    if missing := lacks(a.vector):
        return (f"not graded on this machine: its processor ({processor()[0]}) lacks "
                f"{' and '.join(missing)}. What is right was graded; for the speed, grade on "
                "another")
    return ""


def time_tests(grading: Grading, tests: list[Test], progress=lambda test, entry: None,
               plain: bool = True):
    """Times each of these tests and notes the result."""
    trouble = cannot_be_timed(grading.a)
    for test in tests:
        if trouble:
            grading.results.leave_ungraded(test, trouble)
        else:
            with machine(exclusive=True):
                time_test(grading, test, plain)
        progress(test, grading.results.tests[test.number])


def time_test(grading: Grading, test: Test, plain: bool):
    results, slowest = grading.results, None
    try:
        folder = prepared(grading, test)
        with ExitStack() as stack:
            duel = Duel(stack, grading, test, folder)
            verdict = judged(duel, test.curve)
            if plain:
                ours, trouble = grading.builder.link([], complete=False, program="timed")
                if ours is None:
                    raise GradeError(f"the plain product cannot be built: {trouble}")
                slowest = plain_seconds(duel, ours)
        results.set_speed(test, verdict.points, shown(verdict, test.curve, slowest),
                          verdict.facts())
    except Refused as refused:
        results.set_speed(test, 0, f"not counted: {refused}", {})


def plain_seconds(duel: Duel, folder: Path) -> float | None:
    """None where it takes too long, which is nobody's fault."""
    try:
        return duel.plain(folder)
    except Refused:
        return None


def prepared(grading: Grading, test: Test) -> Path:
    """The program that is timed: nothing but the submission's own files, and these fit to be."""
    a, task = grading.a, test.task
    needed = [*a.before(task), task]
    for need in needed:
        made = grading.compiled[need]
        if made.object is None:
            raise Refused(made.why_not(a.tasks[need].file))
        if not grading.passed.get(need, True):
            raise Refused(f"task {need} has failed tests, and what is wrong has no speed")
    for need in needed:
        if word := forbidden_instruction(grading.compiled[need].object):
            raise Refused(f"{a.tasks[need].file} uses {word}: what is timed is made of AVX2 and "
                          "FMA, as the library's kernel beside it, and asks the system for nothing")
    objects = [made.object for made in grading.compiled.values() if made.object is not None]
    whole = len(objects) == len(grading.compiled)
    folder, trouble = grading.builder.link(objects, whole, "timed")
    if folder is None and whole:
        folder, trouble = grading.builder.link(objects, False, "timed")
    if folder is None:
        raise Refused(f"the program does not link: {trouble}")
    return folder

