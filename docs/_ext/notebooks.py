"""A notebook of python/notebooks as a page: its Markdown is the text, and below each cell of code
stands what the cell shows.

Notebooks are stored without outputs. NOTEBOOK_PYTHON names a Python that can import limulus; with
it python/notebooks/run_notebook.py runs the cells when the site is built, and one that fails ends
the build. Without it the page has the code alone, and says so.
"""

import json
import os
import re
import subprocess
from pathlib import Path

from myst_parser.parsers.sphinx_ import MystParser
from sphinx.errors import ExtensionError

import tables

ROOT = Path(__file__).resolve().parents[2]
MISSING = ("*This site was built without the Python package, so what the cells show is left out: "
           "`./run check python`, then `./run docs`.*")


def outputs(path: Path) -> list[list[dict]] | None:
    """What each code cell shows, or None where nothing can be run."""
    python = os.environ.get("NOTEBOOK_PYTHON")
    if not python:
        return None
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build" / "python"),
                   "PYTHONDONTWRITEBYTECODE": "1"}
    runner = ROOT / "python" / "notebooks" / "run_notebook.py"
    ran = subprocess.run([python, runner, path, "--json"], text=True, capture_output=True,
                         timeout=600, env=environment)
    if ran.returncode != 0:
        raise ExtensionError(f"{path.name} does not run:\n{ran.stderr}")
    return [cell["outputs"] for cell in json.loads(ran.stdout)]


def fenced(kind: str, text: str) -> list[str]:
    return [f"``````{kind}", text.rstrip("\n"), "``````", ""]


def as_cards(markup: str) -> str:
    """A table as the site has it: its cells carry their column's name, for a phone."""
    head = re.findall(r"<th[^>]*>(.*?)</th>", markup, re.S)
    if not markup.startswith("<table>") or not head:
        return markup
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
            for row in re.findall(r"<tr[^>]*>(.*?)</tr>", markup, re.S)]
    def held(cell: str) -> str:  # 273.4 KiB and -> stay on one line
        return re.sub(r"(?<=\d) (?=[KMG]?i?B$)", "&#160;", cell).replace("-&gt;", "→")
    return tables.table([[held(cell) for cell in row] for row in rows if row], head)


def shown(output: dict) -> list[str]:
    if output["kind"] == "text":
        return fenced("text", output["data"])
    markup = as_cards(output["data"])
    return fenced("{raw} html", f'<div class="cell-output">{markup}</div>')


def page(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = outputs(path)
    left = list(found or [])
    lines = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            lines += [source, ""]
            if found is None and source.startswith("# "):
                lines += [MISSING, ""]
            continue
        lines += fenced("python", source)
        for output in left.pop(0) if found is not None else []:
            lines += shown(output)
    where = path.relative_to(ROOT)
    return "\n".join([*lines, f"*To run it yourself: `{where}`, with Jupyter; "
                      "[Python](/docs/python.md) says how.*"])


class NotebookParser(MystParser):
    supported = ("notebook",)

    def parse(self, inputstring, document):
        super().parse(page(Path(document["source"])), document)


def setup(app):
    app.add_source_suffix(".ipynb", "notebook")
    app.add_source_parser(NotebookParser)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
