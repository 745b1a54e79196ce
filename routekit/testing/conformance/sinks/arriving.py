"""Cases of a sink: what is there at the other side."""

from ....message import Message
from ..applying import given, promised, trial
from ..bench import Bench
from ..contract import shown, whole
from .given import SinkGiven, body_of


class Arriving(SinkGiven):
    """Bodies, headers, many at once, and order."""

    @trial()
    async def test_a_body_arrives_as_it_was(self, bench: Bench, sample: str) -> None:
        """A body is there as it was sent, also one that is empty, None, or of many alphabets.

        Write bytes as they are; do not take an empty body for none.
        """
        body = self.bodies[sample]
        async with self.life(bench) as life:
            await life.send(Message(body, id=f"kit-{sample}"))
            (found,) = await self.arrived(bench, 1)
            whole(body_of(found), self.expected(body), f"the body '{sample}'")

    @trial()
    async def test_a_large_body_arrives(self, bench: Bench) -> None:
        """A body of 100 MiB is there whole, or one of the largest size that the sink promises.

        Write until all is written; promise a `largest` if there is a limit.
        """
        sink = self.producer(bench)
        body = self.large_body(min(self.large, sink.promises().largest or self.large))
        async with self.life(bench) as life:
            await life.send(Message(body, id="kit-large"))
            (found,) = await self.arrived(bench, 1)
            whole(body_of(found), self.expected(body), "a large body")

    @trial(given("headers"))
    async def test_headers_arrive_as_they_were(self, bench: Bench) -> None:
        """Each header is there with its value.

        Send the headers of the message along, or leave `headers` out of the test class.
        """
        async with self.life(bench) as life:
            await life.send(Message(self.body(1), self.headers, "kit-1"))
            (found,) = await self.arrived(bench, 1)
            assert isinstance(found, Message), "headers are given, so delivered() has to give messages"
            for name, value in self.headers.items():
                assert name in found.headers, f"header '{name}' is gone"
                whole(found.headers[name], value, f"header '{name}'")

    @trial()
    async def test_many_at_once_arrive_once_each(self, bench: Bench) -> None:
        """Sends that are under way at the same time do not hurt one another: each message is there once.

        Keep what belongs to one send in local variables, and let sends share a connection by a lock or by numbers.
        """
        async with self.life(bench) as life:
            outcomes = await life.send_all(self.messages(self.many))
            errors = [error for error in outcomes if error is not None]
            assert not errors, f"of {self.many} sends at once {len(errors)} failed, the first with {errors[0]!r}"
            await self.arrived(bench, self.many)
            await self.expect(bench, range(1, self.many + 1))
            count = len(await self.delivered())
            assert count == self.many, f"{self.many} were sent once each, and {count} have arrived"

    @trial(promised("ordered"))
    async def test_they_stay_in_order(self, bench: Bench) -> None:
        """Sent one after another, messages are there in that order.

        Return from `send` when the message has its place, or do not promise `ordered`.
        """
        async with self.life(bench) as life:
            for message in self.messages(30):
                await life.send(message)
            found = [body_of(one) for one in await self.arrived(bench, 30)]
            wanted = [self.expected(self.body(number)) for number in range(1, 31)]
            assert found == wanted, f"ordered is promised, and the order is {shown(found)}"
