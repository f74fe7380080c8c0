"""The README shows what `./run alexnet` prints first: the model's table, the data, the run.

    readme_run_test.py PROGRAM

The program is stopped before its first epoch.
"""

import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def printed(program: str) -> list[str]:
    """Up to the line "Run"; without the machine's name, which is after "Device"."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="limulus-readme-") as folder:
        command = [program, "train", "--model", "alexnet", "--data", "data/flowers5", "--seed", "2",
                   "--out", folder]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True) as process:
            for line in process.stdout:
                lines.append(line.rstrip())
                if line.startswith("Run "):
                    break
            process.kill()
    return [line for line in lines if line and not line.startswith("Device")]


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    page = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    begin = next(i for i, line in enumerate(page) if line.startswith("    layer "))
    end = next(i for i, line in enumerate(page) if line.startswith("    Run "))
    shown = textwrap.dedent("\n".join(line for line in page[begin:end + 1]
                                      if line.startswith("    "))).splitlines()
    shown = [line for line in shown if not line.startswith("Device")]
    got = printed(str(Path(sys.argv[1]).resolve()))
    for line in got:
        if line not in shown:
            print(f"README.md does not show: {line}")
    for line in shown:
        if line not in got:
            print(f"README.md shows what is not printed: {line}")
    if got == shown:
        print(f"README.md shows the {len(got)} lines that are printed")
    return int(got != shown)


if __name__ == "__main__":
    sys.exit(main())
