"""timer: a message every so many seconds."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio
from pydantic import Field

from ..about import About
from ..endpoint import Consumer, Endpoint, PathField
from ..hookspecs import hookimpl
from ..message import Delivery, Message
from ..step import Runtime
from ..units import Seconds


class Timer(Consumer):
    """A message at fixed times: body is the number of the tick, from 1.

    The next tick is counted from the last one's time, not from its end; ticks missed while a message was at work are
    left out. Ticks are not kept over a restart.
    """

    scheme = "timer"
    about = About(
        headers={"timer.name": "the name"},
        example="""
            from routekit import from_

            beats = from_("timer:heart?every=30s", int).to("log:beats")
        """,
    )
    name: PathField = Field(description="name of the timer, which is in the ids of its messages")
    every: Seconds = Field(default=1.0, gt=0, description="seconds between two ticks")
    delay: Seconds | None = Field(default=None, ge=0, description="seconds before the first tick, else `every`")
    repeat: int | None = Field(default=None, ge=1, description="number of ticks, then the source ends")

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        due = anyio.current_time() + (self.every if self.delay is None else self.delay)
        tick = 0
        while self.repeat is None or tick < self.repeat:
            await anyio.sleep_until(due)
            tick += 1
            yield Delivery(Message(tick, {"timer.name": self.name}, f"{self.name}-{runtime.now():.3f}"))
            missed = max(0.0, anyio.current_time() - due) // self.every
            due += (missed + 1) * self.every


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`timer:` as a source."""
    return [Timer]
