#!/usr/bin/env python3
"""Limulus beside other frameworks, on this machine, in one run.

    python3 benchmarks/versus/run.py                      # all, on 1 and 2 threads
    python3 benchmarks/versus/run.py --quick --only gemm  # a first look

Measured are products of matrices of AlexNet's sizes, against the processor's peak; passes over
memory, against its bandwidth; AlexNet's training step and inference, with their peak memory; how
both grow with threads and the batch; weights of half the size; a whole process that classifies one
image; what reading photographs costs; training and inference on a busy machine, beside spinning
processes; OpenCL's product beside CLBlast's; and the weights of a state dict are carried over.
Limulus has to be built (this says how, when it is not). Results go to the screen, to
build/versus.json after each group, and to build/versus-*.svg. README.md in the folder above
explains what is compared.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import environment
from contenders import OTHERS, Effort, Work, make_contenders
from measure import CPUS, DISTURBED_SHARE, Cell, MeasurementError, interleave
from plots import write_plots
from table import print_results

PARTS = ("gemm", "memory", "training", "inference", "bf16", "start", "data", "scaling", "busy",
         "clblast", "torchvision")
SWEEP = [1, 2, 4, 8, 16, 32, 64, 128, 256]  # batches of the curve
BUSY = ("limulus", "torch", "onnxruntime", "openvino")  # who is measured on a busy machine
PHOTOGRAPHS = 96  # of each class, to train from: enough for tens of steps


def parse_arguments():
    def numbers(text):
        return [int(t) for t in text.split(",")]

    p = argparse.ArgumentParser(description="Limulus beside other frameworks")
    p.add_argument("--threads", type=numbers, default=[1, 2], help="default: 1,2")
    p.add_argument("--quick", action="store_true",
                   help="few short repetitions: to see that it works")
    p.add_argument("--only", type=lambda t: t.split(","), default=list(PARTS),
                   help="parts, of: " + ",".join(PARTS))
    p.add_argument("--with", dest="others", type=lambda t: t.split(","), default=list(OTHERS),
                   help="beside whom, of (default: all): " + ",".join(OTHERS))
    p.add_argument("--training", type=numbers, help="batches to train (default: 32,128)")
    p.add_argument("--inference", type=numbers, help="batches (default: 1,32,128)")
    p.add_argument("--photographs", action="append", metavar="PATH",
                   help="a folder of class folders, or a tar archive of one, to train from, for "
                        "the waiting for data; can be given several times (default: data/flowers5)")
    p.add_argument("--rounds", type=int, help="undisturbed repetitions to collect (default: 3)")
    p.add_argument("--build", default=os.path.join(environment.ROOT, "build"),
                   help="folder in which Limulus was built (default: build)")
    p.add_argument("--python", help="a Python with the frameworks, instead of build/versus-venv")
    p.add_argument("--output", help="JSON (default: build/versus.json); the plots lie beside it")
    a = p.parse_args()
    for given, known in ((a.only, PARTS), (a.others, OTHERS)):
        for name in given:
            if name not in known:
                p.error(f"unknown: {name}; there are: {', '.join(known)}")
    a.training = a.training or ([32] if a.quick else [32, 128])
    a.inference = a.inference or ([1, 32] if a.quick else [1, 32, 128])
    if min(*a.threads, *a.training, *a.inference, a.rounds or 1, 1) < 1:
        p.error("threads, batches and rounds are 1 or more")
    a.photographs = a.photographs or [os.path.join(environment.ROOT, "data", "flowers5")]
    for path in a.photographs:
        if not os.path.exists(path):
            p.error(f"--photographs {path}: there is no such folder or archive")
    a.sweep = [1, 8, 32] if a.quick else SWEEP
    a.build = os.path.abspath(a.build)
    a.rounds = a.rounds or (1 if a.quick else 3)
    a.patience = 0 if a.quick else a.rounds
    a.effort = Effort(gemm_seconds=0.05, steps=1) if a.quick else Effort(gemm_seconds=0.2, steps=3)
    a.output = os.path.abspath(a.output or os.path.join(environment.ROOT, "build", "versus.json"))
    return a


def groups_of_work(a, products, photographs):
    """What is measured together, round by round: (part, title, works, thread counts, who).
    `photographs`: {name: folder}."""
    everybody, ours = None, ("limulus",)
    most = max(a.threads)
    training = {b: Work("training", f"training step, batch {b}", batch=b) for b in a.training}
    inference = {b: Work("inference", f"inference, batch {b}", batch=b)
                 for b in {*a.inference, *a.sweep}}
    for n in a.threads:
        if "gemm" in a.only:
            yield ("gemm", "products of matrices",
                   [Work("peak", "peak"),
                    *(Work("gemm", p["name"], shape=p["shape"]) for p in products)], [n], everybody)
        if "memory" in a.only:
            yield ("memory", "passes over memory", [Work("memory", "passes over memory", batch=32)],
                   [n], ours)
        if "training" in a.only:
            for work in training.values():
                yield "training", work.name, [work], [n], everybody
        if "inference" in a.only:
            for batch in a.inference:
                yield "inference", inference[batch].name, [inference[batch]], [n], everybody
        if "bf16" in a.only:
            yield ("bf16", "weights stored in two bytes",
                   [Work("inference", f"batch {batch}, {weights}", batch=batch, weights=weights)
                    for batch in a.inference if batch <= 32 for weights in ("f32", "bf16")],
                   [n], ours)
        if "start" in a.only:
            yield ("start", "a whole process",
                   [Work("start", "a whole process"),
                    Work("first start", "its first start, no kernels built")], [n], everybody)
    if "data" in a.only:  # beside the step alone, from memory
        yield ("data", "training from files",
               [*(Work("data", name, batch=32, folder=folder)
                  for name, folder in photographs.items()),
                Work("training", "the step alone", batch=32, classes=5)], [most], ours)
    if "busy" in a.only:
        # Quiet and busy in turns. On one thread, too: two must never be slower than one.
        for work, batch, model in (("training", 32, "lenet5"), ("training", 32, "cifar-convnet"),
                                   ("training", 32, "alexnet"), ("inference", 1, "alexnet")):
            both = [Work(work, f"{model}, {work}, batch {batch}", batch=batch, model=model,
                         busy=busy)
                    for busy in (False, True)]
            if model == "lenet5":
                both.append(Work(work, "lenet5, training, batch 32, two at once", batch=batch,
                                 model=model, runs=2))
            yield "busy", both[0].name, both, a.threads, BUSY
    if "scaling" in a.only:  # all numbers of threads in turns: their ratio is what matters
        yield "scaling", "threads", list(training.values()), a.threads, ours
        yield "scaling", "batches", [inference[b] for b in a.sweep], a.threads, ours


def measure_group(group, contenders, a):
    part, _, works, thread_counts, who = group
    cells = {}
    for work in works:
        for threads in thread_counts:
            for c in contenders:
                if c.takes(work) and (who is None or c.name in who):
                    cells[work, threads, c.name] = Cell(
                        lambda c=c, w=work, n=threads: c.measure(w, n, a.effort),
                        f"{work.name}, {threads} threads, {c.name}",
                        lambda c=c, w=work, n=threads: c.prepare(w, n),
                        CPUS if work.busy else 0)
    try:
        interleave(list(cells.values()), a.rounds, a.patience)
    finally:
        for c in contenders:
            c.release()
    for work in works:
        for threads in thread_counts:
            yield {"part": part, "work": work.name, "kind": work.kind, "threads": threads,
                   "shape": work.shape, "batch": work.batch, "busy": work.busy, "runs": work.runs,
                   "contenders": {name: cell.summary(a.rounds)
                                  for (w, n, name), cell in cells.items()
                                  if (w, n) == (work, threads)}}


def check_state_dict(python, build):
    script = os.path.join(environment.HERE, "torchvision_alexnet.py")
    done = subprocess.run([python, script, "--json", "--images", "16", "--build", build],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise MeasurementError((done.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(done.stdout)


def or_failure(do):
    """What it returns, or why that cannot be had."""
    try:
        return do()
    except Exception as e:  # costs a line, as in Cell.attempt
        return {"failure": str(e)}


def find_photographs(paths, folder, most):
    """{name for the table: folder with some of them}"""
    found = {}
    for i, path in enumerate(paths):
        name = os.path.basename(os.path.normpath(path))
        try:
            found[name] = environment.some_photographs(path, os.path.join(folder, f"data{i}"), most)
        except (OSError, ValueError, environment.tarfile.TarError) as e:
            print(f"--photographs {path}: left out: {e}", flush=True)
    return found


def save(document, path):
    """Whole or not at all: what was measured before is not lost when this is interrupted."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "w") as f:
        json.dump(document, f, indent=1)
    os.replace(path + ".part", path)


