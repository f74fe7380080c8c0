#!/usr/bin/env python3
"""Fetches the data that some examples need, from where it was first published:

    examples/get_data.py mnist      into data/mnist       12 MB    handwritten digits
    examples/get_data.py cifar10    into data/cifar10    170 MB    small pictures of ten classes
    examples/get_data.py flowers17  into data/flowers17   60 MB    flowers of 17 classes

    examples/get_data.py cifar10 FOLDER     somewhere else

Each file is checked against its SHA-256 before anything uses it. A download that broke off goes on
where it stopped, when the command is given again; a file that is there and good is left alone. Only
Python's own modules are used.
"""

import contextlib
import hashlib
import http.client
import os
import re
import sys
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist/"

# (address, SHA-256); an archive is unpacked, and UNPACKED says from which folder in it.
FILES = {
    "mnist": [
        (MNIST + "train-images-idx3-ubyte.gz",
         "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (MNIST + "train-labels-idx1-ubyte.gz",
         "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (MNIST + "t10k-images-idx3-ubyte.gz",
         "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (MNIST + "t10k-labels-idx1-ubyte.gz",
         "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ],
    "cifar10": [
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
         "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
    ],
    "flowers17": [
        ("https://www.robots.ox.ac.uk/~vgg/data/flowers/17/17flowers.tgz",
         "fe38a60f8b4a95e657551247d3e7d799a3fafcdbc595be504b12839967823d70"),
    ],
}
# Members of an archive go to the folder without this beginning: data_batch_1.bin ..., jpg/...
UNPACKED = {"cifar10": "cifar-10-batches-bin/", "flowers17": ""}


class Problem(Exception):
    """What a person can do something about."""


def shown_lines(text: str) -> str:
    """A message that a server or an archive may have a part in, as it can be printed: on a terminal
    control characters would colour, move and erase."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def one_line(error: Exception) -> str:
    """A server's or a library's words may go over several lines."""
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def alone(folder: Path):
    """Two that write one .part would mix their bytes: the second one ends. The lock is the
    folder's, and ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if fcntl:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Problem(f"{folder}: another one is fetching into this folder; "
                              "wait for it") from None
        yield
    finally:
        if fcntl:
            os.close(descriptor)


def sha256(path: Path) -> str:
    if not path.is_file():  # opening a named pipe would wait for ever
        raise Problem(f"{path}: is there, but is not a file; it was not touched. Move it away and "
                      "try again.")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def size_of(n: int) -> str:
    return f"{n / 1e6:.1f} MB"


def whole_number(answer, header: str) -> int | None:
    """A header that counts bytes; None where the server sends none."""
    text = answer.headers.get(header)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,18}", text.strip()):
        raise Problem(f"the server says \"{header}: {text}\", which is no number of bytes")
    return int(text)


def first_byte(answer) -> int:
    """Where the part of a file begins that the server sends."""
    text = answer.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]+|\*)", text.strip())
    if match is None:
        raise Problem(f"the server sends a part and says \"Content-Range: {text}\", which does not "
                      "say where it begins")
    return int(match[1])


