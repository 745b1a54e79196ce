"""Mapped: the units of a pair, made of a mapping that reads both ways."""

from collections.abc import Collection, Mapping
from typing import Any

from routekit import BadOption, did_you_mean
from routekit_mapping import Mapping as BothWays
from routekit_mapping import parts_of

from .units import Judge, Rule, Unit


def units_of(
    mapping: BothWays[Any, Any],
    *,
    rules: Mapping[str, Rule | Judge] | None = None,
    revert: Collection[str] = (),
    whole: Collection[str] = (),
) -> tuple[Unit, ...]:
    """The units of a mapping: one for each rule, and one for each `unit` of rules.

    `rules` says by name who wins where both sides have changed, `revert` of which units a change on a side that is
    never read from is written back. What is marked `Sensitive` in the models is shown masked. Rules that write into one
    field are one unit, named by all of them; a field of which they know only a part is refused, unless `whole` has it.

    Raises BadOption for a name that no unit has.
    """
    parts = parts_of(mapping, whole=whole)
    known = [part.name for part in parts]
    for name in (*(rules or {}), *revert):
        if name not in known:
            raise BadOption(f"mapping '{mapping.name}' has no unit '{name}'", hint=did_you_mean(name, known))
    return tuple(
        Unit(
            part.name,
            part.a,
            part.b,
            part.to_b,
            part.to_a,
            part.same_b,
            part.same_a,
            (rules or {}).get(part.name, Rule.A),
            part.name in revert,
            part.creation,
            part.sensitive,
        )
        for part in parts
    )
