"""What makes pages fit their column, on a desktop and on a phone; _static/limulus.css has the other
half, and check_layout.py sees what does not fit.

  * A block of code knows how many columns its longest line has (class columns-105, -120, -140 or
    -more), so that long lines are set smaller, and wrapped only where that does not help.
  * On a phone each row of a table of three or more columns is a card. Its cells carry their
    column's heading, which is hidden elsewhere.
  * Formulas are set in a font that is made for them, which the site brings along (FONT)."""

import shutil
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont

COLUMNS = (105, 120, 140)
CARD = 3  # columns, and more
FONT = Path(
    "/usr/share/texmf/fonts/opentype/public/tex-gyre-math/texgyretermes-math.otf"
)  # Debian's
LICENCE = "/usr/share/doc/fonts-texgyre-math/copyright"


def size_of_code(block: nodes.literal_block):
    longest = max(map(len, block.astext().splitlines()), default=0)
    fits = next((f"columns-{most}" for most in COLUMNS if longest <= most), "columns-more")
    block["classes"].append(fits)


def cards(table: nodes.table):
    rows = list(table.findall(nodes.row))
    head = [
        list(row.findall(nodes.entry))
        for thead in table.findall(nodes.thead)
        for row in thead.findall(nodes.row)
    ]
    if not head or len(head[-1]) < CARD:
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
    for block in doctree.findall(nodes.literal_block):
        size_of_code(block)
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
