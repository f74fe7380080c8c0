"""What the pages of the walk are made with, for Sphinx.

Roles:       {num}`conv1.parameters`    a number from the program (page_numbers.py)
             {calc}`2*3 = 6`            a calculation, checked, as MathML
             {quoted}`253,440`          a number that somebody printed; nobody computes it here
Directives:  {calc}                     one calculation a line, set out
             {layer} conv1              a layer's sizes, parameters and costs, as a table
             {drawing} window alexnet conv1
             {picture} seen conv1       what a trained network sees in a photograph (pictures.py)
             {parameters} MODEL ...     numbers of parameters of whole networks
             {walk} MODEL               a network in one table, with links to its layers' pages
             {excerpt} FILE FUNCTION    a function out of the source, or a part of it (excerpts.py)
             {parts}                    a toctree of patterns; one that matches nothing is left out
             {details} TITLE            what is shown when it is asked for: answers, long code
Mathematics ($...$) becomes MathML, too. A wrong calculation ends the build.
"""

import html

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.directives.other import TocTree
from sphinx.util.matching import patfilter

import drawings
import excerpts
import latex
import mathml
import page_numbers
import pictures
import tables
from page_numbers import NumberError


def raw(markup: str):
    return nodes.raw("", markup, format="html")


def failed(parser, message: str, line: int):
    return parser.reporter.error(message, line=line)


def role(make):
    def run(name, rawtext, text, lineno, inliner, options=None, content=None):
        try:
            return [make(text)], []
        except NumberError as error:
            message = failed(inliner, str(error), lineno)
            return [inliner.problematic(rawtext, rawtext, message)], [message]
    return run


def quoted(text: str):
    return raw(f'<span class="quoted" title="as printed there">{html.escape(text)}</span>')


class Checked(Directive):
    """A directive whose content is made of numbers: a wrong one ends the build."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        try:
            return [raw(self.markup())]
        except NumberError as error:
            return [failed(self.state_machine, str(error), self.lineno)]


class Calculations(Checked):
    def markup(self):
        lines = [line for line in self.content if line.strip()]
        made = "".join(f"<div>{mathml.of_calculation(line, inline=False)}</div>" for line in lines)
        return f'<div class="calculations">{made}</div>'


class Drawing(Checked):
    def markup(self):
        return drawings.drawing(self.arguments[0])


class Picture(Checked):
    def markup(self):
        return pictures.picture(self.arguments[0])


class Layer(Checked):
    def markup(self):
        return tables.layer(self.arguments[0])


class Parameters(Checked):
    def markup(self):
        return tables.parameters(self.arguments[0].split())


class Walk(Checked):
    def markup(self):
        return tables.walk(self.arguments[0])


class Excerpt(Directive):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        try:
            code, path, line = excerpts.excerpt(self.arguments[0])
        except excerpts.ExcerptError as error:
            return [failed(self.state_machine, str(error), self.lineno)]
        block = nodes.literal_block(code, code, language="cpp")
        self.state.document.settings.env.note_dependency(str(excerpts.ROOT / path))
        title = raw(f'<p class="excerpt">{html.escape(path)}, from line {line}</p>')
        return [title, block]


class Details(Directive):
    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        title = html.escape(self.arguments[0] if self.arguments else "Answer")
        inside = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, inside)
        return [raw(f"<details><summary>{title}</summary>"), inside, raw("</details>")]


class Parts(TocTree):
    """A toctree of whatever there is: patterns that match no page are left out."""

    def run(self):
        self.options["glob"] = None
        here = self.env.current_document.docname.rpartition("/")[0]
        left, kept = set(self.env.found_docs), []
        for entry in filter(None, self.content):
            pattern = entry[1:] if entry.startswith("/") else f"{here}/{entry}"
            if found := set(patfilter(left, pattern)):
                kept.append(entry)
                left -= found
        self.content = self.content.__class__(kept)
        return super().run() if kept else []


def inline_math(self, node):
    self.body.append(latex.of_latex(node.astext(), "inline"))
    raise nodes.SkipNode


def block_math(self, node):
    self.body.append(f'<div class="math">{latex.of_latex(node.astext(), "block")}</div>')
    raise nodes.SkipNode


REDIRECT = """<!doctype html><meta charset="utf-8"><title>Limulus</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">Limulus</a>
"""


def add_front_door(app, exception):
    """The sources are the repository's, so pages lie in docs/; index.html leads there."""
    if exception is None and app.builder.format == "html":
        (app.outdir / "index.html").write_text(REDIRECT, encoding="utf-8")


def hold_formulas(app, pagename, templatename, context, doctree):
    if "body" in context:
        context["body"] = latex.held(context["body"])


def setup(app):
    app.add_role("num", role(lambda text: nodes.Text(page_numbers.number(text))))
    app.add_role("calc", role(lambda text: raw(mathml.of_calculation(text, inline=True))))
    app.add_role("quoted", role(quoted))
    app.add_directive("calc", Calculations)
    app.add_directive("drawing", Drawing)
    app.add_directive("picture", Picture)
    app.add_directive("layer", Layer)
    app.add_directive("parameters", Parameters)
    app.add_directive("walk", Walk)
    app.add_directive("excerpt", Excerpt)
    app.add_directive("details", Details)
    app.add_directive("parts", Parts)
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("html-page-context", hold_formulas)
    app.connect("build-finished", add_front_door)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
