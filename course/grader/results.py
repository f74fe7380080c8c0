"""results.json in Gradescope's schema (results.schema.json), written so that it is whole at
every moment."""

import json
import os
import tempfile
from pathlib import Path

from . import VERSION
from .assignment import Assignment, Test


NOT_GRADED = "not graded"  # the kind of a test that this machine cannot decide


class Results:
    """The results of one submission. Every test is there from the beginning, as failed with 0
    points: a grader that is stopped leaves a file that is valid and gives nothing away."""
    def __init__(self, a: Assignment, path: Path | None, extra: dict):
        self.a, self.path = a, path
        self.open_tests: dict[str, list[str]] = {}  # why which ones could not be graded
        self.data = {
            "score": 0, "execution_time": 0, "output": "", "output_format": "text",
            "test_output_format": "text", "test_name_format": "text", "visibility": "visible",
            "stdout_visibility": "hidden", "tests": [],
            "extra_data": {"assignment": a.id, "grader": VERSION, "complete": False, **extra}
        }
        self.build = {
            "score": 0, "max_score": 0, "status": "failed", "name": "0 build", "number": "0",
            "output": "not built yet", "output_format": "text", "tags": ["build"],
            "visibility": "visible"
        }
        self.tests = {
            test.number: {
                "score": 0, "max_score": test.points, "status": "failed", "name": a.full_name(test),
                "number": test.number, "output": "not run yet", "output_format": "text",
                "tags": [test.task, kind_of(test)], "visibility": "visible",
            }
            for test in a.tests
        }
        self.data["tests"] = [self.build, *self.tests.values()]
        self.write()

    def set(self, test: Test, passed: bool, output: str, kind: str):
        entry = self.tests[test.number]
        entry.update(score=test.points if passed else 0, status="passed" if passed else "failed",
                     output=output, extra_data={"kind": kind})
        self.data["score"] = self.score
        self.write()

    def set_speed(self, test: Test, points: float, output: str, facts: dict):
        """Of a timed test; `facts` as speed.Verdict has them, or nothing where it was refused."""
        self.tests[test.number].update(
            score=points, status="passed" if points >= test.points else "failed", output=output,
            extra_data={"kind": "timed" if facts else "refused", **facts})
        if facts:
            self.data.setdefault("leaderboard", []).append({
                "name": f"{test.task} {test.title}: share of the library's speed",
                "value": facts["share"], "order": "desc"
            })
        self.data["score"] = self.score
        self.write()

    def leave_ungraded(self, test: Test, why: str):
        """Of a test that this machine cannot decide. It is not the student's fault: the results
        say so, and a table of grades has no number there."""
        self.tests[test.number].update(score=0, status="failed", output=why,
                                       extra_data={"kind": NOT_GRADED})
        self.open_tests.setdefault(why, []).append("Speed" if test.curve else test.number)
        self.data["output"] = "\n".join(f"{', '.join(dict.fromkeys(names))} was {reason}"
                                        for reason, names in self.open_tests.items())
        self.write()

    def is_ungraded(self, test: Test) -> bool:
        return self.tests[test.number].get("extra_data", {}).get("kind") == NOT_GRADED

    def set_build(self, passed: bool, output: str):
        self.build.update(status="passed" if passed else "failed", output=output)
        self.write()

    @property
    def score(self) -> float:
        return round(sum(entry["score"] for entry in self.tests.values()), 6)

    def finish(self, seconds: float):
        self.data["score"] = self.score
        self.data["execution_time"] = round(seconds, 2)
        self.data["extra_data"]["complete"] = True
        self.write()

    def write(self):
        if self.path:
            write_atomically(self.path, json.dumps(self.data, indent=1) + "\n")


def kind_of(test: Test) -> str:
    return "speed" if test.curve else "hidden" if test.hidden else "public"


def write_atomically(path: Path, text: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(name, path.stat().st_mode & 0o777 if path.exists() else 0o644)
    os.replace(name, path)
