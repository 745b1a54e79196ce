"""cron:"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from routekit import BadOption, from_
from routekit.endpoints.cron import Cron
from routekit.testing import Run, running, setup_for

pytestmark = pytest.mark.anyio

BERLIN = ZoneInfo("Europe/Berlin")


async def runs(schedule: str, start: str, days: float, zone: str = "Europe/Berlin", takes: float = 0.0) -> list[str]:
    """The real times, in UTC, at which the schedule ran."""
    begin = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).timestamp()
    first = anyio.current_time()
    seen: list[str] = []

    def now() -> float:
        return begin + anyio.current_time() - first

    async def work(due: datetime) -> None:
        seen.append(datetime.fromtimestamp(now(), ZoneInfo("UTC")).strftime("%m-%d %H:%M"))
        await anyio.sleep(takes)

    flow = from_(f"cron:{schedule}?zone={zone}", datetime).transform(work)
    async with running(flow, setup=setup_for(Run(), now=now)):
        await anyio.sleep(days * 86400)
    return seen


async def test_it_runs_when_the_schedule_says() -> None:
    """In the stated zone: six in the morning on workdays."""
    assert await runs("0 6 * * 1-5", "2026-01-02T12:00", 4) == ["01-05 05:00", "01-06 05:00"]


async def test_the_zone_is_utc_unless_said() -> None:
    """A schedule without a zone means UTC."""
    assert await runs("30 12 * * *", "2026-07-01T00:00", 1, zone="UTC") == ["07-01 12:30"]


async def test_a_time_in_the_gap_of_spring_runs_after_it() -> None:
    """02:30 does not exist on 29 March 2026: it runs at 03:00 summer time, once, and at 02:30 the day after."""
    assert await runs("30 2 * * *", "2026-03-28T12:00", 2.5) == ["03-29 01:00", "03-30 00:30"]


async def test_a_time_that_comes_twice_in_autumn_runs_once() -> None:
    """02:30 comes twice on 25 October 2026; it runs the first time."""
    assert await runs("30 2 * * *", "2026-10-24T12:00", 2) == ["10-25 00:30", "10-26 01:30"]


async def test_schedules_by_the_hour_run_by_real_time() -> None:
    """Every hour is every hour, over gap and fold."""
    spring = await runs("0 * * * *", "2026-03-29T00:30", 0.2)
    assert spring == ["03-29 00:00", "03-29 01:00", "03-29 02:00", "03-29 03:00", "03-29 04:00"]
    autumn = await runs("0 * * * *", "2026-10-25T00:30", 0.2)
    assert autumn == ["10-24 23:00", "10-25 00:00", "10-25 01:00", "10-25 02:00", "10-25 03:00"]


async def test_times_that_pass_during_work_are_not_made_up_for() -> None:
    """A run that takes longer than the interval leaves out what it missed."""
    found = await runs("*/10 * * * *", "2026-01-01T00:01", 1 / 24, zone="UTC", takes=25 * 60)
    assert found == ["01-01 00:10", "01-01 00:40"]


async def test_the_body_is_the_scheduled_time() -> None:
    """Aware of its zone; the header names the schedule, and the id is that of the time."""
    seen: list[Any] = []
    now = datetime(2026, 5, 1, 5, 59, 30, tzinfo=BERLIN).timestamp
    first = anyio.current_time()
    flow = from_("cron:0 6 * * *?zone=Europe/Berlin", datetime).transform(lambda due, m: seen.append((due, m)))
    async with running(flow, setup=setup_for(Run(), now=lambda: now() + anyio.current_time() - first)):
        await anyio.sleep(60)
    ((due, message),) = seen
    assert due == datetime(2026, 5, 1, 6, tzinfo=BERLIN)
    assert due.utcoffset().total_seconds() == 7200
    assert message.headers["cron.schedule"] == "0 6 * * *"
    assert message.id == "0 6 * * * 2026-05-01T06:00:00+02:00"


async def test_a_clock_that_is_set_back_does_not_run_it_early() -> None:
    """Wall time is looked at again while it waits."""
    base = datetime(2026, 1, 1, 11, 59, tzinfo=ZoneInfo("UTC")).timestamp()
    first, set_back, seen = anyio.current_time(), [0.0], []

    def now() -> float:
        return base + anyio.current_time() - first - set_back[0]

    async with running(
        from_("cron:0 12 * * *").transform(lambda b: seen.append(now())), setup=setup_for(Run(), now=now)
    ):
        await anyio.sleep(30)
        set_back[0] = 1800.0
        await anyio.sleep(1700)
        assert seen == []
        await anyio.sleep(200)
    assert seen == [pytest.approx(base + 60, abs=61)]


@pytest.mark.parametrize(
    ("path", "options", "reason"),
    [
        ("every day", {}, "is no cron schedule"),
        ("61 * * * *", {}, "is no cron schedule"),
        ("0 0 30 2 *", {}, "is no cron schedule"),
        ("0 6 * * *", {"zone": "Europe/Berlinn"}, "is no time zone"),
        ("0 6 * * *", {"zone": "../etc/passwd"}, "is no time zone"),
    ],
)
def test_wrong_options(path: str, options: dict[str, Any], reason: str) -> None:
    """Are refused with what was found."""
    with pytest.raises(BadOption, match=reason):
        Cron.of(path, options)
