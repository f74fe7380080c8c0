"""What all workers share: they read a request a line and answer each with a line of JSON.

    {"kind": "versions"}
    {"kind": "gemm", "shape": "96x3025x363:nn", "threads": 2, "seconds": 0.3}
    {"kind": "prepare", "work": "training" or "inference", "model": "alexnet", "batch": 32,
    "threads": 2,
     "files": DIR}
    {"kind": "run", "repeat": 5}

Preparing builds, compiles and runs the work once, untimed; "run" times that work again. DIR holds
what files.py made. Times are medians, as in `limulus bench` and gemm_bench, and, where steps are
timed one by one, means: on a busy machine most steps may run undisturbed, and the others be a
hundred times as long.
"""
import json
import os
import statistics
import sys
import time


def serve(versions, prepare=None, multiply=None):
    """Answers until the input ends. A framework gives

    versions() -> {"name": "1.2.3"}
    prepare(request) -> run(repeat) -> seconds that the work takes each time; or on average
    multiply(threads, a, b, c) -> a function that computes C = A B; see `product`
    """
    run = batch = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "versions":
            answer = versions()
        elif request["kind"] == "gemm":
            answer = product(request, multiply)
        elif request["kind"] == "prepare":
            run, batch, answer = prepare(request), request["batch"], {}
        else:
            times = run(request["repeat"])
            times = times if isinstance(times, list) else [times]
            seconds = statistics.median(times)
            answer = {"ms": 1e3 * seconds, "mean_ms": 1e3 * statistics.mean(times),
                      "images_per_second": batch / seconds}
        print(json.dumps(answer), flush=True)


def timed(step):
    """The usual run(repeat): one step after the other."""
    def run(repeat):
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            step()
            times.append(time.perf_counter() - start)
        return times
    return run


def product(request, multiply):
    """C[m, n] = A[m, k] B[k, n]; a letter t after the colon: that factor is stored transposed.
    `multiply` gets the shapes as stored, and who is transposed."""
    sizes, _, layout = request["shape"].partition(":")
    m, n, k = map(int, sizes.split("x"))
    step = multiply(request["threads"], (m, n, k), layout[:1] == "t", layout[1:] == "t")
    step()
    times, end = [], time.perf_counter() + request["seconds"]
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    seconds = statistics.median(times)
    return {"ms": 1e3 * seconds, "gflops": 2e-9 * m * n * k / seconds}


def reference(request):
    """The input of files.py, repeated to a batch, and its logits in double precision."""
    import numpy
    with numpy.load(os.path.join(request["files"], "reference.npz")) as f:
        return numpy.repeat(f["image"], request["batch"], axis=0), f["logits"]


def check_single_precision(logits, expected):
    """Processors with bfloat16 tempt frameworks to compute with 8 bits of mantissa in place of 24,
    at twice the speed: errors of a hundredth, where single precision has a millionth."""
    error = float(abs(logits - expected).max() / abs(expected).max())
    if not error < 1e-4:
        raise ValueError(f"computes with an error of {error:.0e}: that is not single precision")
