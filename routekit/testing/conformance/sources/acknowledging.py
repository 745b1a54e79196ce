"""Cases of a source: when a message is acknowledged, and what comes again."""

import anyio

from ....endpoint import Consumer
from ....errors import Rejected
from ...virtual import Loop
from ..applying import given, in_real_time, promised, trial
from ..bench import Bench
from ..contract import whole
from ..killing import killed_at_work
from .given import SourceGiven, pulled


class Acknowledging(SourceGiven):
    """Acknowledgement after the route only; redelivery after a refusal and after a crash."""

    @trial(pulled)
    async def test_what_is_done_does_not_come_again(self, bench: Bench) -> None:
        """What the route is done with is acknowledged: another life of the service does not see it.

        `ack` returns when the other side has it; an acknowledgement that is only queued is lost at the end.
        """
        async with bench.source_life(self.source(), auto=True) as life:
            for message in self.messages(3):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= 3, "3 messages to arrive")
            await life.settled()
        assert await self.left(bench) == [], "messages that were done have come again"

    @trial(pulled, promised("replayable"))
    async def test_it_is_not_acknowledged_before_the_route_is_done(self, bench: Bench) -> None:
        """What is unfinished when the service dies comes again, with the same id.

        Acknowledge in `ack` only, not when the message is yielded, and make the id from what names it outside.
        """
        async with bench.source_life(self.source()) as life:
            await life.give(self.message(1))
            first = await life.next()
            await anyio.sleep(self.quiet)
            await life.crash()
        async with bench.source_life(self.source()) as life:
            again = await life.next("what was unfinished at a crash")
            self.same_body(again, 1, "a message that came again")
            same = first.message.id == again.message.id
            assert same, f"it came as '{first.message.id}', and again as '{again.message.id}'"
            again.finish()
            await life.settled()
        assert await self.left(bench) == []

    @trial(pulled, promised("replayable"))
    async def test_the_unfinished_one_comes_again_though_later_ones_are_done(self, bench: Bench) -> None:
        """The first of several is unfinished at a crash, and comes again though the others are acknowledged.

        Of a log with one position, move it over the finished ones at its beginning only.
        """
        async with bench.source_life(self.source(), slots=4) as life:
            for message in self.messages(4):
                await life.give(message)
            first = await life.next()
            for _ in range(3):
                (await life.next("the others, while the first one is at work")).finish()
            await anyio.sleep(self.quiet)
            await life.crash()
        found = await self.left(bench, "the message that was unfinished at a crash, in another life", 1)
        assert first.message.body in found, "the message that was unfinished at a crash has not come again"

    @trial(pulled, promised("replayable"), in_real_time)
    async def test_nothing_is_lost_when_the_process_is_killed(self, bench: Bench, kit_loop: Loop) -> None:
        """What is at work when the process gets `kill -9`, and can tidy up nothing, comes again.

        Do not take it away and put it back in a `finally`; let a lease run out.
        """
        await self.put(self.message(1))
        await killed_at_work(bench, self.source, kit_loop)
        found = await self.left(bench, "what was at work when the process was killed", 1)
        assert found == [self.expected(self.body(1))], f"it was put once, and after `kill -9` there came {found!r}"

    @trial(pulled)
    async def test_a_refused_one_is_kept_or_comes_again(self, bench: Bench) -> None:
        """A source that takes failed messages back keeps them; any other brings them again, with the same id.

        `takes_back()` is true only if a failed message is safe with you; else `nack` makes it come again.
        """
        source = bench.endpoint(self.source(), self.kind)
        assert isinstance(source, Consumer)
        async with bench.source_life(source) as life:
            await life.give(self.message(1))
            refused = await life.next()
            refused.refuse(Rejected("refused by the kit"))
            if source.takes_back():
                await anyio.sleep(self.quiet)
                assert len(life.taken) == 1, "it says that it takes failed messages back, and brings one again"
            else:
                again = await life.next("a refused message, which is to come again,")
                whole(again.message.id, refused.message.id, "the id of a message that came again")
                again.finish()
            await life.give(self.message(2))
            (await life.next("the one after a refused message")).finish()
            await life.settled()

    @trial(pulled)
    async def test_a_dead_letter_is_acknowledged(self, bench: Bench) -> None:
        """A message that can never succeed becomes a dead letter, holds up nobody, and does not come again.

        `ack` is called for it: it must do what it does for others.
        """
        async with bench.source_life(self.source(), dead_letter="store") as life:
            await life.give(self.message(1))
            await life.give(self.message(2))
            (await life.next()).refuse(Rejected("refused by the kit"))
            (await life.next("the one after a dead letter")).finish()
            await life.settled()
            assert len(await life.letters()) == 1, "a message that failed has become no dead letter"
        assert await self.left(bench) == [], "a dead letter has come again from the source"

    @trial(given("put_poison"))
    async def test_what_is_no_message_harms_nobody(self, bench: Bench) -> None:
        """What the source can make no message of is told to somebody, and the next message comes.

        Yield a `Delivery` with an `error`; do not raise, which would degrade the route, and do not skip in silence.
        """
        async with bench.source_life(self.source(), dead_letter="store", troubled=True) as life:
            await self._put_poison()
            await life.give(self.message(1))
            (await life.next("the message after one that is none")).finish()
            await life.settled()
            assert life.troubles() or self.listens, "what was no message is gone, and nobody was told"

    async def _put_poison(self) -> None:
        try:
            await self.put_poison()
        except Exception:  # of whatever kind: a listener tells the caller
            if not self.listens:
                raise
