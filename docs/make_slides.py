#!/usr/bin/env python3
"""Makes a page of slides of each lecture in course/slides: one HTML file that needs nothing else.

    docs/make_slides.py FOLDER                  course/slides/*.md -> FOLDER/*.html
    docs/make_slides.py --page FILE.md OUT.html [--without-answers]
                                                the staff's questions, say, as a page to be read

A lecture is Markdown with the roles and directives of the site (docs/README.md): {num}, {calc} and
{quoted}; calc, drawing, layer, parameters and walk. A heading of the first or second level begins a
slide; `:::{notes}` is for the lecturer, `:::{details} TITLE` is opened by a click. A number that is
wrong ends the program with 1, as does a picture that is not there. It runs with the packages of the
site, docs/requirements.txt. Numbers are asked of the program that LIMULUS names, a variable of the
environment; without it they are the stored ones (docs/_ext/stored.py).
"""

import argparse
import base64
import html
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import drawings  # noqa: E402
import mathml  # noqa: E402
import page_numbers  # noqa: E402
import tables  # noqa: E402
from latex2mathml.converter import convert  # noqa: E402
from markdown_it import MarkdownIt  # noqa: E402
from mdit_py_plugins.colon_fence import colon_fence_plugin  # noqa: E402
from mdit_py_plugins.dollarmath import dollarmath_plugin  # noqa: E402
from mdit_py_plugins.myst_role import myst_role_plugin  # noqa: E402

PICTURES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
ANSWER = "**Answer.**"  # of the staff's questions


class SlidesError(Exception):
    """What is wrong in a lecture's source, for the person who writes it."""


def role(name: str, text: str) -> str:
    if name == "num":
        return html.escape(page_numbers.number(text))
    if name == "calc":
        return mathml.of_calculation(text, inline=True)
    if name == "quoted":
        return f'<span class="quoted" title="as printed there">{html.escape(text)}</span>'
    raise SlidesError(f"{{{name}}}`{text}`: the roles are num, calc and quoted")


