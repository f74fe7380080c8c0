#!/usr/bin/env python3
"""Looks for what a page of the built site cuts off, in a headless Chromium.

    docs/check_layout.py FOLDER     the pages of a built site
    docs/check_layout.py            a page with every fault: is each found?

Every page is laid out 1280 and 390 pixels wide, a desktop's window and a phone. A fault is
  * what is wider than its box, or than the column of text, and so is cut, or pushes the page aside. On a
    phone code and formulas may scroll, in a box that shows it (limulus.css shades the side with more);
  * letters of a drawing that are too small to be read, or that its border cuts;
  * a cell of a table that is so narrow that its text stands one word a line.
Prints page, element and pixels of each, and ends with 1; with 77, "skipped", where there is no Chromium.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77
WIDTHS = (1280, 390)
LEGIBLE = 7.5  # pixels a letter's font must have in a drawing
SECONDS = 120  # for one answer of the browser, on a busy machine

# What is measured in a page. Each finding: [kind, what is wrong, pixels, the element, the heading above it].
MEASURE = """(async (legible) => {
  await document.fonts.ready;
  for (const closed of document.querySelectorAll("details")) closed.open = true;
  const main = document.querySelector("article") ?? document.body;
  const phone = innerWidth < 640, found = [], reported = new Set();
  const style = (e) => getComputedStyle(e);
  const kind = (e) => {
    for (const [name, what] of [["svg, img", "drawing"], ["table", "table"], ["pre", "code"], ["math", "formula"]])
      if (e.closest(name) || e.querySelector(name)) return what;
    return "text";
  };
  const heading = (e) => {
    let last = "";
    for (const h of main.querySelectorAll("h1, h2, h3"))
      if (h.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING) last = h.textContent.replace("#", "");
    return last.trim();
  };
  const say = (e, what, pixels) => {
    reported.add(e);
    const name = e.tagName.toLowerCase() + (e.classList.length ? "." + [...e.classList].join(".") : "");
    const words = (e.textContent || e.getAttribute("src") || "").trim().replace(/\\s+/g, " ").slice(0, 50);
    found.push([kind(e), what, Math.round(pixels), `${name} "${words}"`, heading(e)]);
  };
  const hidden = (e) => !e.checkVisibility() || style(e).position === "absolute" || e.closest(".headerlink");
  const clips = (e) => style(e).overflowX !== "visible" && !(e instanceof SVGElement);
  const shows = (e) => style(e).backgroundAttachment.includes("local");
  const inside = (e, test) => {
    for (let up = e.parentElement; up && up !== main.parentElement; up = up.parentElement) if (test(up)) return true;
    return false;
  };

  const column = (main.closest(".content") ?? main).getBoundingClientRect(), elements = [...main.querySelectorAll("*")];
  for (const e of elements) {
    if (hidden(e) || inside(e, (up) => reported.has(up))) continue;
    const over = e.scrollWidth - e.clientWidth;
    if (clips(e) && e.clientWidth > 0 && over > 1) {
      if (!phone || !["code", "formula"].includes(kind(e))) say(e, "is wider than its box", over);
      else if (!["auto", "scroll"].includes(style(e).overflowX)) say(e, "is cut by its box", over);
      else if (!shows(e)) say(e, "scrolls in a box that does not show it", over);
      continue;
    }
    if (inside(e, (up) => up.tagName === "svg" || up.tagName === "math") || inside(e, clips)) continue;
    const box = e.getBoundingClientRect(), words = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const beyond = Math.max(box.right - column.right, column.left - box.left, words ? box.left + e.scrollWidth - column.right : 0);
    if (beyond > 1) say(e, "stands out of the column", beyond);
  }
  const aside = document.scrollingElement.scrollWidth - innerWidth;
  if (aside > 1 && !found.length) say(main, "makes the page scroll sideways", aside);

  for (const text of main.querySelectorAll("svg text")) {
    if (hidden(text) || !text.textContent.trim()) continue;
    const size = parseFloat(style(text).fontSize) * text.getScreenCTM().a;
    if (size < legible) say(text, `has letters of ${size.toFixed(1)} px, ${legible} can be read`, 0);
    const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
    const cut = Math.max(box.right - frame.right, frame.left - box.left,
                         box.bottom - frame.bottom, frame.top - box.top);
    if (cut > 2) say(text, "is cut by the border of its drawing", cut);
  }
  for (const cell of main.querySelectorAll("td")) {
    if (hidden(cell) || style(cell).display === "block") continue;
    const text = cell.innerText.trim(), range = document.createRange();
    range.selectNodeContents(cell);
    const ends = [...range.getClientRects()].map((r) => r.bottom).sort((a, b) => a - b);
    const lines = ends.filter((end, i) => !i || end - ends[i - 1] > 9).length;
    if (lines >= 4 && text.length < 7 * lines) say(cell, `has ${text.length} letters on ${lines} lines in`, cell.clientWidth);
  }
  const pictures = [...main.querySelectorAll("img")].filter((i) => !hidden(i)).map((i) => [i.src, i.clientWidth]);
  return {found, pictures};
})"""


class Browser:
    """Chromium, spoken to in its DevTools protocol: JSON, ended by a NUL, through descriptors 3 and 4."""

    def __init__(self, path: str, folder: str):
        theirs, self.to = os.pipe()
        self.of, ours = os.pipe()
        command = [path, "--headless", "--disable-gpu", "--no-first-run", "--no-sandbox", "--hide-scrollbars",
                   "--remote-debugging-pipe", f"--user-data-dir={folder}/profile", "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{theirs} 4>&{ours}', "bash", *command], pass_fds=(theirs, ours),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs)
        os.close(ours)
        self.count, self.rest, self.session = 0, b"", None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def message(self) -> dict:
        while b"\0" not in self.rest:
            more = os.read(self.of, 1 << 16)
            if not more:
                raise RuntimeError("the browser ended")
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
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", until="Page.loadEventFired", url=page.resolve().as_uri())
        got = self.ask("Runtime.evaluate", expression=f"{MEASURE}({LEGIBLE})", awaitPromise=True,
                       returnByValue=True)
        if "exceptionDetails" in got:
            raise RuntimeError(f"{page}: {got['exceptionDetails']['exception']['description']}")
        return got["result"]["value"]

    def close(self):
        os.close(self.to)
        os.close(self.of)
        self.process.kill()
        self.process.wait()


def small_letters(source: str, width: float) -> str:
    """What is too small in an SVG that a page shows `width` pixels wide; the page's style does not reach in."""
    path = Path(source.removeprefix("file://"))
    if path.suffix != ".svg" or not path.exists():
        return ""
    text = path.read_text(encoding="utf-8")
    box = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+)', text)
    sizes = [float(size) for size in re.findall(r'font(?:-size)?[:=]\s*"?(?:\w+ )?([\d.]+)px', text)]
    sizes += [float(size) for size in re.findall(r'font-size="([\d.]+)"', text)]
    if not box or not sizes:
        return ""
    size = min(sizes) * width / float(box[1])
    return f"has letters of {size:.1f} px, {LEGIBLE} can be read: {path.name}" if size < LEGIBLE else ""


