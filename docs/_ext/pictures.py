"""What a trained network sees in one photograph, as pictures inside a page. The program makes them
when the page is made: `limulus look --png` the maps, `limulus figure 3` the filters, both from the
convolutions in data/trained. A site that is built without the program says so in their place. Only
the standard library is used, for docs/check_pages.py.

    photo                the photograph, and its three channels
    views                how a crop, a mirror and other light make more photographs of it
    filters              conv1's filters, tower by tower
    seen LAYER           nine maps before the layer and nine after it
    maps LAYER ...       nine maps of each layer
    unit ROW COLUMN      one number of conv1's strongest map: window, filter, value
"""

import base64
import csv
import functools
import html
import json
import re
import struct
import tempfile
from pathlib import Path

from page_numbers import ROOT, NumberError, explain, layers, program, run, written

TRAINED = "data/trained/convolutions.safetensors"
PHOTOGRAPH = "data/flowers5/test/daisy/1150395827_6f94a5c6e4_n.jpg"
SIDE = 256  # its width and height
MAPS = 9  # of a layer: those with the largest values


def uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@functools.cache
def photograph_uri() -> str:
    return uri((ROOT / PHOTOGRAPH).read_bytes(), "jpeg")


@functools.cache
def maps_of_layers() -> dict[str, tuple[str, list[int]]]:
    """Of each layer a picture of the strongest maps, three in a row, and their numbers."""
    with tempfile.TemporaryDirectory() as folder:
        said = run("look", TRAINED, PHOTOGRAPH, "--png", folder, "--maps", str(MAPS))
        found = {}
        for path, numbers in re.findall(r"^(.*\.png): .*, the strongest first: (.*)$", said, re.M):
            found[path.split(".")[-2]] = (uri(Path(path).read_bytes(), "png"),
                                          [int(number) for number in numbers.split(", ")])
        return found


