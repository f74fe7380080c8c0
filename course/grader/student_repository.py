"""A git repository for students: Limulus and the assignments, without solutions and without what is
the staff's. It has a history of its own, which begins with one commit.

It is made from the files that the clone's git knows. Of the course's folder it has what starters
have, of each task's file the starter's version (starter.py), and the pages; of all else everything
but the grader's tests and what is called `staff`. What was made is then proved, over every object
of the new repository and not only over its last commit:

  * no file of the staff is among them, nor a line of one, nor the secret of the hidden tests;
  * no line by which a solution would be known (leaks.py) is, and no marker of a solution. The
    library has loops, too: of its source a single line may be alike, two of one task may not;
  * the last commit holds the files that were meant and no others, each task with the starter's
    code.

A folder that is such a repository gets another commit, if its own history passes the proof.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import GradeError
from .assignment import Assignment, all_assignments, course_folder
from .leaks import Secrets, is_library
from .starter import files_of, task_file

STAFF_NAMES = {"staff", "hidden.toml", "mutants.toml"}
NAMES_SHOWN = 12
IDENTITY = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Course staff"), ("EMAIL", "staff@course.invalid"))}


def run_git(folder: Path, *arguments: str, clean: bool = True, **options) -> bytes:
    """What git prints. Where `clean`, no setting of the person or of the machine takes part: a hook
    or a filter could add what nobody sees."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    if clean:
        environment |= IDENTITY | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, check=False, **options)
    except FileNotFoundError:
        raise GradeError("git is not there; a student's repository is made with it") from None
    if done.returncode:
        raise GradeError(f"git {' '.join(arguments)} in {folder}: "
                         f"{done.stderr.decode(errors='replace').strip()}")
    return done.stdout


@dataclass(frozen=True)
class File:
    data: bytes
    executable: bool


def clone_folder() -> Path:
    """The root of the clone that this course belongs to."""
    return Path(os.fsdecode(run_git(course_folder(), "rev-parse", "--show-toplevel",
                                    clean=False)).rstrip("\n"))


def course_files(assignments: list[Assignment]) -> set[str]:
    """What students get of the course's folder: what starters have (starter.files_of), and the
    pages. Anything else that may lie there, an old solution say, they do not."""
    given = {"README.md", "grade"}
    for a in assignments:
        try:
            names = list(files_of(a))
        except OSError as error:
            raise GradeError(f"{a.id} is not whole: {error.filename}: {error.strerror}") from None
        for name in names:
            shared = name == "grade" or name.startswith(("common/", "grader/"))
            given.add(name if shared else f"{a.folder.name}/{name}")
    return given


def is_given(path: str, course: str, given: set[str]) -> bool:
    """Whether students get the file. `course`: the course's folder, "course/"."""
    if STAFF_NAMES & set(path.split("/")):
        return False
    if path.startswith(course):
        inner = path[len(course):]
        return inner in given or inner.startswith("slides/") and inner.endswith(".md")
    return not path.startswith(("tests/course_", ".github/workflows/"))


def files_of_clone(root: Path) -> dict[str, File]:
    """The files that git knows, as they lie there now."""
    found = {}
    for entry in run_git(root, "ls-files", "--stage", "-z", clean=False).split(b"\0")[:-1]:
        facts, _, name = entry.partition(b"\t")
        mode, _, stage = facts.decode().split(" ")
        path = os.fsdecode(name)
        if stage != "0":
            raise GradeError(f"{path} has a merge conflict; finish the merge first")
        if mode not in ("100644", "100755"):
            raise GradeError(f"{path} is a link or a submodule; only files can be handed out")
        try:
            found[path] = File((root / path).read_bytes(), mode == "100755")
        except OSError as error:
            raise GradeError(f"{path}: git knows it, but it cannot be read ({error.strerror}); "
                             "commit that it is gone, or restore it") from None
    return found


def student_files(root: Path, course: str, assignments: list[Assignment]) -> dict[str, File]:
    """What students get, by path."""
    for a in assignments:
        if not a.staff.is_dir():
            raise GradeError(f"{a.folder} has no staff folder: this is a student's copy already")
    given = course_files(assignments)
    files = {p: f for p, f in files_of_clone(root).items() if is_given(p, course, given)}
    for a in assignments:
        for task in a.tasks.values():
            path = f"{course}{a.folder.name}/{task.file}"
            if path not in files:
                raise GradeError(f"{path} is not known to git; add it first")
            text = task_file(a, task.id, solved=False)
            files[path] = File(text.encode(), files[path].executable)
    return files


def refuse(found: list[str], what: str):
    if found:
        more = [] if len(found) <= NAMES_SHOWN else [f"and {len(found) - NAMES_SHOWN} more"]
        raise GradeError(f"{what}\n  " + "\n  ".join([*found[:NAMES_SHOWN], *more]))


def objects_of(repository: Path):
    """Every object of a repository, also those that no commit leads to: its id, kind, content."""
    if (repository / ".git" / "objects" / "info" / "alternates").exists():
        raise GradeError(f"{repository} borrows objects from another repository")
    printed = run_git(repository, "cat-file", "--batch", "--batch-all-objects")
    at = 0
    while at < len(printed):
        end = printed.index(b"\n", at)
        id, kind, size = printed[at:end].decode().split(" ")
        yield id, kind, printed[end + 1:end + 1 + int(size)]
        at = end + 2 + int(size)


