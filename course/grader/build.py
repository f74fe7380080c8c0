"""Compiling: the student's files, one by one and confined (kernels: kernels.py), and the programs
that call them."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from . import GradeError, kernels
from .assignment import Assignment, common_folder
from .machine import lacks
from .processes import run_trusted
from .program import Limits
from .sandbox import Sandbox
from .store import cache_folder, digest, place

COMPILER = os.environ.get("CXX", "g++")
FLAGS = [
    "-std=c++20", "-O1", "-pipe", "-Wall", "-Wextra", "-Wno-unused-parameter",
    "-Wno-missing-field-initializers", "-ffp-contract=off", "-fno-diagnostics-color",
    "-D_GLIBCXX_ASSERTIONS"
]  # std::span and std::vector check their indices
# What an assignment with flags of its own (assignment.toml, [build]) does without.
UNHURRIED = {"-O1", "-ffp-contract=off", "-D_GLIBCXX_ASSERTIONS"}
COMPILE_LIMITS = Limits(seconds=60, memory_mib=3072, processes=16, file_mib=64, stack=64 << 20)

# What a solution may use of other libraries: C++'s own but for files, mathematics, memory, and
# printing. Whatever else a file refers to must be defined in the assignment.
ALLOWED = re.compile(
    r"""(?!.*(basic_[io]?fstream|basic_filebuf|10filesystem))
    (_ZS[abcdiost]|_ZNK?S[abcdiost]|_ZNK?3?St|_ZT[ISVv]N?[KS]|_ZTI|_ZTV|_ZGV|_Zn[aw]|_Zd[al]
    |_ZNK?6course|_ZZ|__cxa_|__gxx_|_Unwind_|__dso_handle|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail
    |__tls_get_addr|__glibcxx
    |__\w+_chk$|__u?(div|mod|mul)\w*$
    |(mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr)|malloc|calloc|realloc|free|abort|exit|atexit
      |aligned_alloc|printf|puts|putchar|fprintf|fputs|fputc|fwrite|fflush|snprintf|vsnprintf
      |std(out|err)|[fl]?abs[fl]?|(a?(sin|cos|tan)h?|atan2|exp[2m]?1?|log(2|10|1p|b)?|pow|sqrt|cbrt
      |hypot|fabs|floor|ceil|round|l?lround|trunc|rint|nearbyint|l?lrint|fmod|remainder|fma|fmin
      |fmax|ldexp|frexp|scalbn|erf|tgamma|lgamma|copysign|nan|modf|sincos)[fl]?|clock_gettime
      |qsort|__errno_location|_?_?assert_fail)$)""",
    re.X)


@cache
def compiler_version() -> str:
    try:
        return subprocess.run([COMPILER, "--version"], capture_output=True, text=True,
                              check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError):
        raise GradeError(f"there is no C++ compiler '{COMPILER}': install g++") from None


def flags_of(a: Assignment) -> list[str]:
    """How a file of this assignment is compiled on this machine."""
    if not a.flags:
        return FLAGS
    vector = [f"-m{name}" for name in a.vector] if not lacks(a.vector) else []
    return [flag for flag in FLAGS if flag not in UNHURRIED] + a.flags + vector


@dataclass
class Compiled:
    object: Path | None  # None: it does not compile, or is refused
    message: str = ""  # the first error or, where there is none, the warnings
    warnings: bool = False
    refused: bool = False  # it compiles, and uses what no solution may use

    @property
    def verdict(self) -> str:
        if self.object:
            return "warnings"
        return "refused" if self.refused else "does not compile"

    def why_not(self, name: str) -> str:
        """Of a test that cannot be run without it."""
        return f'{name} {"is refused" if self.refused else "does not compile"}: see "build"'


@dataclass
class Builder:
    """Compiles and links one assignment's program in `sandbox`. Objects are kept by the content
    of what they were made from: a file is compiled alone, beside the assignment's own headers."""

    a: Assignment
    sandbox: Sandbox
    work: Path
    check_symbols: bool = True
    flags: list[str] = field(default_factory=list)
    links: dict[tuple, Path] = field(default_factory=dict)

    def __post_init__(self):
        self.flags = flags_of(self.a)

    def headers(self) -> dict[str, bytes]:
        found = {
            f"common/{p.name}": p.read_bytes()
            for p in sorted(common_folder().glob("*.h")) if not p.name.startswith("judge")
        }
        found |= {name: (self.a.folder / name).read_bytes() for name in self.a.sources}
        return found

    def compile(self, name: str, text: bytes) -> Compiled:
        if name.endswith(".cl"):
            made, message = kernels.build(self, name, text)
            return Compiled(made, message, made is not None and bool(message))
        headers = self.headers()
        key = digest(name, text, *(part for item in headers.items() for part in item),
                     compiler_version(), " ".join(self.flags))
        kept = cache_folder() / f"object-{key}"
        if not kept.exists():
            self.compile_anew(name, text, headers, kept)
        message = (kept / "message").read_text(encoding="utf-8")
        if (kept / "failed").exists():
            return Compiled(None, message)
        foreign = foreign_symbols(kept / "object.o") if self.check_symbols else []
        if foreign:
            return Compiled(
                None, f"{name} uses {', '.join(foreign)}: a solution may call the standard library "
                "(numbers, containers, printing) and the assignment's own functions, and "
                "nothing else", refused=True)
        return Compiled(kept / "object.o", message, bool(message))

    def compile_anew(self, name: str, text: bytes, headers: dict[str, bytes], kept: Path):
        box = Path(tempfile.mkdtemp(dir=self.work))
        box.chmod(0o755)
        folder = str(Path(name).parent)
        for path, data in {**headers, name: text}.items():
            (box / path).parent.mkdir(exist_ok=True, parents=True)
            (box / path).write_bytes(data)
        if self.a.sources and (prepared := self.prepared_header(headers)):
            shutil.copyfile(prepared, box / f"{self.a.sources[0]}.gch")
        outcome = self.sandbox.run(
            [COMPILER, *self.flags, "-Icommon", f"-I{folder}", "-c", name, "-o", "object.o"], box,
            COMPILE_LIMITS, writable=True)
        made = box / "object.o"
        trouble = outcome.trouble(COMPILE_LIMITS)
        failed, message = bool(outcome.code or trouble or made.is_symlink()
                               or not made.is_file()), ""
        if failed:
            message = f"{name}: the compiler did not finish: {trouble}" if trouble else first_error(
                outcome.output)
        elif outcome.output.strip():
            message = outcome.output
        finished = Path(tempfile.mkdtemp(dir=cache_folder(), prefix="new-"))
        (finished / "message").write_text(message, encoding="utf-8")
        if failed:
            (finished / "failed").touch()
        else:
            shutil.copyfile(made, finished / "object.o")
        place(finished, kept)
        shutil.rmtree(finished, ignore_errors=True)
        shutil.rmtree(box, ignore_errors=True)

    def prepared_header(self, headers: dict[str, bytes]) -> Path | None:
        """The first of the assignment's given headers, which nearly all files begin with, and what
        it includes, as g++ has read it: that is two thirds of the time that a file takes. g++ takes
        it by itself where a file begins with that header, and the object is the same. None where
        the compiler is another one."""
        name = self.a.sources[0]
        key = digest(name, *(part for item in headers.items() for part in item),
                     compiler_version(), " ".join(self.flags))
        kept = cache_folder() / f"header-{key}"
        if not kept.exists():
            box = Path(tempfile.mkdtemp(dir=self.work))
            box.chmod(0o755)
            for path, data in headers.items():
                (box / path).parent.mkdir(exist_ok=True, parents=True)
                (box / path).write_bytes(data)
            made = box / f"{name}.gch"
            outcome = self.sandbox.run(
                [COMPILER, *self.flags, "-Icommon", f"-I{Path(name).parent}", "-x", "c++-header",
                 name, "-o", f"{name}.gch"], box, COMPILE_LIMITS, writable=True)
            finished = Path(tempfile.mkdtemp(dir=cache_folder(), prefix="new-"))
            if not outcome.code and made.is_file() and made.open("rb").read(4) == b"gpch":
                shutil.copyfile(made, finished / "header.gch")
            place(finished, kept)
            shutil.rmtree(finished, ignore_errors=True)
            shutil.rmtree(box, ignore_errors=True)
        return next(kept.glob("header.gch"), None)

    def trusted(self, program: str) -> list[Path]:
        """The objects that come from us, of `program`: "runner" calls functions and returns what
        they wrote, "timed" calls one again and again while its caller looks at the clock, and
        "kernel" (of common/ alone) builds kernels."""
        sources = [
            common_folder() / f"{program}.cpp",
            common_folder() / "arrays.cpp",
            common_folder() / "missing.cpp", self.a.folder / "tests" / f"{program}.cpp"
        ]
        sources = [source for source in sources if source.exists() or program != "kernel"]
        if program == "runner":
            sources.append(common_folder() / "rank.cpp")
        return [self.ours(source) for source in sources]

    def ours(self, source: Path) -> Path:
        """The object of a file of ours. What is in common/ knows no assignment, and is compiled
        once for all of them."""
        common = source.parent == common_folder()
        headers = {
            name: data for name, data in self.headers().items() if name.startswith("common/")
            or not common
        }
        kept = cache_folder() / ("ours-" + digest(
            source.read_bytes(), *(part for item in headers.items() for part in item),
            compiler_version(), " ".join(self.flags)))
        if not kept.exists():
            finished = Path(tempfile.mkdtemp(dir=cache_folder(), prefix="new-"))
            folders = sorted({str(Path(name).parent) for name in self.a.sources})
            run_or_fail([
                COMPILER, *self.flags, f"-I{common_folder()}",
                *([] if common else [f"-I{self.a.folder / folder}" for folder in folders]), "-c",
                str(source), "-o",
                str(finished / "object.o")
            ], f"{source.name}")
            place(finished, kept)
            shutil.rmtree(finished, ignore_errors=True)
        return kept / "object.o"

    def link(self, objects: list[Path], complete: bool,
             program: str = "runner") -> tuple[Path | None, str]:
        """The folder in which the program stands, under the name `runner`, and the first error.
        Where a file is missing (`complete` is false), its functions are put in that end the
        program; no test calls them."""
        key = (*objects, complete, program) if objects else (False, program)
        if key in self.links:
            return self.links[key], ""
        if not objects:
            return self.link_ours(program), ""
        box = Path(tempfile.mkdtemp(dir=self.work))
        box.chmod(0o755)
        names = []
        for number, source in enumerate([*self.trusted(program), *objects]):
            names.append(f"{number}.o")
            shutil.copyfile(source, box / names[-1])
        if not complete:
            names.append("missing.cpp")
            (box / names[-1]).write_text(stand_ins([*self.trusted(program), *objects]))
        outcome = self.sandbox.run([COMPILER, *names, "-o", "runner", *self.libraries], box,
                                   COMPILE_LIMITS, writable=True)
        if outcome.code or outcome.late or (box / "runner").is_symlink():
            return None, first_error(outcome.output)
        alone = Path(tempfile.mkdtemp(dir=self.work))
        shutil.copyfile(box / "runner", alone / "runner")
        alone.chmod(0o755)
        (alone / "runner").chmod(0o755)
        shutil.rmtree(box, ignore_errors=True)
        self.links[key] = alone
        return alone, ""


    @property
    def libraries(self) -> list[str]:
        return [f"-l{name}" for name in self.a.libraries]

    def link_ours(self, program: str) -> Path:
        """The program with no function of a submission: always the same, and kept."""
        objects = self.trusted(program)
        kept = cache_folder() / ("alone-" + digest(*(made.parent.name for made in objects)))
        if not kept.exists():
            finished = Path(tempfile.mkdtemp(dir=cache_folder(), prefix="new-"))
            (finished / "missing.cpp").write_text(stand_ins(objects))
            run_or_fail([
                COMPILER, *map(str, objects),
                str(finished / "missing.cpp"), "-o",
                str(finished / "runner"), *self.libraries
            ], f"the program '{program}'")
            place(finished, kept)
            shutil.rmtree(finished, ignore_errors=True)
        self.links[(False, program)] = alone = Path(tempfile.mkdtemp(dir=self.work))
        alone.chmod(0o755)  # submissions run here: the folder of what is kept is closed to them
        shutil.copy2(kept / "runner", alone / "runner")
        (alone / "runner").chmod(0o755)
        return alone


