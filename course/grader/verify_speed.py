"""What is timed: that the solution can be, and that whoever deceives the clock has no points.

The speed of the solution on this machine is shown, and proves nothing: a machine that is busy gives
fewer points. That the curve gives the points it promises is tested with invented times
(tests/course_speed_test.py)."""

from .assignment import Assignment, course_folder
from .limulus import Judge
from .sandbox import choose
from .schema import errors, load
from .speed import points_of
from .starter import task_file
from .submissions import grade_files
from .timing import cannot_be_timed

# What each hostile program of hostile/speed is told. "" is a program that is timed, and too slow.
REFUSALS = {
    "answer_early": "wrong, in turn",
    "avx512": "is made of AVX2 and FMA",
    "library_kernel": "wrong, in turn",
    "remember": "wrong, in turn",
    "shrink": "wrong, in turn",
    "sleep": "",
    "threads": "threw an exception",
    "wrong_sometimes": "wrong, in turn",
}


def good(a: Assignment) -> dict[str, bytes]:
    return {t.file: task_file(a, t.id, solved=True).encode() for t in a.tasks.values()}


def prove_speed(a: Assignment, proof):
    if not a.timed:
        return
    if trouble := cannot_be_timed(a):
        print(f"skip  {a.id:4} 8 speed was {trouble}")
        return
    judge, sandbox = Judge(a), choose()
    results = grade_files(judge, sandbox, good(a), None, {}, tests=a.timed)
    wrong = [f"results.json: {e}" for e in errors(results.data, load())]
    reached = 0
    for test in a.timed:
        entry = results.tests[test.number]
        extra = entry.get("extra_data", {})
        if extra.get("kind") != "timed":
            wrong.append(f"{test.number}: {entry['output']}")
        elif entry["score"] != points_of(extra["share"], test.curve):
            wrong.append(f"{test.number}: {entry['score']} points for {extra['share']}")
        reached += entry["score"]
    if len(results.data.get("leaderboard", [])) != len(a.timed):
        wrong.append("not every timed test is on the leaderboard")
    proof.say(a.id, f"8 the solution is timed: {reached:g} of "
              f"{sum(t.points for t in a.timed):g} points on this machine, now", wrong)
    for test in a.timed:
        print("            " + f"{test.number} {test.title}: " +
              results.tests[test.number]["output"].splitlines()[0])
    if a.id == "a5":
        hostile(a, judge, sandbox, proof)


def hostile(a: Assignment, judge: Judge, sandbox, proof):
    """Programs that deceive, with the check of symbols off; and one with it on."""
    folder = course_folder() / "hostile" / "speed"
    files = {p.stem: p.read_bytes() for p in sorted(folder.glob("*.cpp"))}
    wrong = [f"{name}: not expected" for name in files.keys() ^ REFUSALS.keys()]
    tests = [t for t in a.timed if t.case == "fast_square"]
    for name, text in files.items():
        for checked in (False, True) if name == "library_kernel" else (False, ):
            results = grade_files(judge, sandbox, {**good(a), "src/product.cpp": text}, None, {},
                                  tests=tests, check_symbols=checked)
            entry = results.tests[tests[0].number]
            expected = "is refused" if checked else REFUSALS[name]
            if name == "threads" and sandbox.kind == "limits":
                continue  # there, a user's processes cannot be counted exactly
            if entry["score"] != 0 or expected not in entry["output"]:
                wrong.append(f"{name}: {entry['score']} points, {entry['output']}")
    proof.say(a.id, f"8 {len(files)} submissions that deceive the clock have 0 points for speed",
              wrong)
