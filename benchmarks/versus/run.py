#!/usr/bin/env python3
"""Limulus beside other frameworks, on this machine, in one run.

    python3 benchmarks/versus/run.py                      all, on 1 and 2 threads
    python3 benchmarks/versus/run.py --quick --only gemm  a first look

Measured are products of matrices of AlexNet's sizes, against the processor's peak, and AlexNet's
training step and inference; and the weights of a state dict are carried over. Limulus has to be built
(this says how, when it is not). Results go to the screen and to build/versus.json. README.md in the
folder above explains what is compared.
"""
import argparse
import json
import os
import subprocess
import sys

import environment
from contenders import FRAMEWORKS, Effort, Work, make_contenders
from measure import DISTURBED_SHARE, Cell, MeasurementError, interleave
from table import print_results

PARTS = ("gemm", "training", "inference", "torchvision")


def parse_arguments():
    def numbers(text):
        return [int(t) for t in text.split(",")]

    p = argparse.ArgumentParser(description="Limulus beside other frameworks")
    p.add_argument("--threads", type=numbers, default=[1, 2], help="default: 1,2")
    p.add_argument("--quick", action="store_true", help="few short repetitions: to see that it works")
    p.add_argument("--only", type=lambda t: t.split(","), default=list(PARTS),
                   help="parts, of: " + ",".join(PARTS))
    p.add_argument("--with", dest="frameworks", type=lambda t: t.split(","), default=["torch"],
                   help="frameworks, of: " + ",".join(FRAMEWORKS))
    p.add_argument("--training", type=numbers, default=[32], help="batches to train (default: 32)")
    p.add_argument("--inference", type=numbers, default=[1, 32], help="batches (default: 1,32)")
    p.add_argument("--rounds", type=int, help="undisturbed repetitions to collect (default: 5)")
    p.add_argument("--build", default=os.path.join(environment.ROOT, "build"),
                   help="folder in which Limulus was built (default: build)")
    p.add_argument("--python", help="a Python with the frameworks, instead of build/versus-venv")
    p.add_argument("--output", help="JSON (default: build/versus.json)")
    a = p.parse_args()
    for given, known in ((a.only, PARTS), (a.frameworks, FRAMEWORKS)):
        for name in given:
            if name not in known:
                p.error(f"unknown: {name}; there are: {', '.join(known)}")
    if min(*a.threads, *a.training, *a.inference, a.rounds or 1, 1) < 1:
        p.error("threads, batches and rounds are 1 or more")
    a.build = os.path.abspath(a.build)
    a.rounds = a.rounds or (2 if a.quick else 5)
    a.patience = 0 if a.quick else 2 * a.rounds
    a.effort = Effort(gemm_seconds=0.1, steps=1) if a.quick else Effort(gemm_seconds=0.3, steps=3)
    a.output = a.output or os.path.join(environment.ROOT, "build", "versus.json")
    return a


def groups_of_work(parts, training, inference, products):
    """What is measured together, round by round."""
    if "gemm" in parts:
        yield [Work("peak", "peak"),
               *(Work("gemm", p["name"], shape=p["shape"]) for p in products)]
    if "training" in parts:
        for batch in training:
            yield [Work("training", f"training step, batch {batch}", batch=batch)]
    if "inference" in parts:
        for batch in inference:
            yield [Work("inference", f"inference, batch {batch}", batch=batch)]


def measure_group(group, contenders, threads, a):
    cells = {}
    for work in group:
        for c in contenders:
            if work.kind in c.kinds:
                cells[work, c.name] = Cell(
                    lambda c=c, work=work: c.measure(work, threads, a.effort),
                    f"{work.name}, {threads} threads, {c.name}")
    interleave(list(cells.values()), a.rounds, a.patience)
    for work in group:
        yield {"work": work.name, "kind": work.kind, "threads": threads, "shape": work.shape,
               "batch": work.batch,
               "contenders": {name: cell.summary(a.rounds) for (w, name), cell in cells.items()
                              if w == work}}


def check_state_dict(python, build):
    script = os.path.join(environment.HERE, "torchvision_alexnet.py")
    done = subprocess.run([python, script, "--json", "--build", build], stdout=subprocess.PIPE,
                          text=True)
    if done.returncode != 0:
        raise MeasurementError(f"{script}: exit status {done.returncode}")
    return json.loads(done.stdout)


def main():
    a = parse_arguments()
    environment.check_build(a.build)
    python = environment.check_python(a.python) if a.python else environment.make_python()
    contenders = make_contenders(a.frameworks, a.build, python)
    document = {"provenance": environment.provenance(),
                "contenders": {c.name: c.versions() for c in contenders},
                "settings": {"threads": a.threads, "rounds": a.rounds, "quick": a.quick,
                             "gemm_seconds": a.effort.gemm_seconds, "steps": a.effort.steps,
                             "disturbed_share": DISTURBED_SHARE},
                "results": []}
    try:
        for threads in a.threads:
            for group in groups_of_work(a.only, a.training, a.inference, contenders[0].products()):
                print(f"measuring on {threads} thread{'s' * (threads > 1)}: "
                      f"{'products of matrices' if len(group) > 1 else group[0].name}", flush=True)
                document["results"] += measure_group(group, contenders, threads, a)
        if "torchvision" in a.only:
            document["torchvision"] = check_state_dict(python, a.build)
    finally:
        for c in contenders:
            c.close()
    os.makedirs(os.path.dirname(os.path.abspath(a.output)), exist_ok=True)
    with open(a.output, "w") as f:
        json.dump(document, f, indent=1)
    print_results(document)
    print(f"Everything: {a.output}")


if __name__ == "__main__":
    try:
        main()
    except MeasurementError as e:
        sys.exit(f"versus: {e}")
    except KeyboardInterrupt:
        sys.exit("\nversus: interrupted")
