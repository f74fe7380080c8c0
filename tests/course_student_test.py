"""What a student reads: the starter's handout, the usage, and what a failed test or build says.
Nothing is built."""

import contextlib
import io
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "course"))
sys.dont_write_bytecode = True

from grader import GradeError, assignment, build, grading, plain_math  # noqa: E402
from grader import results, starter, student  # noqa: E402

ALL = assignment.all_assignments()


def printed(call, *arguments) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        call(*arguments)
    return text.getvalue()


class Handouts(unittest.TestCase):
    def test_nothing_is_left_that_the_site_alone_understands(self):
        for a in ALL:
            text = starter.handout(a)
            self.assertEqual(re.findall(r"\{[a-z]+\}`|```\{|\]\(\.\./", text), [], a.id)
            self.assertEqual(text.count(starter.PAGES), 1, a.id)
            self.assertEqual(text.count("```") % 2, 0, a.id)
            for page in (text, starter.for_students(a)):  # an editor sets no formulas
                prose = re.sub(r"```.*?```|`[^`\n]*`", "", page, flags=re.S)
                self.assertNotRegex(prose, r"[$\\]", a.id)

    def test_formulas_are_plain_text(self):
        for formula, wanted in (
            (r"\left\lfloor \frac{N - (D(F-1)+1) + 2P}{S} \right\rfloor + 1",
             "⌊(N - (D(F-1)+1) + 2P)/S⌋ + 1"),
            (r"\frac{C}{g} F^2", "(C/g) F^2"),
            (r"v \leftarrow 0.9 \, v", "v ← 0.9 v"),
            (r"\sum_{j \in W(i)} x_j s_j^{-\beta-1}", "Σ_(j ∈ W(i)) x_j s_j^(-β-1)"),
            (r"\sqrt{p(1 - p)/n}", "√(p(1 - p)/n)"),
            (r"\frac{\partial}{\partial x}", "∂/(∂ x)"),
        ):
            self.assertEqual(plain_math.plain(formula), wanted)
        self.assertEqual(plain_math.of_page("`$HOME` is $256$ of $a_i$\n$$x$$\n"),
                         "`$HOME` is 256 of `a_i`\n    x\n")
        for wrong, what in ((r"\oint x", r"\\oint"), (r"\frac{a}{b", "without its")):
            with self.assertRaisesRegex(GradeError, what):
                plain_math.plain(wrong)

    def test_an_archive_brings_the_page_for_students(self):
        for a in ALL:
            files = starter.files_of(a)
            self.assertIn(b"# For students", files[starter.STUDENTS])
            self.assertIn(f"`{starter.STUDENTS}`".encode(), files["README.md"], a.id)

    def test_what_the_site_shows_of_a_file_stands_there(self):
        shown = 0
        for a in ALL:
            for found in starter.EXCERPT.finditer((a.folder / "README.md").read_text()):
                lines = starter.excerpt(a, found).splitlines()
                self.assertEqual([lines[0], lines[-1]], ["```cpp", "```"])
                of_file = (a.folder / found[1]).read_text()
                self.assertIn("\n".join(lines[1:-1]), of_file)
                self.assertGreater(len(lines), 5)
                shown += 1
        self.assertGreaterEqual(shown, 5)

    def test_a_starter_made_of_a_starter_has_the_same_handout(self):
        a = ALL[0]
        with tempfile.TemporaryDirectory() as folder:
            grade = Path(starter.write(a, Path(folder)))
            subprocess.run(["tar", "xzf", str(grade), "-C", folder], check=True)
            home = Path(folder, starter.folder_name(a))
            subprocess.run([sys.executable, "grade", "starter", a.id, "again"], cwd=home,
                           check=True, capture_output=True)
            self.assertEqual((home / "again" / grade.name).read_bytes(), grade.read_bytes())

    def test_the_usage_of_a_starter_names_no_command_of_the_staff(self):
        with tempfile.TemporaryDirectory() as folder:
            starter.write_folder(starter.files_of(ALL[0]), Path(folder))
            usages = [
                subprocess.run([sys.executable, str(grade)], capture_output=True, text=True,
                               check=True).stdout
                for grade in (Path(folder, "grade"), ROOT / "course" / "grade")
            ]
        for words, here in (("grade pack", [True, True]), ("grade verify", [False, True]),
                            ("The staff", [False, True]), ("COMMAND --help", [True, True])):
            self.assertEqual([words in usage for usage in usages], here, words)


