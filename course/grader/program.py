"""A program that runs in a sandbox: what it may use, how it ends, and what it printed."""

import os
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .processes import children_of, shortened, wait_patiently

if TYPE_CHECKING:
    from .sandbox import Sandbox

STACK = 1 << 20
CANNOT_START = re.compile(r"(unshare|setpriv|prlimit): ")
FIRST_PROCESS = re.compile(rb'"child-pid": (\d+)')


@dataclass(frozen=True)
class Limits:
    seconds: float = 10  # of CPU time, rounded up
    memory_mib: int = 1024  # of address space, each process
    processes: int = 8
    file_mib: int = 64
    stack: int = STACK

    @property
    def wall(self) -> float:
        """Seconds on the wall: more, as the machine may have other work."""
        return 4 * self.seconds


@dataclass
class Outcome:
    code: int  # exit status, or minus the signal
    timed_out: bool
    seconds: float
    output: str  # the beginning and the end of what it printed

    @property
    def late(self) -> bool:
        return self.timed_out or self.code == -signal.SIGXCPU

    def trouble(self, limits: Limits) -> str:
        """Why it did not end as a program should; empty where it did."""
        if self.code == -signal.SIGXCPU:
            return f"it was stopped after {limits.seconds:g} s of computing"
        if self.timed_out:
            return (f"it was stopped after {limits.wall:g} s, in which it computed less than "
                    f"{limits.seconds:g} s")
        known = {
            -signal.SIGSEGV: "it crashed (segmentation fault): an index out of range, a null "
            f"pointer, or a recursion deeper than a stack of {limits.stack >> 20} MiB",
            -signal.SIGABRT: "it was aborted by an assertion: an index out of range?",
            -signal.SIGFPE: "it crashed (SIGFPE): an integer was divided by 0",
            -signal.SIGXFSZ: f"it wrote more than {limits.file_mib} MiB",
            -signal.SIGKILL: "it was killed (out of memory?)",
        }
        if self.code < 0:
            return known.get(self.code, f"it was ended by signal {-self.code}")
        return ""


class Program:
    """One that runs in a sandbox."""
    def __init__(self, sandbox: "Sandbox", process: subprocess.Popen, output, status):
        self.sandbox, self.process, self.output, self.status = sandbox, process, output, status
        self.began, self.ended = time.monotonic(), False
        self.told = b""  # by bubblewrap, of what it starts
        self.cut = False  # it still ran when it was ended from here
        self.timed_out = False  # and that was for want of time

    def printed(self) -> str:
        """Up to now."""
        return shortened(self.output)

    def has_begun(self, seconds: float = 20) -> bool:
        """Waits until the program itself runs; false where bubblewrap could not start it."""
        if self.sandbox.kind != "bubblewrap":
            return True
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:  # after it, whoever talks with the program will wait
            self.hear(0.002)
            if self.process.poll() is not None:
                self.hear(0)
                return b'"exit-code"' in self.told
            if self.first_process and children_of(self.first_process):
                break
        return True

    @property
    def first_process(self) -> int | None:
        """The first of bubblewrap's name space of processes, which is bubblewrap's own; the program
        is its child. None where bubblewrap has not told of it."""
        told = FIRST_PROCESS.search(self.told)
        return int(told[1]) if told else None

    def hear(self, seconds: float):
        """What bubblewrap tells within this time."""
        if select.select([self.status], [], [], seconds)[0]:
            self.told += os.read(self.status.fileno(), 4096)

    def wait(self, seconds: float):
        """Until it ends, or for this long: after that it has run out of time."""
        self.cut = self.timed_out = not wait_patiently(self.process, seconds)

    def end(self):
        if not self.ended:
            self.ended = True
            self.hear(0)
            self.sandbox.end(self)

    def outcome(self) -> tuple[Outcome, bool]:
        """Ends it, where it still runs: its outcome, and whether it was started at all."""
        self.end()
        seconds = time.monotonic() - self.began
        code, output = self.process.returncode, self.printed()
        if self.sandbox.kind == "bubblewrap":  # which tells of an exit only where it got that far
            self.hear(0)
            started = self.cut or b'"exit-code"' in self.told
            if 128 < code < 128 + 65:
                code = 128 - code
        else:
            started = self.cut or not CANNOT_START.match(output)
        if self.cut and not self.timed_out:
            code = 0
        return Outcome(code, self.timed_out, seconds, output), started
