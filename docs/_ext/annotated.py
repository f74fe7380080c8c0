"""An annotated program as a page: its comments are the text, and beside each stands the code below
it.

The source is the page: Sphinx reads examples/NN_name.cpp through AnnotatedParser, which turns it
into the Markdown that `page` makes:

    // NN The title                    the first line
    // ...                             the introduction: the rest of the first comment
    // ---- A heading ----             begins a part
    // words, then code below          a comment on lines of its own; Markdown, but for:
    //     example_05 FOLDER           what is indented by two and more is shown as it is,
    //     y = x w                     but for equations, which become formulas (formulas.py)

Comments at the end of a line stay where they are. At the end comes the output out of
expected/NN_name.txt, which a test compares with what the program prints. Where a run on real data
takes too long for a test, measured/NN_name.txt has its command and what it printed, and
pictures/NN_name.svg what it drew.
"""

import itertools
import re
import textwrap
from pathlib import Path

from myst_parser.parsers.sphinx_ import MystParser
from sphinx.addnodes import download_reference, pending_xref
from sphinx.transforms import SphinxTransform

import formulas

ROOT = Path(__file__).resolve().parents[2]
COMMENT = re.compile(r"^\s*//(?: (.*)|)$")
HEADING = re.compile(r"^-{2,} (.+?) -*$")
PRODUCT = re.compile(r"(`[^`]*`)|(?<=[\w)\]])\*(?=[\w(\[])")  # 2*3, not within `code`
LIST_ITEM = re.compile(r"^ *([-*+]|\d+[.)]) ")


def pieces(source: str) -> list[tuple[list[str], list[str]]]:
    """(comment, code) pairs, in order: lines of a comment without their slashes, and the code up to
    the next comment."""
    found: list[tuple[list[str], list[str]]] = []
    in_comment = False
    for line in source.splitlines():
        comment = COMMENT.match(line)
        if comment:
            if not in_comment:
                found.append(([], []))
            found[-1][0].append(comment[1] or "")
        else:
            if not found:
                found.append(([], []))
            found[-1][1].append(line)
        in_comment = bool(comment)
    return found


def markdown(comment: list[str]) -> str:
    """Formulas and commands are indented in a comment; Markdown wants them further in, after a
    blank line."""
    lines, in_list = [], False
    for line in comment:
        previous = lines[-1] if lines else ""
        if LIST_ITEM.match(line):
            in_list = True
        elif line and not line.startswith(" ") and not previous:
            in_list = False
        if line.startswith("  ") and not in_list:
            if previous and not previous.startswith("    "):
                lines.append("")
            lines.append("    " + line[2:])
            continue
        if line and previous.startswith("    ") and not in_list:
            lines.append("")
        lines.append(PRODUCT.sub(lambda found: found[1] or r"\*", line))
    return "\n".join(with_formulas(lines)).strip("\n")


def with_formulas(lines: list[str]) -> list[str]:
    """Indented blocks that are equations, as formulas."""
    made: list[str] = []
    for indented, block in itertools.groupby(lines, lambda line: line.startswith("    ")):
        text = list(block)
        shown = textwrap.dedent("\n".join(text)).split("\n")
        made += formulas.markdown(shown) if indented and formulas.is_formula(shown) else text
    return made


def step(comment: list[str], code: list[str]) -> list[str]:
    """One row of the page; after a heading where the comment begins with one."""
    rows = []
    if comment and (heading := HEADING.match(comment[0])):
        rows += [f"## {heading[1]}", ""]
        comment = comment[1:]
    words, text = markdown(comment), "\n".join(code).strip("\n")
    if words and not text:
        return rows + [words, ""]
    if text:
        beside = [":::::{container} words", words, ":::::"] if words else []
        rows += ["::::::{container} step", *beside, ":::::{container} code", "``````cpp", text,
                 "``````", ":::::", "::::::", ""]
    return rows


def included(title: str, file: Path, language: str) -> list[str]:
    """A part of the page that is a file, where there is one."""
    return [f"## {title}", "", f"```{{literalinclude}} /{file.relative_to(ROOT)}",
            f":language: {language}", "```", ""] if file.exists() else []


def measured(examples: Path, name: str) -> list[str]:
    """What a run on real data gave, where somebody made one: its output, then its picture."""
    text, picture = examples / "measured" / f"{name}.txt", examples / "pictures" / f"{name}.svg"
    shown = [f"![What the run drew](/{picture.relative_to(ROOT)})", ""] if picture.exists() else []
    return included("What it printed on real data", text, "text") + shown


def page(source: str, path: Path) -> str:
    """The page of a program as Markdown."""
    (first, code), *rest = pieces(source)
    title, introduction = first[0] if first else path.stem, markdown(first[1:])
    lines = ["---", "hide-toc: true", "---", f"# {title}", "", introduction, ""]
    for part in [([], code), *rest]:
        lines += step(*part)
    examples = ROOT / "examples"  # one is a project in a folder of its own
    name = path.stem if path.parent == examples else path.parent.name
    if name != path.stem:
        lines += included("Its CMakeLists.txt", path.parent / "CMakeLists.txt", "cmake")
    printed = included("What it prints", examples / "expected" / f"{name}.txt", "text")
    if printed and name == path.stem:
        printed[2:2] = [f"`./run test` builds the program as `build/example_{name}`.", ""]
    lines += printed
    lines += measured(examples, name)
    return "\n".join(lines)


class AnnotatedParser(MystParser):
    supported = ("annotated",)

    def parse(self, inputstring, document):
        super().parse(page(inputstring, Path(document["source"])), document)


class LinksToSources(SphinxTransform):
    """A link to a source that is no page leads to the file. (As .cpp files can be pages, all are
    taken for some.)"""

    default_priority = 500

    def apply(self, **kwargs):
        for link in list(self.document.findall(pending_xref)):
            name = link["reftarget"]
            if link.get("refdomain") == "doc" and name not in self.env.found_docs:
                file = download_reference("", "", *link.children, reftarget=f"/{name}.cpp",
                                          refdoc=link["refdoc"])
                link.replace_self(file)


def setup(app):
    app.add_source_suffix(".cpp", "annotated")
    app.add_source_parser(AnnotatedParser)
    app.add_transform(LinksToSources)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
