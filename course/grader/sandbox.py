"""Running a program that nobody trusts, with what the machine gives.

    bubblewrap   namespaces of its own: no network, no other processes, a file system of which only
                 /usr is there, read-only, and one folder (Debian's package bubblewrap)
    user         where the grader is root: an unprivileged user of its own for each worker
    limits       otherwise: what the kernel gives anybody. It keeps accidents in bounds, but a
                 program can read and delete what the person who runs the grader can

All three: an empty environment, its own process group, limits on CPU time, memory, processes and
the size of files, a wall-clock limit after which every process is killed, and no network where that
is permitted.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from . import GradeError
from .processes import adopt_orphans, count_processes, end_child, kill_descendants, nobody_of, reap
from .processes import remove_files_of, run_trusted
from .program import Limits, Outcome, Program

KINDS = ("bubblewrap", "user", "limits")
PATH = "/usr/local/bin:/usr/bin:/bin"
ENVIRONMENT = {"PATH": PATH, "HOME": "/tmp", "TMPDIR": "/tmp", "LC_ALL": "C"}
# What bubblewrap says where it will never be allowed to start anything, as in many containers.
NEVER = re.compile(r"bwrap: .*(no permission|not permitted|permission denied)", re.IGNORECASE)


class Sandbox:
    def __init__(self, kind: str):
        self.kind = kind
        self.root = os.geteuid() == 0
        self.no_network = ["unshare", "-n"] if self.root else ["unshare", "-Urn"]
        if kind != "bubblewrap" and not works(self.no_network + ["true"]):
            self.no_network = []
        adopt_orphans()
        # A user of this worker alone: its processes can be counted, and killed all at once.
        self.user = nobody_of(os.getpid()) if self.root and kind != "limits" else os.geteuid()

    def described(self) -> str:
        closed = self.kind == "bubblewrap" or self.no_network
        network = "no network" if closed else "network not closed"
        return {
            "bubblewrap": "bubblewrap: /usr read-only, nothing else of the machine",
            "user": "an unprivileged user with limits", "limits": "limits only"
        }[self.kind] + f", {network}"

    @property
    def alone(self) -> int:
        """How many processes a program is that may start none, and no thread."""
        return 3 if self.kind == "bubblewrap" else 1  # bubblewrap's own are two

    def lend(self, folder: Path):
        """Lets the program write in `folder`."""
        if self.root and self.kind != "limits":
            for path in [folder, *folder.rglob("*")]:
                os.chown(path, self.user, self.user, follow_symlinks=False)

    def run(self, command: list[str], folder: Path, limits: Limits, *, stdin: Path | None = None,
            results: Path | None = None, writable: bool = False) -> Outcome:
        """Runs `command` in `folder`. Of the argument "{results}" the number of a file
        descriptor is made, through which it writes to that file. GradeError when the sandbox
        itself fails, again and again: that is nobody's submission's fault."""
        if writable:
            self.lend(folder)
        return self.patiently(
            lambda: self.once(command, folder, limits, stdin, results, writable), limits)

    def patiently(self, attempt: Callable[[], tuple[Outcome, bool]], limits: Limits) -> Outcome:
        """The machine may be short of processes or memory for a moment: then nothing starts, or
        the kernel kills what runs (-9). So it is tried again."""
        for pause in (0.1, 0.5, 2, 5, 0):
            outcome, started = attempt()
            killed = outcome.code == -signal.SIGKILL and outcome.seconds < limits.seconds
            if started and not killed:
                return outcome
            if not started and NEVER.search(outcome.output):
                break
            time.sleep(pause)
        if self.kind == "bubblewrap" and not started:
            raise GradeError(f"bubblewrap cannot start a program: {outcome.output.strip()}")
        return outcome

    @contextmanager
    def talk(self, command: list[str], folder: Path, limits: Limits, handles: tuple[int, ...]):
        """Runs `command` in `folder` while the caller talks with it through these file
        descriptors; then ends it. Gives the Program. As in patiently(), what does not start is
        tried again."""
        for pause in (0.1, 0.5, 2, 5, None):
            with self.program(command, folder, limits, False, handles, None) as program:
                if pause is None or program.has_begun():
                    yield program
                    return
            time.sleep(pause)

    def once(self, command, folder, limits, stdin, results, writable) -> tuple[Outcome, bool]:
        """One try: its outcome, and whether the program was started at all."""
        with open(results or os.devnull, "wb") as returned:
            handle = returned.fileno()
            words = [word.replace("{results}", str(handle)) for word in command]
            with self.program(words, folder, limits, writable, (handle, ), stdin) as program:
                program.wait(limits.wall)
                return program.outcome()

    @contextmanager
    def program(self, command, folder: Path, limits: Limits, writable: bool,
                handles: tuple[int, ...], stdin: Path | None):
        status, told = os.pipe()
        with os.fdopen(status, "rb") as status_file, tempfile.TemporaryFile() as printed, \
                own_copy(stdin) as given:
            try:
                process = subprocess.Popen(
                    self.wrapped(command, folder, limits, writable, told), cwd=folder,
                    stdin=given, stdout=printed, stderr=subprocess.STDOUT,
                    start_new_session=True, env=ENVIRONMENT,
                    pass_fds=(*handles, told) if self.kind == "bubblewrap" else handles)
            finally:
                os.close(told)
            program = Program(self, process, printed, status_file)
            try:
                yield program
            finally:
                program.end()

    def wrapped(self, command: list[str], folder: Path, limits: Limits, writable: bool,
                told: int) -> list[str]:
        processes, cpu = limits.processes, int(limits.seconds + 0.999)
        if not self.root or self.kind == "limits":  # all processes of this user count
            processes += count_processes(os.geteuid())
        bounds = [
            "prlimit", f"--cpu={cpu}:{cpu + 1}", f"--as={limits.memory_mib << 20}",
            f"--nproc={processes}", f"--fsize={limits.file_mib << 20}", "--core=0",
            f"--stack={limits.stack}", "--nofile=64"
        ]
        as_user = [
            "setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups",
            "--no-new-privs"
        ] if self.root else []
        if self.kind == "bubblewrap":
            return as_user + bounds + bubblewrap(folder, writable, told) + command
        if self.kind == "user":
            return self.no_network + as_user + bounds + command
        return self.no_network + bounds + command

    def end(self, program: Program):
        """Kills the program, if it still runs, and whatever it started, also what has left its
        group."""
        process = program.process
        if process.poll() is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            process.wait()
        if self.kind == "bubblewrap":
            # bubblewrap ends with its program; the first process of the name space, and what else
            # is in there, a moment later. The first one's end is the end of all.
            if program.first_process:
                end_child(program.first_process)
            if process.returncode >= 0:
                return reap()
        if self.root and self.kind != "limits":
            kill_all = [
                "setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "sh",
                "-c", "kill -9 -1"
            ]
            deadline = time.monotonic() + 5
            while count_processes(self.user) and time.monotonic() < deadline:
                subprocess.run(kill_all, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               check=False)
            if self.kind == "user":
                remove_files_of(self.user)
        elif self.kind != "bubblewrap":
            kill_descendants()
        reap()


def bubblewrap(folder: Path, writable: bool, told: int) -> list[str]:
    words = [
        "bwrap", "--json-status-fd",
        str(told), "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr",
        "/usr"
    ]
    for name in ("bin", "lib", "lib32", "lib64", "libx32", "sbin"):
        path = Path("/", name)
        if path.is_symlink():
            words += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            words += ["--ro-bind", str(path), str(path)]
    for name in ("/etc/alternatives", "/etc/ld.so.cache", "/etc/OpenCL"):
        words += ["--ro-bind-try", name, name]
    return words + [
        "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--size",
        str(64 << 20), "--tmpfs", "/tmp", "--bind" if writable else "--ro-bind",
        str(folder), "/box", "--chdir", "/box", "--"
    ]


def own_copy(path: Path | None):
    """A file with the same content, for one program alone: what it was given open for reading, a
    program of the same user can open again for writing."""
    copy = tempfile.TemporaryFile()
    if path:
        with open(path, "rb") as file:
            shutil.copyfileobj(file, copy)
        copy.seek(0)
    return copy


def works(command: list[str]) -> bool:
    try:
        return run_trusted(command, 20)[0] == 0
    except (OSError, GradeError):
        return False


def available(kind: str) -> bool:
    """Whether this kind works on this machine, found by trying it."""
    if kind == "user" and os.geteuid() != 0:
        return False
    if kind == "bubblewrap" and not shutil.which("bwrap"):
        return False
    if not all(shutil.which(name) for name in ("prlimit", "setpriv", "unshare")):
        return False
    with work_folder() as folder:
        (folder / "probe").write_text("it works")
        try:
            outcome = Sandbox(kind).run(["cat", "probe"], folder, Limits(), writable=False)
        except GradeError:  # in many containers bubblewrap is installed, and may not do its work
            return False
    return outcome.code == 0 and outcome.output == "it works"


def choose(wanted: str = "auto") -> Sandbox:
    """The strongest kind that works here, or the one that is asked for."""
    for kind in KINDS if wanted == "auto" else (wanted, ):
        if available(kind):
            return Sandbox(kind)
    if wanted == "auto":
        raise GradeError(
            "programs cannot be confined here: prlimit, setpriv and unshare are needed "
            "(Debian's util-linux)")
    raise GradeError(f"isolation by {wanted} does not work on this machine" +
                     (": install bubblewrap, or see docs/course" if wanted == "bubblewrap" else ""))


class work_folder:
    """A temporary folder that an unprivileged user may enter, but not list."""
    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="course-"))
        self.path.chmod(0o711)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
