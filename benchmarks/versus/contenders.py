"""Who takes part. A contender knows how to do a piece of work on a number of threads:

    takes(work)                             whether it does this kind of work
    prepare(work, threads)                  what is not timed
    measure(work, threads, effort)          -> Answer with "ms", and "gflops" or "images_per_second"
    release()                               ends what prepare() started
    versions()                              -> {"torch": "2.15.0"}

To add one that is a Python package: write NAME_worker.py after the pattern of
onnxruntime_worker.py, add the package to requirements.txt, and add an entry to FRAMEWORKS.
"""
import json
import os
import shutil
import statistics
import tempfile
from dataclasses import dataclass

from environment import HERE, ROOT
from measure import Answer, MeasurementError, Worker, at_once, run_once


@dataclass(frozen=True)
class Work:
    # "peak", "gemm", "memory", "training", "inference", "start", "first start", "data"
    kind: str
    name: str        # for the table
    shape: str = ""  # of a product: "32x4096x9216:nt"
    batch: int = 0   # of a network
    folder: str = ""  # of photographs
    classes: int = 1000   # of a network
    weights: str = "f32"  # how its fully connected layers' are stored
    model: str = "alexnet"
    busy: bool = False    # with a spinning process beside each core
    runs: int = 1         # of the same at a time