@functools.cache
def filters_of_conv1() -> str:
    """Figure 3: the filters, tower below tower."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder, "figure3.png")
        run("figure", "3", TRAINED, "--out", str(picture))
        return uri(picture.read_bytes(), "png")


@functools.cache
def trained() -> tuple[dict, bytes]:
    """The file of the trained convolutions (formats/safetensors.h): its header, and its values."""
    data = (ROOT / TRAINED).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8:8 + size]), data[8 + size:]


def weights(name: str, row: int) -> list[float]:
    """One filter of a layer: bf16 is the upper half of a float."""
    header, data = trained()
    tensor = header[name]
    if tensor["dtype"] != "BF16":
        raise NumberError(f"{TRAINED}: {name} is {tensor['dtype']}, not BF16")
    begin, end = tensor["data_offsets"]
    count = (end - begin) // 2 // tensor["shape"][0]
    halves = struct.unpack_from(f"<{count}H", data, begin + 2 * count * row)
    return [struct.unpack("<f", struct.pack("<I", half << 16))[0] for half in halves]


@functools.cache
def source() -> str:
    """Who took the photograph, as its licence asks."""
    name = Path(PHOTOGRAPH).name
    with open(ROOT / "data/flowers5/ATTRIBUTION.tsv", encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file, delimiter="\t") if row["file"] == name)
    return (f'Photograph: <a href="{html.escape(row["url"])}">{html.escape(row["author"])}</a>, '
            "CC BY 2.0, cut to a square.")


def panel(picture: str, words: str, alt: str, kind: str = "") -> str:
    return (f'<div class="panel"><img class="{kind}" src="{picture}" alt="{html.escape(alt)}">'
            f"<p>{words}</p></div>")


def figure(panels: list[str], caption: str, kind: str = "") -> str:
    return (f'<figure class="seen {kind}"><div class="panels">{"".join(panels)}</div>'
            f"<figcaption>{caption}</figcaption></figure>")


def photograph(words: str, kind: str = "") -> str:
    return panel(photograph_uri(), words, "A daisy: " + words, kind)


def drawn_panel(view: tuple, inside: str, words: str, alt: str, kind: str = "") -> str:
    """A panel whose picture is drawn: the part x, y, width and height of what is `inside`."""
    box = " ".join(f"{number:g}" for number in view)
    return (f'<div class="panel"><svg class="{kind}" role="img" viewBox="{box}">'
            f"<title>{html.escape(alt)}</title>{inside}</svg><p>{words}</p></div>")


def frame(x: float, y: float, side: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{side:g}" height="{side:g}"/>'


def maps_panel(step: dict, words: str = "") -> str:
    name, (_, count, height, width) = step["name"], step["out"]
    if name not in maps_of_layers():
        raise NumberError(f"{name}: `limulus look --png` made no picture of it")
    size = f"{MAPS} of {written(count)} maps of {height} x {width}"
    return panel(maps_of_layers()[name][0], f"{words}<strong>{name}</strong>: {size}",
                 f"Nine feature maps of {name}", "maps")


def photo() -> str:
    """The photograph and what is red, green and blue of it, each as a grey picture."""
    panels = [photograph("the photograph")]
    panels += [photograph(f"its {name} channel", name) for name in ("red", "green", "blue")]
    return CHANNELS + figure(panels, "Bright: much of that colour. " + source(), "four")


# What of a pixel goes into each of the three grey pictures.
CHANNELS = ('<svg width="0" height="0" style="position:absolute" aria-hidden="true">' + "".join(
    f'<filter id="only-{name}" color-interpolation-filters="sRGB"><feColorMatrix values="'
    + (" ".join("1" if i == at else "0" for i in range(5)) + " ") * 3 + '0 0 0 1 0"/></filter>'
    for at, name in enumerate(("red", "green", "blue"))) + "</svg>")


def views() -> str:
    """Crops, a mirror, and other light: the axes of the colours are those of the training set."""
    crop = layers("alexnet")["input"]["width"]
    last = SIDE - crop  # where a crop begins at most
    left, right = (2, last - 2), (last - 2, 2)  # where the two crops begin: x, y
    image = (f'<image id="views-photograph" href="{photograph_uri()}" width="{SIDE}" '
             f'height="{SIDE}"/>')
    again = '<use href="#views-photograph"/>'
    mirrored = f'<g transform="translate({2 * right[0] + crop} 0) scale(-1 1)">{again}</g>'

    a = (0.2, -0.3)  # in training drawn from N(0, 0.1), and a third one
    normalization = json.loads(trained()[0]["__metadata__"]["normalization"])
    axes = normalization["colour_axes"]  # p times the root of lambda
    shift = [a[0] * x + a[1] * y for x, y in zip(*axes[:2])]
    matrix = " ".join("0 " * i + "1 " + "0 " * (3 - i) + f"{value / 255:.4f}"
                      for i, value in enumerate(shift)) + " 0 0 0 1 0"
    lit = ('<filter id="views-light" x="0" y="0" width="1" height="1" '
           f'color-interpolation-filters="sRGB"><feColorMatrix values="{matrix}"/></filter>'
           f'<g filter="url(#views-light)">{again}</g>')
    light = f"a = ({a[0]:g}, {a[1]:g}, 0)".replace("-", "−")
    frames = frame(*left, crop, "v-first") + frame(*right, crop, "v-second")
    panels = [
        drawn_panel((0, 0, SIDE, SIDE), image + frames,
                    f"{SIDE} x {SIDE} pixels, and two of the {(last + 1) ** 2} crops",
                    "A daisy with two frames in it"),
        drawn_panel((*left, crop, crop), again, "the orange crop",
                    "The orange frame's part of the daisy"),
        drawn_panel((*right, crop, crop), mirrored, "the blue crop, mirrored",
                    "The blue frame's part of the daisy, mirrored"),
        drawn_panel((*right, crop, crop), lit, f"other light: {light}",
                    "The blue frame's part of the daisy, lighter and warmer"),
    ]
    levels = ", ".join(f"{value:+.0f}" for value in shift).replace("-", "−")
    return figure(panels, "One photograph, as the network may see it in three passes. With the "
                  f"covariance of the training photographs, this a adds {levels} to every pixel's "
                  "red, green and blue (of 255); it is larger than most, so that it can be seen. "
                  + source(), "four")


def filters() -> str:
    groups = layers("alexnet")["conv2"]["groups"]
    each = layers("alexnet")["conv1"]["out_channels"] // groups
    words = (f"Filters 0 to {each - 1}, and below them those of the network's other half, "
             f"{each} to {2 * each - 1}")
    alt = "Filters of conv1 as small colour pictures. " + words
    return figure([panel(filters_of_conv1(), words, alt, "maps")],
                  "The filters of conv1 after training, each stretched to its own range of values: "
                  "grey is where a filter is indifferent.", "wide")


def coloured(w: list[float], side: int) -> str:
    """A filter of three channels as cells, stretched to its own range."""
    low, high = min(w), max(w)
    level = [round(255 * (value - low) / (high - low)) for value in w]
    cells = "".join(
        f'<rect x="{i % side}" y="{i // side}" width="1" height="1" '
        f'fill="rgb({level[i]},{level[side**2 + i]},{level[2 * side**2 + i]})"/>'
        for i in range(side**2))
    return f'<g shape-rendering="crispEdges">{cells}</g>'


def unit(row: str, column: str) -> str:
    """Window, filter and value of one place of conv1's strongest map."""
    r, c = int(row), int(column)
    n, (sheet, (best, *_)) = layers("alexnet")["conv1"], maps_of_layers()["conv1"]
    side, size, shown = n["kernel"], n["out_width"], n["in_width"]
    answer = json.loads(run("explain", "alexnet", "--checkpoint", TRAINED, "--layer", "conv1",
                            "--element", f"{best},{r},{c}", "--image", PHOTOGRAPH, "--json"))
    first = (SIDE - shown) // 2  # the network is shown the middle of the photograph
    x, y = first + c * n["stride"], first + r * n["stride"]
    image = f'<image href="{photograph_uri()}" width="{SIDE}" height="{SIDE}"/>'
    sheet_side = 3 * size + 2  # nine maps, a pixel apart; the strongest is the first
    maps_image = f'<image class="maps" href="{sheet}" width="{sheet_side}" height="{sheet_side}"/>'
    panels = [
        drawn_panel((first, first, shown, shown), image + frame(x, y, side, "v-first"),
                    f"the photograph; the frame is the window, {side} x {side} pixels",
                    "A daisy with a small frame in it"),
        drawn_panel((x, y, side, side), f'<g class="maps">{image}</g>', "the window, magnified",
                    "The pixels in the frame"),
        drawn_panel((0, 0, side, side), coloured(weights("conv1.weight", best), side),
                    f"filter {best} of conv1", "The filter's weights as colours"),
        drawn_panel((0, 0, size, size), maps_image + frame(c - 1, r - 1, 3, "v-first"),
                    f"its map; the frame is the sum, {answer['value']:.2f}",
                    "The filter's map with a small frame in it"),
    ]
    products = len(answer["terms"]) - 1
    return figure(panels, f"What the page shows when you point at row {r}, column {c} of a map of "
                  f"conv1: {products} values of the window times {products} weights, and the bias, "
                  "are one value. " + source(), "four")


