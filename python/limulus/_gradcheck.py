"""limulus.gradcheck(): is this gradient right? For functions that are written in Python.

The checker is the library's own (gradcheck/): central differences with an uncertainty, and a
diagnosis where a known mistake fits. Here, other people's functions become functions of tensors.
"""

import sys

import numpy as np

from . import _core
from ._making import as_array
from .errors import DTypeError, ShapeError


def gradcheck(f, inputs, *, names=None, tolerance=1e-6, step=2.0 ** -10, max_entries=200, seed=1,
              curves=False):
    """Compares the gradient of f with differences of its values; returns a GradcheckReport.

    f is one of
      * a function of limulus tensors that returns a tensor;
      * a limulus Module: its input and every parameter are checked;
      * a pair (forward, backward) of NumPy functions: y = forward(x, ...) and
        dx, ... = backward(dy, x, ...); or y, cache = forward(x, ...) and backward(dy, cache);
      * a torch.autograd.Function, or any function of PyTorch's tensors (inputs: such tensors, too).
    inputs: an array or a tensor for each argument, or a dict that names them. Floating-point arrays
    are checked in f64, whatever they are; whole numbers (labels) are handed on as they are.

    The report is true where the gradient is right. DTypeError for tensors of f32; what f raises
    comes out as it is.
    """
    options = (tolerance, step, max_entries, seed, curves)
    if isinstance(f, _core.Module):
        one = inputs[0] if isinstance(inputs, (list, tuple)) and len(inputs) == 1 else inputs
        return _core._gradcheck_module(f, _private(one), *options)
    if isinstance(inputs, dict):
        names, inputs = list(inputs), list(inputs.values())
    if not isinstance(inputs, (list, tuple)):
        inputs = [inputs]
    if isinstance(f, (tuple, list)) and len(f) == 2 and all(callable(part) for part in f):
        f, names = _of_numpy_pair(*f), names or _argument_names(f[0], len(inputs))
    elif _is_torch(f, inputs):
        f, names = _of_torch(f), names or _argument_names(f, len(inputs))
        inputs = [_from_torch(x) for x in inputs]
    elif not callable(f):
        raise TypeError("gradcheck: f is a function, a Module or a pair (forward, backward), not "
                        f"{type(f).__name__}")
    names = names or _argument_names(f, len(inputs))
    if len(names) != len(inputs):
        raise ShapeError(f"gradcheck: {len(names)} names for {len(inputs)} inputs")
    named = [(str(name), _private(x)) for name, x in zip(names, inputs)]
    try:
        return _core._gradcheck_function(f, named, *options)
    except TypeError as error:
        if "does not support ufuncs" not in str(error):
            raise
        raise TypeError("gradcheck: f computes with NumPy, which keeps no gradient to check: give "
                        "the pair (forward, backward), or compute with the tensors' own functions "
                        "(x.exp(), limulus.matmul ...)") from error


def _private(x):
    """The values that are nudged: a copy, so that nobody else's array changes."""
    if isinstance(x, _core.Tensor):
        return x.detach().clone()
    array = as_array(x)
    return _tensor(array.astype("float64") if array.dtype.kind == "f" else array)


def _tensor(array):
    return _core._copied(array, array, "cpu")


def _argument_names(f, count):
    """x and w of def f(x, w): what the report calls them."""
    if isinstance(f, type):
        f = f.forward
        skipped = 1  # ctx
    else:
        skipped = 0
    code = getattr(f, "__code__", None)
    if code is not None:
        if getattr(f, "__self__", None) is not None:
            skipped += 1
        found = code.co_varnames[skipped:code.co_argcount]
        if len(found) >= count:
            return found[:count]
    return [f"input {i}" for i in range(count)]


# ---- NumPy -----------------------------------------------------------------------------------

def _result(y, what):
    array = np.asarray(y)
    if array.dtype != np.float64:
        raise DTypeError(f"gradcheck: {what} is {array.dtype}; it must be computed in float64 to "
                         "tell a wrong gradient from rounding")
    return _tensor(np.asarray(array, order="C"))


def _gradients(given, tensors, what):
    """What backward returned, as a list of a tensor or None for each input."""
    given = list(given) if isinstance(given, (tuple, list)) else [given]
    # Labels have no gradient: it may be left out.
    floating = [i for i, t in enumerate(tensors) if t.dtype == _core.DType.f64]
    if len(given) == len(tensors):
        places = range(len(tensors))
    elif len(given) == len(floating):
        places = floating
    else:
        raise ShapeError(f"gradcheck: {what} returned {len(given)} gradients for "
                         f"{len(tensors)} inputs")
    found = [None] * len(tensors)
    for i, dx in zip(places, given):
        if dx is None or i not in floating:
            continue
        found[i] = _result(dx, f"the gradient of input {i}")
        if found[i].shape != tensors[i].shape:
            raise ShapeError(f"gradcheck: the gradient of input {i} has the shape "
                             f"{list(found[i].shape)}, but the input has {list(tensors[i].shape)}")
    return found


def _of_numpy_pair(forward, backward):
    def f(*tensors):
        arrays = [np.array(t.numpy()) for t in tensors]
        result = forward(*arrays)
        for i, (array, t) in enumerate(zip(arrays, tensors)):
            if not np.array_equal(array, t.numpy(), equal_nan=array.dtype.kind == "f"):
                raise ValueError(f"gradcheck: forward changed input {i} in place (x += ..., x[...] "
                                 "= ...): backward would see other values than forward did. Write "
                                 "the result to a new array")
        with_cache = isinstance(result, tuple) and len(result) == 2
        y, cache = result if with_cache else (result, None)

        def derivative(dy):
            dy = np.array(dy.numpy())
            given = backward(dy, cache) if with_cache else backward(dy, *arrays)
            return _gradients(given, tensors, "backward")

        return _core._record(_result(y, "the result of forward"), tensors, derivative)

    return f


# ---- PyTorch, which is not needed for anything else --------------------------------------------

def _is_torch(f, inputs):
    torch = sys.modules.get("torch")  # whoever gives us something of it has imported it
    if torch is None:
        return False
    return (isinstance(f, type) and issubclass(f, torch.autograd.Function)
            or isinstance(f, torch.nn.Module)
            or any(isinstance(x, torch.Tensor) for x in inputs))


def _from_torch(x):
    torch = sys.modules["torch"]
    return x.detach().cpu().numpy() if isinstance(x, torch.Tensor) else x


def _of_torch(f):
    torch = sys.modules["torch"]
    apply = f.apply if isinstance(f, type) else f

    def of_tensors(*tensors):
        xs = [torch.from_numpy(np.array(t.numpy())) for t in tensors]
        checked = [i for i, x in enumerate(xs) if x.dtype == torch.float64]
        for i in checked:
            xs[i].requires_grad_()
        with torch.enable_grad():
            y = apply(*xs)
        if not isinstance(y, torch.Tensor):
            raise TypeError(f"gradcheck: the function returned {type(y).__name__}, not a tensor")

        def derivative(dy):
            dy = torch.from_numpy(np.array(dy.numpy()))
            found = [None] * len(xs)
            if y.requires_grad:
                gradients = torch.autograd.grad(y, [xs[i] for i in checked], dy,
                                                allow_unused=True, retain_graph=True)
                for i, dx in zip(checked, gradients):
                    found[i] = None if dx is None else dx.detach().numpy()
            return _gradients(found, tensors, "backward")

        return _core._record(_result(y.detach().numpy(), "the result"), tensors, derivative)

    return of_tensors
