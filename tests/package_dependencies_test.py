"""An installed Limulus says which libraries it was linked with that a machine lacks, all of them at
once, and looks for every one.
Usage: package_dependencies_test.py BUILD"""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BUILD = Path(sys.argv.pop()).resolve()
CONFIG = (BUILD / "limulus-config.cmake").read_text(encoding="utf-8")
PROJECT = """cmake_minimum_required(VERSION 3.22)
project(program LANGUAGES CXX)
find_package(limulus REQUIRED)
"""


def configured(*options: str) -> str:
    """What CMake says to a program that uses Limulus."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "CMakeLists.txt").write_text(PROJECT)
        done = subprocess.run(
            ["cmake", "-S", folder, "-B", f"{folder}/build", f"-Dlimulus_DIR={BUILD}", *options],
            capture_output=True, text=True, check=False)
    return " ".join(done.stderr.split())


@unittest.skipIf('if(NOT "ON")' in CONFIG, "a shared library brings along what it was linked with")
class Dependencies(unittest.TestCase):
    def test_all_that_is_missing_is_named_at_once(self):
        said = configured("-DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON",
                          "-DCMAKE_DISABLE_FIND_PACKAGE_fmt=ON",
                          "-DLIMULUS_UTF8PROC_LIBRARY=LIMULUS_UTF8PROC_LIBRARY-NOTFOUND")
        self.assertIn("Limulus was linked with libraries that this machine lacks", said)
        self.assertIn("apt-get install zlib1g-dev libfmt-dev", said)

    def test_every_library_that_it_is_linked_with_is_looked_for(self):
        exported = list(BUILD.glob("CMakeFiles/Export/**/limulus-targets.cmake"))
        self.assertTrue(exported, "the build exports no targets")
        linked = re.findall(r"LINK_ONLY:([^>]+)>", exported[0].read_text(encoding="utf-8"))
        self.assertGreaterEqual(len(linked), 3)
        for name in linked:
            library = name.partition("::")[0]
            self.assertRegex(CONFIG, rf"\((LIMULUS_\w+ )?{library}[ )]", f"nobody looks for {name}")


if __name__ == "__main__":
    unittest.main()