def prove_history(repository: Path, course: str, secrets: Secrets) -> tuple[int, list[str]]:
    """How many objects there are, and what they give away."""
    paths: dict[str, str] = {}
    for line in run_git(repository, "rev-list", "--objects", "--all", "--reflog").splitlines():
        id, _, path = line.partition(b" ")
        paths.setdefault(id.decode(), os.fsdecode(path))
    count, found = 0, []
    for id, kind, data in objects_of(repository):
        count += 1
        path = paths.get(id, "")
        name = f"{id[:12]} {path}".strip()
        if kind == "tree":
            listed = run_git(repository, "ls-tree", "--name-only", "-z", id).split(b"\0")
            found += [f"{name} has an entry {n.decode()}" for n in listed
                      if n.decode(errors="replace") in STAFF_NAMES]
        else:
            found += secrets.within(name, data, is_library(path, course))
    return count, found


def prove_last_commit(repository: Path, files: dict[str, File]) -> list[str]:
    """Whether the last commit has these files and no others, bit for bit."""
    listed = {}
    for entry in run_git(repository, "ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]:
        facts, _, name = entry.partition(b"\t")
        mode, _, id = facts.decode().split(" ")
        listed[os.fsdecode(name)] = (mode, id)
    wanted = {path: ("100755" if f.executable else "100644",
                     hashlib.sha1(b"blob %d\0" % len(f.data) + f.data).hexdigest())
              for path, f in files.items()}
    return [f"{path} is {listed.get(path, 'not there')}, not {wanted.get(path, 'meant to be')}"
            for path in sorted(listed.keys() | wanted.keys())
            if listed.get(path) != wanted.get(path)]


def prove_starters(files: dict[str, File], course: str, assignments: list[Assignment]) -> list[str]:
    """Whether the starter's code is there instead of each solution."""
    return [f"{task.file} of {a.id} does not say that {task.id} is yet to be written"
            for a in assignments for task in a.tasks.values()
            if f'NotWritten("{task.id}")'.encode()
            not in files[f"{course}{a.folder.name}/{task.file}"].data]


def commit(repository: Path, files: dict[str, File], message: str):
    """Replaces all files of the repository by these, in one commit."""
    run_git(repository, "rm", "-r", "-q", "--force", "--ignore-unmatch", ".")
    for path, file in files.items():
        target = repository / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        target.chmod(0o755 if file.executable else 0o644)
    names = b"\0".join(os.fsencode(path) for path in files)
    run_git(repository, "add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul",
            input=names)
    run_git(repository, "commit", "-q", "--allow-empty", "--no-verify", "-m", message)


def begin(folder: Path):
    """An empty repository: without hooks, and with files stored as they are."""
    run_git(folder, "init", "-q", "--template=", "--initial-branch=main", "--object-format=sha1")
    attributes = folder / ".git" / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("* -text -filter -ident\n", encoding="utf-8")


def write(folder: Path) -> int:
    """Makes the student's repository in `folder`, or adds a commit to the one that is there."""
    assignments = all_assignments()
    root = clone_folder()
    course = f"{course_folder().resolve().relative_to(root.resolve()).as_posix()}/"
    secrets, files = Secrets(assignments), student_files(root, course, assignments)
    refuse(prove_starters(files, course, assignments)
           + [w for path, f in files.items()
              for w in secrets.within(path, f.data, is_library(path, course))],
           "nothing was written, as it would give away")
    if (folder / ".git").exists():
        count = update(folder, course, secrets, files)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise GradeError(f"{folder} is neither empty nor a student's repository")
    else:
        count = create(folder, course, secrets, files)
    tasks = sum(len(a.tasks) for a in assignments)
    size = sum(len(f.data) for f in files.values())
    print(f"{folder}: {len(files)} files, {size / 1e6:.1f} MB; {tasks} tasks of {len(assignments)} "
          "assignments with the starter's code")
    print(f"Proved over all {count} objects of its history: none is a file or has a line of the "
          f"staff's, and the {len(secrets.solutions)} lines by which a solution would be known are "
          "in none of them\n(of the library's own source, a single line may be alike)")
    return 0


def create(folder: Path, course: str, secrets: Secrets, files: dict[str, File]) -> int:
    """How many objects were proved."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        begin(part)
        commit(part, files, "Limulus and its assignments")
        count, found = prove_history(part, course, secrets)
        refuse(prove_last_commit(part, files) + found,
               "nothing was written, as it would give away")
        part.chmod(0o755)
        if folder.exists():
            folder.rmdir()  # empty
        part.rename(folder)
        return count
    finally:
        shutil.rmtree(part, ignore_errors=True)


def update(folder: Path, course: str, secrets: Secrets, files: dict[str, File]) -> int:
    """How many objects were proved."""
    count, found = prove_history(folder, course, secrets)
    refuse(found, f"{folder} was not touched: its history is no student's, as it gives away")
    if changed := run_git(folder, "status", "--porcelain").decode(errors="replace").splitlines():
        refuse(changed, f"{folder} was not touched: it has changes that are not committed")
    if not prove_last_commit(folder, files):
        print("nothing has changed")
        return count
    commit(folder, files, "A new version of Limulus and its assignments")
    count, found = prove_history(folder, course, secrets)
    refuse(prove_last_commit(folder, files) + found, f"do not publish {folder}: it gives away")
    return count
