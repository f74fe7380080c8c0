"""What a trained network sees in one photograph, as pictures inside a page. The program makes them
when the page is made: `limulus look --png` the maps, `limulus figure 3` the filters, both from the
convolutions in data/trained. Only the standard library is used, for docs/check_pages.py.

    photo                the photograph, and its three channels
    filters              conv1's filters, tower by tower
    seen LAYER           nine maps before the layer and nine after it
    maps LAYER ...       nine maps of each layer
"""

import base64
import csv
import functools
import html
import os
import re
import subprocess
import tempfile
from pathlib import Path

from page_numbers import ROOT, NumberError, explain, program, written

TRAINED = "data/trained/convolutions.safetensors"
PHOTOGRAPH = "data/flowers5/test/daisy/1150395827_6f94a5c6e4_n.jpg"
MAPS = 9  # of a layer: those with the largest values


def run(*arguments: str) -> None:
    command = [program(), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise NumberError(f"{' '.join(command)}: {done.stderr.strip()}")


def uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@functools.cache
def maps_of_layers() -> dict[str, str]:
    """Each layer's strongest maps, three in a row: a picture."""
    with tempfile.TemporaryDirectory() as folder:
        run("look", TRAINED, PHOTOGRAPH, "--png", folder, "--maps", str(MAPS))
        return {path.name.split(".")[-2]: uri(path.read_bytes(), "png")
                for path in Path(folder).glob("*.png")}


@functools.cache
def filters_of_conv1() -> list[tuple[str, str]]:
    """Of figure 3: each tower's words and picture."""
    with tempfile.TemporaryDirectory() as folder:
        page = os.path.join(folder, "figure3.html")
        run("figure", "3", TRAINED, "--out", page)
        text = Path(page).read_text(encoding="utf-8")
    found = re.findall(r'<h3>([^<]*)</h3><img class="filters"[^>]* src="([^"]*)"', text)
    if len(found) < 2:
        raise NumberError("limulus figure 3: there are no filters of two towers on its page")
    return found[:2]  # of the filters; what training added comes after them


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
    return panel(uri((ROOT / PHOTOGRAPH).read_bytes(), "jpeg"), words, "A daisy: " + words, kind)


def maps_panel(step: dict, words: str = "") -> str:
    name, (_, count, height, width) = step["name"], step["out"]
    pictures = maps_of_layers()
    if name not in pictures:
        raise NumberError(f"{name}: `limulus look --png` made no picture of it")
    size = f"{MAPS} of {written(count)} maps of {height} x {width}"
    return panel(pictures[name], f"{words}<strong>{name}</strong>: {size}",
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


def filters() -> str:
    panels = [panel(picture, html.escape(words.replace("kernels", "filters")),
                    "Filters of conv1 as small colour pictures. " + words, "maps")
              for words, picture in filters_of_conv1()]
    return figure(panels, "The filters of conv1 after training, each stretched to its own range of "
                  "values: grey is where a filter is indifferent.", "wide")


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


PICTURES = {"photo": photo, "filters": filters, "seen": seen, "maps": maps}


def picture(words: str) -> str:
    name, *arguments = words.split()
    if name not in PICTURES:
        raise NumberError(f"{name}: the pictures are {', '.join(PICTURES)}")
    return PICTURES[name](*arguments)
