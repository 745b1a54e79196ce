"""cron: a message at times of the calendar."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from itertools import islice, takewhile
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import anyio
from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator

from ..about import About
from ..endpoint import Capabilities, Consumer, Endpoint, PathField
from ..hookspecs import hookimpl
from ..message import Delivery, Message
from ..schedules import Missed, Schedule, made_up
from ..step import Runtime

_SET_BACK = 3 * 3600.0
"""Seconds by which the clock may be set back without times coming twice; as in Debian's cron."""

_COUNTED = 1000
"""So many missed times are counted at most."""


class Cron(Consumer):
    """A message whenever the schedule says so, in a stated time zone: `cron:0 6 * * 1-5?zone=Europe/Berlin`.

    Daylight saving as in Debian's cron: a time that is skipped in spring runs at the next full moment after the gap,
    a time that comes twice in autumn runs once; schedules with a `*` in hour or minute run by real time. The body is
    the scheduled time, aware of its zone. A durable store keeps the last time that is done: times that pass while
    nothing runs, or while a message is at work, are told in the log, and fired or not as `missed` says.
    """

    scheme = "cron"
    singleton: ClassVar[bool] = True
    capabilities = Capabilities(ordered=True)
    about = About(
        headers={"cron.schedule": "the schedule"},
        example="""
            from routekit import from_

            nightly = from_("cron:30 2 * * *?zone=Europe/Berlin").to("log:nightly")
        """,
    )
    schedule: PathField = Field(description="minute hour day month weekday, as in crontab(5)")
    zone: str = Field(default="UTC", description="name of the time zone, such as Europe/Berlin")

    missed: Missed = Field(
        default="skip", description="times that were missed: `skip` them, fire one `once` for all, or `all`"
    )
    most: int = Field(default=100, ge=1, description="missed=all: the newest so many are fired, the others are skipped")

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
        schedule = Schedule(runtime, f"{runtime.route} cron:{self.schedule}", keeps=True)
        after = runtime.now()
        todo = deque[datetime]()
        last = await schedule.last()
        if last is None:
            await schedule.begin(after)
        else:
            passed = self._passed(last[0], after)
            todo.extend(schedule.made_up(passed, datetime.timestamp, self.missed, self.most))
            schedule.tell(len(passed), len(todo), last[0])
        while True:
            if not todo:
                due = next(CronSim(self.schedule, self._at(after)), None)
                if due is None:  # such as 30 February: it never comes
                    return
                while (wait := due.timestamp() - runtime.now()) > 0:
                    await anyio.sleep(min(wait, 60.0))  # wall time may be set while we wait
                todo.append(due)
            due = todo.popleft()
            at = due.timestamp()
            await schedule.begins(at)
            message = Message(due, {"cron.schedule": self.schedule}, f"{self.schedule} {due.isoformat()}")
            yield schedule.fired(at, 0, message)
            now = runtime.now()
            if not todo:
                todo.extend(made_up(self._passed(max(at, after), now), self.missed, self.most))
                after = max(now, at) if at - now < _SET_BACK else now

    def _at(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, ZoneInfo(self.zone))

    def _passed(self, since: float, now: float) -> Sequence[datetime]:
        """The times after `since`, until now, oldest first; the newest thousand of them, or as many as may be fired."""
        if now <= since:
            return ()
        times = CronSim(self.schedule, self._at(now + 60.0), reverse=True)
        passed = takewhile(lambda time: time.timestamp() > since, (t for t in times if t.timestamp() <= now))
        return list(islice(passed, max(self.most, _COUNTED)))[::-1]


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`cron:` as a source."""
    return [Cron]
