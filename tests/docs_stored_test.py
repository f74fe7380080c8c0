"""The site without a program (docs/_ext/stored.py): every number of the pages can be made, a
difference from the program's answer is found, and the last digits of its floats are none.

    docs_stored_test.py

That docs/explained.json is what the program says now, docs_pages asks.
"""

import copy
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
os.environ["LIMULUS"] = ""
import page_numbers  # noqa: E402
import pictures  # noqa: E402
import stored  # noqa: E402


class Stored(unittest.TestCase):
    def setUp(self):
        self.answers = stored.answers()
        self.assertIn("alexnet", self.answers)

    def changed(self, change) -> list[str]:
        asked = copy.deepcopy(self.answers)
        change(asked)
        return stored.findings(asked, complete=True)

    def test_all_pages_without_a_program(self):
        environment = dict(os.environ, LIMULUS="/nowhere/limulus")  # it is not asked
        done = subprocess.run([sys.executable, ROOT / "docs" / "check_pages.py", "--stored"],
                              capture_output=True, text=True, check=False, env=environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"^\d{3,} numbers")

    def test_a_number_that_is_not_stored(self):
        with self.assertRaisesRegex(page_numbers.NumberError,
                                    "explain lenet9: .*not stored; .*--update stores it"):
            page_numbers.explain("lenet9")

    def test_a_program_that_is_not_there(self):
        os.environ["LIMULUS"] = "/nowhere/limulus"
        try:
            with self.assertRaisesRegex(page_numbers.NumberError, "/nowhere/limulus: No such file"):
                page_numbers.explain("alexnet", "--classes", "7")
        finally:
            os.environ["LIMULUS"] = ""

    def test_pictures_of_the_program_name_a_command(self):
        for words in ("seen conv1", "maps pool1 pool2", "unit 1 2"):
            self.assertIn("<code>limulus look data/trained/", pictures.picture(words))
        self.assertIn("<code>limulus figure 3 data/trained/", pictures.picture("filters"))
        self.assertIn("<image ", pictures.picture("views"))  # needs none

    def test_differences_are_found(self):
        def step(asked):
            return asked["alexnet"]["steps"][0]

        self.assertEqual(self.changed(lambda asked: None), [])
        for change, words in (
            (lambda a: step(a).update(parameters=34945), "another answer to `limulus explain alex"),
            (lambda a: step(a).update(detail="96 filters of 3x11x11"), "another answer"),
            (lambda a: step(a).update(groups=True), "another answer"),
            (lambda a: step(a)["out"].append(1), "another answer"),
            (lambda a: step(a).pop("groups"), "another answer"),
            (lambda a: a.update(lenet5={}), "does not have `limulus explain lenet5`"),
            (lambda a: a.pop("alexnet-keras"), "explain alexnet-keras`, which no page asks"),
        ):
            found = self.changed(change)
            self.assertEqual(len(found), 1, words)
            self.assertIn(words, found[0])
            self.assertIn("--update renews it", found[0])
        self.assertEqual(stored.findings({}, complete=False), [])  # of some pages alone

    def test_last_digits_are_no_difference(self):
        self.assertTrue(stored.same({"x": [1.2345678, "exp(x[0] - 0.48411)"]},
                                    {"x": [1.2345679, "exp(x[0] - 0.48412)"]}))
        for a, b in ((1.2345, 1.2355), ("0.4841", "0.4851"), ("x[0] - 0.5", "x[1] - 0.5"),
                     (1, 1.0), ("1.5", "1.5 1.5"), ([1.5], [1.5, 1.5])):
            self.assertFalse(stored.same(a, b), (a, b))

    def test_stored_and_read_again(self):
        file = stored.FILE
        with tempfile.TemporaryDirectory() as folder:
            try:
                stored.FILE = Path(folder, "explained.json")
                stored.answers.cache_clear()
                self.assertEqual(stored.answers(), {})
                stored.store(self.answers, complete=True)
                self.assertEqual(stored.answers(), self.answers)
                self.assertEqual(stored.FILE.read_bytes(), file.read_bytes())
                stored.store({"lenet5": {"steps": []}}, complete=False)
                self.assertEqual(set(stored.answers()), {"lenet5", *self.answers})
                stored.store({"lenet5": {"steps": []}}, complete=True)
                self.assertEqual(set(stored.answers()), {"lenet5"})
            finally:
                stored.FILE = file
                stored.answers.cache_clear()


if __name__ == "__main__":
    unittest.main()
