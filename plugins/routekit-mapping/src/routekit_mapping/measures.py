"""Measures: quantities in another unit."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from .converting import Converter
from .errors import BadMapping, Unconvertible

_UNITS: Final[dict[str, tuple[str, Decimal]]] = {
    "mg": ("mass", Decimal("0.001")), "g": ("mass", Decimal(1)), "kg": ("mass", Decimal(1000)),
    "t": ("mass", Decimal(1_000_000)), "oz": ("mass", Decimal("28.349523125")), "lb": ("mass", Decimal("453.59237")),
    "mm": ("length", Decimal("0.001")), "cm": ("length", Decimal("0.01")), "m": ("length", Decimal(1)),
    "km": ("length", Decimal(1000)), "in": ("length", Decimal("0.0254")), "ft": ("length", Decimal("0.3048")),
    "yd": ("length", Decimal("0.9144")), "mi": ("length", Decimal("1609.344")),
    "ml": ("volume", Decimal("0.001")), "l": ("volume", Decimal(1)), "m3": ("volume", Decimal(1000)),
    "s": ("time", Decimal(1)), "min": ("time", Decimal(60)), "h": ("time", Decimal(3600)),
    "percent": ("ratio", Decimal("0.01")), "ratio": ("ratio", Decimal(1)),
}  # fmt: skip


def measure(source: str, target: str, *, places: int | None = None) -> Converter[Decimal, Decimal]:
    """A quantity in another unit of measure: `measure("g", "kg")`, `measure("lb", "kg", places=3)`.

    >>> measure("g", "kg").to(Decimal("1500")), measure("lb", "kg", places=3).to(Decimal(10))
    (Decimal('1.5'), Decimal('4.536'))

    Between units that differ by a power of ten nothing is lost; other quantities are rounded to `places`, half to even.
    """
    for name in (source, target):
        if name not in _UNITS:
            raise BadMapping(f"there is no unit '{name}'", hint=f"known: {', '.join(_UNITS)}")
    (kind, one), (other_kind, other) = _UNITS[source], _UNITS[target]
    if kind != other_kind:
        raise BadMapping(f"'{source}' is a {kind} and '{target}' a {other_kind}")
    exact = one.scaleb(12).normalize().as_tuple().digits == other.scaleb(12).normalize().as_tuple().digits == (1,)
    if not exact and places is None:
        raise BadMapping(f"from '{source}' to '{target}' is no power of ten", hint="say places=...")

    def turned(value: Decimal, factor: Decimal, divisor: Decimal, digits: int | None) -> Decimal:
        if not value.is_finite():
            raise Unconvertible("is no quantity")
        found = value * factor / divisor
        return found.normalize() if digits is None else found.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)

    loss = "" if exact and places is None else f"what is finer than {places} places"
    digits = None if exact and places is None else places
    samples = (Decimal(0), Decimal(1), Decimal("12.5"), Decimal(1000))
    return Converter(
        f"{source} in {target}" + ("" if digits is None else f", {digits} places"),
        lambda value: turned(value, one, other, digits),
        lambda value: turned(value, other, one, digits),
        loss,
        samples,
        samples,
    )
