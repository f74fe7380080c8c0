"""`grade student-repository`: nothing of the staff's and no solution is in what students get, nor
in its history, and what would give one away is found wherever somebody may have put it. A clone of
the course alone stands for the repository; the last test takes the whole of it."""

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOLUTION = "course/a3_convolution/src/forward.cpp"
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {
    "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def git(folder: Path, *arguments: str, **options) -> str:
    who = ["-c", "user.name=Staff", "-c", "user.email=staff@example.org"]
    return subprocess.run(["git", *who, "-C", str(folder), *arguments], env=ENVIRONMENT, check=True,
                          capture_output=True, text=True, errors="replace", **options).stdout


def commit_all(folder: Path):
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "A change")


def solution(path: Path) -> list[str]:
    """The lines between markers, found without the grader."""
    found, inside = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if "END SOLUTION" in line:
            inside = False
        elif "BEGIN SOLUTION" in line:
            inside = True
        elif inside:
            found.append(line.strip())
    return found


def everything(repository: Path) -> str:
    """All objects of a repository as one text, whether a commit leads to them or not."""
    return git(repository, "cat-file", "--batch", "--batch-all-objects", "--buffer")


class StudentRepository(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.clone, self.out = Path(scratch.name, "clone"), Path(scratch.name, "students")
        shutil.copytree(ROOT / "course", self.clone / "course",
                        ignore=shutil.ignore_patterns("__pycache__", ".attempts.json", "*.zip"))
        page = Path("docs", "course", "students.md")  # which starters bring
        (self.clone / page).parent.mkdir(parents=True)
        shutil.copy(ROOT / page, self.clone / page)
        git(self.clone.parent, "init", "-q", "--template=", str(self.clone))
        commit_all(self.clone)

    def grade(self, *arguments: str, folder: Path | None = None, wanted: int = 0) -> str:
        done = subprocess.run([sys.executable, str((folder or self.clone) / "course" / "grade"),
                               *arguments], env=ENVIRONMENT, capture_output=True, text=True,
                              check=False)
        printed = done.stdout + done.stderr
        self.assertEqual(done.returncode, wanted, printed)
        return printed

    def make(self) -> str:
        return self.grade("student-repository", str(self.out))

    def refused(self, *words: str):
        printed = self.grade("student-repository", str(self.out), wanted=2)
        for word in words:
            self.assertIn(word, printed)
        self.assertEqual(list(self.out.parent.glob(".students-*")), [])  # no half of one is left

    def plant(self, path: str, content: str | bytes):
        target = self.clone / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        git(self.clone, "add", "--force", path)

    def test_each_task_has_the_starters_code(self):
        self.assertIn("with the starter's code", self.make())
        for path in sorted(self.clone.glob("course/*/assignment.toml")):
            for task in tomllib.loads(path.read_text(encoding="utf-8"))["tasks"]:
                name = f"{path.parent.name}/{task['file']}"
                given = (self.out / "course" / name).read_text(encoding="utf-8")
                throw = "" if name.endswith(".cl") else "throw "  # OpenCL C throws nothing
                self.assertIn(f'{throw}NotWritten("{task["id"]}");', given)
                self.assertNotIn("SOLUTION", given)
                lines = [line.strip() for line in given.splitlines()]
                hidden = [line for line in solution(self.clone / "course" / name)
                          if len(line) > 25 and not line.startswith(("#include", "//"))]
                self.assertTrue(hidden)
                self.assertEqual([line for line in hidden if line in lines], [], name)

    def test_nothing_of_the_staffs_is_in_it_nor_in_its_history(self):
        self.make()
        names = git(self.out, "log", "--all", "--name-only", "--format=").split()
        self.assertFalse([n for n in names
                          if re.search(r"staff|hidden\.toml|mutants|hostile|verify|leaks", n)])
        stored = everything(self.out)
        for path in sorted(self.clone.glob("course/**/staff/*")):
            for line in path.read_text(encoding="utf-8").splitlines():
                if len(line) > 60 or line.startswith("secret"):
                    self.assertNotIn(line, stored, path)
        for line in solution(self.clone / SOLUTION):
            if len(line) > 40:
                self.assertNotIn(line, stored)
        self.assertEqual(git(self.out, "rev-list", "--count", "--all").strip(), "1")

    def test_the_students_copy_of_grade_works_and_is_no_staffs(self):
        self.make()
        self.assertIn("3.1  forward", self.grade("list", folder=self.out))
        self.assertIn("Hint 1", self.grade("hint", "3.1", folder=self.out))
        self.assertIn("is the staff's", self.grade("student-repository", "x", folder=self.out,
                                                   wanted=2))

    def test_what_would_give_a_solution_away_is_found(self):
        text = (self.clone / SOLUTION).read_text(encoding="utf-8")
        line = max(solution(self.clone / SOLUTION), key=len)
        secret = tomllib.loads((self.clone / "course/a1_shapes/staff/hidden.toml").read_text())
        answer = max((self.clone / "course/staff/questions.md").read_text().splitlines(), key=len)
        marked = "// BEGIN SOLUTION 3.1\nint answer;\n// END SOLUTION\n"
        for path, planted, words in (
            ("docs/page.md", f"so write\n\n    {line}\n",
             "a line of a3_convolution/src/forward.cpp"),
            ("core/copy.cpp", text, f"core/copy.cpp is {SOLUTION.removeprefix('course/')}"),
            ("core/part.cpp", "\n".join(solution(self.clone / SOLUTION)), "core/part.cpp:"),
            ("course/a3_convolution/tests/old.cpp", marked, "a marker of a solution"),
            ("docs/fix.md", f"+    // {line}\n", "a line of a3_convolution/src/forward.cpp"),
            ("docs/wide.md", line.replace(" ", "   ") + "\r\n", "a line of a3_convolution"),
            ("tools/copy16.txt", text.encode("utf-16"), "tools/copy16.txt:"),
            ("data/old.zip", self.archive("w", text), "data/old.zip, w"),
            ("data/old2.zip", self.archive("in.zip", self.archive("w", text)), "in.zip, w"),
            ("data/torn.zip", self.archive("w", text)[:200], "cannot be looked into"),
            ("notes.txt", f"the number is {secret['secret']}\n", "the secret of a1's hidden tests"),
            ("exam.md", answer + "\n", "a line of staff/questions.md"),
        ):
            with self.subTest(path=path):
                self.plant(path, planted)
                self.refused("nothing was written", words)
                self.assertFalse(self.out.exists())
                git(self.clone, "rm", "-q", "--force", path)

    @staticmethod
    def archive(name: str, content: str | bytes) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, content)
        return packed.getvalue()

    def test_what_else_lies_in_the_course_stays_there(self):
        left = ("course/marks.csv", "course/a3_convolution/src/forward_2025.cpp",
                "course/a3_convolution/notes.md", "course/grader/private.txt", "exams/staff/x.md",
                "tests/course_x.py")
        for path in left:
            self.plant(path, "Ada: 100\n")
        self.make()
        self.assertEqual([path for path in left if (self.out / path).exists()], [])
        self.assertNotIn("Ada", everything(self.out))

    def test_a_fuzzers_input_may_be_torn(self):
        self.plant("tests/fuzz/corpus/idx/torn.gz", b"\x1f\x8b\x08 torn")
        self.make()

    def test_a_single_line_of_the_library_may_be_alike(self):
        line = max(solution(self.clone / SOLUTION), key=len)
        self.plant("core/loop.cpp", line + "\n")
        self.make()

    def test_a_new_version_is_a_commit_on_top(self):
        self.make()
        self.assertIn("nothing has changed", self.make())
        self.plant("course/a3_convolution/hints.md", "# Better hints\n")
        self.plant("new page.md", "A page.\n")
        git(self.clone, "rm", "-q", "--force", "course/slides/2_gradients.md")
        self.make()
        self.assertEqual(git(self.out, "rev-list", "--count", "HEAD").strip(), "2")
        self.assertEqual((self.out / "new page.md").read_text(), "A page.\n")
        self.assertFalse((self.out / "course/slides/2_gradients.md").exists())
        self.assertEqual(git(self.out, "status", "--porcelain"), "")

    def test_a_history_that_gives_something_away_is_not_added_to(self):
        text = (self.clone / SOLUTION).read_text(encoding="utf-8")

        def by_a_commit():
            (self.out / "old.cpp").write_text(text, encoding="utf-8")
            commit_all(self.out)
            git(self.out, "rm", "-q", "old.cpp")
            commit_all(self.out)

        def by_an_object():  # which no commit leads to
            git(self.out, "hash-object", "-w", "--stdin", input=text)

        def by_a_message():
            git(self.out, "commit", "-q", "--allow-empty", "-m",
                max(solution(self.clone / SOLUTION), key=len))

        def by_another_branch():
            git(self.out, "checkout", "-q", "-b", "draft")
            (self.out / "staff").mkdir()
            (self.out / "staff" / "x").write_text("x")
            commit_all(self.out)
            git(self.out, "checkout", "-q", "main")

        for spoil in (by_a_commit, by_an_object, by_a_message, by_another_branch):
            with self.subTest(spoil.__name__):
                shutil.rmtree(self.out, ignore_errors=True)
                self.make()
                spoil()
                self.refused("was not touched: its history is no student's")

    def test_folders_that_are_somebody_elses(self):
        self.out.mkdir()
        (self.out / "thesis.tex").write_text("years of work")
        self.refused("is neither empty nor a student's repository")
        self.assertEqual((self.out / "thesis.tex").read_text(), "years of work")
        shutil.rmtree(self.out)
        self.make()
        (self.out / "README").write_text("a change")
        self.refused("it has changes that are not committed", "README")
        self.out = self.clone
        self.refused("was not touched: its history is no student's")

    def test_what_git_does_not_know_is_not_handed_out(self):
        (self.clone / "course" / "marks.csv").write_text("Ada,100\n")
        self.make()
        self.assertNotIn("Ada", everything(self.out))
        git(self.clone, "rm", "-q", "--cached", SOLUTION)
        self.refused(f"{SOLUTION} is not known to git")

    def test_files_that_cannot_be_handed_out_are_named(self):
        (self.clone / "link").symlink_to("course/staff/questions.md")
        git(self.clone, "add", "link")
        self.refused("link is a link or a submodule")
        git(self.clone, "rm", "-q", "--force", "link")
        self.plant("gone.md", "x")
        (self.clone / "gone.md").unlink()
        self.refused("gone.md: git knows it, but it cannot be read")
        git(self.clone, "rm", "-q", "--cached", "gone.md")
        git(self.clone, "rm", "-q", "course/a1_shapes/hints.md")
        self.refused("a1 is not whole", "hints.md: No such file or directory")

    def test_no_hook_or_setting_takes_part(self):
        home = self.clone.parent / "home"
        (home / "hooks").mkdir(parents=True)
        hook = home / "hooks" / "pre-commit"
        hook.write_text("#!/bin/sh\necho x >planted && git add planted\n")
        hook.chmod(0o755)
        (home / ".gitconfig").write_text(f"[core]\nhooksPath = {home}/hooks\nautocrlf = true\n")
        subprocess.run([sys.executable, str(self.clone / "course" / "grade"), "student-repository",
                        str(self.out)], check=True, capture_output=True,
                       env={**ENVIRONMENT, "HOME": str(home),
                            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig")})
        self.assertFalse((self.out / "planted").exists())

    @unittest.skipUnless((ROOT / ".git").exists(), "this is no clone")
    def test_this_repository(self):
        printed = self.grade("student-repository", str(self.out), folder=ROOT)
        self.assertRegex(printed, r"Proved over all \d+ objects")
        self.assertTrue((self.out / "run").stat().st_mode & 0o100)
        self.assertTrue((self.out / "core" / "autograd.cpp").is_file())
        self.assertEqual(list(self.out.glob("tests/course_*")), [])


if __name__ == "__main__":
    unittest.main()
