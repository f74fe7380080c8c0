"""Limulus: AlexNet from scratch, for reading.

    import limulus as lm
    x = lm.tensor(numpy_array, requires_grad=True)
    y = lm.conv2d(x, w, b, stride=4, padding=2)
    y.sum().backward()
    x.grad.numpy()

The names are PyTorch's where the two mean the same. docs/python.md is the tour.
"""

try:
    from . import _core
except ImportError as error:
    raise ImportError(f"limulus: {error}. The package is compiled by `pip install .` or by `./run "
                      "check python` (then it is in build/python); the folder python/ of the "
                      "repository has its sources alone") from error
from . import models
from ._core import *  # noqa: F401,F403
from ._core import __version__  # noqa: F401
from ._gradcheck import gradcheck
from ._making import tensor
from .errors import (DeviceError, DTypeError, Error, FileError, GraphError, LossError, ShapeError,
                     ValueError)
