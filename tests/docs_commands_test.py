"""What a reader copies from a page runs as it stands (docs/_ext/command_blocks.py, and the button
of docs/_static/copy.js in a headless Chromium).

    docs_commands_test.py

That all pages keep to it, docs_pages asks.
"""

import html
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "docs"), str(ROOT / "docs" / "_ext")]
import chromium  # noqa: E402
import command_blocks  # noqa: E402


class Commands(unittest.TestCase):
    def found(self, text: str) -> list[str]:
        return command_blocks.findings(text, "page")

    def test_words_behind_a_command_are_found(self):
        for line, what in (
            ("./grade test 1.1      builds, and says that", "words behind the command"),
            ("course/grade verify   proves it", "words behind the command"),
            ("LIMULUS_ISA=avx2 limulus bench    with short vectors", "words behind the command"),
            ("(cd data && ls)   lists them", "words behind the command"),
            ("export LIMULUS_PREFIX=/where not needed for /usr", "export takes"),
            ("cd limulus the new folder", "cd takes one folder"),
            ("git clone <this repository> limulus", "redirections"),
            ("class-graded/grades.csv    a line for each\n    ./grade list", "is no command"),
        ):
            for page in (f"Text:\n\n    {line}\n\nMore.\n", f"    {line}\n",
                         f"Text:\n\n```sh\n{line.replace(chr(10) + '    ', chr(10))}\n```\n",
                         f"* a list\n\n      {line}\n"):
                with self.subTest(page):
                    self.assertEqual(len(self.found(page)), 1)
                    self.assertIn(what, self.found(page)[0])
        self.assertTrue(self.found("a\n\n    ./run x\n    ./run y  z\n")[0].startswith("page:4:"))

    def test_what_runs_is_no_finding(self):
        for page in ("    ./grade test 1.1  # builds\n    # and says more\n",
                     "    limulus train --data DIR \\\n        --epochs 3    \n    ./run test\n",
                     "    grep -c 'two  blanks' notes.txt\n", "    runner < inputs > results\n",
                     "    cd a && ls\n    export A=1 B=2\n",
                     "```cpp\n./run x  y\n```\n", "```console\n$ limulus x\nlayer  shape\n```\n",
                     "A paragraph\n    that goes on: ./run  x\n",
                     "    python  -> core\n    tests   -> python\n"):
            with self.subTest(page):
                self.assertEqual(self.found(page), [])

    def test_what_is_searched(self):
        names = [name for name, _ in command_blocks.texts(ROOT)]
        for name in ("README.md", "docs/python.md", "course/grade", "run",
                     "tools/templates/kernel/README.md.in"):
            self.assertIn(name, names)

    def test_run_knows_the_words_that_are_named_anywhere(self):
        run = (ROOT / "run").read_text(encoding="utf-8")
        commands = run[run.index("case $command"):]
        words = set(re.findall(r"^  ([a-z]+)(?: \| -h \| --help)?\)", commands, re.M))
        checks = set(re.findall(r"[a-z-]+", re.search(
            r"case \$what in\s+([a-z| \\\n-]+)\)", run)[1])) | {"fuzz"}
        named = 0
        for path in ROOT.rglob("*"):
            inside = path.relative_to(ROOT).parts
            if inside[0].startswith("build") or ".git" in inside or inside[0] == "data":
                continue
            if path.suffix not in {".md", ".py", ".sh", ".cpp", ".h", ".cmake", ".yml", ".in"}:
                continue
            if path == Path(__file__).resolve():
                continue
            text = path.read_text(encoding="utf-8")
            for found in re.finditer(r"(?:`|^ *(?:\$ )?)\./run ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?",
                                     text, re.M):
                named += 1
                where = f"{path.relative_to(ROOT)} names `./run {found[1]} {found[2] or ''}`"
                self.assertIn(found[1], words, where)
                if found[1] == "check" and found[2]:
                    self.assertIn(found[2], checks, where)
        self.assertGreater(named, 50)

    def test_the_button(self):
        path = chromium.find()
        if path is None:
            print("the button is not tried: there is no Chromium here")
            self.skipTest("there is no Chromium here")
        cases = [  # language, what the page shows, what is to be copied
            ("none", "cd a\n./grade test 1.1   # builds\n                   # and says\n",
             "cd a\n./grade test 1.1"),
            ("console", "$ limulus devices  # all\ncpu  2 threads\n$ ls\n", "limulus devices\nls"),
            ("none", "layer   shape\n\nconv1   96\n", "layer   shape\n\nconv1   96"),
            ("python", "x = 1  # one\n", "x = 1  # one"),
            ("none", "./run test '#1'\n# a line\n", "./run test '#1'\n# a line"),
        ]
        script = (ROOT / "docs" / "_static" / "copy.js").read_text(encoding="utf-8")
        asked = json.dumps([[text, language] for language, text, _ in cases])
        with tempfile.TemporaryDirectory(prefix="limulus-copy-") as folder:
            page = Path(folder) / "page.html"
            page.write_text(f"<pre></pre><script>{script}\n"
                            "document.querySelector('pre').textContent"
                            f" = JSON.stringify({asked}.map((a) => copied(...a)));</script>")
            done = subprocess.run(chromium.command(path, f"{folder}/profile", "--dump-dom",
                                                   page.as_uri()),
                                  capture_output=True, text=True, check=False, timeout=120)
        shown = re.search("<pre>(.*?)</pre>", done.stdout, re.S)
        self.assertTrue(shown, done.stderr)
        self.assertEqual(json.loads(html.unescape(shown[1])), [wanted for _, _, wanted in cases])


if __name__ == "__main__":
    unittest.main()
