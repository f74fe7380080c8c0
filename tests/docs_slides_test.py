"""The lectures' slides (docs/make_slides.py): mistakes in a source are found; what is made needs no
other file; in a browser each slide fits a projector, nothing is cut off on a phone, and the keys
move.

    docs_slides_test.py PROGRAM

It runs with the site's packages, which ./run docs installs into build/docs-venv; where they are not
there it is skipped, as is the browser's part where there is no Chromium.
"""

import html
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LECTURES = sorted((ROOT / "course" / "slides").glob("*.md"))
sys.path.insert(0, str(ROOT / "docs"))
import chromium  # noqa: E402

BROWSER = chromium.find()

# Runs beside the slides, in a page that shows them in frames of given sizes.
MEASURE = """
const scrolls = "pre, .table-wrapper, .math, .calculations, figure.drawings > div, .picture";
function measured(frame) {
  const d = frame.contentDocument, w = frame.contentWindow;
  const slides = [...d.querySelectorAll("section.slide")];
  const box = e => e.getBoundingClientRect(), style = e => w.getComputedStyle(e);
  const cut = e => box(e).right > w.innerWidth + 1 && !e.closest(scrolls);
  const press = (key, shiftKey = false) => {
    const options = { key, shiftKey, bubbles: true, cancelable: true };
    d.body.dispatchEvent(new w.KeyboardEvent("keydown", options));
    const shown = slides[+w.location.hash.slice(1) - 1];
    return w.location.hash + (shown && Math.abs(box(shown).top) < 2 ? "" : " is not shown");
  };
  const notes = () => style(d.querySelector(".notes")).display;
  const summary = d.querySelector("details > summary");
  const result = {
    high: slides.filter(s => box(s).height > w.innerHeight + 1).map(s => s.id),
    wide: [...d.querySelectorAll("body *")].filter(cut)
      .map(e => e.tagName + " of " + (e.closest("section") || d.body).id),
    page: d.documentElement.scrollWidth - w.innerWidth,
    small: [...d.querySelectorAll(".body *")].filter(e => e.matches("p, li, pre, td") &&
      parseFloat(style(e).fontSize) < 9.9).length,
    background: style(d.documentElement).backgroundColor,
    keys: w.innerWidth < 500 ? [] : ["End", "Home", "ArrowRight", " ", "PageDown", "ArrowLeft",
      "PageUp", "ArrowDown"].map(key => press(key)),
    back: w.innerWidth < 500 ? "" : press(" ", true),
    notes: [notes(), (press("n"), notes()), (press("n"), notes())],
  };
  summary.click();
  return { ...result, opened: summary.parentElement.open };
}
onload = () => {
  const all = [...document.querySelectorAll("iframe")].map(measured);
  document.getElementById("result").textContent = JSON.stringify(all);
};
"""
PROJECTORS = ((1280, 720), (1280, 800), (1920, 1080))
PHONE = (390, 844)


