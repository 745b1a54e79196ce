"""Windows of time, in zones with and without daylight saving."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Window
from routekit.window import DAYS, next_change, open_now

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def changes(window: Window, start: str, end: str) -> list[str]:
    """The moments between two at which the window opens (+) and closes (-), by the clock of its zone."""
    zone = ZoneInfo(window.zone)
    moment, found = at(start, window.zone), list[str]()
    while (change := next_change([window], moment)) is not None and change < at(end, window.zone):
        local = datetime.fromtimestamp(change, zone)
        sign = "+" if window.is_open(change) else "-"
        found.append(f"{sign}{local:%d %H:%M}{' again' if local.fold else ''}")
        moment = change
    return found


@pytest.mark.parametrize(
    ("window", "moment", "is_open"),
    [
        (Window("08:00", "18:00"), "2026-11-21 07:59:59", False),
        (Window("08:00", "18:00"), "2026-11-21 08:00:00", True),
        (Window("08:00", "18:00"), "2026-11-21 17:59:59", True),
        (Window("08:00", "18:00"), "2026-11-21 18:00:00", False),
        (Window("8:00", "18:00", days="mon-fri"), "2026-11-20 12:00", True),
        (Window("8:00", "18:00", days="mon-fri"), "2026-11-21 12:00", False),
        (Window("8:00", "18:00", days="sat, SUN"), "2026-11-21 12:00", True),
        (Window("22:00", "06:00", days="fri"), "2026-11-20 23:00", True),
        (Window("22:00", "06:00", days="fri"), "2026-11-21 05:59", True),
        (Window("22:00", "06:00", days="fri"), "2026-11-21 06:00", False),
        (Window("22:00", "06:00", days="fri"), "2026-11-20 05:00", False),
        (Window("00:00", "24:00", days="sun"), "2026-11-22 23:59", True),
        (Window("00:00", "24:00", days="sun"), "2026-11-23 00:00", False),
        (Window("22:00", "24:00"), "2026-11-22 23:59", True),
    ],
)
def test_open_and_closed(window: Window, moment: str, is_open: bool) -> None:
    """The start is in it and the end is not; a window over midnight belongs to the day on which it begins."""
    assert window.is_open(at(moment)) is is_open


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window("08:00", "18:00", zone=BERLIN), ["+28 08:00", "-28 18:00", "+29 08:00", "-29 18:00"]),
        (Window("02:30", "05:00", zone=BERLIN), ["+28 02:30", "-28 05:00", "+29 03:00", "-29 05:00"]),
        (Window("01:00", "02:30", zone=BERLIN), ["+28 01:00", "-28 02:30", "+29 01:00", "-29 03:00"]),
        (Window("02:10", "02:50", zone=BERLIN), ["+28 02:10", "-28 02:50"]),
        (Window("22:00", "02:30", zone=BERLIN), ["-28 02:30", "+28 22:00", "-29 03:00", "+29 22:00"]),
    ],
)
def test_an_hour_that_is_skipped(window: Window, expected: list[str]) -> None:
    """In spring, what falls into the gap is not there: a window opens or closes at its end, or not at all."""
    assert changes(window, "2026-03-28 00:00", "2026-03-29 23:00") == expected


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window("08:00", "18:00", zone=BERLIN), ["+25 08:00", "-25 18:00"]),
        (Window("01:00", "02:30", zone=BERLIN), ["+25 01:00", "-25 02:30", "+25 02:00 again", "-25 02:30 again"]),
        (Window("02:30", "05:00", zone=BERLIN), ["+25 02:30", "-25 02:00 again", "+25 02:30 again", "-25 05:00"]),
        (Window("01:00", "05:00", zone=BERLIN), ["+25 01:00", "-25 05:00"]),
    ],
)
def test_an_hour_that_comes_twice(window: Window, expected: list[str]) -> None:
    """In autumn, the clock on the wall says the same times twice, and the window follows it."""
    assert changes(window, "2026-10-25 00:00", "2026-10-25 23:00") == expected


def test_several_windows_are_one() -> None:
    """It is open while any of them is; where they meet, nothing changes."""
    windows = [Window("08:00", "12:00"), Window("12:00", "14:00"), Window("13:00", "18:00", days="sat")]
    assert next_change(windows, at("2026-11-21 08:00")) == at("2026-11-21 18:00")
    assert next_change(windows, at("2026-11-22 08:00")) == at("2026-11-22 14:00")


def test_what_never_changes() -> None:
    """No window is always open, and so is one for all of every day."""
    assert (open_now([], 0), next_change([], 0)) == (True, None)
    assert next_change([Window("00:00", "24:00", zone=BERLIN)], at("2026-10-20 12:00")) is None


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: Window("8", "18:00"), "'8' is no time of the day; write it as 08:00"),
        (lambda: Window("08:00", "18:60"), "'18:60' is no time of the day; write it as 08:00"),
        (lambda: Window("08:00", "24:01"), "'24:01' is no time of the day; write it as 08:00"),
        (lambda: Window("24:00", "06:00"), "Window('24:00', '06:00') begins at 24:00; write 00:00 of the next day"),
        (
            lambda: Window("08:00", "08:00"),
            "Window('08:00', '08:00') is never open; for the whole day write '00:00', '24:00'",
        ),
        (lambda: Window("08:00", "18:00", days="mo-fr"), "'mo' is no day of the week; did you mean 'mon'?"),
        (lambda: Window("08:00", "18:00", days=""), "'' is no day of the week; write days as mon-fri or sat,sun"),
        (
            lambda: Window("08:00", "18:00", zone="Berlin"),
            "'Berlin' is no time zone; write a name such as Europe/Berlin",
        ),
    ],
)
def test_a_window_that_cannot_be(make: object, error: str) -> None:
    """It is refused where it is written."""
    with pytest.raises(DefinitionError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value) == error


def test_a_window_is_printed_as_people_say_it() -> None:
    """For the log: days only where they are not all."""
    assert str(Window("08:00", "18:00", days="mon-fri", zone=BERLIN)) == "mon-fri 08:00-18:00 Europe/Berlin"
    assert str(Window("08:00", "18:00")) == "08:00-18:00 UTC"


def times() -> st.SearchStrategy[str]:
    return st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))


def windows() -> st.SearchStrategy[Window]:
    zones = st.sampled_from(["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
    days = st.lists(st.sampled_from(DAYS), min_size=1, max_size=3).map(",".join)
    pairs = st.tuples(times(), st.one_of(times(), st.just("24:00"))).filter(lambda pair: pair[0] != pair[1])
    return st.builds(
        lambda pair, days, zone: Window(*pair, days, zone), pairs, st.one_of(days, st.just("mon-sun")), zones
    )


@settings(max_examples=150)
@given(
    those=st.lists(windows(), min_size=1, max_size=2),
    day=st.sampled_from(
        ["2026-03-07", "2026-03-27", "2026-04-03", "2026-10-02", "2026-10-24", "2026-10-31", "2026-06-01"]
    ),
    minute=st.integers(0, 2 * 24 * 60),
)
def test_the_next_change_is_what_looking_every_minute_finds(those: list[Window], day: str, minute: int) -> None:
    """Also over daylight saving, in zones that shift by an hour or by half of one."""
    begin = at(day) + minute * 60 + 17

    def naive(window: Window, when: float) -> bool:
        local = datetime.fromtimestamp(when, ZoneInfo(window.zone))
        clock, names = local.strftime("%H:%M"), window.days.split(",")
        today = window.days == "mon-sun" or DAYS[local.weekday()] in names
        yesterday = window.days == "mon-sun" or DAYS[(local - timedelta(days=1)).weekday()] in names
        if window.start < window.end:
            return today and window.start <= clock < window.end
        return (today and clock >= window.start) or (yesterday and clock < window.end)

    now = any(naive(window, begin) for window in those)
    assert open_now(those, begin) is now
    minutes = (at(day) + (minute + number) * 60 for number in range(1, 4 * 24 * 60))
    expected = next((when for when in minutes if any(naive(window, when) for window in those) is not now), None)
    found = next_change(those, begin)
    assert found == expected if expected is not None else (found is None or found >= begin + 4 * 86400 - 120)
