"""The course's grader where submissions are OpenCL kernels (course/grader/kernels.py): the
compiler's messages, what Oclgrind finds and counts, and what happens where it is not installed. No
device is needed; that kernels are built and run is proved by `grade verify`."""

import contextlib
import io
import json
import re
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "course"))
sys.dont_write_bytecode = True

from grader import GradeError, assignment, grading, kernels, results, starter  # noqa: E402
from grader import schema, student, submissions, verify  # noqa: E402

A6 = assignment.find("a6")
TEXT = "kernel void f(global float* y) {\n  y[0] = undeclared;\n}\n"


class Messages(unittest.TestCase):
    def test_an_error_shows_the_file_the_line_and_the_place(self):
        log = ("error: /box/pocl/tempfile_aB3xyz.cl:2:10: use of undeclared identifier\n"
               "Device basic-x failed to build the program\n1 error generated.\n")
        self.assertEqual(
            kernels.messages(log, "src/f.cl", TEXT),
            "src/f.cl:2:10: error: use of undeclared identifier\n"
            "    2 |   y[0] = undeclared;\n      |          ^")

    def test_errors_come_before_warnings_each_once_and_three_at_most(self):
        log = "warning: /t/tempfile_a.cl:1:1: first\n" + "".join(
            f"error: /t/tempfile_a.cl:{n}:1: no {n}\n" for n in (1, 1, 2, 3, 9))
        found = kernels.messages(log, "f.cl", TEXT)
        self.assertEqual(re.findall(r"no \d|first", found), ["no 1", "no 2", "no 3"])

    def test_warnings_alone(self):
        self.assertIn("f.cl:1:1: warning: hm",
                      kernels.messages("warning: /t/tempfile_a.cl:1:1: hm\n", "f.cl", TEXT))
        self.assertEqual(kernels.messages("", "f.cl", TEXT), "")

    def test_a_line_that_the_file_does_not_have(self):
        self.assertIn("f.cl:99:1: error: end",
                      kernels.messages("error: /t/tempfile_a.cl:99:1: end\n", "f.cl", TEXT))

    def test_a_header_keeps_its_name(self):
        self.assertTrue(kernels.messages("error: src/layers.h:3:1: what", "f.cl", TEXT).startswith(
            "layers.h:3:1: error: what"))

    def test_a_function_that_no_device_has(self):
        log = "Error(s) while linking: \nCannot find symbol system in kernel library\n"
        self.assertEqual(kernels.messages(log, "f.cl", TEXT),
                         "f.cl: error: it calls system, which OpenCL C does not have")

    def test_what_is_no_complaint_of_a_line(self):
        self.assertEqual(kernels.messages("error: there is no kernel 'f' in it", "f.cl", TEXT),
                         "f.cl: error: there is no kernel 'f' in it")
        self.assertEqual(kernels.messages("Killed for some reason", "f.cl", TEXT),
                         "Killed for some reason")


RACE = """
Write-write data race at global memory address 0x3000000000002
\tKernel: conv
\t
\tFirst entity:  Global(2,0,0) Local(2,0,0) Group(0,0,0)
\t  store float %conv3, float addrspace(1)* %y, align 4, !dbg !45, !tbaa !38
\tAt line 5 (column 8) of input.cl:
\t  y[0] = i;

Another complaint
\tKernel: conv
"""
COUNTS = """Instructions executed for kernel 'f':
       1,200 - add
       300 - load global (1,200 bytes)
       100 - load local (400 bytes)
"""


class Oclgrind(unittest.TestCase):
    def test_its_first_complaint_names_the_line_of_the_kernel(self):
        found = kernels.finding(RACE)
        self.assertTrue(found.startswith("Write-write data race"), found)
        self.assertIn("\n    At line 5 (column 8) of conv.cl:\n      y[0] = i;", found)
        self.assertNotIn("addrspace", found)
        self.assertNotIn("Another", found)

    def test_no_complaint(self):
        for output in ("", "\n", COUNTS, "\tKernel: at the very beginning"):
            self.assertEqual(kernels.finding(output), "")

    def test_what_was_read(self):
        self.assertEqual(kernels.bytes_read(COUNTS), 1200)
        self.assertEqual(kernels.bytes_read(""), 0)
        self.assertEqual(kernels.bytes_read("load global (8 bytes)\n"), 8)

    def test_a_table_that_a_kernel_prints_does_not_count(self):
        forged = COUNTS.replace("1,200 bytes", "4 bytes")
        self.assertEqual(kernels.bytes_read(forged + COUNTS), 1200)
        none = "Instructions executed for kernel 'f':\n     1 - add\n"
        self.assertEqual(kernels.bytes_read(forged + none), 0)


