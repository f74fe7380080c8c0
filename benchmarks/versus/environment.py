"""What has to be there before anything is measured, and what a result says of where it was made."""
import hashlib
import os
import platform
import subprocess
import sys
import tarfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def stop(message):
    sys.exit(f"versus: {message}")


def check_build(build):
    for program, target in (("limulus", "limulus_program"), ("benchmarks/gemm_bench", "gemm_bench"),
                            ("benchmarks/memory_bench", "memory_bench"),
                            ("benchmarks/load_and_run", "load_and_run")):
        path = os.path.join(build, program)
        if not os.access(path, os.X_OK):
            where = os.path.relpath(build, ROOT) if build.startswith(ROOT + os.sep) else build
            stop(f"{path} is missing. In {ROOT}:\n"
                 f"    cmake -S . -B {where} -DCMAKE_BUILD_TYPE=Release\n"
                 f"    cmake --build {where} --parallel\n"
                 f"(target {target}; --build DIR names another build folder)")


def make_python():
    """The Python of build/versus-venv, made on the first run and whenever requirements.txt
    changed."""
    venv = os.path.join(ROOT, "build", "versus-venv")
    python, stamp = os.path.join(venv, "bin", "python"), os.path.join(venv, "requirements.sha256")
    requirements = os.path.join(HERE, "requirements.txt")
    with open(requirements, "rb") as f:
        wanted = hashlib.sha256(f.read()).hexdigest()
    if os.path.exists(stamp):
        with open(stamp) as f:
            if f.read() == wanted:
                return python
    print(f"Making {venv}: the frameworks to compare with, kept apart from the system's Python.\n"
          "pip installs what requirements.txt lists. PyTorch's usual package brings its GPU "
          "libraries\n"
          "along (some gigabytes); to use a Python that has these packages, give --python PATH.",
          flush=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "-r", requirements], check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        stop(f"the environment could not be made: {e}\n"
             "Its message is above. Python's venv module is Debian's package python3-venv; pip "
             "needs a\n"
             "network. Without either, give --python PATH.")
    with open(stamp, "w") as f:
        f.write(wanted)
    return python


def check_python(python):
    """That it runs; a framework that it lacks becomes a line of the table."""
    try:
        subprocess.run([python, "-c", "import numpy"], check=True, capture_output=True, text=True)
    except OSError as e:
        stop(f"--python {python}: {e}")
    except subprocess.CalledProcessError as e:
        stop(f"{python} lacks a package: {e.stderr.strip().splitlines()[-1]}\n"
             f"Leave --python out, or: {python} -m pip install -r {HERE}/requirements.txt")
    return python


def make_files(python, folder):
    """What files.py writes, made on the first run and whenever that program changed."""
    wanted = hashlib.sha256()
    for name in ("files.py", "torch_models.py"):
        with open(os.path.join(HERE, name), "rb") as f:
            wanted.update(f.read())
    stamp = os.path.join(folder, "made-by.sha256")
    if os.path.exists(stamp):
        with open(stamp) as f:
            if f.read() == wanted.hexdigest():
                return
    print(f"Making {folder}: AlexNet with random weights for each framework", flush=True)
    done = subprocess.run([python, os.path.join(HERE, "files.py"), folder], capture_output=True,
                          text=True)
    if done.returncode != 0:
        print("It failed, so others' inference cannot be measured: "
              + (done.stderr.strip().splitlines() or ["no message"])[-1], flush=True)
        return
    with open(stamp, "w") as f:
        f.write(wanted.hexdigest())


def from_cpuinfo(key):
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith(key):
                return line.partition(":")[2].strip()
    return "unknown"


def memory_gb():
    with open("/proc/meminfo") as f:
        return round(int(f.readline().split()[1]) * 1024 / 1e9, 1)


def provenance():
    git = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                         capture_output=True, text=True)
    return {"date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "commit": git.stdout.strip() or "unknown",
            "processor": from_cpuinfo("model name"),
            "family, model": f"{from_cpuinfo('cpu family')}, {from_cpuinfo('model')}",
            "cpus": os.cpu_count(), "memory_gb": memory_gb(), "kernel": platform.release(),
            "settings": ", ".join(f"{k}={v}" for k, v in sorted(os.environ.items())
                                  if k.startswith("LIMULUS_")) or "no LIMULUS_ variables",
            "python": platform.python_version()}


PICTURES = (".jpg", ".jpeg", ".png")


def some_photographs(path, folder, most):
    """`path`, a folder or a tar archive of one, as a folder with at most `most` pictures of each
    class: so a set of thousands costs as much time as the others. Made in `folder`."""
    if os.path.isfile(path):
        unpacked = os.path.join(folder, "unpacked")
        if not os.path.isdir(unpacked):
            with tarfile.open(path) as archive:
                safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                archive.extractall(unpacked, **safely)
        path = unpacked
    while len(inside := [e for e in os.scandir(path) if not e.name.startswith(".")]) == 1:
        path = inside[0].path  # an archive often has a single folder
    chosen = os.path.join(folder, "chosen")
    for here, _, names in os.walk(path):
        for name in sorted(n for n in names if n.lower().endswith(PICTURES))[:most]:
            there = os.path.join(chosen, os.path.relpath(here, path))
            os.makedirs(there, exist_ok=True)
            os.symlink(os.path.abspath(os.path.join(here, name)), os.path.join(there, name))
    if not os.path.isdir(chosen):
        raise FileNotFoundError(f"{path} has no pictures: a folder of class folders is wanted")
    return chosen
