"""Lines: a cycle in one line of the log, and the same for people who look at it later."""

from collections import Counter
from collections.abc import Iterable

from .summary import Summary
from .units import Side

_DONE = ("created", "updated", "archived", "deleted")


def line_of(summary: Summary, codes: Iterable[str] = ()) -> str:
    """A cycle in one line; `codes` say why those in quarantine are there.

    `customers  A→B 12 created 3 updated  B→A 1 updated  conflicts 0  quarantined 1 (refused)  lag p99 4.2s`
    """
    parts = [summary.pair, *(f"{way} {done}" for way, done in ways(summary))]
    if len(parts) == 1:
        parts.append("nothing to write")
    parts.append(f"conflicts {summary.conflicts}")
    parts.append(f"quarantined {summary.quarantined}{_counted(codes)}")
    for name in ("failed", "blocked", "problems", "drift", "parked", "held"):
        if count := getattr(summary, name):
            parts.append(f"{name} {count}")
    lag = p99(summary)
    if lag is not None:
        parts.append(f"lag p99 {lag:.1f}s")
    if not summary.complete:
        parts.append(f"not complete: {summary.note}" if summary.note else "not complete")
    return "  ".join(parts)


def ways(summary: Summary) -> Iterable[tuple[str, str]]:
    """What was written in each direction, in words; a direction without a write is left out."""
    sides: tuple[tuple[str, Side], ...] = (("A→B", "b"), ("B→A", "a"))
    for way, side in sides:
        done = [f"{getattr(summary, f'{name}_{side}')} {name}" for name in _DONE if getattr(summary, f"{name}_{side}")]
        if done:
            yield way, " ".join(done)


def p99(summary: Summary) -> float | None:
    """Seconds from a change to its write, of 99 of 100 writes at most; None if no stamps were known."""
    lags = sorted(summary.lags)
    return lags[min(len(lags) - 1, int(len(lags) * 0.99))] if lags else None


def _counted(codes: Iterable[str]) -> str:
    counts = Counter(codes)
    return (
        f" ({', '.join(code if count == 1 else f'{code} {count}' for code, count in counts.items())})" if counts else ""
    )
