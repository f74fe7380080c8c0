#!/usr/bin/env python3
"""Limulus's OpenCL kernels on a graphics card: checked, tuned, timed beside PyTorch and CLBlast.

    python3 benchmarks/gpu.py                       # the programs in build/, the device opencl:0
    python3 benchmarks/gpu.py --tune --out gpu.json

Needs the programs that `./run test` builds, and nothing from a network. What is missing is left out
with a line that says so: PyTorch with CUDA, clblast_bench. All is single precision, TF32 off.
Everything measured goes into one JSON file."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIZES = (1024, 2048, 4096)
BATCH = 128


def run(command, **variables):
    """What the command prints; '' and a line on the screen if it fails."""
    print("+", " ".join(f"{k}={v}" for k, v in variables.items()), *map(str, command), flush=True)
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          env={**os.environ, **variables})
    if done.returncode != 0:
        end = (done.stderr or done.stdout)[-400:].strip()
        print(f"  failed with status {done.returncode}: {end}")
        return ""
    return done.stdout + done.stderr


def kernels(text):
    """The table of LIMULUS_CL_PROFILE: {"gemm.cl product": (runs, milliseconds)}."""
    rows = re.findall(r"^(\w+\.cl \w+) +(\d+) +([\d.]+) +[\d.]+ +[\d.]+ %$", text, re.M)
    return {name: (int(runs), float(ms)) for name, runs, ms in rows}


def passes(batch):
    """AlexNet's passes over memory: kernel, and the bytes of one step, each array counted once."""
    lrn = batch * (96 * 55 * 55 + 256 * 27 * 27)
    pooled = lrn + batch * 256 * 13 * 13
    outputs = batch * (96 * 27 * 27 + 256 * 13 * 13 + 256 * 6 * 6)
    return {
        "LRN forward": ("lrn.cl paper_forward", 4 * 2 * lrn),
        "LRN backward": ("lrn.cl paper_backward", 4 * 3 * lrn),
        "max pooling forward": ("pool.cl max_forward", 4 * (pooled + 2 * outputs)),
        "max pooling backward": ("pool.cl max_backward", 4 * (pooled + 2 * outputs)),
    }


def check(limulus, tests, device):
    found = {}
    text = run([limulus, "gradcheck", "--device", device])
    lines = re.findall(r"^(\d+ of \d+ cases) have", text, re.M)
    found["gradients"] = lines[-1] + " right" if lines else "failed"
    for name in ("table", "tuning", "training"):
        program = tests / f"backend_opencl_{name}_test"
        if not program.exists():
            print(f"left out: {program} is not there")
            continue
        for method in ("", "winograd") if name == "table" else ("",):
            text = run([program], **({"LIMULUS_CONV": method} if method else {}))
            lines = re.findall(r"assertions: *(\d+) \| *(\d+) passed", text)
            found[f"{name} {method}".strip()] = (
                "{1} of {0} checks right".format(*lines[0]) if lines else "failed")
    return found


def products(limulus, bench, device):
    found = {}
    for size in SIZES:
        row = {}
        if bench.exists():
            text = run([bench, "--device", device, "--size", size, "--seconds", 1, "--json"])
            row = json.loads(text) if text else {}
            text = run([bench, "--device", device, "--size", size, "--seconds", 0.5, "--json"],
                       LIMULUS_CL_PROFILE="1")
            ours = sum(ms for name, (_, ms) in kernels(text).items() if name.startswith("gemm.cl"))
            if ours:
                repeated, _ = json.JSONDecoder().raw_decode(text)
                calls = repeated["repetitions"] + 1  # the first one warms up
                row["kernel_gflops"] = 2e-6 * size**3 / (ours / calls)
        else:
            print(f"left out: {bench} is not there (it needs CLBlast)")
        found[str(size)] = row
    return found


