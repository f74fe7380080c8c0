"""Kernels: files of OpenCL C. The device's own compiler builds them, and it, too, is confined: so
is the program that starts them (common/opencl.h), as a kernel on PoCL is machine code in its
process."""

import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from . import GradeError
from .program import Limits
from .store import cache_folder, digest, place

BUILD_LIMITS = Limits(seconds=60, memory_mib=4096, processes=16, file_mib=64, stack=64 << 20)
STACK = 8 << 20  # the items of a group have their private arrays on it
# What Debian has of all this.
PACKAGES = "pocl-opencl-icd ocl-icd-opencl-dev opencl-headers"

OCLGRIND = ["oclgrind", "--data-races", "--inst-counts", "--num-threads", "1", "--max-errors", "8"]

def more_packages(a) -> str:
    """What is to be installed besides what all assignments need, with a space in front."""
    return f" {PACKAGES} oclgrind" if a.has_kernels else ""


devices: dict[str, str] = {}  # by kind of sandbox: what kernels are built for


def device(builder) -> str:
    """Name and driver of the device. GradeError, with what to install, where there is none."""
    kind = builder.sandbox.kind
    if kind not in devices:
        try:
            program = builder.link([], complete=False, program="kernel")[0]
        except GradeError as error:
            raise GradeError(f"{error}\nInstall {PACKAGES}") from None
        with copied(builder, program, {}) as box:
            outcome = builder.sandbox.run(["./runner"], box, BUILD_LIMITS)
        if outcome.code:
            raise GradeError(
                f"kernels cannot be run on this machine: {outcome.output.strip() or outcome.code}"
                f"\nInstall {PACKAGES}")
        devices[kind] = outcome.output.strip()
    return devices[kind]


@contextmanager
def copied(builder, program: Path, files: dict[str, bytes]):
    """A folder of its own for one run, with the program and these files."""
    box = Path(tempfile.mkdtemp(dir=builder.work))
    try:
        box.chmod(0o755)
        shutil.copy2(program / "runner", box / "runner")
        for name, data in files.items():
            (box / name).parent.mkdir(parents=True, exist_ok=True)
            (box / name).write_bytes(data)
        yield box
    finally:
        shutil.rmtree(box, ignore_errors=True)


def build(builder, name: str, text: bytes) -> tuple[Path | None, str]:
    """The kernel as the device takes it, and the compiler's messages. Kept by the content of what
    it was made from, as other objects are."""
    target = device(builder)
    headers = {file: (builder.a.folder / file).read_bytes() for file in builder.a.sources}
    program = builder.link([], complete=False, program="kernel")[0]
    key = digest(name, text, *(part for item in headers.items() for part in item), target,
                 (program / "runner").read_bytes())
    kept = cache_folder() / f"object-{key}"
    if not kept.exists():
        finished = Path(tempfile.mkdtemp(dir=cache_folder(), prefix="new-"))
        with copied(builder, program, {**headers, name: text}) as box:
            outcome = builder.sandbox.run(["./runner", name, "{results}"], box, BUILD_LIMITS,
                                          results=finished / "object.o")
        if trouble := outcome.trouble(BUILD_LIMITS):  # of the machine, perhaps: it is not kept
            shutil.rmtree(finished, ignore_errors=True)
            return None, f"{name}: the compiler did not finish: {trouble}"
        message = messages(outcome.output, name, text.decode(errors="replace"))
        if outcome.code:
            (finished / "failed").touch()
        (finished / "message").write_text(message, encoding="utf-8")
        place(finished, kept)
        shutil.rmtree(finished, ignore_errors=True)
    message = (kept / "message").read_text(encoding="utf-8")
    return None if (kept / "failed").exists() else kept / "object.o", message


# PoCL writes "error: /where/it/keeps/tempfile_a1b2c3.cl:5:3: what is wrong".
COMPLAINT = re.compile(r"(error|warning): (?:\S*/)?(\S+?):(\d+):(\d+): (.*)")


def messages(log: str, name: str, text: str) -> str:
    """The compiler's errors, or else its warnings, with the lines that they are about."""
    source, found = text.splitlines(), {"error": [], "warning": [], "": []}
    for line in dict.fromkeys(log.splitlines()):
        if complaint := COMPLAINT.match(line):
            kind, file, row, column, what = complaint.groups()
            mine = file.startswith("tempfile_")
            shown = f"{name if mine else file}:{row}:{column}: {kind}: {what}"
            if mine and int(row) <= len(source):
                shown += f"\n{row:>5} | {source[int(row) - 1]}\n      | {' ' * (int(column) - 1)}^"
            found[kind].append(shown)
        elif line.startswith("Cannot find symbol "):
            found["error"].append(
                f"{name}: error: it calls {line.split()[3]}, which OpenCL C does not have")
        elif line.startswith("error: "):
            found["error"].append(f"{name}: {line}")
        elif line.strip() and not re.match(r"Device .* failed|Error\(s\) while|\d+ \w+ generated",
                                           line):
            found[""].append(line)
    if found["error"]:
        return "\n".join(found["error"][:3])
    return "\n".join(found["warning"][:3] or found[""][:6])


# ---- Oclgrind ------------------------------------------------------------------------------------


def missing_tool(tool: str) -> str:
    """Why no test that needs it can be graded on this machine, or "". """
    if not tool or shutil.which(tool):
        return ""
    return f"not graded on this machine: {tool} is not installed"


def command(tool: str) -> list[str]:
    return (OCLGRIND if tool == "oclgrind" else []) + ["./runner", "{results}"]


def finding(output: str) -> str:
    """The first of Oclgrind's complaints, with the line of the kernel that it is about, or "". """
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("\tKernel: ") and number > 0:
            block = [lines[number - 1]]
            for more in lines[number:number + 14]:
                if not more.startswith("\t"):
                    break
                if more.strip() and "!dbg" not in more:  # not the compiler's intermediate code
                    more = more.replace("input.cl", line.split()[1] + ".cl")
                    block.append(more.replace("\t", "    ", 1))
            return "\n".join(block).rstrip()
    return ""


def bytes_read(output: str) -> int:
    """How many bytes the last kernel has read from global memory, as Oclgrind counts them. What a
    kernel itself has printed stands in front of that."""
    table = output.rpartition("Instructions executed for kernel")[2]
    found = re.search(r"load global \((\d+) bytes\)", table.replace(",", ""))
    return int(found[1]) if found else 0


def limits(a) -> Limits:
    """Of one test."""
    return Limits(seconds=a.seconds, memory_mib=a.memory_mib,
                  **({"stack": STACK} if a.has_kernels else {}))


