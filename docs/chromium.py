"""Where a Chromium is, and how it is started, for what looks at pages in one (check_calculator.py,
check_layout.py, tests/docs_slides_test.py)."""

import os
import shutil

SKIPPED = 77  # the exit status of a check that there is no browser for


def find() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def command(path: str, profile: str, *options: str) -> list[str]:
    return [path, "--headless", "--disable-gpu", "--no-first-run", "--no-sandbox",
            f"--user-data-dir={profile}", *options]
