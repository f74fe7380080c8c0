#!/usr/bin/env python3
"""Gradients beside PyTorch's: the same random configurations, computed again in double precision.

    python3 benchmarks/versus/gradients.py [--count 1000] [--seed 2012] [--program build/limulus]

`limulus gradcheck --export` writes random configurations of every layer with inputs, results, a
random cotangent and gradients. PyTorch computes results and gradients of the same inputs, and its
own torch.autograd.gradcheck gives a verdict on each. Printed is, for each layer, how many
configurations each checker found right and the largest relative difference of results and of
gradients. PyTorch's checker has no word for a kink: where inputs tie or are 0, it fails, and
Limulus skips those entries. Ends with 1 when a result or a gradient differs by more than 1e-9.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LIMIT = 1e-9


def lrn(x, s, axes):
    """y = x (k + alpha * sum of x^2 over the window)^-beta, the window beginning size//2 before."""
    before, after = s["size"] // 2, s["size"] - 1 - s["size"] // 2
    total = x * x
    for axis in axes:
        padding = [0, 0] * (x.dim() - 1 - axis) + [before, after]
        total = F.pad(total, padding).unfold(axis, s["size"], 1).sum(-1)
    return x * (s["k"] + s["alpha"] * total) ** -s["beta"]


def batch_norm(s, x, weight, bias):
    mean, var = torch.full_like(weight, s["mean"]), torch.full_like(weight, s["var"])
    return F.batch_norm(x, mean, var, weight, bias, s["training"], 0.1, s["eps"])


def convolution(s, x, w, b=None):
    return F.conv2d(x, w, b, s["stride"], s["pad"], s["dilation"], s["groups"])


def pooling(s):
    return {"kernel_size": s["kernel"], "stride": s["stride"], "padding": s["pad"],
            "ceil_mode": s["ceil"]}


def product(s, a, b):
    return (a.T if s["trans_a"] else a) @ (b.T if s["trans_b"] else b)


LAYERS = {
    "conv2d": convolution,
    "conv2d+relu": lambda s, *t: F.relu(convolution(s, *t)),
    "max_pool2d": lambda s, x: F.max_pool2d(x, **pooling(s)),
    "avg_pool2d": lambda s, x: F.avg_pool2d(
        x, **pooling(s), count_include_pad=s["count_include_pad"]),
    "lrn_across": lambda s, x: lrn(x, s, (1,)),
    "lrn_within": lambda s, x: lrn(x, s, (2, 3)),
    "linear": lambda s, x, w, b=None: F.linear(x, w, b),
    "matmul": product,
    "softmax": lambda s, x: F.softmax(x * s["scale"], -1),
    "cross_entropy": lambda s, x, labels: F.cross_entropy(x * s["scale"], labels),
    "batch_norm2d": batch_norm,
    "add": lambda s, a, b: a + b,
    "sub": lambda s, a, b: a - b,
    "mul": lambda s, a, b: a * b,
    "div": lambda s, a, b: a / b,
    "maximum": lambda s, a, b: torch.maximum(a, b),
    "sum": lambda s, x: x.sum(s["axis"], keepdim=s["keep"]),
    "mean": lambda s, x: x.mean(s["axis"], keepdim=s["keep"]),
    "amax": lambda s, x: x.amax(s["axis"], keepdim=s["keep"]),
    **{name: (lambda f: lambda s, x: f(x * s["scale"]))(getattr(torch, name))
       for name in ("neg", "exp", "log", "sqrt", "square", "abs", "relu", "sigmoid", "tanh")},
}


def function_of(settings, tensors):
    """The layer as a function of its floating-point inputs."""
    layer = settings["layer"]
    if layer == "dropout":  # the same mask, read off the result
        kept = (tensors["y"] != 0) / (1 - settings["p"])
        return lambda x: x * kept
    return lambda *inputs: LAYERS[layer](settings, *inputs)


def difference(a, b):
    """Over the largest value: the norm in which rounding is small."""
    if a.numel() == 0:
        return 0.0
    return (((a - b).abs().max() / b.abs().max().clamp_min(1e-300)).item() if b.abs().max() > 0
            else a.abs().max().item())


