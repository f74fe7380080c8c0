#!/usr/bin/env python3
"""Every network by name, exported as ONNX, gives the same logits in ONNX Runtime: to 1e-5 of the
largest logit.

    onnx_runtime_test.py ONNX_MODELS

It is skipped, and says so, where the packages onnxruntime and numpy are not installed.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77

try:
    import numpy
    import onnxruntime
except ImportError as error:
    print(f"skipped: {error} (pip install onnxruntime numpy)")
    sys.exit(SKIPPED)


def difference(program, name):
    """Of the logits, relative to the largest; and the same for a batch of one."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, name, folder], check=True)
        folder = Path(folder)
        session = onnxruntime.InferenceSession(folder / "net.onnx",
                                               providers=["CPUExecutionProvider"])
        assert session.get_modelmeta().custom_metadata_map["model"] == name
        x, ours = numpy.load(folder / "input.npy"), numpy.load(folder / "logits.npy")
        theirs, = session.run(["logits"], {"input": x})
        alone, = session.run(["logits"], {"input": x[1:]})
        assert theirs.shape == ours.shape and alone.shape == (1, ours.shape[1])
        scale = numpy.abs(ours).max()
        assert scale > 1e-3, "logits that are all 0 show nothing"
        return max(numpy.abs(theirs - ours).max(), numpy.abs(alone - ours[1:]).max()) / scale


def main():
    listed = subprocess.run([sys.argv[1]], check=False, capture_output=True, text=True)
    if listed.returncode == SKIPPED:
        print("skipped: this build has no ONNX (libonnx-dev, libprotobuf-dev)")
        sys.exit(SKIPPED)
    wrong = []
    for name in listed.stdout.split():
        found = difference(sys.argv[1], name)
        print(f"{name:<22} {found:.1e}", flush=True)
        if not found < 1e-5:
            wrong.append(name)
    print(f"{len(listed.stdout.split())} networks, ONNX Runtime {onnxruntime.__version__}")
    sys.exit(f"more than 1e-5: {', '.join(wrong)}" if wrong or not listed.stdout.split() else 0)


if __name__ == "__main__":
    main()