def measure_all(a, python, everybody, document, folder):
    document["contenders"] = {c.name: or_failure(c.versions) for c in everybody}
    contenders = [c for c in everybody if "failure" not in document["contenders"][c.name]]
    if {"inference", "start", "busy"} & {*a.only}:
        environment.make_files(python, os.path.join(environment.ROOT, "build", "versus-files"))
    photographs = find_photographs(a.photographs, folder, 32 if a.quick else PHOTOGRAPHS)
    for group in groups_of_work(a, everybody[0].products(), photographs):
        part, title, _, thread_counts, _ = group
        print(f"{time.strftime('%H:%M:%S')}  {part}: {title}, on "
              f"{' and '.join(map(str, thread_counts))} thread{'s' * (max(thread_counts) > 1)}",
              flush=True)
        document["results"] += measure_group(group, contenders, a)
        save(document, a.output)
    if "clblast" in a.only:
        document["clblast"] = or_failure(lambda: everybody[0].beside_clblast(a.effort))
    if "torchvision" in a.only:
        document["torchvision"] = or_failure(lambda: check_state_dict(python, a.build))
    save(document, a.output)


def main():
    a = parse_arguments()
    environment.check_build(a.build)
    python = environment.check_python(a.python) if a.python else environment.make_python()
    everybody = make_contenders(a.others, a.build, python,
                                os.path.join(environment.ROOT, "build", "versus-files"))
    document = {"provenance": environment.provenance(),
                "settings": {"threads": a.threads, "rounds": a.rounds, "quick": a.quick,
                             "gemm_seconds": a.effort.gemm_seconds, "steps": a.effort.steps,
                             "disturbed_share": DISTURBED_SHARE},
                "contenders": {}, "results": []}
    start = time.monotonic()
    interrupted = False
    try:
        with tempfile.TemporaryDirectory(prefix="limulus-photographs-") as folder:
            measure_all(a, python, everybody, document, folder)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        for c in everybody:
            c.close()
    if interrupted and not document["results"]:
        sys.exit("\nversus: interrupted; nothing was measured yet")
    print_results(document)
    print("Everything:",
          ", ".join([a.output, *write_plots(document, os.path.splitext(a.output)[0])]))
    print(f"The run took {(time.monotonic() - start) / 60:.0f} minutes")
    if interrupted:
        sys.exit("versus: interrupted; the above is what was measured until then")


if __name__ == "__main__":
    try:
        main()
    except MeasurementError as e:
        sys.exit(f"versus: {e}")
    except KeyboardInterrupt:
        sys.exit("\nversus: interrupted")
