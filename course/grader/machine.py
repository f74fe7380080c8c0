"""What the processor of this machine is, and can do."""

from functools import cache
from pathlib import Path


@cache
def processor() -> tuple[str, frozenset[str]]:
    """Its name, and its instruction sets as Linux names them. Nothing where nothing is known."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "unknown processor", frozenset()
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    return found.get("model name", "unknown processor"), frozenset(found.get("flags", "").split())


def lacks(wanted: list[str]) -> list[str]:
    """Those of the instruction sets that this processor does not have."""
    return [name for name in wanted if name not in processor()[1]]
