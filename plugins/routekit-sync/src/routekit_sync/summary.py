"""What came of a cycle, in figures, and what is told while it runs."""

from dataclasses import dataclass, field

from .units import Side

_LAGS = 1000


@dataclass(slots=True)
class Summary:
    """One cycle of a pair."""

    pair: str
    scanned: int = 0
    """Records that the sides have reported."""
    changed: int = 0
    """Links that were looked at, as a record of theirs was reported otherwise or they were due."""
    created_a: int = 0
    created_b: int = 0
    updated_a: int = 0
    updated_b: int = 0
    archived_a: int = 0
    archived_b: int = 0
    deleted_a: int = 0
    deleted_b: int = 0
    linked: int = 0
    """Records that were found to be one."""
    merged: int = 0
    """Links that ended as their record was merged into another one."""
    failed: int = 0
    """Writes that did not succeed, and are tried again."""
    quarantined: int = 0
    conflicts: int = 0
    """Units that both sides had changed."""
    manual: int = 0
    """Those of them that wait for a person."""
    drift: int = 0
    blocked: int = 0
    problems: int = 0
    """Units that could not be converted."""
    parked: int = 0
    """Links that a person has to look at, from this cycle on."""
    waiting: int = 0
    """Links that wait for their parent."""
    held: int = 0
    """Deletions that wait for a person."""
    calls_a: int = 0
    calls_b: int = 0
    seconds: float = 0.0
    lag_50: float | None = None
    """Seconds from a change to its write, of half of the writes at most; None if no stamps were known."""
    lag_95: float | None = None
    lag_most: float | None = None
    complete: bool = True
    """Whether it got to its end: if not, `note` says what stopped it, and the next one goes on from there."""
    wait: float = 0.0
    """Seconds to wait before the next cycle, if a side has asked for it."""
    note: str = ""
    alerts: list[str] = field(default_factory=list[str])
    """What a person should hear of: deletions that are held, links that were parked."""
    lags: list[float] = field(default_factory=list[float], repr=False)

    @property
    def writes(self) -> int:
        """Writes to both sides."""
        return sum(self.count(op, side) for op in _OPS for side in _SIDES)

    def count(self, op: str, side: Side) -> int:
        """How many writes of one kind there were to a side: `create`, `update`, `archive`, `delete`."""
        return int(getattr(self, f"{_OPS[op]}_{side}"))

    def wrote(self, op: str, side: Side, lag: float | None) -> None:
        """Count a write; `lag` is the time since the change."""
        name = f"{_OPS[op]}_{side}"
        setattr(self, name, getattr(self, name) + 1)
        if lag is not None and len(self.lags) < _LAGS:
            self.lags.append(max(lag, 0.0))

    def finish(self) -> "Summary":
        """Make the percentiles of what was collected."""
        lags = sorted(self.lags)
        if lags:
            self.lag_50 = lags[(len(lags) - 1) // 2]
            self.lag_95 = lags[int((len(lags) - 1) * 0.95)]
            self.lag_most = lags[-1]
        return self

    def figures(self) -> dict[str, float]:
        """All that is a number, by name."""
        found: dict[str, float] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[name] = value
        return found


_OPS = {"create": "created", "update": "updated", "archive": "archived", "delete": "deleted"}
_SIDES: tuple[Side, Side] = ("a", "b")


@dataclass(frozen=True, slots=True)
class Progress:
    """Said while a cycle runs, after each part of it."""

    stage: str
    """`reading a`, `reading b`, `comparing`, `creating`, `deleting`, or `done`."""
    scanned: int = 0
    changed: int = 0
    written: int = 0
    failed: int = 0
    alert: str = ""
    """What a person should hear of."""
