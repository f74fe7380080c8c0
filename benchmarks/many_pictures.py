"""A set of ImageNet's size: 1.2 million pictures in 1,000 class folders, and 50,000 in val/ with a
list. They are hard links to the photographs of data/flowers5, made 32 x 32, so that they take room
for their names alone. Measured are the time to the first step, memory, and how long steps wait.

    python3 benchmarks/many_pictures.py build/limulus SET_FOLDER --seconds 60

With --shards the set is packed first, into SET_FOLDER-shards, and trained from there. Shards of
256 x 256 pictures take 22 GB, more than most machines can keep in memory:

    python3 benchmarks/many_pictures.py build/limulus SET_FOLDER \\
        --size 256 --shards 1000 --model alexnet
"""

import argparse
import io
import os
import pathlib
import pty
import re
import resource
import signal
import subprocess
import tarfile
import tempfile
import time

CLASSES, EACH, VALIDATION = 1000, 1200, 50_000
MOST_LINKS = 60_000  # ext4 allows 65,000 names of one file


def make_set(program, folder, size):
    source = pathlib.Path(__file__).parent.parent / "data/flowers5"
    with tempfile.TemporaryDirectory() as packed:
        subprocess.run([program, "pack", source, "--size", str(size), "--shards", "1", "--out",
                        packed], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shard = tarfile.open(pathlib.Path(packed) / "train-000000.tar")
        pictures = [shard.extractfile(m).read() for m in shard if not m.name.endswith(".cls")]
    assert len(pictures) * MOST_LINKS > CLASSES * EACH + VALIDATION
    originals = folder / ".originals"
    originals.mkdir(parents=True)
    for i, data in enumerate(pictures):
        (originals / str(i)).write_bytes(data)
    made = 0

    def link(path):
        nonlocal made
        os.link(originals / str(made % len(pictures)), path)
        made += 1

    synsets = [f"n{1_440_764 + 17 * c:08}" for c in range(CLASSES)]
    for synset in synsets:
        place = folder / "train" / synset
        place.mkdir(parents=True)
        for i in range(EACH):
            link(place / f"{synset}_{i}.JPEG")
    (folder / "val").mkdir()
    lines = io.StringIO()
    for i in range(VALIDATION):
        name = f"ILSVRC2012_val_{i + 1:08}.JPEG"
        link(folder / "val" / name)
        lines.write(f"{name} {i % CLASSES}\n")
    (folder / "val.txt").write_text(lines.getvalue())


def memory(pid, key):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"{key}:\s+(\d+)", status)[1]) * 1024 / 1e6


def train(command, seconds):
    """Runs it on a terminal of its own, since only there it draws each step."""
    began = time.monotonic()
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
        os.execvp(command[0], command)
    seen, first, report = "", None, 10
    while time.monotonic() - began < seconds:
        try:
            seen = (seen + os.read(terminal, 4096).decode(errors="replace"))[-8000:]
        except OSError:
            break
        found = "images/s" in seen
        now = time.monotonic() - began
        if found and first is None:
            first = now
            print(f"first step after {first:.1f} s, {memory(pid, 'VmHWM'):.0f} MB at most so far")
        if first is not None and now - first > report:
            line = re.split(r"[\r\n]", seen)[-2].strip()
            print(f"{now:.0f} s: {memory(pid, 'VmRSS'):.0f} MB now; {line[:110]}", flush=True)
            report += max(10, seconds / 6)
    os.kill(pid, signal.SIGINT)
    while True:
        try:
            rest = os.read(terminal, 4096)
        except OSError:
            break
        if not rest:
            break
    os.waitpid(pid, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--cache", default="64MB")
    parser.add_argument("--size", type=int, default=32, help="of the pictures, which are square")
    parser.add_argument("--model", default="cifar-convnet")
    parser.add_argument("--shards", type=int, help="pack the set into so many, and train from them")
    a = parser.parse_args()
    if not a.folder.exists():
        began = time.monotonic()
        make_set(a.program, a.folder, a.size)
        print(f"made in {time.monotonic() - began:.0f} s")
    data = a.folder
    if a.shards:
        data = a.folder.with_name(a.folder.name + "-shards")
        began = time.monotonic()
        subprocess.run([a.program, "pack", a.folder, "--size", str(a.size), "--shards",
                        str(a.shards), "--out", data], check=True)
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
        print(f"packed in {time.monotonic() - began:.0f} s, with {most:.0f} MB at most")
    with tempfile.TemporaryDirectory() as out:
        train([a.program, "train", "--model", a.model, "--data", str(data), "--out", out,
               "--epochs", "1", "--cache", a.cache], a.seconds)


if __name__ == "__main__":
    main()
