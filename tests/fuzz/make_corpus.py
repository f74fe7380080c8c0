"""Makes the seeds in tests/fuzz/corpus: small files of each kind and feature, right ones and a few
that are wrong in a way a fuzzer does not come upon. It needs Pillow, for the JPEGs.

    python3 tests/fuzz/make_corpus.py
"""

import gzip
import io
import json
import pathlib
import struct
import tarfile
import zlib

from PIL import Image

corpus = pathlib.Path(__file__).parent / "corpus"


def seed(harness, name, data):
    folder = corpus / harness
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)


# ---- pictures -----------------------------------------------------------------------------------
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour_type, raw, interlace=0, before=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before
            + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def rows(height, row_bytes, kind=lambda y: y % 5):  # each of the five filters in turn
    return b"".join(bytes([kind(y)] + [(7 * y + 13 * i) % 256 for i in range(row_bytes)])
                    for y in range(height))


palette = chunk(b"PLTE", bytes(range(0, 48)))
for name, depth, colour, row_bytes, before in [
        ("grey1", 1, 0, 2, b""), ("grey2", 2, 0, 3, b""), ("grey4", 4, 0, 5, b""),
        ("grey8", 8, 0, 9, b""), ("grey16", 16, 0, 18, b""), ("rgb8", 8, 2, 27, b""),
        ("rgb16", 16, 2, 54, b""), ("rgba8", 8, 6, 36, b""), ("rgba16", 16, 6, 72, b""),
        ("grey_alpha8", 8, 4, 18, b""), ("palette4", 4, 3, 5, palette),
        ("palette_transparent", 4, 3, 5, palette + chunk(b"tRNS", b"\0\x80\xff")),
        ("grey_key", 8, 0, 9, chunk(b"tRNS", b"\0\x0d")),
        ("rgb_key", 8, 2, 27, chunk(b"tRNS", b"\0\0\0\x0d\0\x1a"))]:
    seed("picture", name + ".png", png(9, 6, depth, colour, rows(6, row_bytes), before=before))
seed("picture", "interlaced.png",  # the seven passes of a 9 x 6 image
     png(9, 6, 8, 0, b"".join(rows(h, w) for w, h in
                              [(2, 1), (1, 1), (3, 1), (2, 2), (5, 1), (4, 3), (9, 3)]), 1))
seed("picture", "apple.png", png(9, 6, 8, 2, rows(6, 27), before=chunk(b"CgBI", b"\x50\0\x20\x02")))
seed("picture", "text.png", png(9, 6, 8, 2, rows(6, 27),
                                before=chunk(b"tEXt", b"Title\0x")
                                + chunk(b"gAMA", b"\0\0\xb1\x8f")))
seed("picture", "bomb.png", png(1000, 1000, 8, 2, b"\0" * 3001000))
seed("picture", "claims_much.png", png(65535, 65535, 16, 6, b"\0" * 100))


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


photo = Image.new("RGB", (19, 17))
photo.putdata([(40 + 8 * x, 200 - 6 * y, (90 + 31 * x * y) % 256)
               for y in range(17) for x in range(19)])
for name, options in [("444", {"subsampling": 0}), ("422", {"subsampling": 1}),
                      ("420", {"subsampling": 2}), ("progressive", {"progressive": True}),
                      ("restart", {"restart_marker_blocks": 1}),
                      ("optimized", {"optimize": True, "quality": 20}),
                      ("comment", {"comment": b"a comment", "dpi": (72, 72)})]:
    seed("picture", name + ".jpg", jpeg(photo, **options))
