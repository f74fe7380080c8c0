"""What makes pages fit their column, on a desktop and on a phone; _static/limulus.css has the other
half, and check_layout.py sees what does not fit.

  * A block of code knows how many columns its longest line has (class columns-105, -120, -140 or
    -more), so that long lines are set smaller, and wrapped only where that does not help.
  * On a phone a block of a single line wraps, what is said behind a command stands below it, and
    the layers in the output of `limulus bench` are a table.
  * On a phone each row of a table of three or more columns, or with a long name in its second, is a
    card. Its cells carry their column's heading, which is hidden elsewhere.
  * A number and its unit stay on one line.
  * Formulas are set in a font that is made for them, which the site brings along (FONT)."""

import html
import re
import shutil
from pathlib import Path

import command_blocks
import tables
from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont

COLUMNS = (105, 120, 140)
CARD = 3  # columns, and more
LONG = 25  # letters of a name that a phone would cut in a table of two columns
UNIT = (r"(?:x|ms|us|ns|s|GHz|px|[kKMG]?i?B(?:/s)?|[GT]FLOP/s|images/s|bytes?|bits?|points?|times)"
        r"(?![\w/])|%")
HELD = re.compile(rf"(?:(?<=\d)|^) (?={UNIT})|(?<=\d) (?=x \d)|(?<=\d x) (?=\d)")
SAID = re.compile(r"(?<=\S)(\s+)(#\s.*)")
LAYER = re.compile(r"(\S.*?) {2,}(-|[\d.]+ ms) +(-|[\d.]+ G\S+) +(-|\d+ %(?: <)?) +"
                   r"(-|[\d.]+ ms) +(-|[\d.]+ G\S+) +(-|\d+ %(?: <)?) *(.*)")
MEASURED = ["layer", "forward", "forward, speed", "forward, of roof", "backward", "backward, speed",
            "backward, of roof", "method"]  # the columns of `limulus bench`
FONT = Path(
    "/usr/share/texmf/fonts/opentype/public/tex-gyre-math/texgyretermes-math.otf"
)  # Debian's
LICENCE = "/usr/share/doc/fonts-texgyre-math/copyright"


def size_of_code(block: nodes.literal_block):
    longest = max(map(len, block.astext().splitlines()), default=0)
    fits = next((f"columns-{most}" for most in COLUMNS if longest <= most), "columns-more")
    block["classes"].append(fits)
    if "\n" not in block.astext().strip():
        block["classes"].append("wrapped")


def comments(block: nodes.literal_block):
    """What is said behind a command can be moved below it, which a phone does."""
    lines = block.astext().splitlines()
    if block.get("language") not in ("default", "none", "text", "sh", "bash") or not (
            any(map(command_blocks.is_command, lines)) and any(map(SAID.search, lines))):
        return
    made = []
    for line in lines:
        said = None if line.startswith("#") else SAID.search(line)
        made.append(html.escape(line, quote=False) + "\n" if not said else
                    html.escape(line[: said.start()], quote=False)
                    + f'<span class="gap">{said[1]}</span>'
                    f'<span class="said">{html.escape(said[2], quote=False)}\n</span>')
    classes = " ".join([f"highlight-{block['language']}", "notranslate", *block["classes"]])
    block.replace_self(nodes.raw("", f'<div class="{classes}"><div class="highlight"><pre>'
                                 f'{"".join(made)}</pre></div></div>', format="html"))


def measured(block: nodes.literal_block):
    """The output of `limulus bench` for a phone, beside the one for a desktop."""
    lines = block.astext().splitlines()
    head = next((i for i, line in enumerate(lines) if re.match(r"layer +forward", line)), None)
    if head is None or " bench " not in lines[0]:
        return
    end = next((i for i in range(head + 1, len(lines)) if not lines[i].strip()), len(lines))
    rows = [LAYER.fullmatch(line.strip()) for line in lines[head + 1 : end] if line != "..."]
    if not all(rows):
        return
    cells = [["" if cell == "-" else html.escape(cell) for cell in row.groups()] for row in rows]
    phone = nodes.container(classes=["phone"])
    for text in (lines[:head], lines[end:]):
        text = "\n".join(text).strip("\n")
        phone += nodes.literal_block(text, text, language="console", classes=["wrapped"])
    phone.insert(1, nodes.raw("", tables.table(cells, MEASURED), format="html"))
    block["classes"].append("desktop")
    block.parent.insert(block.parent.index(block) + 1, phone)


def units(text: nodes.Text):
    """A space between a number and its unit becomes one at which no line ends."""
    parent, before = text.parent, text.parent.index(text)
    begins = before > 0 and isinstance(parent[before - 1], (nodes.Text, nodes.raw, nodes.math))
    held = HELD.sub(lambda found: "\u00a0" if found.start() or begins else found[0], text)
    if begins and text == " x ":
        held = "\u00a0x\u00a0"
    if held != text:
        parent.replace(text, nodes.Text(held))


def has_long_name(row: nodes.row) -> bool:
    return any(len(name.astext()) >= LONG and " " not in name.astext()
               for entry in list(row.findall(nodes.entry))[1:]
               for name in entry.findall(nodes.literal))


def cards(table: nodes.table):
    rows = list(table.findall(nodes.row))
    head = [
        list(row.findall(nodes.entry))
        for thead in table.findall(nodes.thead)
        for row in thead.findall(nodes.row)
    ]
    if not head or len(head[-1]) < CARD and not any(map(has_long_name, rows)):
        return
    table["classes"].append("cards")
    for row in rows:
        if isinstance(row.parent, nodes.thead):
            continue
        for i, (entry, title) in enumerate(zip(row.findall(nodes.entry), head[-1])):
            named = i or entry.astext().isdigit()  # a number alone names no row
            if named and title.astext() and entry.astext():
                label = nodes.container(classes=["label"])
                label += [child.deepcopy() for child in title.children]
                entry.insert(0, label)


def fit(app, doctree, name):
    for block in list(doctree.findall(nodes.literal_block)):
        size_of_code(block)
        measured(block)
        comments(block)
    silent = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)
    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(text.parent, silent):
            units(text)
    for table in list(doctree.findall(nodes.table)):
        cards(table)


def bring_font(app, exception):
    """The font for formulas, as WOFF2 and with its licence, into the site's _static; without it a
    browser takes one of the reader's system."""
    if exception is not None or app.builder.format != "html":
        return
    if not FONT.exists():
        print(f"The site comes without its font for formulas: there is no {FONT}")
        return
    static = Path(app.outdir) / "_static"
    options = subset.Options(flavor="woff2", layout_features=["*"], notdef_outline=True)
    options.drop_tables += ["FFTM"]  # when the font was made
    made = TTFont(FONT)
    keep = subset.Subsetter(options)
    # Latin, Greek, arrows, operators, brackets and their parts, and slanted letters of formulas.
    keep.populate(
        unicodes=[
            *range(0x20, 0x100),
            *range(0x391, 0x3D6),
            *range(0x2010, 0x2070),
            *range(0x2190, 0x2200),
            *range(0x2200, 0x22C8),
            *range(0x2308, 0x230C),
            *range(0x239B, 0x23B8),
            0x210E,
            *range(0x1D434, 0x1D468),
            *range(0x1D6E2, 0x1D71C),
        ]
    )
    keep.subset(made)
    subset.save_font(made, str(static / "math.woff2"), options)
    shutil.copy(LICENCE, static / "math-font-licence.txt")


def setup(app):
    app.connect("doctree-resolved", fit)
    app.connect("build-finished", bring_font)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
