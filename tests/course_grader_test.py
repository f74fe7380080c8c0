"""What the course's grader (course/grader) reads, and how it runs programs: markers, assignments,
submissions, isolation. Nothing is built."""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import zipfile
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "course"))
sys.dont_write_bytecode = True

from grader import GradeError, assignment, build, collect, memo, processes  # noqa: E402
from grader import limulus, program, sandbox, starter, student  # noqa: E402

ALL = assignment.all_assignments()
TASKS = {"3.1", "3.2"}


def says(test: unittest.TestCase, words: str):
    return test.assertRaisesRegex(GradeError, re.escape(words))


class Markers(unittest.TestCase):
    TEXT = "a\n  // BEGIN SOLUTION 3.1\n  b;\n  // END SOLUTION\nc\n"

    def test_a_solution_becomes_a_throw_with_its_indentation(self):
        self.assertEqual(starter.strip(self.TEXT, "f", TASKS), 'a\n  throw NotWritten("3.1");\nc\n')

    def test_a_task_that_is_kept_loses_its_markers_only(self):
        self.assertEqual(starter.strip(self.TEXT, "f", TASKS, {"3.1"}), "a\n  b;\nc\n")

    def test_what_is_removed_leaves_nothing(self):
        text = "// BEGIN SOLUTION 3.1 removed\n#include <map>\n// END SOLUTION\nx\n"
        self.assertEqual(starter.strip(text, "f", TASKS), "x\n")

    def test_mistakes_name_the_line(self):
        begin, end = "// BEGIN SOLUTION 3.1\n", "// END SOLUTION\n"
        for text, words in ((begin + begin + end, "f:2: BEGIN SOLUTION within the one of line 1"),
                            (begin + "x\n", "f:1: BEGIN SOLUTION without an END"),
                            ("x\n" + end, "f:2: END SOLUTION without a BEGIN"),
                            (begin + end + end, "f:3: END SOLUTION without a BEGIN"),
                            ("// BEGIN SOLUTION 9.9\n" + end,
                             "task '9.9', which does not exist"), ("// BEGIN SOLUTION\n" + end,
                                                                   "task '', which does not exist"),
                            ("// BEGIN SOLUTION 3.1 remove\n" + end,
                             "f:1: a marker that is not understood"),
                            ("x = 1;  // BEGIN SOLUTION 3.1\n" + end,
                             "f:1: a marker that is not understood"),
                            ("// begin solution 3.1\n" + end,
                             "f:1: a marker that is not understood"),
                            (begin + "// END SOLUTION 3.1\n",
                             "f:2: a marker that is not understood")):
            with self.subTest(text=text), says(self, words):
                starter.strip(text, "f", TASKS)


