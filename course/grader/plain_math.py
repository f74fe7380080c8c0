"""Formulas of a handout as plain text: an archive is read in an editor, which sets no formulas.

    $\\lfloor \\frac{N - F}{S} \\rfloor + 1$    becomes    `⌊(N - F)/S⌋ + 1`

It knows the part of LaTeX that handouts use; of anything else it says so.
"""

import re

from . import GradeError

LETTERS = {name: letter for name, letter in zip(
    "alpha beta gamma delta epsilon lambda mu pi sigma Sigma partial sum cdot times pm le ge in "
    "leftarrow rightarrow odot sim lfloor rfloor lceil rceil ldots dots".split(),
    "α β γ δ ε λ μ π σ Σ ∂ Σ · × ± ≤ ≥ ∈ ← → ⊙ ~ ⌊ ⌋ ⌈ ⌉ ... ...".split())}
WORDS = {"max", "min", "exp", "ln", "log", "cos", "sin", "tanh"}
SPACES = {",": " ", ";": " ", " ": " ", "quad": "  ", "qquad": "   ", "!": "",
          "left": "", "right": ""}
TOKEN = re.compile(r"\\([a-zA-Z]+|.)|([{}^_])|(\s+)|([a-zA-Z]|[\d.]+|.)", re.S)
DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.S)
INLINE = re.compile(r"\$([^$\n]+)\$")


class Reader:
    def __init__(self, text: str):
        self.text, self.at = text, 0

    def token(self):
        found = TOKEN.match(self.text, self.at)
        self.at = found.end()
        return found.groups()

    def peek(self) -> str:
        return self.text[self.at:self.at + 1]

    def argument(self) -> str:
        """What a command, "^" or "_" is applied to: {...}, a command, or one letter."""
        while self.peek().isspace():
            self.at += 1
        if self.peek() == "{":
            self.at += 1
            return self.sequence("}").strip()
        return self.piece()

    def sequence(self, end: str) -> str:
        parts = []
        while self.at < len(self.text):
            if end and self.peek() == end:
                self.at += 1
                return "".join(parts)
            parts.append(self.piece())
        if end:
            raise GradeError(f"a formula without its '{end}': {self.text}")
        return "".join(parts)

    def piece(self) -> str:
        command, mark, space, letter = self.token()
        if mark == "{":
            return self.sequence("}")
        if mark:
            return mark + grouped(self.argument(), of="index" if mark == "_" else "power")
        if space:
            return " "
        if letter:
            return letter
        if command == "frac":
            text = f"{grouped(self.argument())}/{grouped(self.argument())}"
            return f"({text})" if re.match(r"\s*(\w|\\sum)", self.text[self.at:]) else text
        if command == "sqrt":
            return f"√{grouped(self.argument())}"
        if command in ("text", "mathrm"):
            return self.argument()
        if command in "{}":
            return command
        if command in WORDS:
            return command + (" " if self.peek().isalpha() else "")
        for known in (LETTERS, SPACES):
            if command in known:
                return known[command]
        raise GradeError(f"a formula has \\{command}, which grader/plain_math.py does not know: "
                         f"{self.text}")


def grouped(text: str, of: str = "") -> str:
    """In brackets, unless it is one number or name: (N - F)/S, but C/g; x^2, but s^(-β)."""
    simple = r"-?[\d.]+|\w" if of == "power" else r"\w+" if of else r"[\w.]+|∂"
    return text if re.fullmatch(simple, text) else f"({text})"


def plain(formula: str) -> str:
    formula = re.sub(r"\\(?:(?:left|right)(?![a-z])|!)\s*", "", formula)
    text = Reader(formula).sequence("")
    text = re.sub(r"([⌊⌈(])\s+|\s+([⌋⌉),])", lambda m: m[1] or m[2], text)
    return re.sub(r"(?<=\S) {2,}(?=\S)", lambda m: m[0] if len(m[0]) > 3 else " ",
                  text.replace("\n", " ")).strip()


def inline(found: re.Match) -> str:
    text = plain(found[1])
    return text if re.fullmatch(r"[\d.,]+", text) else f"`{text}`"


def of_page(text: str) -> str:
    """A page with its formulas as plain text; blocks and pieces of code stay as they are."""
    text = DISPLAYED.sub(lambda found: f"    {plain(found[1])}", text)
    parts = re.split(r"(^```.*?^```$|`[^`\n]*`)", text, flags=re.S | re.M)
    return "".join(part if i % 2 else INLINE.sub(inline, part) for i, part in enumerate(parts))
