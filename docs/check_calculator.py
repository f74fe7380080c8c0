#!/usr/bin/env python3
"""Compares the calculator of the site (_static/calculator.js), run in a headless Chromium, with the
program.

    docs/check_calculator.py PROGRAM

Two hundred settings, many of them impossible, go through both: sizes, formulas, counts and the
words of the errors must be the same. Then the form itself is opened with settings in its address.
Ends with 77, "skipped", where there is no Chromium.
"""

import html
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import chromium

SCRIPT = Path(__file__).resolve().parent / "_static" / "calculator.js"
NUMBERS = ("parameters", "connections", "multiply_adds", "memory_bytes")


def cases() -> list[dict]:
    """The same two hundred every time: AlexNet's layers, then drawn ones, small enough to be often
    impossible."""
    paper = [("conv2d", 3, 227, 11, 4, 0, 1, 96), ("max_pool2d", 96, 55, 3, 2, 0, 1, 96),
             ("conv2d", 96, 27, 5, 1, 2, 2, 256), ("conv2d", 256, 13, 3, 1, 1, 1, 384),
             ("conv2d", 3, 224, 11, 4, 2, 1, 64), ("conv2d", 3, 7, 11, 4, 0, 1, 96),
             ("conv2d", 3, 9, 3, 1, 0, 1, 0), ("conv2d", 0, 9, 3, 1, 0, 1, 8),
             ("conv2d", 0, 9, 3, 1, 0, 0, 0), ("max_pool2d", 0, 9, 3, 2, 0, 1, 1),
             ("conv2d", 3, 9, 3, 1, 0, 1, -96), ("conv2d", -3, 9, 3, 1, 0, 1, 96),
             ("max_pool2d", -3, 9, 3, 2, 0, 1, 1)]
    made = [dict(op=op, channels=c, height=n, width=n, kernel=f, stride=s, padding=p, dilation=1,
                 groups=g, kernels=k, ceil=False) for op, c, n, f, s, p, g, k in paper]
    draw = random.Random(2012)
    while len(made) < 200:
        op = draw.choice(["conv2d", "max_pool2d", "avg_pool2d"])
        conv = op == "conv2d"
        made.append(dict(
            op=op, channels=draw.choice([1, 3, 4, 6, 8, 96]), height=draw.randint(0, 40),
            width=draw.randint(1, 40), kernel=draw.randint(0 if draw.random() < 0.1 else 1, 9),
            stride=draw.randint(0 if draw.random() < 0.1 else 1, 5), padding=draw.randint(0, 4),
            dilation=draw.randint(1, 3) if conv else 1,
            groups=draw.choice([0, 1, 1, 2, 3, 4]) if conv else 1,
            kernels=draw.choice([1, 4, 6, 12]), ceil=not conv and draw.random() < 0.5))
    return made


def by_program(program: str, o: dict) -> dict:
    command = [program, "explain", o["op"], "--json", "--input",
               f"{o['channels']}x{o['height']}x{o['width']}"]
    for name in ("kernel", "stride", "padding"):
        command += [f"--{name}", str(o[name])]
    if o["op"] == "conv2d":
        command += ["--dilation", str(o["dilation"]), "--groups", str(o["groups"]),
                    "--channels", str(o["kernels"])]
    elif o["ceil"]:
        command.append("--ceil")
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        return {"error": done.stderr.strip().removeprefix("error: ")}
    step = json.loads(done.stdout)["steps"][0]
    answer = {name: step[name] for name in NUMBERS}
    answer.update(formula=step["formula"], out=step["out"][1:])
    return answer


def differs(o: dict, program: dict, calculator: dict) -> bool:
    """What is below 0 the program's command line refuses before any layer can: then words may
    differ."""
    if min(o["channels"], o["kernels"]) < 0:
        return "error" not in calculator or "error" not in program
    return program != calculator


class Browser:
    def __init__(self, path: str, folder: str):
        self.command = chromium.command(path, f"{folder}/profile",
                                        "--virtual-time-budget=5000", "--dump-dom")
        self.folder = Path(folder)

    def show(self, body: str, address: str = "") -> str:
        """The page as it stands when its scripts have run."""
        page = self.folder / "page.html"
        page.write_text('<!doctype html><meta charset="utf-8"><body>'
                        f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>{body}",
                        encoding="utf-8")
        done = subprocess.run([*self.command, page.as_uri() + address], capture_output=True,
                              text=True, check=False, timeout=300)
        return done.stdout


