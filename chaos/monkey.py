"""Who kills and cuts what, and when: a plan made of a seed, whose moments are those of the work, not of the clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias, TypeVar

T = TypeVar("T")

What: TypeAlias = Literal["kill", "cut", "half_close", "refuse", "stall", "freeze"]

FAULTS: tuple[What, ...] = ("cut", "half_close", "refuse", "stall")
"""What the proxies do to the connections, of the broker or of the database."""

FREEZE: What = "freeze"
"""One of several daemons hangs until the others have taken over what it had, and then goes on as if nothing were."""

BROKER, DATABASE = "broker", "database"

_MOMENT = 0.25
"""Seconds at most after a point of progress: so that the same point does not always meet the same await."""
_TOGETHER = 0.15
"""The part of the kills that come while the one before is not over."""


@dataclass(frozen=True)
class Act:
    """One thing that is done: when so many parts of the work are done, and some seconds more."""

    at: float
    what: What
    whom: str
    later: float = 0.0
    together: bool = False
    """Whether it is done at once with the one before, before that has come back."""

    def __str__(self) -> str:
        return f"{self.at:6.1%} {self.what} {self.whom}{' at the same time' if self.together else ''}"


def plan(seed: int, kills: int, faults: int, daemons: Sequence[str]) -> Sequence[Act]:
    """The acts of a run in their order; daemons, broker and database are killed about equally often."""
    random = Random(f"monkey {seed}")
    doing: list[tuple[What, str]] = [("kill", whom) for whom in _spread(kills, ("", BROKER, DATABASE), random)]
    freezes = faults // 5 if len(daemons) > 1 else 0
    doing.extend((FREEZE, "") for _ in range(freezes))
    rest = faults - freezes
    doing += zip(_spread(rest, FAULTS, random), _spread(rest, (BROKER, DATABASE), random), strict=True)
    random.shuffle(doing)
    moments = sorted(random.uniform(0.01, 0.97) for _ in doing)
    acts: list[Act] = []
    for at, (what, whom) in zip(moments, doing, strict=True):
        whom = whom or random.choice(daemons)
        before = acts[-1] if acts else None
        both = before is not None and what == before.what == "kill" and whom != before.whom
        together = both and random.random() < _TOGETHER
        acts.append(Act(before.at if together and before else at, what, whom, random.uniform(0, _MOMENT), together))
    return acts


def _spread(count: int, among: Sequence[T], random: Random) -> list[T]:
    """So many of them, each about as often as the others, in a random order."""
    found = [among[number % len(among)] for number in range(count)]
    random.shuffle(found)
    return found