class Assignments(unittest.TestCase):
    GOOD = (
        'id = "a9"\ntitle = "T"\nhours = 1\nsources = []\n[limits]\nseconds = 1\nmemory_mib = 256\n'
        '[[tasks]]\nid = "9.1"\ntitle = "t"\nfile = "src/a.cpp"\n'
        '[[tests]]\ntask = "9.1"\ncase = "c"\ntitle = "u"\npoints = 40\nhidden = 60\n')

    def read(self, text: str):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "assignment.toml").write_text(text)
            return assignment.read(Path(folder))

    def test_one_case_is_two_tests(self):
        a = self.read(self.GOOD)
        self.assertEqual([(t.number, t.points, t.hidden) for t in a.tests], [("9.1.1", 40, False),
                                                                             ("9.1.1h", 60, True)])

    def test_ranks(self):
        a = self.read(self.GOOD + "ranks = 4\n")
        self.assertEqual([t.ranks for t in a.tests], [4, 4])
        self.assertEqual(self.read(self.GOOD).tests[0].ranks, 0)
        for wrong in ("9", "2.5", "-1", '"two"'):
            with self.subTest(ranks=wrong), says(self, "'ranks'"):
                self.read(self.GOOD + f"ranks = {wrong}\n")

    def test_a_title_becomes_the_name_of_a_folder(self):
        a = self.read(self.GOOD.replace('title = "T"', 'title = "Two towers, many: 1/2"'))
        self.assertEqual(starter.folder_name(a), "a9-two-towers-many-1-2")

    def test_mistakes_name_the_place(self):
        for old, new, words in (('title = "t"', "title = 3",
                                 "task 1: 'title' must be text"), ('file = "src/a.cpp"', "",
                                                                   "task 1: 'file' is missing"),
                                ('file = "src/a.cpp"', 'file = "../a.cpp"',
                                 "within the assignment's folder"),
                                ('file = "src/a.cpp"', 'file = "/etc/passwd"',
                                 "within the assignment's folder"), ("points = 40", "points = -1",
                                                                     "'points' is -1"),
                                ("points = 40", "points = true", "'points' must be a number"),
                                ("points = 40", "points = nan",
                                 "'points' is nan"), ('task = "9.1"', 'task = "9.2"',
                                                      "test 1: there is no task 9.2"),
                                ("hours = 1", "hours = 1\nhuors = 2",
                                 "unknown key 'huors'"), ("seconds = 1", "",
                                                          "[limits]: 'seconds' is missing"),
                                ("[limits]", "[limit]",
                                 "'limits' is missing"), ("[[tests]]", "[[test]]",
                                                          "[[tests]] is missing"),
                                ('id = "9.1"', 'id = "9.1"\nneeds = ["9.2"]',
                                 "it needs 9.2"), ("hours = 1", "hours = ", "Invalid value")):
            with self.subTest(new=new), says(self, words):
                self.read(self.GOOD.replace(old, new, 1))

    @staticmethod
    def points_by_kind(tests) -> tuple[float, float, float]:
        return (sum(t.points for t in tests if not t.hidden and not t.curve),
                sum(t.points for t in tests if t.hidden), sum(t.points for t in tests if t.curve))

    def test_all_of_the_course_have_100_points_and_a_handout_that_says_so(self):
        for a in ALL:
            handout = (a.folder / "README.md").read_text(encoding="utf-8")
            self.assertEqual(a.points, 100, a.id)
            for task in a.tasks.values():
                mine = [t for t in a.tests if t.task == task.id]
                public, hidden, timed = self.points_by_kind(mine)
                columns = [public, hidden, *([timed] if a.timed else []), public + hidden + timed]
                cells = [f"{task.id} {task.title}", *(f"{n:g}" for n in columns)]
                self.assertIn(f"| {' | '.join(cells)} |", handout)
                self.assertRegex(handout,
                                 rf"### {re.escape(task.id)} .* \({columns[-1]:g} points\)")
            public, hidden, timed = self.points_by_kind(a.tests)
            self.assertIn(f"100: {public:g} from public tests, whose inputs you have; "
                          f"{hidden:g} from hidden tests of the same kinds", handout)
            self.assertEqual(f"; {timed:g} for speed" in handout, bool(a.timed))
            for test in a.timed:  # the curve is published
                steps = "; ".join(f"{points:g} from {share:.2f} on" for share, points in test.curve)
                self.assertIn(f"| {test.task} {test.title} | {steps} |", handout)
            self.assertIn(f"about {a.hours:g} hours", handout)

    def test_a_starters_judge_is_made_of_the_same_files_in_the_same_order(self):
        code = ("import sys\nfrom grader import assignment, limulus\n"
                "for path in limulus.sources_of(assignment.all_assignments()[0]): print(path.name)")
        for a in ALL:
            with self.subTest(a.id), tempfile.TemporaryDirectory() as folder:
                starter.write_folder(starter.files_of(a), Path(folder))
                printed = subprocess.run([sys.executable, "-B", "-c", code], cwd=folder, text=True,
                                         capture_output=True, check=True).stdout.split()
            here = [path.name for path in limulus.sources_of(a)]
            self.assertEqual(printed, here)
            self.assertIn("judge.cpp", here)

    def test_every_task_has_three_hints(self):
        for a in ALL:
            self.assertEqual({task: len(levels)
                              for task, levels in student.read_hints(a).items()},
                             dict.fromkeys(a.tasks, 3), a.id)
            self.assertTrue(
                all(text for levels in student.read_hints(a).values() for text in levels))


