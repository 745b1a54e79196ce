"""cron: a message at times of the calendar."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import anyio
from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator

from ..about import About
from ..endpoint import Consumer, Endpoint, PathField
from ..hookspecs import hookimpl
from ..message import Delivery, Message
from ..step import Runtime


class Cron(Consumer):
    """A message whenever the schedule says so, in a stated time zone: `cron:0 6 * * 1-5?zone=Europe/Berlin`.

    Daylight saving as in Debian's cron: a time that is skipped in spring runs at the next full moment after the gap,
    a time that comes twice in autumn runs once; schedules with a `*` in hour or minute run by real time. The body is
    the scheduled time, aware of its zone. Times that pass while nothing runs are not made up for.
    """

    scheme = "cron"
    about = About(
        headers={"cron.schedule": "the schedule"},
        example="""
            from routekit import from_

            nightly = from_("cron:30 2 * * *?zone=Europe/Berlin").to("log:nightly")
        """,
    )
    schedule: PathField = Field(description="minute hour day month weekday, as in crontab(5)")
    zone: str = Field(default="UTC", description="name of the time zone, such as Europe/Berlin")

    @field_validator("schedule")
    @classmethod
    def _schedule_parses(cls, schedule: str) -> str:
        try:
            CronSim(schedule, datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")))
        except CronSimError as error:
            raise ValueError(f"'{schedule}' is no cron schedule: {error}") from None
        return schedule

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"'{zone}' is no time zone; write a name such as Europe/Berlin") from None
        return zone

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        while True:
            now = datetime.fromtimestamp(runtime.now(), ZoneInfo(self.zone))
            due = next(CronSim(self.schedule, now), None)
            if due is None:  # such as 30 February: it never comes
                return
            while (wait := due.timestamp() - runtime.now()) > 0:
                await anyio.sleep(min(wait, 60.0))  # wall time may be set while we wait
            yield Delivery(Message(due, {"cron.schedule": self.schedule}, f"{self.schedule} {due.isoformat()}"))


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`cron:` as a source."""
    return [Cron]
