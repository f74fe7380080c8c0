"""How far a long piece of work is."""

import sys
import time


class Bar:
    """A line that shows how far the work is; on a file or pipe, a line now and then."""
    def __init__(self, total: int):
        self.total, self.done, self.shown = total, 0, 0.0
        self.terminal = sys.stderr.isatty()

    def step(self, what: str):
        self.done += 1
        if self.terminal:
            filled = 30 * self.done // self.total
            print(
                f"\r[{'#' * filled}{'.' * (30 - filled)}] {self.done}/{self.total}  {what[:40]:40}",
                end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.shown > 10 or self.done == self.total:
            self.shown = time.monotonic()
            print(f"{self.done}/{self.total}  {what}", file=sys.stderr, flush=True)

    def end(self):
        if self.terminal:
            print(file=sys.stderr)
