"""NumPy, DLPack and tensors on the same memory: who sees what, who may write, and who keeps it."""

import gc
import unittest
import weakref

import numpy as np

import limulus as lm


class ToNumPy(unittest.TestCase):
    def test_every_type_is_seen_where_it_is(self):
        for name in ("f32", "f64", "i64", "i32"):
            t = lm.full((2, 3), 7, dtype=name)
            view = t.numpy()
            self.assertEqual(view.dtype.itemsize, {"f32": 4, "i32": 4}.get(name, 8))
            t.fill_(5)  # in C++
            np.testing.assert_array_equal(view, np.full((2, 3), 5), err_msg=name)
            self.assertTrue(np.shares_memory(view, np.asarray(t)))

    def test_a_view_can_only_be_read(self):
        t = lm.ones((2, 2))
        for view in (t.numpy(), np.asarray(t)):
            with self.assertRaisesRegex(ValueError, "read-only"):
                view[0, 0] = 3

    def test_writing_is_asked_for_and_counts_once(self):
        t = lm.zeros(3)
        view = t.numpy(writable=True)
        self.assertEqual(t.version, 1)
        view[1] = 9
        self.assertEqual(t.tolist(), [0, 9, 0])
        self.assertEqual(t.version, 1)  # what NumPy writes is not seen
        t.mark_changed()
        self.assertEqual(t.version, 2)

    def test_a_saved_tensor_that_was_changed_is_noticed_when_it_is_counted(self):
        x = lm.tensor([1., 2.], requires_grad=True)
        for counted in (True, False):
            h = x * 1
            y = h.square().sum()
            view = h.detach().numpy(writable=True)  # counted
            view[0] = 5
            if not counted:
                h = x * 1
                view = h.detach().numpy(writable=True)
                y = h.square().sum()
                view[0] = 5  # not counted: the version is as it was saved
                y.backward()
                self.assertEqual(x.grad.tolist(), [10, 4])  # wrong, and docs/python.md says so
                continue
            with self.assertRaisesRegex(lm.GraphError, "changed in place"):
                y.backward()

    def test_what_takes_part_in_a_gradient_is_not_written(self):
        w = lm.ones(3, requires_grad=True)
        for refused in (lambda: w.numpy(writable=True), lambda: (w * 2).numpy(True),
                        lambda: np.from_dlpack(w)):
            with self.assertRaisesRegex(lm.GraphError, "takes part in a gradient"):
                refused()
        self.assertFalse(w.numpy().flags.writeable)  # but read
        with lm.no_grad():
            w.numpy(writable=True)[:] = 4  # on purpose
        self.assertEqual(w.tolist(), [4, 4, 4])

    def test_the_memory_lives_as_long_as_a_view(self):
        view = (lm.ones(100000) * 3).numpy()
        for _ in range(3):  # would take the memory, were it free
            lm.zeros(100000)
        gc.collect()
        self.assertTrue((view == 3).all())

    def test_scalars_and_empty_tensors(self):
        self.assertEqual(lm.full((), 3.5).numpy().shape, ())
        self.assertEqual(lm.full((), 3.5).numpy()[()], 3.5)
        self.assertEqual(lm.zeros((0, 4)).numpy().shape, (0, 4))

    def test_conversions_of_asarray(self):
        t = lm.tensor([1.5, 2.5])
        self.assertFalse(np.shares_memory(np.array(t), t.numpy()))
        self.assertEqual(np.asarray(t, dtype="float64").dtype, np.float64)
        if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
            with self.assertRaisesRegex(ValueError, "without a copy"):
                np.asarray(t, dtype="float64", copy=False)

    def test_bf16_is_named(self):
        with self.assertRaisesRegex(lm.DTypeError, "bf16"):
            lm.zeros(3, dtype="bf16").numpy()


