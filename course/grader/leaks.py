"""Does a text give away a solution? Looked for in starters, in student repositories, and on the
site."""

import hashlib
import io
import re
import tarfile
import zipfile
import zlib
from pathlib import Path

from .assignment import Assignment, course_folder
from .starter import BEGIN, solution_lines

# Lines that anybody would write: braces, counters from 0, the heads of loops and of conditions on
# indices.
COMMON = re.compile(
    r"for \((const )?(std::int64_t|std::size_t|int|auto) \w+ = [^;]*; [^;]*; [^)]*\)( \{)?"
    r"|(double|std::int64_t|std::size_t|int) \w+ = -?\w+;|if \([^=]*\) continue;"
    r"|return \w+;|continue;|template <class \w+>|#include .*|//.*|\W*"
)
SHORTEST = 18
LONG = 60  # letters of a line by which a text of the staff would be known
FUZZED = "tests/fuzz/"  # torn archives are inputs there
LARGEST = 1 << 28  # bytes of what an archive may unpack to


def telling_lines(a: Assignment) -> dict[str, str]:
    """Lines of solutions by which one would be recognized, and the file of each."""
    found = {}
    for task in a.tasks.values():
        for line in solution_lines((a.folder / task.file).read_text(encoding="utf-8")):
            if len(line) >= SHORTEST and not COMMON.fullmatch(line):
                found[line] = task.file
    return found


def leaks(a: Assignment, files: dict[str, bytes | str]) -> list[str]:
    """Where a line of a solution, or a file of the staff, is among these files."""
    telling = telling_lines(a)
    found = []
    for name, data in files.items():
        if "staff/" in name or name.endswith(("hidden.toml", "mutants.toml")):
            found.append(f"{name} belongs to the staff")
        text = data if isinstance(data, str) else data.decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if (stripped := line.strip()) in telling:
                found.append(
                    f"{name}:{number}: a line of {telling[stripped]}'s solution: {stripped}")
    secret = a.secret()
    for name, data in files.items():
        text = data if isinstance(data, str) else data.decode(errors="replace")
        if secret is not None and re.search(rf"\b{secret}\b", text):
            found.append(f"{name} holds the secret of the hidden tests")
    return found


def plain(line: str) -> str:
    """A line as it is compared: without blanks, and without what quotes it in a comment, a patch or
    a page."""
    return "".join(line.split()).lstrip("+-<>/*#|`")


def members(data: bytes) -> dict[str, bytes]:
    """What is in an archive, or in a file that is packed; nothing where it is neither. ValueError
    where it cannot be read, since then nobody knows what is in it."""
    try:
        if data.startswith(b"PK\3\4"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(info.file_size for info in archive.infolist()) > LARGEST:
                    raise ValueError("it is too large to look into")
                return {i.filename: archive.read(i) for i in archive.infolist() if not i.is_dir()}
        if data.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")) or data[257:262] == b"ustar":
            if data.startswith(b"\x1f\x8b"):
                unpacker = zlib.decompressobj(wbits=31)
                data = unpacker.decompress(data, LARGEST)
                if unpacker.unconsumed_tail:
                    raise ValueError("it is too large to look into")
            if data[257:262] != b"ustar" and not data.startswith((b"BZh", b"\xfd7zXZ\0")):
                return {"": data}
            with tarfile.open(fileobj=io.BytesIO(data)) as archive:
                return {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
    except (OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zlib.error,
            zipfile.BadZipFile, tarfile.TarError) as error:
        raise ValueError(f"an archive that cannot be looked into ({error})") from None
    return {}


class Secrets:
    """What must not be found, and where it comes from."""

    def __init__(self, assignments: list[Assignment]):
        self.solutions: dict[str, set[str]] = {}  # a line, and the task files that have it
        self.whole: dict[bytes, str] = {}  # digest of a file's text, and its name
        self.lines: dict[str, str] = {}  # a long line of the staff's, and its file
        self.numbers: dict[int, str] = {}
        for a in assignments:
            for line, file in telling_lines(a).items():
                self.solutions.setdefault(plain(line), set()).add(f"{a.folder.name}/{file}")
            for task in a.tasks.values():
                self.add(a.folder / task.file)
            if (secret := a.secret()) is not None:
                self.numbers[secret] = a.id
        for folder in [course_folder() / "staff", *(a.staff for a in assignments)]:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                self.add(path)
                for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                    if len(line.strip()) >= LONG:
                        self.lines[plain(line)] = self.name(path)
        numbers = "|".join(map(str, self.numbers))
        self.number = re.compile(rf"(?<!\d)({numbers})(?!\d)") if numbers else None

    @staticmethod
    def name(path: Path) -> str:
        return path.relative_to(course_folder()).as_posix()

    def add(self, path: Path):
        data = path.read_bytes()
        if data.strip():
            self.whole[hashlib.sha256(data.strip()).digest()] = self.name(path)

    def within(self, name: str, data: bytes, library: bool) -> list[str]:
        """What is told by a file, or by an object of git. `library`: it is the library's own
        source, in which a single line may be as a solution has it; two lines of one task's may
        not."""
        if whole := self.whole.get(hashlib.sha256(data.strip()).digest()):
            return [f"{name} is {whole}"]
        found: list[str] = []
        try:
            for inner, content in members(data).items():
                if "staff" in inner.split("/"):
                    found.append(f"{name}, {inner} belongs to the staff")
                found += self.within(f"{name}, {inner}", content, library)
        except ValueError as error:
            if FUZZED not in name:
                found.append(f"{name}: {error}")
        seen: dict[str, set[str]] = {}
        text = data.replace(b"\0", b"").decode(errors="replace")  # UTF-16 has a zero in each letter
        for number, line in enumerate(text.splitlines(), 1):
            key, here = plain(line), f"{name}:{number}"
            if key in self.solutions:
                for file in self.solutions[key]:
                    seen.setdefault(file, set()).add(key)
                    if not library or len(seen[file]) > 1:
                        found.append(f"{here}: a line of {file}'s solution: {line.strip()}")
            if key in self.lines:
                found.append(f"{here}: a line of {self.lines[key]}: {line.strip()[:LONG]}")
            if BEGIN.match(line):
                found.append(f"{here}: a marker of a solution")
        if self.number and (number := self.number.search(text)):
            id = self.numbers[int(number[1])]
            found.append(f"{name} holds the secret of {id}'s hidden tests")
        return found


def is_library(path: str, course: str) -> bool:
    return bool(path) and not path.startswith((course, "docs/")) and not path.endswith(".md")
