"""Cases of a source that is called: what its caller is told, and how many calls are at work."""

import anyio

from ....errors import Rejected
from ....tasks import together
from ..applying import given, trial
from ..bench import Bench
from ..contract import whole
from ..lives import Given, Taken
from .given import SourceGiven, called


class Called(SourceGiven):
    """The contract of a listener."""

    @trial(called)
    async def test_the_caller_waits_for_the_route(self, bench: Bench) -> None:
        """The caller is answered when the route is done, and not before.

        Await `deliver(message)`; starting it in a task and answering at once is early acknowledgement.
        """
        async with bench.source_life(self.source()) as life:
            call = await life.give(self.message(1))
            taken = await life.next()
            await anyio.sleep(self.quiet)
            assert not call.done.is_set(), "the caller was answered before the route was done"
            taken.finish()
            await self.answered(bench, call)
            assert call.error is None, f"the route was done, and the caller was told {call.error!r}"

    @trial(called)
    async def test_the_caller_is_told_of_a_refusal(self, bench: Bench) -> None:
        """When the route refuses, the caller is told so, and the next call works.

        What `deliver` raises has to become an answer that no caller takes for success.
        """
        async with bench.source_life(self.source()) as life:
            call = await life.give(self.message(1))
            (await life.next()).refuse(Rejected("refused by the kit"))
            await self.answered(bench, call, " that was refused")
            assert call.error is not None, "the route refused, and the caller was told that all is well"
            call = await life.give(self.message(2))
            (await life.next("the call after a refused one")).finish()
            await self.answered(bench, call, " after a refused one")
            assert call.error is None, f"after a call that was refused, the next was told {call.error!r}"

    @trial(called, given("answers"))
    async def test_the_caller_gets_the_reply(self, bench: Bench) -> None:
        """The caller gets the message that the route ends with.

        It is what `deliver` returns, and None if there is none.
        """
        async with bench.source_life(self.source()) as life:
            call = await life.give(self.message(1))
            (await life.next()).finish(self.body(2))
            await self.answered(bench, call)
            assert call.reply is not None, "the route had a reply, and the caller got none"
            whole(call.reply.body, self.expected(self.body(2)), "the reply")

    @trial(called)
    async def test_calls_beyond_the_slots_wait(self, bench: Bench) -> None:
        """Of many calls at once no more are at work than the route has slots; the others wait, and are answered.

        `deliver` waits for a slot: do not give up before your callers do.
        """
        async with bench.source_life(self.source(), slots=2) as life:
            calls = [await life.give(message) for message in self.messages(6)]
            at_work: list[Taken] = []
            for number in range(1, 7):
                at_work.append(await life.next(f"call {number} of 6"))
                if number == 2:
                    await anyio.sleep(self.quiet)
                busy = len(life.taken) - number + len(at_work)
                assert busy <= 2, f"the route has 2 slots, and {busy} calls were at work"
                if number > 1:
                    at_work.pop(0).finish()
            at_work.pop().finish()
            for call in calls:
                await self.answered(bench, call, " that had to wait")
                assert call.error is None, f"a call that had to wait for a slot was told {call.error!r}"

    @trial(called)
    async def test_the_caller_is_told_when_time_is_up(self, bench: Bench) -> None:
        """When the deadline of the route has passed, the caller is told, and the next call works.

        `deliver` raises then, as for any refusal: answer the caller.
        """
        async with bench.source_life(self.source(), slots=2, deadline=self.quiet * 5) as life:
            call = await life.give(self.message(1))
            await life.next()
            await self.answered(bench, call, " whose time was up")
            assert call.error is not None, "the deadline had passed, and the caller was told that all is well"
            call = await life.give(self.message(2))
            (await life.next("the call after one whose time was up")).finish()
            await self.answered(bench, call, " after one whose time was up")
            assert call.error is None, f"after a call whose time was up, the next was told {call.error!r}"

    @trial(called)
    async def test_a_call_that_is_cut_off_is_no_success(self, bench: Bench) -> None:
        """A caller whose message is at work when the service dies is not told that all is well.

        A cancellation inside `deliver` goes through you: never answer in a `finally`.
        """
        calls: list[Given] = []
        async with bench.source_life(self.source()) as life:
            calls.append(await life.give(self.message(1)))
            await life.next()
            await life.crash()
        await self.answered(bench, calls[0], " that was cut off")
        assert calls[0].error is not None, "the service died at work, and the caller was told that all is well"

    @trial(called)
    async def test_a_caller_that_leaves_harms_nobody(self, bench: Bench) -> None:
        """A caller that hangs up in the middle of its call does not hinder the next.

        Catch the errors of a broken connection where you answer, so that they end one call and not `listen`.
        """
        async with bench.source_life(self.source(), slots=2, troubled=True) as life:
            async with together() as tasks:
                tasks.start_soon(self.put, self.message(1))
                taken = await life.next()
                tasks.cancel_scope.cancel()
            taken.finish()
            call = await life.give(self.message(2))
            (await life.next("the call after one that hung up")).finish()
            await self.answered(bench, call, " after one that hung up")
            assert call.error is None, f"after a caller hung up, the next was told {call.error!r}"
            assert not life.degraded, f"a caller that hung up has degraded the route: {life.degraded[0]!r}"
