"""Cases of a source: cancelled, stopped, paused, started again; with one slot, and with nothing to do."""

from typing import Any

import anyio
import anyio.lowlevel

from ....endpoint import Consumer, Listener
from ....tasks import together
from ..applying import promised, trial
from ..bench import Bench
from ..lives import TRIED, SourceLife
from ..stepping import Stepping, closed_twice, stepped_consumer, stepped_listener
from .given import SourceGiven, called, pulled

DAY = 86_400.0


class Stopping(SourceGiven):
    """Cancellation, back-pressure, drain, closing, pauses, rest and the clock."""

    @trial(pulled, promised("replayable"))
    async def test_it_may_be_cancelled_at_every_await(self, bench: Bench) -> None:
        """Wherever the service dies, in taking, acknowledging or closing, nothing is lost.

        Nothing may be in your hands only while you await: take, yield, then forget.
        """

        async def once(at: int, first: int) -> int:
            stepping = Stepping(at)
            source = bench.endpoint(self.source(), self.kind)
            assert isinstance(source, Consumer)
            bodies: list[Any] = []
            for message in self.messages(2, first):
                await self.put(message)
            stepped = stepped_consumer(source, stepping)
            async with bench.source_life(stepped, auto=True, troubled=True, stepping=stepping) as life:
                await bench.soon(lambda: len(life.taken) >= 2, "two messages to arrive")
                await life.settled()
            bodies += life.bodies
            wanted = [self.expected(self.body(number)) for number in (first, first + 1)]
            if not all(body in bodies for body in wanted):
                await self.arrive(bench, [body for body in wanted if body not in bodies], f"at await {at}")
            return stepping.count

        await self.at_every_await(once)

    @trial(called)
    async def test_it_may_be_cancelled_at_every_await_of_its_start(self, bench: Bench) -> None:
        """Wherever the service dies while it begins to listen, the next start works.

        Give back the port, and whatever else is taken, in a `finally` or a context manager.
        """

        async def once(at: int, first: int) -> int:
            stepping = Stepping(at)
            source = bench.endpoint(self.source(), self.kind)
            assert isinstance(source, Listener)
            stepped = stepped_listener(source, stepping)
            async with bench.source_life(stepped, auto=True, troubled=True, stepping=stepping):
                await anyio.sleep(self.quiet)
            async with bench.source_life(self.source(), auto=True) as life:
                call = await life.give(self.message(first))
                await self.answered(bench, call)
                assert call.error is None, f"after it was cancelled while it started, a call fails: {call.error!r}"
            return stepping.count

        await self.at_every_await(once)

    @trial()
    async def test_one_slot_is_one_at_a_time(self, bench: Bench) -> None:
        """With one slot the next message comes when the one before is done, however many wait.

        Yield from `consume` itself, or await `deliver`; do not hand messages over from tasks that nobody bounds.
        """
        async with bench.source_life(self.source()) as life:
            for message in self.messages(10):
                await life.give(message)
            for number in range(1, 11):
                taken = await life.next(f"message {number} of 10")
                await anyio.sleep(self.quiet if number == 1 else self.quiet / 20)
                assert len(life.taken) == number, f"with one slot, {len(life.taken) - number + 1} were at work at once"
                taken.finish()
            await life.settled()

    @trial()
    async def test_what_is_at_work_at_a_stop_is_finished(self, bench: Bench) -> None:
        """What is at work at an orderly stop is finished and acknowledged, or its caller answered.

        At a stop `consume` is cancelled first, and `ack` called later: what `ack` needs has to outlive `consume`.
        """

        async def finish_later(life: SourceLife) -> None:
            taken = await life.next()
            leave.set()
            await anyio.sleep(self.quiet)
            taken.finish()

        leave = anyio.Event()
        async with together() as tasks, bench.source_life(self.source()) as life:
            call = await life.give(self.message(1))
            tasks.start_soon(finish_later, life)
            await leave.wait()
            if self.listens:
                tasks.start_soon(self.answered, bench, call, " that was at work at a stop")
        if self.listens:
            assert call.error is None, f"a call that was at work at a stop was refused: {call.error!r}"
        counts = life.service.counts()[TRIED]
        assert counts.done == 1, "a message was at work when the service stopped, and was not finished"
        if not self.listens:
            assert await self.left(bench) == [], "a message was finished during the stop, and comes again"

    @trial()
    async def test_it_may_be_opened_and_closed_often(self, bench: Bench) -> None:
        """A life in which nothing happens leaves nothing behind that hinders the next.

        Close what `consume` or `listen` opened, also when no message has come.
        """
        for _ in range(3):
            async with bench.source_life(self.source()):
                await anyio.lowlevel.checkpoint()
        async with bench.source_life(self.source()) as life:
            await life.give(self.message(1))
            (await life.next()).finish()
            await life.settled()

    @trial(pulled)
    async def test_it_may_be_closed_twice(self, bench: Bench) -> None:
        """Closing a second time what `consume` gave does nothing.

        An async generator holds this by itself; an iterator of your own has to.
        """
        source = bench.endpoint(self.source(), self.kind)
        assert isinstance(source, Consumer)
        closings: list[str] = []
        async with bench.source_life(closed_twice(source, closings)) as life:
            await life.give(self.message(1))
            (await life.next()).finish()
            await life.settled()
        assert closings == ["", ""], f"closed twice, it raised {closings[-1]}"

    @trial()
    async def test_it_goes_on_after_a_pause(self, bench: Bench) -> None:
        """What comes during a pause comes after it, and not before.

        During a pause `consume` is closed, and called again after it: begin where you were.
        """
        async with bench.source_life(self.source(), slots=4) as life:
            await life.give(self.message(1))
            (await life.next()).finish()
            await life.service.control("pause", TRIED)
            await anyio.sleep(self.quiet)
            if not self.listens:  # nobody can call while it does not listen
                await life.give(self.message(2))
                await anyio.sleep(self.quiet)
                assert len(life.taken) == 1, "a message came during a pause"
            await life.service.control("resume", TRIED)
            if self.listens:
                await self.ready()
                await life.give(self.message(2))
            (await life.next("a message after a pause")).finish()
            await life.settled()

    @trial(pulled)
    async def test_it_rests_when_there_is_nothing(self, bench: Bench) -> None:
        """With nothing to do it tells the engine so, and `routekit run` ends.

        Wait by `runtime.rest(seconds)`, or for an event inside `runtime.resting()`.
        """
        rested = await bench.rested(self.source())
        assert rested, f"there was nothing, and after {self.patience:g} seconds it had not rested"

    @trial()
    async def test_the_clock_may_be_set(self, bench: Bench) -> None:
        """Wall time that jumps by a year, forward or back, stops nothing.

        Measure spans with `anyio.current_time()`; `runtime.now()` is for dates.
        """
        async with bench.source_life(self.source(), auto=True) as life:
            for number, jump in enumerate((0.0, 365 * DAY, -730 * DAY, 365 * DAY), 1):
                bench.jumped += jump
                await life.give(self.message(number))
                await bench.soon(
                    lambda number=number: len(life.taken) >= number, f"a message after the clock was set by {jump:+g} s"
                )
            await life.settled()
