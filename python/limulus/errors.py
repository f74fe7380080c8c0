"""The exceptions of Limulus, as core/error.h names them.

Each derives from limulus.Error and from the built-in that a Python programmer would catch. The text
is that of the C++ library: it begins with what failed, and shows the arithmetic or names the file.
"""

import builtins


class Error(Exception):
    """The base of all exceptions of Limulus."""


class ShapeError(Error, builtins.ValueError):
    """Sizes that do not fit together."""


class DTypeError(Error, TypeError):
    """f32 where f64 was needed, labels that are not integers, a type that Limulus does not have."""


class ValueError(Error, builtins.ValueError):
    """An argument outside its range."""


class DeviceError(Error, RuntimeError):
    """No such device, tensors on two devices, out of memory."""


class GraphError(Error, RuntimeError):
    """backward twice, a saved tensor that was changed in place, nothing that needs a gradient."""


class FileError(Error, OSError):
    """A file that is missing, damaged, or of another kind; names the file, and where in it."""


class LossError(Error, ArithmeticError):
    """A loss that is no number any more; says in which step and layer that began."""
