#!/usr/bin/env python3
"""Runs a notebook without Jupyter: its code cells in turn, in one namespace, in the notebook's
folder. What each shows is kept as Jupyter would show it: printed text, then the last expression's
value as HTML or as text.

    run_notebook.py NOTEBOOK           prints what the cells show, and fails where one does
    run_notebook.py NOTEBOOK --json    [{"source": ..., "outputs": [{"kind": ..., "data": ...}]}]
"""

import ast
import contextlib
import io
import json
import os
import sys
from pathlib import Path


def shown(value):
    """How a notebook shows a value: (kind, data)."""
    made = getattr(value, "_repr_html_", lambda: None)()
    return ("text", repr(value)) if made is None else ("html", made)


def run_cell(source, names, where):
    tree = ast.parse(source, where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    outputs, printed = [], io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, where, "exec"), names)
        value = eval(compile(ast.Expression(last.value), where, "eval"), names) if last else None
    if printed.getvalue():
        outputs.append({"kind": "text", "data": printed.getvalue()})
    if value is not None and not source.rstrip().endswith(";"):
        kind, data = shown(value)
        outputs.append({"kind": kind, "data": data})
    return outputs


def cells_of(path):
    notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    return [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]


def run(path):
    """The code cells with their outputs, in order."""
    path, before, names = Path(path).resolve(), Path.cwd(), {"__name__": "__main__"}
    os.chdir(path.parent)
    try:
        code = [source for kind, source in cells_of(path) if kind == "code"]
        return [{"source": source, "outputs": run_cell(source, names, f"{path.name}, cell {i}")}
                for i, source in enumerate(code, 1)]
    finally:
        os.chdir(before)


if __name__ == "__main__":
    ran = run(sys.argv[1])
    if "--json" in sys.argv:
        json.dump(ran, sys.stdout)
    else:
        for cell in ran:
            for output in cell["outputs"]:
                print(output["data"] if output["kind"] == "text" else f"({output['kind']})")