def by_calculator(browser: Browser, settings: list[dict]) -> list[dict]:
    body = """<pre id="result"></pre><script>
      const settings = %s;
      document.getElementById("result").textContent = JSON.stringify(settings.map((o) => {
        try { return Limulus.compute(o); } catch (e) { return {error: e.message}; }
      }));
    </script>""" % json.dumps(settings)
    found = re.search(r'<pre id="result">(.*?)</pre>', browser.show(body), re.S)
    if not found or not found[1]:
        sys.exit("the browser ran no script")
    answers = json.loads(html.unescape(found[1]))
    keep = (*NUMBERS, "formula", "out")
    return [a if "error" in a else {name: a[name] for name in keep} for a in answers]


RECT = re.compile(r'<rect class="d-([\w-]+)" x="([\d.]+)" y="(\d+)" width="([\d.]+)"')


def drawing_findings(shown: str, n: int, f: int, s: int, p: int, out: int) -> list[str]:
    """Whether the drawing is to scale: the row, and below it windows 0, 1, 2 and the last, no more
    than there are."""
    room = int(re.search(r'viewBox="0 0 (\d+) ', shown)[1])
    cells = n + 2 * p
    unit = (room - 12) / max(cells, (out - 1) * s + f)
    rects = [(kind, (float(x) - 6) / unit, int(y), float(width) / unit)
             for kind, x, y, width in RECT.findall(shown)]
    windows = [(x, width) for _, x, y, width in rects if y > 6]
    rows = min(out, 4)
    wanted = [(i * s, f) for i in [*range(rows - 1), out - 1]]
    findings = []
    if len(windows) != rows or any(abs(a - b) > 0.05 for got, want in zip(windows, wanted)
                                   for a, b in zip(got, want)):
        findings.append(f"windows (begin, size) are drawn at {windows}, not {wanted}")
    row = [(x, x + width) for _, x, y, width in rects if y == 6]
    if abs(min(row)[0]) > 0.05 or abs(max(end for _, end in row) - cells) > 0.05:
        findings.append(f"the row is drawn from {min(row)[0]} to {max(row)[1]}, not 0 to {cells}")
    return findings


def form_findings(browser: Browser) -> list[str]:
    findings = []
    place = '<div id="calculator-form"></div>'
    for address, wanted, sizes in (
        ("", "floor((227 - 11 + 2*0)/4) + 1 = 55", (227, 11, 4, 0, 55)),
        ("#height=7&width=7", "window 11 is larger than the padded input 7", None),
        ("#kernels=-96", "there must be 1 or more of each", None),
        ("#op=max_pool2d&channels=96&height=54&width=54&kernel=3&stride=2&ceil=1",
         "ceil((54 - 3 + 2*0)/2) + 1 = 27", (54, 3, 2, 0, 27)),
        ("#channels=3&height=7&width=7&kernel=3&stride=2&padding=1",
         "floor((7 - 3 + 2*1)/2) + 1 = 4", (7, 3, 2, 1, 4)),
    ):
        shown = html.unescape(browser.show(place, address))
        if wanted not in shown:
            findings.append(f"the form at '{address}' does not show '{wanted}'")
        elif sizes:
            findings += [f"the form at '{address}': {what}"
                         for what in drawing_findings(shown, *sizes)]
    return findings


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    path = chromium.find()
    if path is None:
        print("skipped: there is no Chromium here")
        return chromium.SKIPPED
    settings = cases()
    with tempfile.TemporaryDirectory(prefix="limulus-calculator-") as folder:
        browser = Browser(path, folder)
        findings = [f"{o}\n  program:    {a}\n  calculator: {b}"
                    for o, b in zip(settings, by_calculator(browser, settings))
                    if differs(o, a := by_program(sys.argv[1], o), b)]
        findings += form_findings(browser)
    print("\n".join(findings) or f"{len(settings)} settings and the form agree with the program")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
