"""The numbers of docs/weights.md are the program's: what it says when a run begins with
data/trained, how large checkpoints are, what --normalization means. Its accuracies and times were
measured, and are not repeated here.

    docs_weights_test.py PROGRAM
"""

import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")
FLOWERS = ROOT / "data" / "flowers5"
SLACK = 8192  # bytes of a checkpoint that are not weights: settings, classes, losses of each step


def limulus(*words) -> str:
    done = subprocess.run([PROGRAM, *map(str, words)], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.stderr}")
    return done.stdout


def number(text: str) -> int:
    return int(text.replace(",", ""))


class Weights(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """A run like the page's, on two photographs of each flower."""
        cls.scratch = tempfile.TemporaryDirectory(prefix="limulus-weights-")
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.folder = Path(cls.scratch.name)
        for half in ("train", "test"):
            for flower in sorted(p for p in (FLOWERS / half).iterdir() if p.is_dir()):
                (cls.folder / "data" / half / flower.name).mkdir(parents=True)
                for picture in sorted(flower.glob("*.jpg"))[:2]:
                    shutil.copy(picture, cls.folder / "data" / half / flower.name)
        command = next(line.split()[2:] for line in PAGE.splitlines()
                       if line.startswith("    limulus train") and "--freeze" in line)
        for option, value in (("--data", cls.folder / "data"), ("--epochs", 1),
                              ("--out", cls.folder / "run")):
            command[command.index(option) + 1] = value
        cls.printed = limulus("train", *command)
        cls.checkpoint = cls.folder / "run" / "checkpoint.safetensors"

    def test_how_the_run_begins(self):
        begins = PAGE.partition("    Begins  with")[2].partition("    ...")[0]
        self.assertTrue("Frozen" in begins and begins.count("starts anew") == 3, begins)
        for line in ("    Begins  with" + begins).splitlines():
            self.assertIn(line.removeprefix("    ") + "\n", self.printed)

    def test_how_large_checkpoints_are(self):
        found = re.search(r"layers have no velocities, ([\d,]+) bytes became ([\d,]+) \((\d+) %\), "
                          r"and ([\d,]+) \((\d+) %\) in bf16", PAGE)
        whole, slim, slim_share, half, half_share = (number(text) for text in found.groups())
        self.assertLess(abs(self.checkpoint.stat().st_size - whole), SLACK)
        for option, size, share in (("--slim", slim, slim_share), ("--bf16", half, half_share)):
            small = self.folder / "small.safetensors"
            self.assertIn(f", {share} % of ", limulus("convert", self.checkpoint, small, option))
            self.assertLess(abs(small.stat().st_size - size), SLACK)

    def test_what_normalizations_are(self):
        row = next(line for line in PAGE.splitlines() if line.startswith("| `--normalization`"))
        mean, std = re.search(r"mean ([\d., ]+) and std ([\d., ]+);", row).groups()
        (self.folder / "names.txt").write_text("a\nb\nc\nd\ne\n")
        plain = self.folder / "plain.safetensors"
        limulus("convert", self.checkpoint, plain)
        wanted = {"imagenet": (mean, std), "unit": ("0, 0, 0", "1, 1, 1"),
                  "half": ("0.5, 0.5, 0.5", "0.5, 0.5, 0.5")}
        for name, (mean, std) in wanted.items():
            self.assertIn(f"`{name}` is ", row)
            told = limulus("import", plain, "--model", "alexnet", "--classes",
                           self.folder / "names.txt", "--normalization", name, "-o",
                           self.folder / "imported.safetensors")
            self.assertIn(f"mean {mean}, std {std};", told)

    def test_torchvisions_network(self):
        steps = json.loads(limulus("explain", "alexnet-torchvision", "--json"))["steps"]
        channels = [step["out"][1] for step in steps if step["kind"] == "Conv2d"]
        self.assertIn(f"{'-'.join(map(str, channels))} channels in one tower", PAGE)
        self.assertIn(f"show the {channels[0]} filters of the first convolution", PAGE)

    def test_a_standard_error(self):
        share, images, points = re.search(
            r"([\d.]+) % of (\d+) photographs by one crop.*standard error is ([\d.]+) points",
            PAGE).groups()
        p = float(share) / 100
        error = 100 * math.sqrt(p * (1 - p) / int(images))
        self.assertAlmostEqual(error, float(points), delta=0.05)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
