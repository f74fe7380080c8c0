#!/usr/bin/env python3
"""Checks the pages of the site without building it: only Python's standard library is used.

    docs/check_pages.py PROGRAM [--update] [PAGE ...]
    docs/check_pages.py --stored [PAGE ...]     without a program: numbers are those of
                                                explained.json, and no command is run

  * every {num} and {calc}, in a line or as a block, is computed from `PROGRAM explain --json`;
  * every {layer}, {walk}, {parameters}, {drawing} and {picture} is made, with the same checks;
  * every function that is shown by {excerpt} is where it is said to be;
  * every ```console block is run, in the repository's root, and what it prints is compared; "..."
    in the page stands for anything within a line, and a line of "..." for any lines. What `limulus
    bench` prints is an example: any number stands for any number, and any machine for any machine;
  * in a block of commands every line is one, or a comment, and "#" stands before what is said of
    it, in all Markdown files of the repository (_ext/command_blocks.py);
  * a number of three digits or more, or with a decimal point, that stands in the text without one
    of the roles is a finding: nobody would notice when it becomes wrong. A number that is given,
    such as the 256 pixels of a prepared photograph, is written as mathematics, $256$;
  * the front page's picture, alexnet.svg, is what _ext/network.py draws from the same numbers;
  * explained.json, which the site is made of where there is no program, has the same numbers;
  * the matrices of Winograd's method on their page and in transforms.h are what
    _ext/winograd_matrices.py computes from the points, and so is the worked tile;
  * every program in examples/ fits its page, begins with its number and title, and is in the list
    there;
  * on a page of the walk that has a way back, "## Exercises" stand before "## Backward", where a
    first reading ends, and none of them needs a gradient;
  * a word of the field is in glossary.md, and the first page of the walk that uses it says what it
    means (_ext/words.py).

With --update the picture is drawn again, explained.json is renewed, and the output of console
blocks that differ is put into the pages; look at the difference before you believe it. Prints what
is wrong and ends with 1, or says how much was checked.
"""

import functools
import os
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import command_blocks  # noqa: E402
import drawings  # noqa: E402
import excerpts  # noqa: E402
import network  # noqa: E402
import page_numbers  # noqa: E402
import pictures  # noqa: E402
import stored  # noqa: E402
import tables  # noqa: E402
import winograd_matrices  # noqa: E402
import words  # noqa: E402

MADE = {"{excerpt}": excerpts.excerpt, "{drawing}": drawings.drawing, "{layer}": tables.layer,
        "{picture}": pictures.picture, "{walk}": tables.walk,
        "{parameters}": lambda words: tables.parameters(words.split())}

ROLE = re.compile(r"\{(num|calc|quoted)\}`([^`]*)`")
FENCE = re.compile(r"^\s*(`{3,}|:{3,})(\{?[\w-]*\}?)\s*(.*)$")
LOOSE = re.compile(r"(?<![\w.,/-])\d[\d,]*\.?\d*(?![\w/])")
YEAR = re.compile(r"^(19|20)\d\d$")
TIME_LIMIT = 300  # seconds a command may take, on a machine that is busy


