"""Calculations as MathML: no script and no network when the site is read."""

import ast
import html

from page_numbers import calculation, value, written

PRECEDENCE = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.USub: 3, ast.Pow: 4}
SIGNS = {ast.Add: "+", ast.Sub: "−", ast.Mult: "·"}
BRACKETS = {"floor": ("⌊", "⌋"), "ceil": ("⌈", "⌉")}


def of_number(number) -> str:
    text = html.escape(written(number)).replace("-", "−")
    return f"<mn>{text}</mn>"


def bracketed(inner: str, left: str = "(", right: str = ")") -> str:
    tall = any(tag in inner for tag in ("<mfrac", "<msup", "<msqrt"))
    stretch = "" if tall else ' stretchy="false"'
    return (f'<mrow><mo fence="true"{stretch}>{left}</mo>{inner}'
            f'<mo fence="true"{stretch}>{right}</mo></mrow>')


def precedence(node: ast.expr) -> int:
    if isinstance(node, (ast.BinOp, ast.UnaryOp)):
        return PRECEDENCE[type(node.op)]
    return 5


def of_operand(node: ast.expr, least: int, inline: bool) -> str:
    inner = of_expression(node, inline)
    return bracketed(inner) if precedence(node) < least else inner


def of_expression(node: ast.expr, inline: bool) -> str:
    """MathML of an expression; names are replaced by their values."""
    if isinstance(node, ast.Attribute):
        return of_number(value(node))
    if isinstance(node, ast.Constant):
        return f"<mn>{node.source}</mn>" if "." in node.source else of_number(node.value)
    if isinstance(node, ast.UnaryOp):
        return "<mrow><mo>−</mo>" + of_operand(node.operand, 3, inline) + "</mrow>"
    if isinstance(node, ast.Call):
        inner = "<mo>,</mo>".join(of_expression(a, inline) for a in node.args)
        if node.func.id == "sqrt":
            return f"<msqrt>{inner}</msqrt>"
        if node.func.id in BRACKETS:
            return bracketed(inner, *BRACKETS[node.func.id])
        name = {"phi": "Φ"}.get(node.func.id, node.func.id)
        return f"<mrow><mi>{name}</mi>{bracketed(inner)}</mrow>"
    level = PRECEDENCE[type(node.op)]
    if isinstance(node.op, ast.Pow):
        base = of_operand(node.left, 5, inline)
        return f"<msup>{base}{of_expression(node.right, inline)}</msup>"
    if isinstance(node.op, ast.Div):
        if inline:
            left = of_operand(node.left, level, inline)
            right = of_operand(node.right, level + 1, inline)
            return f"<mrow>{left}<mo>/</mo>{right}</mrow>"
        return (f"<mfrac>{of_expression(node.left, inline)}"
                f"{of_expression(node.right, inline)}</mfrac>")
    left = of_operand(node.left, level, inline)
    return f"<mrow>{left}<mo>{SIGNS[type(node.op)]}</mo>{of_right(node, inline)}</mrow>"


def of_right(node: ast.BinOp, inline: bool) -> str:
    if isinstance(node.right, ast.UnaryOp):
        return bracketed(of_expression(node.right, inline))  # 2 · (−3)
    level = PRECEDENCE[type(node.op)]
    return of_operand(node.right, level + (0 if isinstance(node.op, (ast.Add, ast.Mult)) else 1),
                      inline)


def of_terms(node: ast.expr) -> list[str]:
    """The terms of a sum, each with the sign before it, so that a line can break there."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        sign = f'<mo form="infix">{SIGNS[type(node.op)]}</mo>'
        return [*of_terms(node.left), sign + of_right(node, inline=False)]
    return [of_expression(node, inline=False)]


def of_calculation(text: str, inline: bool) -> str:
    """Each member is a formula by itself, so that a line can break before a "=". A member that
    reads as the one before it is checked, and not shown: 3 + 4 = 7 = conv1.kernels."""
    parts, before = [], ""
    for sign, node in calculation(text):
        shown = of_expression(node, inline)
        if shown == before:
            continue
        before = shown
        relation = f'<mo form="infix">{"≈" if sign == "~" else "="}</mo>' if sign else ""
        terms = [shown] if inline else of_terms(node)
        parts += [relation + terms[0], *terms[1:]]
    math = "<math>" if inline else '<math displaystyle="true">'
    return "&#8203;".join(f"{math}{part}</math>" for part in parts)  # a space without width