def redirects(page: Path) -> bool:
    return 'http-equiv="refresh"' in page.read_text(encoding="utf-8")[:500]


def findings_of(browser: Browser, page: Path, name: str) -> list[str]:
    findings = []
    for width in WIDTHS:
        measured = browser.measure(page, width)
        for kind, what, pixels, element, heading in measured["found"]:
            by = f" by {pixels} px" if what.startswith(("is", "stands", "scrolls", "makes")) else \
                f" {pixels} px" if pixels else ""
            findings.append(f"{name} at {width} px: {kind} {what}{by}: {element}"
                            + (f", under \"{heading}\"" if heading else ""))
        findings += [f"{name} at {width} px: drawing {wrong}" for source, shown in measured["pictures"]
                     if (wrong := small_letters(source, shown))]
    return findings


FAULTY = """<!doctype html><meta charset="utf-8"><style>body { margin: 0; } article { margin: 20px; } </style>
<article><h1>Faults</h1>%s</article>"""
LONG = "very_long_word_" * 12
FAULTS = {  # what is found: a page with it and nothing else; "" for what is right
    "code is wider than its box by": f'<pre style="overflow: auto; width: 300px">{LONG}</pre>',
    "code scrolls in a box that does not show it by": f'<pre style="overflow: auto">{LONG}</pre>',
    "code is cut by its box by": f'<pre style="overflow: hidden">{LONG}</pre>',
    "text stands out of the column by": f"<p>{LONG * 3}</p>",
    "table is wider than its box by": '<div style="overflow: auto"><table><tr><td style="min-width: 2000px">a</table></div>',
    "drawing is wider than its box by": '<div style="overflow: auto"><svg width="2000" height="9"></svg></div>',
    "formula is wider than its box by": '<div style="overflow: auto"><math style="display: block; width: 1500px"><mi>x</mi></math></div>',
    "drawing has letters of 3.5 px": '<svg width="350" viewBox="0 0 1000 99"><text y="50" x="99" font-size="10">small</text></svg>',
    "drawing is cut by the border of its drawing by": '<svg width="300" height="30"><text x="280" y="20">a long name</text></svg>',
    "table has 26 letters on 5 lines in": '<table style="width: 40px"><tr><td>one1 two2 three four five5</table>',
    "drawing has letters of 5.0 px, 7.5 can be read: small.svg": '<img src="small.svg" style="width: 50%%; max-width: 150px">',
}
SMALL = '<svg xmlns="http://www.w3.org/2000/svg" width="300" height="40" viewBox="0 0 300 40"><text y="20" font-size="10">a</text></svg>'
RIGHT = """<p>Some words.</p><table><tr><td>two words<td>and more words</table><details><summary>A</summary><p>b</p></details>
<svg width="350" viewBox="0 0 350 99"><text y="50" x="99" font-size="10">letters</text></svg>
<div style="overflow: auto; background: linear-gradient(red, red) local"><math><mi>x</mi></math></div>"""


