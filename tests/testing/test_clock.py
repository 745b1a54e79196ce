"""The clock of a test."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from routekit import from_
from routekit.testing import Clock, replace_endpoints, running

pytestmark = pytest.mark.anyio


async def test_wall_time_begins_when_the_test_says() -> None:
    """And goes on with anyio's clock."""
    clock = Clock("2026-03-29T01:00+01:00")
    assert clock.today() == datetime(2026, 3, 29, tzinfo=UTC)
    await anyio.sleep(3600)
    assert clock.today() == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert clock.now() == datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()
    assert Clock(datetime(2026, 1, 1, tzinfo=UTC)).today().year == 2026


def test_a_time_without_its_zone_is_refused() -> None:
    """It would be another one elsewhere."""
    with pytest.raises(ValueError, match="no time zone"):
        Clock("2026-03-29T01:00")


def test_it_can_be_asked_where_nothing_runs() -> None:
    """It stands still there."""
    clock = Clock("2026-03-29T00:00Z")
    assert clock.today() == clock.today() == datetime(2026, 3, 29, tzinfo=UTC)


async def test_what_is_due_is_done_when_time_has_passed() -> None:
    """Also what is due at that very moment, and what that causes."""
    done: list[str] = []

    async def work() -> None:
        await anyio.sleep(60)
        done.append("first")
        async with anyio.create_task_group() as inner:
            inner.start_soon(anyio.lowlevel.checkpoint)
        done.append("second")

    clock = Clock("2026-03-29T00:00Z")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await clock.advance(59)
        assert done == []
        await clock.advance(1)
        assert done == ["first", "second"]


async def test_time_passes_until_a_moment() -> None:
    """But not back."""
    clock = Clock("2026-03-29T00:00Z")
    await clock.until("2026-03-30T02:00+02:00")
    assert clock.today() - datetime(2026, 3, 30, tzinfo=UTC) < timedelta(milliseconds=1)
    with pytest.raises(ValueError, match="is past"):
        await clock.until("2026-03-29T00:00Z")


async def test_a_day_of_a_route_takes_no_time() -> None:
    """The night in which the clocks go forward, too."""
    clock = Clock("2026-03-28T12:00+01:00")
    with replace_endpoints(keep=["cron:*"], clock=clock) as world:
        async with running(from_("cron:30 2 * * *?zone=Europe/Berlin").to("http:erp/reports")):
            await clock.until("2026-03-29T03:00+02:00")
            world["http:erp/reports"].expect(count=1)
            await clock.until("2026-03-30T02:29+02:00")
            world["http:erp/reports"].expect(count=1)
            await clock.advance(60)
            world["http:erp/reports"].expect(count=2)
