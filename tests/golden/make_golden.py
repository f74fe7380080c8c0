#!/usr/bin/env python3
"""Makes golden.json: what PyTorch computes, in double, for small inputs.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python tests/golden/make_golden.py        # overwrites tests/golden/golden.json

tests/golden_test.cpp feeds the same inputs to Limulus and compares. The file is committed, so that
the tests need neither Python nor PyTorch. Inputs are rounded to a few digits (exactly the same
number in both programs, and a small file); results carry 17 digits.
"""
import json
import os

import torch
import torch.nn.functional as F

torch.manual_seed(2012)
torch.set_default_dtype(torch.float64)
cases = []


def draw(*shape, scale=1.0):
    return (torch.randn(*shape) * scale * 100).round() / 100


def pack(t):
    t = t.detach()
    return {"shape": list(t.shape), "data": [0.0 if v == 0 else v for v in t.flatten().tolist()]}


def case(op, options, inputs, function, extra=None):
    """Runs function on inputs (a dict), backward with a random dy, and notes everything down.
    Integer inputs (labels) get no gradient."""
    leaves = {k: (v.clone().requires_grad_() if v.is_floating_point() else v)
              for k, v in inputs.items()}
    y = function(**leaves)
    dy = draw(*y.shape) if y.dim() else torch.tensor(1.5)
    y.backward(dy)
    outputs = {"y": pack(y)}
    for k, v in leaves.items():
        if v.is_floating_point():
            outputs["d" + k] = pack(v.grad)
    outputs.update({k: pack(v) for k, v in (extra() if extra else {}).items()})
    cases.append({"op": op, "options": options,
                  "inputs": {**{k: pack(v) for k, v in inputs.items()}, "dy": pack(dy)},
                  "outputs": outputs})


