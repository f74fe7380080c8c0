"""Earlier submissions of the same student: what Gradescope tells of them in
submission_metadata.json, and what `grade submissions` notes beside a student's results."""

import json
from pathlib import Path

from .results import NOT_GRADED, Results, write_atomically
from .student import HINT_AFTER, levels_open, read_hints


def previous_results(metadata: Path | None) -> list[dict]:
    """The tests of each earlier submission, by number. What is not as expected is left out: a
    student's grade must not depend on it."""
    if metadata is None:
        return []
    try:
        listed = json.loads(metadata.read_text(encoding="utf-8")).get("previous_submissions") or []
    except (OSError, ValueError, AttributeError):
        return []
    found = []
    for submission in listed if isinstance(listed, list) else []:
        results = submission.get("results") if isinstance(submission, dict) else None
        tests = results.get("tests") if isinstance(results, dict) else None
        if isinstance(tests, list):
            found.append({
                test["number"]: test
                for test in tests if isinstance(test, dict) and isinstance(test.get("number"), str)
            })
    return found


def read_best(path: Path, state: str) -> dict[str, dict]:
    """The points that each test had at best, by number, while tests and inputs were the same."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        scores = data["scores"] if data["state"] == state else {}
        return {str(number): {"score": score} for number, score in scores.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_best(path: Path, state: str, results: Results):
    scores = {number: entry["score"] for number, entry in results.tests.items()}
    write_atomically(path, json.dumps({"state": state, "scores": scores}, indent=1) + "\n")


def keep_best(results: Results, before: list[dict]):
    """A test keeps the points that an earlier submission had for it: handing in again never loses
    any."""
    for number, entry in results.tests.items():
        earlier = [t.get("score", 0) for tests in before if (t := tests.get(number))]
        best = max((s for s in earlier if isinstance(s, (int, float)) and not isinstance(s, bool)),
                   default=0)
        best = min(best, entry["max_score"])
        if best > entry["score"]:
            entry["score"] = best
            note = (
                "(an earlier submission was faster and keeps its points)" if "speed" in
                entry["tags"] else "(it passed in an earlier submission and keeps its points)")
            entry["output"] = f"{note}\n{entry['output']}"
    results.data["score"] = results.score


def add_hints(results: Results, before: list[dict]):
    """To the first failed test of each task: the hints that its failed attempts have opened."""
    hints, seen = read_hints(results.a), set()
    for test in results.a.tests:
        entry = results.tests[test.number]
        kind = entry.get("extra_data", {}).get("kind")
        if (entry["status"] == "passed" or kind in ("not written", "build", NOT_GRADED)
                or test.curve or test.task in seen):
            continue
        seen.add(test.task)
        failed = 1 + sum(
            1 for tests in before if tests.get(test.number, {}).get("status") == "failed")
        opened = hints.get(test.task, [])[:levels_open(failed)]
        for number, text in enumerate(opened, 1):
            entry["output"] += f"\n\nHint {number} of {len(HINT_AFTER)}: {text}"
