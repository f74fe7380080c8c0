"""Runs of kernels that were made before.

The program that starts a kernel is always the same, and a kernel's file is often the same in many
of the submissions that `grade verify` grades. A run whose program, files, inputs and limits are
byte for byte those of an earlier one has the same outcome, and is not made again; but for one
submission, which is graded twice to prove just that (verify.py).
"""

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from .program import Limits, Outcome
from .store import digest, place


class Memo:
    def __init__(self, folder: Path):
        self.folder = folder

    def key(self, kind: str, command: list[str], box: Path, limits: Limits, inputs: Path) -> str:
        """`kind`: of the sandbox; `box`: the folder that the program runs in."""
        files = sorted(path for path in box.rglob("*") if path.is_file())
        return digest(kind, " ".join(command), repr(limits), inputs.read_bytes(),
                      *(part for path in files
                        for part in (path.relative_to(box).as_posix(), path.read_bytes())))

    def find(self, key: str, results: Path) -> Outcome | None:
        """The outcome, with the program's results copied to that file; None where it is new."""
        kept = self.folder / key
        if not kept.is_dir():
            return None
        shutil.copyfile(kept / "results", results)
        return Outcome(**json.loads((kept / "outcome").read_text(encoding="utf-8")))

    def keep(self, key: str, outcome: Outcome, results: Path):
        if outcome.late:  # of the machine, perhaps
            return
        finished = Path(tempfile.mkdtemp(dir=self.folder, prefix="new-"))
        shutil.copyfile(results, finished / "results")
        (finished / "outcome").write_text(json.dumps(asdict(outcome)), encoding="utf-8")
        place(finished, self.folder / key)
        shutil.rmtree(finished, ignore_errors=True)
