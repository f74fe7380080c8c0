"""What the course's grader writes, without building anything: results, tables, archives for
students, Gradescope and GitHub."""

import contextlib
import copy
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "course"))
sys.dont_write_bytecode = True

from grader import GradeError, assignment, build, collect, github, gradescope  # noqa: E402
from grader import grading, history, leaks, own_secrets, results, schema  # noqa: E402
from grader import starter, submissions  # noqa: E402

ALL = assignment.all_assignments()


def says(test: unittest.TestCase, words: str):
    return test.assertRaisesRegex(GradeError, re.escape(words))


class InResults(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "deep" / "results.json"
        self.a = ALL[0]
        self.results = results.Results(self.a, self.path, {"isolation": "none"})

    def valid(self):
        self.assertEqual(schema.trouble(self.path), [])
        return json.loads(self.path.read_text())

    def test_valid_from_the_first_moment_and_gives_nothing_away(self):
        data = self.valid()
        self.assertEqual((data["score"], data["extra_data"]["complete"]), (0, False))
        self.assertEqual({t["status"] for t in data["tests"]}, {"failed"})
        self.assertEqual(sum(t["max_score"] for t in data["tests"]), 100)

    def test_each_step_is_written(self):
        test = self.a.tests[0]
        self.results.set(test, True, "right", "ok")
        self.assertEqual(self.valid()["score"], test.points)
        self.results.finish(1.5)
        self.assertTrue(self.valid()["extra_data"]["complete"])
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["results.json"])

    def test_the_validator_finds_what_is_wrong(self):
        good, wrong = self.valid(), schema.load()
        for change, words in ((lambda d: d.pop("tests"),
                               "lacks tests"), (lambda d: d.update(score="3"), "of type number"),
                              (lambda d: d.update(score=True),
                               "of type number"), (lambda d: d.update(score=-1), "below 0"),
                              (lambda d: d.update(score=float("nan")),
                               "not JSON"), (lambda d: d.update(extra=1), "unknown extra"),
                              (lambda d: d.update(tests=[]),
                               "has 0 items"), (lambda d: d["tests"][0].update(status="ok"),
                                                "not one of"),
                              (lambda d: d["tests"][0].update(output=None),
                               "of type string"), (lambda d: d["tests"][0].update(tags=[1]),
                                                   "tags[0]"), (lambda d: d["tests"][0].pop("name"),
                                                                "lacks name"),
                              (lambda d: d.update(visibility="always"),
                               "not one of"), (lambda d: d.update(leaderboard=[{"name": "x"}]),
                                               "lacks value")):
            data = copy.deepcopy(good)
            change(data)
            with self.subTest(words=words):
                self.assertTrue(any(words in e for e in schema.errors(data, wrong)),
                                schema.errors(data, wrong))

    def test_an_earlier_submission_keeps_its_points(self):
        first, second = self.a.tests[0], self.a.tests[1]
        self.results.set(second, True, "right", "ok")
        metadata = self.path.parent / "submission_metadata.json"
        earlier = {
            "tests": [{"number": first.number, "score": first.points, "status": "passed"},
                      {"number": second.number, "score": 0,
                       "status": "failed"}, {"number": "99", "score": 1e9}, {"number": 3}, "x"]
        }
        metadata.write_text(
            json.dumps({
                "previous_submissions": [{"results": earlier}, {
                    "results": {"tests": [{"number": first.number, "score": 1e9}]}
                }, {"results": {"tests": [{"number": first.number, "score": "all"}]}}, {}, None,
                                         {"results": 3}]
            }))
        history.keep_best(self.results, history.previous_results(metadata))
        self.results.write()
        self.assertEqual(self.valid()["score"], first.points + second.points)
        for broken in ("", "[]", "{}", '{"previous_submissions": 3}',
                       '{"previous_submissions": null}'):
            metadata.write_text(broken)
            self.assertEqual(history.previous_results(metadata), [])
        self.assertEqual(history.previous_results(self.path.parent / "none"), [])

    def test_points_are_noted_beside_the_results_while_the_tests_are_the_same(self):
        test, best = self.a.tests[0], self.path.with_name("best.json")
        self.assertEqual(history.read_best(best, "s"), {})
        self.results.set(test, True, "right", "ok")
        history.write_best(best, "s", self.results)
        later = results.Results(self.a, self.path, {})
        history.keep_best(later, [history.read_best(best, "other tests")])
        self.assertEqual(later.score, 0)
        history.keep_best(later, [history.read_best(best, "s")])
        self.assertEqual(later.score, test.points)
        for broken in ("", "[]", '{"state": "s"}', '{"state": "s", "scores": 3}'):
            best.write_text(broken)
            self.assertEqual(history.read_best(best, "s"), {})

    def test_hints_open_with_failed_attempts(self):
        test = self.a.tests[0]
        self.results.set(test, False, "wrong", "wrong")
        for failures, opened in ((0, 1), (2, 2), (5, 3), (50, 3)):
            self.results.tests[test.number]["output"] = "wrong"
            history.add_hints(self.results, [{test.number: {"status": "failed"}}] * failures)
            self.assertEqual(self.results.tests[test.number]["output"].count("\nHint "), opened)


