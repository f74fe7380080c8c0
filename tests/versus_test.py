#!/usr/bin/env python3
"""benchmarks/versus without frameworks: programs that die, hang or talk nonsense cost a line of the
table, what was measured before is in the file, and the tables show it.

    python3 tests/versus_test.py
"""

import contextlib
import io
import json
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks" / "versus"))
import contenders
import environment
import measure
import run
import table
import worker
from contenders import Effort, Work

# What a worker or a program does, as Python.
ANSWERS = ('import sys\n'
           'for line in sys.stdin: print(\'{"ms": 5, "images_per_second": 200}\', flush=True)')
DIES = "import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)"
LACKS = "import no_such_package"
HANGS = "import time; time.sleep(60)"
BABBLES = 'import sys\nfor line in sys.stdin: print("hello", flush=True)'


class Fake:
    """A contender whose worker is a line of Python."""

    def __init__(self, name, program, kinds=("inference",), values=None):
        self.name, self.program, self.kinds, self.values = name, program, kinds, values
        self.workers = []

    def takes(self, work):
        return work.kind in self.kinds

    def prepare(self, work, threads):
        pass

    def measure(self, work, threads, effort):
        if self.values:
            values = dict(self.values[work.kind])
            if "mean_ms" in values:  # three times as long beside others, two at once 2.1 times
                values["mean_ms"] *= (3 if work.busy else 1) * (2.1 if work.runs > 1 else 1)
                values["mean_ms"] *= 2 if threads == 1 else 1
            return measure.Answer(values, 0, 100)
        self.workers.append(measure.Worker([sys.executable, "-c", self.program]))
        return self.workers[-1].ask({"kind": "run"})

    def versions(self):
        return {"fake": "1"}

    def products(self):
        return [{"name": "square", "shape": "512x512x512"}]

    def release(self):
        for worker in self.workers:
            worker.close()
        self.workers = []


NETWORK = {"ms": 4, "mean_ms": 4, "images_per_second": 250}
OURS = {"peak": {"gflops": 500}, "gemm": {"ms": 1, "gflops": 400}, "inference": NETWORK,
        "training": {**NETWORK, "host_ms": 0.1, "host_share": 0.025}, "start": {"ms": 50},
        "first start": {"ms": 900},
        "memory": {"passes": [{"name": "lrn1 forward", "ms": 2, "gbps": 40, "share": 0.75}]},
        "data": {**NETWORK, "prepare_seconds": 1, "first_epoch_images_per_second": 80,
                 "first_epoch_waiting": 0.2, "waiting": 0.01}}


