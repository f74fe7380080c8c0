"""Drawings to scale, as SVG in the page's own colours. Sizes come from `limulus explain --json`."""

import math

import charts
from page_numbers import NumberError, explain, layers, written
from svg import Svg, figure


def step_of(model: str, layer: str) -> dict:
    for step in explain(model)["steps"]:
        if step["name"] == layer:
            return step
    raise NumberError(f"{layer}: `limulus explain {model}` has no such layer")


def whole(step: dict, side: float = 250) -> str:
    """The input with its padding and the first, second and last window; beside it the output."""
    n, out = step["in"][3], step["out"][3]
    f, s, p = (step["window"][key][0] for key in ("kernel", "stride", "padding"))
    unit = side / (n + 2 * p)
    svg = Svg(side + 30 + out * unit + 30, side + 40, f"{step['name']}: input and output to scale")
    x0, y0 = 10, 6
    if p:
        svg.rect(x0, y0, (n + 2 * p) * unit, (n + 2 * p) * unit, "d-pad")
    svg.rect(x0 + p * unit, y0 + p * unit, n * unit, n * unit, "d-image")
    last = (out - 1) * s
    for place, kind in ((0, "d-first"), (s, "d-second"), (last, "d-last")):
        svg.rect(x0 + place * unit, y0 + (last if kind == "d-last" else 0) * unit, f * unit,
                 f * unit, kind)
    svg.measure(x0 + p * unit, x0 + (p + n) * unit, y0 + side + 8, f"{n}")
    xo = x0 + side + 20
    svg.rect(xo, y0, out * unit, out * unit, "d-image")
    for place, kind in ((0, "d-first"), (1, "d-second"), (out - 1, "d-last")):
        svg.rect(xo + place * unit, y0 + (place if kind == "d-last" else 0) * unit, unit, unit,
                 kind)
    svg.measure(xo, xo + out * unit, y0 + out * unit + 8, f"{out}")
    return svg.done()


def corner(step: dict, side: float = 250) -> str:
    """The upper left corner, magnified: one cell is one value."""
    f, s, p = (step["window"][key][0] for key in ("kernel", "stride", "padding"))
    cells = min(f + 2 * s + 1, step["in"][3] + 2 * p)
    unit = side / cells
    svg = Svg(side + 20, side + 78, f"{step['name']}: the first windows, magnified")
    x0, y0 = 10, 22
    for row in range(cells):
        for column in range(cells):
            kind = "d-cell-pad" if row < p or column < p else "d-cell"
            svg.rect(x0 + column * unit, y0 + row * unit, unit, unit, kind)
    svg.rect(x0 + s * unit, y0, f * unit, f * unit, "d-second")
    svg.rect(x0, y0, f * unit, f * unit, "d-first")
    if f > s:
        svg.rect(x0 + s * unit, y0, (f - s) * unit, f * unit, "d-overlap")
    svg.line(x0, y0 - 8, x0 + s * unit, y0 - 8)
    for x in (x0, x0 + s * unit):
        svg.line(x, y0 - 11, x, y0 - 5)
    svg.text(x0 + s * unit + 4, y0 - 5, f"stride {s}", "start")
    svg.measure(x0, x0 + f * unit, y0 + side + 8, f"window {f}")
    if f > s:
        svg.measure(x0 + s * unit, x0 + f * unit, y0 + side + 28, f"shared {f - s}")
    if p:
        svg.text(x0 + side, y0 + side + 22, f"padding {p}", "end")
    return svg.done()


def window(model: str, layer: str) -> str:
    step = step_of(model, layer)
    n, out = step["in"][3], step["out"][3]
    f, s, p = (step["window"][key][0] for key in ("kernel", "stride", "padding"))
    last = (out - 1) * s - p
    unused = n + p - (last + f)
    words = (f"First: the {n} x {n} input and the {out} x {out} output, to one scale. Orange is "
             "the first window, blue the second, green the last; the small squares in the output "
             "are the values that these three make. "
             f"The last begins at {last} and ends at {last + f - 1}"
             + (f" (padding ends at {n + p - 1})" if p else "")
             + ("; nothing is left over. " if unused == 0 else f"; {unused} left over. ")
             + f"Second: the corner, magnified; neighbouring windows share {max(0, f - s)} of {f} "
             "columns" + (", in the dashed frame." if f > s else "."))
    return figure([whole(step), corner(step)], words)


