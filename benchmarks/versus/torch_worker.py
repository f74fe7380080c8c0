"""PyTorch, eager, as a worker (measure.py): reads a request a line, answers with a line of JSON.

    {"kind": "versions"}
    {"kind": "gemm", "shape": "96x3025x363:nn", "threads": 2, "seconds": 0.3}
    {"kind": "training" or "inference", "batch": 32, "threads": 2, "repeat": 5}

Times are medians after one untimed step, as in `limulus bench` and gemm_bench.
"""
import argparse
import json
import statistics
import sys
import time

import torch
from torch import nn

from torch_models import alexnet


def gemm(request):
    """C[m, n] = A[m, k] B[k, n]; a letter t after the colon: that factor is stored transposed."""
    sizes, _, layout = request["shape"].partition(":")
    m, n, k = map(int, sizes.split("x"))
    a = torch.rand(k, m).t() if layout[:1] == "t" else torch.rand(m, k)
    b = torch.rand(n, k).t() if layout[1:] == "t" else torch.rand(k, n)
    c = torch.empty(m, n)
    torch.mm(a, b, out=c)
    times, end = [], time.perf_counter() + request["seconds"]
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        torch.mm(a, b, out=c)
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    return {"ms": 1e3 * seconds, "gflops": 2e-9 * m * n * k / seconds}


def network(request, fused):
    torch.manual_seed(1)
    batch, training = request["batch"], request["kind"] == "training"
    net = alexnet()
    x, labels = torch.randn(batch, 3, 227, 227), torch.randint(1000, (batch,))
    loss = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4,
                                **({"fused": True} if fused else {}))

    def step():
        if training:
            loss(net(x), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
        else:
            with torch.inference_mode():
                net(x)

    net.train(training)
    step()
    times = []
    for _ in range(request["repeat"]):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    return {"ms": 1e3 * seconds, "images_per_second": batch / seconds}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fused", action="store_true", help="the optimizer's fused update")
    fused = parser.parse_args().fused
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "versions":
            answer = {"torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()}
        else:
            torch.set_num_threads(request["threads"])
            answer = gemm(request) if request["kind"] == "gemm" else network(request, fused)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