def steps_with_maps() -> list[dict]:
    return [s for s in explain("alexnet")["steps"] if len(s["out"]) == 4]


def find(layer: str) -> int:
    names = [s["name"] for s in steps_with_maps()]
    if layer not in names:
        raise NumberError(f"{layer}: alexnet has no layer of this name with maps")
    return names.index(layer)


def seen(layer: str) -> str:
    at = find(layer)
    steps = steps_with_maps()
    before = (maps_panel(steps[at - 1], "Before, ") if at > 0 else
              photograph("Before: the photograph"))
    return figure([before, maps_panel(steps[at], "After, ")],
                  "This photograph here. Of the maps those with the largest values, each from its "
                  "least value (black) to its largest (white). " + source())


def maps(*layers: str) -> str:
    steps = steps_with_maps()
    return figure([maps_panel(steps[find(layer)]) for layer in layers],
                  "Nine maps of each, from their least value (black) to their largest (white). "
                  + source(), "four" if len(layers) > 2 else "")


PICTURES = {"photo": photo, "views": views, "filters": filters, "seen": seen, "maps": maps,
            "unit": unit}
OF_THE_PROGRAM = ("filters", "seen", "maps", "unit")


def missing(name: str) -> str:
    what = (f"limulus figure 3 {TRAINED}" if name == "filters" else
            f"limulus look {TRAINED} {PHOTOGRAPH} --png maps")
    return figure([], "Here is a picture that the program makes. This site was built without it; "
                  f"<code>{what}</code> shows the same.")


def picture(words: str) -> str:
    name, *arguments = words.split()
    if name not in PICTURES:
        raise NumberError(f"{name}: the pictures are {', '.join(PICTURES)}")
    if name in OF_THE_PROGRAM and not program():
        return missing(name)
    return PICTURES[name](*arguments)
