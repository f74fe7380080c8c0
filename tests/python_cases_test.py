"""The table of cases (gradcheck/cases) through Python: the same values and gradients as in C++, the
gradient check, and each layer's Python function with the settings of random cases."""

import json
import unittest

import numpy as np

import limulus as lm


def gradients(f, inputs, dy):
    leaves = [x.clone() for x in inputs]
    for x in leaves:
        if x.dtype == lm.f64:
            x.set_requires_grad()
    y = f(*leaves)
    y.backward(dy(y))
    return y, [x.grad for x in leaves if x.requires_grad]


def python_function(op, s):
    """The function of limulus that a random case's settings describe, or None."""
    window = {"stride": tuple(s.get("stride", ())), "padding": tuple(s.get("pad", ()))}
    lrn = {key: s[key] for key in ("size", "alpha", "beta", "k") if key in s}
    return {
        "conv2d": lambda x, w, b=None: lm.conv2d(x, w, b, dilation=tuple(s["dilation"]),
                                                 groups=s["groups"], **window),
        "max_pool2d": lambda x: lm.max_pool2d(x, tuple(s["kernel"]), ceil_mode=s["ceil"], **window),
        "avg_pool2d": lambda x: lm.avg_pool2d(x, tuple(s["kernel"]), ceil_mode=s["ceil"],
                                              count_include_pad=s["count_include_pad"], **window),
        "lrn_across": lambda x: lm.local_response_norm(x, **lrn),
        "lrn_within": lambda x: lm.local_response_norm(x, region="within_channel", **lrn),
        "add": lm.add, "sub": lm.sub, "mul": lm.mul, "div": lm.div, "maximum": lm.maximum,
        "sum": lambda x: lm.sum(x, s["axis"], s["keep"]),
        "mean": lambda x: lm.mean(x, s["axis"], s["keep"]),
        "amax": lambda x: lm.amax(x, s["axis"], s["keep"]),
        "matmul": lambda a, b: lm.matmul(a, b, s["trans_a"], s["trans_b"]),
        "linear": lm.linear,
        "softmax": lambda x: lm.softmax(x * s["scale"]),
        "cross_entropy": lambda x, labels: lm.cross_entropy(x * s["scale"], labels),
        "batch_norm2d": lambda x, w, b: lm.batch_norm2d(
            x, w, b, lm.full(w.shape, s["mean"], dtype="f64"),
            lm.full(w.shape, s["var"], dtype="f64"), s["training"], 0.1, s["eps"]),
        **{name: (lambda f: lambda x: f(x * s["scale"]))(getattr(lm, name))
           for name in ("exp", "log", "sqrt", "square", "abs", "relu", "sigmoid", "tanh")},
    }.get(op)


class Cases(unittest.TestCase):
    def test_every_row_gives_what_it_gives_in_cpp(self):
        rows = lm.cases()
        self.assertGreater(len(rows), 100)
        for case in rows:
            expected = case.run()
            y = case(*case.inputs())
            self.assertEqual(y.tolist(), expected["y"].tolist(), case.name)

    def test_every_row_passes_the_gradient_check(self):
        for case in lm.cases():
            report = lm.gradcheck(case, case.inputs(), names=case.input_names)
            self.assertTrue(report, f"{case.name}\n{report}")

    def test_the_functions_of_python_are_those_of_the_cases(self):
        seen = set()
        for case in lm.random_cases(150, seed=5):
            f = python_function(case.op, json.loads(case.settings))
            if f is None:
                continue
            seen.add(case.op)
            dy = lambda y: lm.randn(y.shape, seed=9, dtype="f64")  # noqa: E731
            ours, our_gradients = gradients(f, case.inputs(), dy)
            theirs, their_gradients = gradients(case, case.inputs(), dy)
            for a, b in zip([ours, *our_gradients], [theirs, *their_gradients]):
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-13,
                                           err_msg=case.name)
        self.assertLessEqual({"conv2d", "max_pool2d", "avg_pool2d", "lrn_across", "lrn_within",
                              "matmul", "linear", "softmax", "cross_entropy", "batch_norm2d"}, seen)

    def test_wrong_calls(self):
        case = lm.cases()[0]
        with self.assertRaisesRegex(lm.ValueError, "takes"):
            case()
        with self.assertRaisesRegex(TypeError, "tensors"):
            case("text")
        with self.assertRaises(lm.ValueError):
            lm.random_cases(-1)


if __name__ == "__main__":
    unittest.main()
