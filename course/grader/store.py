"""What is kept on this machine: objects and judges, by the content that they were made from."""

import hashlib
import os
import shutil
import time
from functools import cache
from pathlib import Path


@cache
def cache_folder() -> Path:
    """Where objects, headers and judges are kept; objects and headers older than a month are made
    again when needed."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "limulus-course"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for pattern in ("object-*", "header-*", "new-*"):
        for old in folder.glob(pattern):
            try:
                if time.time() - old.stat().st_mtime > 30 * 24 * 3600:
                    shutil.rmtree(old, ignore_errors=True)
            except FileNotFoundError:  # another grader was faster
                pass
    return folder


def digest(*parts: bytes | str) -> str:
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little") + data)
    return sha.hexdigest()[:24]


def place(source: Path, target: Path):
    """Moves a finished file or folder to where others look for it, at once."""
    try:
        source.rename(target)
    except OSError:  # another grader was faster
        if not target.exists():
            raise
