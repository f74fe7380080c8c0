"""The course's grader where it times programs (course/grader/speed.py, timing.py): the curve and
the repetitions with invented times, and what may not be timed. No test here looks at what a clock
says."""

import fcntl
import os
import sys
import tempfile
import unittest
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "course"))
sys.dont_write_bytecode = True

from grader import GradeError, assignment, build, history, machine, results  # noqa: E402
from grader import schema, speed, submissions, timing  # noqa: E402

CURVE = ((0.2, 3), (0.4, 7), (0.8, 15))
A5 = assignment.find("a5")


class Invented:
    """A meter whose submission takes 1 s divided by these shares, in turn; the last one goes on."""
    def __init__(self, *shares: float, library: float = 0.01, operations: float = 1e6):
        self.shares, self.library, self.operations = list(shares), library, operations
        self.asked = 0

    def turn(self) -> speed.Turn:
        share = self.shares[min(self.asked, len(self.shares) - 1)]
        self.asked += 1
        if share == 0:
            raise speed.Refused("wrong")
        return speed.Turn(self.library, self.library / share, 1e9)


class Curves(unittest.TestCase):
    def test_points_begin_at_a_step(self):
        for share, points in ((0, 0), (0.199, 0), (0.2, 3), (0.399, 3), (0.4, 7), (0.79, 7),
                              (0.8, 15), (3, 15)):
            self.assertEqual(speed.points_of(share, CURVE), points, share)

    def test_the_first_turn_does_not_count(self):
        meter = Invented(9.0, 0.5)
        self.assertEqual(speed.judged(meter, CURVE).share, 0.5)
        self.assertEqual(meter.asked, 1 + speed.TURNS)

    def test_the_shortest_time_counts_and_the_spread_is_of_turns(self):
        verdict = speed.judged(Invented(1, *([0.5] * 8), 0.54, 0.3), CURVE)
        self.assertAlmostEqual(verdict.share, 0.54)
        self.assertEqual((verdict.points, verdict.spread), (7, (0.5, 0.5)))
        text = speed.shown(verdict, CURVE, plain=0.1)
        for words in ("0.54 of the library's speed: 7 of 15 points", "plain loops",
                      "the shortest of 10 turns; in half of them 0.50 to 0.50",
                      "points: 3 from 0.2 on, 7 from 0.4 on, 15 from 0.8 on"):
            self.assertIn(words, text)

    def test_near_a_step_it_is_measured_again(self):
        for first, later, points, asked in ((0.39, 0.405, 7, 31), (0.39, 0.5, 7, 21),
                                            (0.39, 0.39, 3, 31), (0.41, 0.41, 7, 31),
                                            (0.6, 0.6, 7, 11), (0.379, 0.9, 3, 11),
                                            (0.191, 0.19, 0, 31)):
            with self.subTest(first=first, later=later):
                meter = Invented(*([first] * 11), later)
                self.assertEqual((speed.judged(meter, CURVE).points, meter.asked), (points, asked))

    def test_a_machine_that_is_not_quiet(self):
        """The submission has one quiet turn, the library none: 1.5 by the shortest times."""
        meter = Invented(*([0.6] * 4), 1.5, 0.6)
        meter.library = 0.03
        verdict = speed.judged(meter, CURVE)
        self.assertEqual((verdict.steady, meter.asked), (False, 1 + 3 * speed.TURNS))
        self.assertAlmostEqual(verdict.share, 0.6)
        self.assertIn("not quiet", speed.shown(verdict, CURVE))
        self.assertEqual(verdict.points, 7)

    def test_a_slow_one_is_not_waited_for_ten_times(self):
        meter = Invented(0.001, library=0.01)  # 10 s a turn
        self.assertEqual(speed.judged(meter, CURVE).points, 0)
        self.assertEqual(meter.asked, 1 + 3)

    def test_any_wrong_turn_refuses_all(self):
        for shares in ((0, 0.9), (0.9, 0.9, 0.9, 0, 0.9), (*([0.81] * 25), 0, 0.9)):
            with self.assertRaises(speed.Refused):
                speed.judged(Invented(*shares), CURVE)

    def test_nothing_is_faster_than_the_processor(self):
        # 1e9 operations a second in 0.01 s are 1e7; with 5 % of tolerance.
        self.assertEqual(speed.judged(Invented(1, operations=1.04e7), CURVE).points, 15)
        with self.assertRaisesRegex(speed.Refused, "more than the 1 that one core"):
            speed.judged(Invented(1, operations=1.06e7), CURVE)


