"""Formulas as a comment in code writes them, as LaTeX:

y[k, oh, ow] = sum over c, fh of      \\sum_{c,\\mathit{fh}}
y_i = x_i / (k + alpha)^beta          Greek letters, indices, powers
dw [out, in] = dy' x                  a name of several letters is one name; a space is a product
h = tanh(z),   y = v h                several in a line: one below the other
"""

import re

GREEK = {"alpha", "beta", "sigma", "eps"}
FUNCTIONS = {"tanh", "exp", "ln", "max", "min"}
WORDS = {"in", "out", "near"}
DIFFERENTIALS = {"dx", "dy", "dw", "db"}
EQUATION = re.compile(r"^[A-Za-z]\w*('|_\w)? ?(\[[\w, ]+\])? += ")
SUM = re.compile(r"\bsum over ([\w, ]+?) of\b")


def is_formula(lines: list[str]) -> bool:
    """Each line is an equation, or goes on with the one before it, indented."""
    return bool(lines) and all(
        EQUATION.match(line) or (i and line.startswith(" ")) for i, line in enumerate(lines)
    )


def name(word: str) -> str:
    if word in GREEK:
        return "\\epsilon " if word == "eps" else f"\\{word} "
    if word in FUNCTIONS:
        return f"\\{word}"
    if word in WORDS:
        return f"\\text{{{word}}}"
    return word if len(word) == 1 or word in DIFFERENTIALS else f"\\mathit{{{word}}}"


def latex(line: str) -> str:
    line = re.sub(r" +", " ", line.strip())
    words = lambda text: re.sub(r"[A-Za-z]+", lambda found: name(found[0]), text)
    made, end = "", 0
    for found in SUM.finditer(line):
        made += words(line[end : found.start()]) + f"\\sum_{{{words(found[1])}}}"
        end = found.end()
    made += words(line[end:])
    made = re.sub(r"\^(\\?\w+)", r"^{\1}", made).replace("*", "\\cdot")
    # What only a space stands between is multiplied: a thin space.
    return re.sub(r"(?<=[\w\]})']) (?=[\w\\(])(?!\\cdot)", r"\\,", made)


def markdown(lines: list[str]) -> list[str]:
    """A block of formulas for a page."""
    parts = [part for line in lines for part in re.split(r",  +", line)]
    return [row for part in parts for row in ("", f"$${latex(part)}$$", "")]
