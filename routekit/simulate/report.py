"""What a simulation has found, as values and as text."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .judging import INVARIANTS
from .schedule import Schedule


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, with the smallest schedule that shows it."""

    invariant: str
    route: str
    message: str
    """The id of the message that it is about."""
    text: str
    """What was seen, in one sentence."""
    seed: int
    schedule: Schedule
    story: Sequence[str] = ()
    """What happens in the run of that schedule, as far as it has to do with the message."""
    runs: int = 0
    """How many runs the shrinking took."""

    @property
    def command(self) -> str:
        """How to run it again."""
        quoted = str(self.schedule).replace("'", "'\\''")
        return f"--seed {self.seed} --schedule '{quoted}'"

    def __str__(self) -> str:
        lines = [f"{self.invariant}: {self.text}", f"  route {self.route}, message {self.message}, seed {self.seed}"]
        lines += [f"  {number:>3}. {line}" for number, line in enumerate(self.story, 1)]
        return "\n".join([*lines, f"  again: routekit simulate {self.command}"])

    def as_json(self) -> dict[str, Any]:
        """The violation as plain data."""
        return {
            "invariant": self.invariant,
            "route": self.route,
            "message": self.message,
            "text": self.text,
            "seed": self.seed,
            "schedule": str(self.schedule),
            "faults": [str(fault) for fault in self.schedule.faults],
            "story": list(self.story),
        }


@dataclass
class Observed:
    """What was seen of one route, whether it claims better or not: in how many runs."""

    lost: int = 0
    repeated: int = 0
    reordered: int = 0
    early: int = 0
    """Acknowledged, or forgotten, before what it causes was done or stored."""


@dataclass
class Report:
    """What a simulation has found. `simulated` and `spent` are seconds: of virtual time, and of yours."""

    routes: Sequence[str]
    seeds: Sequence[int] = ()
    violations: list[Violation] = field(default_factory=list[Violation])
    observed: dict[str, Observed] = field(default_factory=dict[str, Observed])
    faults: Counter[str] = field(default_factory=Counter[str])
    """How often each kind of fault has struck."""
    operations: int = 0
    lives: int = 0
    messages: int = 0
    effects: int = 0
    simulated: float = 0.0
    spent: float = 0.0
    silent: bool = False
    """Whether no message had an effect, even where nothing went wrong: then nothing was tried."""

    @property
    def ok(self) -> bool:
        """Whether every invariant held in every run."""
        return not self.violations

    @property
    def crashes(self) -> int:
        """How often the process died."""
        return self.faults["dies before"] + self.faults["dies after"]

    def holds(self, invariant: str) -> bool:
        """Whether an invariant held in every run."""
        return all(violation.invariant != invariant for violation in self.violations)

    def expect(self) -> None:
        """Raise AssertionError, with every violation, unless all invariants held."""
        __tracebackhide__ = True
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        lines = [
            f"{len(self.seeds)} runs of {len(self.routes)} route{'s' * (len(self.routes) != 1)}: {self.messages:,} "
            f"messages, {self.crashes:,} crashes, {sum(self.faults.values()) - self.crashes:,} other faults",
            f"{timedelta(seconds=round(self.simulated))} simulated in {self.spent:.1f} s",
        ]
        lines += [f"{'ok  ' if self.holds(name) else 'FAIL'} {name}" for name in INVARIANTS]
        if self.silent:
            lines.append("no message reached a sink, even where nothing went wrong: give inputs")
        return "\n".join([*lines, *(f"\n{violation}" for violation in self.violations)])

    def as_json(self) -> dict[str, Any]:
        """The report as plain data; `spent` is left out, as it is never the same."""
        return {
            "routes": list(self.routes),
            "seeds": len(self.seeds),
            "messages": self.messages,
            "effects": self.effects,
            "lives": self.lives,
            "operations": self.operations,
            "faults": dict(sorted(self.faults.items())),
            "silent": self.silent,
            "simulated": round(self.simulated, 3),
            "invariants": {name: self.holds(name) for name in INVARIANTS},
            "observed": {name: vars(seen) for name, seen in self.observed.items()},
            "violations": [violation.as_json() for violation in self.violations],
        }
