"""Money: decimal amounts with a currency, rates with a date, a stated rounding, and no cent that gets lost."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from .converting import Converter
from .errors import BadMapping, Unconvertible

_NONE: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR: Final = "CLF UYW"

MINOR_UNITS: Final = {
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
}
"""Decimal places of the currencies that do not have two, by ISO 4217, list one."""


def places_of(currency: str) -> int:
    """How many decimal places a currency has, by ISO 4217. A text that is no code of three capital letters raises.

    >>> places_of("EUR"), places_of("JPY"), places_of("KWD")
    (2, 0, 3)
    """
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha() or not currency.isupper():
        raise Unconvertible("is no currency code of ISO 4217")
    return MINOR_UNITS.get(currency, 2)


def rounded(amount: Decimal, currency: str, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    """An amount with as many places as its currency has; `rounding` is one of the modes of `decimal`.

    >>> rounded(Decimal("1.005"), "EUR"), rounded(Decimal("2.5"), "JPY", "ROUND_HALF_UP")
    (Decimal('1.00'), Decimal('3'))
    """
    if not amount.is_finite():
        raise Unconvertible("is no amount")
    return amount.quantize(Decimal(1).scaleb(-places_of(currency)), rounding)


def minor_units(currency: str) -> Converter[Decimal, int]:
    """An amount and the number of its smallest units: 12.34 euros are 1234, 12 yen are 12.

    >>> minor_units("EUR").to(Decimal("12.34")), minor_units("KWD").back(1500)
    (1234, Decimal('1.500'))

    An amount that is finer than the currency is refused, and not rounded.
    """
    places = places_of(currency)

    def to(amount: Decimal) -> int:
        return _minor(amount, currency)

    def back(number: int) -> Decimal:
        return Decimal(number).scaleb(-places)

    samples = tuple(back(one) for one in (0, 1, 1234, -5))
    return Converter(f"smallest units of {currency}", to, back, "", samples, (0, 1, 1234, -5))


def minor_money() -> Converter[tuple[Decimal | None, str | None], tuple[int | None, str | None]]:
    """The same where the currency is a field beside the amount: `(12.34, EUR)` and `(1234, EUR)`; neither goes alone.

    >>> minor_money().to((Decimal("12.34"), "EUR")), minor_money().back((12, "JPY"))
    ((1234, 'EUR'), (Decimal('12'), 'JPY'))
    """

    def to(money: tuple[Decimal | None, str | None]) -> tuple[int | None, str | None]:
        amount, currency = money
        if amount is None or currency is None:
            raise Unconvertible("is an amount without its currency, or a currency alone")
        return _minor(amount, currency), currency

    def back(money: tuple[int | None, str | None]) -> tuple[Decimal | None, str | None]:
        number, currency = money
        if number is None or currency is None:
            raise Unconvertible("is an amount without its currency, or a currency alone")
        return Decimal(number).scaleb(-places_of(currency)), currency

    samples = ((Decimal("12.34"), "EUR"), (Decimal(7), "JPY"), (Decimal("1.005"), "KWD"))
    return Converter("smallest units of its currency", to, back, "", samples, tuple(to(one) for one in samples))


def _minor(amount: Decimal, currency: str) -> int:
    if not amount.is_finite():
        raise Unconvertible("is no amount")
    places = places_of(currency)
    number = amount.scaleb(places)
    if number != number.to_integral_value():
        raise Unconvertible(f"is finer than {currency}, which has {places} places")
    return int(number)


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `source` is `rate` units of `target`, from that day on."""

    source: str
    target: str
    since: date
    rate: Decimal


