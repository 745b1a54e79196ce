"""Figures of a pair, for metrics: what all cycles of this process did, and how it is now."""

from collections.abc import Callable, Mapping

from .lines import p99
from .summary import Summary
from .telling import Troubles

MEANINGS: Mapping[str, str] = {
    "sync_cycles_total": "cycles that were run",
    "sync_scanned_total": "records that the sides have reported",
    "sync_changed_total": "links that were looked at",
    "sync_written_total": "writes to both sides",
    "sync_failed_total": "writes that did not succeed, and are tried again",
    "sync_quarantined_total": "records that were given up",
    "sync_conflicts_total": "units that both sides had changed",
    "sync_calls_total": "calls to both sides",
    "sync_drift": "units that are unequal, though neither side has changed them, as of the last cycle",
    "sync_conflicts_waiting": "conflicts that wait for a person",
    "sync_in_quarantine": "records that are in quarantine",
    "sync_held": "deletions that wait for a person",
    "sync_lag_seconds": "from a change to its write, of 99 in 100 writes of the last cycle that wrote at most",
    "sync_age_seconds": "since the last cycle that came to its end",
    "sync_budget_remaining": "calls that the side with less left may still make in its window; -1: no limit is known",
}


class Counted:
    """What the cycles of one source did."""

    def __init__(self, troubles: Troubles, left: Callable[[], float], now: Callable[[], float]) -> None:
        self._troubles = troubles
        self._left = left
        self._now = now
        self._totals: dict[str, float] = {name: 0.0 for name in MEANINGS if name.endswith("_total")}
        self._last = Summary("")
        self._lag = 0.0
        self._ended = now()

    def add(self, summary: Summary) -> None:
        """Count a cycle."""
        self._last = summary
        self._totals["sync_cycles_total"] += 1
        self._totals["sync_written_total"] += summary.writes
        self._totals["sync_calls_total"] += summary.calls_a + summary.calls_b
        for name in ("scanned", "changed", "failed", "quarantined", "conflicts"):
            self._totals[f"sync_{name}_total"] += getattr(summary, name)
        lag = p99(summary)
        self._lag = self._lag if lag is None else lag
        if summary.complete:
            self._ended = self._now()

    def readers(self) -> Mapping[str, Callable[[], float]]:
        """How they are read."""
        totals = {name: lambda name=name: self._totals[name] for name in self._totals}
        return {
            **totals,
            "sync_drift": lambda: self._last.drift,
            "sync_conflicts_waiting": lambda: self._troubles.conflicts,
            "sync_in_quarantine": lambda: self._troubles.quarantined,
            "sync_held": lambda: self._last.held,
            "sync_lag_seconds": lambda: self._lag,
            "sync_age_seconds": lambda: max(0.0, self._now() - self._ended),
            "sync_budget_remaining": self._left,
        }
