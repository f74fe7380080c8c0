"""The words of the field, which docs/glossary.md explains.

* A page of the walk that is the first to use one, in the order in which they are read, says what it
  means: in *slanted letters*, in the first column of a table, or in a link (check_pages.py).
* On every page of docs/ and examples/ the first use of a word in LINKED leads to the glossary,
  unless it is said there."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
WALK = DOCS / "walk"
GLOSSARY = "docs/glossary"

# How a text has a word, where that is not the word and an s.
WORDS = {
    "activation": "",
    "augmentation": "",
    "backpropagation": "",
    "batch": "batch(es)?",
    "bf16": "",
    "bias": "bias(es)?",
    "channel": "",
    "checkpoint": "",
    "class": "class(es)?",
    "connection": "",
    "crop": "",
    "cross-correlation": "",
    "dropout": "",
    "epoch": "",
    "f32": "",
    "f64": "",
    "feature map": "",
    "filter": "",
    "fully connected": "",
    "gradient": "",
    "group": "",
    "held out": "held[ -]out",
    "initialization": "",
    "kernel": "",
    "layer": "",
    "learning rate": "",
    "logit": "",
    "loss": "loss(es)?",
    "LRN": "",
    "micro-batch": "micro-batch(es)?",
    "momentum": "",
    "multiply-add": "",
    "neuron": "",
    "NCHW": "",
    "overlapping pooling": "overlapping pool(s|ing)?",
    "padding": "",
    "parameter": "",
    "pixel": "",
    "pooling": "",
    "rank": "",
    "receptive field": "",
    "ReLU": "",
    "row-major": "",
    "saturated": "saturat(ed|ion)",
    "seed": "",
    "softmax": "",
    "stride": "",
    "tap": "",
    "tensor": "",
    "top-1": "",
    "top-5": "",
    "tower": "",
    "training": "",
    "unit": "units? of (a|any|the) (map|layer)",  # and not of time
    "weight": "",
    "weight decay": "",
}
# Words that are not met every day. A link on every "layer" would only be in the way.
LINKED = (
    "bf16", "checkpoint", "cross-correlation", "dropout", "epoch", "f32", "f64", "held out",
    "logit", "LRN", "micro-batch", "momentum", "multiply-add", "NCHW", "receptive field",
    "row-major", "seed", "softmax", "top-1", "top-5", "tower", "unit", "weight decay",
)
BLOCK = re.compile(r"^ *(`{3,}|:{4,}).*?^ *\1`*:*$", re.MULTILINE | re.DOTALL)
SILENT = re.compile(  # headings, marks of blocks, formulas, code and roles, where a link leads
    r"^#[^\n]*$|^ *:::[^\n]*$|\$\$.*?\$\$|\$[^$\n]*\$|(?:\{\w+\})?`[^`]*`|(?<=\])\([^)]*\)",
    re.MULTILINE | re.DOTALL)
SAID = re.compile(r"\*\*[^*]+\*\*|\*[^*]+\*|\[[^\]]*\]|^\| [^|]*\|", re.MULTILINE)


def pattern(word: str) -> re.Pattern:
    return re.compile(rf"(?<![\w-]){WORDS[word] or re.escape(word) + 's?'}(?![\w-])",
                      re.IGNORECASE)


def pages() -> list[Path]:
    """The walk's pages as "next" leads through them; the lists are those of index.md."""
    index = WALK / "index.md"
    lists = re.findall(r"^```\{toctree\}\n(.*?)^```", index.read_text(encoding="utf-8"),
                       re.MULTILINE | re.DOTALL)
    names = [name for text in lists for name in re.findall(r"^[a-z][\w-]*$", text, re.MULTILINE)]
    return [index, *(WALK / f"{name}.md" for name in names)]


def readable(text: str) -> str:
    """What is read as words, each where it stood."""
    def blank(found):
        return re.sub(r"[^\n]", " ", found[0])
    return SILENT.sub(blank, BLOCK.sub(blank, text))


def unexplained(texts: list[tuple[str, str]]) -> list[str]:
    """Of texts that are read one after the other: words that are used before they are said."""
    findings = []
    for word in WORDS:
        for name, text in texts:
            used = pattern(word).search(text)
            if not used:
                continue
            if not any(said.start() <= used.start() < said.end() for said in SAID.finditer(text)):
                line = text.count("\n", 0, used.start()) + 1
                findings.append(f"{name}:{line}: '{word}' is used, and no page of the walk has "
                                "said what it means: say it, with the word in *slanted letters*")
            break
    return findings


def findings() -> list[str]:
    lines = (DOCS / "glossary.md").read_text(encoding="utf-8").splitlines()
    rows = "\n".join(line.split("|")[1] for line in lines if line.startswith("|"))
    missing = [f"docs/glossary.md: '{word}' is not explained" for word in WORDS
               if not re.search(rf"\b{re.escape(word)}\b", rows)]
    return missing + unexplained([(str(page.relative_to(DOCS.parent)),
                                   readable(page.read_text(encoding="utf-8")))
                                  for page in pages()])


# ---- the site ------------------------------------------------------------------
def anchor(word: str) -> str:
    return "word-" + re.sub(r"\W+", "-", word.lower())


def name_rows(glossary):
    """Each word of a row has the row as its target."""
    from docutils import nodes
    for row in (row for body in glossary.findall(nodes.tbody) for row in body):
        first = row[0]
        first["ids"] += [anchor(word) for word in first.astext().split(", ")]


def link_words(app, page, name: str):
    from docutils import nodes
    if name == GLOSSARY:
        return name_rows(page)
    if not name.startswith(("docs/", "examples/")):
        return None
    said = (nodes.reference, nodes.emphasis, nodes.strong)
    other = (nodes.title, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block,
             nodes.raw, nodes.comment)

    def within(text, kinds) -> bool:
        while text is not None and not isinstance(text, kinds):
            text = text.parent
        return text is not None

    for word in LINKED:
        for text in page.findall(nodes.Text):
            used = pattern(word).search(text)
            if not used or within(text, other):
                continue
            if not within(text, said):
                to = f"{app.builder.get_relative_uri(name, GLOSSARY)}#{anchor(word)}"
                link = nodes.reference("", used[0], refuri=to, classes=["word"], internal=True)
                text.parent.replace(text, [nodes.Text(text[: used.start()]), link,
                                           nodes.Text(text[used.end() :])])
            break
    return None


def setup(app):
    app.connect("doctree-resolved", link_words)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
