"""limulus.tensor(): a tensor from whatever NumPy can make an array of."""

import numpy as np

from . import _core
from .errors import DTypeError

# What has no type of its own here is kept in the next one that holds all its values.
_KEPT_AS = {"float16": "float32", "bool": "int64", "int8": "int64", "int16": "int64",
            "uint8": "int64", "uint16": "int64", "uint32": "int64"}
_NUMPY_NAMES = {_core.DType.f32: "float32", _core.DType.f64: "float64", _core.DType.i64: "int64",
                _core.DType.i32: "int32"}


def _dtype_of(data, array):
    name = array.dtype.name
    if name == "float64" and not isinstance(data, (np.ndarray, np.generic)):
        return "float32"  # Python's own numbers: as in PyTorch
    return _KEPT_AS.get(name, name)


def as_array(data, dtype=None):
    """The values in row-major order and with a type that a tensor can have."""
    try:
        array = np.asarray(data)
    except ValueError as error:  # rows of different lengths
        raise DTypeError(f"tensor: the values make no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"tensor: the elements are {array.dtype}; a tensor has numbers")
    wanted = _dtype_of(data, array) if dtype is None else dtype
    if wanted not in _NUMPY_NAMES.values():
        raise DTypeError(f"tensor: the elements are {array.dtype}, which no type of Limulus holds; "
                         "say which with dtype=")
    if wanted in ("int32", "int64"):
        _check_range(array, wanted)
    return np.asarray(array, dtype=wanted, order="C")


def _check_range(array, wanted):
    """Whole numbers keep their values: NumPy would wrap around what the type cannot hold."""
    if array.size == 0 or array.dtype == wanted:
        return
    limits = np.iinfo(wanted)
    for value in (array.min(), array.max()):  # NaN, too, where there is one
        if not np.isfinite(value) or not limits.min <= int(value) <= limits.max:
            raise ValueError(f"tensor: {value} is no value of {wanted}, which holds whole numbers "
                             f"of {limits.min} to {limits.max}")


def tensor(data, dtype=None, device="cpu", requires_grad=False):
    """A tensor with a copy of the values: of an array, a number, nested lists, another tensor.

    Arrays keep their type (float32, float64, int64, int32; smaller ones become the next larger);
    Python's floats become f32, its integers i64. DTypeError for what is no number, DeviceError.
    """
    if isinstance(data, _core.Tensor):
        made = data.detach().clone() if data.device == device else data.detach().to(device)
        if dtype is not None:
            made = made.to_dtype(dtype)
    else:
        wanted = None
        if dtype is not None:
            known = _core._dtype(dtype)
            if known == _core.DType.bf16:
                raise DTypeError("tensor: bf16 is for weights that are only read; NumPy has none")
            wanted = _NUMPY_NAMES[known]
        array = as_array(data, wanted)
        made = _core._copied(array, array, device)
    return made.set_requires_grad() if requires_grad else made
