#!/usr/bin/env python3
"""Makes the four files of mnist/ out of MNIST: its first 2,000 training digits, and the first 500
of the digits that it holds out.

    data/digits/make.py FOLDER     the folder of MNIST's own files (examples/get_data.py mnist)
"""

import gzip
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def first(source: Path, header: int, each: int, count: int) -> bytes:
    """An IDX file of the first `count` of its items, of `each` bytes."""
    data = gzip.decompress(source.read_bytes())
    return data[:4] + count.to_bytes(4, "big") + data[8:header + each * count]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for part, count in (("train", 2000), ("t10k", 500)):
        for what, header, each in (("images-idx3", 16, 28 * 28), ("labels-idx1", 8, 1)):
            name = f"{part}-{what}-ubyte.gz"
            data = first(Path(sys.argv[1]) / name, header, each, count)
            (HERE / "mnist" / name).write_bytes(gzip.compress(data, 9, mtime=0))


if __name__ == "__main__":
    main()
