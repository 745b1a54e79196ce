"""Cases of a sink: what it means that a send returns, and that it raises."""

import anyio

from ....errors import Rejected
from ....message import Message
from ....tasks import together
from ..applying import given, not_promised, promised, trial
from ..bench import Bench
from ..contract import proxy_of, shown
from ..lives import outcome
from .given import SinkGiven


class Delivering(SinkGiven):
    """Delivered for good, rejected for good, whole or not at all, once."""

    @trial(not_promised("volatile"))
    async def test_a_send_returns_when_it_is_delivered_for_good(self, bench: Bench) -> None:
        """What was sent is there, even if the service dies the moment after `send` has returned.

        Return after the confirmation, the commit, the fsync; what lies in a buffer is not delivered.
        """
        async with self.life(bench) as life:
            await life.send(self.message(1))
            await life.crash()
        await self.expect(bench, [1], "a send had returned, the service died, and it is not there")

    @trial(given("server"), not_promised("volatile"))
    async def test_a_send_waits_for_a_slow_server(self, bench: Bench) -> None:
        """While the server takes nothing in, no send returns: the route waits, instead of filling a buffer.

        That is back-pressure: await the answer of the server in `send` itself.
        """
        proxy = proxy_of(bench)
        async with self.patient(bench) as life, together() as tasks:
            await life.send(self.message(1))
            proxy.stall()
            returned: list[int] = []

            async def send(number: int) -> None:
                if await outcome(life.send(self.message(number))) is None:
                    returned.append(number)

            for number in range(2, 5):
                tasks.start_soon(send, number)
            await anyio.sleep(self.quiet)
            early = list(returned)
            proxy.heal()
            await bench.soon(lambda: len(returned) == 3, "three sends to return, after a line that had stalled")
        assert not early, f"nothing came through to the server, and {len(early)} of 3 sends had returned"

    @trial(given("poison"))
    async def test_what_can_never_be_delivered_is_rejected(self, bench: Bench) -> None:
        """What can never be delivered raises `Rejected`; what is sent beside it and after it is delivered.

        `Unavailable` is for what may get better. If sends share a batch, send its members alone after a refusal.
        """
        async with self.life(bench) as life:
            error = await outcome(life.send(Message(self.poison(), id="kit-poison")))
            assert isinstance(error, Rejected), f"what can never be delivered has to raise Rejected, found {error!r}"
            good = self.messages(3)
            outcomes = await life.send_all([*good[:2], Message(self.poison(), id="kit-poison-2"), good[2]])
            assert [type(one) for one in outcomes if one is not None] == [type(error)], f"beside it: {shown(outcomes)}"
            await self.expect(bench, [1, 2, 3])

    @trial(promised("largest"))
    async def test_what_is_too_large_is_rejected(self, bench: Bench) -> None:
        """A body over the promised `largest` raises `Rejected`, nothing of it is there, and the next is delivered.

        Look at the size before you send.
        """
        promises = self.producer(bench).promises()
        assert promises.largest is not None
        body = self.large_body(promises.largest + 1)
        async with self.life(bench) as life:
            error = await outcome(life.send(Message(body, id="kit-large")))
            assert isinstance(error, Rejected), f"a body over `largest` has to raise Rejected, found {error!r}"
            await life.send(self.message(1))
            await self.expect(bench, [1])
            count = len(await self.delivered())
            assert count == 1, "of a body over `largest`, something is there"

    @trial(given("half_good"), promised("transactional"))
    async def test_a_message_of_many_is_there_whole_or_not_at_all(self, bench: Bench) -> None:
        """Of a message that brings several things, of which one is refused, nothing is there.

        One transaction for each message, or do not promise `transactional`.
        """
        async with self.life(bench) as life:
            error = await outcome(life.send(Message(self.half_good(), id="kit-half")))
            assert error is not None, "it was to be refused, and was delivered"
            await anyio.sleep(self.quiet)
            found = await self.delivered()
            assert not found, f"transactional is promised, and of what was refused there is {shown(found)}"

    @trial(promised("idempotent"))
    async def test_the_same_message_again_changes_nothing(self, bench: Bench) -> None:
        """The same message sent again, as after a crash before its acknowledgement, is there once.

        Name it by the message's id at the other side, or do not promise `idempotent`.
        """
        async with self.life(bench) as life:
            for _ in range(3):
                await life.send(self.message(1))
            await anyio.sleep(self.quiet)
            count = len(await self.delivered())
            assert count == 1, f"idempotent is promised, and one message sent three times is there {count} times"