class Versus(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def failure_of(self, program):
        """Why there is no number, where another contender in the same group has one."""
        a = SimpleNamespace(rounds=1, patience=0, effort=Effort(0.01, 1))
        group = ("inference", "", [Work("inference", "one", batch=1)], [1], None)
        [row] = run.measure_group(group, [Fake("limulus", ANSWERS), Fake("other", program)], a)
        self.assertEqual(row["contenders"]["limulus"]["ms"], 5)
        return row["contenders"]["other"]["failure"]

    def test_a_worker_that_dies(self):
        self.assertIn("SIGKILL", self.failure_of(DIES))
        self.assertIn("No module named 'no_such_package'", self.failure_of(LACKS))

    def test_a_worker_that_talks_nonsense(self):
        self.assertIn("JSONDecodeError", self.failure_of(BABBLES))

    def test_programs_that_hang(self):
        before, measure.PATIENCE = measure.PATIENCE, 3
        try:
            self.assertIn("no answer for too long", self.failure_of(HANGS))
            with self.assertRaisesRegex(measure.MeasurementError, "no answer for too long"):
                measure.run_once([sys.executable, "-c", HANGS])
        finally:
            measure.PATIENCE = before

    def test_a_program_that_runs_once(self):
        answer = measure.run_once([sys.executable, "-c", "print('[1, 2]')"])
        self.assertEqual(answer.values, [1, 2])
        self.assertLessEqual(answer.first_output, answer.seconds)
        with self.assertRaisesRegex(measure.MeasurementError, "no such thing"):
            measure.run_once([sys.executable, "-c", "raise SystemExit('no such thing')"])

    def test_spinning_processes_are_there_and_end(self):
        with measure.Load(2) as load:
            pids = [p.pid for p in load.processes]
            self.assertGreater(load.seconds(), 0)
        self.assertEqual([Path(f"/proc/{pid}").exists() for pid in pids], [False, False])
        with self.assertRaises(KeyError):  # also when what is measured fails
            with measure.Load(1) as load:
                raise KeyError
        self.assertFalse(Path(f"/proc/{load.processes[0].pid}").exists())
        # What they use is not counted as others'.
        program = ("import time\nend = time.monotonic() + 0.3\n"
                   "while time.monotonic() < end: pass\nprint(1)")
        taken = measure.sample(lambda: measure.run_once([sys.executable, "-c", program]),
                               measure.CPUS)
        self.assertEqual(taken.values, 1)

    def test_two_at_once(self):
        answers = measure.at_once([lambda: measure.Answer({"mean_ms": 3}, 1, 10),
                                   lambda: measure.Answer({"mean_ms": 5}, 2, 20)])
        both = contenders.together(answers)
        self.assertEqual((both.values["mean_ms"], both.cpu_seconds, both.memory_mb), (4, 3, 30))

        def fails():
            raise measure.MeasurementError("no")
        with self.assertRaisesRegex(measure.MeasurementError, "no"):
            measure.at_once([fails, lambda: 1])

    def test_a_worker_tells_median_and_mean(self):
        out = io.StringIO()
        requests = '{"kind": "prepare", "batch": 2}\n{"kind": "run", "repeat": 3}\n'
        with contextlib.redirect_stdout(out):
            before, sys.stdin = sys.stdin, io.StringIO(requests)
            try:
                worker.serve(lambda: {}, lambda request: lambda repeat: [0.001, 0.001, 0.004])
            finally:
                sys.stdin = before
        answer = json.loads(out.getvalue().splitlines()[-1])
        self.assertEqual((answer["ms"], answer["mean_ms"]), (1, 2))

    def document(self, everybody):
        """Everything, measured with these contenders."""
        a = SimpleNamespace(
            threads=[1, 2], rounds=1, patience=0, quick=True, effort=Effort(0.01, 1), training=[32],
            inference=[1], sweep=[1, 32], photographs=[], output=str(self.folder / "v.json"),
            only=[p for p in run.PARTS
                  if p not in ("inference", "start", "clblast", "torchvision")])
        document = {"provenance": {"processor": "a fast one"}, "contenders": {}, "results": [],
                    "settings": {"threads": a.threads, "disturbed_share": measure.DISTURBED_SHARE}}
        before, run.CPUS = run.CPUS, 0  # beside nobody
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                run.measure_all(a, sys.executable, everybody, document, str(self.folder))
        finally:
            run.CPUS = before
        return document

    def printed(self, how, document):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            how(document)
        return text.getvalue()

    def test_tables(self):
        kinds = tuple(OURS)
        everybody = [Fake("limulus", "", kinds, OURS),
                     Fake("limulus-opencl", "", ("training", "gemm"), {
                         **OURS, "training": {**OURS["training"], "ms": 2}}),
                     Fake("torch", "", ("training", "gemm"), {
                         **OURS, "training": {"ms": 12, "mean_ms": 14, "images_per_second": 83.3}}),
                     Fake("openvino", "", ("training",), None)]
        everybody[-1].program = DIES
        document = self.document(everybody)
        with open(self.folder / "v.json") as f:
            self.assertEqual(json.load(f), document)
        for how in (table.print_results, table.print_markdown):
            text = self.printed(how, document)
            for expected in ("openvino, training step, batch 32, 1 thread: not available",
                             "SIGKILL", "80 % (512x512x512)",
                             "1 of 1 passes are below 80 % on 2 threads", "lrn1"):
                self.assertIn(expected, text)
        # The best other is another framework, though our own OpenCL was faster. 12 ms / 4 ms = 3.
        self.assertIn("| training step, batch 32 | 250.0 | 250.0 | 83.3 | failed | torch | 3.00 |",
                      text)
        self.assertIn("| training step, batch 32 | 2 | 0.10 | 2.0 | 2.5 % |", text)
        # The busy machine: means, quiet and busy; who failed has no number and no ratio.
        self.assertIn("| lenet5, training, batch 32 | 2 | 4.00 | 12.00 | 14.00 | 42.00 | failed "
                      "| failed | torch | 3.50 |", text)
        self.assertIn("| alexnet, inference, batch 1 | 1 | 8.00 | 24.00 | - | - | - | - | - | - |",
                      text)
        for expected in (
                "cifar-convnet, training, batch 32, busy: 2 threads of limulus are 2.00 times as "
                "fast as 1 thread",
                "lenet5, training, batch 32, two at once, 2 threads: limulus takes 2.10 times as "
                "long as one alone"):
            self.assertIn(expected, text)

    def test_an_interrupted_run_keeps_what_it_has(self):
        class Interrupts(Fake):
            def measure(self, work, threads, effort):
                if work.kind == "training":
                    raise KeyboardInterrupt
                return super().measure(work, threads, effort)

        with self.assertRaises(KeyboardInterrupt):
            self.document([Interrupts("limulus", "", tuple(OURS), OURS)])
        with open(self.folder / "v.json") as f:
            document = json.load(f)
        self.assertEqual({r["part"] for r in document["results"]}, {"gemm", "memory"})
        self.assertIn("lrn1 forward", self.printed(table.print_markdown, document))

    def test_photographs_from_a_folder_or_an_archive(self):
        for label in ("daisy", "tulips"):
            (self.folder / "flowers" / label).mkdir(parents=True)
            for i in range(5):
                (self.folder / "flowers" / label / f"{i}.jpg").write_bytes(b"picture")
        with tarfile.open(self.folder / "flowers.tar", "w") as archive:
            archive.add(self.folder / "flowers", "flowers")
        for i, path in enumerate(("flowers", "flowers.tar")):
            chosen = Path(environment.some_photographs(str(self.folder / path),
                                                       str(self.folder / f"made{i}"), 3))
            self.assertEqual(sorted(str(p.relative_to(chosen)) for p in chosen.glob("*/*")),
                             [f"{c}/{i}.jpg" for c in ("daisy", "tulips") for i in range(3)])
            self.assertTrue(all(p.read_bytes() == b"picture" for p in chosen.glob("*/*")))
        (self.folder / "empty").mkdir()
        with self.assertRaises(FileNotFoundError):
            environment.some_photographs(str(self.folder / "empty"), str(self.folder / "made3"), 3)


if __name__ == "__main__":
    unittest.main()
