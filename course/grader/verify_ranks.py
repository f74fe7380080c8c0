"""Hostile ranks (course/hostile/ranks/*.cpp): each one's task 8.4 does something else than an
all-reduce by parts. They go around the channel, write to it what is no message, or never end."""

from functools import partial

from .assignment import Assignment, Test, find
from .limulus import Judge
from .processes import count_processes
from .sandbox import KINDS, Sandbox, available
from .submissions import grade_files
from .verify_hostile import SECONDS, good, hostile_files, side_by_side

VICTIM = "src/parts.cpp"
# What the results say of each.
TOLD = {
    "one_for_all": "the results are right, but not what was sent for them",
    "shared_file": "expected", "garbage": "wrote to its channel what is not a message",
    "both_wait": "nobody can go on: rank 0 waits for a message of rank 1",
    "flood": "too many messages wait to be received",
    "long_message": "sent a message of 4294967296 values",
    "left_over": "was never received", "exit_0": "rank 1: the program ended before",
    "endless_loop": "it was stopped after"
}


def prove_ranks(a: Assignment, proof):
    if not any(t.file == VICTIM for t in a.tasks.values()):
        return
    for kind in KINDS:
        # As nobody but oneself, a program can do what one can do: no protection is claimed.
        if kind != "limits" and available(kind):
            confined(a, kind, proof)


def few_tests(a: Assignment) -> list[Test]:
    """Of the task that is not done those of its second function, public and hidden; of the one
    before it one, whose points are not to be lost."""
    return [t for t in a.untimed if t.case in ("owners_even", "gather_order")]


def confined(a: Assignment, kind: str, proof):
    files = hostile_files("ranks/*.cpp")
    wrong = [f"{name}: not expected" for name in files.keys() ^ TOLD.keys()]
    wrong += side_by_side(partial(one, a.id, kind), files.items())
    proof.say(a.id, f"10 {len(files)} hostile ranks by {kind}: 0 points for 8.4, all for the rest",
              wrong)


def one(id: str, kind: str, file: tuple[str, str]) -> list[str]:
    name, text = file
    a, wrong = find(id), []
    a.seconds = SECONDS
    judge, sandbox = Judge(a), Sandbox(kind)
    # Without bubblewrap all ranks see one /tmp: there it is the check of symbols that keeps a
    # solution from files.
    checked = name == "shared_file" and kind != "bubblewrap"
    results = grade_files(judge, sandbox, {**good(a), VICTIM: text.encode()}, None, {},
                          tests=few_tests(a), check_symbols=checked)
    told = "is refused" if checked else TOLD[name]
    if told not in str(results.data):
        wrong.append(f"nothing says '{told}': {results.tests['8.4.3']['output']}")
    for test in few_tests(a):
        entry = results.tests[test.number]
        if entry["score"] != (0 if test.task == "8.4" else test.points):
            wrong.append(f"{test.number} has {entry['score']} points: {entry['output']}")
    if sandbox.root and count_processes(sandbox.user):
        wrong.append("processes were left behind")
    return [f"{name}: {w}" for w in wrong]