class Page:
    def __init__(self, path: Path):
        self.path, self.findings, self.checked = path, [], 0
        self.fresh: dict[int, tuple[int, str]] = {}  # outputs that differ: line -> (lines, text)
        # Where no number may stand unchecked: the walk, lectures' slides, the staff's questions.
        self.strict = path.parent.name in ("walk", "slides", "staff")

    def wrong(self, line: int, what: str):
        self.findings.append(f"{self.path.relative_to(ROOT)}:{line}: {what}")

    def verify(self, line: int, check, *arguments):
        self.checked += 1
        try:
            check(*arguments)
        except (page_numbers.NumberError, excerpts.ExcerptError) as error:
            self.wrong(line, str(error))

    def roles(self, line: int, text: str):
        for kind, content in ROLE.findall(text.replace("\\|", "|")):  # as a cell of a table has it
            if kind == "num":
                self.verify(line, page_numbers.number, content)
            elif kind == "calc":
                self.verify(line, page_numbers.calculation, content)

    def loose_numbers(self, line: int, text: str):
        text = ROLE.sub("", text)
        text = re.sub(r"`[^`]*`|\$[^$]*\$|\]\([^)]*\)|^#.*|^:::.*", "", text)
        for found in LOOSE.findall(text):
            digits = found.replace(",", "").rstrip(".")
            if ("." in digits or len(digits) >= 3) and not YEAR.match(digits):
                self.wrong(line, f"{found} stands in the text as it is; use num, calc or quoted")

    def run(self):
        """Reads the page line by line; blocks of a kind that is checked are collected."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        kind, block, fence, start, in_math = "", [], "", 0, False
        for number, line in enumerate(lines, 1):
            mark = FENCE.match(line)
            if kind:
                if mark and mark[1] == fence and not mark[2]:
                    self.block(kind, start, block)
                    kind = ""
                else:
                    block.append(line)
                continue
            if line.strip() == "$$" or (line.startswith("$$") and line.count("$$") == 1):
                in_math = not in_math
            if mark and mark[2] in ("{details}",):
                continue  # its text is text
            if mark and mark[2] and not mark[1].startswith(":::"):
                kind, block, fence, start = mark[2], [], mark[1], number
                if kind in MADE:
                    self.verify(number, MADE[kind], mark[3])
                continue
            self.roles(number, line)
            if self.strict and not in_math and not line.startswith("$$"):
                self.loose_numbers(number, line)
        if kind:
            self.wrong(start, f"the block {kind} has no end")

    def block(self, kind: str, line: int, block: list[str]):
        if kind == "{calc}":
            for i, text in enumerate(block, 1):
                if text.strip():
                    self.verify(line + i, page_numbers.calculation, text)
        elif kind == "console":
            self.console(line, block)
        elif self.strict and not kind.startswith("{"):
            self.wrong(line, f"a block of {kind} that nobody checks; use excerpt or console")

    def console(self, line: int, block: list[str]):
        indent = len(block[0]) - len(block[0].lstrip())
        block = [text[indent:] for text in block]
        if not block[0].startswith("$ "):
            return self.wrong(line, "a console block begins with '$ ' and a command")
        if not page_numbers.program():
            return None
        self.checked += 1
        wanted = "\n".join(block[1:]).rstrip()
        got = output_of(block[0][2:])
        if not re.fullmatch(as_pattern(wanted, " bench " in block[0]), got + "\n"):
            self.fresh[line + 1] = (len(block) - 1, textwrap.indent(got, " " * indent))
            self.wrong(line, f"{block[0][2:]}\n  prints\n{shown(got)}\n  and not\n{shown(wanted)}")


    def update(self):
        lines = self.path.read_text(encoding="utf-8").splitlines()
        for line, (count, text) in sorted(self.fresh.items(), reverse=True):
            lines[line : line + count] = text.splitlines()
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@functools.cache
def output_of(command: str) -> str:
    environment = dict(os.environ)
    words = command.split()
    while "=" in words[0]:  # LIMULUS_FUSE=0 limulus ...
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[0] == "limulus":
        words[0] = os.environ["LIMULUS"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT,
                              env=environment, timeout=TIME_LIMIT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"({error})"
    return "\n".join(text.rstrip() for text in (done.stdout + done.stderr).splitlines()).rstrip()


def run_ahead(paths: list[Path]):
    """Two commands at a time: none is timed, and each takes a second or two."""
    commands = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        commands += re.findall(r"```console\n\s*\$ (.*)", text)
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(output_of, dict.fromkeys(commands)))


def as_pattern(wanted: str, measured: bool = False) -> str:
    pattern = []
    for line in wanted.splitlines():
        if line.strip() == "...":
            pattern.append(r"(?:[^\n]*\n)*?")
        elif measured:
            pattern.append(measured_pattern(line) + r"\n")
        else:
            pattern.append(r"[^\n]*?".join(map(re.escape, line.split("..."))) + r"\n")
    return "".join(pattern)


def measured_pattern(line: str) -> str:
    """Of a line of `bench`: words are words, but not the machine's name, and what was measured may
    differ, and be marked as slow ("<") or not."""
    if " on " in line and ":" in line:
        line = line[: line.index(" on ") + 4] + "..." + line[line.index(":") :]
    parts = []
    for text in line.split("..."):
        words = [word for word in text.split() if word != "<"]
        parts.append(r"[ <]+".join(
            "(?:GFLOP|GB)/s" if word in ("GFLOP/s", "GB/s") else
            r"[\d.,]+" if re.fullmatch(r"[\d.,]+", word) else re.escape(word) for word in words))
    return r"[ <]*" + r"[^\n]*?".join(parts) + r"[ <]*"


def shown(text: str) -> str:
    return "\n".join("    | " + line for line in text.splitlines())


def pages_of(arguments: list[str]) -> list[Path]:
    if arguments:
        return [Path(a).resolve() for a in arguments]
    skipped = ("_ext", "_static")
    pages = [p for p in sorted((ROOT / "docs").rglob("*.md")) if p.parent.name not in skipped]
    course = ROOT / "course"  # a student's repository has no course/staff
    return pages + [p for where in ("*/README.md", "slides/*.md", "staff/*.md")
                    for p in sorted(course.glob(where))]


def examples_findings() -> list[str]:
    """What a page of a program needs (_ext/annotated.py); what it prints is compared by its own
    test."""
    folder = ROOT / "examples"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    findings = []
    for path in sorted(folder.rglob("*.cpp")):
        name = str(path.relative_to(folder))
        lines = path.read_text(encoding="utf-8").splitlines()
        longest = max(range(len(lines)), key=lambda i: len(lines[i]))
        for wrong, what in (
            (len(lines) >= 150, f"{len(lines)} lines; fewer than 150 fit into one lesson"),
            (len(lines[longest]) > 80, f"line {longest + 1} is longer than 80 columns"),
            (not lines[0].startswith(f"// {name[:2]} "),
             f"begins with '// {name[:2]} ' and its title"),
            (f"[{name[:2]}]({name})" not in listed, "examples/README.md does not list it"),
        ):
            if wrong:
                findings.append(f"examples/{name}: {what}")
    return findings


def exercises_findings() -> list[str]:
    findings = []
    for path in sorted((ROOT / "docs" / "walk").glob("*.md")):
        forward, _, back = path.read_text(encoding="utf-8").partition("\n## Backward\n")
        name = path.relative_to(ROOT)
        if "\n*Here the second half" not in back:
            continue  # read as a whole
        if "\n## Exercises\n" in back:
            findings.append(f"{name}: '## Exercises' stand behind '## Backward'")
        exercises = forward.partition("\n## Exercises\n")[2]
        if early := re.search(r"(?i)gradient|derivative|\$d[xwyb]\b", exercises):
            findings.append(f"{name}: an exercise before '## Backward' speaks of {early[0]}")
    return findings


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    alone = sys.argv[1] == "--stored"
    os.environ["LIMULUS"] = "" if alone else str(Path(sys.argv[1]).resolve())
    arguments = sys.argv[2:]
    update = "--update" in arguments and not alone
    if update and network.differs():
        network.update()
    findings, checked = [*examples_findings(), *filter(None, [network.differs()]),
                         *winograd_matrices.findings(), *exercises_findings(), *words.findings(),
                         *command_blocks.all_findings(ROOT)], 0
    chosen = [a for a in arguments if a != "--update"]
    paths = pages_of(chosen)
    if not alone:
        run_ahead(paths)
    for path in paths:
        page = Page(path)
        page.run()
        if update and page.fresh:
            page.update()
        findings += page.findings
        checked += page.checked
    if update:
        stored.store(page_numbers.asked, complete=not chosen)
    if not alone:
        findings += stored.findings(page_numbers.asked, complete=not chosen)
    print("\n".join(findings)
          or f"{checked} numbers, calculations, excerpts and commands are right")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