seed("picture", "grey.jpg", jpeg(photo.convert("L")))
seed("picture", "grey_progressive.jpg", jpeg(photo.convert("L"), progressive=True))
seed("picture", "cmyk.jpg", jpeg(photo.convert("CMYK")))
seed("picture", "exif.jpg", jpeg(photo, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"))
whole = jpeg(photo)
frame = whole.index(b"\xff\xc0")
seed("picture", "two_frames.jpg", whole[:frame] + whole[frame:frame + 19] + whole[frame:])
seed("picture", "claims_much.jpg", whole[:frame + 5] + b"\xff\xff\xff\xff" + whole[frame + 9:])


# ---- arrays and tensors -------------------------------------------------------------------------
def npy(header, data, version=1):
    header = header.encode() + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + data


for name, descr, shape, data in [
        ("f4", "<f4", "(2, 3)", 24), ("f8", "<f8", "(3,)", 24), ("i8", "<i8", "()", 8),
        ("i4", "<i4", "(1, 1, 2, 1)", 8), ("empty", "<f4", "(0, 9223372036854775807)", 0),
        ("huge", "<f8", "(4294967296, 4294967296)", 8), ("half", "<f2", "(1,)", 2),
        ("big_endian", ">f4", "(1,)", 4)]:
    seed("npy", name, npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}",
                          bytes(range(data))))
