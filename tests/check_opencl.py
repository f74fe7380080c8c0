"""Limulus on every OpenCL driver that this machine has, and one table of what each of them did.

    tests/check_opencl.py BUILD [--intel FOLDER] [--only NAME] [--json FILE]

BUILD has the program and its tests; FOLDER is a Python environment with intel-opencl-rt. Each
driver is loaded alone (OCL_ICD_VENDORS). In processes of their own, so that a crash costs one part:

    results    every row of the table of cases, with guards around every buffer, against textbook
               loops (limulus compare)
    gradients  every row against differences (limulus gradcheck), where there is double precision
    random     so many random configurations against differences
    training   AlexNet in small for 20 steps, against the processor (backend_opencl_training_test)

Ends with 1 if a driver that is used computes something wrong, or if there is none at all. A driver
that Limulus refuses, or that is not there, is a row with the reason.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

RANDOM_CASES = 300
SECONDS = 900  # for one part


@dataclass
class Driver:
    name: str
    vendor: Path | None = None  # the file that tells the loader where the driver is
    library: str = ""  # what that file says, where it says something wrong
    command: list[str] = field(default_factory=list)  # what the program is started with
    environment: dict[str, str] = field(default_factory=dict)
    missing: str = ""  # why it is not there
    interpreter: bool = False  # then only what ends today


@dataclass
class Part:
    name: str
    cases: int = 0
    failures: list[str] = field(default_factory=list)
    skipped: str = ""
    seconds: float = 0

    def text(self) -> str:
        if self.skipped:
            return "-"
        return f"{self.cases}" + (f", {len(self.failures)} wrong" if self.failures else "")


def drivers(intel: Path | None) -> list[Driver]:
    system = Path("/etc/OpenCL/vendors")
    all_of_them = [
        Driver("PoCL", vendor=system / "pocl.icd"),
        Driver("Intel's CPU runtime",
               vendor=intel and intel / "etc/OpenCL/vendors/intel-cpu.icd",
               library=f"{intel}/lib/libintelocl.so\n",  # the file has the path of a build machine
               environment={"LD_LIBRARY_PATH": f"{intel}/lib"} if intel else {}),
        Driver("rusticl on llvmpipe", vendor=system / "rusticl.icd",
               environment={"RUSTICL_ENABLE": "llvmpipe"}),
        Driver("Oclgrind", command=["oclgrind"], interpreter=True),
    ]
    for driver in all_of_them:
        if driver.command:
            if not shutil.which(driver.command[0]):
                driver.missing = f"the program {driver.command[0]} is not installed"
        elif driver.vendor is None or not driver.vendor.is_file():
            driver.missing = f"{driver.vendor or 'intel-opencl-rt'} is not there"
    return all_of_them


class Trial:
    """One driver, loaded alone, with a cache of its own: nothing is remembered from before."""

    def __init__(self, driver: Driver, build: Path, folder: Path):
        self.driver, self.build, self.folder = driver, build, folder
        self.environment = {**os.environ, **driver.environment, "XDG_CACHE_HOME": str(folder)}
        if driver.vendor:
            vendors = folder / "vendors"
            vendors.mkdir()
            (vendors / "only.icd").write_text(driver.library or driver.vendor.read_text())
            self.environment["OCL_ICD_VENDORS"] = f"{vendors}/"

    def run(self, *command, seconds=SECONDS, **environment):
        """Its output, and "" or how it ended."""
        whole = [*self.driver.command, str(self.build / command[0]), *map(str, command[1:])]
        with tempfile.TemporaryFile() as out:
            try:
                process = subprocess.run(whole, env={**self.environment, **environment}, stdout=out,
                                         stderr=subprocess.STDOUT, timeout=seconds, check=False)
                code = process.returncode
                ended = (f"ended by {signal.Signals(-code).name}" if code < 0 else
                         f"ended with {code}" if code else "")
            except subprocess.TimeoutExpired:
                ended = f"not done after {seconds} s"
            out.seek(0)
            return out.read().decode(errors="replace"), ended

    def device(self):
        """What the driver calls itself, and "" or why Limulus refuses it."""
        output, ended = self.run("limulus", "devices", "--json", seconds=300)
        try:
            found = [d for d in json.loads(output[output.index("[\n"):]) if d["name"] == "opencl:0"]
        except ValueError:
            lines = [line for line in output.splitlines() if line.strip()]
            return None, f"limulus devices: {ended}: {lines[-1] if lines else 'no output'}"
        if not found:
            return None, "it lists no device"
        return found[0], found[0].get("refused", "")


def listed(part: Part, file: Path, good, ended: str):
    """Counts the rows of a JSON list; a program that ended before it was written is a failure."""
    try:
        rows = json.loads(file.read_text())
    except (OSError, ValueError):
        part.failures.append(ended or "no JSON was written")
        return
    part.cases += len(rows)
    part.failures += [row["case"] for row in rows if not good(row)]
    if ended and not ended.startswith("ended with 1"):  # 1: it found something wrong
        part.failures.append(f"after the last row: {ended}")


def parts_of(trial: Trial, device: dict) -> list[Part]:
    double = "double" in device["facts"]["numbers"]
    interpreter = trial.driver.interpreter
    file = trial.folder / "rows.json"

    def part(name, work, skipped=""):
        p = Part(name, skipped=skipped)
        begun = time.monotonic()
        if not skipped:
            print(f"    {trial.driver.name}: {name} ...", file=sys.stderr, flush=True)
            file.unlink(missing_ok=True)
            work(p)
        p.seconds = time.monotonic() - begun
        return p

    def results(p):
        _, ended = trial.run("limulus", "compare", "--device", "opencl:0", "--json", file,
                             LIMULUS_CL_GUARD="1")
        listed(p, file, lambda row: row["same"], ended)

    def gradients(p, *options):
        _, ended = trial.run("limulus", "gradcheck", "--device", "opencl:0", *options,
                             "--json", file)
        listed(p, file, lambda row: row["report"]["verdict"] == "OK", ended)

    def training(p):
        output, ended = trial.run("tests/backend_opencl_training_test")
        p.cases = 1
        if ended or "skipped: " in output:
            p.failures.append(ended or output)

    no_double = "" if double else "no double precision (fp64), without which slopes are rounding"
    slow = "an interpreter takes too long" if interpreter else ""
    return [part("results", results), part("gradients", gradients, no_double or slow),
            part("random", lambda p: gradients(p, "--random", RANDOM_CASES), no_double or slow),
            part("training", training, slow)]


def table(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                     for row in rows)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("build", type=Path)
    arguments.add_argument("--intel", type=Path)
    arguments.add_argument("--only", help="drivers whose name begins so")
    arguments.add_argument("--json", type=Path)
    a = arguments.parse_args()

    rows = [["driver", "version", "results", "gradients", "random", "training", "seconds"]]
    notes, record, used, wrong = [], [], 0, 0
    for driver in drivers(a.intel and a.intel.absolute()):
        if a.only and not driver.name.startswith(a.only):
            continue
        if driver.missing:
            rows.append([driver.name, "not here", *["-"] * 5])
            notes.append(f"{driver.name}: {driver.missing}")
            record.append({"driver": driver.name, "missing": driver.missing})
            continue
        with tempfile.TemporaryDirectory(prefix="limulus-opencl-") as folder:
            begun = time.monotonic()
            trial = Trial(driver, a.build.absolute(), Path(folder))
            device, refused = trial.device()
            version = device["facts"].get("driver", "?") if device else "?"
            if refused:
                rows.append([driver.name, version, "refused", *["-"] * 4])
                notes.append(f"{driver.name}: {refused}")
                record.append({"driver": driver.name, "version": version, "refused": refused})
                continue
            parts = parts_of(trial, device)
            seconds = time.monotonic() - begun
        used += 1
        wrong += sum(len(p.failures) for p in parts)
        rows.append([driver.name, version, *[p.text() for p in parts], f"{seconds:.0f}"])
        notes += [f"{driver.name}, {p.name}: skipped: {p.skipped}" for p in parts if p.skipped]
        notes += [f"{driver.name}, {p.name}: wrong: {f}" for p in parts for f in p.failures[:10]]
        record.append({"driver": driver.name, "version": version, "device": device["description"],
                       "parts": [vars(p) for p in parts], "seconds": seconds})
    print(table(rows))
    print("\n".join(notes))
    print("results: rows of the table of cases, f32 and, where there is double precision, f64, "
          "with guards around every\nbuffer; gradients: rows against differences; random: "
          f"{RANDOM_CASES} random configurations; training: 20 steps of a small AlexNet")
    if a.json:
        a.json.write_text(json.dumps(record, indent=2) + "\n")
    if not used:
        sys.exit("no OpenCL driver was checked")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
