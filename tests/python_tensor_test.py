"""limulus.Tensor and its functions, layers and networks, from Python: values, gradients, and what
wrong arguments, threads and processes do."""

import builtins
import os
import threading
import unittest

import numpy as np

import limulus as lm


class Values(unittest.TestCase):
    def test_arithmetic_is_that_of_numpy(self):
        rng = np.random.default_rng(1)
        a, b = rng.normal(size=(2, 3, 4)), rng.uniform(1, 2, size=(3, 1))
        ta, tb = lm.tensor(a), lm.tensor(b)
        for what, ours, theirs in (
                ("add", ta + tb, a + b), ("sub", ta - tb, a - b), ("mul", ta * tb, a * b),
                ("div", ta / tb, a / b), ("neg", -ta, -a), ("scale", 2 * ta + 1, 2 * a + 1),
                ("under", 2 / tb, 2 / b), ("minus", 1 - ta, 1 - a),
                ("NumPy's", np.float64(3) * ta, 3 * a), ("its f32", np.float32(3) * ta, 3 * a),
                ("exp", ta.exp(), np.exp(a)), ("log", tb.log(), np.log(b)),
                ("sum", ta.sum(), a.sum()), ("axis", ta.sum(1, keep=True), a.sum(1, keepdims=True)),
                ("mean", ta.mean(-1), a.mean(-1)), ("amax", ta.amax(2), a.max(2)),
                ("relu", ta.relu(), np.maximum(a, 0)), ("tanh", ta.tanh(), np.tanh(a)),
                ("matmul", lm.matmul(ta[0], ta[1], trans_b=True), a[0] @ a[1].T),
                ("reshape", ta.reshape(-1, 6), a.reshape(-1, 6)),
                ("flatten", ta.flatten(), a.reshape(2, 12)),
                ("cube", ta ** 3, a ** 3), ("13th", tb ** 13, b ** 13),
                ("root", tb ** 0.5, b ** 0.5),
                ("concat", lm.concat([ta, ta], 1), np.concatenate([a, a], 1)),
                ("index", ta[1, 0:2], a[1, 0:2]), ("last", ta[-1, :, -1], a[-1, :, -1]),
                ("nothing", ta[0:0], a[0:0])):
            with self.subTest(what):
                self.assertEqual(ours.shape, theirs.shape)
                np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-12, atol=1e-14)

    def test_an_index_sends_the_gradient_back(self):
        x = lm.tensor(np.arange(6.).reshape(2, 3), requires_grad=True)
        (x[1, 1:] * lm.tensor(np.array([2., 3.]))).sum().backward()
        self.assertEqual(x.grad.tolist(), [[0, 0, 0], [0, 2, 3]])

    def test_comparisons_are_those_of_numpy(self):
        a, b = lm.tensor([1., 2., 3.]), lm.tensor([3., 2., 1.])
        self.assertEqual((a == b).tolist(), [False, True, False])
        self.assertEqual((a != 2).tolist(), [True, False, True])
        self.assertEqual((a >= b).tolist(), [False, True, True])
        self.assertEqual((2 < a).tolist(), [False, False, True])
        self.assertEqual(len({a, b, a}), 2)  # a set knows tensors by what they are, not by values
        with self.assertRaisesRegex(ValueError, "ambiguous"):
            a in [b]

    def test_powers_have_gradients(self):
        for n in (1, 2, 3, 7, 0.5):
            self.assertTrue(lm.gradcheck(lambda x: x ** n, [np.array([0.5, 1.5, 2])]), n)
        for n in (0, -1, 2.5, "2", 2000):
            with self.assertRaisesRegex(lm.ValueError, "pow: the exponent is a whole number"):
                lm.ones(2) ** n

    def test_what_has_another_name_here(self):
        for name, words in (("T", "trans_b=True"), ("view", "reshape"), ("max", "amax"),
                            ("nothing", "no attribute 'nothing'$")):
            with self.assertRaisesRegex(AttributeError, words):
                getattr(lm.ones(2), name)

    def test_whole_numbers_keep_their_values(self):
        self.assertEqual(lm.tensor([-2 ** 31, 2 ** 31 - 1], dtype="i32").tolist(),
                         [-2 ** 31, 2 ** 31 - 1])
        self.assertEqual(lm.tensor([1.9, -1.9], dtype="i64").tolist(), [1, -1])
        for values, dtype in (([2 ** 31], "i32"), ([1, float("nan")], "i64"), ([1e19], "i64"),
                              (np.array([2 ** 63], "uint64"), "i64")):
            with self.assertRaisesRegex(ValueError, "which holds whole numbers of"):
                lm.tensor(values, dtype=dtype)
        with self.assertRaisesRegex(lm.ValueError, "is no value of i32"):
            lm.tensor([3e9]).to_dtype("i32")

    def test_gradients_add_up_and_are_forgotten(self):
        x = lm.tensor([3.], requires_grad=True)
        for expected in (6, 12):
            x.square().sum().backward()
            self.assertEqual(x.grad.item(), expected)
        x.zero_grad()
        self.assertIsNone(x.grad)
        with lm.no_grad():
            self.assertFalse((x * 2).requires_grad)
        self.assertTrue((x * 2).requires_grad)

    def test_random_numbers_follow_from_the_seed(self):
        self.assertEqual(lm.randn(5, seed=3).tolist(), lm.randn(5, seed=3).tolist())
        self.assertNotEqual(lm.randn(5, seed=3).tolist(), lm.randn(5, seed=4).tolist())