def network(limulus, device):
    found = {}
    for work, options in (("inference", ["--inference"]), ("training", [])):
        command = [limulus, "bench", "--device", device, "--batch", BATCH, *options]
        text = run([*command, "--json"])
        found[work] = json.loads(text) if text else {}
    times = kernels(run([limulus, "bench", "--device", device, "--batch", BATCH],
                        LIMULUS_CL_PROFILE="1"))
    steps = times.get("softmax.cl cross_entropy_backward", (0, 0))[0]
    found["passes"] = {}
    for name, (kernel, size) in passes(BATCH).items():
        if kernel in times and steps:
            ms = times[kernel][1] / steps
            found["passes"][name] = {"ms": ms, "gbytes_per_second": 1e-6 * size / ms}
    found["kernels"] = times
    towers = [limulus, "bench", "--model", "alexnet-towers", "--batch", BATCH, "--json"]
    text = run([*towers, "--device", f"{device}/2,{device.replace(':0', ':1', 1)}/2"])
    found["towers on two queues"] = json.loads(text) if text else {}
    return found


def torch_on_cuda():
    try:
        import torch
        from torch import nn
    except ImportError:
        print("left out: PyTorch is not installed")
        return {}
    if not torch.cuda.is_available():
        print("left out: this PyTorch sees no CUDA device")
        return {}
    sys.path.insert(0, str(HERE / "versus"))
    from torch_models import random_alexnet
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    card = torch.device("cuda")

    def timed(work, repeat=20, inner=5):
        for _ in range(3):
            work()
        times = []
        for _ in range(repeat):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _ in range(inner):
                work()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end) / inner)
        return statistics.median(times)

    found = {"torch": torch.__version__, "card": torch.cuda.get_device_name()}
    for size in SIZES:
        a, b, c = (torch.rand(size, size, device=card) - 0.5 for _ in range(3))
        ms = timed(lambda a=a, b=b, c=c: torch.mm(a, b, out=c))
        found[f"product {size}"] = {"ms": ms, "gflops": 2e-6 * size**3 / ms}
    x = torch.rand(1 << 28, device=card)
    y = torch.empty_like(x)
    found["copy_gbytes_per_second"] = 8e-6 * x.numel() / timed(lambda: y.copy_(x))
    net = random_alexnet().to(card)
    x = torch.randn(BATCH, 3, 227, 227, device=card)
    labels = torch.randint(1000, (BATCH,), device=card)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4)
    loss = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad()
        loss(net(x), labels).backward()
        optimizer.step()

    for search in (False, True):  # cuDNN's choice of methods, or the fastest by trial
        torch.backends.cudnn.benchmark = search
        net.eval()
        with torch.inference_mode():
            found[f"inference, search {search}"] = timed(lambda: net(x), 10)
        net.train()
        found[f"training, search {search}"] = timed(step, 10, 3)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=HERE.parent / "build")
    parser.add_argument("--limulus", type=Path, help="default: limulus in the build folder")
    parser.add_argument("--tests", type=Path, help="default: tests in the build folder")
    parser.add_argument("--device", default="opencl:0")
    parser.add_argument("--tune", action="store_true", help="first limulus tune, for minutes")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    a = parser.parse_args()
    limulus = a.limulus or a.build / "limulus"
    if not limulus.exists():
        parser.error(f"{limulus} is not there: `./run test` builds it, or --build names its folder")
    tests = a.tests or a.build / "tests"
    found = {"devices": run([limulus, "devices"])}
    steps = {
        "tune": lambda: run([limulus, "tune", "--device", a.device]) if a.tune else "not asked for",
        "checks": lambda: check(limulus, tests, a.device),
        "products": lambda: products(limulus, a.build / "benchmarks/clblast_bench", a.device),
        "alexnet": lambda: network(limulus, a.device),
        "pytorch": torch_on_cuda,
    }
    for name, step in steps.items():
        found[name] = step()
        a.out.write_text(json.dumps(found, indent=1) + "\n")  # an interrupted run keeps what it has
    for work in ("inference", "training"):
        ours = found["alexnet"][work].get("ms")
        theirs = [v for k, v in found["pytorch"].items() if k.startswith(work)]
        if ours and theirs:
            print(f"AlexNet, {work}, {BATCH} images: limulus {ours:.1f} ms, "
                  f"PyTorch {min(theirs):.1f} ms: {min(theirs) / ours:.2f} times as fast")
    print(f"All figures are in {a.out}")


if __name__ == "__main__":
    main()
