"""What the pages of the walk are made with, for Sphinx.

Roles:       {num}`conv1.parameters`    a number from the program (page_numbers.py)
             {calc}`2*3 = 6`            a calculation, checked, as MathML
             {quoted}`253,440`          a number that somebody printed; nobody computes it here
Directives:  {calc}                     one calculation a line, set out
             {layer} conv1              a layer's sizes, parameters and costs, as a table
             {drawing} window alexnet conv1
             {parameters} MODEL ...     numbers of parameters of whole networks
             {walk} MODEL               a network in one table
             {excerpt} FILE FUNCTION    a function out of the source (excerpts.py)
             {parts}                    a toctree of patterns; one that matches nothing is left out
             {details} TITLE            what is shown when it is asked for: answers, long code
Mathematics ($...$) becomes MathML, too. A wrong calculation ends the build.
"""

import html

from docutils import nodes
from docutils.parsers.rst import Directive
from latex2mathml.converter import convert
from sphinx.directives.other import TocTree
from sphinx.util.matching import patfilter

import drawings
import excerpts
import mathml
import page_numbers
from page_numbers import NumberError, layers, written


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


def table(rows: list[list[str]], head: list[str]) -> str:
    """Cells are markup already."""
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return ('<div class="table-wrapper"><table class="docutils align-default">'
            f"<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table></div>")


def image(sizes: list[int]) -> str:
    return " × ".join(written(size) for size in sizes[1:])


class Layer(Checked):
    """Every number of a layer as arithmetic, and its value as the program counts it."""

    def markup(self):
        name = self.arguments[0]
        step = drawings.step_of("alexnet", name)
        n = layers("alexnet")[name]
        calc = lambda text: mathml.of_calculation(text, inline=True)
        rows = [["shape before", image(step["in"])], ["shape after", image(step["out"])]]
        if "window" in step:
            rows.insert(0, ["output size", calc(
                f"floor(({n['in_width']} - {n['kernel']} + 2*{n['padding']})/{n['stride']}) + 1 "
                f"= {name}.out_width")])
        if step["kind"] == "Conv2d":
            weights = f"{n['out_channels']}*{n['seen']}*{n['kernel']}*{n['kernel']}"
            rows += [["parameters", calc(f"{weights} + {n['out_channels']} = {name}.parameters")],
                     ["connections", calc(f"{n['parameters']}*{n['out_height']}*{n['out_width']} "
                                          f"= {name}.connections")],
                     ["multiply-adds", calc(f"{weights}*{n['out_height']}*{n['out_width']} "
                                            f"= {name}.multiply_adds")]]
        elif step["kind"] == "Linear":
            weights = f"{n['out_channels']}*{n['in_channels']}"
            rows += [["parameters", calc(f"{weights} + {n['out_channels']} = {name}.parameters")],
                     ["connections", "as many: each is used at one place"],
                     ["multiply-adds", calc(f"{weights} = {name}.multiply_adds")]]
        else:
            rows += [["parameters", "none: nothing is learned here"]]
        sizes = "*".join(str(size) for size in step["out"][1:])
        rows += [["memory of the output, f32", calc(f"{sizes}*4 = {name}.memory") + " bytes, "
                  + written(n["memory"], "bytes")]]
        return table([[f"<strong>{a}</strong>", b] for a, b in rows],
                     [html.escape(name), html.escape(step["detail"])])


class Parameters(Checked):
    """The number of parameters of networks, layer by layer, as one table."""

    def markup(self):
        models = self.arguments[0].split()
        learned = [[s for s in page_numbers.explain(m)["steps"] if s["parameters"]] for m in models]
        names = [s["name"] for s in learned[0]]
        rows = [[name] + [written(steps[i]["parameters"]) for steps in learned]
                for i, name in enumerate(names)]
        rows.append(["<strong>total</strong>"] + [
            f"<strong>{written(layers(m)['total']['parameters'])}</strong>" for m in models])
        return table(rows, ["layer"] + [html.escape(m) for m in models])


class Walk(Checked):
    """A network in one table, with links to the pages of its layers (options: name page)."""

    def markup(self):
        model = self.arguments[0]
        rows = []
        for s in page_numbers.explain(model)["steps"]:
            if s["kind"] in ("ReLU", "Dropout", "Flatten"):
                continue
            count = lambda n: written(n) if n else ""
            rows.append([s["name"], html.escape(s["formula"]), image(s["out"]),
                         count(s["parameters"]), count(s["multiply_adds"]),
                         written(s["memory_bytes"], "bytes")])
        total = layers(model)["total"]
        rows.append(["total", "", "", written(total["parameters"]), written(total["multiply_adds"]),
                     written(total["memory"], "bytes")])
        head = ["layer", "output size", "shape", "parameters", "multiply-adds", "memory"]
        return f'<div class="walk">{table(rows, head)}</div>'


class Excerpt(Directive):
    required_arguments = 2

    def run(self):
        path, name = self.arguments
        try:
            code, path, line = excerpts.excerpt(path, name)
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


def mathml_of(node, block: bool) -> str:
    return convert(node.astext(), display="block" if block else "inline")


def inline_math(self, node):
    self.body.append(mathml_of(node, block=False))
    raise nodes.SkipNode


def block_math(self, node):
    self.body.append(f'<div class="math">{mathml_of(node, block=True)}</div>')
    raise nodes.SkipNode


REDIRECT = """<!doctype html><meta charset="utf-8"><title>Limulus</title>
<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">Limulus</a>
"""


def add_front_door(app, exception):
    """The sources are the repository's, so pages lie in docs/; index.html leads there."""
    if exception is None and app.builder.format == "html":
        (app.outdir / "index.html").write_text(REDIRECT, encoding="utf-8")


def setup(app):
    app.add_role("num", role(lambda text: nodes.Text(page_numbers.number(text))))
    app.add_role("calc", role(lambda text: raw(mathml.of_calculation(text, inline=True))))
    app.add_role("quoted", role(quoted))
    app.add_directive("calc", Calculations)
    app.add_directive("drawing", Drawing)
    app.add_directive("layer", Layer)
    app.add_directive("parameters", Parameters)
    app.add_directive("walk", Walk)
    app.add_directive("excerpt", Excerpt)
    app.add_directive("details", Details)
    app.add_directive("parts", Parts)
    app.add_html_math_renderer("mathml", (inline_math, None), (block_math, None))
    app.connect("build-finished", add_front_door)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