class Files(unittest.TestCase):
    def test_a_starters_kernel_throws_nothing(self):
        text = "  // BEGIN SOLUTION 6.1\n  y[0] = 1;\n  // END SOLUTION\n"
        self.assertEqual(starter.strip(text, "src/f.cl", {"6.1"}), '  NotWritten("6.1");\n')
        self.assertEqual(starter.strip(text, "src/f.cpp", {"6.1"}), '  throw NotWritten("6.1");\n')

    def test_a_file_has_a_kernel_of_its_name(self):
        for task in A6.tasks.values():
            if task.is_kernel:
                text = starter.task_file(A6, task.id, solved=False)
                self.assertIn(f"kernel void {Path(task.file).stem}(", text)
                self.assertIn(f'\n  NotWritten("{task.id}");\n', text)

    def test_the_runner_reads_the_mark_that_starters_have(self):
        host = (ROOT / "course" / "common" / "opencl.h").read_text(encoding="utf-8")
        self.assertIn(r'"NotWritten(\""', host)

    def test_there_are_hostile_kernels_of_each_kind(self):
        names = {p.stem for p in (ROOT / "course" / "hostile" / "kernels").glob("*.cl")}
        self.assertGreaterEqual(
            names, {"endless_loop", "write_outside", "nothing", "include_file", "wild_pointer"})

    def test_a_tool_that_nobody_knows(self):
        with tempfile.TemporaryDirectory() as folder:
            text = (A6.folder / "assignment.toml").read_text(encoding="utf-8")
            Path(folder, "assignment.toml").write_text(
                text.replace('tool = "oclgrind"', 'tool = "magic"', 1), encoding="utf-8")
            with self.assertRaisesRegex(GradeError, "no tool 'magic' is known"):
                assignment.read(Path(folder))


class WithoutOclgrind(unittest.TestCase):
    """Its tests are nobody's fault: not failed, counted, and no number in a table."""
    def setUp(self):
        patch = mock.patch.object(kernels.shutil, "which", return_value=None)
        patch.start()
        self.addCleanup(patch.stop)
        self.tests = [t for t in A6.tests if t.tool]

    def results_in(self, folder: str) -> results.Results:
        found = results.Results(A6, Path(folder, "ann", "results.json"), {})
        nothing = SimpleNamespace(a=A6)
        run = grading.Grading(nothing, nothing, found, {}, tests=self.tests)
        run.compiled = {"6.1": None}  # nothing is to be built: no test gets that far
        run.run()
        found.set_build(True, "")
        found.finish(0)
        return found

    def test_they_are_left_ungraded_and_the_rest_can_be_proved(self):
        self.assertEqual(len(self.tests), 7)
        self.assertEqual(verify.gradable(A6), [t for t in A6.untimed if not t.tool])

    def test_results_say_so_once(self):
        with tempfile.TemporaryDirectory() as folder:
            found = self.results_in(folder)
            data = json.loads(Path(folder, "ann", "results.json").read_text(encoding="utf-8"))
            self.assertEqual(schema.errors(data, schema.load()), [])
            self.assertEqual(
                data["output"], ", ".join(t.number for t in self.tests) +
                " was not graded on this machine: oclgrind is not installed")
            table = submissions.class_table(A6, Path(folder), ["ann"], {}).splitlines()
            cells = dict(zip(table[0].split(","), table[1].split(","), strict=False))
            self.assertEqual([cells[t.number] for t in self.tests], [""] * len(self.tests))
            self.assertEqual(cells["6.1.1"], "0")
            self.assertTrue(all(found.is_ungraded(t) for t in self.tests))

    def test_a_student_is_told_how_many_and_what_they_are_worth(self):
        with tempfile.TemporaryDirectory() as folder:
            found, printed = self.results_in(folder), io.StringIO()
            with contextlib.redirect_stdout(printed):
                for test in self.tests:
                    student.show(test, found.tests[test.number], A6, quiet=False)
                student.summary(A6, self.tests, [], found, 1)
        worth = sum(t.points for t in self.tests)
        self.assertEqual(printed.getvalue().count("skip  "), len(self.tests))
        self.assertIn(f"7 skipped, worth {worth:g} points: not graded on this machine",
                      printed.getvalue())
        self.assertNotIn("public tests pass", printed.getvalue())


if __name__ == "__main__":
    unittest.main()
