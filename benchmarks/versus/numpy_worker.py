"""OpenBLAS, which NumPy's packages bring along, as a worker (worker.py). It reads its number of
threads from the environment when it is loaded: contenders.py starts a worker for each number."""
import numpy
from threadpoolctl import threadpool_info

from worker import serve


def versions():
    blas = next((p for p in threadpool_info() if p["internal_api"] == "openblas"), None)
    if blas is None:
        raise RuntimeError("this NumPy has no OpenBLAS of its own")
    return {"openblas": blas["version"], "kernels": blas["architecture"],
            "threading": blas["threading_layer"], "numpy": numpy.__version__}


def multiply(threads, sizes, transposed_a, transposed_b):
    in_use = max(p["num_threads"] for p in threadpool_info())
    if in_use != threads:
        raise RuntimeError(f"OpenBLAS uses {in_use} threads in place of {threads}")
    m, n, k = sizes
    random = numpy.random.default_rng(1)
    a = random.random((k, m), "f4").T if transposed_a else random.random((m, k), "f4")
    b = random.random((n, k), "f4").T if transposed_b else random.random((k, n), "f4")
    c = numpy.empty((m, n), "f4")
    return lambda: numpy.dot(a, b, out=c)


if __name__ == "__main__":
    serve(versions, multiply=multiply)