def check(case, tensors):
    inputs = [tensors[name] for name in case["inputs"]]
    for t in inputs:
        t.requires_grad_(t.is_floating_point())
    f = function_of(case["settings"], tensors)
    y = f(*inputs)
    of_result = difference(tensors["y"], y.detach())
    floating = [n for n in case["inputs"] if tensors[n].is_floating_point()]
    gradients = torch.autograd.grad(y, [tensors[n] for n in floating], tensors["dy"])
    of_gradient = max(difference(tensors["d" + n], g) for n, g in zip(floating, gradients))
    passed = torch.autograd.gradcheck(f, inputs, raise_exception=False)
    return of_result, of_gradient, passed


PAPER = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0}


class WithoutSecondTerm(torch.autograd.Function):
    """The paper's normalization with a backward of dy s^-beta alone: at this alpha it is nearly
    right."""

    @staticmethod
    def forward(ctx, x):
        y = lrn(x, PAPER, (1,))
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, y = ctx.saved_tensors
        return dy * y / x


def print_wrong_one(program):
    x = torch.randn(1, 7, 3, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
    verdicts = ["passes" if torch.autograd.gradcheck(
        WithoutSecondTerm.apply, (x,), raise_exception=False, fast_mode=fast) else "fails"
        for fast in (False, True)]
    out = subprocess.run([program, "gradcheck", "--mutation", "lrn-cross-term-paper", "--json"],
                         check=True, capture_output=True, text=True).stdout
    ours = json.loads(out)[0]["report"]
    print("\nLRN at alpha = 1e-4 with a backward that lacks its second term: "
          f"PyTorch: {verdicts[0]}; PyTorch, fast_mode: {verdicts[1]}; "
          f"Limulus: {ours['verdict']} ({ours['tensors'][0]['mistake']})")


def main():
    p = argparse.ArgumentParser(description="Gradients beside PyTorch's")
    p.add_argument("--count", type=int, default=1000)
    p.add_argument("--seed", type=int, default=2012)
    p.add_argument("--program", default=os.path.join(ROOT, "build", "limulus"))
    p.add_argument("--device", default="cpu", help="of Limulus")
    a = p.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # the tensors are tiny
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([a.program, "gradcheck", "--export", folder, "--random", str(a.count),
                        "--seed", str(a.seed), "--device", a.device],
                       check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "configurations.json"), encoding="utf-8") as file:
            cases = json.load(file)
        everything = load_file(os.path.join(folder, "tensors.safetensors"))

    of_case = defaultdict(dict)
    for name, tensor in everything.items():
        number, _, short = name.partition("/")
        of_case[int(number)][short] = tensor
    rows = defaultdict(lambda: [0, 0, 0, 0.0, 0.0])
    worst = []
    for case in cases:
        result, gradient, passed = check(case, of_case[case["number"]])
        row = rows[case["settings"]["layer"]]
        row[0] += 1
        row[1] += case["verdict"] == "OK"
        row[2] += passed
        row[3] = max(row[3], result)
        row[4] = max(row[4], gradient)
        if max(result, gradient) > LIMIT:
            worst.append(f"{case['number']} {case['settings']}: {result:.1e} {gradient:.1e}")

    print("| layer | configurations | OK by Limulus | passed by PyTorch | results differ by "
          "| gradients differ by |\n| --- | --- | --- | --- | --- | --- |")
    for layer, row in sorted(rows.items()):
        print(f"| {layer} | {row[0]} | {row[1]} | {row[2]} | {row[3]:.1e} | {row[4]:.1e} |")
    total = [sum(r[i] for r in rows.values()) for i in range(3)]
    print(f"| all | {total[0]} | {total[1]} | {total[2]} | {max(r[3] for r in rows.values()):.1e} "
          f"| {max(r[4] for r in rows.values()):.1e} |")
    for line in worst:
        print("differs:", line)
    print_wrong_one(a.program)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
