"""Who takes part. A contender knows how to do a piece of work on a number of threads:

    measure(work, threads, effort) -> Answer with "ms", and "gflops" or "images_per_second"
    versions() -> {"torch": "2.15.0"}

To add one that is a Python package: write NAME_worker.py after the pattern of torch_worker.py, add the
package to requirements.txt, and add a line to FRAMEWORKS.
"""
import os
from dataclasses import dataclass

from measure import Worker, run_once

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True)
class Work:
    kind: str        # "peak", "gemm", "training", "inference"
    name: str        # for the table
    shape: str = ""  # of a product: "32x4096x9216:nt"
    batch: int = 0   # of a network

    @property
    def rate(self):
        return "gflops" if self.kind in ("gemm", "peak") else "images_per_second"


@dataclass(frozen=True)
class Effort:
    gemm_seconds: float  # for each product, each time
    steps: int           # timed training steps of batch 32, each time

    def repeat(self, work):
        """Inference is 3 times cheaper than training; small batches are repeated more often."""
        if work.kind == "training":
            return max(1, self.steps * 32 // work.batch)
        return max(2, min(50, 3 * self.steps * 32 // work.batch))


class Limulus:
    name = "limulus"
    kinds = ("peak", "gemm", "training", "inference")

    def __init__(self, build):
        self.program = os.path.join(build, "limulus")
        self.gemm_bench = os.path.join(build, "benchmarks", "gemm_bench")

    def command(self, work, threads, effort):
        common = ["--json", "--threads", str(threads)]
        if work.kind == "peak":
            return [self.gemm_bench, *common, "--peak", "--seconds", str(effort.gemm_seconds)]
        if work.kind == "gemm":
            return [self.gemm_bench, *common, "--seconds", str(effort.gemm_seconds), work.shape]
        return [self.program, "bench", *common, "--model", "alexnet", "--batch", str(work.batch),
                "--repeat", str(effort.repeat(work)),
                *(["--inference"] if work.kind == "inference" else [])]

    def measure(self, work, threads, effort):
        answer = run_once(self.command(work, threads, effort))
        v = answer.values
        if work.kind == "peak":
            answer.values = {"gflops": v.get("peak_gflops", 0)}
        elif work.kind == "gemm":
            answer.values = {k: v["products"][0][k] for k in ("ms", "gflops")}
        else:
            answer.values = {k: v[k] for k in ("ms", "images_per_second", "layers")}
        return answer

    def products(self):
        return run_once([self.gemm_bench, "--list"]).values

    def versions(self):
        devices = {d["name"]: d["description"]
                   for d in run_once([self.program, "devices", "--json"]).values}
        return {"device": devices.get("cpu", "no cpu device")}

    def close(self):
        pass


class PythonWorker:
    """A framework with a worker program. Products are asked of one worker that stays: it loads the
    framework once. A network gets a fresh one each time: so its peak memory is its own."""

    def __init__(self, name, python, script, options=(), kinds=("gemm", "training", "inference")):
        self.name, self.kinds = name, kinds
        self.command = [python, os.path.join(HERE, script), *options]
        self.resident = None

    def measure(self, work, threads, effort):
        if work.kind == "gemm":
            return self.stay().ask({"kind": "gemm", "shape": work.shape, "threads": threads,
                                    "seconds": effort.gemm_seconds})
        worker = Worker(self.command)
        answer = worker.ask({"kind": work.kind, "batch": work.batch, "threads": threads,
                             "repeat": effort.repeat(work)})
        answer.cpu_seconds = worker.close()
        return answer

    def stay(self):
        if self.resident is None:
            self.resident = Worker(self.command)
        return self.resident

    def versions(self):
        return self.stay().ask({"kind": "versions"}).values

    def close(self):
        if self.resident is not None:
            self.resident.close()
            self.resident = None


def make_contenders(names, build, python):
    """Limulus first, then the frameworks asked for by name."""
    return [Limulus(build), *(PythonWorker(n, python, *FRAMEWORKS[n]) for n in names)]


# name: worker program, its options, and what of the work it takes part in (default: all but "peak")
FRAMEWORKS = {
    "torch": ("torch_worker.py",),
    # The same with the optimizer's single-pass update, which one has to ask for.
    "torch-fused": ("torch_worker.py", ("--fused",), ("training",)),
}