@dataclass(frozen=True)
class Effort:
    gemm_seconds: float  # for each product, each time
    steps: int           # timed training steps of batch 32, each time

    def repeat(self, work):
        """Inference is 3 times cheaper than training; small batches are repeated more often."""
        if work.kind == "training":  # a step of the small networks takes a millisecond or ten
            small = {"lenet5": 100, "cifar-convnet": 20}.get(work.model, 1)
            return max(1, small * self.steps * 32 // work.batch)
        return max(2, min(50, 3 * self.steps * 32 // work.batch))


def together(answers):
    """Of runs at the same time: the mean of their times, and the sum of what they took."""
    mean = statistics.mean(a.values["mean_ms"] for a in answers)
    return Answer({"ms": mean, "mean_ms": mean}, sum(a.cpu_seconds for a in answers),
                  sum(a.memory_mb for a in answers))


class Limulus:
    name, device = "limulus", "cpu"
    kinds = ("peak", "gemm", "memory", "training", "inference", "start", "data")

    def __init__(self, build, folder):
        self.program = os.path.join(build, "limulus")
        self.benchmarks = os.path.join(build, "benchmarks")
        self.folder = folder  # of the checkpoint and other things that end with the run

    def takes(self, work):
        return work.kind in self.kinds

    def environment(self, threads, work):
        return None  # as it is

    def command(self, work, threads, effort):
        common = ["--json", "--threads", str(threads)]
        on = [*common, "--device", self.device]
        gemm_bench = os.path.join(self.benchmarks, "gemm_bench")
        seconds = ["--seconds", str(effort.gemm_seconds)]
        if work.kind == "peak":
            return [gemm_bench, *common, *seconds, "--peak"]
        if work.kind == "gemm":
            return [gemm_bench, *on, *seconds, work.shape]
        if work.kind == "memory":
            return [os.path.join(self.benchmarks, "memory_bench"), *common, *seconds,
                    "--batch", str(work.batch)]
        if work.kind in ("start", "first start"):
            return [self.program, "predict", *on, self.checkpoint(), self.photograph()]
        if work.kind == "data":
            return [self.program, "train", "--threads", str(threads), "--data", work.folder,
                    "--model", "alexnet", "--epochs", "2", "--batch", str(work.batch),
                    "--out", os.path.join(self.folder, "data-run")]
        return [self.program, "bench", *on, "--model", work.model, "--batch", str(work.batch),
                "--repeat", str(effort.repeat(work)),
                *(["--classes", str(work.classes)] if work.model == "alexnet" else []),
                *(["--inference", "--weights", work.weights] if work.kind == "inference" else [])]

    def prepare(self, work, threads):
        """An AlexNet of 5 classes to predict with, trained for one step on two photographs a class:
        what it says does not matter here."""
        if work.kind not in ("start", "first start") or os.path.exists(self.checkpoint()):
            return
        for part in ("train", "test"):
            for label in FLOWERS:
                source = os.path.join(ROOT, "data", "flowers5", part, label)
                target = os.path.join(self.folder, "data", part, label)
                os.makedirs(target, exist_ok=True)
                for file in sorted(os.listdir(source))[:2]:
                    shutil.copy(os.path.join(source, file), target)
        run_once([self.program, "train", "--data", os.path.join(self.folder, "data"),
                  "--model", "alexnet", "--epochs", "1", "--batch", "10",
                  "--out", os.path.join(self.folder, "run")], reads_json=False)

    def checkpoint(self):
        return os.path.join(self.folder, "run", "checkpoint.safetensors")

    def photograph(self):
        folder = os.path.join(ROOT, "data", "flowers5", "test", FLOWERS[0])
        return os.path.join(folder, sorted(os.listdir(folder))[0])

    def measure(self, work, threads, effort):
        def once():
            return run_once(self.command(work, threads, effort), work.kind != "data",
                            self.environment(threads, work))
        if work.runs > 1:
            return together(at_once([once] * work.runs))
        answer = once()
        v = answer.values
        if work.kind == "peak":
            answer.values = {"gflops": v.get("peak_gflops", 0)}
        elif work.kind == "gemm":
            answer.values = {k: v["products"][0][k] for k in ("ms", "gflops")}
        elif work.kind == "memory":
            answer.values = {"passes": v["passes"]}
        elif work.kind in ("start", "first start"):
            answer.values = {"ms": 1e3 * answer.seconds}
        elif work.kind == "data":
            answer.values = self.training_from_files(work, answer)
        else:
            answer.values = {k: v[k] for k in ("ms", "mean_ms", "images_per_second",
                                               "peak_buffer_mb", "host_ms", "host_share", "layers")
                             if k in v}
        return answer

    def training_from_files(self, work, answer):
        """Two epochs of training from files. Its header comes when it has decoded the photographs
        that it will keep; the checkpoint tells how fast each epoch was, and how much of it was
        waiting for a batch. The first one also touches memory for the first time."""
        run = os.path.join(self.folder, "data-run")
        with open(os.path.join(run, "checkpoint.safetensors"), "rb") as f:
            header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        shutil.rmtree(run)
        first, second = json.loads(header["__metadata__"]["state"])["epochs"]
        return {"prepare_seconds": answer.first_output,
                "first_epoch_images_per_second": first[8], "first_epoch_waiting": first[9],
                "ms": 1e3 * work.batch / second[8], "images_per_second": second[8],
                "waiting": second[9]}

    def products(self):
        return run_once([os.path.join(self.benchmarks, "gemm_bench"), "--list"]).values

    def beside_clblast(self, effort):
        """Our OpenCL product beside CLBlast's, which share a program."""
        program = os.path.join(self.benchmarks, "clblast_bench")
        if not os.path.exists(program):
            raise MeasurementError("clblast_bench was not built: it needs CLBlast (Debian's "
                                   "libclblast-dev) and the OpenCL backend")
        return run_once([program, "--json", "--seconds", str(10 * effort.gemm_seconds)]).values

    def versions(self):
        devices = {d["name"]: d["description"]
                   for d in run_once([self.program, "devices", "--json"]).values}
        if self.device not in devices:
            raise MeasurementError(f"there is no device {self.device}")
        return {"device": devices[self.device]}

    def release(self):
        pass

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class LimulusOpenCl(Limulus):
    """The OpenCL backend on the first device, with built kernels and sizes in a folder of its own:
    those of `limulus tune` are not used. PoCL takes its number of threads from the environment;
    other devices have their own."""
    name, device = "limulus-opencl", "opencl:0"
    kinds = ("gemm", "training", "inference", "start", "first start")

    def takes(self, work):  # as its targets do: batch 128 shows nothing else, and takes minutes
        return work.kind in self.kinds and work.batch <= 32 and not work.busy and work.runs == 1

    def environment(self, threads, work):
        cache = os.path.join(self.folder, "no-cache" if work.kind == "first start" else "cache")
        return {**os.environ, "XDG_CACHE_HOME": cache,  # PoCL keeps what it has built there as well
                "POCL_MAX_PTHREAD_COUNT": str(threads), "POCL_CPU_MAX_CU_COUNT": str(threads)}

    def prepare(self, work, threads):
        super().prepare(work, threads)
        if work.kind == "start":  # the second one is measured
            run_once(self.command(work, threads, Effort(0.1, 1)),
                     env=self.environment(threads, work))

    def measure(self, work, threads, effort):
        if work.kind == "first start":
            shutil.rmtree(os.path.join(self.folder, "no-cache"), ignore_errors=True)
        return super().measure(work, threads, effort)


class PythonWorker:
    """A framework with a worker program. A network has a worker of its own, which is prepared once
    and stays for all rounds: so its peak memory is its own, and nothing is compiled twice. Products
    are asked of one worker for each number of threads."""

    def __init__(self, name, python, files, script, options=(), kinds=("inference",), start=""):
        self.name, self.kinds = name, (*kinds, "start") if start else kinds
        self.python, self.files, self.start = python, files, start
        self.command = [python, os.path.join(HERE, script), *options]
        self.workers = {}

    def takes(self, work):
        return work.kind in self.kinds

    def environment(self, threads):
        """OpenBLAS is told its threads here. What chooses its kernels, or changes the precision of
        oneDNN's, is left to the processor and the library, whatever the caller's shell says."""
        kept = {k: v for k, v in os.environ.items()
                if not k.startswith(("OPENBLAS_", "ONEDNN_", "DNNL_", "MKL_", "OMP_"))}
        return {**kept, "OPENBLAS_NUM_THREADS": str(threads)}

    def worker(self, key, threads):
        if key not in self.workers:
            self.workers[key] = Worker(self.command, self.environment(threads))
        return self.workers[key]

    def prepare(self, work, threads):
        if work.kind in ("training", "inference"):
            for run in range(work.runs):
                self.worker((work, threads, run), threads).ask(
                    {"kind": "prepare", "work": work.kind, "model": work.model, "batch": work.batch,
                     "threads": threads, "files": self.files})

    def measure(self, work, threads, effort):
        if work.kind == "gemm":
            return self.worker(threads, threads).ask(
                {"kind": "gemm", "shape": work.shape, "threads": threads,
                 "seconds": effort.gemm_seconds})
        if work.kind == "start":
            answer = run_once([self.python, os.path.join(HERE, "cold_start.py"), self.start,
                               self.files, str(threads)])
            answer.values = {"ms": 1e3 * answer.seconds}
            return answer
        def ask(run):
            return self.worker((work, threads, run), threads).ask(
                {"kind": "run", "repeat": effort.repeat(work)})
        if work.runs > 1:
            return together(at_once([lambda r=r: ask(r) for r in range(work.runs)]))
        return ask(0)

    def versions(self):
        try:
            return self.worker("versions", 1).ask({"kind": "versions"}).values
        finally:
            self.release()

    def release(self):
        for worker in self.workers.values():
            worker.close()
        self.workers = {}

    close = release


def make_contenders(names, build, python, files):
    """Limulus first, then those asked for by name."""
    folder = tempfile.mkdtemp(prefix="limulus-versus-")
    return [Limulus(build, folder),
            *(LimulusOpenCl(build, folder) if n == LimulusOpenCl.name
              else PythonWorker(n, python, files, **FRAMEWORKS[n]) for n in names)]


FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")

# name: worker program, its options, what of the work it takes part in, and what cold_start.py calls
# it (one name for each package: its other ways take the same time to start)
FRAMEWORKS = {
    "torch": {"script": "torch_worker.py", "kinds": ("gemm", "training", "inference"),
              "start": "torch"},
    # The same with the optimizer's single-pass update, which one has to ask for.
    "torch-fused": {"script": "torch_worker.py", "options": ("--fused",), "kinds": ("training",)},
    "torch-compile": {"script": "torch_worker.py", "options": ("--fused", "--compile"),
                      "kinds": ("training", "inference")},
    "onnxruntime": {"script": "onnxruntime_worker.py", "start": "onnxruntime"},
    "openvino": {"script": "openvino_worker.py", "start": "openvino"},
    "openvino-throughput": {"script": "openvino_worker.py", "options": ("--mode", "THROUGHPUT")},
    "openblas": {"script": "numpy_worker.py", "kinds": ("gemm",)},
}

OTHERS = (LimulusOpenCl.name, *FRAMEWORKS)  # whom Limulus can be measured beside
