"""limulus.gradcheck of functions that are written in Python: right ones pass, and a known mistake
gets its name, whoever's tensors it is made of."""

import signal
import threading
import unittest

import numpy as np

import limulus as lm

rng = np.random.default_rng(3)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def windows(x):
    """Non-overlapping 2 x 2 windows of [H, W], [H/2, W/2, 4]."""
    h, w = x.shape
    return x.reshape(h // 2, 2, w // 2, 2).transpose(0, 2, 1, 3).reshape(h // 2, w // 2, 4)


class Pairs(unittest.TestCase):
    """(forward, backward) of NumPy arrays."""

    def check(self, pair, inputs, verdict="OK", mistake="", **options):
        report = lm.gradcheck(pair, inputs, **options)
        self.assertEqual(report.verdict, verdict, report.text())
        mistakes = {t.mistake for t in report.tensors} | {report.mistake}
        if mistake:
            self.assertIn(mistake, mistakes, report.text())
        return report

    def test_right_gradients(self):
        x, w, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)
        linear = (lambda x, w, b: x @ w.T + b, lambda dy, x, w, b: (dy @ w, dy.T @ x, dy.sum(0)))
        report = self.check(linear, [x, w, b])
        self.assertEqual([t.name for t in report.tensors], ["x", "w", "b"])
        self.assertEqual([t.shape for t in report.tensors], [(4, 3), (5, 3), (5,)])
        self.assertTrue(report)
        report.assert_ok()

        def backward(dy, x):
            y = softmax(x)
            return y * (dy - (dy * y).sum(1, keepdims=True))
        self.check((softmax, backward), [x])

    def test_a_cache_goes_from_forward_to_backward(self):
        def forward(x, w):
            return x * w, (x, w)

        def backward(dy, cache):
            x, w = cache
            return dy * w, dy * x
        self.check((forward, backward), {"x": rng.normal(size=(2, 3)),
                                          "scale": rng.normal(size=(2, 3))})

    def test_float32_and_labels(self):
        def forward(x, labels):
            return -np.log(softmax(x)[np.arange(len(labels)), labels]).mean()

        def backward(dy, x, labels):
            dx = softmax(x)
            dx[np.arange(len(labels)), labels] -= 1
            return dy * dx / len(labels)  # labels have no gradient: it may be left out
        x = rng.normal(size=(4, 5)).astype("float32")
        report = self.check((forward, backward), [x, np.array([0, 3, 1, 1])])
        self.assertEqual(len(report.tensors), 1)
        with_none = lambda dy, x, labels: (backward(dy, x, labels), None)  # noqa: E731
        self.check((forward, with_none), [x, np.array([0, 3, 1, 1])])

    def test_known_mistakes_get_their_names(self):
        x, w = rng.normal(size=(4, 3)), rng.normal(size=(3, 3))
        product = lambda x, w: x @ w.T  # noqa: E731
        self.check((lambda x: x * x, lambda dy, x: 4 * x * dy), [x], "WRONG", "factor")
        self.check((lambda x: x * x, lambda dy, x: -2 * x * dy), [x], "WRONG", "sign")
        self.check((product, lambda dy, x, w: (dy @ w, x.T @ dy)), [x, w], "WRONG", "transposed")
        self.check((product, lambda dy, x, w: (2 * dy @ w, 2 * dy.T @ x)), [x, w], "WRONG",
                   "common factor")
        self.check((lambda x: np.maximum(x, 0), lambda dy, x: dy), [x], "WRONG")
        report = self.check((lambda x: softmax(x), lambda dy, x: softmax(x) * dy), [x], "WRONG")
        self.assertTrue(report.tensors[0].diagnosis)
        with self.assertRaisesRegex(AssertionError, "gradcheck: WRONG"):
            report.assert_ok()

    def test_the_map_shows_where(self):
        def backward(dy, x):
            dx = 2 * x * dy
            dx[:, 2] *= 1.5
            return dx
        report = self.check((lambda x: x * x, backward), [rng.normal(size=(4, 5))], "WRONG")
        error = np.array(report.tensors[0].maps[0].error).reshape(4, 5)
        self.assertTrue((error[:, 2] > 1e-3).all() and (np.delete(error, 2, 1) < 1e-5).all())
        page = report._repr_html_()
        self.assertIn("<iframe", page)
        self.assertIn("svg", page)

    def test_a_check_that_checked_nothing_is_no_success(self):
        nothing = lambda x: x * 0, lambda dy, x: dy * 0
        self.check(nothing, [rng.normal(size=3)], "VACUOUS")
        self.assertFalse(lm.gradcheck(nothing, [rng.normal(size=3)]))
        self.check((lambda x: x * rng.random(), lambda dy, x: dy), [np.ones(3)], "NONDETERMINISTIC")

    def test_kinks_are_left_out(self):
        x = np.array([-1., 0., 2., 0., 3., -2.])
        report = self.check((lambda x: np.maximum(x, 0), lambda dy, x: dy * (x > 0)), [x])
        self.assertEqual(report.tensors[0].skipped, 2)

    def test_max_pooling_by_hand(self):
        def backward(dy, x):
            dx = np.zeros_like(x)
            for i, j in np.ndindex(dy.shape):
                at = windows(x)[i, j].argmax()
                dx[2 * i + at // 2, 2 * j + at % 2] = dy[i, j]
            return dx
        image = rng.permutation(24).reshape(4, 6) * 1.
        self.check((lambda x: windows(x).max(2), backward), [image])

    def test_nobody_elses_array_changes(self):
        x = rng.normal(size=(3, 3))
        before, t = x.copy(), lm.tensor(x)
        lm.gradcheck((lambda x: x * x, lambda dy, x: 2 * x * dy), [x])
        lm.gradcheck(lambda x: x * x, [t])
        np.testing.assert_array_equal(x, before)
        np.testing.assert_array_equal(t.numpy(), before)
        self.assertEqual((t.version, t.requires_grad, t.grad), (0, False, None))


class Functions(unittest.TestCase):
    """Of limulus tensors, and modules."""

    def test_layers(self):
        x, w, b = (rng.normal(size=s) for s in ((2, 2, 6, 5), (3, 2, 3, 3), (3,)))
        f = lambda x, w, b: lm.conv2d(x, w, b, stride=2, padding=1)  # noqa: E731
        self.assertTrue(lm.gradcheck(f, [x, w, b]))
        layer = lm.Conv2d(2, 3, 3, dtype="f64")
        layer.initialize(seed=4)
        report = lm.gradcheck(layer, x)
        self.assertEqual([t.name for t in report.tensors], ["input", "weight", "bias"])
        self.assertTrue(report, report.text())

    def test_a_function_that_computes_in_another_thread(self):
        def f(x):
            made = []
            thread = threading.Thread(target=lambda: made.append(x * x))
            thread.start()
            thread.join()
            return made[0]
        self.assertTrue(lm.gradcheck(f, [rng.normal(size=3)]))

    def test_where_nothing_is_recorded_it_says_so(self):
        def inner(x):
            return lm.gradcheck(lambda z: z * 2, [np.ones(2)]) and x * x
        with self.assertRaisesRegex(lm.GraphError, "nothing is recorded here"):
            lm.gradcheck(inner, [rng.normal(size=3)])
        with lm.no_grad(), self.assertRaisesRegex(lm.GraphError, "nothing is recorded here"):
            lm.gradcheck(lambda x: x * x, [rng.normal(size=3)])


class WrongCalls(unittest.TestCase):
    def test_each_ends_in_an_exception(self):
        one, pair = [np.ones(3)], lambda f, b: (lambda: lm.gradcheck((f, b), one))  # noqa: E731
        same = lambda x: x  # noqa: E731
        for wrong, kind, words in (
                (lambda: lm.gradcheck(lambda x: 1 / 0, one), ZeroDivisionError, "division"),
                (lambda: lm.gradcheck(lambda x: None, one), TypeError, "NoneType"),
                (lambda: lm.gradcheck(same, [lm.ones(3)]), lm.DTypeError, "is f32"),
                (lambda: lm.gradcheck("f", one), TypeError, "not str"),
                (lambda: lm.gradcheck(lambda x, y: x, one), TypeError, "y"),
                (lambda: lm.gradcheck(same, ["text"]), lm.DTypeError, "numbers"),
                (lambda: lm.gradcheck(same, one, tolerance=-1), lm.ValueError, "tolerance"),
                (lambda: lm.gradcheck(same, one, step=float("nan")), lm.ValueError, "step"),
                (lambda: lm.gradcheck(same, one, max_entries=0), lm.ValueError, "entries"),
                (lambda: lm.gradcheck(same, one, names=["a", "b"]), lm.ShapeError, "2 names"),
                (lambda: lm.gradcheck(lm.Conv2d(1, 1, 1), np.ones((1, 1, 2, 2))), lm.DTypeError,
                 ""),
                (pair(same, lambda dy, x: 1 / 0), ZeroDivisionError, "division"),
                (pair(same, lambda dy, x: dy[:1]), lm.ShapeError, r"shape \[1\]"),
                (pair(same, lambda dy, x: (dy, dy)), lm.ShapeError, "2 gradients for 1"),
                (pair(same, lambda dy, x: "text"), lm.DTypeError, "float64"),
                (pair(lambda x: None, same), lm.DTypeError, "float64"),
                (pair(lambda x: x.astype("float32"), same), lm.DTypeError, "float32"),
                (pair(same, lambda dy: dy), TypeError, "argument")):
            with self.subTest(wrong.__code__.co_firstlineno), self.assertRaisesRegex(kind, words):
                wrong()

    def test_ctrl_c_ends_it(self):
        def f(x):
            raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            lm.gradcheck(f, [np.ones(3)])

    def test_a_result_that_changes_its_shape(self):
        calls = [0]

        def f(x):
            calls[0] += 1
            return x[0:3] if calls[0] < 4 else x[0:2]
        try:
            self.assertFalse(lm.gradcheck(f, [np.ones(5)]))
        except lm.Error:
            pass

    def test_nothing_to_check(self):
        self.assertFalse(lm.gradcheck(lambda x: x * 2, [np.ones((0, 3))]))
        with self.assertRaisesRegex(lm.DTypeError, "no input is f64: whole numbers"):
            lm.gradcheck(lambda x: x * 2, [np.array([1, 2])])

    def test_a_forward_that_changes_its_input(self):
        def forward(x):
            x *= 2
            return x.copy()
        with self.assertRaisesRegex(ValueError, "forward changed input 0 in place"):
            lm.gradcheck((forward, lambda dy, x: 2 * dy), [np.ones(3)])

    def test_numpy_without_a_backward(self):
        with self.assertRaisesRegex(TypeError, r"give the pair \(forward, backward\)"):
            lm.gradcheck(lambda x: np.exp(x), [np.ones(3)])

    def test_ctrl_c_stops_the_check_of_a_layer(self):
        class Stopped(Exception):
            pass

        def stop(*_):
            raise Stopped
        before = signal.signal(signal.SIGALRM, stop)
        layer = lm.Conv2d(8, 8, 5, padding=2, dtype="f64")
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with self.assertRaises(Stopped):
                lm.gradcheck(layer, np.ones((4, 8, 40, 40)), max_entries=10**6)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


class PyTorch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            import torch
        except ImportError:
            raise unittest.SkipTest("PyTorch is not installed: its functions are not checked")
        cls.torch = torch

    def test_a_function_with_a_mistake_gets_its_name(self):
        torch = self.torch

        class Square(torch.autograd.Function):
            factor = 2

            @classmethod
            def forward(cls, ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @classmethod
            def backward(cls, ctx, dy):
                return cls.factor * ctx.saved_tensors[0] * dy

        class Wrong(Square):
            factor = 1

        x = torch.randn(3, 4)
        self.assertTrue(lm.gradcheck(Square, [x]))
        report = lm.gradcheck(Wrong, [x])
        self.assertEqual(report.tensors[0].mistake, "factor", report.text())
        self.assertTrue(lm.gradcheck(Square, [x.numpy()]))
        w = torch.randn(3, 2, 3, 3)
        report = lm.gradcheck(torch.nn.functional.conv2d, [torch.randn(1, 2, 5, 5), w],
                              names=["x", "w"])
        self.assertTrue(report, report.text())
        with self.assertRaisesRegex(TypeError, "not a tensor"):
            lm.gradcheck(lambda x: 3, [x])


if __name__ == "__main__":
    unittest.main()