class Messages(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.a = assignment.find("a3")
        self.a.folder = Path(scratch.name)  # where attempts are counted
        self.results = results.Results(self.a, None, {})

    def test_a_compilers_message_is_under_the_name_that_the_tests_say(self):
        self.results.set_build(False, "src/forward.cpp: does not compile\n1 | ?")
        text = printed(student.show_build, self.results)
        self.assertEqual(text.splitlines()[0].split(), ["FAIL", "0", "build"])
        self.assertIn("   1 | ?", text)
        self.results.set_build(True, "src/forward.cpp: warnings\nunused")
        self.assertEqual(printed(student.show_build, self.results).split()[0], "warn")
        self.results.set_build(True, grading.CLEAN)
        self.assertEqual(printed(student.show_build, self.results), "")

    def test_hints_open_for_wrong_results_and_not_for_files_that_do_not_compile(self):
        tests = [t for t in self.a.tests if t.task == "3.1" and not t.hidden]
        for kind, attempts in (("build", 0), ("not written", 0), ("wrong", 1), ("missing", 2)):
            for test in tests:
                self.results.set(test, False, "", kind)
            printed(student.count_attempts, self.a, tests, self.results)
            self.assertEqual(student.read_attempts(self.a)["3.1"], attempts, kind)

    def test_an_index_outside_of_an_array_is_said_in_one_line(self):
        program = """#include <span>
            #include <vector>
            int main(int, char** words) {
              float values[2] = {};
              std::span<const float> in(values);
              std::span<float> out(values);
              std::vector<double> own(2);
              const int i = words[0] ? 2 : 0, which = words[1][0] - '0';
              if (which == 0) return int(in[i]);
              if (which == 1) out[i] = 1;
              if (which == 2) own[i] = 1;
              if (which == 3) return int(in.subspan(i + 1).size());
            }"""
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a.cpp").write_text(program)
            subprocess.run([build.COMPILER, *build.FLAGS, "a.cpp", "-o", "a"], cwd=folder,
                           check=True)
            lines = [
                grading.plainly(
                    subprocess.run(["./a", str(which)], cwd=folder, capture_output=True, text=True,
                                   check=False).stderr).strip() for which in range(4)
            ]
        for line, words in zip(
                lines, ("in an array of const float (an input)",
                        "in an array of float (an output, or your own)",
                        "in an array of double (an output, or your own)",
                        "in an array of const float (an input)"), strict=True):
            self.assertRegex(line, r"^Assertion '.*' failed, " + re.escape(words) + "$")
        self.assertEqual(grading.plainly("y = 3: Assertion"), "y = 3: Assertion")

    def test_why_cmake_cannot_use_a_library(self):
        said = ("CMake Error at CMakeLists.txt:3 (find_package):\n  Found package configuration "
                "file:\n\n    /x/limulus-config.cmake\n\n  but it set limulus_FOUND to FALSE. "
                "Reason given by package:\n\n  Limulus was linked\n  with libraries.\n\n"
                "      apt-get install zlib1g-dev\n\n\n\n-- Configuring incomplete!\n")
        self.assertEqual(build.why_not_found(said),
                         "Limulus was linked with libraries.\n    apt-get install zlib1g-dev")
        self.assertEqual(build.why_not_found("error: no such file"), "")


if __name__ == "__main__":
    unittest.main()
