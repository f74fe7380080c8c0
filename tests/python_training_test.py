"""limulus.Trainer, and limulus.explain: a run and a number of a network, from Python."""

import os
import signal
import tempfile
import threading
import unittest
from pathlib import Path

import numpy as np

import limulus as lm

DIGITS = Path(__file__).resolve().parents[1] / "data" / "digits" / "mnist"


class Training(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.out = Path(scratch.name)

    def trainer(self, **settings) -> lm.Trainer:
        chosen = {"model": "lenet5", "out": self.out, "epochs": 1, "batch": 50} | settings
        return lm.Trainer(str(DIGITS), **chosen)

    def test_a_run_its_epochs_its_checkpoint(self):
        told = []
        run = self.trainer(on_epoch=told.append, seed=3)
        self.assertEqual((run.config["seed"], run.config["batch"]), (3, 50))
        self.assertTrue(run.run())
        self.assertEqual([e["epoch"] for e in told], [1])
        self.assertEqual(run.epochs, told)
        found = run.evaluate()
        self.assertEqual(found["top1"], told[0]["held_out_accuracy"])
        self.assertGreater(found["top1"], 0.5)  # chance is 0.1
        trained = lm.load(run.checkpoint)
        self.assertEqual(trained.classes, run.classes)
        for name, w in run.model.parameters().items():
            np.testing.assert_array_equal(trained.model.parameters()[name].numpy(), w.numpy())

    def test_it_goes_on(self):
        self.trainer().run()
        longer = self.trainer(epochs=2, resume=True)
        self.assertTrue(longer.run())
        self.assertEqual([e["epoch"] for e in longer.epochs], [1, 2])
        begun = self.trainer(init=longer.checkpoint, out=self.out / "b", freeze="conv1")
        kept = longer.model.parameters()["conv1.weight"].numpy()
        begun.run()
        np.testing.assert_array_equal(begun.model.parameters()["conv1.weight"].numpy(), kept)

    def test_wrong_settings_are_told(self):
        for settings, words in (
            ({"epoch": 2}, "there is no setting 'epoch'; did you mean 'epochs'"),
            ({"epochs": 0}, "epochs is 0, but must be from 1"),
            ({"recipe": "paper"}, "lenet5 sees 1 channel"),
            ({"batch": "many"}, "batch"),
        ):
            with self.subTest(settings), self.assertRaisesRegex(lm.ValueError, words):
                self.trainer(**settings)

    def test_an_exception_of_the_callback_comes_back(self):
        def fails(epoch):
            raise RuntimeError(f"epoch {epoch['epoch']}")

        with self.assertRaisesRegex(RuntimeError, "epoch 1"):
            self.trainer(on_epoch=fails).run()

    def test_ctrl_c_writes_the_checkpoint(self):
        # A process that a shell has begun in the background ignores it.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        run = self.trainer(epochs=200)
        timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            run.run()
        timer.join()
        self.assertLess(len(run.epochs), 200)  # it was stopped, and not only told in the end
        self.assertGreater(len(lm.load(run.checkpoint).classes), 1)


class Explained(unittest.TestCase):
    def setUp(self):
        self.net = lm.models.lenet5(dtype="f64")
        self.net.initialize("he", seed=1)
        self.net.eval()
        self.x = lm.randn((1, 1, 28, 28), dtype="f64", seed=2)

    def test_numbers_are_the_kernels(self):
        for layer, index, of in (("conv1", (2, 5, 7), None), ("fc5", 3, None), ("softmax", 0, None),
                                 ("conv2", (1, 2, 0, 4), "weight"), ("conv1", 0, "bias"),
                                 ("conv2", (0, 6, 6), "input")):
            with self.subTest(layer=layer, of=of):
                e = lm.explain(self.net, self.x, layer, index, gradient_of=of, label=4)
                self.assertAlmostEqual(e.value, e.kernel, delta=1e-12 * max(1, abs(e.kernel)))
                self.assertIn(e.element, str(e))
        e = lm.explain(self.net, self.x, "conv1", (2, 5, 7))
        self.assertEqual(len(e.terms), 25 + 1)  # products, and the bias
        self.assertAlmostEqual(sum(value for _, value in e.terms), e.value)
        self.assertEqual(e.text(terms=2).count(" more terms"), 1)

    def test_gradients_of_the_network_stay(self):
        lm.cross_entropy(self.net(self.x), lm.tensor([4])).backward()
        before = {n: p.grad.numpy().copy() for n, p in self.net.parameters().items()}
        e = lm.explain(self.net, self.x, "conv2", (1, 2, 0, 4), gradient_of="weight", label=4)
        self.assertAlmostEqual(e.value, before["conv2.weight"][1, 2, 0, 4])
        for name, p in self.net.parameters().items():
            np.testing.assert_array_equal(p.grad.numpy(), before[name])

    def test_what_cannot_be_explained(self):
        two = lm.randn((2, 1, 28, 28), dtype="f64", seed=2)
        with self.assertRaisesRegex(lm.ShapeError, "one image"):
            lm.explain(self.net, two, "conv1", (0, 0, 0))
        with self.assertRaisesRegex(lm.ValueError, "no layer 'conv9'; did you mean 'conv"):
            lm.explain(self.net, self.x, "conv9", (0, 0, 0))
        self.net.train()
        with self.assertRaisesRegex(lm.ValueError, "training mode"):
            lm.explain(self.net, self.x, "conv1", (0, 0, 0))


if __name__ == "__main__":
    unittest.main()
