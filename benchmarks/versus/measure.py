"""Running programs and telling whether anybody else used the processor meanwhile.

Two kinds of programs are measured. A one-shot program does one piece of work, prints JSON and ends. A
worker is a Python program that stays: it reads requests, one JSON document a line, and answers each
with one line until its input ends.

A repetition is worth nothing when another program had the cores. All processors' busy time
(/proc/stat) less the CPU time of the program under measurement is what others used; above a small
share of the machine the repetition counts as disturbed.
"""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

TICKS = os.sysconf("SC_CLK_TCK")
CPUS = os.cpu_count()
DISTURBED_SHARE = 0.05  # of the machine's CPU time during the repetition ...
GRAIN = 0.03            # ... after this many seconds, for the clocks tick every 10 ms on each CPU


class MeasurementError(Exception):
    pass


def busy_seconds():
    """CPU time that all programs together have used since the machine started."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def process_seconds(pid):
    """CPU time of all threads of a living process."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()  # the name before may hold anything
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_memory_mb(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    raise MeasurementError(f"/proc/{pid}/status has no VmHWM")


def wait_until_quiet(limit):
    """Waits until others use less than a tenth of the machine, `limit` seconds at most."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = busy_seconds()
        time.sleep(0.3)
        if busy_seconds() - before < 0.1 * 0.3 * CPUS:
            return


@dataclass
class Answer:
    values: dict        # what the program printed
    cpu_seconds: float  # what it used meanwhile
    memory_mb: float    # the most it ever held, of the whole process


def run_once(command, env=None):
    """A one-shot program: its JSON, its CPU time and its memory."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=env)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, complaint = out.read().decode(), err.read().decode()
    if process.returncode != 0:
        raise MeasurementError(f"{' '.join(command)}: exit status {process.returncode}\n{complaint}")
    return Answer(json.loads(text), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


class Worker:
    """A program that answers requests; see the top of this file."""

    def __init__(self, command):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)

    def ask(self, request):
        before = process_seconds(self.process.pid)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise MeasurementError(f"{' '.join(self.command)}: ended (status {self.process.wait()}) "
                                   f"at the request {request}; its message is above")
        return Answer(json.loads(line), process_seconds(self.process.pid) - before,
                      peak_memory_mb(self.process.pid))

    def close(self):
        """Ends the program; the CPU time it used in all its life."""
        self.process.stdin.close()
        self.process.stdout.close()
        _, status, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime


@dataclass
class Sample:
    values: dict           # "ms", and "gflops" or "images_per_second"
    memory_mb: float
    foreign_share: float   # of the machine, used by other programs meanwhile

    @property
    def disturbed(self):
        return self.foreign_share > DISTURBED_SHARE


def sample(action):
    """action() -> Answer, with a verdict on whether it was disturbed."""
    own, busy, start = time.process_time(), busy_seconds(), time.monotonic()
    answer = action()
    wall = time.monotonic() - start
    foreign = busy_seconds() - busy - answer.cpu_seconds - (time.process_time() - own)
    return Sample(answer.values, answer.memory_mb, max(0.0, foreign - GRAIN) / (wall * CPUS))


@dataclass
class Cell:
    """One number of the final table: what `action` measures, of which samples are collected."""
    action: object         # () -> Answer
    label: str
    samples: list = field(default_factory=list)

    def good(self):
        return [s for s in self.samples if not s.disturbed]

    def summary(self, rounds):
        """The medians, over the undisturbed samples where there are enough of them."""
        good = self.good()
        trusted = len(good) >= min(rounds, 3)
        chosen = good if trusted else self.samples
        numbers = [k for k, v in chosen[0].values.items() if isinstance(v, (int, float))]
        return {**{k: statistics.median(s.values[k] for s in chosen) for k in numbers},
                "memory_mb": statistics.median(s.memory_mb for s in chosen),
                "disturbed": not trusted,
                "samples": [{**s.values, "memory_mb": round(s.memory_mb, 1),
                             "foreign_share": round(s.foreign_share, 3)} for s in self.samples]}


def interleave(cells, rounds, patience):
    """Goes round and round: ours, theirs, ours, theirs ... so that whatever slowly changes, such as
    the clock frequency, meets all alike. A disturbed sample is taken again in a later round, for at
    most `patience` extra rounds."""
    for number in range(rounds + patience):
        waiting = [c for c in cells if number < rounds or len(c.good()) < rounds]
        for i, cell in enumerate(waiting):
            if sys.stderr.isatty():
                print(f"\r\033[K  round {number + 1}, {i + 1} of {len(waiting)}: {cell.label}",
                      end="", file=sys.stderr, flush=True)
            if patience > 0:
                wait_until_quiet(5)
            cell.samples.append(sample(cell.action))
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
