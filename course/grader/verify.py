"""The proof that a course works, for each assignment:

    1  the solution has every point, public and hidden
    2  the starter compiles, and each test fails with "yet to be written" of its own task; a file
       that does not compile, and one without its functions, cost the points of their task alone
    3  with the tasks up to k solved, exactly the tests of tasks up to k pass
    4  each of at least eight mistakes (staff/mutants.toml) fails the test that it names, and prints
       what pages show of it
    5  no line of a solution is in a starter, nor in the pages of the site
    6  twelve hostile submissions score 0 for what they did not do, and harm nothing
       (verify_hostile.py)
    7  the same submission has the same result twice
    8  what is timed: the solution is, and its points are shown (they are the machine's, and prove
       nothing); submissions that deceive the clock have none (verify_speed.py)
    9  hostile kernels score 0 for what they did not do, and harm nothing (verify_kernels.py)
   10  hostile ranks, which go around their channel, score 0 for what they did not do
       (verify_ranks.py)

And the way out of this folder and back (verify_elsewhere.py).
"""

import multiprocessing
import os
import re
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import GradeError
from .assignment import Assignment, Test, all_assignments, course_folder, find
from .build import Builder
from .grading import check_cases
from .kernels import device, missing_tool
from .leaks import leaks
from .limulus import Judge
from .limulus import build as build_judges
from .memo import Memo
from .sandbox import Sandbox, choose, work_folder
from .schema import errors, load
from .starter import files_of, task_file
from .submissions import grade_files

LEAST_MUTANTS = 8
AGAIN = "solution again"  # each of its runs is made, whatever was run before


@dataclass(frozen=True)
class Job:
    """A submission to be graded: which tasks are solved, and in which text something is wrong."""

    assignment: str
    what: str
    solved: frozenset[str]
    find: str = ""
    replace: str = ""
    file: str = ""
    only: tuple[str, ...] = ()  # numbers of tests; empty: all


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    find: str
    replace: str
    fails: tuple[str, ...]
    shown: tuple[str, ...] = ()  # pages that show what the first of these prints


def mutants(a: Assignment) -> list[Mutant]:
    path = a.staff / "mutants.toml"
    listed = tomllib.loads(path.read_text(encoding="utf-8")).get("mutants", [])
    found = []
    for m in listed:
        mutant = Mutant(m["name"], m["file"], m["find"], m["replace"], tuple(m["fails"]),
                        tuple(m.get("shown", ())))
        count = (a.folder / mutant.file).read_text(encoding="utf-8").count(mutant.find)
        if count != 1:
            raise GradeError(
                f"{path}, {mutant.name}: its text is {count} times in {mutant.file}, not once")
        for number in mutant.fails:
            if not any(t.number == number for t in a.tests):
                raise GradeError(f"{path}, {mutant.name}: there is no test {number}")
        found.append(mutant)
    return found


def submission(a: Assignment, job: Job) -> dict[str, bytes]:
    files = {}
    for task in a.tasks.values():
        text = task_file(a, task.id, solved=task.id in job.solved)
        if task.file == job.file:
            text = text.replace(job.find, job.replace)
        files[task.file] = text.encode()
    return files


worker = {}


def start(kind: str, memo: Path):
    worker["sandbox"] = Sandbox(kind)
    worker["memo"] = Memo(memo)
    worker["judges"] = {}


def work(job: Job) -> tuple[Job, dict]:
    judges = worker["judges"]
    if job.assignment not in judges:
        judges[job.assignment] = Judge(find(job.assignment))
    judge = judges[job.assignment]
    tests = [t for t in gradable(judge.a) if not job.only or t.number in job.only]
    results = grade_files(judge, worker["sandbox"], submission(judge.a, job), None, {}, tests=tests,
                          memo=None if job.what == AGAIN else worker["memo"])
    return job, results.data


class Proof:
    def __init__(self):
        self.failures = self.skipped = 0

    def skip(self, where: str, why: str):
        self.skipped += 1
        print(f"skip  {where:4} {why}", flush=True)

    def say(self, where: str, what: str, wrong: list[str]):
        self.failures += bool(wrong)
        print(f"{'FAIL' if wrong else 'ok  '}  {where:4} {what}", flush=True)
        for line in wrong[:12]:
            print(f"            {line}", flush=True)


