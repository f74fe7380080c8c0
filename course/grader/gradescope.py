"""Gradescope's autograder: a zip with setup.sh and run_autograder at its root, the course's
grader, the assignment with its staff folder, and the source of Limulus, which setup.sh builds
once, when the image is made."""

import subprocess
import zipfile
from pathlib import Path

from . import GradeError
from .assignment import Assignment, course_folder
from .kernels import more_packages
from .own_secrets import warn

SETUP = """#!/usr/bin/env bash
# Runs once, when Gradescope makes the image. Ubuntu 22.04 (Gradescope's usual image), 24.04 or
# Debian 12.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
if command -v apt-get >/dev/null && [[ -z ${LIMULUS_PREFIX:-} ]]; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  apt-get install -y --no-install-recommends python3 g++ binutils cmake ninja-build bubblewrap \\
    util-linux libfmt-dev nlohmann-json3-dev libstb-dev zlib1g-dev @MORE@
  # Ubuntu 22.04 has 3.11 beside its usual Python.
  new_enough python3 || apt-get install -y --no-install-recommends python3.11
fi
python=
for name in python3 python3.11; do
  if [[ -z $python ]] && new_enough "$name"; then python=$(command -v "$name"); fi
done
[[ -n $python ]] ||
  { echo "setup.sh: Python 3.11 or newer is needed: choose a newer base image" >&2; exit 1; }
ln -sfn "$python" "$root/python"  # for run_autograder
if [[ -z ${LIMULUS_PREFIX:-} ]]; then
  cmake -S "$root/source/limulus" -B "$root/source/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \\
    -DLIMULUS_TESTS=OFF -DLIMULUS_BENCHMARKS=OFF -DLIMULUS_OPENCL=OFF -DLIMULUS_PROGRAM=OFF
  # Two at a time: a container may have less memory than its many processors would take.
  cmake --build "$root/source/build" --target limulus --parallel 2
  cmake --install "$root/source/build" --prefix "$root/limulus"
  rm -rf "$root/source/build"
  LIMULUS_PREFIX=$root/limulus
fi
echo "$LIMULUS_PREFIX" >"$root/source/course/.limulus-prefix"
# Submissions run as another user, who may read neither hidden inputs nor solutions.
chmod -R go-rwx "$root/source/course"
chmod +x "$root/source/course/grade"
# The first grading builds the judge: now, so that no student waits for it.
XDG_CACHE_HOME=$root/cache "$root/python" "$root/source/course/grade" one @ID@ \\
  "$root/source/course/empty" /dev/shm/first.json --without-isolation >/dev/null
rm -f /dev/shm/first.json
echo "setup.sh: ready to grade @ID@"
"""

RUN = """#!/usr/bin/env bash
# Runs for each submission.
set -euo pipefail
root=${AUTOGRADER_ROOT:-/autograder}
mkdir -p "$root/results"
XDG_CACHE_HOME=$root/cache "$root/python" "$root/source/course/grade" one @ID@ "$root/submission" \\
  "$root/results/results.json" --metadata "$root/submission_metadata.json"
"""

# Of the repository, what building the library and its program needs: these folders with all that is
# in them. A list of endings would forget the style sheet that a report is made with.
SOURCES = ("CMakeLists.txt", "CMakePresets.json", "LICENSE", "cmake", "core", "backends", "layers",
           "models", "distributed", "training", "formats", "gradcheck", "pages", "tools",
           "examples")


def files_of(a: Assignment) -> dict[str, bytes]:
    files = {
        "setup.sh": SETUP.replace("@ID@", a.id).replace(" @MORE@", more_packages(a)).encode(),
        "run_autograder": RUN.replace("@ID@", a.id).encode()
    }
    root = course_folder()
    for folder in (root / "grader", root / "common", a.folder):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name != ".attempts.json":
                files[f"course/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    files["course/grade"] = (root / "grade").read_bytes()
    files["course/empty/README"] = b"A submission of nothing.\n"
    for name in sources(root.parent):
        files[f"limulus/{name}"] = (root.parent / name).read_bytes()
    return files


def sources(repository: Path) -> list[str]:
    """The files of Limulus's source: those that git knows, or else all that are there."""
    listed = subprocess.run(
        ["git", "-C", str(repository), "ls-files", "-z", "--", *SOURCES], capture_output=True,
        text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        names = [name for name in listed.stdout.split("\0") if name]
    else:
        below = [p for name in SOURCES for p in ((repository / name).rglob("*"))]
        names = [str(p.relative_to(repository)) for p in sorted(below)
                 if "__pycache__" not in p.parts] + list(SOURCES)
    found = [name for name in names if (repository / name).is_file()]
    if "CMakeLists.txt" not in found:
        raise GradeError(
            f"{repository} does not hold Limulus's source, which the autograder has to build")
    return found


def write(a: Assignment, out: Path | None, quiet: bool = False) -> int:
    if not quiet:
        warn(a)
    path = out or Path(f"{a.id}-gradescope.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files_of(a).items()):
            entry = zipfile.ZipInfo(name, (2012, 9, 30, 0, 0, 0))
            runs = name in ("setup.sh", "run_autograder", "course/grade")
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    if not quiet:
        print(f"{path}: upload it as the assignment's autograder")
    return 0
