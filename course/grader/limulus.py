"""The installed Limulus, and the judge that is built with it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from . import GradeError
from .assignment import Assignment, common_folder
from .build import compiler_version, run_or_fail
from .processes import run_trusted
from .store import cache_folder, digest, place

JUDGE_SECONDS = 60
# Of common/, what a judge is made of.
PARTS = ("CMakeLists.txt", "judge*.*", "arrays.*", "shared_arrays.h", "channel.h", "course.h",
         "rank.h")


def prefix() -> Path:
    """Where Limulus is installed: LIMULUS_PREFIX, a file .limulus-prefix beside `grade` or in
    the home folder, the repository's build/course-prefix, or where programs usually are."""
    here = common_folder().parent
    if named := os.environ.get("LIMULUS_PREFIX"):
        candidates = [Path(named)]
    else:
        candidates = []
        for note in (here / ".limulus-prefix", Path.home() / ".limulus-prefix"):
            if note.is_file():
                candidates.append(Path(note.read_text(encoding="utf-8").strip()))
        candidates += [
            here.parent / "build" / "course-prefix",
            Path("/usr/local"),
            Path("/usr"),
            Path.home() / ".local"
        ]
    for folder in candidates:
        if config(folder):
            return folder.resolve()
    raise GradeError(
        "Limulus is not installed in " + ", ".join(map(str, candidates)) + ".\nIn its repository, "
        "`./run course` builds and installs it. If it is installed elsewhere, say where: "
        "export LIMULUS_PREFIX=FOLDER")


def config(folder: Path) -> Path | None:
    return next(
        iter(
            sorted(folder.glob("lib*/cmake/limulus/limulus-config.cmake")) +
            sorted(folder.glob("lib/*/cmake/limulus/limulus-config.cmake"))), None)


def version(folder: Path) -> str:
    """Limulus's version and which build of it: the judge is made again when either changes."""
    text = config(folder).with_name("limulus-config-version.cmake").read_text(encoding="utf-8")
    number = text.partition('set(PACKAGE_VERSION "')[2].partition('"')[0]
    library = next(
        iter(sorted(folder.glob("lib*/liblimulus.*")) + sorted(folder.glob("lib/*/liblimulus.*"))))
    return f"{number} ({digest(library.read_bytes())[:8]})"


def sources_of(a: Assignment) -> list[Path]:
    """What an assignment's judge is made of, in an order that does not depend on where the folders
    are: a starter's judge is the repository's, and is not built again."""
    return [
        *sorted(p for part in PARTS for p in common_folder().glob(part)),
        *sorted((a.folder / "tests").glob("judge*.*")), *(a.folder / name for name in a.sources)
    ]


class Judge:
    """Makes inputs and verdicts. `program` is trusted; the files that it checks are not."""
    def __init__(self, a: Assignment, ready: bool = True):
        """`ready`: built now, where it is not there."""
        self.a = a
        self.limulus = prefix()
        self.version = version(self.limulus)
        key = digest(*(p.read_bytes() for p in sources_of(a)), str(self.limulus), self.version,
                     compiler_version())
        self.program = cache_folder() / f"judge-{a.id}-{key}" / "judge"
        self.inputs = self.program.parent
        if ready:
            build([self])

    def run(self, *words: str) -> str:
        code, output, messages = run_trusted(
            [str(self.program), *words], JUDGE_SECONDS,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"})
        if code:
            raise GradeError(f"judge {' '.join(words)}: {messages.strip() or f'status {code}'}")
        return output

    def cases(self) -> list[str]:
        return self.run("list").split()

    def make(self, case: str, seed: int) -> Path:
        """The file of a test's inputs; made once."""
        path = self.inputs / f"{case}-{seed}"
        if not path.exists():
            handle, name = tempfile.mkstemp(dir=self.inputs, prefix="new-")
            os.close(handle)
            self.run("make", case, str(seed), name)
            Path(name).rename(path)
        return path

    def check(self, case: str, inputs: Path, results: Path, counted: int | None = None) -> str:
        """`counted`: bytes that kernels have read from global memory, where that is a matter."""
        more = [] if counted is None else [str(counted)]
        return self.run("check", case, str(inputs), str(results), *more)


def build(judges: list[Judge]):
    """Those that are not there yet, all at once: most of the work is the same for each."""
    judges = [judge for judge in judges if not judge.program.exists()]
    if not judges:
        return
    if not shutil.which("cmake"):
        raise GradeError("cmake is missing: it builds the judge, once. Install cmake")
    names = ", ".join(judge.a.id for judge in judges)
    print(f"grade: building the judge of {names}, once on this machine", file=sys.stderr,
          flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        tests = ";".join(str(judge.a.folder / "tests") for judge in judges)
        run_or_fail([
            "cmake", "-S",
            str(common_folder()), "-B", scratch, *generator, f"-DCOURSE_TESTS={tests}",
            f"-DCMAKE_PREFIX_PATH={judges[0].limulus}"
        ], "the judge")
        run_or_fail(["cmake", "--build", scratch, "--parallel"], "the judge")
        for number, judge in enumerate(judges):
            finished = Path(tempfile.mkdtemp(dir=cache_folder(), prefix="new-"))
            shutil.copy2(Path(scratch) / f"judge_{number}", finished / "judge")
            place(finished, judge.program.parent)
            shutil.rmtree(finished, ignore_errors=True)
