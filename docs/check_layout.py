#!/usr/bin/env python3
"""Looks for what a page of the built site cuts off, in a headless Chromium.

    docs/check_layout.py FOLDER     the pages of a built site
    docs/check_layout.py            a page with every fault: is each found?

Every page is laid out 1280 and 390 pixels wide, a desktop's window and a phone. A fault is
  * what is wider than its box, or than the column of text, and so is cut, or pushes the page aside.
    On a phone code and formulas may scroll, in a box that shows it (limulus.css shades the side
    with more);
  * letters of a drawing that are too small to be read, or that its border cuts;
  * a cell of a table that is so narrow that its text stands one word a line.
Prints page, element and pixels of each, and ends with 1; with 77, "skipped", where there is no
Chromium.
"""

import json
import os
import re
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import chromium

WIDTHS = (1280, 390)
SECONDS = 120  # for one answer of the browser, on a busy machine
LEGIBLE = 7.5  # pixels a letter's font must have in a drawing
MEASURE = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


class Browser:
    """Chromium, spoken to in its DevTools protocol: JSON, ended by a NUL, through descriptors 3 and
    4."""

    def __init__(self, path: str, folder: str):
        theirs, self.to = os.pipe()
        self.of, ours = os.pipe()
        command = chromium.command(path, f"{folder}/profile", "--hide-scrollbars",
                                   "--remote-debugging-pipe", "about:blank")
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{ours}', "bash", *command],
            pass_fds=(theirs, ours),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(ours)
        self.count, self.rest, self.session = 0, b"", None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def message(self) -> dict:
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.of], [], [], SECONDS)
            more = os.read(self.of, 1 << 16) if ready else b""
            if not more:
                raise RuntimeError("the browser ended, or hangs")
            self.rest += more
        text, _, self.rest = self.rest.partition(b"\0")
        return json.loads(text)

    def ask(self, method: str, until: str = "", **parameters) -> dict:
        """The answer to a command; with `until`, after the event of that name."""
        self.count += 1
        said = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            said["sessionId"] = self.session
        os.write(self.to, json.dumps(said).encode() + b"\0")
        answer = None
        while answer is None or until:
            got = self.message()
            if got.get("id") == self.count:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']['message']}")
                answer = got["result"]
            elif got.get("method") == until:
                until = ""
        return answer

    def measure(self, page: Path, width: int) -> dict:
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.ask("Page.navigate", until="Page.loadEventFired", url=page.resolve().as_uri())
        got = self.ask(
            "Runtime.evaluate",
            expression=f"({MEASURE})({LEGIBLE})",
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in got:
            raise RuntimeError(f"{page}: {got['exceptionDetails']['exception']['description']}")
        return got["result"]["value"]

    def close(self):
        try:
            self.session = None
            self.ask("Browser.close")
            self.process.wait(timeout=20)
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def small_letters(source: str, width: float) -> str:
    """What is too small in an SVG that a page shows `width` pixels wide; the page's style does not
    reach in."""
    path = Path(source.removeprefix("file://"))
    if path.suffix != ".svg" or not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    box = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+)', text)
    sizes = [
        float(size) for size in re.findall(r'font(?:-size)?[:=]\s*"?(?:\w+ )?([\d.]+)px', text)
    ]
    sizes += [float(size) for size in re.findall(r'font-size="([\d.]+)"', text)]
    if not box or not sizes:
        return ""
    size = min(sizes) * width / float(box[1])
    return (
        f"has letters of {size:.1f} px, {LEGIBLE} can be read: {path.name}"
        if size < LEGIBLE
        else ""
    )


def redirects(page: Path) -> bool:
    return 'http-equiv="refresh"' in page.read_text(encoding="utf-8")[:500]


def findings_of(browser: Browser, page: Path, name: str) -> list[str]:
    findings = []
    for width in WIDTHS:
        measured = browser.measure(page, width)
        for kind, what, pixels, element, heading in measured["found"]:
            by = (
                f" by {pixels} px"
                if what.startswith(("is", "stands", "scrolls", "makes"))
                else f" {pixels} px"
                if pixels
                else ""
            )
            findings.append(
                f"{name} at {width} px: {kind} {what}{by}: {element}"
                + (f', under "{heading}"' if heading else "")
            )
        findings += [
            f"{name} at {width} px: drawing {wrong}"
            for source, shown in measured["pictures"]
            if (wrong := small_letters(source, shown))
        ]
    return findings


