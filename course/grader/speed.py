"""From measured times to points: how often is measured, what is refused, and the curve.

Nothing here looks at a clock. timing.py does, and hands over turns: in each, the library and the
submission compute the same product from the same fresh inputs, one after the other.
"""

from dataclasses import dataclass, field
from typing import Protocol

TURNS = 10  # of one measurement
FEWEST = 3  # of them, where the submission takes long
SECONDS = 3  # for the submission; then no further turn begins
AGAIN = 2  # measurements more, while the result is near a step of the curve
NEAR = 0.05  # of a step
STEADY = 1.1  # how far the shortest times' share may be from those of the turns
ROOF = 1.05  # of the measured peak: what is faster than this was not computed


class Refused(Exception):
    """Why a submission's speed counts nothing. Its text is shown to the student."""


@dataclass(frozen=True)
class Turn:
    library: float  # seconds
    submission: float
    peak: float = float("inf")  # operations a second that the processor reached beside them


class Meter(Protocol):
    """What measures one submission with one problem (timing.Duel)."""

    operations: float

    def turn(self) -> Turn:
        """Refused where the result was wrong, or none came."""


@dataclass
class Verdict:
    points: float
    share: float  # of the library's speed
    spread: tuple[float, float]  # the middle half of the turns' shares
    turns: list[Turn] = field(default_factory=list)
    operations: float = 0
    steady: bool = True

    @property
    def best(self) -> Turn:
        return fastest(self.turns)

    def facts(self) -> dict:
        """For results.json."""
        return {
            "share": round(self.share, 4), "spread": [round(s, 4) for s in self.spread],
            "turns": len(self.turns), "steady": self.steady,
            "seconds": round(self.best.submission, 7),
            "library_seconds": round(self.best.library, 7)
        }


def fastest(turns: list[Turn]) -> Turn:
    """The shortest time of each, and the highest peak."""
    return Turn(min(t.library for t in turns), min(t.submission for t in turns),
                max(t.peak for t in turns))


def points_of(share: float, curve) -> float:
    return max((points for least, points in curve if share >= least), default=0)


def near_a_step(share: float, curve) -> bool:
    return any(abs(share / least - 1) < NEAR for least, _ in curve)


def spread_of(turns: list[Turn]) -> tuple[float, float]:
    shares = sorted(t.library / t.submission for t in turns)
    cut = len(shares) // 4
    return shares[cut], shares[-1 - cut]


def measured(meter: Meter, turns: int = TURNS) -> list[Turn]:
    found: list[Turn] = []
    while len(found) < turns and (len(found) < FEWEST
                                  or sum(t.submission for t in found) < SECONDS):
        found.append(meter.turn())
    return found


def judged(meter: Meter, curve) -> Verdict:
    """Measures until it is clear between which steps of the curve the result lies, and says how
    many points that is. Refused where any turn's result was wrong, or faster than can be."""
    meter.turn()  # memory is touched for the first time: checked, and not counted
    turns = measured(meter)
    for _ in range(AGAIN):
        if is_steady(turns) and not near_a_step(share_of(turns), curve):
            break
        turns += measured(meter)
    refuse_above_the_roof(meter.operations, fastest(turns))
    share, steady = share_of(turns), is_steady(turns)
    if not steady:  # the two shortest times were not of the same machine, so to speak
        low, high = spread_of(turns)
        share = min(max(share, low), high)
    return Verdict(points_of(share, curve), share, spread_of(turns), turns, meter.operations,
                   steady)


def share_of(turns: list[Turn]) -> float:
    best = fastest(turns)
    return best.library / best.submission


def is_steady(turns: list[Turn]) -> bool:
    """Whether the share of the shortest times is one that single turns have, too. Where other
    programs take the processor away, one side may have had no quiet turn."""
    low, high = spread_of(turns)
    return low / STEADY <= share_of(turns) <= high * STEADY


def refuse_above_the_roof(operations: float, best: Turn):
    if operations > ROOF * best.peak * best.submission:
        raise Refused(
            f"{operations / best.submission / 1e9:.0f} billion operations a second are more than "
            f"the {best.peak / 1e9:.0f} that one core of this processor can do with AVX2: these "
            "were not all computed while the clock ran, or not with AVX2 on one core")


def shown(verdict: Verdict, curve, plain: float | None = None) -> str:
    """The result as a student reads it. `plain`: seconds of the plain product, if it was timed."""
    best, work = verdict.best, verdict.operations

    def line(name: str, seconds: float) -> str:
        return f"    {name:12} {1e3 * seconds:9.2f} ms  {work / seconds / 1e9:7.1f} GFLOP/s"

    lines = [
        f"{verdict.share:.2f} of the library's speed: {verdict.points:g} of "
        f"{curve[-1][1]:g} points",
        line("yours", best.submission),
        line("the library", best.library)
    ]
    if plain is not None:
        lines.append(line("plain loops", plain))
    low, high = verdict.spread
    lines.append(f"    the shortest of {len(verdict.turns)} turns; in half of them {low:.2f} to "
                 f"{high:.2f}; peak {best.peak / 1e9:.0f} GFLOP/s")
    if not verdict.steady:
        lines.append("    the machine was not quiet: the share is the nearest that these turns had")
    lines.append("    points: " + ", ".join(f"{p:g} from {s:g} on" for s, p in curve))
    return "\n".join(lines)