seed("npy", "fortran", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", b"\0" * 4))
seed("npy", "version2", npy("{\"shape\": (1,), 'fortran_order': False, 'descr': '<f4'}",
                            b"\0" * 4, 2))
seed("npy", "structured", npy("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}",
                              b"\0" * 4))


# ---- tar ----------------------------------------------------------------------------------------
def tar(files, form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if name.endswith("/"):
                member.type = tarfile.DIRTYPE
            archive.addfile(member, io.BytesIO(data))
    data = out.getvalue()
    return data[:len(data.rstrip(b"\0")) // 512 * 512 + 3 * 512]  # without most of the end's zeros


pair = [("1.jpg", b"\xff\xd8"), ("1.cls", b"0")]
seed("tar", "ustar", tar([("a/", b"")] + pair, tarfile.USTAR_FORMAT))
seed("tar", "prefix", tar([("d" * 90 + "/" + "n" * 20, b"1")], tarfile.USTAR_FORMAT))
seed("tar", "pax", tar([("n" * 120, b"1")], tarfile.PAX_FORMAT))
seed("tar", "gnu", tar([("n" * 120, b"1")], tarfile.GNU_FORMAT))
seed("tar", "none", b"\0" * 1024)


def safetensors(header, data=b""):
    text = header if isinstance(header, str) else json.dumps(header)
    return struct.pack("<Q", len(text)) + text.encode() + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


seed("safetensors", "two", safetensors(
    {"__metadata__": {"format": "pt", "limulus": "1"}, "conv1.weight": tensor("F32", [2, 3], 0, 24),
     "conv1.bias": tensor("F64", [], 24, 32)}, bytes(range(32))))
sizes = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F8_E4M3": 1, "F16": 2,
         "I32": 4, "U32": 4, "BF16": 2, "F32": 4, "I64": 8, "U64": 8, "F64": 8}
types, at = {}, 0
for name, size in sizes.items():
    types[name] = tensor(name, [2], at, at + 2 * size)
    at += 2 * size
seed("safetensors", "every_type", safetensors(types, bytes(range(1, at + 1))))
seed("safetensors", "none", safetensors({}))
seed("safetensors", "empty_tensors", safetensors(
    {"a": tensor("F32", [0, 3], 0, 0), "b": tensor("F32", [9223372036854775807, 0], 0, 0)}))
seed("safetensors", "huge", safetensors(
    {"a": tensor("F64", [4294967296, 4294967296], 0, 8)}, b"\0" * 8))
seed("safetensors", "overlap", safetensors(
    {"a": tensor("F32", [1], 0, 4), "b": tensor("F32", [1], 2, 6)}, b"\0" * 6))
seed("safetensors", "hole", safetensors({"a": tensor("F32", [1], 4, 8)}, b"\0" * 8))
seed("safetensors", "twice", safetensors('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                                         '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
                                         b"\0"))
seed("safetensors", "deep", safetensors('{"a":' + "[" * 300 + "]" * 300 + "}"))
seed("safetensors", "escapes", safetensors(
    '{"\\u00e4\\ud83d\\ude00\\n\\"":{"shape":[1],"dtype":"U8","data_offsets":[0,1]}}  ', b"\x05"))
seed("safetensors", "without_length", json.dumps(
    {"__metadata__": {"a": "b"}, "x": tensor("BF16", [2, 1], 0, 4), "y": tensor("I64", [1], 4, 12)}
).encode() + b"\0" + bytes(range(1, 13)))
seed("safetensors", "long_header", struct.pack("<Q", 1 << 62) + b"{}")


# ---- data sets ----------------------------------------------------------------------------------
def idx(sizes, data, kind=8):
    return (bytes([0, 0, kind, len(sizes)]) + b"".join(struct.pack(">I", s) for s in sizes) + data)


images, labels = idx([2, 3, 2], bytes(range(12))), idx([2], b"\x03\x09")
for name, data in [("images", images), ("labels", labels), ("floats", idx([2], b"\0" * 8, 13)),
                   ("huge", idx([65536, 65536, 65536], b"\0" * 9)),
                   ("none", idx([0, 28, 28], b"")), ("label_10", idx([2], b"\x0a\0"))]:
    seed("idx", name, data)
    seed("idx", name + ".gz", gzip.compress(data, mtime=0))
seed("idx", "named.gz", b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"name\0"
     + gzip.compress(labels, mtime=0)[10:])
seed("idx", "two_members.gz", gzip.compress(images[:9], mtime=0)
     + gzip.compress(images[9:], mtime=0))
seed("idx", "bomb.gz", gzip.compress(idx([2, 2, 2], b"\0" * (2 << 20)), mtime=0))

record = bytes([7]) + bytes(i % 251 for i in range(3072))
seed("cifar", "one", record)
seed("cifar", "label_10", bytes([10]) + record[1:])
seed("cifar", "cut", record[:-1])

# ---- networks in ONNX files: protobuf, field by field --------------------------------------------
def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def part(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name, value):
    if isinstance(value, float):
        return part(5, part(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value)
                    + number(20, 1))
    if isinstance(value, int):
        return part(5, part(1, name) + number(3, value) + number(20, 2))
    if isinstance(value, str):
        return part(5, part(1, name) + part(4, value) + number(20, 3))
    return part(5, part(1, name) + b"".join(number(8, v) for v in value) + number(20, 7))


def node(op, inputs, output, **attributes):
    return part(1, b"".join(part(1, i) for i in inputs) + part(2, output) + part(3, "n_" + output)
                + part(4, op) + b"".join(attribute(k, v) for k, v in attributes.items()))


def weight(name, shape, kind=1, data=None, more=b""):
    count = 1
    for size in shape:
        count *= size
    each = {1: 4, 7: 8, 10: 2, 11: 8}[kind]
    data = bytes(count * each) if data is None else data
    return part(5, b"".join(number(1, s) for s in shape) + number(2, kind) + part(8, name)
                + (part(9, data) if not more else more))


def value(field, name, shape):
    sizes = b"".join(part(1, part(2, "N") if s < 0 else number(1, s)) for s in shape)
    return part(field, part(1, name) + part(2, part(1, number(1, 1) + part(2, sizes))))


def onnx(name, *graph, shape=(-1, 3, 8, 8), opset=17):
    seed("onnx", name, number(1, 8) + part(8, part(1, "") + number(2, opset))
         + part(7, b"".join(graph) + part(2, "g") + value(11, "x", shape)
                + value(12, "y", [-1, 2])))


def integers(name, values):
    return weight(name, [len(values)], 7, b"".join(struct.pack("<q", v) for v in values))


def gemm(rows):
    return (weight("fc.weight", [2, rows]) + weight("fc.bias", [2])
            + node("Gemm", ["r", "fc.weight", "fc.bias"], "y", transB=1, alpha=1.0))


onnx("conv", weight("conv1.weight", [4, 3, 3, 3]), weight("conv1.bias", [4]),
     node("Conv", ["x", "conv1.weight", "conv1.bias"], "c", pads=[1, 1, 1, 1], strides=[2, 2],
          kernel_shape=[3, 3], dilations=[1, 1], group=1),
     node("Relu", ["c"], "d"), node("LRN", ["d"], "e", size=3, alpha=0.5, beta=0.75, bias=2.0),
     node("MaxPool", ["e"], "f", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
     node("Flatten", ["f"], "r", axis=1), gemm(16))
onnx("same", weight("w", [4, 1, 3, 3]),
     node("Conv", ["x", "w"], "c", auto_pad="SAME_UPPER", strides=[2, 2]),
     node("AveragePool", ["c"], "d", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
     node("GlobalAveragePool", ["d"], "e"), node("Flatten", ["e"], "r"), gemm(4),
     shape=(1, 1, 9, 9))
onnx("residual", weight("w", [3, 3, 1, 1]), node("Conv", ["x", "w"], "c"),
     node("Add", ["c", "x"], "d"), node("Sigmoid", ["d"], "e"),
     node("Concat", ["e", "d"], "f", axis=1), node("ReduceMean", ["f"], "r", axes=[2, 3],
                                                   keepdims=0), gemm(6))
onnx("view", node("Shape", ["x"], "s"), integers("zero", [0]), node("Gather", ["s", "zero"], "n"),
     integers("rest", [-1]), node("Concat", ["n", "rest"], "t", axis=0),
     node("Reshape", ["x", "t"], "r"), gemm(48), shape=(-1, 3, 4, 4))
onnx("matmul", integers("t", [0, -1]), node("Reshape", ["x", "t"], "r"), weight("w", [12, 2]),
     node("MatMul", ["r", "w"], "m"), weight("b", [2]), node("Add", ["m", "b"], "a"),
     node("Dropout", ["a"], "d"), node("Softmax", ["d"], "y", axis=-1), shape=(1, 3, 2, 2))
onnx("norm", *[weight("norm." + k, [3]) for k in ("weight", "bias", "mean", "var")],
     node("BatchNormalization", ["x"] + ["norm." + k for k in ("weight", "bias", "mean", "var")],
          "b", epsilon=1e-5, momentum=0.9), integers("p", [0, 0, 1, 0, 0, 0, 0, 2]),
     node("Pad", ["b", "p"], "q", mode="constant"), node("Flatten", ["q"], "r"), gemm(48),
     shape=(1, 3, 3, 2))
onnx("types", weight("h", [2, 12], 10), weight("w", [2, 12], 11), node("Identity", ["w"], "i"),
     node("Flatten", ["x"], "r"), node("Gemm", ["r", "i"], "y", transB=1), shape=(1, 3, 2, 2))
onnx("external", weight("fc.weight", [2, 12], more=number(14, 1) + part(
    13, part(1, "location") + part(2, "w.data")) + part(13, part(1, "offset") + part(2, "8"))),
     node("Flatten", ["x"], "r"), node("Gemm", ["r", "fc.weight"], "y", transB=1),
     shape=(1, 3, 2, 2))

# ---- texts --------------------------------------------------------------------------------------
config = {
    "model": "lenet5", "recipe": "default", "data": "digits", "device": "reference", "epochs": 3,
    "batch": 8, "seed": 1, "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0005, "divide_by": 10.0,
    "milestones": [0.6, 0.85], "patience": 3, "warmup": 0.0, "short_side": 0, "square": False,
    "pad": 0, "crop": 28, "channels": 1, "random_crop": True, "mirror": False,
    "vertical_flip": False, "zoom_min": 1.0, "zoom_max": 1.0, "colour_sigma": 0.0,
    "subtract_mean_image": True, "pixel_scale": 0.00390625, "dropout": 0.5, "batch_norm": False,
    "strict": False, "rule": "paper", "schedule": "step"}
normalization = {"mean": [90.0, 91.5, 92.0], "scale": [0.0039, 0.0039, 0.0039], "side": 0,
                 "colour_axes": [[1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5]]}
state = {"step": 7, "epoch": 1, "batch": 2, "epoch_loss": 1.25, "epoch_right": 9.0,
         "epoch_images": 16, "epoch_seconds": 0.5, "epoch_waiting": 0.1, "step_losses": [2.3, 2.2],
         "images": 40, "schedule": [0.5, 1, 0],
         "epochs": [[1, 2.3, 0.1, 2.2, 0.2, 0.5, 0.01, 1.5, 900.0, 0.1]]}


def checkpoint(name, *lines):
    seed("checkpoint", name, "\n".join(l if isinstance(l, str) else json.dumps(l) for l in lines))


digits = [str(i) for i in range(10)]
checkpoint("whole", config, digits, normalization, state)
checkpoint("of_the_run", "", digits, normalization, state)  # "": the run's own settings
checkpoint("with_a_mean", config, digits, normalization, state,
           {"dtype": "F32", "shape": [3, 28, 28], "data_offsets": [0, 9408]})
checkpoint("with_a_scalar_mean", config, digits, normalization, state,
           {"dtype": "F64", "shape": [], "data_offsets": [0, 8]})
checkpoint("other_classes", config, ["a", "b", "c"], normalization, state)
checkpoint("cifar", dict(config, model="cifar-convnet", channels=3, crop=32, schedule="cosine"),
           ["a", "b"], normalization)
checkpoint("large_numbers", dict(config, epochs=1e300, seed=2**64 - 1, crop=2**32 + 28),
           ["a", "b"], normalization, dict(state, step=1e300, images=-1e300))
checkpoint("state_floats", "", digits, normalization,
           dict(state, step=1e300, batch=-2.5e9, schedule=[0.5, 1e300, -1e300]))
checkpoint("alexnet", dict(config, model="alexnet", channels=3, crop=227),
           ["a", "b"], normalization)
checkpoint("no_json", "{", "[", "x")

cpu = {"vec_f32": 16, "vec_f64": 8, "tile_rows": 12, "group_a": 1, "group_b": 1, "slice": 1,
       "k_block": 384, "k_pass": 384, "run": 4096, "run_across": 1024, "taps_run": 24,
       "winograd_bytes": 25165824, "group": 1}
gpu = {"vec_f32": 4, "vec_f64": 2, "tile_rows": 4, "group_a": 16, "group_b": 16, "slice": 16,
       "k_block": 1024, "k_pass": 1073741824, "run": 1, "run_across": 1, "taps_run": 1,
       "winograd_bytes": 1073741824, "group": 64}
for name, sizes in [("cpu", cpu), ("gpu", gpu), ("wraps", dict(cpu, run=2**32 + 777)),
                    ("large", dict(cpu, k_pass=2**31, winograd_bytes=2**64 - 1)),
                    ("float", dict(gpu, run=1.5, group=1e300))]:
    seed("tuning", name, json.dumps(sizes))
seed("tuning", "deep", "[" * 500)

for name, text in [
        ("conv1", "conv2d --input 3x227x227 --kernel 11 --stride 4 --channels 96"),
        ("conv2", "conv2d --input 96x27x27 --kernel 5 --padding 2 --groups 2 --channels 256 "
                  "--json"),
        ("dilation", "conv2d --input 8x9x7 --kernel 3 --dilation 2 --no-bias --markdown"),
        ("max_pool", "max_pool2d --input 96x54x54 --kernel 3 --stride 2 --ceil --json"),
        ("avg_pool", "avg_pool2d --input 96x55x55 --kernel 3 --stride 2 --padding 1"),
        ("limits", "conv2d --input 65536x65536x65536 --kernel 65535 --stride 65536 --padding 65536 "
                   "--dilation 65536 --channels 65536 --batch 65536 --json"),
        ("lenet", "lenet5 --batch 65536 --size 65536"),
        ("layer", "cifar-convnet --layer conv2 --size 33 --json"),
        ("does_not_fit", "conv2d --input 3x7x7 --kernel 11 --stride 4"),
        ("large", "3 9223372036854775807 2147483647 2147483647 1 2147483647 2147483647 1 1 1"),
        ("larger", "3037000500 3037000500 1 1 1 0 1 1 2147483647 9223372036854775807"),
        ("negative", "-1 -9223372036854775808 7 -3 -1 -1 0 -2 -5 -1")]:
    seed("explain", name, text)