def crops() -> str:
    """256 x 256 and where its 227 x 227 parts may lie."""
    big, small = 256, layers("alexnet")["input"]["width"]
    svgs = []
    for words, offset in (("first corner", 0), ("the middle", (big - small) // 2),
                          ("last corner", big - small)):
        svg = Svg(190, 215, f"crop of {small} from {big}: {words}")
        unit = 170 / big
        svg.rect(10, 6, 170, 170, "d-pad")
        svg.rect(10 + offset * unit, 6 + offset * unit, small * unit, small * unit, "d-first")
        svg.text(95, 196, f"{words}: {offset} ... {offset + small - 1}")
        svgs.append(svg.done())
    return figure(svgs, f"A {small} x {small} part of {big} x {big} pixels, to scale: its upper "
                  f"left corner can be at {big - small + 1} x {big - small + 1} places.")


def channels(model: str, size: str) -> str:
    """LRN's windows over channels: one in the middle, and the clipped ones at both ends."""
    size, count = int(size), layers(model)["lrn1"]["in_channels"]
    svg = Svg(620, 158, f"windows of {size} over {count} channels")
    unit = 600 / count
    for row, i in enumerate((0, count // 2, count - 1)):
        y = 8 + row * 40
        first, last = max(0, i - size // 2), min(count - 1, i - size // 2 + size - 1)
        for c in range(count):
            kind = "d-first" if c == i else "d-second" if first <= c <= last else "d-cell"
            svg.rect(10 + c * unit, y, unit, 14, kind)
        side = "start" if i == 0 else "end" if i == count - 1 else "middle"
        svg.text(10 + (i + 0.5) * unit, y + 31, f"channels {first} ... {last}", side)
    svg.text(310, 153, f"channel 0 at the left, {count - 1} at the right")
    return figure([svg.done()], f"The {count} channels at one place, three times: the "
                  f"channel that is normalized (orange), and the others of its window of {size} "
                  "(blue). At both ends the window is clipped.")


def areas(model: str) -> str:
    """Parameters as areas: a square for each layer, all to one scale."""
    steps = [s for s in explain(model)["steps"] if s["parameters"]]
    largest = max(s["parameters"] for s in steps)
    unit = 110 / largest**0.5
    svg, x = Svg(480, 138, "parameters as areas"), 20.0
    for i, s in enumerate(steps):
        side = s["parameters"] ** 0.5 * unit
        svg.rect(x, 116 - side, side, side, "d-first" if s["kind"] == "Linear" else "d-last")
        svg.text(x + side / 2, 132, s["name"])
        if side > 65:
            svg.text(x + side / 2, 116 - side / 2, f"{s['parameters'] / 1e6:.1f} M",
                     kind="d-inside")
        x += max(side, 35) + 7
    svg.width = x + 6
    return figure([svg.done()], "Parameters as areas, to one scale. M: millions.")


def curve(svg, f, x_range, y_range, box, kind):
    """f over x_range, as far as it is in y_range, in box = (x, y, width, height)."""
    (x0, x1), (y0, y1), (bx, by, bw, bh) = x_range, y_range, box
    points = []
    for i in range(121):
        x = x0 + (x1 - x0) * i / 120
        y = f(x)
        if y0 <= y <= y1:
            points.append((bx + (x - x0) / (x1 - x0) * bw, by + (y1 - y) / (y1 - y0) * bh))
    svg.path(points, kind)


def nonlinearities() -> str:
    """ReLU, tanh and sigmoid, and their derivatives."""
    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    functions = {
        "ReLU": (lambda x: max(0, x), lambda x: 1 if x > 0 else 0),
        "tanh": (math.tanh, lambda x: 1 - math.tanh(x) ** 2),
        "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    }
    svgs = []
    for name, (f, df) in functions.items():
        svg = Svg(200, 190, f"{name} and its derivative")
        box, xs, ys = (15, 10, 170, 140), (-4, 4), (-1.2, 2.2)
        zero = box[1] + ys[1] / (ys[1] - ys[0]) * box[3]
        svg.line(box[0], zero, box[0] + box[2], zero)
        svg.line(box[0] + box[2] / 2, box[1], box[0] + box[2] / 2, box[1] + box[3])
        curve(svg, f, xs, ys, box, "d-curve")
        curve(svg, df, xs, ys, box, "d-derivative")
        svg.text(100, 176, name)
        svgs.append(svg.done())
    return figure(svgs, "The function (solid) and its derivative (dashed), for x from -4 to 4.")


def probabilities(*options: str) -> str:
    """Five logits and what softmax makes of them, as bars: the numbers of `explain ... --layer
    softmax`."""
    terms = [t["value"] for t in explain(*options)["terms"]]  # e^(x - largest x)
    total = sum(terms)
    charts = (("logit, less the largest", [math.log(t) for t in terms], "d-second"),
              ("its exponential", terms, "d-first"),
              ("divided by their sum", [t / total for t in terms], "d-last"))
    svgs = []
    for words, numbers, kind in charts:
        svg = Svg(230, 150, words)
        low, high = min(0.0, *numbers), max(0.0, *numbers)
        unit = 110 / (high - low)
        zero = 50 - low * unit
        for i, number in enumerate(numbers):
            y = 8 + 22 * i
            svg.rect(min(zero, zero + number * unit), y, abs(number) * unit, 15, kind)
            svg.text(38, y + 12, f"{i}", "end")
            svg.text(168, y + 12, f"{number:.3f}", "start")
        svg.line(zero, 4, zero, 118)
        svg.text(105, 140, words)
        svgs.append(svg.done())
    return figure(svgs, "Five classes, from logits to probabilities. The exponentials add up to "
                  f"{total:.3f}, and the probabilities to 1.")


def towers() -> str:
    """Each tower's half of the outputs, layer by layer, and where filters see both halves."""
    steps = [s for s in explain("alexnet")["steps"] if s["parameters"]]
    halves = [[s["out"][1] // 2, *s["out"][2:]] for s in steps]
    unit = 36 / math.sqrt(math.prod(halves[0]))
    columns, y, end = (100, 170), 22.0, 0.0  # where the layer before ends
    svg = Svg(330, 0, "two towers, and where values cross")
    for i, x in enumerate(columns):
        svg.text(x, 14, f"tower {i}")
    for step, half in zip(steps, halves):
        side = math.sqrt(math.prod(half)) * unit
        both = step["kind"] == "Linear" or step["groups"] == 1
        for i, j in ((i, j) for i in range(2) for j in range(2)):
            if end and (i == j or both):
                svg.line(columns[i], end, columns[j], y, "d-line" if i == j else "d-cross")
        for x, kind in zip(columns, ("d-first", "d-second")):
            svg.rect(x - side / 2, y, side, side, kind)
        svg.text(4, y + side / 2 + 4, step["name"], "start")
        svg.text(216, y + side / 2 + 4, " x ".join(map(str, half)), "start")
        end, y = y + side, y + side + 15
    svg.height = end + 6
    return figure([svg.done()], "What each tower holds of a layer's outputs (areas to scale), and "
                  "what filters see: their own tower, or both where lines cross.")


DRAWINGS = {"window": window, "crops": crops, "channels": channels, "areas": areas,
            "nonlinearities": nonlinearities, "probabilities": probabilities, "towers": towers,
            **charts.CHARTS}


def drawing(words: str) -> str:
    name, *arguments = words.split()
    if name not in DRAWINGS:
        raise NumberError(f"{name}: the drawings are {', '.join(DRAWINGS)}")
    return DRAWINGS[name](*arguments)
