"""Schedules: what goes wrong in a simulated run, where, and how that is written down so that it can be run again.

Nothing outside a process changes but at an operation: a call of its store, a send, a message that is taken or
acknowledged. So a crash at any await is a crash just before or just after one of them, or while everything waits; and a
place is named by the operation and how often it has happened: it stays the same when other faults are left out.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, Protocol, TypeAlias, cast, get_args
from urllib.parse import quote, unquote

from ..errors import DefinitionError

Kind: TypeAlias = Literal[
    "dies before",
    "dies after",
    "stops",
    "cut before",
    "cut after",
    "away",
    "slow",
    "again",
    "late",
    "clock",
]
"""What goes wrong. `dies`: the process does, before or after the operation takes effect. `stops`: it is
told to, as by a new deployment, and started again. `cut`: the connection is lost,
before or after. `away`: the other side is, for some seconds. `slow`: it takes some seconds. `again`: a source brings
the message once more. `late`: it comes some seconds later than others. `clock`: wall time jumps by some seconds."""

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DEATHS: Final[frozenset[Kind]] = frozenset({"dies before", "dies after"})
ENDS: Final[frozenset[Kind]] = DEATHS | frozenset[Kind]({"stops"})
FAILURES: Final[frozenset[Kind]] = frozenset({"cut before", "cut after", "away"})

FAULTS: Final[Mapping[str, frozenset[Kind]]] = {
    "crash": DEATHS,
    "restart": frozenset[Kind]({"stops"}),
    "connection": frozenset[Kind]({"cut before", "cut after"}),
    "outage": frozenset[Kind]({"away"}),
    "slow": frozenset[Kind]({"slow"}),
    "duplicate": frozenset[Kind]({"again"}),
    "late": frozenset[Kind]({"late"}),
    "clock": frozenset[Kind]({"clock"}),
}
"""The names by which people choose faults."""

_AMOUNTS: Mapping[Kind, Sequence[float]] = {
    "away": (5.0, 40.0, 200.0),
    "slow": (0.5, 20.0, 90.0),
    "again": (0.0, 1.0, 30.0),
    "late": (2.0, 45.0),
    "clock": (3600.0, -3600.0, 60.0, -60.0),
}


_WEIGHTS: Mapping[Kind, int] = {"dies before": 4, "dies after": 4, "cut before": 2, "cut after": 2, "again": 2}
"""How much likelier than the others they are: what a death leaves is what goes wrong most."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: at the `nth` time that the operation `at` happens; `amount` is in seconds."""

    kind: Kind
    at: str
    nth: int = 1
    amount: float = 0.0

    def __str__(self) -> str:
        amount = f"({self.amount:g})" if self.kind in _AMOUNTS else ""
        nth = f" #{self.nth}" if self.nth > 1 else ""
        return f"{self.kind}{amount} {quote(self.at, safe=' /:,*@{}$?=&+()')}{nth}"

    @classmethod
    def read(cls, text: str) -> "Fault":
        """The fault that is written so; raises DefinitionError."""
        found = _FAULT.fullmatch(text.strip())
        if found is None:
            hint = f"write <what> <operation>, what being one of: {', '.join(KINDS)}"
            raise DefinitionError(f"'{text}' is no fault of a schedule", hint=hint)
        amount = float(found["amount"] or 0.0)
        return cls(cast("Kind", found["kind"]), unquote(found["at"]), int(found["nth"] or 1), amount)


_FAULT = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)})(\((?P<amount>-?[0-9.e+]+)\))? (?P<at>.+?)( #(?P<nth>[0-9]+))?", re.DOTALL
)


@dataclass(frozen=True)
class Schedule:
    """One run: which messages come, what goes wrong, and whether tasks that are ready run in a shuffled order.

    With `inputs` None all messages come. The seed says what they hold, when they come, and what all chance gives.
    """

    seed: int
    faults: tuple[Fault, ...] = ()
    inputs: tuple[str, ...] | None = None
    shuffled: bool = True
    pace: Literal["drawn", "forwards", "backwards"] = "drawn"
    """When messages come: by chance, or one by one, also the last one first; for runs in which nothing goes wrong."""

    def __str__(self) -> str:
        parts = [str(fault) for fault in self.faults]
        if self.inputs is not None:
            parts.append(f"only {', '.join(self.inputs)}")
        if not self.shuffled:
            parts.append("in order")
        return "; ".join(parts) or "nothing"

    @classmethod
    def read(cls, seed: int, text: str) -> "Schedule":
        """The schedule that is written so; raises DefinitionError."""
        faults: list[Fault] = []
        inputs: tuple[str, ...] | None = None
        shuffled = True
        for part in filter(None, (part.strip() for part in text.split(";"))):
            if part.startswith("only "):
                inputs = tuple(name.strip() for name in part.removeprefix("only ").split(","))
            elif part == "in order":
                shuffled = False
            elif part != "nothing":
                faults.append(Fault.read(part))
        return cls(seed, tuple(faults), inputs, shuffled)

    @property
    def size(self) -> int:
        """How many faults and messages it has: what shrinking makes smaller."""
        return len(self.faults) + len(self.inputs or ())


class Fates(Protocol):
    """Says what goes wrong where."""

    def fate(self, at: str, nth: int, may: Collection[Kind]) -> Fault | None:
        """What goes wrong there, if anything does."""
        ...


@dataclass
class Planned:
    """The faults of a schedule, and no others."""

    faults: tuple[Fault, ...]
    struck: list[Fault] = field(default_factory=list[Fault])
    """Those that have come about, in order."""

    def fate(self, at: str, nth: int, may: Collection[Kind]) -> Fault | None:
        for fault in self.faults:
            if fault.at == at and fault.nth == nth and fault.kind in may:
                self.struck.append(fault)
                return fault
        return None


@dataclass
class Drawn:
    """Faults by chance: up to `budget` of them, of the `kinds`, over some `operations`."""

    random: Random
    kinds: frozenset[Kind]
    operations: int
    struck: list[Fault] = field(default_factory=list[Fault])
    budget: int = field(init=False)
    _rate: float = field(init=False)

    def __post_init__(self) -> None:
        self.budget = self.random.choice((1, 1, 1, 2, 2, 3, 4, 6))
        self._rate = 1.5 * self.budget / max(self.operations, 1)

    def fate(self, at: str, nth: int, may: Collection[Kind]) -> Fault | None:
        chance = self.random.random()
        if not self.budget or chance >= self._rate:
            return None
        possible = sorted(self.kinds & set(may))
        if not possible:
            return None
        self.budget -= 1
        kind = self.random.choices(possible, [_WEIGHTS.get(one, 1) for one in possible])[0]
        fault = Fault(kind, at, nth, self.random.choice(_AMOUNTS.get(kind, (0.0,))))
        self.struck.append(fault)
        return fault


def kinds_of(names: Collection[str] | None) -> frozenset[Kind]:
    """The kinds behind those names, or all; raises DefinitionError for a name that there is not."""
    unknown = sorted(set(names or ()) - set(FAULTS))
    if unknown:
        raise DefinitionError(f"there is no fault '{unknown[0]}'", hint=f"there are: {', '.join(FAULTS)}")
    return frozenset[Kind]().union(*(FAULTS[name] for name in (FAULTS if names is None else names)))