class Networks(unittest.TestCase):
    def test_a_network_learns(self):
        net = lm.models.lenet5()
        optimizer = lm.SGD(net.parameters(), lr=0.05, weight_decay=0)
        images, labels = lm.rand((8, 1, 28, 28)), lm.tensor(list(range(8)))
        losses = []
        for step in range(15):
            net.set_random(1, step)
            loss = lm.cross_entropy(net(images), labels)
            net.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], losses[0] - 0.3)

    def test_names_sizes_and_layers(self):
        net = lm.Sequential([("conv1", lm.Conv2d(3, 8, 5, stride=2, padding=(2, 1))),
                             ("relu1", lm.ReLU())]).add("pool1", lm.MaxPool2d(3, stride=2))
        self.assertEqual(list(net.parameters()), ["conv1.weight", "conv1.bias"])
        walk = net.walk((1, 3, 32, 32))
        self.assertEqual(walk["conv1"].output, (1, 8, 16, 15))
        self.assertEqual(net(lm.zeros((1, 3, 32, 32))).shape, walk["pool1"].output)
        layer = net.layers()["conv1"]
        del net  # a layer keeps its network
        self.assertEqual(layer.weight.shape, (8, 3, 5, 5))
        self.assertIn("<table>", walk._repr_html_())
        with self.assertRaisesRegex(KeyError, "conv9"):
            walk["conv9"]

    def test_every_network_can_be_made_and_walked(self):
        for spec in lm.models.list():
            net = lm.models.make(spec.name, recipe=None)
            self.assertEqual(net.summary().parameters, spec.parameters, spec.name)

    def test_weights_are_written_and_read(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "weights.safetensors")
            net, other = lm.models.lenet5(seed=1), lm.models.lenet5(seed=2)
            x = lm.rand((2, 1, 28, 28))
            lm.save_weights(file, net)
            lm.load_weights(file, other)
            self.assertEqual(net(x).tolist(), other(x).tolist())
            with self.assertRaisesRegex(lm.FileError, "weights.safetensors"):
                lm.load_weights(file, lm.models.cifar_convnet())

    def test_wrong_networks_end_in_an_error(self):
        net = lm.Sequential()
        inner = lm.Sequential([("net", net)])
        for wrong, kind, words in (
                (lambda: net.add("a", lm.ReLU()).add("a", lm.ReLU()), lm.ValueError, "already"),
                (lambda: net.add("me", net), lm.ValueError, "never end"),
                (lambda: net.add("inner", inner), lm.ValueError, "never end"),
                (lambda: net.add("none", None), TypeError, "add"),
                (lambda: lm.Sequential([("none", None)]), (TypeError, lm.ValueError), ""),
                (lambda: lm.SGD({"a": 1}), TypeError, "names and tensors"),
                (lambda: lm.SGD({"a": lm.ones(1, requires_grad=True)}, lr=float("nan")),
                 lm.ValueError, "learning rate"),
                (lambda: lm.models.make("alexnte"), lm.ValueError, "did you mean 'alexnet'"),
                (lambda: lm.models.lenet5().summary("x"), TypeError, "whole numbers"),
                (lambda: lm.Conv2d(1, 1, 3).summary(), lm.ValueError, "shape of an input")):
            with self.assertRaisesRegex(kind, words):
                wrong()

    def test_a_trace_names_the_layers(self):
        net = lm.models.lenet5()
        with lm.trace() as t:
            lm.cross_entropy(net(lm.rand((2, 1, 28, 28))), lm.tensor([1, 2])).backward()
            with self.assertRaisesRegex(lm.GraphError, "another trace"):
                lm.trace().__enter__()
        layers = {(e.layer, e.backward) for e in t.events}
        self.assertLessEqual({("conv1", False), ("conv1", True), ("fc5", True)}, layers)
        self.assertGreater(sum(e.seconds for e in t.events), 0)
        self.assertIn("conv1'", t._repr_html_())
        count = len(t.events)
        lm.ones(3) + 1
        self.assertEqual(len(t.events), count)