# ---- conv2d: [n, c, h, w], [k, c/groups, fh, fw] ------------------------------------------------
for (n, c, h, w), (k, fh, fw), stride, pad, dilation, groups in [
        ((2, 3, 6, 5), (4, 3, 3), (1, 1), (0, 0), (1, 1), 1),
        ((1, 4, 7, 6), (6, 3, 2), (2, 1), (1, 2), (1, 1), 2),
        ((1, 2, 9, 8), (3, 3, 3), (2, 3), (2, 0), (2, 1), 1),
        ((2, 3, 5, 5), (6, 3, 3), (1, 2), (1, 1), (1, 2), 3),
        ((1, 3, 11, 11), (2, 5, 5), (4, 4), (0, 0), (1, 1), 1)]:
    case("conv2d", {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups},
         {"x": draw(n, c, h, w), "w": draw(k, c // groups, fh, fw), "b": draw(k)},
         lambda x, w, b: F.conv2d(x, w, b, stride, pad, dilation, groups))

# ---- local response normalization across channels
# ------------------------------------------------- PyTorch divides alpha by the window's size ("per
# element") and calls the constant k as we do.
for channels, size, alpha, beta, k in [(7, 5, 1e-4, 0.75, 2.0), (7, 5, 1.0, 0.75, 2.0),
                                       (6, 4, 0.9, 0.6, 1.0), (2, 5, 1.1, 0.75, 1.0)]:
    case("lrn", {"size": size, "alpha": alpha, "beta": beta, "k": k},
         {"x": draw(2, channels, 3, 2, scale=2)},
         lambda x: F.local_response_norm(x, size, alpha, beta, k))

# ---- pooling ------------------------------------------------------------------------------------
for hw, kernel, stride, pad, ceil in [((7, 7), (3, 3), (2, 2), (0, 0), False),
                                      ((6, 8), (3, 3), (2, 2), (0, 0), True),
                                      ((5, 6), (3, 2), (1, 2), (1, 1), False),
                                      ((7, 6), (2, 3), (3, 2), (1, 1), True)]:
    case("max_pool2d", {"kernel": kernel, "stride": stride, "pad": pad, "ceil": ceil},
         {"x": draw(2, 2, *hw)}, lambda x: F.max_pool2d(x, kernel, stride, pad, 1, ceil))
for hw, kernel, stride, pad, ceil, count in [((7, 7), (3, 3), (2, 2), (0, 0), False, True),
                                             ((5, 6), (3, 2), (1, 2), (1, 1), False, True),
                                             ((5, 6), (3, 2), (1, 2), (1, 1), False, False),
                                             ((6, 8), (3, 3), (2, 2), (1, 0), True, False),
                                             ((6, 7), (3, 2), (2, 2), (0, 1), True, True)]:
    case("avg_pool2d", {"kernel": kernel, "stride": stride, "pad": pad, "ceil": ceil,
                        "count_include_pad": count},
         {"x": draw(2, 2, *hw)}, lambda x: F.avg_pool2d(x, kernel, stride, pad, ceil, count))

# ---- batch normalization ------------------------------------------------------------------------
for shape, training, momentum, eps in [((4, 3, 3, 2), True, 0.1, 1e-5),
                                       ((5, 4, 1, 1), True, 0.3, 1e-3),
                                       ((3, 3, 2, 3), False, 0.1, 1e-5)]:
    mean, variance = draw(shape[1]), draw(shape[1]).abs() + 0.5
    after_mean, after_variance = mean.clone(), variance.clone()
    case("batch_norm", {"training": training, "momentum": momentum, "eps": eps,
                        "running_mean": pack(mean), "running_var": pack(variance)},
         {"x": draw(*shape, scale=2), "w": draw(shape[1]), "b": draw(shape[1])},
         lambda x, w, b: F.batch_norm(x, after_mean, after_variance, w, b, training, momentum, eps),
         lambda: {"running_mean": after_mean, "running_var": after_variance})

# ---- rows ---------------------------------------------------------------------------------------
case("linear", {}, {"x": draw(5, 7), "w": draw(3, 7), "b": draw(3)},
     lambda x, w, b: F.linear(x, w, b))
case("softmax", {}, {"x": draw(4, 7, scale=3)}, lambda x: F.softmax(x, 1))
case("cross_entropy", {}, {"x": draw(6, 5, scale=3), "labels": torch.tensor([0, 4, 2, 2, 1, 3])},
     lambda x, labels: F.cross_entropy(x, labels))
case("cross_entropy", {}, {"x": draw(3, 4) + 800, "labels": torch.tensor([3, 0, 1])},
     lambda x, labels: F.cross_entropy(x, labels))
for name in ["relu", "sigmoid", "tanh", "exp", "sqrt", "log", "square", "abs", "neg"]:
    x = draw(11, scale=2)
    case(name, {}, {"x": x.abs() + 0.25 if name in ("sqrt", "log") else x}, getattr(torch, name))

# ---- stochastic gradient descent
# ------------------------------------------------------------------ PyTorch's rule from PyTorch;
# the paper's (section 5) spelled out, as PyTorch has none:
#     v <- m v - d lr w - lr g,    w <- w + v
lr, momentum, decay = 0.1, 0.9, 0.05
w0, gradients = draw(5), [draw(5) for _ in range(3)]
w = w0.clone().requires_grad_()
optimizer = torch.optim.SGD([w], lr=lr, momentum=momentum, weight_decay=decay)
steps = {"pytorch": [], "paper": []}
for g in gradients:
    w.grad = g.clone()
    optimizer.step()
    steps["pytorch"].append(pack(w.detach().clone()))
w, v = w0.clone(), torch.zeros(5)
for g in gradients:
    v = momentum * v - decay * lr * w - lr * g
    w = w + v
    steps["paper"].append(pack(w))
for rule, weights in steps.items():
    cases.append({"op": "sgd", "options": {"rule": rule, "lr": lr, "momentum": momentum,
                                           "weight_decay": decay},
                  "inputs": {"w": pack(w0), **{f"g{i}": pack(g) for i, g in enumerate(gradients)}},
                  "outputs": {f"w{i}": w for i, w in enumerate(weights)}})

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
with open(path, "w") as out:
    out.write('{"made_with": "PyTorch ' + torch.__version__.split("+")[0] + '", "cases": [\n')
    out.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases))
    out.write("\n]}\n")
print(f"{len(cases)} cases, {os.path.getsize(path)} bytes")
