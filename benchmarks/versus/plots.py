"""Two pictures of versus.json, written as SVG by hand: text and rectangles are all that is needed.
Their colours follow the reader's light or dark mode.

    python plots.py build/versus.json        draws them again
"""
import json
import math
import os
import sys
from html import escape

from table import best_other, in_words, measured

STYLE = """
  text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #1f2328; }
  .faint { opacity: 0.6; }
  .small { font-size: 11px; fill: #59636e; } .title { font-size: 16px; font-weight: 600; }
  .head { font-weight: 600; } .end { text-anchor: end; } .middle { text-anchor: middle; }
  .page { fill: #ffffff; } .grid { stroke: #d1d9e0; stroke-width: 1; }
  .other { fill: #a8b3bf; } .ours, .ours-0 { fill: #0a6e5c; } .ours-1 { fill: #b35900; }
  .line-0 { stroke: #0a6e5c; } .line-1 { stroke: #b35900; }
  .line { fill: none; stroke-width: 2.5; } .mark { fill: none; stroke-width: 2; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .small { fill: #9198a1; } .page { fill: #0d1117; }
    .grid { stroke: #3d444d; } .other { fill: #57606a; } .ours, .ours-0 { fill: #3fc7a7; }
    .ours-1 { fill: #f0994a; } .line-0 { stroke: #3fc7a7; } .line-1 { stroke: #f0994a; }
  }
"""


def text(x, y, words, style=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}">{escape(words)}</text>'


def svg(width, height, label, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
            f'width="{width}" height="{height:.0f}" role="img" aria-label="{escape(label)}">\n'
            f"<style>{STYLE}</style>\n"
            f'<rect class="page" width="100%" height="100%"/>\n' + "\n".join(parts) + "\n</svg>\n")


def bars(document):
    """Images a second of each work: a row for each framework, in it a bar for each number of
    threads, all on one scale. Drawn narrow, so that its letters can still be read on a
    telephone."""
    rows = [r for r in document["results"]
            if r["part"] in ("training", "inference") and measured(r)]
    if not rows:
        return None
    threads = sorted({r["threads"] for r in rows})
    works = list(dict.fromkeys(r["work"] for r in rows))
    rate = lambda r, name: measured(r)[name]["images_per_second"] if name in measured(r) else 0
    most = max(rate(r, name) for r in rows for name in measured(r))
    width, names_width, bar = 480, 150, 11
    line = bar * len(threads) + 8
    scale = (width - names_width - 60) / most
    parts = [text(16, 28, "AlexNet: images a second", "title"),
             text(16, 48, document["provenance"]["processor"]
                  + ", single precision; longer is faster", "small")]
    y = 70
    if len(threads) > 1:
        parts.append(text(16, y, "in each row: " + ", ".join(map(in_words, threads)), "small"))
        y += 14
    for work in works:
        y += 16
        parts.append(text(16, y, work[0].upper() + work[1:], "head"))
        y += 9
        by_threads = {r["threads"]: r for r in rows if r["work"] == work}
        names = {name for r in by_threads.values() for name in measured(r)}
        for name in sorted(names, key=lambda n: -max(rate(r, n) for r in by_threads.values())):
            ours = name.startswith("limulus")
            parts.append(text(names_width + 8, y + line / 2 + 1, name, "end" + " head" * ours))
            for i, n in enumerate(threads):
                value = rate(by_threads[n], name) if n in by_threads else 0
                if not value:
                    continue
                top, faint = y + i * bar, " faint" * (i < len(threads) - 1)
                parts += [f'<rect x="{names_width + 16}" y="{top:.1f}" height="{bar - 1}" '
                          f'width="{max(1, value * scale):.1f}" '
                          f'class="{"ours" if ours else "other"}{faint}"/>',
                          text(names_width + 22 + value * scale, top + 9.5, f"{value:.0f}",
                               "small")]
            y += line
    return svg(width, y + 14, "Images a second of each work and framework", parts)


def round_up(value):
    """The next of 1, 2, 2.5, 4, 5, 10 times a power of ten: a good end for an axis."""
    unit = 10 ** math.floor(math.log10(value))
    return next(m * unit for m in (1, 2, 2.5, 4, 5, 10) if m * unit >= value)


def curve(document):
    """Inference as a function of the batch; a ring for the fastest of the others, where known."""
    rows = [r for r in document["results"] if r["part"] == "scaling" and r["kind"] == "inference"
            and "limulus" in measured(r)]
    if len({r["batch"] for r in rows}) < 2:
        return None
    others = [r for r in document["results"] if r["part"] == "inference" and best_other(r)]
    rate = lambda r, name: measured(r)[name]["images_per_second"]
    batches, threads = sorted({r["batch"] for r in rows}), sorted({r["threads"] for r in rows})
    left, top, width, height = 48, 80, 400, 300
    most = round_up(max([rate(r, "limulus") for r in rows]
                        + [rate(r, best_other(r)) for r in others]))
    low, high = math.log2(batches[0]), math.log2(batches[-1])
    x = lambda batch: left + (math.log2(batch) - low) / (high - low) * width
    y = lambda value: top + height * (1 - value / most)
    names = {best_other(r) for r in others}
    rings = f"{names.pop()}, the fastest other" if len(names) == 1 else "the fastest of the others"
    parts = [text(16, 28, "AlexNet: inference by batch", "title"),
             text(16, 48, f"images a second; rings: {rings}", "small")]
    for i in range(6):
        value = most * i / 5
        parts += [f'<line class="grid" x1="{left}" x2="{left + width}" y1="{y(value):.1f}" '
                  f'y2="{y(value):.1f}"/>', text(left - 8, y(value) + 4, f"{value:g}", "small end")]
    parts += [text(x(b), top + height + 20, str(b), "small middle") for b in batches]
    parts.append(text(left + width / 2, top + height + 42, "images in a batch", "small middle"))
    for i, n in enumerate(threads):
        points = sorted((r["batch"], rate(r, "limulus")) for r in rows if r["threads"] == n)
        parts.append(f'<polyline class="line line-{i % 2}" points="'
                     + " ".join(f"{x(b):.1f},{y(v):.1f}" for b, v in points) + '"/>')
        parts += [f'<circle class="ours-{i % 2}" cx="{x(b):.1f}" cy="{y(v):.1f}" r="4"/>'
                  for b, v in points]
        b, v = points[-1]
        below = 22 if i == 0 else -12  # the line: the rings of more threads may lie above it
        parts.append(text(x(b), y(v) + below, f"Limulus, {in_words(n)}", f"head end ours-{i % 2}"))
        for r in others:
            if r["threads"] == n and batches[0] <= r["batch"] <= batches[-1]:
                name = best_other(r)
                at, v = x(r["batch"]), rate(r, name)
                parts.append(f'<circle class="mark line-{i % 2}" cx="{at:.1f}" '
                             f'cy="{y(v):.1f}" r="5"/>')
                if names:  # they differ
                    # Beside the axis: to its right.
                    side = "" if r["batch"] == batches[0] else "middle"
                    parts.append(text(at + (0 if side else 9), y(v) + 20, name, f"small {side}"))
    return svg(left + width + 32, top + height + 60, "Images a second as a function of the batch",
               parts)


def write_plots(document, stem):
    written = []
    for name, picture in (("bars", bars(document)), ("batches", curve(document))):
        if picture:
            written.append(f"{stem}-{name}.svg")
            with open(written[-1], "w") as f:
                f.write(picture)
    return written


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        print("\n".join(write_plots(json.load(source), os.path.splitext(sys.argv[1])[0])))