class Secrets(unittest.TestCase):
    def test_every_assignment_draws_a_number_of_its_own_once(self):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            copies = []
            for a in ALL:
                self.assertTrue(a.secret_is_published(), a.id)
                shutil.copytree(a.folder, Path(folder, a.folder.name))
                copies.append(assignment.read(Path(folder, a.folder.name)))
            own_secrets.renew(copies)
            drawn = [a.secret() for a in copies]
            self.assertEqual(len({*drawn, *(a.secret() for a in ALL)}), 2 * len(ALL))
            self.assertFalse(any(a.secret_is_published() for a in copies))
            own_secrets.renew(copies)  # in the middle of a term nothing changes
            self.assertEqual([a.secret() for a in copies], drawn)

    def test_whoever_has_drawn_none_is_told(self):
        told = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(told):
            with contextlib.redirect_stdout(io.StringIO()):
                gradescope.write(ALL[0], Path(folder, "a.zip"))
        self.assertIn("everybody who has the repository knows the number", told.getvalue())


class GivenAway(unittest.TestCase):
    def test_no_starter_holds_a_solution_and_the_search_would_find_one(self):
        for a in ALL:
            files = starter.files_of(a)
            self.assertEqual(leaks.leaks(a, files), [], a.id)
            self.assertEqual(
                [n for n in files if "staff" in n or "verify" in n or "hidden.toml" in n], [])
            self.assertGreater(len(leaks.telling_lines(a)), 10)
            for task in a.tasks.values():
                text = starter.task_file(a, task.id, solved=True)
                self.assertTrue(leaks.leaks(a, {"x.cpp": text}),
                                f"{task.file}: a solution that nothing would recognize")
            self.assertTrue(leaks.leaks(a, {"x": str(a.secret())}))
            self.assertTrue(leaks.leaks(a, {"staff/x": ""}))

    def test_archives_are_the_same_each_time_and_the_handout_stands_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            for a in ALL:
                first = starter.write(a, Path(folder) / "1").read_bytes()
                self.assertEqual(first, starter.write(a, Path(folder) / "2").read_bytes())
                text = starter.files_of(a)["README.md"].decode()
                self.assertNotRegex(text, r"\]\(\.\.|\{(calc|num|quoted)\}")

    def test_pack_takes_the_files_of_tasks_only(self):
        a = ALL[0]
        with tempfile.TemporaryDirectory() as folder:
            starter.write_folder(starter.files_of(a), Path(folder))
            names = collect.collect(a, Path(folder))
            self.assertEqual(set(names), {t.file for t in a.tasks.values()})


