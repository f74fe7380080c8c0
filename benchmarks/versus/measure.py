"""Running programs and telling whether anybody else used the processor meanwhile.

Two kinds of programs are measured. A one-shot program does one piece of work, prints JSON and ends.
A worker is a Python program that stays (worker.py): it reads requests, one JSON document a line,
and answers each with one line until its input ends.

Some work is measured beside spinning processes, which want a core each and never wait (Load).

A repetition is worth nothing when another program had the cores. All processors' busy time
(/proc/stat) less the CPU time of the program under measurement is what others used; above a small
share of the machine the repetition counts as disturbed. Spinning processes of our own are no
others.
"""
import concurrent.futures
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

TICKS = os.sysconf("SC_CLK_TCK")
CPUS = os.cpu_count()
DISTURBED_SHARE = 0.05  # of the machine's CPU time during the repetition ...
GRAIN = 0.03            # ... after this many seconds, for the clocks tick every 10 ms on each CPU
PATIENCE = 400          # seconds after which a program that does not answer is ended


class MeasurementError(Exception):
    pass


def busy_seconds():
    """CPU time that all programs together have used since the machine started."""
    with open("/proc/stat") as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(
            int, f.readline().split()[1:9])
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
    seconds: float = 0  # from its start to its end, of a one-shot program ...
    first_output: float = 0  # ... and to the first that it printed, where that was asked for


def last_words(stderr, returncode):
    """Why a program ended, in one line: an exception's message is the last thing it printed."""
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    if returncode < 0:
        return f"ended by signal {signal.Signals(-returncode).name}" + (
            " (out of memory, or no answer for too long)" if returncode == -signal.SIGKILL else "")
    return lines[-1].strip() if lines else f"exit status {returncode}"


class EndsIfSilent:
    """A scope after whose PATIENCE a process is killed: one that hangs must not hold up the
    others."""

    def __init__(self, process):
        self.timer = threading.Timer(PATIENCE, process.kill)

    def __enter__(self):
        self.timer.start()

    def __exit__(self, *_):
        self.timer.cancel()


def run_once(command, reads_json=True, env=None):
    """A one-shot program: its JSON, time, CPU time and memory. Of one without JSON, when it first
    printed something."""
    with tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, env=env)
        except OSError as e:
            raise MeasurementError(str(e)) from e
        with EndsIfSilent(process), process.stdout:
            printed = os.read(process.stdout.fileno(), 1)
            first_output = time.perf_counter() - start
            printed += process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise MeasurementError(f"{os.path.basename(command[0])}: "
                                   f"{last_words(err, process.returncode)}")
        values = json.loads(printed) if reads_json else {}
    return Answer(values, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, seconds,
                  first_output)


class Worker:
    """A program that answers requests; see the top of this file."""

    def __init__(self, command, env=None):
        self.stderr = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.stderr, env=env, text=True)
        except OSError as e:
            raise MeasurementError(str(e)) from e

    def ask(self, request):
        before = process_seconds(self.process.pid)
        with EndsIfSilent(self.process):
            try:
                self.process.stdin.write(json.dumps(request) + "\n")
                self.process.stdin.flush()
                line = self.process.stdout.readline()
            except BrokenPipeError:
                line = ""
        if not line:
            raise MeasurementError(last_words(self.stderr, self.process.wait()))
        return Answer(json.loads(line), process_seconds(self.process.pid) - before,
                      peak_memory_mb(self.process.pid))

    def close(self):
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:  # it has ended, and the request was not read
                pass
        with EndsIfSilent(self.process):
            self.process.wait()
        self.stderr.close()


SPIN = f"import time\nend = time.monotonic() + {PATIENCE}\nwhile time.monotonic() < end: pass"