class InToml(unittest.TestCase):
    def test_a_curve_rises(self):
        def read(value):
            return assignment.Table({"curve": value}, "here").curve()

        self.assertEqual(read([[0.1, 2], [0.5, 6]]), ((0.1, 2), (0.5, 6)))
        for wrong in ([], None, 3, [0.1, 2], [[0.1]], [["0.1", 2]], [[0, 2]], [[0.1, True]],
                      [[0.5, 2], [0.1, 6]], [[0.1, 6], [0.5, 6]], [[float("nan"), 1]]):
            with self.subTest(wrong=wrong), self.assertRaisesRegex(GradeError, "here: 'curve'"):
                read(wrong)

    def test_points_of_a_timed_test_are_the_curves_last(self):
        for test in A5.timed:
            self.assertEqual((test.points, test.hidden), (test.curve[-1][1], False))
            self.assertTrue(test.number.endswith("s"))
        self.assertEqual(A5.points, 100)


class Graded(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "ann" / "results.json"
        self.results = results.Results(A5, self.path, {})
        made = SimpleNamespace(object=Path("o"), message="", warnings=False)
        self.grading = SimpleNamespace(
            a=A5, results=self.results, passed={}, compiled=dict.fromkeys(A5.tasks, made),
            builder=SimpleNamespace(link=lambda *_, **__: (Path("f"), "")), judge=None)
        self.test = A5.timed[-1]

    @contextmanager
    def meters(self, *shares: float, has=True):
        """Invented times in place of programs; a processor that has what is asked for, or not."""
        flags = frozenset(A5.vector) if has else frozenset({"sse2"})

        class Duel(Invented):
            def __init__(self, *_):
                super().__init__(*shares)

            def plain(self, _):
                return 1.0

        with mock.patch.object(timing, "Duel", Duel), \
                mock.patch.object(machine, "processor", lambda: ("A processor", flags)), \
                mock.patch.object(timing, "processor", lambda: ("A processor", flags)), \
                mock.patch.object(timing, "forbidden_instruction", lambda _: ""):
            yield

    def entry(self) -> dict:
        self.assertEqual(schema.trouble(self.path), [])
        return self.results.tests[self.test.number]

    def test_points_share_and_leaderboard(self):
        with self.meters(0.65):
            timing.time_tests(self.grading, [self.test])
        self.assertEqual(self.entry()["score"], speed.points_of(0.65, self.test.curve))
        self.assertEqual(self.entry()["extra_data"]["share"], 0.65)
        self.assertIn("plain loops", self.entry()["output"])
        board = self.results.data["leaderboard"]
        self.assertEqual([(b["value"], b["order"]) for b in board], [(0.65, "desc")])
        self.assertIn(self.test.title, board[0]["name"])

    def test_wrong_in_one_turn_has_no_points_and_no_place_on_the_board(self):
        with self.meters(0.9, 0.9, 0.9, 0):
            timing.time_tests(self.grading, [self.test])
        self.assertEqual(self.entry()["score"], 0)
        self.assertEqual(self.entry()["output"], "not counted: wrong")
        self.assertNotIn("leaderboard", self.results.data)

    def test_what_is_wrong_has_no_speed_nor_has_what_calls_it(self):
        for task in (self.test.task, *A5.before(self.test.task)):
            self.grading.passed = {task: False}
            with self.meters(0.9):
                timing.time_tests(self.grading, [self.test])
            self.assertEqual(self.entry()["score"], 0)
            self.assertIn(f"task {task} has failed tests", self.entry()["output"])

    def test_a_machine_without_the_instructions_says_so(self):
        with self.meters(0.9, has=False):
            timing.time_tests(self.grading, A5.timed)
            self.assertNotIn("-mavx2", build.flags_of(A5))
        for words in ("not graded on this machine", "A processor", "avx2 and fma"):
            self.assertIn(words, self.entry()["output"])
            self.assertIn(words, self.results.data["output"])
        table = submissions.class_table(A5, self.path.parents[1], ["ann"], {}).splitlines()
        header, row = table[0].split(","), table[1].split(",")
        for test in A5.tests:  # an empty cell is no 0
            self.assertEqual(row[header.index(test.number)], "" if test.curve else "0")
        self.assertIn("not graded on this machine", table[1])

    def test_handing_in_again_never_loses_speed(self):
        with self.meters(0.3):
            timing.time_tests(self.grading, [self.test])
        history.keep_best(self.results, [{self.test.number: {"score": self.test.points}}])
        self.assertEqual(self.entry()["score"], self.test.points)
        self.assertIn("an earlier submission was faster", self.entry()["output"])


class Clock(unittest.TestCase):
    def partner(self, stack: ExitStack) -> timing.Partner:
        partner = timing.Partner(stack, timing.Memory([1000, 3]))
        stack.callback(partner.started)
        return partner

    def test_memory_cannot_be_taken_away(self):
        memory = timing.Memory([1000, 3])
        self.addCleanup(memory.close)
        self.assertEqual(memory.part(0, 0), slice(0, 4000))
        self.assertEqual(memory.part(1, 1), slice(4096, 4108))
        with self.assertRaises(PermissionError):
            os.ftruncate(memory.fd, 0)

    def test_who_does_not_answer_or_too_much_is_refused(self):
        with ExitStack() as stack, mock.patch.object(timing, "TURN_SECONDS", 0.3):
            partner = self.partner(stack)
            with self.assertRaisesRegex(speed.Refused, "more than 0.3 s"):
                partner.ask(b"g")
            os.write(partner.theirs[1], b"done\n")
            self.assertEqual(partner.ask(b"g"), "done")
            os.write(partner.theirs[1], b"x" * 5000)
            with self.assertRaisesRegex(speed.Refused, "only results"):
                partner.ask(b"g")

    def test_who_has_ended_is_refused_and_the_judge_is_nobodys_fault(self):
        for error in (speed.Refused, GradeError):
            with ExitStack() as stack:
                partner = timing.Partner(stack, timing.Memory([1]), error)
                partner.started()
                with self.assertRaises(error):
                    partner.ask(b"g")

    def test_nothing_else_runs_while_something_is_timed(self):
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch.object(timing, "cache_folder", lambda: Path(folder)):
            for exclusive, wanted, free in ((True, fcntl.LOCK_SH, False), (False, fcntl.LOCK_EX,
                                                                          False),
                                            (False, fcntl.LOCK_SH, True)):
                with timing.machine(exclusive), open(Path(folder, "machine.lock")) as other:
                    try:
                        fcntl.flock(other, wanted | fcntl.LOCK_NB)
                        got = True
                    except BlockingIOError:
                        got = False
                self.assertEqual(got, free)


class Instructions(unittest.TestCase):
    def test_those_that_no_timed_program_may_have(self):
        for line, word in (("\tvfmadd231ps %zmm1,%zmm2,%zmm3", "zmm1"), ("\tsyscall ", "syscall"),
                           ("\tvmovups (%rax),%ymm17", "ymm17"), ("\tvmovss %xmm31,(%rax)",
                            "xmm31"),
                           ("\tint    $0x80", "int"), ("\tkmovw  %eax,%k1", "k1")):
            found = build.FORBIDDEN.search(f"   4:{line}\n")
            self.assertEqual(next(w for w in found.groups() if w), word)
        for line in ("\tvfmadd231ps %ymm15,%ymm2,%ymm3", "\tcall   4 <_ZN6course5syscallEv>",
                     "\tvmovups (%rax),%ymm1", "\tvmovaps %xmm9,%xmm10", "\tint3   "):
            self.assertIsNone(build.FORBIDDEN.search(f"   4:{line}\n"), line)


if __name__ == "__main__":
    unittest.main()
