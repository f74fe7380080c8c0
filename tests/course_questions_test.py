"""The staff's question bank (course/staff/questions.md): forty-four questions, each with an answer
and what a wrong one shows, and its small examples computed again by their definition. Gradients are
differences of the forward pass, in fractions: exact where it is linear. And the syllabus: its hours
and points are those of the assignments, and it promises none that is not there."""

import re
import tomllib
import unittest
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "course" / "staff" / "questions.md"


def questions() -> dict[int, str]:
    parts = re.split(r"^### (\d+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}
    if len(found) != len(parts) // 2:
        raise AssertionError("two questions have the same number")
    return found


def gradient(f, x, h=Fraction(1, 1000)) -> list[Fraction]:
    """Of f by each of x, by central differences."""
    x = [Fraction(v) for v in x]
    found = []
    for i in range(len(x)):
        up, down = ([*x[:i], x[i] + step, *x[i + 1:]] for step in (h, -h))
        found.append((f(up) - f(down)) / (2 * h))
    return found


def vector(values) -> str:
    """As the page writes it: (2, -1, 4)."""
    return f"({', '.join(str(v) for v in values)})"


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def conv(x, w, stride=1, pad=0) -> list:
    padded = [0] * pad + list(x) + [0] * pad
    return [dot(padded[i:i + len(w)], w) for i in range(0, len(padded) - len(w) + 1, stride)]


def pool(x, size=3, stride=2) -> list:
    return [max(x[i:i + size]) for i in range(0, len(x) - size + 1, stride)]


def lrn(x) -> list:
    """k, alpha and beta of 1, a window of 3."""
    return [
        v / (1 + sum(u * u for u in x[max(0, i - 1):i + 2])) for i, v in enumerate(x)
    ]


class Questions(unittest.TestCase):
    def setUp(self):
        self.all = questions()

    def says(self, number: int, *texts: str):
        for text in texts:
            self.assertIn(text, self.all[number], f"question {number}")

    def test_there_are_forty_four_and_each_is_whole(self):
        self.assertEqual(list(self.all), list(range(1, 45)))
        for number, text in self.all.items():
            question, *rest = re.split(r"\*\*(Answer|A wrong answer shows)\.\*\*", text)
            self.assertEqual(rest[::2], ["Answer", "A wrong answer shows"], number)
            self.assertTrue(all(len(part.strip()) > 30 for part in (question, *rest[1::2])), number)

    def test_every_week_of_the_syllabus_has_some(self):
        weeks = re.findall(r"^## Week (\d+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        self.assertEqual(weeks, [str(week) for week in range(1, 13)])

    def test_10_a_convolution_by_hand(self):
        x, w, dy = (1, 3, 2, 0, 4), (2, -1), (1, 0, 2, -1)
        self.says(10, f"$x = {vector(x)}$", f"$w = {vector(w)}$", f"$dy = {vector(dy)}$",
                  f"$y = {vector(conv(x, w))}$",
                  f"$dw = {vector(gradient(lambda v: dot(conv(x, v), dy), w))}$",
                  f"$dx = {vector(gradient(lambda v: dot(conv(v, w), dy), x))}$")
        turned = gradient(lambda v: dot(conv(v, w[::-1]), dy), x)
        self.says(10, f"$dx = {vector(turned)}$: the filter was turned around")

    def test_13_and_14_a_graph(self):
        da, db = gradient(lambda v: (v[0] - v[1]) * v[0] + v[1], (4, 1))
        self.says(13, f"= 7`, $db$ = {{calc}}`1 - 4 = {db}`", f"2*4 - 1 = {da}")
        self.says(14, f"2*{da} = {2 * da}", f"2*({db}) = {2 * db}")

    def test_15_broadcasting(self):
        a, b = (1, 2, 3, 4), (10, 20, 30)
        da = gradient(lambda v: sum(p * q for p in v for q in b), a)
        db = gradient(lambda v: sum(p * q for p in a for q in v), b)
        self.assertEqual((set(da), set(db)), ({60}, {10}))
        self.says(15, "= 60`", "= 10`")

    def test_18_stride_and_padding(self):
        w, dy = (3, 1, -2), (2, -1, 4)
        dx = gradient(lambda v: dot(conv(v, w, 2, 1), dy), (0, 0, 0, 0, 0))
        self.says(18, f"$w = {vector(w)}$", f"$dy = {vector(dy)}$", f"$dx = {vector(dx)}$")

    def test_24_pooling(self):
        x, dy = (3, 1, 4, 4, 2, 0, 5), (1, 10, 100)
        self.says(24, f"$x = {vector(x)}$", f"$y = {vector(pool(x))}$")
        # The first of equal values: it alone is a little larger.
        dx = gradient(lambda v: dot(pool(v), dy), [Fraction(v) - Fraction(i, 50)
                                                   for i, v in enumerate(x)])
        self.says(24, f"$dx = {vector(dx)}$")

    def test_25_response_normalization(self):
        x = (2, 1, 0, 3)
        self.says(25, f"$x = {vector(x)}$")
        y = lrn([Fraction(v) for v in x])
        self.assertEqual(y, [Fraction(1, 3), Fraction(1, 6), 0, Fraction(3, 10)])
        first = gradient(lambda v: sum(lrn(v)), x)[0]
        self.assertAlmostEqual(float(first), -1 / 6, places=5)
        self.says(25, "1/6 - 1/3 ~ -0.167")

    def test_34_two_rules(self):
        for paper in (True, False):
            w = v = 0.0
            for rate in (0.1, 0.01):
                v = 0.9 * v - rate if paper else 0.9 * v + 1
                w += v if paper else -rate * v
            self.says(34, f"= {-w:.3g}`")

    def test_44_a_ring(self):
        def sent(machines, n):  # by one of them: its own part, then what came, and copies
            return 2 * (machines - 1) * n / machines
        self.assertEqual(4 * sent(8, 60965224), 426756568)
        self.says(43, "426756568", "213378284")
        ranks = 3
        orders = [[(p + step) % ranks for step in range(ranks)] for p in range(ranks)]
        self.says(44, ", ".join(f"$({a} + {b}) + {c}$" for a, b, c in orders))


class Syllabus(unittest.TestCase):
    ROW = re.compile(r"^\| \[\d [\w ]+\]\(\.\./\.\./course/(\w+)/README\.md\) \| (\d+) \| (\d+) \|",
                     re.MULTILINE)

    def setUp(self):
        self.text = (ROOT / "docs" / "course" / "syllabus.md").read_text(encoding="utf-8")

    def test_hours_and_points_are_the_assignments(self):
        rows = self.ROW.findall(self.text)
        self.assertGreaterEqual(len(rows), 5)
        for name, hours, points in rows:
            path = ROOT / "course" / name / "assignment.toml"
            a = tomllib.loads(path.read_text(encoding="utf-8"))
            self.assertEqual((float(hours), float(points)), (a["hours"], 100), name)

    def test_what_it_promises_is_there(self):
        for name in re.findall(r"course/(a\d\w+)/", self.text):
            self.assertTrue((ROOT / "course" / name / "assignment.toml").is_file(), name)
        for number in re.findall(r"\b[Aa]ssignment (\d)(?! \(OpenCL)", self.text):
            self.assertTrue(list(ROOT.glob(f"course/a{number}_*/assignment.toml")), number)

    def test_there_are_twelve_weeks_with_goals(self):
        goals = re.findall(r"^\*\*Week (\d+)\*\*\n\n1\. ", self.text, re.MULTILINE)
        self.assertEqual(goals, [str(week) for week in range(1, 13)])


if __name__ == "__main__":
    unittest.main()