class Elsewhere(unittest.TestCase):
    def test_gradescope(self):
        a = ALL[0]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.zip"
            gradescope.write(a, path)
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
                modes = {n: archive.getinfo(n).external_attr >> 16 & 0o111 for n in names}
        for name in ("setup.sh", "run_autograder", "course/grade", "limulus/CMakeLists.txt",
                     "limulus/core/tensor.h", f"course/{a.folder.name}/staff/hidden.toml",
                     f"course/{a.folder.name}/tests/judge.cpp"):
            self.assertIn(name, names)
        self.assertEqual([modes[n] for n in ("setup.sh", "run_autograder")], [0o111, 0o111])

    @unittest.skipUnless(shutil.which("ninja") and shutil.which("cmake"), "needs cmake and ninja")
    def test_gradescopes_source_of_limulus_lacks_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            root, built = Path(folder, "source"), Path(folder, "build")
            gradescope.write(ALL[0], root.with_suffix(".zip"), quiet=True)
            with zipfile.ZipFile(root.with_suffix(".zip")) as archive:
                archive.extractall(root)
            setup = (root / "setup.sh").read_text(encoding="utf-8").replace("\\\n", " ")
            configure = next(shlex.split(line) for line in setup.splitlines() if "cmake -S" in line)
            there = {"$root/source/limulus": root / "limulus", "$root/source/build": built}
            done = subprocess.run([str(there.get(word, word)) for word in configure],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            listed = subprocess.run(
                ["ninja", "-C", str(built), "-t", "inputs", "limulus"],
                capture_output=True, text=True, check=True).stdout.splitlines()
            sources = [Path(name) for name in listed if name.startswith(f"{root}/")]
            self.assertGreater(len(sources), 100)
            self.assertEqual([str(path) for path in sources if not path.exists()], [])

    def test_github(self):
        for a in ALL:
            tests = github.classroom50(a)
            self.assertEqual(sum(t["points"] for t in tests),
                             sum(t.points for t in a.untimed if not t.hidden))
            self.assertEqual(len({t["name"] for t in tests}), len(tests))
            for t in tests:
                self.assertEqual(t["type"], "run")
                self.assertLessEqual(len(t["name"].encode()), 100)
                self.assertTrue(1 <= t["timeout"] <= 600)
            self.assertEqual(len(github.autograding(a)["tests"]), len(tests) - 1)
        with tempfile.TemporaryDirectory() as folder:
            github.write(ALL[0], Path(folder))
            self.assertTrue(Path(folder, "student", ".github", "workflows", "tests.yml").is_file())
            self.assertFalse(list(Path(folder).rglob("staff")))
            with says(self, "is not empty"):
                github.write(ALL[0], Path(folder))

    def test_a_table_for_nbgrader_and_one_for_spreadsheets(self):
        a = ALL[0]
        with tempfile.TemporaryDirectory() as folder:
            with says(self, "no results"):
                submissions.nbgrader_csv(a, Path(folder), None)
            for name in ("ann", "=cmd()"):
                results.Results(a, Path(folder, name, "results.json"), {})
            out = Path(folder, "out.csv")
            submissions.nbgrader_csv(a, Path(folder), out)
            rows = out.read_text().splitlines()
            self.assertEqual(
                rows[0],
                "assignment,duedate,timestamp,student_id,last_name,first_name,email,raw_score,"
                "late_submission_penalty,score,max_score")
            self.assertEqual(rows[1:],
                             [f"{a.id},,,'=cmd(),,,,0,0,0,100", f"{a.id},,,ann,,,,0,0,0,100"])
            self.assertIn("'=cmd()", submissions.class_table(a, Path(folder), ["=cmd()"], {}))
            table = submissions.class_table(a, Path(folder), ["ann", "bob"],
                                            {"bob": "no space"}).splitlines()
            self.assertTrue(
                table[1].startswith("ann,0,100,0,") and table[2].startswith("bob,,100,,"), table)
            self.assertTrue(table[2].endswith("not graded: no space"), table[2])

    def test_a_table_says_what_was_not_handed_in_or_refused(self):
        a, foreign = ALL[0], build.Compiled(None, "src/x.cpp uses fopen", refused=True)
        fine, files = build.Compiled(Path("object.o")), [t.file for t in a.tasks.values()]
        with tempfile.TemporaryDirectory() as folder:

            def note(files: list[str], made: build.Compiled) -> str:
                found = results.Results(a, Path(folder, "ann", "results.json"), {})
                builder = SimpleNamespace(compile=lambda *_: made, link=lambda *_, **__: (None, ""))
                handed_in = dict.fromkeys(files, b"")
                grading.Grading(SimpleNamespace(a=a), builder, found, handed_in).build()
                table = submissions.class_table(a, Path(folder), ["ann"], {})
                return table.splitlines()[1].rpartition(",")[2]

            self.assertEqual(note(files, fine), "")
            self.assertEqual(note(files[1:], fine), "1 of 6 files were not handed in")
            self.assertEqual(note([], fine), "none of the assignment's files was handed in")
            self.assertEqual(note(files, foreign), f"{files[0]}: refused")
        self.assertEqual(foreign.why_not("x.cpp"), 'x.cpp is refused: see "build"')

    def test_submissions_without_a_name_or_with_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            with says(self, "there is no submission"):
                submissions.submissions_in(Path(folder), Path(folder, "out"))
            Path(folder, "ann").mkdir()
            Path(folder, "ann.tar.gz").write_bytes(b"")
            args = SimpleNamespace(path=Path(folder), out=Path(folder, "out"), isolation="limits",
                                   without_isolation=True)
            with says(self, "have the same name"):
                submissions.grade_all(ALL[0], args)


if __name__ == "__main__":
    unittest.main()
