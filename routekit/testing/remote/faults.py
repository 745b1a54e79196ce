"""Faults of a remote in memory: planned for a certain call, or drawn for each by a seeded generator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

from ...remotes import Busy, FeedExpired, Forbidden, Refused, RemoteError, Unclear, Unsent


class FaultKind(StrEnum):
    """What goes wrong with a call."""

    UNSENT = "unsent"
    """The connection fails before it is sent: nothing is done, and that is known."""
    BEFORE = "before"
    """An error of the server before it has done anything; the caller cannot know that."""
    AFTER = "after"
    """An error of the server after it has done all; the caller cannot know that."""
    LOST = "lost"
    """The answer to a call that has succeeded is lost."""
    BUSY = "busy"
    REFUSED = "refused"
    """The record is refused, or a field of it if the fault names one."""
    FORBIDDEN = "forbidden"
    EXPIRED = "expired"
    """The token of the feed is not known any more."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it hits the calls that fit, from the one that is number `at` on, `times` times.

    Calls that fit are counted from when the fault is planned, the first is 1. `times=None`: until it is cleared.
    """

    kind: FaultKind
    op: str | None = None
    """The call that it hits: `changes`, `scan`, `get`, `many`, `find`, `create`, `update` or `delete`; None: any."""
    id: str | None = None
    """Only calls for this record."""
    at: int = 1
    times: int | None = 1
    field: str | None = None
    """With `refused`: the field that is to blame; calls that do not write it are not hit."""
    after: float = 1.0
    """With `busy`: the seconds to wait."""
    why: str = "a planned fault"


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a remote in memory. `id` is empty where it has none, `fields` what it writes."""

    number: int
    op: str
    id: str = ""
    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    at: float = 0.0
    """When it came, by our clock."""
    key: str = ""
    """The idempotency key of a create."""


def fits(fault: Fault, call: Call) -> bool:
    """Whether a fault is for calls such as this one."""
    if fault.op is not None and fault.op != call.op:
        return False
    if fault.field is not None and fault.field not in call.fields:
        return False
    return fault.id is None or fault.id == call.id


def failing(fault: Fault, call: Call) -> RemoteError:
    """The error that tells of a fault."""
    said = f"{call.op} {call.id}".strip() + f": {fault.why}"
    match fault.kind:
        case FaultKind.UNSENT:
            return Unsent(said)
        case FaultKind.BUSY:
            return Busy(said, after=fault.after)
        case FaultKind.REFUSED:
            return Refused(said, fields={fault.field: fault.why} if fault.field else {})
        case FaultKind.FORBIDDEN:
            return Forbidden(said)
        case FaultKind.EXPIRED:
            return FeedExpired(said)
        case _:
            return Unclear(said)


AFTERWARDS = (FaultKind.AFTER, FaultKind.LOST)
"""Faults that come when all is done."""


@dataclass(eq=False)
class _Planned:
    fault: Fault
    seen: int = 0

    def hits(self, call: Call) -> bool:
        if not fits(self.fault, call):
            return False
        self.seen += 1
        late = self.seen - self.fault.at
        return late >= 0 and (self.fault.times is None or late < self.fault.times)


class Faults:
    """What goes wrong: planned faults first, then those that are drawn by `chances`, each a number from 0 to 1."""

    def __init__(self, random: Random) -> None:
        self.chances: Mapping[FaultKind, float] = {}
        """How likely each kind is for one call; `expired` is for calls of the feed alone."""
        self.hit = 0
        """How many calls were hit so far."""
        self._random = random
        self._planned: list[_Planned] = []

    def plan(self, *faults: Fault) -> None:
        """Let these happen too."""
        self._planned += [_Planned(fault) for fault in faults]

    def clear(self) -> None:
        """From now on nothing goes wrong."""
        self._planned.clear()
        self.chances = {}

    def strike(self, call: Call) -> Fault | None:
        """The fault that hits a call, if one does."""
        found = [planned.fault for planned in self._planned if planned.hits(call)]
        fault = found[0] if found else self._drawn(call)
        self.hit += fault is not None
        return fault

    def _drawn(self, call: Call) -> Fault | None:
        for kind, chance in self.chances.items():
            if kind is FaultKind.EXPIRED and call.op != "changes":
                continue
            if self._random.random() < chance:
                return Fault(kind, why="a fault by chance")
        return None
