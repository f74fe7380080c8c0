"""Drawings inside a page, in the page's own colours; limulus.css has their classes."""

import html


class Svg:
    """A picture, `width` CSS pixels wide where there is room, else as wide as there is."""

    def __init__(self, width: float, height: float, title: str):
        self.width, self.height, self.title, self.parts = width, height, title, []

    def rect(self, x, y, w, h, kind):
        self.parts.append(f'<rect class="{kind}" x="{x:.2f}" y="{y:.2f}" width="{w:.2f}" '
                          f'height="{h:.2f}"/>')

    def line(self, x1, y1, x2, y2, kind="d-line"):
        self.parts.append(f'<line class="{kind}" x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" '
                          f'y2="{y2:.2f}"/>')

    def circle(self, x, y, r, kind):
        self.ellipse(x, y, r, r, kind)

    def ellipse(self, x, y, rx, ry, kind):
        self.parts.append(f'<ellipse class="{kind}" cx="{x:.2f}" cy="{y:.2f}" rx="{rx:.2f}" '
                          f'ry="{ry:.2f}"/>')

    def text(self, x, y, words, anchor="middle", kind="d-text"):
        self.parts.append(f'<text class="{kind}" x="{x:.2f}" y="{y:.2f}" text-anchor="{anchor}">'
                          f"{html.escape(str(words))}</text>")

    def path(self, points, kind):
        d = " ".join(f"{'M' if i == 0 else 'L'}{x:.2f},{y:.2f}" for i, (x, y) in enumerate(points))
        self.parts.append(f'<path class="{kind}" d="{d}"/>')

    def measure(self, x1, x2, y, words):
        """A dimension line with its length below it."""
        self.line(x1, y, x2, y)
        for x in (x1, x2):
            self.line(x, y - 3, x, y + 3)
        self.text((x1 + x2) / 2, y + 14, words)

    def done(self) -> str:
        kind = "drawing wide" if self.width > 500 else "drawing"
        return (f'<svg class="{kind}" role="img" viewBox="0 0 {self.width:.0f} {self.height:.0f}" '
                f'style="width:{self.width:.0f}px"><title>{html.escape(self.title)}</title>'
                + "".join(self.parts) + "</svg>")


def figure(svgs: list[str], caption: str) -> str:
    return (f'<figure class="drawings"><div>{"".join(svgs)}</div>'
            f"<figcaption>{caption}</figcaption></figure>")