def own_faults(browser: Browser, folder: Path) -> list[str]:
    """Each page of FAULTS must be found to have its fault, and RIGHT none."""
    (folder / "small.svg").write_text(SMALL, encoding="utf-8")
    page, missed = folder / "page.html", []
    for wanted, body in {**FAULTS, "": RIGHT}.items():
        page.write_text(FAULTY % body, encoding="utf-8")
        found = findings_of(browser, page, "page")
        if wanted and not any(wanted in line for line in found):
            missed.append(f"'{wanted}' was not found, but {found}")
        if not wanted:
            missed += [f"a page without faults: {line}" for line in found]
    return missed


def main() -> int:
    if len(sys.argv) > 2 or sys.argv[1:] in (["-h"], ["--help"]):
        print(__doc__)
        return 2
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        print("skipped: there is no Chromium here, so nothing shows what the pages cut off")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="limulus-layout-", ignore_cleanup_errors=True) as folder:
        browser = Browser(path, folder)
        try:
            if len(sys.argv) == 1:
                findings, checked = own_faults(browser, Path(folder)), f"{len(FAULTS)} faults are found"
            else:
                site = Path(sys.argv[1])
                pages = [p for p in sorted(site.rglob("*.html")) if "_static" not in p.parts and not redirects(p)]
                findings = [line for p in pages for line in findings_of(browser, p, str(p.relative_to(site)))]
                checked = f"{len(pages)} pages cut nothing off, {' and '.join(map(str, WIDTHS))} px wide"
                if not pages:
                    findings = [f"{site}: there are no pages"]
        finally:
            browser.close()
    print("\n".join(findings) or checked)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
