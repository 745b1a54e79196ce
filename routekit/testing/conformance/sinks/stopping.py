"""Cases of a sink: cancelled, stopped, opened and closed."""

from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

import anyio

from ....errors import Unavailable
from ....message import Message
from ....tasks import together
from ..applying import trial
from ..bench import Bench
from ..contract import shown
from ..lives import TRIED, SinkLife, outcome
from ..stepping import Stepping, left_twice, stepped_opening, wrapped_sends
from .given import SinkGiven, body_of

YEAR = 365 * 86_400.0


class Stopping(SinkGiven):
    """Cancellation, drain, closing, and the clock."""

    @trial()
    async def test_a_send_may_be_cancelled_at_every_await(self, bench: Bench) -> None:
        """Wherever a send is cancelled, as by a timeout, the sink stays as good as it was, and nothing torn is there.

        Give locks back by `async with`; close a connection on which an answer is still to come.
        """
        stepping = Stepping()

        async def send(sending: Callable[[], Awaitable[Message[Any] | None]]) -> Message[Any] | None:
            with anyio.CancelScope() as scope:
                stepping.act = scope.cancel
                return await stepping.run(sending())
            raise Unavailable("cancelled by the kit")

        async with bench.sink_life(wrapped_sends(self.producer(bench), send), self.options()) as life:
            await life.send(self.message(1))
            total, number = stepping.count, 1
            for at in range(1, total + 1, max(1, ceil(total / self.cancels))):
                stepping.count, stepping.at = 0, at
                await outcome(life.send(self.message(number + 1)))
                stepping.count, stepping.at = 0, 0
                when = f"after one that was cancelled at await {at}"
                await self.soon_sent(bench, life, self.message(number + 2), when)
                number += 2
            sent = [self.expected(self.body(one)) for one in range(1, number + 1)]
            await self.expect(bench, range(1, number + 1, 2))
            if self.promised.transactional:
                torn = [body_of(one) for one in await self.delivered() if body_of(one) not in sent]
                assert not torn, (
                    f"transactional is promised, and of a send that was cancelled there is {shown(torn[0])}"
                )

    @trial()
    async def test_it_may_be_cancelled_at_every_await_of_its_opening(self, bench: Bench) -> None:
        """Wherever the service dies while it opens or closes the sink, the next one works.

        Open by `async with`, so that what is half open is closed.
        """

        async def once(at: int, first: int) -> int:
            stepping = Stepping(at)
            stepped = stepped_opening(self.producer(bench), stepping)
            async with bench.sink_life(stepped, self.options(), troubled=True, stepping=stepping) as life:
                await bench.soon(lambda: life.up, "the sink to open")
            async with self.life(bench) as life:
                when = f"after it was cancelled at await {at} of its opening"
                await self.soon_sent(bench, life, self.message(first), when)
            await self.expect(bench, [first])
            return stepping.count

        total = await once(0, 1)
        for number, at in enumerate(range(1, total + 1, max(1, ceil(total / self.cancels))), 2):
            await once(at, number)

    @trial()
    async def test_what_is_being_sent_at_a_stop_is_sent(self, bench: Bench) -> None:
        """An orderly stop closes the sink after the last send has returned, and all of them are delivered.

        Close nothing in the background: `open` is left when nothing is in flight any more.
        """
        outcomes: list[Exception | None] = []
        ended = anyio.Event()

        async def send(life: SinkLife) -> None:
            outcomes.extend(await life.send_all(self.messages(10)))
            ended.set()

        async with together() as tasks:
            async with self.life(bench) as life:
                await bench.soon(lambda: life.up, "the sink to open")
                tasks.start_soon(send, life)
                await bench.soon(lambda: life.service.counts()[TRIED].received == 10, "10 sends to begin")
            await bench.soon(ended.is_set, "the sends that had begun at an orderly stop")
        assert not any(outcomes), f"sends that had begun at an orderly stop failed: {shown([*filter(None, outcomes)])}"
        await self.expect(bench, range(1, 11))

    @trial()
    async def test_it_may_be_opened_and_closed_often(self, bench: Bench) -> None:
        """One life after another works, and so do two routes at the same time.

        What routes share is opened by `runtime.shared`; nothing else may assume that it is alone.
        """
        for number in range(1, 4):
            async with self.life(bench) as life:
                await bench.soon(lambda life=life: life.up, f"the sink to open for the {number}. time")
        async with self.life(bench) as life, self.life(bench) as other:
            await life.send(self.message(1))
            await other.send(self.message(2))
        await self.expect(bench, [1, 2])

    @trial()
    async def test_it_may_be_closed_twice(self, bench: Bench) -> None:
        """Leaving a second time what `open` gave does nothing.

        `@asynccontextmanager` holds this by itself; a class with `__aexit__` has to.
        """
        closings: list[str] = []
        async with bench.sink_life(left_twice(self.producer(bench), closings), self.options()) as life:
            await life.send(self.message(1))
        assert closings == ["", ""], f"closed twice, it raised {closings[-1]}"
        await self.expect(bench, [1])

    @trial()
    async def test_the_clock_may_be_set(self, bench: Bench) -> None:
        """Wall time that jumps by a year, forward or back, stops nothing.

        Measure spans with `anyio.current_time()`; `runtime.now()` is for dates.
        """
        async with self.life(bench) as life:
            for number, jump in enumerate((0.0, YEAR, -2 * YEAR, YEAR), 1):
                bench.jumped += jump
                await self.soon_sent(bench, life, self.message(number), f"after the clock was set by {jump:+g} s")
        await self.expect(bench, range(1, 5))
