"""A photograph becomes a word: the picture of the front page and of the README, docs/alexnet.svg.
Sizes come from `limulus explain alexnet --json`; check_pages.py compares the file with what this
draws, and --update writes it."""

import base64
import html
from pathlib import Path

from page_numbers import explain

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "docs" / "alexnet.svg"
PHOTO = ROOT / "data" / "flowers5" / "test" / "daisy" / "1150395827_6f94a5c6e4_n.jpg"
WORD = PHOTO.parent.name
AUTHOR = "Brian Glanz, CC BY 2.0"

WIDTH, HEIGHT, MIDDLE = 600, 222, 94
UNIT = 104 / 227  # the photograph's 227 pixels are 104 wide
MAPS = 16  # a card stands for so many
SHIFT = 2.1  # of each card against the one before it
STYLE = """
text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #1f2328; }
.small { font-size: 12.6px; fill: #59636e; }
.word { font-size: 21px; font-weight: 700; } .page { fill: #ffffff; }
.card { stroke: #ffffff; stroke-width: 0.8; } .way { stroke: #8b949e; }
.conv { fill: #1d6fb8; } .fc { fill: #c2410c; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .small { fill: #9198a1; } .page { fill: #0d1117; }
  .card { stroke: #0d1117; } .conv { fill: #6db5f5; } .fc { fill: #ff9d66; }
}
"""


def text(x: float, y: float, words: str, kind: str = "", anchor: str = "middle") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">'
            f'{html.escape(words)}</text>')


def arrow(x0: float, x1: float) -> str:
    return f'<path class="way" d="M{x0:.1f} {MIDDLE}H{x1:.1f}m-4 -3l4 3l-4 3" fill="none"/>'


def cards(x: float, shape: list[int]) -> tuple[list[str], float]:
    """The maps of a layer as a stack of cards, to scale; and where it ends."""
    channels, side = shape[0], shape[1] * UNIT
    count = channels // MAPS
    made = [
        f'<rect class="card conv" x="{x + i * SHIFT:.1f}" '
        f'y="{MIDDLE - side / 2 + (count / 2 - i) * 0.9:.1f}" '
        f'width="{side:.1f}" height="{side:.1f}"/>'
        for i in range(count)
    ]
    return made, x + (count - 1) * SHIFT + side


def size(x: float, shape: list[int]) -> list[str]:
    """A shape below its layer, in two lines: "256 x" and "27 x 27"."""
    lines = [f"{shape[0]} x", f"{shape[1]} x {shape[2]}"] if len(shape) == 3 else [str(shape[0])]
    return [text(x, 168 + 16 * i, line, "small") for i, line in enumerate(lines)]


def network() -> str:
    steps = {s["name"]: s for s in explain("alexnet")["steps"]}
    photo = base64.b64encode(PHOTO.read_bytes()).decode()
    side = 227 * UNIT
    parts = [
        f'<image x="6" y="{MIDDLE - side / 2:.1f}" width="{side:.1f}" height="{side:.1f}" '
        f'href="data:image/jpeg;base64,{photo}"/>',
        text(6 + side / 2, 24, "a photograph"),
        *size(6 + side / 2, steps["conv1"]["in"][1:]),
    ]
    end, x = 6 + side, 6 + side + 15
    for name in ("conv1", "conv2", "conv3", "conv4", "conv5"):
        shape = steps[name]["out"][1:]
        made, right = cards(x, shape)
        middle = (x + right) / 2
        parts += [arrow(end + 3, x - 3), *made, text(middle, 24, name), *size(middle, shape)]
        end, x = right, right + 14
    x += 4
    for name in ("fc6", "fc7", "fc8"):
        count = steps[name]["out"][1]
        height = count * 104 / 4096
        parts += [
            arrow(end + 3, x - 3),
            f'<rect class="card fc" x="{x:.1f}" y="{MIDDLE - height / 2:.1f}" width="7" '
            f'height="{height:.1f}"/>',
            text(x + 3.5, 24, name),
            *size(x + 3.5, [count]),
        ]
        end, x = x + 7, x + 7 + 33
    x -= 17
    parts += [
        arrow(end + 3, x - 3),
        text(x, MIDDLE + 7, WORD, "word", "start"),
        text(
            6,
            HEIGHT - 9,
            f"AlexNet, to scale: a card is {MAPS} feature maps. Photograph: {AUTHOR}",
            "small",
            "start",
        ),
    ]
    title = ("A photograph goes through five convolutions and three matrices, and comes out as a "
             f"word: {WORD}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{html.escape(title)}">\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def differs() -> str:
    """What is wrong with the file, or ""."""
    if not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != network():
        return f"{PICTURE.relative_to(ROOT)} is not what _ext/network.py draws; --update writes it"
    return ""


def update():
    PICTURE.write_text(network(), encoding="utf-8")
