"""Dates and times: a date is no time, and only a time goes through a zone."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .converting import Converter
from .errors import BadMapping, Unconvertible

Twice = Literal["earlier", "later", "refuse"]

_DAYS = (date(2024, 2, 29), date(1970, 1, 1), date(2026, 11, 21))
_TIMES = (datetime(2024, 2, 29, 12, 30, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))


def date_text(form: str = "%Y-%m-%d") -> Converter[str, date]:
    """A date in a declared form, and no other: `date_text("%d.%m.%Y")`. It goes through no zone.

    >>> date_text("%d.%m.%Y").to("29.02.2024"), date_text("%d.%m.%Y").back(date(2024, 2, 29))
    (datetime.date(2024, 2, 29), '29.02.2024')
    """

    def write(day: date) -> str:
        if isinstance(day, datetime):
            raise Unconvertible("is a time, and no date")
        return day.strftime(form) if day.year > 999 else _early(day, form)

    def read(text: str) -> date:
        try:
            day = datetime.strptime(text, form).date()  # a date has no zone
        except ValueError:
            raise Unconvertible(f"is no date of the form '{form}'") from None
        return day

    return Converter(f"date '{form}'", read, write, "zeros in front", tuple(map(write, _DAYS)), _DAYS)


def _early(day: date, form: str) -> str:
    """Years before 1000 have four digits too, whatever the system's library does."""
    return day.replace(year=day.year + 2000).strftime(form).replace(str(day.year + 2000), f"{day.year:04}")


def time_text(form: str, zone: str = "UTC", *, twice: Twice = "earlier") -> Converter[str, datetime]:
    """A time in a declared form, which is meant in a zone, and the moment in UTC.

    >>> time_text("%d.%m.%Y %H:%M", "Europe/Berlin").to("01.07.2026 14:00")
    datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc)
    """
    local = in_zone(zone, twice=twice)
    assert local.back is not None
    to, back = local.to, local.back

    def read(text: str) -> datetime:
        try:
            naive = datetime.strptime(text, form)  # the zone is declared beside it
        except ValueError:
            raise Unconvertible(f"is no time of the form '{form}'") from None
        return to(naive)

    def write(moment: datetime) -> str:
        return back(moment).strftime(form)

    loss = "what the form leaves out, and which of two equal hours it was"
    return Converter(f"time '{form}' in {zone}", read, write, loss, tuple(map(write, _TIMES)), _TIMES)


def in_zone(zone: str, *, twice: Twice = "earlier") -> Converter[datetime, datetime]:
    """A time without a zone, which is meant in this one, and the moment in UTC.

    An hour that the change to summer time leaves out is refused: nobody can have meant it. Of the hour that comes twice
    in autumn `twice` says which is meant.

    >>> in_zone("Europe/Berlin").to(datetime(2026, 12, 24, 18, 0))
    datetime.datetime(2026, 12, 24, 17, 0, tzinfo=datetime.timezone.utc)
    """
    there = _zone(zone)

    def to(naive: datetime) -> datetime:
        if naive.tzinfo is not None:
            raise Unconvertible("has a zone already")
        first = naive.replace(tzinfo=there, fold=0).astimezone(UTC)
        second = naive.replace(tzinfo=there, fold=1).astimezone(UTC)
        if first.astimezone(there).replace(tzinfo=None) != naive.replace(fold=0):
            raise Unconvertible(f"is an hour that {zone} leaves out on that day")
        if first != second and twice == "refuse":
            raise Unconvertible(f"is an hour that {zone} has twice on that day")
        return second if twice == "later" else first

    def back(moment: datetime) -> datetime:
        if moment.tzinfo is None:
            raise Unconvertible("has no zone")
        return moment.astimezone(there).replace(tzinfo=None, fold=0)

    samples = tuple(moment.astimezone(there).replace(tzinfo=None) for moment in _TIMES)
    return Converter(f"time in {zone}", to, back, "which of two equal hours it was", samples, _TIMES)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadMapping(f"there is no zone '{name}'", hint="zones are called as Europe/Berlin") from None


def moment_text() -> Converter[str, datetime]:
    """A time as ISO 8601 writes it, with its offset, and the moment in UTC; one without an offset is refused.

    >>> moment_text().to("2026-07-01T14:00:00+02:00"), moment_text().back(datetime(2026, 7, 1, 12, tzinfo=UTC))
    (datetime.datetime(2026, 7, 1, 12, 0, tzinfo=datetime.timezone.utc), '2026-07-01T12:00:00Z')
    """

    def read(text: str) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Unconvertible("is no time of ISO 8601") from None
        if moment.tzinfo is None:
            raise Unconvertible("does not say its offset")
        return moment.astimezone(UTC)

    return Converter("ISO 8601 time", read, _iso, "the offset it was written with", tuple(map(_iso, _TIMES)), _TIMES)


def _iso(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Unconvertible("has no zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def epoch(unit: Literal["seconds", "milliseconds"] = "seconds") -> Converter[int, datetime]:
    """Seconds or milliseconds since 1970, and the moment in UTC; what is finer than that is lost.

    >>> epoch().to(0), epoch("milliseconds").back(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    (datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), 1000)
    """
    start = datetime(1970, 1, 1, tzinfo=UTC)
    one = timedelta(seconds=1) if unit == "seconds" else timedelta(milliseconds=1)

    def to(number: int) -> datetime:
        try:
            return start + number * one
        except OverflowError:
            raise Unconvertible("is no time within the years 1 to 9999") from None

    def back(moment: datetime) -> int:
        if moment.tzinfo is None:
            raise Unconvertible("has no zone")
        return (moment - start) // one

    return Converter(f"{unit} since 1970", to, back, f"what is finer than {unit}", (0, 1, 1_700_000_000), _TIMES)


def utc_midnight(unit: Literal["seconds", "milliseconds"] = "milliseconds") -> Converter[date, int]:
    """A date as the number of its midnight in UTC, as some systems keep dates; any other hour is refused.

    >>> utc_midnight("seconds").to(date(1970, 1, 2)), utc_midnight("seconds").back(86400)
    (86400, datetime.date(1970, 1, 2))
    """
    day = 86_400 if unit == "seconds" else 86_400_000
    start = date(1970, 1, 1)

    def to(value: date) -> int:
        if isinstance(value, datetime):
            raise Unconvertible("is a time, and no date")
        return (value - start).days * day

    def back(number: int) -> date:
        days, rest = divmod(number, day)
        if rest:
            raise Unconvertible("is no midnight in UTC, so no date")
        try:
            return start + timedelta(days=days)
        except OverflowError:
            raise Unconvertible("is no date within the years 1 to 9999") from None

    return Converter(f"midnight in UTC, {unit}", to, back, "", _DAYS, tuple(map(to, _DAYS)))


def day_in(zone: str) -> Callable[[datetime], date]:
    """The day that a moment falls on in a zone: for `computed`, as the time of the day does not come back.

    >>> day_in("Asia/Tokyo")(datetime(2026, 1, 1, 16, tzinfo=UTC))
    datetime.date(2026, 1, 2)
    """
    there = _zone(zone)

    def day(moment: datetime) -> date:
        if moment.tzinfo is None:
            raise Unconvertible("has no zone")
        return moment.astimezone(there).date()

    day.__qualname__ = f"day in {zone}"
    return day


def midnight(zone: str) -> Callable[[date], datetime]:
    """The moment at which a day begins in a zone, for `computed`; on some days that is not at midnight."""
    there = _zone(zone)

    def begin(day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=there).astimezone(UTC)

    begin.__qualname__ = f"beginning of the day in {zone}"
    return begin