def calculations(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    made = "".join(f"<div>{mathml.of_calculation(line, inline=False)}</div>" for line in lines)
    return f'<div class="calculations">{made}</div>'


def directive(name: str, argument: str, content: str) -> str:
    made = {"calc": lambda: calculations(content), "drawing": lambda: drawings.drawing(argument),
            "layer": lambda: tables.layer(argument), "walk": lambda: tables.walk(argument),
            "parameters": lambda: tables.parameters(argument.split())}
    if name not in made:
        raise SlidesError(f"{{{name}}}: the directives are {', '.join(made)}, notes and details")
    return re.sub(r"</?a\b[^>]*>", "", made[name]())  # links into the site lead nowhere from here


def picture(path: Path, words: str) -> str:
    """The picture itself, in the page."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SlidesError(f"{path}: {error.strerror}") from None
    if path.suffix == ".svg":
        return f'<div class="picture" role="img" aria-label="{html.escape(words)}">' \
               f"{data.decode()[data.decode().index('<svg'):]}</div>"
    if path.suffix not in PICTURES:
        raise SlidesError(f"{path}: a picture is one of .svg {' '.join(PICTURES)}")
    kind, text = PICTURES[path.suffix], base64.b64encode(data).decode()
    return f'<img class="photograph" alt="{html.escape(words)}" src="data:{kind};base64,{text}">'


def parser(source: Path) -> MarkdownIt:
    md = MarkdownIt("commonmark", {"html": False}).enable("table")
    md.use(dollarmath_plugin, allow_digits=False).use(myst_role_plugin).use(colon_fence_plugin)

    def fence(self, tokens, i, options, env):
        info, content = tokens[i].info.strip(), tokens[i].content
        if named := re.fullmatch(r"\{([\w-]+)\}\s*(.*)", info, re.DOTALL):
            return directive(named[1], named[2], content)
        return f'<pre class="{html.escape(info)}">{html.escape(content)}</pre>\n'

    def colon_fence(self, tokens, i, options, env):
        named = re.fullmatch(r"\{(notes|details)\}\s*(.*)", tokens[i].info.strip(), re.DOTALL)
        if not named:
            raise SlidesError(f":::{tokens[i].info}: the blocks are notes and details")
        inside = md.render(tokens[i].content)
        if named[1] == "notes":
            return f'<aside class="notes">{inside}</aside>'
        title = md.renderInline(named[2] or "Answer")
        return f"<details><summary>{title}</summary>{inside}</details>"

    md.add_render_rule("fence", fence)
    md.add_render_rule("colon_fence", colon_fence)
    md.add_render_rule("myst_role", lambda self, tokens, i, *_:
                       role(tokens[i].meta["name"], tokens[i].content))
    md.add_render_rule("math_inline", lambda self, tokens, i, *_: convert(tokens[i].content))
    md.add_render_rule("math_block", lambda self, tokens, i, *_:
                       f'<div class="math">{convert(tokens[i].content, display="block")}</div>')
    md.add_render_rule("image", lambda self, tokens, i, *_:
                       picture(source.parent / tokens[i].attrs["src"], tokens[i].content))
    md.add_render_rule("table_open", lambda *_: '<div class="table-wrapper"><table>')
    md.add_render_rule("table_close", lambda *_: "</table></div>")
    for name in ("link_open", "link_close"):  # a page that stands alone has no neighbours
        md.add_render_rule(name, lambda *_: "")
    return md


def slides_of(text: str) -> list[tuple[str, str]]:
    """Of each slide its title and its Markdown, the heading included."""
    found: list[tuple[str, list[str]]] = []
    within = ""
    for line in text.splitlines():
        if mark := re.match(r"(`{3,}|:{3,})", line):
            within = mark[1] if not within else "" if line.strip() == within else within
        if not within and (heading := re.match(r"##? (.*)", line)):
            found.append((heading[1], []))
        if found:
            found[-1][1].append(line)
        elif line.strip():
            raise SlidesError(f"the first line is a heading, and not {line!r}")
    if within:
        raise SlidesError(f"a block that begins with {within} has no end")
    return [(title, "\n".join(lines)) for title, lines in found]


def lecture(source: Path) -> str:
    md = parser(source)
    slides = slides_of(source.read_text(encoding="utf-8"))
    if not slides:
        raise SlidesError("there is no slide")
    title, sections = slides[0][0], []
    for number, (words, text) in enumerate(slides, 1):
        kind = "slide first" if number == 1 else "slide"
        try:
            body = md.render(text)
        except (SlidesError, page_numbers.NumberError) as error:
            raise SlidesError(f"slide {number}, {words}: {error}") from None
        sections.append(f'<section class="{kind}" id="{number}" aria-label="{html.escape(words)}">'
                        f'<div class="body">{body}</div><footer><span>{html.escape(title)}</span>'
                        f"<span>{number} / {len(slides)}</span></footer></section>")
    return page(title, f"<main>{''.join(sections)}</main>", script=True)


def without_answers(text: str) -> str:
    """The questions alone: what stands from "Answer." to the next heading is left out."""
    kept, within, blocked = [], False, False
    for line in text.splitlines():
        blocked ^= line.startswith("```")
        if not blocked and line.startswith("#"):
            within = False
        within = within or line.startswith(ANSWER)
        if not within:
            kept.append(line)
    return "\n".join(kept)


def reading(source: Path, answers: bool) -> str:
    text = source.read_text(encoding="utf-8")
    if not answers:
        if ANSWER not in text:
            raise SlidesError(f"there is no {ANSWER}")
        begin = text.index("\n## ")  # what comes before is for the staff
        text = text[:text.index("\n")] + "\n" + without_answers(text[begin:])
        text = text.replace(", with answers", "", 1)
    title = re.match(r"# (.*)", text)
    return page(title[1] if title else source.stem,
                f'<main class="reading">{parser(source).render(text)}</main>', script=False)


def page(title: str, body: str, script: bool) -> str:
    folder = ROOT / "docs" / "_static"
    style = "".join((folder / n).read_text(encoding="utf-8") for n in ("limulus.css", "slides.css"))
    # The site's font for formulas is a file beside it; one file takes the browser's.
    style = re.sub(r"@font-face \{[^}]*\}\n", "", style)
    code = (folder / "slides.js").read_text(encoding="utf-8") if script else ""
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>{style}</style></head>"
            f"<body>{body}{f'<script>{code}</script>' if code else ''}</body></html>\n")


def main() -> int:
    top = argparse.ArgumentParser(usage=__doc__)
    top.add_argument("folder", nargs="?", type=Path)
    top.add_argument("--page", nargs=2, type=Path, metavar=("FILE.md", "OUT.html"))
    top.add_argument("--without-answers", action="store_true")
    args = top.parse_args()
    if bool(args.folder) == bool(args.page):
        print(__doc__)
        return 2
    jobs = [tuple(args.page)] if args.page else [
        (p, args.folder / f"{p.stem}.html") for p in sorted((ROOT / "course/slides").glob("*.md"))]
    for source, out in jobs:
        try:
            made = reading(source, not args.without_answers) if args.page else lecture(source)
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text(made, encoding="utf-8")
        except (SlidesError, page_numbers.NumberError, OSError) as error:
            print(f"{source}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
