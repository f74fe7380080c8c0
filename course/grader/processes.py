"""The processes of this machine: counting them, and killing what a program leaves behind."""

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


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


def reap():
    """Waits for what has ended: a process that nobody waited for still counts against its user's
    limit."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