class Collected(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.a = ALL[0]
        self.file = next(iter(self.a.tasks.values())).file

    def put(self, name: str, data=b"int x;"):
        path = self.folder / "s" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def test_in_folders_of_all_kinds(self):
        for prefix in ("", "deep/er/", "a1-shapes/"):
            with self.subTest(prefix=prefix):
                self.put(prefix + self.file, prefix.encode())
        self.assertEqual(collect.collect(self.a, self.folder / "s"),
                         {self.file: b""})  # the nearest to the top

    def test_a_file_that_lost_its_folder(self):
        self.put(Path(self.file).name)
        self.assertEqual(collect.collect(self.a, self.folder / "s"), {self.file: b"int x;"})

    def test_nothing_else_and_no_links(self):
        self.put("src/shapes.h")
        self.put("src/other.cpp")
        self.put("secret", b"secret")
        (self.folder / "s" / self.file).symlink_to(self.folder / "s" / "secret")
        self.assertEqual(collect.collect(self.a, self.folder / "s"), {})

    def test_archives(self):
        with zipfile.ZipFile(self.folder / "a.zip", "w") as archive:
            archive.writestr("x/" + self.file, "zip")
            archive.writestr("../../etc/" + "evil", "no")
        with tarfile.open(self.folder / "a.tar.gz", "w:gz") as archive:
            entry = tarfile.TarInfo("./" + self.file)
            entry.size = 3
            archive.addfile(entry, io.BytesIO(b"tar"))
            link = tarfile.TarInfo(list(self.a.tasks.values())[1].file)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        self.assertEqual(collect.collect(self.a, self.folder / "a.zip"), {self.file: b"zip"})
        self.assertEqual(collect.collect(self.a, self.folder / "a.tar.gz"), {self.file: b"tar"})
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["a.tar.gz", "a.zip"])  # nothing unpacked

    def test_an_archive_in_a_folder(self):
        self.put("a1-submission.zip", b"")
        with zipfile.ZipFile(self.folder / "s" / "a1-submission.zip", "w") as archive:
            archive.writestr(self.file, "zip")
        self.assertEqual(collect.collect(self.a, self.folder / "s"), {self.file: b"zip"})
        self.put("older/a1-submission.zip")
        with says(self, "s holds a1-submission.zip, older/a1-submission.zip: which one?"):
            collect.collect(self.a, self.folder / "s")
        self.put(self.file)
        self.assertEqual(collect.collect(self.a, self.folder / "s"), {self.file: b"int x;"})

    def test_what_cannot_be_read_says_so(self):
        good = io.BytesIO()
        with zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(self.file, "x" * 1000)
        for name, data, words in (("a.zip", b"", "a.zip is neither"), ("b.zip", b"PK\3\4 broken",
                                                                       "b.zip"),
                                  ("c.tar.gz", b"\x1f\x8b\x08 broken", "c.tar.gz"),
                                  ("d.zip",
                                   good.getvalue()[:60] + b"\0" * 20 + good.getvalue()[80:],
                                   "d.zip")):
            (self.folder / name).write_bytes(data)
            with self.subTest(name=name), says(self, words):
                collect.collect(self.a, self.folder / name)

    def test_a_bomb_is_not_unpacked(self):
        with zipfile.ZipFile(self.folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(self.file, b"\0" * (collect.LARGEST + 1))
        with says(self, "a source file may have"):
            collect.collect(self.a, self.folder / "bomb.zip")


class Confined(unittest.TestCase):
    LIMITS = program.Limits(seconds=0.5, memory_mib=256, file_mib=1)

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.scratch = scratch.name

    def run_shell(self, box, script: str, **options):
        with sandbox.work_folder() as folder:
            return box.run(["sh", "-c", script], folder, self.LIMITS, **options)

    def test_each_kind_that_works_here(self):
        kinds = [kind for kind in sandbox.KINDS if sandbox.available(kind)]
        print("isolation that works here:", ", ".join(kinds))
        self.assertTrue(kinds)
        for kind in kinds:
            box = sandbox.Sandbox(kind)
            with self.subTest(kind=kind):
                self.assertEqual(self.run_shell(box, "echo it; exit 3").code, 3)
                self.assertNotIn("SECRET", self.run_shell(box, "env").output)
                self.assertEqual(self.run_shell(box, "kill -SEGV $$").code, -11)
                given = Path(self.scratch, f"given-{kind}")
                given.write_text("inputs")
                self.assertEqual(self.run_shell(box, "cat", stdin=given).output, "inputs")
                self.run_shell(box, "echo harm >/proc/self/fd/0", stdin=given)
                self.assertEqual(given.read_text(), "inputs")
                left = f"/dev/shm/left-{os.getpid()}-{kind}"
                self.run_shell(box, f"mkdir {left} && echo x >{left}/x")
                if kind != "limits":
                    self.assertFalse(Path(left).exists())
                    self.assertIn("Read-only" if kind == "bubblewrap" else "x",
                                  self.run_shell(box, f"echo x | tee {left}").output)
                    self.assertFalse(Path(left).exists())
                shutil.rmtree(left, ignore_errors=True)
                late = self.run_shell(box, "(setsid sleep 77 &) ; sleep 78")
                self.assertTrue(late.timed_out)
                self.assertIn("stopped after 2 s, in which", late.trouble(self.LIMITS))
                busy = self.run_shell(box, "while :; do :; done")
                self.assertTrue(busy.late and "it was stopped after" in busy.trouble(self.LIMITS))
                lines = [
                    p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline")
                    if os.access(p, os.R_OK)
                ]
                self.assertFalse([line for line in lines if line.startswith(b"sleep\x0077")])
                self.assertIn(
                    "wrote more than",
                    self.run_shell(box,
                                   "exec dd if=/dev/zero bs=64K count=1000").trouble(self.LIMITS))

    def test_nothing_runs_any_more_when_a_run_has_ended(self):
        if os.geteuid() != 0:
            self.skipTest("takes root: otherwise the user is one's own, and always runs something")
        limits = program.Limits(processes=40)
        for kind in (k for k in ("bubblewrap", "user") if sandbox.available(k)):
            box = sandbox.Sandbox(kind)
            for ending in ("exit 0", "kill -9 $$", "sleep 60"):  # the last one is ended from here
                with self.subTest(kind=kind, ending=ending), sandbox.work_folder() as folder:
                    script = f"for i in $(seq 30); do sleep 61 & done; {ending}"
                    with box.talk(["sh", "-c", script], folder, limits, ()) as running:
                        running.wait(0.5)
                        running.outcome()
                        self.assertEqual(processes.count_processes(box.user), 0)

    def test_what_the_kernel_kills_is_tried_again(self):
        with tempfile.TemporaryDirectory() as folder:
            script = 'echo x >>count; [ "$(wc -l <count)" -gt 2 ] || kill -9 $$; echo done'
            outcome = sandbox.Sandbox("limits").run(["sh", "-c", script], Path(folder),
                                                    self.LIMITS, writable=True)
            self.assertEqual((outcome.code, outcome.output), (0, "done\n"))

    def test_where_bubblewrap_may_not_work_another_kind_is_chosen_at_once(self):
        for said, tries in (("No permissions to create new namespace, likely because", 1),
                            ("setting up uid map: Permission denied", 1),
                            ("Creating new namespace failed: Operation not permitted", 1),
                            ("Creating new namespace failed: Resource temporarily unavailable", 5)):
            refused = ["sh", "-c", f"echo 'bwrap: {said}'; exit 1", "--"]
            with self.subTest(said), mock.patch.object(
                    sandbox, "bubblewrap", return_value=refused) as called, mock.patch.object(
                        sandbox.time, "sleep"), mock.patch.object(
                            sandbox.shutil, "which", return_value="/usr/bin/it"):
                self.assertFalse(sandbox.available("bubblewrap"))
                self.assertEqual(called.call_count, tries)
                self.assertIn(sandbox.choose().kind, ("user", "limits"))
                with says(self, "isolation by bubblewrap does not work on this machine"):
                    sandbox.choose("bubblewrap")

    def test_a_machine_that_stands_still_makes_nobody_late(self):
        class Stalled:  # each look at it takes 0.7 s, of which 0.5 s count
            looks = 0
            pid = -1  # nothing to be told by: it has to be looked at

            def wait(self, seconds):
                self.looks += 1
                time.sleep(0.7)
                raise subprocess.TimeoutExpired("it", seconds)

            def poll(self):
                return None

        stalled = Stalled()
        self.assertFalse(processes.wait_patiently(stalled, 1.4))
        self.assertEqual(stalled.looks, 3)

    def test_the_end_of_a_program_is_told_and_not_looked_for(self):
        class Told(subprocess.Popen):
            def wait(self, timeout=None):
                if timeout is not None:
                    raise AssertionError("looked every 50 ms")
                return super().wait()

        with Told(["sh", "-c", "exit 3"]) as program:
            if processes.end_of(program) is None:
                self.skipTest("this kernel has no pidfd_open")
            self.assertTrue(processes.wait_patiently(program, 20))
            self.assertEqual(program.returncode, 3)
        with Told(["sleep", "60"]) as program:
            self.assertFalse(processes.wait_patiently(program, 0.3))
            program.kill()

    def test_long_output_keeps_both_ends(self):
        box = sandbox.Sandbox("limits")
        printed = self.run_shell(box, "echo begin; seq 20000; echo end").output
        self.assertTrue(
            printed.startswith("begin") and printed.endswith("end\n") and len(printed) < 7000)

    def test_what_is_foreign_to_a_solution(self):
        for name in ("dlsym", "fork", "system", "socket", "execve", "open", "syscall",
                     "_ZN7limulus6deviceE", "getenv", "pthread_create", "mmap", "fopen",
                     "_ZNSt14basic_ofstreamIcSt11char_traitsIcEEC1Ev",
                     "_ZNSt13basic_filebufIcSt11char_traitsIcEE4openEPKcSt13_Ios_Openmode",
                     "_ZNSt10filesystem6removeERKNS_7__cxx114pathE"):
            self.assertFalse(build.ALLOWED.match(name), name)
        for name in ("_ZSt20__throw_length_errorPKc", "_ZNSt6vectorIdE", "_ZNKSt9exception4whatEv",
                     "_Znwm", "_ZdlPvm", "memcpy", "pow", "exp", "tanh", "sqrtf", "printf",
                     "__cxa_throw", "_Unwind_Resume", "_ZN6course6im2colERKNS_9ConvShapeE",
                     "_ZTIN6course10NotWrittenE", "__stack_chk_fail"):
            self.assertTrue(build.ALLOWED.match(name), name)

    def test_a_conversation_that_cannot_start_for_a_moment_is_tried_again(self):
        if os.geteuid() != 0 or not sandbox.available("bubblewrap"):
            self.skipTest("takes root and bubblewrap")
        box = sandbox.Sandbox("bubblewrap")
        limits = program.Limits(processes=box.alone)
        as_user = ["setpriv", f"--reuid={box.user}", f"--regid={box.user}", "--clear-groups"]
        for busy in (0, 2):  # processes of the same user, for a moment
            others = [subprocess.Popen([*as_user, "sleep", "0.4"]) for _ in range(busy)]
            while processes.count_processes(box.user) < busy:
                time.sleep(0.01)
            with sandbox.work_folder() as folder:
                with box.talk(["/usr/bin/true"], folder, limits, ()) as running:
                    running.wait(10)
                    outcome, started = running.outcome()
            self.assertTrue(started, outcome.output)
            self.assertEqual(outcome.code, 0, outcome.output)
            for other in others:
                other.wait()


class Remembered(unittest.TestCase):
    """A kernel's run that was made before (grader/memo.py)."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name)
        self.memo = memo.Memo(self.root / "memo")
        self.box, self.inputs, self.results = (self.root / n for n in ("box", "inputs", "results"))
        (self.root / "memo").mkdir()
        self.box.mkdir()
        (self.box / "k.cl").write_text("kernel")
        self.inputs.write_bytes(b"1")
        self.results.write_bytes(b"2")

    def key(self, kind="user", command=("./runner", ), seconds=1.0):
        return self.memo.key(kind, list(command), self.box, program.Limits(seconds=seconds),
                             self.inputs)

    def test_what_was_run_is_found_with_its_results(self):
        outcome, key = program.Outcome(1, False, 0.5, "printed"), self.key()
        self.assertIsNone(self.memo.find(key, self.results))
        self.memo.keep(key, outcome, self.results)
        self.memo.keep(key, outcome, self.results)  # another worker was faster
        self.results.unlink()
        self.assertEqual(self.memo.find(key, self.results), outcome)
        self.assertEqual(self.results.read_bytes(), b"2")

    def test_whatever_differs_is_another_run(self):
        keys = {self.key(), self.key(kind="limits"), self.key(command=["oclgrind"]),
                self.key(seconds=2.0)}
        self.inputs.write_bytes(b"3")
        keys.add(self.key())
        (self.box / "k.cl").write_text("another kernel")
        keys.add(self.key())
        (self.box / "k.cl").rename(self.box / "l.cl")
        keys.add(self.key())
        self.assertEqual(len(keys), 7)

    def test_what_ran_out_of_time_is_tried_again(self):
        key = self.key()
        self.memo.keep(key, program.Outcome(-9, True, 4.0, ""), self.results)
        self.assertIsNone(self.memo.find(key, self.results))


if __name__ == "__main__":
    os.environ["SECRET"] = "SECRET"
    unittest.main()
