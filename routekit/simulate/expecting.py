"""What should become of each message: what became of it in runs in which nothing went wrong."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .outside import Arrival, Effect, Outside
from .running import Played

Key: TypeAlias = tuple[str, str, str]
"""Sink, path of the part within its message, and body; what was in a group has neither path nor body."""

Effects: TypeAlias = Mapping[str, Counter[Key]]
"""How often each effect of each message from outside happened, by its id."""


def effects_of(outside: Outside, unsteady: frozenset[str] = frozenset()) -> dict[str, Counter[Key]]:
    """The effects by message; bodies are left out for sinks that are `unsteady`."""
    found: dict[str, Counter[Key]] = {}
    for effect in outside.effects:
        for root, key in keys_of(outside, effect, unsteady):
            found.setdefault(root, Counter())[key] += 1
    return found


def keys_of(outside: Outside, effect: Effect, unsteady: frozenset[str]) -> list[tuple[str, Key]]:
    """An effect as one of each message that was in it."""
    body = "" if effect.sink in unsteady else effect.body
    return [
        (root, (effect.sink, "", "") if grouped else (effect.sink, path, body))
        for root, path, grouped in outside.lineage.leaves(effect.id)
    ]


@dataclass(frozen=True)
class Expected:
    """What should happen."""

    effects: Effects
    unsteady: frozenset[str]
    """Sinks whose bodies differ from run to run, as those do that tell the time."""
    shapes: Mapping[str, Counter[tuple[str, str]]]
    """Of sources whose messages are new in each run: the effects that each of them has, without bodies."""
    operations: int

    @property
    def reached(self) -> bool:
        """Whether any message has an effect."""
        return any(self.effects.values()) or any(self.shapes.values())

    @classmethod
    def of(cls, runs: Sequence[Played]) -> "Expected":
        """What all these runs, in which nothing went wrong, have in common."""
        unsteady = _unsteady([run.outside for run in runs])
        each = [effects_of(run.outside, unsteady) for run in runs]
        common: dict[str, Counter[Key]] = {}
        for known in each[0]:
            if all(known in run.outside.arrivals for run in runs):
                first, *others = [effects.get(known, Counter[Key]()) for effects in each]
                for other in others:
                    first = first & other
                common[known] = first
        for known in runs[0].outside.arrivals:
            if all(known in run.outside.arrivals for run in runs):
                common.setdefault(known, Counter())
        return cls(common, unsteady, _shapes(runs, each), runs[0].outside.operations)

    def for_(self, arrival: Arrival) -> Counter[Key] | None:
        """The effects that a message should have; None if that is not known. Without bodies if only a shape is."""
        if arrival.again != "never":
            return self.effects.get(arrival.id)
        shape = self.shapes.get(arrival.source)
        return None if shape is None else Counter({(sink, path, ""): n for (sink, path), n in shape.items()})


def _unsteady(outsides: Sequence[Outside]) -> frozenset[str]:
    """Sinks that got different bodies for the same part of the same message."""
    bodies: dict[tuple[str, str], set[str]] = {}
    for outside in outsides:
        there: dict[tuple[str, str], list[str]] = {}
        for effect in outside.effects:
            there.setdefault((effect.sink, effect.id), []).append(effect.body)
        for place, found in there.items():
            bodies.setdefault(place, set()).add("\n".join(sorted(found)))
    return frozenset(sink for (sink, _), found in bodies.items() if len(found) > 1)


def _shapes(runs: Sequence[Played], each: Sequence[Effects]) -> dict[str, Counter[tuple[str, str]]]:
    found: dict[str, list[Counter[tuple[str, str]]]] = {}
    for run, effects in zip(runs, each, strict=True):
        for arrival in run.outside.arrivals.values():
            shape = Counter[tuple[str, str]]()
            for (sink, path, _), number in effects.get(arrival.id, Counter[Key]()).items():
                shape[sink, path] += number
            if arrival.accepted:
                found.setdefault(arrival.source, []).append(shape)
    return {source: shapes[0] for source, shapes in found.items() if all(shape == shapes[0] for shape in shapes)}