def stand_ins(objects: list[Path]) -> str:
    """C++ text of the assignment's functions that these objects call and none of them has: each
    says so, and ends the program."""
    wanted, there = set(), set()
    for made in objects:
        for name, kind in symbols(made):
            (wanted if kind == "U" else there).add(name)
    missing = sorted(name for name in wanted - there if re.fullmatch(r"_ZN6course\w+", name))
    return 'extern "C" [[noreturn]] void course_missing(const char* name);\n' + "".join(
        f'extern "C" void {name}() {{ course_missing("{name}"); }}\n' for name in missing)


def first_error(output: str) -> str:
    """The compiler's or linker's first error, with the lines that show where."""
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if re.search(r"\berror:|undefined reference|multiple definition", line):
            return "\n".join(lines[number:number + 6])[:1500]
    return "\n".join(lines[:6])[:1500] or "the compiler failed without a message"


@cache
def symbols(made: Path) -> list[tuple[str, str]]:
    """The symbols of an object that is kept, and their kinds; "U" is what it wants of others."""
    _, listed, _ = run_trusted(["nm", "-P", "-g", str(made)], 60)
    return [(words[0], words[1]) for line in listed.splitlines() if len(words := line.split()) >= 2]


@cache
def foreign_symbols(made: Path) -> list[str]:
    return sorted(name for name, kind in symbols(made)
                  if kind == "U" and not ALLOWED.match(name))[:5]


