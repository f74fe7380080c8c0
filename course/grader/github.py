"""For GitHub: a repository that students start from, and what grades it there.

    DIR/student/                  the starter with a workflow: the public tests at each push. No
                                  solution and nothing of staff/ is in it, which is checked first
    DIR/classroom50-tests.json    Classroom 50's: gh teacher assignment test set ... --tests FILE
    DIR/autograding.json          the older GitHub Classroom's .github/classroom/autograding.json
"""

import json
import shlex
from pathlib import Path

from . import GradeError
from .assignment import Assignment
from .kernels import more_packages
from .leaks import leaks
from .starter import files_of, write_folder

WORKFLOW = """name: tests
on: [push, workflow_dispatch]
# Where Limulus is taken from: a variable of the organization or of this repository, say
# LIMULUS_REPOSITORY = my-university/limulus. It is built once and kept.
jobs:
  tests:
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v4
      - name: Packages
        run: >
          sudo apt-get update && sudo apt-get install -y --no-install-recommends g++ cmake
          ninja-build libfmt-dev nlohmann-json3-dev libstb-dev zlib1g-dev @MORE@
      - name: Limulus, from the cache
        id: kept
        uses: actions/cache@v4
        with:
          path: ~/limulus
          key: limulus-${{ runner.os }}-${{ vars.LIMULUS_REPOSITORY }}-${{ vars.LIMULUS_REF }}
      - name: Limulus, fetched
        if: steps.kept.outputs.cache-hit != 'true'
        uses: actions/checkout@v4
        with:
          repository: ${{ vars.LIMULUS_REPOSITORY }}
          ref: ${{ vars.LIMULUS_REF }}
          path: limulus-source
      - name: Limulus, built
        if: steps.kept.outputs.cache-hit != 'true'
        run: |
          cmake -S limulus-source -B limulus-build -G Ninja -DCMAKE_BUILD_TYPE=Release \\
            -DLIMULUS_TESTS=OFF -DLIMULUS_BENCHMARKS=OFF -DLIMULUS_OPENCL=OFF -DLIMULUS_PROGRAM=OFF
          cmake --build limulus-build --target limulus
          cmake --install limulus-build --prefix ~/limulus
      - name: The public tests
        run: LIMULUS_PREFIX=~/limulus ./grade test @ID@
"""


def workflow(a: Assignment) -> str:
    return WORKFLOW.replace("@ID@", a.id).replace(" @MORE@", more_packages(a))


def commands(a: Assignment) -> list[tuple[str, str, float, int]]:
    """Of each public test: its name, command, points, and a limit in seconds with the build. Not
    of what is timed: GitHub's machines are shared, and nobody knows with whom."""
    return [(f"{t.number} {a.full_name(t)}"[:100],
             shlex.join(["./grade", "test", t.task, "--case", t.case]), t.points,
             int(a.seconds) + 60) for t in a.untimed if not t.hidden]


def classroom50(a: Assignment) -> list[dict]:
    setup = {"name": "setup", "type": "run", "run": "./grade list", "timeout": 120, "points": 0}
    tests = [{"name": name, "type": "run", "run": run, "timeout": seconds, "points": whole(points)}
             for name, run, points, seconds in commands(a)]
    if len(tests) + 1 > 100:
        raise GradeError(f"{a.id} has {len(tests)} public tests; Classroom 50 takes 100")
    return [setup, *tests]


def autograding(a: Assignment) -> dict:
    return {
        "tests": [
            {
                "name": name, "setup": "", "run": run, "input": "", "output": "",
                "comparison": "included", "timeout": -(-seconds // 60), "points": whole(points)
            }  # minutes there
            for name, run, points, seconds in commands(a)
        ]
    }


def whole(points: float) -> int:
    if points != int(points):
        raise GradeError(f"GitHub's tests have whole points, not {points:g}")
    return int(points)


def write(a: Assignment, folder: Path) -> int:
    student = folder / "student"
    if student.exists() and any(student.iterdir()):
        raise GradeError(f"{student} is not empty")
    files = {
        **files_of(a), ".github/workflows/tests.yml": workflow(a).encode(),
        ".gitignore": b"/.attempts.json\n/*-submission.zip\n__pycache__/\n"
    }
    if found := leaks(a, files):
        raise GradeError("nothing was written, as it would give away\n  " + "\n  ".join(found))
    write_folder(files, student)
    for name, data in (("classroom50-tests.json", classroom50(a)), ("autograding.json",
                                                                    autograding(a))):
        (folder / name).write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    print(
        f"{student}: {len(files)} files, none of them the staff's, no line of a solution in them"
    )
    print(f"{folder / 'classroom50-tests.json'}: {len(classroom50(a))} tests")
    return 0
