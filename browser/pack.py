#!/usr/bin/env python3
"""Packs the library and its data into scripts, so that a page can load them from a folder, without
a server: a browser lets such a page load scripts, but no other files.

    browser/pack.py BUILD FOLDER     limulus.js and limulus.wasm of BUILD, and what the pages need

Each script adds to one object, LimulusPacked, a text in base64 for each file, which
docs/labs/static/lab.js unpacks. Prints the size of each script, and of all.
"""

import base64
import gzip
import json
import struct
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRAINED = ROOT / "data" / "trained"
DIGITS = ROOT / "data" / "digits" / "mnist"
PHOTO = ROOT / "data" / "flowers5" / "test" / "daisy" / "1150395827_6f94a5c6e4_n.jpg"
BEGIN = '// Made by browser/pack.py.\n"use strict";\nvar LimulusPacked = LimulusPacked || {};\n'


def tensors_of(path: Path, names: list[str]) -> bytes:
    """A safetensors file of these tensors alone, with all of the file's metadata."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    kept, parts, end = {"__metadata__": header["__metadata__"]}, [], 0
    for name in sorted(names, key=lambda n: header[n]["data_offsets"]):
        first, last = header[name]["data_offsets"]
        parts.append(body[first:last])
        kept[name] = {**header[name], "data_offsets": [end, end + last - first]}
        end += last - first
    text = json.dumps(kept, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def packed(files: dict[str, bytes]) -> str:
    lines = [f'LimulusPacked["{name}"] = "{base64.b64encode(data).decode()}";\n'
             for name, data in files.items()]
    return BEGIN + "".join(lines)


def library(build: Path) -> str:
    """The module's bytes, and emscripten's script as a function, whose source a page can hand to a
    Worker."""
    script = (build / "limulus.js").read_text(encoding="utf-8")
    wasm = gzip.compress((build / "limulus.wasm").read_bytes(), 9, mtime=0)
    return (packed({"limulus.wasm.gz": wasm})
            + f"LimulusPacked.glue = function () {{\n{script}\nreturn createLimulus;\n}};\n")


def digits(part: str, source: str) -> str:
    return packed({f"{part}-{what}.gz": (DIGITS / f"{source}-{what}-{kind}-ubyte.gz").read_bytes()
                   for what, kind in (("images", "idx3"), ("labels", "idx1"))})


def scripts(build: Path) -> dict[str, str]:
    conv1 = tensors_of(TRAINED / "convolutions.safetensors", ["conv1.weight", "conv1.bias"])
    lenet = (TRAINED / "digits.safetensors").read_bytes()
    return {
        "lab_library.js": library(build),
        "lab_convolution_data.js": packed({"photo.jpg": PHOTO.read_bytes(),
                                           "conv1.safetensors": conv1}),
        "lab_digit_data.js": packed({"digits.safetensors": lenet}),
        "lab_train_digits.js": digits("train", "train"),
        "lab_test_digits.js": digits("test", "t10k"),
    }


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    build, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for name, text in scripts(build).items():
        (folder / name).write_text(text, encoding="utf-8")
        total += len(text)
        print(f"{len(text):>10,}  {name}")
    print(f"{total:>10,}  bytes in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
