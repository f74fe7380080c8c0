"""Formulas in LaTeX as MathML: latex2mathml's, with what a browser needs to set them well.

* The prime of f' stands beside its letter. As a superscript it is made small twice, and floats
  away.
* There is a space between a function's name and what it is taken of: ln p, not lnp.
* A browser does not break a formula. So each side of a relation, and each term of a sum, is a
  formula by itself, and a narrow page can break before the sign.
* A bracket, a full stop or a unit beside a formula stays on its line (held)."""

import re
import xml.etree.ElementTree as xml

from latex2mathml.converter import convert

PRIMES = {"\u2032", "\u2033", "'"}
FUNCTIONS = {"ln", "log", "exp", "sin", "cos", "tanh", "max", "min", "Var"}
SIGNS, OPENING, CLOSING = ("+", "−", "-"), ("(", "[", "{", "⌊", "⌈"), (")", "]", "}", "⌋", "⌉", "!")
BREAKS = {*"=≈≤≥<>∼⇒→", *SIGNS}
BREAK = "&#8203;"  # a space without width: a line may end here
ROWS = {"math", "mrow", "mtd", "msqrt"}
BESIDE = re.compile(r"(\(?)(<math(?:(?!</math>).)*</math>)(\u00a0[^\s<]+|[.,;:!?)]*)", re.DOTALL)
LONG = 8  # so many pieces, and a formula in a line may be broken


def primes(parent: xml.Element):
    """x ^ prime becomes a row of x and the prime."""
    for child in list(parent):
        primes(child)
        if child.tag == "msup" and (child[1].text or "").strip() in PRIMES:
            child.tag = "mrow"
            child[1].tag = "mo"
            child[1].attrib = {"class": "prime", "form": "postfix", "lspace": "0", "rspace": "0"}


def spaces(parent: xml.Element):
    """A thin space behind a function's name, unless a bracket follows; none before it."""
    for child in list(parent):
        spaces(child)
    if parent.tag not in ROWS:
        return  # a fraction or a power has as many parts as it has: no room for a space
    for child in parent:
        if child.tag == "mo" and child.text in (*FUNCTIONS, "∂"):
            child.tag, child.attrib = "mi", {}  # it would have the spaces of a sign
    for i in reversed(range(len(parent) - 1)):
        name, what = parent[i], parent[i + 1]
        if name.tag == "msup":
            name = name[0]  # tanh^2
        if name.tag == "mi" and name.text in FUNCTIONS and what.tag not in ("mo", "mspace"):
            parent.insert(i + 1, xml.Element("mspace", width="0.17em"))


def written(row: list[xml.Element], display: str = "inline") -> str:
    root = xml.Element("math", {"displaystyle": "true"} if display == "block" else {})
    xml.SubElement(root, "mrow").extend(row)
    return xml.tostring(root, encoding="unicode", short_empty_elements=False)


def signs(row: list[xml.Element]):
    """A minus behind a relation or a bracket is a sign, not a difference: no space follows it."""
    for before, element in zip(row, row[1:]):
        if (
            element.tag == "mo"
            and element.text in SIGNS
            and before.tag == "mo"
            and before.text not in CLOSING
        ):
            element.set("form", "prefix")


def pieces(row: list[xml.Element]) -> list[list[xml.Element]]:
    """The row, cut where a line may break outside of brackets: before a sign, and behind the space
    of a product. What follows a wide space, as "0 <= u, v <= 2" behind a formula, stays whole."""
    found, depth = [[]], 0
    for i, element in enumerate(row):
        if depth == 0 and element.get("width") in ("1em", "2em"):
            return [piece for piece in [*found, row[i:]] if piece]
        sign = element.text if element.tag == "mo" else ""
        if depth == 0 and sign in BREAKS and found[-1] and element.get("form") != "prefix":
            element.set("form", "infix")
            found.append([])
        depth += (sign in OPENING) - (sign in CLOSING)
        found[-1].append(element)
        if depth == 0 and element.get("width") == "0.278em":
            found.append([])
    return [piece for piece in found if piece]


def held(body: str) -> str:
    """Chromium would break a line between a formula and what stands beside it."""
    return BESIDE.sub(lambda found: f'<span class="held">{found[0]}</span>'
                      if found[1] or found[3] else found[0], body)


def of_latex(text: str, display: str) -> str:
    source = re.sub(r' xmlns="[^"]*"', "", convert(text, display=display))
    root = xml.fromstring(source)
    primes(root)
    spaces(root)
    row = list(root[0]) if len(root) == 1 and root[0].tag == "mrow" else list(root)
    signs(row)
    if display != "block" and len(row) < LONG:
        return written(row)
    return BREAK.join(written(piece, display) for piece in pieces(row))
