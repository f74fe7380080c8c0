#!/usr/bin/env python3
"""The matrices of Winograd's method for the seven points, as exact numbers.

    docs/_ext/winograd_matrices.py           prints them, as the page and the header have them
    docs/_ext/winograd_matrices.py --tile    and the worked tile of the page

The points are +-1/4, +-7/8, +-7/4 and infinity. Everything here follows from them:

    B^T   the row of a point q holds the coefficients of the polynomial that is zero at all the
          other points, divided by its value at q; of infinity, of the one that is zero at all six
    G     [7, taps], the row of a point holds its powers; of infinity, 0 .. 0 1
    A     [7, outputs], the same with as many columns as a tile has outputs
"""

import sys
from fractions import Fraction as F
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POINTS = [F(sign * n, d) for n, d in ((1, 4), (7, 8), (7, 4)) for sign in (1, -1)]  # and infinity
SIDE = len(POINTS) + 1
PAGE = "docs/performance/winograd.md"
HEADER = "backends/cpu/kernels/winograd/transforms.h"


def polynomial(roots):
    """The coefficients of the product of (z - root), the constant first."""
    c = [F(1)]
    for root in roots:
        c = [low - root * high for low, high in zip([F(0)] + c, c + [F(0)])]
    return c


def at(coefficients, z):
    return sum(c * z**i for i, c in enumerate(coefficients))


def b_transposed():
    rows = []
    for q in POINTS:
        c = polynomial(p for p in POINTS if p != q)
        rows.append([x / at(c, q) for x in c] + [F(0)])
    return rows + [polynomial(POINTS)]


def powers(columns):
    """G, and A: one row for each point."""
    return [[q**i for i in range(columns)] for q in POINTS] + [[F(0)] * (columns - 1) + [F(1)]]


def written(title, rows):
    """One line for each row, columns aligned."""
    cells = [[str(x) for x in row] for row in rows]
    widths = [max(len(row[j]) for row in cells) for j in range(len(cells[0]))]
    lines = ["  ".join(x.rjust(w) for x, w in zip(row, widths)) for row in cells]
    return [title] + ["    " + line for line in lines]


def transposed(rows):
    return [list(column) for column in zip(*rows)]


def matrices():
    """The lines that page and header show."""
    return (written("B^T =", b_transposed()) + ["", *written("G for 3 taps, A for 3 outputs =",
            powers(3))] + ["", *written("G for 5 taps, A for 5 outputs =", powers(5))])


def product(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]


def both_sides(left, middle):
    """left middle left^T"""
    return product(product(left, middle), transposed(left))


def worked_tile():
    """One tile of 7 x 7 pixels, a filter of 3 x 3 taps, and their 5 x 5 outputs, both ways."""
    d = [[F((3 * i + 5 * j) % 7 - 3) for j in range(SIDE)] for i in range(SIDE)]
    g = [[F(x) for x in row] for row in ((1, 0, -1), (2, 0, -2), (1, 0, -1))]
    u, v = both_sides(powers(3), g), both_sides(b_transposed(), d)
    m = [[x * y for x, y in zip(a, b)] for a, b in zip(u, v)]
    y = both_sides(transposed(powers(5)), m)
    direct = [[sum(d[i + a][j + b] * g[a][b] for a in range(3) for b in range(3))
               for j in range(5)] for i in range(5)]
    assert y == direct
    return d, g, u, v, m, y


def tile_lines():
    """The worked tile as the page shows it, fractions as decimals."""
    titles = ("d =", "g =", "u = G g G^T =", "v = B^T d B =", "m = u * v, entry by entry =",
              "Y = A^T m A =")
    lines = []
    for title, rows in zip(titles, worked_tile()):
        whole = all(x.denominator == 1 for row in rows for x in row)
        cells = [[str(x) if whole else f"{float(x):.2f}" for x in row] for row in rows]
        lines += [*written(title, cells), ""]
    return lines[:-1]


def findings():
    """Where the page or the header shows other lines than these."""
    wrong = []
    for place, wanted, what in ((PAGE, matrices(), "matrices"), (PAGE, tile_lines(), "worked tile"),
                                (HEADER, matrices(), "matrices")):
        text = (ROOT / place).read_text(encoding="utf-8")
        lines = [line.removeprefix("// ").removeprefix("//") for line in text.splitlines()]
        if "\n".join(lines).count("\n".join(wanted)) != 1:
            wrong.append(f"{place}: the {what} should be there once, as "
                         "docs/_ext/winograd_matrices.py --tile prints them")
    return wrong


def main():
    print("\n".join(matrices()))
    if "--tile" in sys.argv[1:]:
        print("\n".join(["", *tile_lines()]))


if __name__ == "__main__":
    main()
