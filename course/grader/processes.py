"""The processes of this machine, and its users: counting processes, and removing what a program
leaves behind."""

import ctypes
import fcntl
import os
import pwd
import select
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache

from . import GradeError
from .store import cache_folder

PR_SET_CHILD_SUBREAPER = 36
USERS = range(61184, 65520)  # which systemd, too, gives to services for a time


@cache
def nobody_of(process: int) -> int:
    """A user that is nobody's: none of that number is known, nothing runs as it, and no other
    grader has taken it. It is this process's until it ends."""
    for offset in range(len(USERS)):
        user = USERS[(process + offset) % len(USERS)]
        try:
            pwd.getpwuid(user)
            continue
        except KeyError:
            pass
        if count_processes(user):
            continue
        lock = open(cache_folder() / f"user-{user}", "w", encoding="ascii")  # kept open, and locked
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        taken.append(lock)
        return user
    raise GradeError(f"there is no free user number from {USERS.start} to {USERS.stop - 1}")


taken = []  # locks of users, held until this process ends


def adopt_orphans():
    """From now on, what a program leaves behind becomes this process's child, and can be found."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def processes():
    """(process, parent, user) of all that run."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            user = os.stat(entry.path).st_uid
            with open(f"{entry.path}/stat", encoding="ascii", errors="replace") as file:
                after_name = file.read().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if after_name[0] != "Z":
            yield int(entry.name), int(after_name[1]), user


def count_processes(user: int) -> int:
    return sum(owner == user for _, _, owner in processes())


def children_of(process: int) -> list[str]:
    """Their numbers; none where it has ended."""
    try:
        with open(f"/proc/{process}/task/{process}/children", encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def kill_descendants():
    """Kills all processes that this one is an ancestor of, until there is none."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        parent_of = {process: parent for process, parent, _ in processes()}
        found = []
        for process in parent_of:
            ancestor = parent_of.get(process)
            while ancestor and ancestor != os.getpid():
                ancestor = parent_of.get(ancestor)
            if ancestor:
                found.append(process)
        if not found:
            break
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        time.sleep(0.005)


def remove_files_of(user: int):
    """Removes what a user has left where everybody may write."""
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run/lock"):
        if not os.path.isdir(folder):
            continue
        for entry in os.scandir(folder):
            try:
                if entry.stat(follow_symlinks=False).st_uid != user:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    os.unlink(entry.path)
            except FileNotFoundError:
                pass


def wait_patiently(process: subprocess.Popen, seconds: float) -> bool:
    """Whether it ends within this time. A moment in which this process, too, was not served does
    not count: on a machine that is paused, or much too busy, nobody is late."""
    ends = end_of(process)
    left = seconds
    try:
        while left > 0 and process.poll() is None:
            before = time.monotonic()
            if ends is None:
                try:
                    process.wait(min(left, 0.25))
                except subprocess.TimeoutExpired:
                    pass
            else:
                select.select([ends], [], [], min(left, 0.25))
            left -= min(time.monotonic() - before, 0.5)
    finally:
        if ends is not None:
            os.close(ends)
    return process.poll() is not None


def end_of(process: subprocess.Popen) -> int | None:
    """A file descriptor that becomes readable at the moment when the process ends. Popen.wait with
    a limit looks every 50 ms instead, which is longer than most programs here run."""
    try:
        return os.pidfd_open(process.pid)
    except OSError:  # a kernel before 5.3, or a sandbox that forbids it
        return None


def run_trusted(command: list[str], seconds: float, **options) -> tuple[int, str, str]:
    """Runs a program of ours: its status, output and messages. GradeError when it takes longer."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=messages, **options)
        if not wait_patiently(process, seconds):
            process.kill()
            process.wait()
            raise GradeError(f"{' '.join(command)} took longer than {seconds:g} s")
        texts = []
        for file in (output, messages):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return process.returncode, *texts


def shortened(file, most: int = 6000) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= most:
        return file.read().decode(errors="replace")
    begin = file.read(most // 2).decode(errors="replace")
    file.seek(size - most // 2)
    return begin + f"\n[... {size - most} bytes ...]\n" + file.read().decode(errors="replace")


def end_child(process: int):
    """Kills this child and waits for its end, if it has not been waited for before: a number that
    is no child's belongs to somebody else by now."""
    try:
        if os.waitpid(process, os.WNOHANG)[0] == 0:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    except (ChildProcessError, ProcessLookupError):
        pass


def reap():
    """Waits for what has ended: a process that nobody waited for still counts against its user's
    limit."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