FAULTY = """<!doctype html><meta charset="utf-8">
<style>body { margin: 0; } article { margin: 20px; } .box { overflow: auto; }</style>
<article><h1>Faults</h1>%s</article>"""
LONG = "very_long_word_" * 12
LETTERS = ('<svg width="350" viewBox="0 0 %d 99"><text y="50" x="99" font-size="10">letters</text>'
           '</svg>')
FAULTS = {  # what is found: a page with it and nothing else
    "1280 px: code is wider than its box by ":
        f'<pre style="overflow: auto; width: 300px">{LONG}</pre>',
    "390 px: code scrolls in a box that does not show it by ": f'<pre class="box">{LONG}</pre>',
    "390 px: code is cut by its box by ": f'<pre style="overflow: hidden">{LONG}</pre>',
    "390 px: text stands out of the column by ": f"<p>{LONG}</p>",
    "1280 px: table is wider than its box by ":
        '<div class="box"><table><tr><td style="min-width: 2000px">a</table></div>',
    "1280 px: drawing is wider than its box by 760 px":
        '<div class="box"><svg width="2000" height="9"></svg></div>',
    "390 px: drawing is wider than its box by 1650 px":
        '<div class="box"><svg width="2000" height="9"></svg></div>',
    "1280 px: formula is wider than its box by 260 px":
        '<div class="box"><math style="display: block; width: 1500px"><mi>x</mi></math></div>',
    "drawing has letters of 3.5 px": LETTERS % 1000,
    "drawing is cut by the border of its drawing by ":
        '<svg width="300" height="30"><text x="280" y="20">a long name</text></svg>',
    "table has 26 letters on 5 lines in ":
        '<table style="width: 40px"><tr><td>one1 two2 three four five5</table>',
    "drawing has letters of 5.0 px, 7.5 can be read: small.svg":
        '<img src="small.svg" style="width: 150px">',
}
SMALL = ('<svg xmlns="http://www.w3.org/2000/svg" width="300" height="40" viewBox="0 0 300 40">'
         '<text y="20" font-size="10">a</text></svg>')
RIGHT = """<p>Some words.</p><table><tr><td>two words<td>and more words</table>%s
<details><summary>A</summary><p>b</p></details>
<div class="box" style="background: linear-gradient(red, red) local">\
<math><mi>x</mi></math></div>"""


def own_faults(browser: Browser, folder: Path) -> list[str]:
    """Each page of FAULTS must be found to have its fault, and RIGHT none."""
    (folder / "small.svg").write_text(SMALL, encoding="utf-8")
    page = folder / "page.html"

    def found(body: str) -> list[str]:
        page.write_text(FAULTY % body, encoding="utf-8")
        return findings_of(browser, page, "page")

    missed = []
    for wanted, body in FAULTS.items():
        lines = found(body)
        if not any(wanted in line for line in lines):
            missed.append(f"'{wanted}' was not found in {body}, but {lines}")
    return missed + [f"a page without faults: {line}" for line in found(RIGHT % (LETTERS % 350))]


def site_faults(browser: Browser, site: Path) -> tuple[list[str], int]:
    """The findings, and how many pages there are."""
    pages = [p for p in sorted(site.rglob("*.html"))
             if "_static" not in p.parts and not redirects(p)]
    if not pages:
        return [f"{site}: there are no pages"], 0
    lines = [line for p in pages for line in findings_of(browser, p, str(p.relative_to(site)))]
    return lines, len(pages)


def main() -> int:
    if len(sys.argv) > 2 or sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return 2
    path = chromium.find()
    if path is None:
        print("skipped: there is no Chromium here, so nothing shows what the pages cut off")
        return chromium.SKIPPED
    with tempfile.TemporaryDirectory(prefix="limulus-layout-",
                                     ignore_cleanup_errors=True) as folder:
        browser = None
        try:
            browser = Browser(path, folder)
            if len(sys.argv) == 1:
                findings = own_faults(browser, Path(folder))
                checked = f"{len(FAULTS)} faults are found"
            else:
                findings, count = site_faults(browser, Path(sys.argv[1]))
                checked = f"{count} pages cut nothing off, {' and '.join(map(str, WIDTHS))} px wide"
        except (RuntimeError, OSError) as error:
            findings = [f"{path}: {error}"]
        finally:
            if browser:
                browser.close()
    print("\n".join(findings) or checked)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
