"""cron:"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import anyio
import pytest

from routekit import BadOption, Flow, Logged, Message, Store, from_
from routekit.endpoints.cron import Cron
from routekit.stores.memory import MemoryStore
from routekit.testing import Run, Sink, running, setup_for

from ..crashing import DEATHS, DurableStore, Outside, every_crash

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

    flow = from_(f"cron:{schedule}{'' if '?' in schedule else '?'}zone={zone}", datetime).transform(work)
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


@pytest.mark.parametrize(
    ("missed", "times"),
    [
        ("skip", ["01-01 00:10", "01-01 00:40"]),
        ("once", ["01-01 00:10", "01-01 00:35", "01-01 01:00"]),
        ("all", ["01-01 00:10", "01-01 00:35", "01-01 01:00"]),
    ],
)
async def test_times_that_pass_during_work(missed: str, times: list[str]) -> None:
    """Are left out, or come as soon as the route is free."""
    schedule = f"*/10 * * * *?missed={missed}&"
    assert await runs(schedule, "2026-01-01T00:01", 1 / 24, zone="UTC", takes=25 * 60) == times


async def over_night(missed: str, store: Store | None = None) -> tuple[list[str], list[str]]:
    """The scheduled times of two lives with one store, from 11:00 to 12:30 and from 15:15 on; and what was told."""
    kept, run, sink = store or DurableStore(), Run(), Sink()
    begin = datetime(2026, 1, 1, 11, tzinfo=ZoneInfo("UTC")).timestamp() - anyio.current_time()
    for life in (1.5, 1.0):
        flow = from_(f"cron:0 * * * *?missed={missed}", datetime).to(sink)
        setup = setup_for(run, store=kept, now=lambda: begin + anyio.current_time())
        async with running(flow, setup=setup):
            await anyio.sleep(life * 3600)
        await anyio.sleep(2.75 * 3600)
    return [f"{due:%H:%M}" for due in sink.bodies], [event.text for event in run.events if isinstance(event, Logged)]


@pytest.mark.parametrize(
    ("missed", "times", "fired"),
    [
        ("skip", ["12:00", "16:00"], "none"),
        ("once", ["12:00", "15:00", "16:00"], "1"),
        ("all", ["12:00", "13:00", "14:00", "15:00", "16:00"], "3"),
        ("all&most=2", ["12:00", "14:00", "15:00", "16:00"], "2"),
    ],
)
async def test_what_was_missed_while_the_service_was_down(missed: str, times: list[str], fired: str) -> None:
    """Is told in the log, and fired or not as `missed` says, oldest first."""
    found, told = await over_night(missed)
    assert found == times
    assert told == [f"route-1 cron:0 * * * *: missed 3 times since 2026-01-01 12:00:00 UTC, {fired} of them fired now"]


async def test_a_store_in_memory_keeps_no_times() -> None:
    """So nothing is known to be missed."""
    assert await over_night("all", MemoryStore(lambda: 0.0)) == (["12:00", "16:00"], [])


async def test_no_time_is_lost_by_a_crash() -> None:
    """Wherever the process dies, with missed=all each time arrives, in this life or the next."""

    def flow(outside: Outside) -> Flow[datetime]:
        return from_("cron:* * * * *?missed=all", datetime).to(outside.sink)

    def check(outside: Outside) -> None:
        times = sorted({int(due.timestamp()) for due in outside.bodies})
        assert times == list(range(times[0], times[0] + 60 * len(times), 60))
        assert len(times) >= 3

    assert await every_crash(flow, Outside, check, kinds=DEATHS, down=130.0, patience=200.0) > 10


async def test_a_clock_that_is_set_back_by_an_hour_repeats_nothing() -> None:
    """The same time does not come twice; it goes on where it was."""
    begin = datetime(2026, 1, 1, 11, 50, tzinfo=ZoneInfo("UTC")).timestamp() - anyio.current_time()
    shift: list[float] = [0.0]
    seen: list[str] = []

    def work(due: datetime) -> None:
        seen.append(f"{due:%H:%M}")
        shift[0] = -3600.0

    flow = from_("cron:0 * * * *", datetime).transform(work)
    async with running(flow, setup=setup_for(Run(), now=lambda: begin + anyio.current_time() + shift[0])):
        await anyio.sleep(4 * 3600)
    assert seen == ["12:00", "13:00", "14:00"]


async def test_the_body_is_the_scheduled_time() -> None:
    """Aware of its zone; the header names the schedule, and the id is that of the time."""
    seen: list[Any] = []
    now = datetime(2026, 5, 1, 5, 59, 30, tzinfo=BERLIN).timestamp

    def note(due: datetime, message: Message[datetime]) -> None:
        seen.append((due, message))

    first = anyio.current_time()
    flow = from_("cron:0 6 * * *?zone=Europe/Berlin", datetime).transform(note)
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
    first, set_back = anyio.current_time(), [0.0]
    seen: list[float] = []

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
