"""A unit's fields, as the other side would have them; what cannot be converted concerns that unit alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from routekit.remotes import Fields, Record

from .pair import SyncPair
from .plans import Parents
from .state import Link
from .units import Side, Unit
from .views import look, other


@dataclass(frozen=True, slots=True)
class Converted:
    """What a conversion gave: fields, or why there are none."""

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    problem: str = ""
    waits_for: str = ""

    @property
    def known(self) -> bool:
        """Whether it says anything."""
        return bool(self.fields)


def convert(unit: Unit, to: Side, values: Fields, pair: SyncPair, parents: Parents) -> Converted:
    """The fields of side `to` that these of the other side mean; the ids of parents are exchanged before."""
    turn = unit.to_b if to == "b" else unit.to_a
    if turn is None:
        return Converted(problem=f"side {to} is never written")
    if not values and (unit.a if to == "b" else unit.b):  # one that reads no field is a default, and needs none
        return Converted()
    named = pair.parents.get(unit.name)
    if named is not None:
        values, missing = _exchanged(values, named, other(to), parents)
        if missing:
            return Converted(waits_for=missing)
    try:
        given = dict(turn(values))
    except ValueError as error:
        return Converted(problem=_told(unit, error))
    except Exception as error:  # a function of the user: it concerns this unit alone
        return Converted(problem=f"{type(error).__name__} in the conversion: {_told(unit, error)}")
    strangers = sorted(given.keys() - set(unit.b if to == "b" else unit.a))
    if strangers:
        return Converted(problem=f"the conversion gave {', '.join(strangers)}, which the unit does not name")
    return Converted(given)


def parents_of(link: Link, a: Record | None, b: Record | None, pair: SyncPair) -> set[tuple[str, Side, str]]:
    """The parents whose ids on the other side planning has to know: (pair, side, id) of each."""
    found: set[tuple[str, Side, str]] = set()
    for unit in pair.units:
        named = pair.parents.get(unit.name)
        if named is None:
            continue
        for value in look(unit.a, a, link.a).value.values():
            found.update((named, "a", str(each)) for each in _ids(value))
        for value in look(unit.b, b, link.b).value.values():
            found.update((named, "b", str(each)) for each in _ids(value))
    return found


def _ids(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [each for each in value if each is not None]  # pyright: ignore[reportUnknownVariableType]  # JSON
    return [] if value is None else [value]


def _exchanged(values: Fields, named: str, side: Side, parents: Parents) -> tuple[Fields, str]:
    exchanged: dict[str, Any] = {}
    for name, value in values.items():
        known = {each: parents.get((named, side, str(each))) for each in _ids(value)}
        for each, there in known.items():
            if there is None:
                return values, f"{named}/{side}/{each}"
        exchanged[name] = _swapped(value, known)
    return exchanged, ""


def _swapped(value: Any, known: Mapping[Any, str | None]) -> Any:
    if isinstance(value, list):
        return [known[each] for each in _ids(value)]
    return None if value is None else known[value]


def _told(unit: Unit, error: Exception) -> str:
    if unit.sensitive:
        return f"{type(error).__name__}; its text is left out, as it may hold what is personal"
    return str(error) or type(error).__name__