class FromNumPy(unittest.TestCase):
    def test_memory_is_shared_in_both_directions(self):
        for share in (lm.from_numpy, lm.from_dlpack):
            a = np.zeros((2, 3), "float32")
            t = share(a)
            a[1, 2] = 5
            self.assertEqual(t[1, 2].item(), 5)
            t.fill_(2)
            self.assertTrue((a == 2).all())
            self.assertTrue(np.shares_memory(a, t.numpy()))

    def test_a_tensor_is_a_copy(self):
        a = np.zeros(3)
        t = lm.tensor(a)
        a[:] = 1
        self.assertEqual(t.tolist(), [0, 0, 0])

    def test_dlpack_there_and_back(self):
        t = lm.tensor([1., 2., 3.])
        a = np.from_dlpack(t)
        self.assertTrue(np.shares_memory(a, t.numpy()))
        self.assertEqual(t.__dlpack_device__(), (1, 0))
        back = lm.from_dlpack(t)
        back.fill_(7)
        self.assertEqual(t.tolist(), [7, 7, 7])

    def test_the_array_lives_as_long_as_a_tensor(self):
        a = np.ones(5)
        alive = weakref.ref(a)
        t = lm.from_numpy(a)
        y = t.reshape(5, 1)
        del a, t
        gc.collect()
        self.assertIsNotNone(alive())
        self.assertEqual(y.sum().item(), 5)
        del y
        gc.collect()
        self.assertIsNone(alive())

    def test_an_array_that_only_backward_needs(self):
        a = np.arange(5.)
        alive = weakref.ref(a)
        x = lm.from_numpy(a).set_requires_grad()
        y = x.square().sum()
        del a, x
        y.backward()  # frees the last of it while it computes, without Python's lock
        del y
        gc.collect()
        self.assertIsNone(alive())

    def test_what_cannot_be_shared_says_what_to_do(self):
        fixed = np.zeros(3)
        fixed.flags.writeable = False
        unaligned = np.frombuffer(bytearray(25), "u1")[1:].view("f8")
        for array, kind, words in (
                (np.zeros((3, 4)).T, lm.ValueError, "row by row"),
                (np.zeros(9)[::2], lm.ValueError, "row by row"),
                (np.zeros(9)[::-1], lm.ValueError, "row by row"),
                (np.broadcast_to(np.zeros(1), (4,)).copy()[:0][::-1], None, ""),
                (fixed, lm.ValueError, "only be read"),
                (unaligned, lm.ValueError, "multiple of its element"),
                (np.zeros(3, "complex64"), lm.DTypeError, "complex64"),
                (np.zeros(3, "float16"), lm.DTypeError, "float16"),
                (np.zeros(3, "uint8"), lm.DTypeError, "uint8"),
                (np.zeros(3, bool), lm.DTypeError, "bool"),
                (np.zeros(3, ">f4"), lm.DTypeError, "byte order"),
                (np.array(["a"]), lm.DTypeError, "ndarray"),
                (np.array([None]), lm.DTypeError, "ndarray"),
                ("text", lm.DTypeError, "str"), (None, lm.DTypeError, "None"),
                ([1., 2.], lm.DTypeError, "list"), (3, lm.DTypeError, "int")):
            with self.subTest(array=array):
                if kind is None:
                    lm.from_numpy(array)
                    continue
                with self.assertRaisesRegex(kind, words):
                    lm.from_numpy(array)

    def test_tensor_takes_whatever_has_numbers(self):
        for data, dtype, values in (
                ([1, 2], lm.i64, [1, 2]), ([1., 2], lm.f32, [1, 2]), (3.5, lm.f32, 3.5),
                ([True, False], lm.i64, [1, 0]), (np.float64(2), lm.f64, 2),
                (np.zeros(2, "float16"), lm.f32, [0, 0]), (np.ones(2, "uint8"), lm.i64, [1, 1]),
                (np.arange(6.).reshape(2, 3).T, lm.f64, [[0, 3], [1, 4], [2, 5]]),
                (np.arange(3)[::-1], lm.i64, [2, 1, 0]), (np.ones(2, ">f4"), lm.f32, [1, 1]),
                ([], lm.f32, []), (range(3), lm.i64, [0, 1, 2]),
                (lm.ones(2), lm.f32, [1, 1])):
            with self.subTest(data=data):
                t = lm.tensor(data)
                self.assertEqual((t.dtype, t.tolist()), (dtype, values))
        for data, words in (([[1, 2], [3]], "no array"), ("text", "numbers"), (None, "numbers"),
                            ([1j], "complex"), (np.array([2 ** 63], "uint64"), "uint64")):
            with self.subTest(data=data), self.assertRaisesRegex(lm.DTypeError, words):
                lm.tensor(data)

    def test_types_by_any_of_their_names(self):
        for name in (lm.f64, "f64", "float64", np.float64, np.dtype("float64")):
            self.assertEqual(lm.tensor([1, 2], dtype=name).dtype, lm.f64)
        for name in ("f16", np.complex64, 3, "", object()):
            with self.subTest(name=name), self.assertRaisesRegex(lm.DTypeError, "there are f32"):
                lm.zeros(2, dtype=name)


if __name__ == "__main__":
    unittest.main()
