"""timer: a message every so many seconds."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from math import floor
from typing import Any, ClassVar

import anyio
from pydantic import Field

from ..about import About
from ..endpoint import Capabilities, Consumer, Endpoint, PathField
from ..hookspecs import hookimpl
from ..message import Delivery, Message
from ..schedules import Missed, Schedule, made_up
from ..step import Runtime
from ..units import Seconds


class Timer(Consumer):
    """A message at fixed times: body is the number of the tick, from 1.

    The next tick is counted from the last one's time, not from its end. What becomes of ticks that pass while a message
    is at work says `missed`; if it is given and the store is durable, the time of the last tick that is done is kept
    there, and ticks that pass while the service is down are missed in the same way: they are told in the log, and fired
    or not. Without it ticks are not kept over a restart.
    """

    scheme = "timer"
    singleton: ClassVar[bool] = True
    capabilities = Capabilities(ordered=True)
    about = About(
        headers={"timer.name": "the name"},
        example="""
            from routekit import from_

            beats = from_("timer:heart?every=30s", int).to("log:beats")
            bills = from_("timer:bills?every=1h&missed=once", int).to("log:bills")
        """,
    )
    name: PathField = Field(description="name of the timer, which is in the ids of its messages")
    every: Seconds = Field(default=1.0, gt=0, description="seconds between two ticks")
    delay: Seconds | None = Field(default=None, ge=0, description="seconds before the first tick, else `every`")
    repeat: int | None = Field(
        default=None, ge=1, description="number of ticks, then the source ends; with `missed` also over restarts"
    )
    missed: Missed | None = Field(
        default=None,
        description="ticks that were missed: `skip` them, fire one `once` for all, or `all`; unset: skipped, and not "
        "kept over a restart",
    )
    most: int = Field(default=100, ge=1, description="missed=all: the newest so many are fired, the others are skipped")

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        schedule = Schedule(runtime, f"{runtime.route} timer:{self.name}", keeps=self.missed is not None)
        wall, clock = runtime.now(), anyio.current_time()  # later times are by the clock: nobody sets that
        last = await schedule.last()
        first, tick = wall + (self.every if self.delay is None else self.delay), 0
        if last is None:
            await schedule.begin(first - self.every)
        else:
            first, tick = min(last[0], wall) + self.every, last[1]
        following, todo = 0, deque[int]()  # ticks by their number since `first`
        if last is not None:
            following, passed = self._passed(wall - first, 0)
            begin, every = first, self.every
            todo.extend(schedule.made_up(passed, lambda tick: begin + tick * every, self.missed, self.most))
            schedule.tell(following, len(todo), last[0])
        while self.repeat is None or tick < self.repeat:
            if not todo:
                await anyio.sleep_until(clock + first - wall + following * self.every)
                todo.append(following)
                following += 1
            due = first + todo.popleft() * self.every
            tick += 1
            await schedule.begins(due)
            message = Message(tick, {"timer.name": self.name}, f"{self.name}-{due:.3f}")
            yield schedule.fired(due, tick, message)
            following, passed = self._passed(wall - first + anyio.current_time() - clock, following)
            todo.extend(made_up(passed, self.missed, self.most))

    def _passed(self, seconds: float, following: int) -> tuple[int, range]:
        """The number of the next tick, so many seconds after the first, and the newest of those before it."""
        passed = max(following, floor(seconds / self.every + 1e-9) + 1)
        return passed, range(max(following, passed - self.most), passed)


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`timer:` as a source."""
    return [Timer]