def jobs_of(a: Assignment) -> list[Job]:
    every = frozenset(a.tasks)
    jobs = [
        Job(a.id, "solution", every),
        Job(a.id, AGAIN, every),
        Job(a.id, "starter", frozenset())
    ]
    ids, first = list(a.tasks), next(iter(a.tasks.values()))
    begin, broken, misnamed = (("kernel void ", "kernel void ? ", "kernel void of_mine_")
                               if first.is_kernel else
                               ("namespace course {", "namespace course { ?",
                                "namespace course::of_mine {"))
    jobs.append(Job(a.id, "broken", every, begin, broken, first.file))
    jobs.append(Job(a.id, "misnamed", every, begin, misnamed, first.file))
    for k in range(1, len(ids)):
        jobs.append(Job(a.id, f"up to {ids[k - 1]}", frozenset(ids[:k])))
    for m in mutants(a):
        jobs.append(Job(a.id, f"mutant {m.name}", every, m.find, m.replace, m.file, m.fails))
    return jobs


def gradable(a: Assignment) -> list[Test]:
    """The tests of what is right that this machine can decide."""
    return [t for t in a.untimed if not missing_tool(t.tool)]


def run(names: list[str], jobs: int | None) -> int:
    began = time.monotonic()
    chosen = [find(name) for name in names] if names else all_assignments()
    sandbox, proof = choose(), Proof()
    for a in [a for a in chosen if a.has_kernels]:
        if why := lacks_device(a, sandbox):
            proof.skip(a.id, f"nothing of it can be proved: {why}")
            chosen.remove(a)
    if not chosen:
        return 2
    judges = [Judge(a, ready=False) for a in chosen]
    build_judges(judges)
    for judge in judges:
        check_cases(judge.a, judge)
    print(f"isolation: {sandbox.described()}; Limulus {Judge(chosen[0]).version}", flush=True)
    todo = [job for a in chosen for job in jobs_of(a)]
    context = multiprocessing.get_context("fork")
    processes = min(jobs or len(os.sched_getaffinity(0)), len(todo))
    with (work_folder() as memo,
          context.Pool(processes, start, (sandbox.kind, memo)) as pool):
        done: dict[tuple[str, str], dict] = {}
        for number, (job, data) in enumerate(pool.imap_unordered(work, todo), 1):
            done[job.assignment, job.what] = data
            if sys.stderr.isatty():
                print(f"\r{number}/{len(todo)} {job.assignment} {job.what:40}", end="\r",
                      file=sys.stderr, flush=True)
    for a in chosen:
        prove(a, {what: data for (id, what), data in done.items() if id == a.id}, proof)
    from .verify_elsewhere import prove_elsewhere
    from .verify_hostile import prove_hostile
    from .verify_kernels import prove_kernels
    from .verify_ranks import prove_ranks
    from .verify_speed import prove_speed
    for a in chosen:
        prove_speed(a, proof)
        prove_kernels(a, proof)
        prove_ranks(a, proof)
    prove_elsewhere(chosen[0], proof)
    prove_hostile(next((a for a in chosen if a.id == "a3"), chosen[0]), proof)
    print(
        f"{'The proof FAILED' if proof.failures else 'Proved'}: {len(todo)} submissions and the "
        f"hostile ones, {proof.skipped} skipped, "
        f"{time.monotonic() - began:.0f} s")
    return 1 if proof.failures else 0


def lacks_device(a: Assignment, sandbox: Sandbox) -> str:
    """Why kernels cannot be run on this machine, or "". """
    try:
        with work_folder() as work:
            device(Builder(a, sandbox, work))
    except GradeError as error:
        return str(error)
    return ""


def output_of(data: dict, number: str) -> str:
    return next(t["output"] for t in data["tests"] if t["number"] == number)


def states(data: dict) -> dict[str, str]:
    return {t["number"]: t["status"] for t in data["tests"]}