class Load:
    """A scope with spinning processes beside it, one for each core: a machine that other people
    use, too. They end with the scope; were it never left, by themselves."""

    def __init__(self, processes=CPUS):
        self.count, self.processes = processes, []

    def __enter__(self):
        try:
            for _ in range(self.count):
                self.processes.append(subprocess.Popen([sys.executable, "-c", SPIN]))
            end = time.monotonic() + 10
            while self.seconds() < 0.1 * self.count and time.monotonic() < end:
                time.sleep(0.02)  # they are still starting
        except BaseException:
            self.__exit__()
            raise
        return self

    def seconds(self):
        return sum(process_seconds(p.pid) for p in self.processes)

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def at_once(actions):
    """The answers of actions that run at the same time; the failure of one is that of all."""
    with concurrent.futures.ThreadPoolExecutor(len(actions)) as pool:
        return [f.result() for f in [pool.submit(a) for a in actions]]


@dataclass
class Sample:
    values: dict           # "ms", and "gflops" or "images_per_second"
    memory_mb: float
    foreign_share: float   # of the machine, used by other programs meanwhile

    @property
    def disturbed(self):
        return self.foreign_share > DISTURBED_SHARE


def sample(action, load=0):
    """action() -> Answer, beside `load` spinning processes, with a verdict on whether it was
    disturbed."""
    with Load(load) as spinning:
        own, busy, start = time.process_time(), busy_seconds(), time.monotonic()
        spun = spinning.seconds()
        answer = action()
        wall = time.monotonic() - start
        foreign = (busy_seconds() - busy - answer.cpu_seconds - (time.process_time() - own)
                   - (spinning.seconds() - spun))
    return Sample(answer.values, answer.memory_mb, max(0.0, foreign - GRAIN) / (wall * CPUS))


@dataclass
class Cell:
    """One number of the final table: what `action` measures, of which samples are collected."""
    action: object         # () -> Answer
    label: str
    prepare: object = None  # () -> None, before anything is timed
    load: int = 0          # spinning processes beside it
    samples: list = field(default_factory=list)
    failure: str = ""      # why there is no number

    def good(self):
        return [s for s in self.samples if not s.disturbed]

    def attempt(self, do):
        """One contender's failure is a row of the table, and not the end of the others' run."""
        try:
            return do()
        except Exception as e:  # whatever it is: hours of others' measurements must not go with it
            self.failure = str(e) if isinstance(e, MeasurementError) else f"{type(e).__name__}: {e}"
            return None

    def summary(self, rounds):
        """The medians, over the undisturbed samples where there are enough of them."""
        if self.failure:
            return {"failure": self.failure}
        good = self.good()
        trusted = len(good) >= min(rounds, 3)
        chosen = good if trusted else self.samples
        numbers = [k for k, v in chosen[0].values.items() if isinstance(v, (int, float))]
        return {**{k: statistics.median(s.values[k] for s in chosen) for k in numbers},
                "memory_mb": statistics.median(s.memory_mb for s in chosen),
                "disturbed": not trusted,
                "samples": [{**s.values, "memory_mb": round(s.memory_mb, 1),
                             "foreign_share": round(s.foreign_share, 3)} for s in self.samples]}


def show(text):
    """The line that says what goes on, where somebody is looking."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def interleave(cells, rounds, patience):
    """Goes round and round: ours, theirs, ours, theirs ... so that whatever slowly changes, such as
    the clock frequency, meets all alike. A disturbed sample is taken again in a later round, for at
    most `patience` extra rounds."""
    for cell in cells:
        if cell.prepare:
            show(f"  preparing: {cell.label}")
            cell.attempt(cell.prepare)
    for number in range(rounds + patience):
        waiting = [c for c in cells
                   if not c.failure and (number < rounds or len(c.good()) < rounds)]
        for i, cell in enumerate(waiting):
            show(f"  round {number + 1}, {i + 1} of {len(waiting)}: {cell.label}")
            if patience > 0:
                wait_until_quiet(3)
            taken = cell.attempt(lambda: sample(cell.action, cell.load))
            if taken:
                cell.samples.append(taken)
    show("")