def receive(address: str, part: Path) -> None:
    """Fetches `address` into `part`, from where `part` ends."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(address)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        # Nothing is left to send: the sum will say whether it is right.
        if error.code == 416 and have:
            return
        raise
    with answer:
        rest = whole_number(answer, "Content-Length")
        if have and answer.status != 206:  # a server that only sends whole files
            have = 0
        elif answer.status == 206 and first_byte(answer) != have:
            raise Problem(f"the server sends bytes from {first_byte(answer)} on, not from {have}")
        total = have + rest if rest is not None else None
        with part.open("ab" if have else "wb") as file:
            while block := answer.read(1 << 18):
                file.write(block)
                have += len(block)
                if sys.stderr.isatty():
                    of = f" of {size_of(total)}" if total else ""
                    print(f"\r  {size_of(have)}{of}   ", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if total is not None and have < total:
        raise Problem(f"the connection ended after {have} of {total} bytes")


def download(address: str, part: Path) -> None:
    """receive(), and whatever goes wrong with the network or the answer as one line about
    `address`.

    What has come stays in `part`; nothing takes it for the file before its sum is right."""
    again = "; the same command tries again, and goes on where this ended"
    try:
        receive(address, part)
    except Problem as problem:
        raise Problem(f"{address}: {problem}{again}") from None
    except urllib.error.HTTPError as error:
        raise Problem(f"{address}: {one_line(error)}") from None
    except urllib.error.URLError as error:
        raise Problem(f"{address}: {one_line(error.reason)}{again}") from None
    except http.client.IncompleteRead as error:
        raise Problem(f"{address}: the answer ended in its middle, after {len(error.partial)} "
                      f"bytes of a piece{again}") from None
    # An answer that is no HTTP, lengths that are no numbers, a connection that is cut or silent.
    except (http.client.HTTPException, ValueError, OSError) as error:
        # The disk's, not the network's.
        if isinstance(error, OSError) and error.filename is not None:
            raise
        what = one_line(error)
        raise Problem(f"{address}: the answer cannot be understood: {what}{again}") from None


def fetch(address: str, wanted: str, folder: Path) -> Path:
    """The file in `folder`, good: either it was, or it is fetched."""
    path = folder / address.rsplit("/", 1)[1]
    if path.exists() or path.is_symlink():
        found = sha256(path)
        if found == wanted:
            print(f"{path}: is there, and good")
            return path
        raise Problem(f"{path}: is there, but its SHA-256 is\n  {found}, expected\n  {wanted}.\n"
                      "It is damaged, or another file; it was not touched. Move it away and try "
                      "again.")
    part = path.with_name(path.name + ".part")
    if part.is_symlink() or (part.exists() and not part.is_file()):
        raise Problem(f"{part}: is there, but is not a file; move it away and try again.")
    print(f"{path}: from {address}" + (", going on" if part.exists() else ""))
    download(address, part)
    found = sha256(part)
    if found != wanted:
        part.unlink()
        raise Problem(f"{address}: what came has the SHA-256\n  {found}, expected\n  {wanted}.\n"
                      "It was thrown away. Try again; if it stays so, the file was changed or "
                      "something between here and there changes it.")
    part.rename(path)
    return path


def unpack(archive: Path, beginning: str, folder: Path) -> None:
    """Makes the files of the archive that are not there yet, or have other bytes."""
    made = total = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if not member.isfile() or not name.startswith(beginning):
                continue
            total += 1
            path = folder / name.removeprefix(beginning)
            if not path.resolve().is_relative_to(folder.resolve()):
                raise Problem(f"{archive}: \"{member.name}\" would lie outside of {folder}")
            values = tar.extractfile(member).read()
            if (path.is_file() and path.stat().st_size == member.size
                    and path.read_bytes() == values):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(path.name + ".part")
            # Of an earlier attempt; never written through, if it is a link.
            part.unlink(missing_ok=True)
            try:
                part.write_bytes(values)
                part.rename(path)
            finally:  # a full disk, Ctrl-C: no half of a file stays
                part.unlink(missing_ok=True)
            made += 1
    print(f"{folder}: unpacked {made} of {total} files")


def get(name: str, folder: Path) -> None:
    for address, wanted in FILES[name]:
        path = fetch(address, wanted, folder)
        if name in UNPACKED:
            try:
                unpack(path, UNPACKED[name], folder)
            except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
                raise Problem(f"{path}: cannot be unpacked: {one_line(error)}") from None


def main(arguments: list[str]) -> int:
    if not arguments or len(arguments) > 2 or arguments[0] not in FILES:
        print(__doc__.strip())
        return 0 if arguments[:1] in ([], ["--help"], ["-h"]) else 2
    name = arguments[0]
    root = Path(__file__).resolve().parent.parent
    folder = Path(arguments[1]) if len(arguments) > 1 else root / "data" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            get(name, folder)
    except (Problem, OSError) as error:
        print(f"error: {shown_lines(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    print(f"Done: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
