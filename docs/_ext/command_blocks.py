"""Blocks of commands in Markdown: what the site's copy button copies has to run as it stands. So in
a block that holds a command each line is one, or a comment, or goes on with the line before; and
what is said about a command stands behind " # ". Sessions, ```console, are compared elsewhere."""

import re
from pathlib import Path

# What a line of a page may begin with to be a command: programs that the pages use, besides paths.
PROGRAMS = frozenset(
    "apt apt-get bash cd chmod cmake cp ctest curl docker emcmake export g++ gh git grep gunzip "
    "jupyter judge kernel limulus ls make mkdir mv ninja nproc oclgrind pip python python3 rm "
    "runner sha256sum source sudo tar tensorboard timed unset unshare unzip wget zip".split())
A_PATH = re.compile(r"(\.{1,2}|~|build|course/grade\b).*/|.*/bin/|course/grade$|[\w./-]+\.(py|sh)$")
SETTING = re.compile(r"[A-Za-z_]\w*=")
FENCE = re.compile(r"\s*(`{3,}|:{3,}|~{3,})(.*)")
SHELL = ("", "sh", "bash", "shell", "text")  # a fence of another language holds no commands
QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def is_command(line: str) -> bool:
    words = line.lstrip(" (").split()
    while words and SETTING.match(words[0]):
        words.pop(0)  # LIMULUS_ISA=avx2 limulus ...
    if not words or words[1:2] == ["->"]:  # a row of a table: what includes what
        return False
    return words[0] in PROGRAMS or bool(A_PATH.match(words[0]))


def fault(line: str) -> str:
    """What is wrong with a line of a block of commands; "" where nothing is."""
    line = line.strip()
    if line.startswith("#"):
        return ""
    if not is_command(line):
        return "is no command, and its block has some: put # before it, or a block of its own"
    command = QUOTED.sub("_", re.split(r"\s#(?=\s|$)", line, maxsplit=1)[0]).rstrip()
    words = command.split()
    if re.search(r"\S\s{2,}\S", command):
        return "has words behind the command: put # before them"
    if re.search(r"<[a-z][^<>]*>", command):
        return "< > are the shell's redirections: write what is to be replaced in capitals"
    if words[0] == "export" and not all(SETTING.match(w) for w in words[1:]):
        return "export takes NAME=VALUE alone: put # before other words"
    if words[0] == "cd" and len(words) > 2 and words[2] not in ("&&", ";"):
        return "cd takes one folder: put # before other words"
    return ""


def blocks(lines: list[str]):
    """(number of its first line, lines) of each block that may be of commands: indented by four, or
    fenced without a language that is not the shell's."""
    block, start, fence, shell, before = [], 0, "", False, ""
    for number, line in enumerate([*lines, ""], 1):
        mark = FENCE.match(line)
        if fence and mark and mark[1] == fence and not mark[2].strip():
            if shell and block:
                yield start, block
            block, fence = [], ""
        elif fence:
            block.append(line)
        elif mark and mark[1].startswith("`"):
            if block:
                yield start, block
            block, start = [], number + 1
            fence, shell = mark[1], mark[2].strip() in SHELL
        elif line.startswith("    ") and (block or not before.strip()):
            if not block:
                start = number
            block.append(line)
        elif block and line.strip():
            yield start, block
            block = []
        elif block:
            block.append(line)
        before = line
    if block:
        yield start, block


def findings(text: str, name: str) -> list[str]:
    found = []
    for start, block in blocks(text.splitlines()):
        if not any(is_command(line) for line in block):
            continue
        goes_on = False  # a line that ends with a backslash
        for i, line in enumerate(block):
            what = "" if goes_on or not line.strip() else fault(line)
            goes_on = line.rstrip().endswith("\\")
            if what:
                found.append(f"{name}:{start + i}: {line.strip()}\n    {what}")
    return found


def texts(root: Path):
    """(name, text) of all that shows commands: every Markdown file, what `limulus new` writes, what
    `./run course` prints and `grade` says of itself."""
    for path in sorted([*root.rglob("*.md"), *root.glob("tools/templates/*/README.md.in")]):
        name = path.relative_to(root)
        if not name.parts[0].startswith((".", "build")) and name.parts[0] != "runs":
            yield str(name), path.read_text(encoding="utf-8")
    run = (root / "run").read_text(encoding="utf-8")
    for printed in re.findall(r"<<EOF\n(.*?)\nEOF", run, re.S):
        yield "run", printed
    yield "course/grade", (root / "course" / "grade").read_text(encoding="utf-8").split('"""')[1]


def all_findings(root: Path) -> list[str]:
    return [what for name, text in texts(root) for what in findings(text, name)]
