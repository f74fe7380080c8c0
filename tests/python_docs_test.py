"""The programs in docs/python.md, and the notebooks in python/notebooks, run from top to bottom.
The notebooks are stored without what they show."""

import contextlib
import importlib.util
import io
import json
import os
import re
import sys
import unittest
from pathlib import Path

import limulus as lm

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "python" / "notebooks").glob("*.ipynb"))
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "python" / "notebooks"))

import run_notebook  # noqa: E402



class Page(unittest.TestCase):
    def test_its_programs_run_and_say_what_it_says(self):
        text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
        programs = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
        self.assertGreaterEqual(len(programs), 3)
        have_torch = importlib.util.find_spec("torch") is not None
        names, printed = {}, io.StringIO()
        before = os.getcwd()
        os.chdir(ROOT)
        try:
            for program in programs:
                if "torch." in program:
                    if not have_torch:
                        print("skipped: the program with PyTorch, which is not installed")
                        continue
                    program = "import torch\n" + program
                with contextlib.redirect_stdout(printed):
                    exec(compile(program, "docs/python.md", "exec"), names)
        finally:
            os.chdir(before)
        out = printed.getvalue()
        self.assertIn("(96, 3, 11, 11)", out)
        self.assertIn("('1', 0.9", out)
        self.assertRegex(out, r"\n1 \d\.\d+ 0\.[5-9]")  # an epoch of the Trainer
        self.assertIn("26 terms, 1 of them 0; the sum is", out)
        self.assertRegex(out, r"w \[3, 3\]: 9 compared, 6 wrong\. transposed: ")
        if have_torch:
            self.assertIn("factor: your gradient is 0.5 x the numeric one everywhere", out)

    def test_the_errors_it_quotes(self):
        text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
        for wrong in (lambda: lm.conv2d(lm.zeros((1, 3, 9, 9)), lm.zeros((4, 5, 3, 3))),
                      lambda: lm.dropout(lm.zeros(2), 1.0),
                      lambda: lm.zeros(2) + lm.zeros(2, dtype="f64")):
            with self.assertRaises(lm.Error) as caught:
                wrong()
            self.assertIn(f"`{caught.exception}`", text)
            self.assertIn(f"`{type(caught.exception).__name__}` | "
                          f"`{type(caught.exception).__mro__[2].__name__}`", text)


class Notebooks(unittest.TestCase):
    def outputs(self, number):
        return [output for cell in run_notebook.run(NOTEBOOKS[number - 1])
                for output in cell["outputs"]]

    def test_they_are_stored_without_outputs(self):
        self.assertEqual(len(NOTEBOOKS), 5)
        for path in NOTEBOOKS:
            notebook = json.loads(path.read_text(encoding="utf-8"))
            code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
            self.assertFalse([cell for cell in code if cell["outputs"] or cell["execution_count"]])
            last = "".join(notebook["cells"][-1]["source"])
            self.assertTrue(last.startswith("## Exercise"), path.name)
            for cell in notebook["cells"]:
                for line in "".join(cell["source"]).splitlines():
                    self.assertLessEqual(len(line), 200, path.name)

    def test_1_shapes(self):
        text = str(self.outputs(1))
        self.assertIn("(1, 96, 55, 55)", text)
        self.assertIn("60,965,224", text)
        self.assertIn("pool5", text)  # the error of an image that is too small

    def test_2_a_gradient_by_hand(self):
        out = self.outputs(2)
        self.assertIn({"kind": "text", "data": "7.0"}, out)
        self.assertIn("gradcheck: OK", out[-1]["data"])

    def test_3_checking_a_layer(self):
        out = self.outputs(3)
        self.assertIn("transposed", out[0]["data"])
        report = "".join(o["data"] for o in out if o["kind"] == "html")
        self.assertIn("<iframe", report)
        self.assertLess(0, report.find("Where the errors are"))  # the map is on top
        self.assertLess(report.find("Where the errors are"), report.find("<table"))
        self.assertNotIn("<h1>", report)
        self.assertIn("VACUOUS", str(out))
        self.assertIn("gradcheck: OK", out[-1]["data"])

    def test_4_what_alexnet_sees(self):
        out = self.outputs(4)
        self.assertEqual([o["kind"] for o in out], ["html"] * 4 + ["text", "text", "html"])
        self.assertTrue(all(o["data"].startswith("<img src=\"data:image/png") for o in out[:4]))
        self.assertIn("<iframe", out[-1]["data"])
        self.assertNotIn("\\x0a", out[-1]["data"])  # its script's lines are lines

    def test_5_training_on_flowers5(self):
        out = self.outputs(5)
        losses = [float(x) for x in re.findall(r"loss (\d\.\d+)", str(out))]
        self.assertEqual(len(losses), 6)
        self.assertLess(losses[-1], 1.5)  # ln 5 = 1.61 knows nothing
        self.assertTrue(all(a > b for a, b in zip(losses, losses[1:])))


if __name__ == "__main__":
    unittest.main()
