#!/usr/bin/env python3
"""Limulus beside other frameworks, on this machine, in one run.

    python3 benchmarks/versus/run.py                      all, on 1 and 2 threads
    python3 benchmarks/versus/run.py --quick --only gemm  a first look

Measured are products of matrices of AlexNet's sizes, against the processor's peak; AlexNet's training
step and inference, with their peak memory; how both grow with threads and the batch; a whole process
that classifies one image; what reading photographs costs; and the weights of a state dict are carried over. Limulus has to be built
(this says how, when it is not). Results go to the screen, to build/versus.json and build/versus-*.svg.
README.md in the folder above explains what is compared.
"""
import argparse
import json
import os
import subprocess
import sys

import environment
from contenders import FRAMEWORKS, Effort, Work, make_contenders
from measure import DISTURBED_SHARE, Cell, MeasurementError, interleave
from plots import write_plots
from table import print_results

PARTS = ("gemm", "training", "inference", "scaling", "start", "data", "torchvision")
SWEEP = [1, 2, 4, 8, 16, 32, 64, 128, 256]  # batches of the curve


def parse_arguments():
    def numbers(text):
        return [int(t) for t in text.split(",")]

    p = argparse.ArgumentParser(description="Limulus beside other frameworks")
    p.add_argument("--threads", type=numbers, default=[1, 2], help="default: 1,2")
    p.add_argument("--quick", action="store_true", help="few short repetitions: to see that it works")
    p.add_argument("--only", type=lambda t: t.split(","), default=list(PARTS),
                   help="parts, of: " + ",".join(PARTS))
    p.add_argument("--with", dest="frameworks", type=lambda t: t.split(","), default=list(FRAMEWORKS),
                   help="frameworks, of (default: all): " + ",".join(FRAMEWORKS))
    p.add_argument("--training", type=numbers, help="batches to train (default: 32,128)")
    p.add_argument("--inference", type=numbers, help="batches (default: 1,32,128)")
    p.add_argument("--photographs", default=os.path.join(environment.ROOT, "data", "flowers5"),
                   help="folder to train from, for the waiting for data (default: data/flowers5)")
    p.add_argument("--rounds", type=int, help="undisturbed repetitions to collect (default: 3)")
    p.add_argument("--build", default=os.path.join(environment.ROOT, "build"),
                   help="folder in which Limulus was built (default: build)")
    p.add_argument("--python", help="a Python with the frameworks, instead of build/versus-venv")
    p.add_argument("--output", help="JSON (default: build/versus.json); the plots lie beside it")
    a = p.parse_args()
    for given, known in ((a.only, PARTS), (a.frameworks, FRAMEWORKS)):
        for name in given:
            if name not in known:
                p.error(f"unknown: {name}; there are: {', '.join(known)}")
    a.training = a.training or ([32] if a.quick else [32, 128])
    a.inference = a.inference or ([1, 32] if a.quick else [1, 32, 128])
    if min(*a.threads, *a.training, *a.inference, a.rounds or 1, 1) < 1:
        p.error("threads, batches and rounds are 1 or more")
    a.sweep = [1, 8, 32] if a.quick else SWEEP
    a.build = os.path.abspath(a.build)
    a.rounds = a.rounds or (1 if a.quick else 3)
    a.patience = 0 if a.quick else 2 * a.rounds
    a.effort = Effort(gemm_seconds=0.05, steps=1) if a.quick else Effort(gemm_seconds=0.2, steps=3)
    a.output = os.path.abspath(a.output or os.path.join(environment.ROOT, "build", "versus.json"))
    return a


def groups_of_work(a, products):
    """What is measured together, round by round: (part, title, works, thread counts, who)."""
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
        if "training" in a.only:
            for work in training.values():
                yield "training", work.name, [work], [n], everybody
        if "inference" in a.only:
            for batch in a.inference:
                yield "inference", inference[batch].name, [inference[batch]], [n], everybody
        if "start" in a.only:
            yield "start", "a whole process", [Work("start", "a whole process")], [n], everybody
    if "data" in a.only:  # beside the step alone, from memory
        yield ("data", "training from files",
               [Work("data", "from files", batch=32, folder=os.path.abspath(a.photographs)),
                Work("training", "the step alone", batch=32)], [most], ours)
    if "scaling" in a.only:  # all numbers of threads in turns: their ratio is what matters
        yield "scaling", "threads", list(training.values()), a.threads, ours
        yield "scaling", "batches", [inference[b] for b in a.sweep], a.threads, ours


def measure_group(group, contenders, a):
    part, _, works, thread_counts, who = group
    cells = {}
    for work in works:
        for threads in thread_counts:
            for c in contenders:
                if work.kind in c.kinds and (who is None or c.name in who):
                    cells[work, threads, c.name] = Cell(
                        lambda c=c, w=work, n=threads: c.measure(w, n, a.effort),
                        f"{work.name}, {threads} threads, {c.name}",
                        lambda c=c, w=work, n=threads: c.prepare(w, n))
    try:
        interleave(list(cells.values()), a.rounds, a.patience)
    finally:
        for c in contenders:
            c.release()
    for work in works:
        for threads in thread_counts:
            yield {"part": part, "work": work.name, "kind": work.kind, "threads": threads,
                   "shape": work.shape, "batch": work.batch,
                   "contenders": {name: cell.summary(a.rounds)
                                  for (w, n, name), cell in cells.items() if (w, n) == (work, threads)}}


def check_state_dict(python, build):
    script = os.path.join(environment.HERE, "torchvision_alexnet.py")
    done = subprocess.run([python, script, "--json", "--build", build], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return {"failure": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout)


def introduce(contenders):
    """The versions of those who can take part; why the others cannot."""
    versions = {}
    for c in contenders:
        try:
            versions[c.name] = c.versions()
        except MeasurementError as e:
            versions[c.name] = {"failure": str(e)}
    return versions


def main():
    a = parse_arguments()
    environment.check_build(a.build)
    python = environment.check_python(a.python) if a.python else environment.make_python()
    folder = os.path.join(environment.ROOT, "build", "versus-files")
    everybody = make_contenders(a.frameworks, a.build, python, folder)
    document = {"provenance": environment.provenance(),
                "settings": {"threads": a.threads, "rounds": a.rounds, "quick": a.quick,
                             "gemm_seconds": a.effort.gemm_seconds, "steps": a.effort.steps,
                             "disturbed_share": DISTURBED_SHARE},
                "results": []}
    try:
        document["contenders"] = introduce(everybody)
        contenders = [c for c in everybody if "failure" not in document["contenders"][c.name]]
        if {"inference", "start"} & {*a.only}:
            environment.make_files(python, folder)
        for group in groups_of_work(a, everybody[0].products()):
            part, title, _, thread_counts, _ = group
            print(f"measuring {part}: {title}, on {' and '.join(map(str, thread_counts))} "
                  f"thread{'s' * (max(thread_counts) > 1)}", flush=True)
            document["results"] += measure_group(group, contenders, a)
        if "torchvision" in a.only:
            document["torchvision"] = check_state_dict(python, a.build)
    finally:
        for c in everybody:
            c.close()
    os.makedirs(os.path.dirname(a.output), exist_ok=True)
    with open(a.output, "w") as f:
        json.dump(document, f, indent=1)
    print_results(document)
    print("Everything:", ", ".join([a.output, *write_plots(document, os.path.splitext(a.output)[0])]))


if __name__ == "__main__":
    try:
        main()
    except MeasurementError as e:
        sys.exit(f"versus: {e}")
    except KeyboardInterrupt:
        sys.exit("\nversus: interrupted")
