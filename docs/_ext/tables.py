"""Tables of layers and networks, as markup. Numbers come from `limulus explain --json`, and every
one that is the result of arithmetic is checked; only the standard library is used, for
docs/check_pages.py."""

import html

import drawings
import mathml
import page_numbers
from page_numbers import layers, written

PAGES = {"fc6": "fully-connected", "fc7": "fully-connected", "fc8": "fully-connected",
         "lrn1": "lrn", "lrn2": "lrn"}  # of the walk; others are named like their layer


def table(rows: list[list[str]], head: list[str]) -> str:
    """Cells are markup already. With three columns or more each row is a card on a phone
    (layout.py)."""
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    labels = [f'<div class="label">{title}</div>' if i and title else ""
              for i, title in enumerate(head)]
    cards = len(head) >= 3
    for row in rows:
        cells = zip(row, labels if cards else [""] * len(head))
        inside = "".join(f"<td>{cell and label + cell}</td>" for cell, label in cells)
        lines.append(f"<tr>{inside}</tr>")
    return ('<div class="table-wrapper">'
            f'<table class="docutils align-default{" cards" if cards else ""}">'
            f"<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table></div>")


def image(sizes: list[int]) -> str:
    return " × ".join(written(size) for size in sizes[1:])


def calc(text: str) -> str:
    return mathml.of_calculation(text, inline=True)


def learned(step: dict, n: dict) -> list[list[str]]:
    """Parameters, connections and multiply-adds of a layer with weights."""
    name = step["name"]
    if step["kind"] == "Conv2d":
        weights = f"{n['out_channels']}*{n['seen']}*{n['kernel']}*{n['kernel']}"
        places = f"*{n['out_height']}*{n['out_width']}"
        connections = calc(f"{n['parameters']}{places} = {name}.connections")
    else:
        weights, places = f"{n['out_channels']}*{n['in_channels']}", ""
        connections = "as many: each is used at one place"
    return [["parameters", calc(f"{weights} + {n['out_channels']} = {name}.parameters")],
            ["connections", connections],
            ["multiply-adds", calc(f"{weights}{places} = {name}.multiply_adds")]]


def fixed(step: dict, n: dict) -> list[list[str]]:
    """The same of a layer that learns nothing: what each output is connected to, and what is done
    with it."""
    out = "*".join(str(size) for size in step["out"][1:])
    if step["kind"] == "MaxPool2d":
        f = n["kernel"]
        seen = calc(f"{out}*{f}*{f} = {n['out_values'] * f * f}") + f": {f * f} for an output"
        done = (f"none; {f * f - 1} comparisons an output, "
                + calc(f"{out}*({f}*{f} - 1) = {n['out_values'] * (f * f - 1)}"))
    elif step["kind"] == "LocalResponseNorm":
        # A window has 5 channels, but 3, 4, 4 and 3 at the ends.
        size, c, places = 5, n["in_channels"], f"{n['out_height']}*{n['out_width']}"
        squares = (size * c - 6) * n["places"]
        seen = (calc(f"({c}*{size} - 6)*{places} = {squares}")
                + ": 5 for an output, fewer at both ends")
        done = (f"none with a weight; {written(squares)} squares, one for each connection, each "
                "with its addition; a power an output")
    else:
        seen = calc(f"{out} = {n['out_values']}") + ": 1 for an output"
        done = "none; a comparison an output"
    return [["parameters", "none: nothing is learned here"], ["connections", seen],
            ["multiply-adds", done]]


def layer(name: str) -> str:
    """Every number of a layer as arithmetic, and its value as the program counts it."""
    step = drawings.step_of("alexnet", name)
    n = layers("alexnet")[name]
    rows = [["shape before", image(step["in"])], ["shape after", image(step["out"])]]
    if "window" in step:
        size = calc(f"floor(({n['in_width']} - {n['kernel']} + 2*{n['padding']})/{n['stride']}) "
                    f"+ 1 = {name}.out_width")
    elif step["kind"] == "Linear":
        size = "one for each row of the weights"
    else:
        size = "as its input"
    rows.insert(0, ["output size", size])
    rows += learned(step, n) if step["parameters"] else fixed(step, n)
    sizes = "*".join(str(size) for size in step["out"][1:])
    rows += [["memory of the output, f32", calc(f"{sizes}*4 = {name}.memory") + " bytes, "
              + written(n["memory"], "bytes")]]
    made = table([[f"<strong>{a}</strong>", b] for a, b in rows],
                 [html.escape(name), html.escape(step["detail"])])
    return f'<div class="layer">{made}</div>'


def parameters(models: list[str]) -> str:
    """The number of parameters of networks, layer by layer, as one table."""
    steps = [[s for s in page_numbers.explain(m)["steps"] if s["parameters"]] for m in models]
    rows = [[s["name"]] + [written(of[i]["parameters"]) for of in steps]
            for i, s in enumerate(steps[0])]
    rows.append(["<strong>total</strong>"] + [
        f"<strong>{written(layers(m)['total']['parameters'])}</strong>" for m in models])
    return table(rows, ["layer"] + [html.escape(m) for m in models])


def walk(model: str) -> str:
    """A network in one table, with links to the pages of its layers."""
    rows = []
    for s in page_numbers.explain(model)["steps"]:
        if s["kind"] in ("ReLU", "Dropout", "Flatten"):
            continue
        count = lambda n: written(n) if n else ""
        link = f'<a href="{PAGES.get(s["name"], s["name"])}.html">{s["name"]}</a>'
        rows.append([link, html.escape(s["formula"]), image(s["out"]), count(s["parameters"]),
                     count(s["connections"]), count(s["multiply_adds"]),
                     written(s["memory_bytes"], "bytes")])
    total = layers(model)["total"]
    rows.append(["total", "", "", written(total["parameters"]), written(total["connections"]),
                 written(total["multiply_adds"]), written(total["memory"], "bytes")])
    head = ["layer", "output size", "shape", "parameters", "connections", "multiply-adds", "memory"]
    return f'<div class="walk">{table(rows, head)}</div>'
