"""Drawings of the walk whose numbers are computed here or stand in a table of the page itself: sets
of pictures, error rates, windows at the end of a line, two ways down a valley."""

import math
import re

from page_numbers import ROOT, NumberError, layers, written
from svg import Svg, figure

PICTURES = (".jpg", ".jpeg", ".png")


# ---- a page's own table -------------------------------------------------------------------------

def words_of(cell: str) -> str:
    """A cell without its roles, formulas' signs and links."""
    cell = re.sub(r"\{\w+\}`([^`]*)`|\[([^]]*)\]\([^)]*\)", lambda m: m[1] or m[2], cell)
    return cell.replace("$", "").replace("`", "").strip()


def table_of(page: str, head: str) -> list[list[str]]:
    """The rows of the table in docs/walk/PAGE whose first line begins with `head`."""
    lines = (ROOT / "docs" / "walk" / page).read_text(encoding="utf-8").splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith(head)), None)
    if first is None:
        raise NumberError(f"docs/walk/{page}: there is no table that begins with {head}")
    rows = []
    for line in lines[first + 2:]:
        if not line.startswith("|"):
            break
        rows.append([words_of(cell) for cell in line.strip("|").split("|")])
    return rows


def first_number(text: str) -> float:
    found = re.search(r"\d[\d,]*(\.\d+)?", text)
    if not found:
        raise NumberError(f"{text!r}: there is no number in this cell")
    return float(found[0].replace(",", ""))


# ---- sets of pictures, as areas -----------------------------------------------------------------

def here(part: str) -> list[int]:
    """How many photographs each class of data/flowers5 has in a part of it."""
    folders = sorted((ROOT / "data" / "flowers5" / part).iterdir())
    return [sum(path.suffix in PICTURES for path in folder.iterdir()) for folder in folders]


def split_square(svg: Svg, x: float, y: float, unit: float, parts: list[int]):
    """One square for a set, `unit` wide for one picture, cut into its parts."""
    side, total = math.sqrt(sum(parts)) * unit, sum(parts)
    kinds = ("d-first", "d-last") if len(parts) == 2 else ("d-first", "d-second", "d-last")
    for part, kind in zip(parts, kinds):
        width = side * part / total
        svg.rect(x, y, width, side, kind)
        x += width


def sets() -> str:
    """The sets of data.md as squares to one scale."""
    contest = [int(first_number(row[1])) for row in table_of("data.md", "| | pictures |")]
    rows = {name: (classes, [int(n) for n in re.findall(r"\d+", pictures)])
            for name, classes, pictures, _ in table_of("data.md", "| data | classes")}
    train, test = here("train"), here("test")
    if rows["flowers5"][1] != [sum(train), sum(test)] or len(set(train)) > 1:
        raise NumberError(f"data.md: data/flowers5 has {sum(train)} + {sum(test)}, of a class "
                          f"{set(train)}")
    large, unit = 168, 168 / math.sqrt(sum(contest))
    svg = Svg(384, 248, "sets of pictures as areas")
    split_square(svg, 4, 20, unit, contest)
    svg.text(4, 13, f"ImageNet: {written(sum(contest))}", "start")
    svg.text(4, 20 + large + 16, f"{rows['ImageNet'][0]} classes", "start")
    y = 20.0
    for name in ("MNIST, Fashion-MNIST", "CIFAR-10", "Flowers-17 (Oxford)", "flowers5"):
        classes, parts = rows[name]
        split_square(svg, 190, y, unit, parts)
        for i, line in enumerate((name, " + ".join(map(written, parts)), f"{classes} classes")):
            svg.text(238, y + 10 + 15 * i, line, "start")
        y += 58
    a_class = round(contest[0] / int(rows["ImageNet"][0]))
    return figure([svg.done()], "A square is a set, and its area the number of its pictures, to "
                  "one scale: training (orange), validation (blue), test (green). A class has "
                  f"{train[0]} pictures for training in flowers5, and about "
                  f"{written(a_class)} in ImageNet.")


# ---- error rates --------------------------------------------------------------------------------

def errors() -> str:
    """Top-5 errors on both contests' test sets: the tables of results.md."""
    years = (("ILSVRC-2010", table_of("results.md", "| | top-1 error"), 2),
             ("ILSVRC-2012", table_of("results.md", "| | top-1, validation"), 3))
    unit, y = 9.6, 4.0  # pixels a percent
    parts: list[tuple] = []
    best: dict[str, list[float]] = {}
    for year, rows, column in years:
        y += 14
        parts.append(("text", 4, y, year, "start", "d-strong"))
        y += 6
        for row in rows:
            if not row[column]:
                continue
            error, net = first_number(row[column]), bool(re.search("AlexNet|network", row[0]))
            best.setdefault(year, [100, 100])[net] = min(best[year][net] if year in best else 100,
                                                         error)
            parts.append(("text", 4, y + 12, row[0], "start"))
            parts.append(("rect", 4, y + 17, error * unit, 12, "d-first" if net else "d-second"))
            parts.append(("text", 10 + error * unit, y + 27.5, f"{error:.1f} %", "start"))
            y += 36
        y += 6
    svg = Svg(330, y, "top-5 errors of both contests")
    for name, *arguments in parts:
        getattr(svg, name)(*arguments)
    steps = [f"{old - new:.1f}" for old, new in best.values()]
    return figure([svg.done()], "Top-5 errors on the test sets: without (blue) and with (orange) "
                  f"convolutional networks. The best of each kind are {steps[0]} and {steps[1]} "
                  "points apart.")