class Errors(unittest.TestCase):
    def test_each_is_also_what_python_would_raise(self):
        for wrong, kind, builtin, words in (
                (lambda: lm.conv2d(lm.zeros((1, 3, 9, 9)), lm.zeros((4, 5, 3, 3))), lm.ShapeError,
                 ValueError, "conv2d: input has 3 channels but the weight [4, 5, 3, 3] expects 5"),
                (lambda: lm.zeros(2) + lm.zeros(2, dtype="f64"), lm.DTypeError, TypeError,
                 "add: one tensor is f32 and the other f64"),
                (lambda: lm.dropout(lm.zeros(2), 1.0), lm.ValueError, ValueError,
                 "dropout: p 1 must be in [0, 1)"),
                (lambda: lm.zeros(2, device="gpu"), lm.DeviceError, RuntimeError, 'device "gpu"'),
                (lambda: lm.zeros(1).backward(), lm.GraphError, RuntimeError, "backward: nothing"),
                (lambda: lm.load("no such file"), lm.FileError, OSError,
                 "no such file: cannot open")):
            with self.assertRaises(kind) as caught:
                wrong()
            self.assertTrue(str(caught.exception).startswith(words), caught.exception)
            self.assertIsInstance(caught.exception, builtin)
            self.assertIsInstance(caught.exception, lm.Error)
        self.assertTrue(issubclass(lm.ValueError, builtins.ValueError))

    def test_arguments_of_no_sense(self):
        t = lm.zeros((4, 6))
        for wrong, kind in (
                (lambda: lm.zeros((float("nan"), 2)), TypeError),
                (lambda: lm.zeros((-1,)), lm.ShapeError),
                (lambda: lm.zeros((1 << 40, 1 << 40)), lm.ShapeError),
                (lambda: lm.zeros((1 << 38,)), lm.DeviceError),
                (lambda: lm.zeros((1 << 70,)), TypeError),
                (lambda: lm.conv2d(None, None), TypeError),
                (lambda: lm.conv2d(lm.zeros((1, 1, 4, 4)), lm.zeros((1, 1, 2, 2)), stride=0),
                 lm.ValueError), (lambda: t[9], IndexError), (lambda: t[0, 0, 0], IndexError),
                (lambda: t[::2], lm.ValueError), (lambda: t["a"], TypeError),
                (lambda: t[np.array([True])], TypeError), (lambda: t.reshape("a"), TypeError),
                (lambda: t.reshape(5, -1), lm.ShapeError),
                (lambda: t.reshape(-1, -1), lm.ShapeError),
                (lambda: t.reshape(1 << 40, 1 << 40, -1), lm.ShapeError),
                (lambda: np.ones(6) + t, TypeError), (lambda: t @ np.ones(6), TypeError),
                (lambda: t + "a", TypeError), (lambda: bool(t), lm.ShapeError),
                (lambda: len(lm.full((), 1)), TypeError), (lambda: lm.Tensor(), TypeError),
                (lambda: lm.cross_entropy(lm.zeros((1, 3)), lm.tensor([3])), lm.ValueError),
                (lambda: t.to("opencl:99"), lm.DeviceError)):
            with self.subTest(wrong.__code__.co_firstlineno), self.assertRaises(kind):
                wrong()

    def test_no_grad_belongs_to_its_thread(self):
        block, seen = lm.no_grad(), []
        block.__enter__()

        def leave():
            try:
                block.__exit__(None, None, None)
            except RuntimeError as error:
                seen.append(str(error))

        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
        block.__exit__(None, None, None)
        self.assertIn("thread that began it", seen[0])
        self.assertTrue((lm.ones(1, requires_grad=True) * 2).requires_grad)


class ThreadsAndProcesses(unittest.TestCase):
    def test_other_threads_run_while_one_computes(self):
        w = lm.randn((1500, 1500))
        counted, done = [0], threading.Event()

        def count():
            while not done.is_set():
                counted[0] += 1

        thread = threading.Thread(target=count)
        thread.start()
        before = counted[0]
        for _ in range(3):
            lm.matmul(w, w)
        during = counted[0] - before
        done.set()
        thread.join()
        self.assertGreater(during, 0)

    def test_threads_that_share_a_weight(self):
        w, times = lm.ones((2, 3), requires_grad=True), 20000

        def compute():
            for _ in range(times):
                w.sum().backward()  # adds 1 to each value of w.grad

        threads = [threading.Thread(target=compute) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(w.grad.tolist(), [[4 * times] * 3] * 2)

    def test_the_child_of_a_fork_computes(self):
        w = lm.randn((64, 64), requires_grad=True)
        done = threading.Event()

        def compute():
            while not done.is_set():
                lm.matmul(w, w).sum().backward()

        thread = threading.Thread(target=compute)
        thread.start()
        expected = lm.matmul(w, w).tolist()
        try:
            for _ in range(10):
                child = os.fork()
                if child == 0:
                    os._exit(0 if lm.matmul(w, w).tolist() == expected else 1)
                self.assertEqual(os.waitpid(child, 0)[1], 0)
        finally:
            done.set()
            thread.join()


if __name__ == "__main__":
    unittest.main()