class Needs(HTMLParser):
    """What a page asks for beyond itself."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self.within = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.within = tag
        for name, value in attributes:
            outside = not (value or "").startswith(("data:", "#"))
            if name in ("src", "href", "srcset", "poster", "data", "action") and outside:
                self.found.append(f"<{tag} {name}={value}>")
        if tag in ("link", "iframe", "object", "embed", "base"):
            self.found.append(f"<{tag}>")

    def handle_data(self, data):
        if self.within in ("style", "script"):
            self.found += re.findall(
                r"url\((?!#)[^)]*\)|@import[^;]*|https?:[^\s'\")]*|\bfetch\(|\bimport\b", data)


def run_browser(*options: str) -> str:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = chromium.command(BROWSER, profile, "--allow-file-access-from-files", *options)
        return subprocess.run(command, capture_output=True, text=True, check=True,
                              timeout=240).stdout


class Sources(unittest.TestCase):
    def made(self, text: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "l.md").write_text(text, encoding="utf-8")
            return slides.lecture(Path(folder, "l.md"))

    def test_a_heading_begins_a_slide_but_not_in_a_block(self):
        made = self.made("# One\n\n```console\n# a comment\n## another\n```\n\n"
                         "## Two\n\n### within\n")
        self.assertEqual(re.findall(r'aria-label="(.*?)"', made), ["One", "Two"])
        self.assertIn("2 / 2", made)

    def test_roles_and_directives_are_computed(self):
        made = self.made("# T\n\n{num}`conv1.parameters` and {calc}`2*3 = 6`; {quoted}`253,440`\n\n"
                         "```{layer} pool1\n```\n\n```{walk} alexnet\n```\n\n$x^2$\n\n"
                         ":::{notes}\nhush\n:::\n\n:::{details} Why $x$?\nso\n:::\n")
        for words in ("34,944", "<mn>6</mn>", "253,440", "pool1", "60,965,224", "<msup>",
                      '<aside class="notes"><p>hush</p>', "<details><summary>Why <math"):
            self.assertIn(words, made)
        self.assertNotIn("<a ", made)
        self.assertNotIn("34944", self.made("# T\n\n<b>{num}`conv1.parameters`</b>\n"))
        self.assertNotIn("<b>", self.made("# T\n\n<b>bold</b>\n"))

    def test_mistakes_are_named(self):
        for text, words in (("# T\n\n## Sum\n\n{calc}`2*3 = 7`\n",
                             "slide 2, Sum: .*it should be 6"),
                            ("# T\n\n{num}`conv9.parameters`\n", "there is no such number"),
                            ("# T\n\n```{calc}\n1 + 1 = 3\n```\n", "slide 1, T: 1 . 1 = 3"),
                            ("# T\n\n```{chart} x\n```\n", "the directives are"),
                            ("# T\n\n{nmu}`1`\n", "the roles are"),
                            ("# T\n\n:::{note}\nx\n:::\n", "the blocks are"),
                            ("# T\n\n![x](nowhere.png)\n", "nowhere.png: No such file"),
                            ("# T\n\n```{drawing} window alexnet conv9\n```\n", "no such layer"),
                            ("# T\n\n```console\n$ limulus\n", "has no end"),
                            ("text\n\n# T\n", "the first line is a heading"),
                            ("", "there is no slide")):
            with self.subTest(text=text), self.assertRaisesRegex(
                    (slides.SlidesError, slides.page_numbers.NumberError), words):
                self.made(text)

    def test_the_questions_without_answers(self):
        source = ROOT / "course" / "staff" / "questions.md"
        if not source.is_file():
            self.skipTest("a student's repository has no questions")
        whole, alone = (slides.reading(source, answers) for answers in (True, False))
        for words in ("Answer.", "A wrong answer shows.", "course/staff"):
            self.assertIn(words, whole)
            self.assertNotIn(words, alone)
        for made in (whole, alone):
            self.assertEqual(len(re.findall(r"<h3>\d+</h3>", made)), 44)
            self.assertEqual(Needs(made).found, [])


class Lectures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        subprocess.run([sys.executable, ROOT / "docs" / "make_slides.py", cls.folder], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_there_is_a_file_of_each_and_it_needs_nothing_else(self):
        self.assertGreaterEqual(len(LECTURES), 2)
        linked = (ROOT / "docs" / "course" / "syllabus.md").read_text(encoding="utf-8")
        for source in LECTURES:
            made = (self.folder / f"{source.stem}.html").read_text(encoding="utf-8")
            self.assertEqual(Needs(made).found, [], source)
            self.assertIn(f'href="slides/{source.stem}.html"', linked)

    def measured(self, shown: list[tuple[str, tuple[int, int]]], *options: str) -> list[dict]:
        """Of each lecture, in a frame of a size, what MEASURE finds."""
        page = self.folder / "frames.html"
        frames = "".join(
            f'<iframe src="{name}.html" style="border:0;width:{w}px;height:{h}px"></iframe>'
            for name, (w, h) in shown)
        page.write_text(f'<body>{frames}<pre id="result"></pre><script>{MEASURE}</script>')
        printed = run_browser("--virtual-time-budget=8000", "--window-size=2000,1100", "--dump-dom",
                              *options, page.as_uri())
        found = re.search(r'<pre id="result">(.+?)</pre>', printed, re.DOTALL)
        self.assertTrue(found, "the script in the browser did not end")
        return json.loads(html.unescape(found[1]))

    @unittest.skipUnless(BROWSER, "there is no Chromium")
    def test_on_a_projector_and_on_a_phone(self):
        shown = [(source.stem, size) for source in LECTURES for size in (*PROJECTORS, PHONE)]
        for (name, size), m in zip(shown, self.measured(shown), strict=True):
            with self.subTest(lecture=name, size=size):
                self.assertEqual((m["wide"], m["small"], m["opened"]), ([], 0, True))
                self.assertLessEqual(m["page"], 0)
                self.assertEqual(m["notes"], ["none", "block", "none"])
                if size != PHONE:
                    last = self.slides_in(name)
                    self.assertEqual(m["high"], [])
                    self.assertEqual(m["keys"],
                                     [f"#{last}", "#1", "#2", "#3", "#4", "#3", "#2", "#3"])
                    self.assertEqual(m["back"], "#2")

    @staticmethod
    def slides_in(name: str) -> int:
        source = ROOT / "course" / "slides" / f"{name}.md"
        return len(slides.slides_of(source.read_text(encoding="utf-8")))

    @unittest.skipUnless(BROWSER, "there is no Chromium")
    def test_light_and_dark(self):
        shown = [(LECTURES[0].stem, PHONE)]
        seen = [self.measured(shown, f"--blink-settings=preferredColorScheme={n}")[0]["background"]
                for n in (1, 0)]
        self.assertEqual(seen[0], "rgb(255, 255, 255)")
        self.assertLess(sum(map(int, re.findall(r"\d+", seen[1]))), 120, seen)

    @unittest.skipUnless(BROWSER, "there is no Chromium")
    def test_one_page_for_each_slide_when_printed(self):
        for source in LECTURES:
            out = self.folder / "printed.pdf"
            run_browser("--no-pdf-header-footer", f"--print-to-pdf={out}",
                        (self.folder / f"{source.stem}.html").as_uri())
            pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", out.read_bytes()))
            self.assertEqual(pages, self.slides_in(source.stem))


class Formulas(unittest.TestCase):
    """What slides and pages set formulas with: _ext/latex.py and _ext/mathml.py."""

    def pieces(self, markup):
        return ["".join(re.findall(r">([^<>]+)<", piece)) for piece in markup.split("&#8203;")]

    def test_break_before_signs_but_not_within_brackets_or_a_condition(self):
        import latex
        made = latex.of_latex(r"y = \max(0, x - 1) + b \qquad 0 \le x \le 2", "block")
        self.assertEqual(self.pieces(made), ["y", "=max(0,x−1)", "+b", "0≤x≤2"])
        self.assertEqual(made.count("displaystyle"), 4)

    def test_a_power_of_a_function_has_two_parts(self):
        import latex
        made = latex.of_latex(r"1 - \tanh^2(x)", "inline")
        self.assertIn("<msup><mi>tanh</mi><mn>2</mn></msup>", made)

    def test_calculations_break_between_terms_and_bracket_a_sign(self):
        import mathml
        made = mathml.of_calculation("1 + 2*(-3) = -5", inline=False)
        self.assertEqual(self.pieces(made), ["1", "+2·(−3)", "=−5"])

    def test_what_stands_beside_a_formula_stays_there(self):
        import latex
        self.assertEqual(latex.held("(<math>x</math>, <math>y</math> z"),
                         '<span class="held">(<math>x</math>,</span> <math>y</math> z')


def with_packages() -> bool:
    try:
        import latex2mathml  # noqa: F401
        import markdown_it  # noqa: F401
        import mdit_py_plugins  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    os.environ["LIMULUS"] = str(Path(sys.argv.pop(1)).resolve())
    if not with_packages():
        venv = ROOT / "build" / "docs-venv" / "bin" / "python"
        if not venv.exists() or os.environ.get("LIMULUS_SLIDES_AGAIN"):
            print("skipped: the site's packages are not here; ./run docs installs them")
            sys.exit(chromium.SKIPPED)
        os.environ["LIMULUS_SLIDES_AGAIN"] = "1"
        os.execv(venv, [str(venv), __file__, os.environ["LIMULUS"], *sys.argv[1:]])
    if not BROWSER:
        print("no Chromium: nobody looks at the slides")
    import make_slides as slides
    unittest.main()
