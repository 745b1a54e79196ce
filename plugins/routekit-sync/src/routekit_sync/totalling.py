"""Control totals: sums of number fields by group on both sides, such as the amounts by currency and month."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from routekit.remotes import Fields, Record

from .units import Side

Part: TypeAlias = str | Callable[[Fields], Any]
"""Part of a group's name: a field, or what a function makes of the fields."""


@dataclass(frozen=True, slots=True)
class Total:
    """A sum that has to be the same on both sides: `Total("amount", "amount", "total", by_a=["currency"], ...)`."""

    name: str
    a: str
    """The field that is added up on side a; records without a number in it are counted, and add nothing."""
    b: str
    by_a: Sequence[Part] = ()
    """What tells the groups apart on side a."""
    by_b: Sequence[Part] = ()


@dataclass(frozen=True, slots=True)
class TotalLine:
    """One group of a total on both sides."""

    name: str
    group: tuple[str, ...]
    a: Decimal
    b: Decimal
    count_a: int
    """How many records of side a are in it."""
    count_b: int

    @property
    def equal(self) -> bool:
        """Whether both sides have the same sum of as many records."""
        return self.a == self.b and self.count_a == self.count_b


def month(name: str) -> Part:
    """The year and month of a date field, `2026-11`."""
    return lambda fields: str(fields.get(name) or "")[:7]


@dataclass(eq=False)
class _Sum:
    amount: Decimal = field(default_factory=Decimal)
    count: int = 0


class Totalling:
    """Totals while records of both sides are read, in any order."""

    def __init__(self, totals: Sequence[Total]) -> None:
        self.totals = totals
        self._sums: dict[tuple[str, tuple[str, ...]], Mapping[Side, _Sum]] = {}

    def add(self, side: Side, record: Record) -> None:
        """Count a record in."""
        for total in self.totals:
            parts = total.by_a if side == "a" else total.by_b
            group = tuple(_text(part, record.fields) for part in parts)
            found = self._sums.setdefault((total.name, group), {"a": _Sum(), "b": _Sum()})[side]
            found.amount += _number(record.fields.get(total.a if side == "a" else total.b))
            found.count += 1

    def lines(self) -> Iterator[TotalLine]:
        """All groups, by name."""
        for (name, group), sums in sorted(self._sums.items()):
            a, b = sums["a"], sums["b"]
            yield TotalLine(name, group, a.amount, b.amount, a.count, b.count)


def _text(part: Part, fields: Fields) -> str:
    value = fields.get(part) if isinstance(part, str) else part(fields)
    return "" if value is None else str(value)


def _number(value: Any) -> Decimal:
    """Exact as it is written: 0.1 is 0.1."""
    if value is None or isinstance(value, bool):
        return Decimal()
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return Decimal()
    return number if number.is_finite() else Decimal()
