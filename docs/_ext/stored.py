"""docs/explained.json: what `limulus explain --json` answers to the questions of the pages, so that
the site can be built where the program is not. check_pages.py compares it with the program, and
renews it."""

import functools
import json
import math
import re
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "explained.json"
RENEW = "docs/check_pages.py build/limulus --update"
NUMBER = re.compile(r"(-?\d+\.\d+(?:e-?\d+)?)")


@functools.cache
def answers() -> dict[str, dict]:
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def same(a, b) -> bool:
    """Equal, but for the last digits of numbers with a point, which instruction sets round
    differently."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-9)
    if isinstance(a, str) and isinstance(b, str):
        parts = [NUMBER.split(text) for text in (a, b)]
        return len(parts[0]) == len(parts[1]) and all(
            same(float(x), float(y)) if i % 2 else x == y for i, (x, y) in enumerate(zip(*parts)))
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


def findings(asked: dict[str, dict], complete: bool) -> list[str]:
    """How the file differs from what the pages asked; `complete`: of all pages."""
    kept, wrong = answers(), []
    for words, answer in sorted(asked.items()):
        if words not in kept:
            wrong.append(f"does not have `limulus explain {words}`")
        elif not same(kept[words], answer):
            wrong.append(f"has another answer to `limulus explain {words}` than the program")
    if complete:
        wrong += [f"has `limulus explain {words}`, which no page asks" for words in kept
                  if words not in asked]
    return [f"docs/{FILE.name} {what}; {RENEW} renews it" for what in wrong]


def store(asked: dict[str, dict], complete: bool):
    """Writes the file, a line for each layer, so that a change is a line. Answers that are still
    right stay as they are."""
    kept = answers()
    made = {words: kept[words] if words in kept and same(kept[words], answer) else answer
            for words, answer in asked.items()}
    if not complete:
        made = {**kept, **made}
    FILE.write_text("{" + ",".join(f"\n{json.dumps(words)}: {shown(answer)}"
                                   for words, answer in sorted(made.items())) + "\n}\n",
                    encoding="utf-8")
    answers.cache_clear()


def shown(answer: dict) -> str:
    parts = []
    for key, value in answer.items():
        text = json.dumps(value)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n   " + ",\n   ".join(map(json.dumps, value)) + "]"
        parts.append(f"\n {json.dumps(key)}: {text}")
    return "{" + ",".join(parts) + "}"
