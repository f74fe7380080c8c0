"""A submission's files: those that may be handed in, and nothing else, from a folder or an
archive."""

import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from . import GradeError
from .assignment import Assignment

LARGEST = 1 << 20  # bytes of a source file
MOST_ENTRIES = 20000
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def is_archive(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(ARCHIVES)


def collect(a: Assignment, submission: Path) -> dict[str, bytes]:
    """The files of tasks that are in the submission, by their names in the assignment. Links are
    not followed, and no file is unpacked: nothing is written."""
    wanted = [task.file for task in a.tasks.values()]
    try:
        if submission.is_dir():
            names, read = in_folder(submission)
            return pick(wanted, names, read) or in_archives(a, submission, names)
        if zipfile.is_zipfile(submission):
            with zipfile.ZipFile(submission) as archive:
                return pick(wanted, *in_zip(archive))
        if tarfile.is_tarfile(submission):
            with tarfile.open(submission) as archive:
                return pick(wanted, *in_tar(archive))
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError,
            NotImplementedError, ValueError) as error:
        raise GradeError(f"{submission.name} cannot be read: {error}") from None
    raise GradeError(f"{submission.name} is neither a folder nor a zip or tar archive")


def pick(wanted: list[str], names: dict[str, int], read) -> dict[str, bytes]:
    """Of several files that could be meant, the one that is nearest to the top; also where an
    upload has lost its folders (src/forward.cpp became forward.cpp)."""
    files: dict[str, bytes] = {}
    for want in wanted:
        base = PurePosixPath(want).name
        whole = [n for n in names if n == want or n.endswith("/" + want)]
        alone = [n for n in names if PurePosixPath(n).name == base]
        for candidates in (whole, alone):
            candidates.sort(key=lambda n: (n.count("/"), n))
            if not candidates:
                continue
            if names[candidates[0]] > LARGEST:
                raise GradeError(
                    f"{candidates[0]} has {names[candidates[0]]} bytes; a source file may have "
                    f"{LARGEST}")
            files[want] = read(candidates[0])
            break
    return files


def in_archives(a: Assignment, root: Path, names: dict[str, int]) -> dict[str, bytes]:
    """Of a folder without such files: the archive in it, as some platforms for teaching download a
    class."""
    archives = [name for name in sorted(names) if is_archive(root / name)]
    if len(archives) > 1:
        raise GradeError(f"{root.name} holds {', '.join(archives)}: which one?")
    return collect(a, root / archives[0]) if archives else {}


def in_folder(root: Path):
    names: dict[str, int] = {}
    pending = [root]
    while pending:
        folder = pending.pop()
        for path in sorted(folder.iterdir()):
            if path.is_symlink():
                continue
            if path.is_dir():
                if path.name not in (".git", "build"):
                    pending.append(path)
            elif path.is_file():
                names[path.relative_to(root).as_posix()] = path.stat().st_size
            if len(names) > MOST_ENTRIES:
                raise GradeError(f"more than {MOST_ENTRIES} files")
    return names, lambda name: (root / name).read_bytes()


def in_zip(archive: zipfile.ZipFile):
    names = {
        entry.filename: entry.file_size
        for entry in archive.infolist()[:MOST_ENTRIES] if not entry.is_dir()
    }

    def read(name: str) -> bytes:
        with archive.open(name) as file:
            return bounded(file, name)

    return names, read


def in_tar(archive: tarfile.TarFile):
    entries = {}
    for number, entry in enumerate(archive):
        if number >= MOST_ENTRIES:
            raise GradeError(f"more than {MOST_ENTRIES} entries")
        if entry.isfile():
            entries[entry.name.removeprefix("./")] = entry

    def read(name: str) -> bytes:
        return bounded(archive.extractfile(entries[name]), name)

    return {name: entry.size for name, entry in entries.items()}, read


def bounded(file, name: str) -> bytes:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise GradeError(f"{name} has more than {LARGEST} bytes")
    return data
