"""Limulus: AlexNet from scratch, for reading.

    import limulus as lm
    x = lm.tensor(numpy_array, requires_grad=True)
    y = lm.conv2d(x, w, b, stride=4, padding=2)
    y.sum().backward()
    x.grad.numpy()

The names are PyTorch's where the two mean the same. docs/python.md is the tour.
"""

from . import models
from ._core import *  # noqa: F401,F403
from ._core import __version__
from ._gradcheck import gradcheck
from ._making import tensor
from .errors import (DeviceError, DTypeError, Error, FileError, GraphError, LossError, ShapeError,
                     ValueError)
