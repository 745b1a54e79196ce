"""Cases of a source: what arrives in the route."""

from typing import Any

import anyio

from ....message import Message
from ..applying import given, promised, trial
from ..bench import Bench
from ..contract import shown, whole
from .given import SourceGiven


class Arriving(SourceGiven):
    """Bodies, headers, ids and order."""

    @trial()
    async def test_a_body_arrives_as_it_was(self, bench: Bench, sample: str) -> None:
        """A body arrives as it was put, also one that is empty, None, or of many alphabets.

        Do not decode bytes, strip lines or take an empty body for none.
        """
        body = self.bodies[sample]
        async with bench.source_life(self.source()) as life:
            await life.give(Message(body, id=f"kit-{sample}"))
            taken = await life.next()
            whole(taken.message.body, self.expected(body), f"the body '{sample}'")
            taken.finish()
            await life.settled()

    @trial()
    async def test_a_large_body_arrives(self, bench: Bench) -> None:
        """A body of 100 MiB arrives whole, or one of the largest size that the source promises.

        Read until the end, not one buffer; promise a `largest` if there is a limit.
        """
        source = bench.endpoint(self.source(), self.kind)
        body = self.large_body(min(self.large, source.promises().largest or self.large))
        async with bench.source_life(source) as life:
            await life.give(Message(body, id="kit-large"))
            taken = await life.next()
            whole(taken.message.body, self.expected(body), "a large body")
            taken.finish()
            await life.settled()

    @trial(promised("largest"))
    async def test_what_is_too_large_harms_nobody(self, bench: Bench) -> None:
        """A body over the promised `largest` is told to somebody, does not arrive cut off, and the next one comes.

        Yield a `Delivery` with an `error`; a listener tells the caller. Do not read it all to find out.
        """
        promises = bench.endpoint(self.source(), self.kind).promises()
        assert promises.largest is not None
        body = self.large_body(promises.largest + 1)
        async with bench.source_life(self.source(), dead_letter="store", troubled=True) as life:
            call = await life.give(Message(body, id="kit-large"))
            if self.listens:
                await self.answered(bench, call, " that is too large")
                assert call.error is not None, "a body was over `largest`, and the caller was told that all is well"
            await life.give(self.message(1))
            taken = await life.next("the message after one that is too large")
            self.same_body(taken, 1, "the message after one that is too large")
            taken.finish()
            await life.settled()
            told = life.troubles() or self.listens
            assert told, "what is over `largest` is gone, and nobody was told"

    @trial(given("headers"))
    async def test_headers_arrive_as_they_were(self, bench: Bench) -> None:
        """Each header arrives with its value.

        Give the headers that you have to `Message(body, headers, id)`.
        """
        async with bench.source_life(self.source()) as life:
            await life.give(Message(self.body(1), self.headers, "kit-1"))
            taken = await life.next()
            for name, value in self.headers.items():
                assert name in taken.message.headers, f"header '{name}' is gone"
                whole(taken.message.headers[name], value, f"header '{name}'")
            taken.finish()
            await life.settled()

    @trial()
    async def test_many_arrive_once_each(self, bench: Bench) -> None:
        """As long as nothing fails, every message comes, and none comes twice.

        Remember what is in flight until `ack` or `nack` is called.
        """
        async with bench.source_life(self.source(), slots=8, auto=True) as life:
            for message in self.messages(self.many):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= self.many, f"{self.many} messages to arrive")
            await anyio.sleep(self.quiet)
            self._all_there(life.bodies, self.many)
            assert len(life.taken) == self.many, f"{self.many} were put, and {len(life.taken)} have come"

    @trial()
    async def test_each_has_an_id_of_its_own(self, bench: Bench) -> None:
        """No two messages have the same id.

        `idempotent` takes the second for the first: use what names it at the other side, or leave the id out.
        """
        async with bench.source_life(self.source(), auto=True) as life:
            for message in self.messages(10):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= 10, "10 messages to arrive")
            ids = [taken.message.id for taken in life.taken]
            assert len({*ids}) == len(ids), f"two messages have one id: {shown(ids)}"

    @trial(promised("ordered"))
    async def test_they_arrive_in_order(self, bench: Bench) -> None:
        """One at a time, messages come in the order in which they were put.

        Ask for them in order, or do not promise `ordered`.
        """
        async with bench.source_life(self.source(), auto=True) as life:
            for message in self.messages(30):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= 30, "30 messages to arrive")
            wanted = [self.expected(self.body(number)) for number in range(1, 31)]
            assert life.bodies == wanted, f"ordered is promised, and the order was {shown(life.bodies)}"

    def _all_there(self, bodies: list[Any], count: int) -> None:
        missing = [number for number in range(1, count + 1) if self.expected(self.body(number)) not in bodies]
        assert not missing, f"of {count} messages, these have not come: {shown(missing)}"