# ---- windows at the end of a line ---------------------------------------------------------------

def line_ends(rows: list[tuple], words: str) -> str:
    """Of each row, (title, input size, window, stride, padding, rounded up?), the last places of a
    line and the last three windows; the input's ends below each other."""
    lines = []
    for title, n, f, s, p, ceil in rows:
        rest = (n + 2 * p - f) % s
        count = (n + 2 * p - f) // s + 1 + (ceil and rest > 0)
        last = (count - 1) * s - p  # where the last window begins
        lines.append((title, count, n, f, s, p, last))
    before = max(n - (last - 2 * s) for _, _, n, _, s, _, last in lines)  # cells left of the end
    beyond = max(max(n + p, last + f) - n for _, _, n, f, _, p, last in lines)
    unit = min(26.0, 310 / (before + beyond))
    svg = Svg(320, 94 * len(rows), "the last windows of a line")
    for row, (title, count, n, f, s, p, last) in enumerate(lines):
        y = 94 * row

        def at(place):
            return 5 + (before + place - n) * unit

        left = n + p - (last + f)
        what = (f"{left} left over" if left > 0 else f"{-left} beyond the end" if left < 0 else
                "nothing left over")
        svg.text(5, y + 12, f"{title}: {count} windows, {what}", "start")
        for place in range(last - 2 * s, max(n + p, last + f)):
            unread = last + f <= place < n + p
            svg.rect(at(place), y + 19, unit, 16,
                     "d-left" if unread else "d-value" if place < n else "d-cell-pad")
        for i in range(3):
            kind = "d-last" if i == 2 else "d-second"
            svg.rect(at(last - (2 - i) * s), y + 40 + 10 * i, f * unit, 7, kind)
        svg.line(at(n), y + 16, at(n), y + 72, "d-border")
        svg.text(at(n) - 2, y + 84, f"{n - 1}", "end")
    return figure([svg.done()], "The end of one line of the input, up to its last value, whose "
                  "number stands below: a cell is a value, dashed where it is padding. The last "
                  "window is green, the two before it are blue. " + words)


def axis_of(layer: str) -> tuple[int, int, int, int]:
    """Input size, window, stride and padding of a layer, "alexnet-keras conv1"."""
    model, name = layer.split()
    return tuple(layers(model)[name][key] for key in ("in_width", "kernel", "stride", "padding"))


def ends(what: str) -> str:
    if what == "inputs":
        printed, padded, cropped = map(axis_of, ("alexnet-keras conv1",
                                                 "alexnet-torchvision features_0", "alexnet conv1"))
        return line_ends([(f"{printed[0]}, no padding", *printed, False),
                          (f"{padded[0]}, padding {padded[3]}", *padded, False),
                          (f"{cropped[0]}, no padding", *cropped, False)],
                         "What no window reads is orange.")
    if what == "pools":
        uneven, even = axis_of("alexnet-keras pool1"), axis_of("alexnet pool1")
        return line_ends([(f"{uneven[0]}, floor", *uneven, False),
                          (f"{uneven[0]}, ceil", *uneven, True),
                          (f"{even[0]}, either", *even, False)],
                         "Floor leaves a value unread (orange); ceil adds a window that lies "
                         "partly outside.")
    raise NumberError(f"{what}: ends draws inputs or pools")


# ---- two ways down a valley ---------------------------------------------------------------------

STEEP, RATE, STEPS = 40.0, 0.01, 60
START = (-1.0, 0.16)


def way(momentum: float) -> list[tuple[float, float]]:
    """The paper's rule on f(x, y) = (x^2 + STEEP y^2) / 2, without weight decay."""
    w, v = list(START), [0.0, 0.0]
    places = [START]
    for _ in range(STEPS):
        for i, g in enumerate((w[0], STEEP * w[1])):
            v[i] = momentum * v[i] - RATE * g
            w[i] += v[i]
        places.append((w[0], w[1]))
    return places


def height(place: tuple[float, float]) -> float:
    return (place[0] ** 2 + STEEP * place[1] ** 2) / 2


def valley() -> str:
    svgs, values = [], []
    for momentum in (0.0, 0.9):
        svg = Svg(330, 112, f"momentum {momentum:g}: {STEPS} steps in a narrow valley")
        unit, x0, y0 = 156, 164, 44
        for level in (0.04, 0.16, 0.36, 0.64, 1.0):
            svg.ellipse(x0, y0, *(unit * math.sqrt(level / c) for c in (1, STEEP)), "d-contour")
        places = way(momentum)
        points = [(x0 + x * unit, y0 - y * unit) for x, y in places]
        svg.path(points, "d-way")
        for point in points:
            svg.circle(*point, 2, "d-dot")
        svg.circle(*points[-1], 4.5, "d-end")
        svg.text(4, 106, f"momentum {momentum:g}: {STEPS} steps", "start")
        svgs.append(svg.done())
        values.append(height(places[-1]))
    return figure(svgs, f"Two ways down the same valley, from the left: f = (x² + {STEEP:g} y²)/2, "
                  f"ε = {RATE:g}, a dot for each step, green where the last one ends. Without "
                  f"momentum f falls from {height(START):.2f} to {values[0]:.3f}, with momentum to "
                  f"{values[1]:.4f}: it swings across the valley at first, and past its middle, "
                  "but along it the steps add up.")


CHARTS = {"sets": sets, "errors": errors, "ends": ends, "valley": valley}