# What a program that is timed may not be made of: the yardstick has 16 registers of 256 bits, and
# the kernel is asked for nothing.
FORBIDDEN = re.compile(r"%(zmm\d+|[xy]mm(?:1[6-9]|2\d|3[01])|k[1-7])\b|\t(syscall|sysenter)\b|"
                       r"\t(int) ")


@cache
def forbidden_instruction(made: Path) -> str:
    """An instruction in this object that no timed program may have, or "". """
    code, listed, messages = run_trusted(["objdump", "-d", "--no-show-raw-insn", str(made)], 60)
    if code:
        raise GradeError(f"objdump cannot read {made}: {messages.strip()}")
    found = FORBIDDEN.search(listed)
    return next(word for word in found.groups() if word) if found else ""


def run_or_fail(command: list[str], what: str):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        output = done.stderr + done.stdout
        if reason := why_not_found(output):
            raise GradeError(f"{what} cannot be built. {reason}")
        raise GradeError(f"{what} cannot be built: {' '.join(command)}\n{first_error(output)}")


def why_not_found(output: str) -> str:
    """Where CMake found a library that cannot be used on this machine: the library's own words,
    such as what has to be installed; or "". """
    _, found, after = output.partition("Reason given by package:")
    words = after.partition("\n--")[0].partition("Call Stack")[0] if found else ""
    paragraphs = [" ".join(p.split()) for p in words.split("\n\n") if p.strip()]
    return "\n    ".join(paragraphs)
