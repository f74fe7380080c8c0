"""Formulas in LaTeX as MathML: latex2mathml's, with what a browser needs to set them well.

* The prime of f' stands beside its letter. As a superscript it is made small twice, and floats
  away.
* There is a space between a function's name and what it is taken of: ln p, not lnp.
* A browser does not break a formula. Within a line each side of a relation, and each term of a sum,
  is a formula by itself, so that a narrow page can break before the sign."""

import re
import xml.etree.ElementTree as xml

from latex2mathml.converter import convert

PRIMES = {"\u2032", "\u2033", "'"}
FUNCTIONS = {"ln", "log", "exp", "sin", "cos", "tanh", "max", "min", "Var"}
SIGNS, OPENING, CLOSING = ("+", "−", "-"), ("(", "[", "{", "⌊", "⌈"), (")", "]", "}", "⌋", "⌉", "!")
BREAKS = {*"=≈≤≥<>∼⇒→", *SIGNS}
BREAK = "&#8203;"  # a space without width: a line may end here
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
    """A thin space behind a function's name, unless a bracket follows."""
    for child in list(parent):
        spaces(child)
    for i in reversed(range(len(parent) - 1)):
        name, what = parent[i], parent[i + 1]
        if name.tag == "mi" and name.text in FUNCTIONS and what.tag not in ("mo", "mspace"):
            parent.insert(i + 1, xml.Element("mspace", width="0.17em"))


def written(row: list[xml.Element], display: str = "inline") -> str:
    root = xml.Element("math", {"display": "block"} if display == "block" else {})
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
    """The row, cut before each sign at which a line may break, outside of brackets."""
    found, depth = [[]], 0
    for element in row:
        sign = element.text if element.tag == "mo" else ""
        if depth == 0 and sign in BREAKS and found[-1] and element.get("form") != "prefix":
            element.set("form", "infix")
            found.append([])
        depth += (sign in OPENING) - (sign in CLOSING)
        found[-1].append(element)
    return found


def of_latex(text: str, display: str) -> str:
    source = re.sub(r' xmlns="[^"]*"', "", convert(text, display=display))
    root = xml.fromstring(source)
    primes(root)
    spaces(root)
    row = list(root[0]) if len(root) == 1 and root[0].tag == "mrow" else list(root)
    signs(row)
    if display == "block" or len(row) < LONG:
        return written(row, display)
    return BREAK.join(map(written, pieces(row)))
