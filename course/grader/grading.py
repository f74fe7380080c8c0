"""Grading one submission: build, then one process for each test, then a verdict by the judge.
What is timed is timing.py's."""

import json
import re
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from . import GradeError, kernels, ranks
from .assignment import Assignment, Test
from .build import Builder, Compiled
from .limulus import Judge
from .memo import Memo
from .results import Results
from .program import Limits, Outcome
from .starter import task_file

CLEAN = "compiles without warnings"
MOST_TIMEOUTS = 2  # of one task's tests; the rest of them is not run


@dataclass
class Grading:
    """One submission of the assignment that `judge` judges."""

    judge: Judge
    builder: Builder
    results: Results
    files: dict[str, bytes]  # what was handed in, by name
    replace: bool = True  # failed prerequisites by the staff's version, where there is one
    tests: list[Test] = field(default_factory=list)  # to be run; empty: all
    memo: Memo | None = None  # of runs that were made before
    compiled: dict[str, Compiled] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)  # what was compiled, of each task
    passed: dict[str,
                 bool] = field(default_factory=dict)  # of tasks: whether each test so far passed

    @property
    def a(self) -> Assignment:
        return self.judge.a

    def run(self, progress=lambda test, entry: None):
        """All but what is timed: timing.py does that, when nothing else runs."""
        if not self.compiled:
            self.build()
        limits = kernels.limits(self.a)
        timeouts: dict[str, int] = {}
        for test in [t for t in self.tests or self.a.tests if not t.curve]:
            if why := kernels.missing_tool(test.tool):
                self.results.leave_ungraded(test, why)
            elif timeouts.get(test.task, 0) >= MOST_TIMEOUTS:
                self.fail(test,
                          f"not run: {MOST_TIMEOUTS} tests of task {test.task} ran out of time",
                          "time")
            elif self.test(test, limits):
                timeouts[test.task] = timeouts.get(test.task, 0) + 1
            progress(test, self.results.tests[test.number])

    # ---- building --------------------------------------------------------------------------------

    def build(self):
        messages, failed = [], False
        for task in self.a.tasks.values():
            text = self.files.get(task.file)
            if text is None:
                messages.append(f"{task.file} was not handed in")
                text = task_file(self.a, task.id, solved=False).encode()
            self.texts[task.id] = text
            self.compiled[task.id] = made = self.builder.compile(task.file, text)
            failed = failed or made.object is None
            if made.message:
                messages.append(f"{task.file}: {made.verdict}\n{made.message[:2000]}")
        _, trouble = self.program(frozenset())
        if trouble and not failed:
            messages.append(f"does not link\n{trouble}")
            failed = True
        if not self.files:
            messages.insert(0, "none of the assignment's files was handed in")
            failed = True
        self.results.set_build(not failed, "\n".join(messages) or CLEAN)

    def version(self, task: str, replaced: frozenset[str]) -> tuple[bytes, Compiled]:
        """A task's text and what became of it: the staff's, where it is in `replaced`."""
        if task not in replaced:
            return self.texts[task], self.compiled[task]
        text = task_file(self.a, task, solved=True).encode()
        return text, self.builder.compile(self.a.tasks[task].file, text)

    def program(self, replaced: frozenset[str],
                test: Test | None = None) -> tuple[Path | None, str]:
        """The program, with the staff's version of the tasks in `replaced`. The one that starts a
        kernel has nothing else of the submission in it."""
        if test and self.a.tasks[test.task].is_kernel:
            return self.builder.link([], complete=False)
        objects, complete = [], True
        for task in self.a.tasks.values():
            if task.is_kernel:
                continue
            _, made = self.version(task.id, replaced)
            if made.object is None:
                complete = False
            else:
                objects.append(made.object)
        folder, trouble = self.builder.link(objects, complete)
        if folder is None and complete:  # a function is missing: what does not call it can run
            folder, _ = self.builder.link(objects, complete=False)
        return folder, trouble

    # ---- one test --------------------------------------------------------------------------------

    def test(self, test: Test, limits: Limits) -> bool:
        """Runs it and notes its result; returns whether it ran out of time."""
        made = self.compiled[test.task]
        if made.object is None:
            self.fail(test, made.why_not(self.a.tasks[test.task].file), "build")
            return False
        failed = [task for task in self.a.before(test.task) if not self.passed.get(task, True)]
        replaced = frozenset(failed) if self.replace and self.a.staff.is_dir() else frozenset()
        folder, trouble = self.program(replaced, test)
        if folder is None:
            self.fail(test, f"the program does not link: {trouble}", "build")
            return False
        inputs = self.judge.make(test.case, self.a.seed(test))
        answers = self.builder.work / "answers"
        files = self.kernels_of(test, replaced)
        sandbox = self.builder.sandbox
        with kernels.copied(self.builder, folder, files) if files else nullcontext(folder) as box:
            if test.ranks:
                outcome = ranks.run(sandbox, self.judge.program, box, limits, test.ranks, inputs,
                                    answers)
            elif files and self.memo:
                outcome = self.run_once(test, box, limits, inputs, answers)
            else:
                outcome = sandbox.run(kernels.command(test.tool), box, limits, stdin=inputs,
                                      results=answers)
        counted = kernels.bytes_read(outcome.output) if test.tool else None
        try:
            verdict = json.loads(self.judge.check(test.case, inputs, answers, counted))
        finally:
            answers.unlink(missing_ok=True)
        if test.tool and verdict["kind"] != "not written" and (
                found := kernels.finding(outcome.output)):
            verdict = {"ok": False, "kind": "wrong", "message": f"Oclgrind: {found}"}
        if verdict["kind"] == "damaged":
            verdict["message"] += "\nresults of functions are all that a program can return"
        self.note(test, verdict, outcome, limits, failed, replaced)
        return outcome.late

    def run_once(self, test: Test, box: Path, limits: Limits, inputs: Path,
                 answers: Path) -> Outcome:
        """Runs a kernel's program, unless the very same was run before (memo.py)."""
        sandbox, command = self.builder.sandbox, kernels.command(test.tool)
        key = self.memo.key(sandbox.kind, command, box, limits, inputs)
        outcome = self.memo.find(key, answers)
        if outcome is None:
            outcome = sandbox.run(command, box, limits, stdin=inputs, results=answers)
            self.memo.keep(key, outcome, answers)
        return outcome

    def kernels_of(self, test: Test, replaced: frozenset[str]) -> dict[str, bytes]:
        """The files of the kernels that this test may start: the text, and as the device takes
        it."""
        files = {}
        for id in [*self.a.before(test.task), test.task]:
            task = self.a.tasks[id]
            if task.is_kernel:
                text, made = self.version(id, replaced)
                if made.object is not None:
                    name = Path(task.file).name
                    files |= {name: text, f"{name}.bin": made.object.read_bytes()}
        if files:
            files |= {
                Path(name).name: (self.a.folder / name).read_bytes()
                for name in self.a.sources
            }
        return files

    def note(self, test: Test, verdict: dict, outcome: Outcome, limits: Limits, failed, replaced):
        kind, message = verdict["kind"], verdict["message"]
        passed = verdict["ok"] is True
        if kind == "not written":
            message = f"task {message} is yet to be written"
            if verdict["message"] != test.task:
                message += f": task {test.task} calls it"
            elif (file := self.a.tasks[test.task].file) not in self.files:
                message += f": {file} was not handed in"
        elif kind == "error" and test.hidden:  # its text could give the inputs away
            message = message.partition("\n")[0] + "\nit threw an exception"
        elif kind == "missing":
            trouble = outcome.trouble(limits) or "the program ended before the function returned"
            message += trouble
        lines = [message] if message else []
        if replaced and kind != "not written":
            lines.append(
                f"(with the staff's version of {', '.join(sorted(replaced))}, as yours fails)")
        elif failed and not passed and kind != "not written":
            lines.append(f"(it may call your {', '.join(failed)}, which fails: begin there)")
        if not passed and kind != "not written":
            if outcome.output.strip() and not test.hidden and not test.tool:
                lines.append("it printed:\n" + indented(plainly(outcome.output)))
            lines.append(self.repeat(test))
        self.results.set(test, passed, "\n".join(lines) or "right", kind)
        self.passed[test.task] = self.passed.get(test.task, True) and passed

    def repeat(self, test: Test) -> str:
        if test.hidden:
            return (f"to look for such inputs at home: ./grade test {test.task} --case {test.case} "
                    "--tries 100")
        return f"to repeat it at home: ./grade test {test.task} --case {test.case}"

    def fail(self, test: Test, output: str, kind: str):
        self.results.set(test, False, output, kind)
        self.passed[test.task] = False


# libstdc++ names a function of the library and its template arguments; what says something to a
# student is the condition, and what kind of array it was.
ASSERTION = re.compile(r"\S+:\d+: .*\[with _T(?:p|ype) = (const )?([\w: ]+?)[;\]].*: "
                       r"(Assertion '.*' failed)\.")


def plainly(text: str) -> str:
    """What a program printed, with a failed assertion about an index in one short line."""
    def shortened(found: re.Match) -> str:
        whose = "an input" if found[1] else "an output, or your own"
        return f"{found[3]}, in an array of {found[1] or ''}{found[2]} ({whose})"

    return ASSERTION.sub(shortened, text)


def indented(text: str, most: int = 1500) -> str:
    text = text.strip()
    if len(text) > most:
        text = text[:most] + " ..."
    return "\n".join("    " + line for line in text.splitlines())


def check_cases(a: Assignment, judge: Judge):
    known = set(judge.cases())
    for test in a.tests:
        if test.case not in known:
            raise GradeError(f"{a.folder}/assignment.toml: the judge has no case '{test.case}'")
