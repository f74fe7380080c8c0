"""Numbers for the pages, all of them from the program: `limulus explain --json`.

An expression is arithmetic over literals and names:

    conv1.parameters                            of the layer conv1 of alexnet
    total.multiply_adds                         of alexnet as a whole
    alexnet_torchvision.total.parameters        of another network ('-' becomes '_')

A calculation is a chain, "96*3*11**2 + 96 = conv1.parameters", whose members must all have the same
value; after "~" a member is a rounding of the value before it. Only the standard library is used,
so that the pages can be checked wherever there is Python (docs/check_pages.py).

LIMULUS, an environment variable, names the program. Without it the answers are those that were
stored in docs/explained.json (stored.py).
"""

import ast
import functools
import json
import math
import operator
import os
import subprocess
from pathlib import Path

import stored

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = {
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "ln": math.log,
    "tanh": math.tanh,
    "phi": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,  # the normal distribution
    "max": max,
    "min": min,
}
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
}


class NumberError(Exception):
    """A calculation that is wrong, or a name that does not exist."""


asked: dict[str, dict] = {}  # the program's answers so far, by the arguments of `explain`


def program() -> str | None:
    """What the environment's LIMULUS names, or None."""
    return os.environ.get("LIMULUS") or None


def run(*arguments: str) -> str:
    """What the program prints."""
    command = [program(), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError as error:
        raise NumberError(f"{command[0]}: {error.strerror}. LIMULUS names the program that is "
                          "asked for numbers; without LIMULUS they are the stored ones") from None
    if done.returncode != 0:
        raise NumberError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


@functools.cache
def explain(*arguments: str) -> dict:
    """What `limulus explain ARGUMENTS --json` prints, or printed when it was stored."""
    words = " ".join(arguments)
    if program():
        asked[words] = json.loads(run("explain", *arguments, "--json"))
        return asked[words]
    if words not in stored.answers():
        raise NumberError(f"limulus explain {words}: LIMULUS names no program to ask, and the "
                          f"answer is not stored; {stored.RENEW} stores it")
    return stored.answers()[words]


@functools.cache
def layers(model: str) -> dict[str, dict]:
    """A network's layers by name, each with the numbers that pages speak of."""
    data = explain(model)
    found = {}
    for step in data["steps"]:
        found[step["name"].replace(".", "_")] = numbers_of(step)
    first = data["steps"][0]["in"]
    found["input"] = {"channels": first[1], "height": first[2], "width": first[3]}
    found["input"]["values"] = math.prod(first[1:])
    found["total"] = dict(data["totals"], memory=data["totals"]["memory_bytes"])
    return found


def numbers_of(step: dict) -> dict:
    numbers = {key: step[key] for key in ("parameters", "connections", "multiply_adds")}
    numbers["memory"] = step["memory_bytes"]
    for side in ("in", "out"):
        numbers[f"{side}_values"] = math.prod(step[side][1:])
        for name, size in zip(("channels", "height", "width"), step[side][1:]):
            numbers[f"{side}_{name}"] = size
    if len(step["out"]) == 4:
        numbers["places"] = math.prod(step["out"][2:])
    for name in ("kernel", "stride", "padding", "dilation"):
        if "window" in step:
            numbers[name] = step["window"][name][0]
    if "groups" in step:
        numbers["groups"] = step["groups"]
        numbers["seen"] = step["in"][1] // step["groups"]  # channels that one kernel sees
    return numbers


def lookup(path: str):
    parts = path.split(".")
    model = "alexnet"
    if len(parts) == 3:
        model = parts.pop(0).replace("_", "-")
    try:
        return layers(model)[parts[0]][parts[1]]
    except (KeyError, IndexError):
        raise NumberError(f"{path}: there is no such number in `limulus explain {model}`") from None


def parse(text: str) -> ast.expr:
    text = text.strip()
    try:
        root = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise NumberError(f"{text}: this is not arithmetic ({error.msg})") from None
    for node in ast.walk(root):
        if isinstance(node, ast.Constant):  # as it was written: 0.50, and not 0.5 or 5e-1
            node.source = ast.get_source_segment(text, node)
    root.source = text
    return root


def value(node: ast.expr):
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.Attribute):
        return lookup(ast.unparse(node))
    if isinstance(node, ast.BinOp):
        left, right = value(node.left), value(node.right)
        if isinstance(node.op, ast.Div):  # whole numbers stay whole, so that they can be compared
            whole = isinstance(left, int) and isinstance(right, int) and left % right == 0
            return left // right if whole else left / right
        return OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp):
        return OPERATORS[type(node.op)](value(node.operand))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id not in FUNCTIONS:
            raise NumberError(f"{node.func.id}: the functions are {', '.join(FUNCTIONS)}")
        return FUNCTIONS[node.func.id](*map(value, node.args))
    raise NumberError(f"{ast.unparse(node)}: numbers, names and + - * / ** only")


def calculation(text: str) -> list[tuple[str, ast.expr]]:
    """The members of a chain, each with the sign before it; NumberError unless it is true."""
    members: list[tuple[str, ast.expr]] = []
    sign, start = "", 0
    for i, letter in enumerate(text + "="):
        if letter in "=~":
            members.append((sign, parse(text[start:i])))
            sign, start = letter, i + 1
    if len(members) < 2:
        raise NumberError(f"{text}: a calculation needs a '=' or a '~'")
    exact = value(members[0][1])
    for sign, node in members[1:]:
        got = value(node)
        if sign == "~":  # half of the last digit that is written
            written = node.source
            digits = len(written.partition(".")[2])
            allowed = 0.5 * 10.0**-digits * 1.000001
            if digits == 0:
                allowed *= 10 ** (len(written) - len(written.rstrip("0")))
            good = abs(got - exact) <= allowed
        else:
            good = got == exact or math.isclose(got, exact, rel_tol=1e-12)
        if not good:
            raise NumberError(f"{text}: {ast.unparse(node)} is {got}, but it should be {exact}")
        exact = got if sign == "=" else exact
    return members


def written(number, style: str = "") -> str:
    """For people: 34944 -> 34,944; "MiB" and "%" as styles, or a format of Python's."""
    if style in ("KiB", "MiB", "GiB"):
        return f"{number / 1024 ** (1 + ['KiB', 'MiB', 'GiB'].index(style)):,.1f} {style}"
    if style == "bytes":
        units = ["B", "KiB", "MiB", "GiB"]
        while number >= 1024 and len(units) > 1:
            number /= 1024
            units.pop(0)
        return f"{number:,.1f} {units[0]}" if units[0] != "B" else f"{number} B"
    if style.endswith("%"):
        return format(number, style) .replace("%", " %")
    if style:
        return format(number, style)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"


def number(text: str) -> str:
    """What the role {num}`expression | style` shows."""
    expression, _, style = text.partition("|")
    return written(value(parse(expression)), style.strip())