class Rates:
    """Rates of exchange with the day from which each holds.

    >>> winter, summer = date(2026, 1, 1), date(2026, 6, 1)
    >>> rates = Rates([Rate("USD", "EUR", winter, Decimal("0.9")), Rate("USD", "EUR", summer, Decimal("0.8"))])
    >>> rates.at("USD", "EUR", date(2026, 5, 31)), rates.at("USD", "EUR", summer), rates.at("EUR", "EUR", winter)
    (Decimal('0.9'), Decimal('0.8'), Decimal('1'))
    """

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._known: dict[tuple[str, str], list[Rate]] = {}
        for rate in sorted(rates, key=lambda rate: rate.since):
            if rate.rate <= 0:
                raise BadMapping(f"the rate of {rate.source} in {rate.target} since {rate.since} is not above 0")
            self._known.setdefault((rate.source, rate.target), []).append(rate)

    def at(self, source: str, target: str, day: date) -> Decimal:
        """The rate that holds on a day. One that is not known raises: it is not worked out from others."""
        if source == target:
            return Decimal(1)
        known = self._known.get((source, target), [])
        place = bisect_right([rate.since for rate in known], day)
        if not place:
            raise Unconvertible(f"has no rate of {source} in {target} for {day}")
        return known[place - 1].rate


def exchange(
    rates: Rates, to: str, *, rounding: str = ROUND_HALF_EVEN
) -> Callable[[tuple[Decimal | None, str | None, date | None]], Decimal | None]:
    """What an amount is in another currency by the rate of its day: for `computed`, beside the amount itself.

    The original amount and its currency are mapped by rules of their own, as an exchanged amount does not come back.
    """

    def convert(money: tuple[Decimal | None, str | None, date | None]) -> Decimal | None:
        amount, currency, day = money
        if amount is None:
            return None
        if currency is None or day is None:
            raise Unconvertible("is an amount without its currency or its day")
        return rounded(amount * rates.at(currency, to, day), to, rounding)

    convert.__qualname__ = f"in {to} by the rate of the day, {rounding}"
    return convert


def allocated(total: Decimal, weights: Sequence[Decimal], currency: str) -> list[Decimal]:
    """A total shared out by weights, in whole smallest units, so that the shares sum to it again.

    >>> allocated(Decimal("10.00"), [Decimal(1)] * 3, "EUR")
    [Decimal('3.34'), Decimal('3.33'), Decimal('3.33')]

    What rounding leaves over goes, unit by unit, to the shares that lost most of one; the first of equals.
    """
    number, whole = _minor(total, currency), sum(weights, Decimal(0))
    if not weights or whole <= 0 or any(weight < 0 for weight in weights):
        raise Unconvertible("cannot be shared out: there is no weight above 0, or one below it")
    sign = -1 if number < 0 else 1
    exact = [abs(number) * weight / whole for weight in weights]
    shares = [int(one) for one in exact]
    by_rest = sorted(range(len(exact)), key=lambda place: shares[place] - exact[place])
    for place in by_rest[: abs(number) - sum(shares)]:
        shares[place] += 1
    return [Decimal(sign * share).scaleb(-places_of(currency)) for share in shares]


def rounded_to_total(amounts: Sequence[Decimal], total: Decimal, currency: str) -> list[Decimal]:
    """Amounts of lines, rounded so that they sum to the total of their document.

    >>> rounded_to_total([Decimal("0.333"), Decimal("0.333"), Decimal("0.334")], Decimal("1.00"), "EUR")
    [Decimal('0.33'), Decimal('0.33'), Decimal('0.34')]

    The lines whose rounding went farthest off take the difference, a smallest unit each; a difference of more than one
    unit for each line is no rounding, and raises.
    """
    shares = [rounded(amount, currency) for amount in amounts]
    missing = _minor(total, currency) - sum(_minor(share, currency) for share in shares)
    if abs(missing) > len(amounts):
        raise Unconvertible("differs from the sum of its lines by more than rounding")
    one = Decimal(1 if missing > 0 else -1).scaleb(-places_of(currency))
    by_error = sorted(
        range(len(shares)), key=lambda place: (shares[place] - amounts[place]) * (1 if missing > 0 else -1)
    )
    for place in by_error[: abs(missing)]:
        shares[place] += one
    return shares