def prove(a: Assignment, done: dict[str, dict], proof: Proof):
    schema = load()
    invalid = [f"{what}: {e}" for what, data in done.items() for e in errors(data, schema)]
    proof.say(a.id, "every results.json fits the schema", invalid)
    solution = done["solution"]
    wanted = sum(t.points for t in gradable(a))
    speed = sum(t.points for t in a.timed)
    for tool in dict.fromkeys(t.tool for t in a.untimed if missing_tool(t.tool)):
        left = [t for t in a.untimed if t.tool == tool]
        proof.skip(
            a.id, f"{len(left)} tests, worth {sum(t.points for t in left):g} points, were "
            f"{missing_tool(tool)}")
    proof.say(
        a.id,
        f"1 the solution has {wanted:g} points" + (f", all but speed's {speed:g}"
                                                   if a.timed else ""),
        [
            f"{t.number} {t.name}: {output_of(solution, t.number)}"
            for t in gradable(a) if states(solution)[t.number] != "passed"
        ] + ([] if solution["score"] == wanted and a.points == 100 else
             [f"{solution['score']} of {wanted}, {a.points} in all, not 100"]))
    proof.say(a.id, "2 the starter compiles, and each test says what is yet to be written",
              unwritten(a, done["starter"]))
    ids, wrong = list(a.tasks), []
    for what in ("broken", "misnamed"):
        wrong += [f"{what}: {w}" for w in passes_up_to(a, done[what], set(ids[1:]))]
        wrong += [] if done[what]["tests"][0]["status"] == "failed" else [f"{what}: builds"]
    proof.say(
        a.id,
        "2 a file that does not compile, or lacks its functions, costs its own points alone",
        wrong)
    wrong = []
    for k in range(1, len(ids)):
        wrong += [
            f"up to {ids[k - 1]}: {w}"
            for w in passes_up_to(a, done[f"up to {ids[k - 1]}"], set(ids[:k]))
        ]
    proof.say(a.id,
              f"3 with tasks up to k solved, exactly their tests pass (k = 1 ... {len(ids) - 1})",
              wrong)
    listed, wrong, here = mutants(a), [], {t.number for t in gradable(a)}
    for m in listed:
        found = states(done[f"mutant {m.name}"])
        wrong += [
            f"{m.name}: test {number} passes" for number in m.fails
            if number in here and found[number] != "failed"
        ]
        wrong += [
            f"{m.name}: {page} does not show what {m.fails[0]} prints: {line}" for page in m.shown
            for line in output_of(done[f"mutant {m.name}"], m.fails[0]).splitlines()
            if line not in (a.folder / page).read_text(encoding="utf-8")
        ]
    if len(listed) < LEAST_MUTANTS:
        wrong.append(f"there are {len(listed)} mistakes; at least {LEAST_MUTANTS} are wanted")
    proof.say(a.id, f"4 {len(listed)} mistakes fail the tests that they name", wrong)
    proof.say(a.id, "5 no line of a solution is in the starter or on the site",
              leaks(a, files_of(a)) + on_site(a))
    proof.say(a.id, "7 graded twice: the same result", same(solution, done[AGAIN]))


def unwritten(a: Assignment, data: dict) -> list[str]:
    wrong = [] if data["tests"][0]["status"] == "passed" else [data["tests"][0]["output"]]
    entries = {entry["number"]: entry for entry in data["tests"]}
    for test in gradable(a):
        entry = entries[test.number]
        wanted = f"task {test.task} is yet to be written"
        if entry["status"] != "failed" or entry["output"].splitlines()[0] != wanted:
            wrong.append(f"{test.number}: {entry['status']}, {entry['output']}")
    return wrong


def passes_up_to(a: Assignment, data: dict, solved: set[str]) -> list[str]:
    found = states(data)
    return [
        f"{t.number} is {found[t.number]}: {output_of(data, t.number)}" for t in gradable(a)
        if (found[t.number] == "passed") != (t.task in solved)
    ]


def same(first: dict, second: dict) -> list[str]:
    return [
        f"{one['number']}: {one} and {two}"
        for one, two in zip(first["tests"], second["tests"], strict=True) if one != two
    ]


def on_site(a: Assignment) -> list[str]:
    """The pages' sources, and the built site where it is there."""
    root = course_folder().parent
    pages = [
        p for pattern in ("course/*.md", "course/*/README.md", "course/*/hints.md", "docs/**/*.md")
        for p in root.glob(pattern)
    ]
    pages += list((root / "build" / "docs").rglob("*.html"))
    texts = {}
    for path in pages:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix == ".html":
            text = re.sub(r"<[^>]+>", "",
                          text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        texts[str(path.relative_to(root))] = text
    return leaks(a, texts)
