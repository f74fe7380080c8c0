"""Shows tensors in gdb, with at most 64 of their values.

    (gdb) source /usr/local/share/limulus/gdb/limulus.py       (or a line in ~/.gdbinit)
    (gdb) print x
    $1 = Tensor [2, 3] f32 on CpuBackend = {1, 2, 3, 4, 5, 6}

The program has to be compiled with -g; the library need not be. It reads the variables of
core/tensor.h, core/shape.h and what libstdc++ keeps in std::vector and std::shared_ptr, and never
calls into the program. Where values are in a device's memory it says so.
"""

import math
import struct

import gdb
import gdb.printing

MOST = 64  # values that are shown

# DType in core/dtype.h, in its order: name, bytes, how Python's struct calls it.
DTYPES = [("f32", 4, "f"), ("f64", 8, "d"), ("i64", 8, "q"), ("i32", 4, "i"), ("bf16", 2, "H")]
# Classes whose buffers are no addresses of this process; one derived from them counts as they do.
DEVICE = ("limulus::QueuedBackend", "limulus::OpenClBackend")


def sizes_of(shape):
    vector = shape["sizes_"]["_M_impl"]
    begin, end = vector["_M_start"], vector["_M_finish"]
    return [int(begin[i]) for i in range(int(end - begin))]


def bases_of(kind):
    """The names of a class and of all that it is derived from."""
    names = [str(kind.strip_typedefs())]
    for field in kind.fields():
        if field.is_base_class:
            names += bases_of(field.type)
    return names


def backend_of(storage):
    """The name of the backend's class, and whether its memory can be read here."""
    backend = storage["backend"].referenced_value()
    names = bases_of(backend.dynamic_type)
    if names == ["limulus::Backend"]:  # the library has no debug information, but it has symbols
        table = gdb.execute(f"info symbol *(void**){int(backend.address)}", to_string=True)
        names = [table.split("vtable for ")[-1].split(" + ")[0].split(" in ")[0].strip()]
    return names[0].removeprefix("limulus::"), not any(name in DEVICE for name in names)


def value(bits, form):
    if form == "H":  # a bf16 is the upper half of a float
        return struct.unpack("<f", b"\0\0" + bits)[0]
    return struct.unpack("<" + form, bits)[0]


def written(number, name):
    """The shortest decimals that give the same value again."""
    if isinstance(number, int):
        return str(number)
    if name in ("f32", "bf16") and math.isfinite(number):
        for digits in range(1, 10):
            text = f"{number:.{digits}g}"
            try:
                if struct.pack("<f", float(text)) == struct.pack("<f", number):
                    return text
            except OverflowError:  # rounded up, beyond the largest float
                pass
    return repr(number).removesuffix(".0")


def show(impl):
    sizes = sizes_of(impl["shape"])
    count = 1
    for size in sizes:
        count *= size
    name, width, form = DTYPES[int(impl["dtype"])]
    storage = impl["storage"]["_M_ptr"].dereference()
    backend, readable = backend_of(storage)
    head = f"Tensor {sizes} {name} on {backend}"
    if not readable:
        return head + " (in the device's memory)"
    shown = min(count, MOST)
    address = int(storage["data"])
    memory = bytes(gdb.selected_inferior().read_memory(address, shown * width)) if shown else b""
    values = [written(value(memory[i * width:(i + 1) * width], form), name) for i in range(shown)]
    if shown < count:
        values.append("...")
    return f"{head} = {{{', '.join(values)}}}"


class TensorPrinter:
    def __init__(self, tensor):
        self.tensor = tensor

    def to_string(self):
        impl = self.tensor["impl_"]["_M_ptr"]
        if int(impl) == 0:
            return "Tensor (undefined)"
        try:
            return show(impl.dereference())
        except (gdb.error, IndexError) as problem:  # not constructed yet, or destroyed already
            return f"Tensor (unreadable: {problem})"


class ShapePrinter:
    def __init__(self, shape):
        self.shape = shape

    def to_string(self):
        try:
            return str(sizes_of(self.shape))
        except gdb.error as problem:
            return f"Shape (unreadable: {problem})"


def printers():
    all_printers = gdb.printing.RegexpCollectionPrettyPrinter("limulus")
    all_printers.add_printer("Tensor", "^limulus::Tensor$", TensorPrinter)
    all_printers.add_printer("Shape", "^limulus::Shape$", ShapePrinter)
    return all_printers


gdb.printing.register_pretty_printer(None, printers(), replace=True)
