#!/usr/bin/env python3
"""Does every #include follow the picture in docs/architecture.md ("Dependencies")? Is every file
with a thread_local variable named there ("What a thread knows without being told")?

    tests/dependencies_test.py [ROOT]

A line there, "    training/data -> pages, formats, core", names a room (a folder, with the folders
in it that have no line of their own) and every room that its files include. An arrow that is not in
the picture fails, and so do one in it that no file uses, a circle, and a room that the picture
leaves out.
"""

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/../..").resolve()
SOURCES = (".h", ".cpp", ".h.in", ".cpp.in")
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"|<limulus/)([^">]+)[">]', re.MULTILINE)


def section(heading):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return page.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def picture():
    """room -> the rooms that it may include"""
    arrows = {}
    for line in section("Dependencies").splitlines():
        found = re.match(r"^    ([\w/]+) +-> *([\w/, ]*)$", line)
        if found:
            arrows[found[1]] = {room.strip() for room in found[2].split(",") if room.strip()}
    return arrows


def room_of(path, rooms):
    """The longest room that the path lies in, or None."""
    inside = [room for room in rooms if path.startswith(room + "/")]
    return max(inside, key=len, default=None)


def sources():
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        top = inside.parts[0]
        if path.name.endswith(SOURCES) and not top.startswith(("build", ".", "runs")):
            yield inside.as_posix(), path.read_text(encoding="utf-8")


def thread_locals():
    """The files with such a variable; what a test or a template has is its own."""
    code = re.compile(r"^[^/\"]*\bthread_local\b", re.MULTILINE)
    return {path for path, text in sources()
            if not path.startswith(("tests/", "tools/")) and code.search(text)}


def circle(arrows):
    """A way from a room back to itself, or None."""
    def search(room, way):
        if room in way:
            return way[way.index(room):] + [room]
        found = (search(after, way + [room]) for after in sorted(arrows.get(room, ())))
        return next((w for w in found if w), None)

    return next((way for way in (search(room, []) for room in arrows) if way), None)


def main():
    arrows, used, wrong = picture(), {}, []
    if not arrows:
        sys.exit("docs/architecture.md has no picture: lines such as \"    layers -> core\"")
    for room, after in arrows.items():
        wrong += [f"the picture has an arrow from {room} to {to}, which has no line"
                  for to in after - set(arrows)]
    for path, text in sources():
        room = room_of(path, arrows)
        if room is None:
            wrong.append(f"{path} is in no room of the picture")
            continue
        for name in INCLUDE.findall(text):
            if not (ROOT / name).is_file():  # beside the file, generated, or of the system
                continue
            to = room_of(name, arrows)
            if to is None:
                wrong.append(f"{path} includes {name}, which is in no room of the picture")
            elif to != room:
                used.setdefault((room, to), path)
                if to not in arrows[room]:
                    wrong.append(f"{path} includes {name}: there is no arrow from {room} to {to}")
    wrong += [f"no file uses the arrow from {room} to {to}"
              for room in arrows for to in sorted(arrows[room]) if (room, to) not in used]
    named = set(re.findall(r"`([\w/]+\.cpp)`", section("What a thread knows without being told")))
    wrong += [f"{path} has a thread_local variable, and docs/architecture.md does not name it"
              for path in sorted(thread_locals() - named)]
    wrong += [f"docs/architecture.md names {path}, which has no thread_local variable"
              for path in sorted(named - thread_locals())]
    if way := circle(arrows):
        wrong.append("the arrows run in a circle: " + " -> ".join(way))
    for line in wrong:
        print(line)
    print(f"{len(used)} arrows between {len(arrows)} rooms")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
