"""The contract of a sink."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from math import ceil
from typing import Any, cast

import anyio
import anyio.lowlevel

from ...endpoint import Endpoint, Producer
from ...errors import Rejected, Unavailable
from ...message import NO_HEADERS, Message
from ...route import Retry
from ...tasks import together
from ..faults import FaultProxy
from .applying import given, hook, not_promised, promised, trial
from .bench import TRIED, Bench, SinkLife, outcome
from .contract import Contract, proxy_of, shown, whole
from .stepping import Stepping, stepped_opening, wrapped_sends

YEAR = 365 * 86_400.0
PATIENT = Retry(10_000, first=0.05, most=0.2, on=Unavailable)
"""For sends that go on trying until the other side is back."""


class SinkContract(Contract):
    """Tries a sink: subclass it, say what is outside, and what has arrived there.

    class TestSpoolSink(SinkContract):
        kind = SpoolSink

        @asynccontextmanager
        async def outside(self, folder):
            self.folder = folder
            yield

        def sink(self):
            return f"spool:{self.folder}"

        async def delivered(self):
            return [file.read_bytes() for file in sorted(self.folder.glob("*.msg"))]
    """

    def sink(self) -> str | Endpoint:
        """The sink, as a URI or a typed endpoint."""
        raise NotImplementedError

    def options(self) -> Mapping[str, Any]:
        """Options that are given by keyword, as in `.to(sink, name=...)`."""
        return NO_HEADERS

    async def delivered(self) -> Sequence[Any]:
        """What is there now, as somebody else sees it: bodies, or messages where headers are to be tried too."""
        raise NotImplementedError

    @hook
    def poison(self) -> Any:
        """A body that the sink must refuse for good."""
        raise NotImplementedError

    @hook
    def half_good(self) -> Any:
        """A body that brings several things, of which the last must be refused."""
        raise NotImplementedError

    def tried(self) -> str | Endpoint:
        return self.sink()

    # What arrives.

    @trial()
    async def test_a_body_arrives_as_it_was(self, bench: Bench, sample: str) -> None:
        """Also one that is empty, or of many alphabets."""
        body = self.bodies[sample]
        async with self._life(bench) as life:
            await life.send(Message(body, id=f"kit-{sample}"))
            (found,) = await self._arrived(bench, 1)
            whole(_body(found), self.expected(body), f"the body '{sample}'")

    @trial()
    async def test_a_large_body_arrives(self, bench: Bench) -> None:
        """Of 100 MiB, or what the sink says that it can."""
        sink = bench.endpoint(self.sink(), self.kind)
        body = self.large_body(min(self.large, sink.promises().largest or self.large))
        async with self._life(bench) as life:
            await life.send(Message(body, id="kit-large"))
            (found,) = await self._arrived(bench, 1)
            whole(_body(found), self.expected(body), "a large body")

    @trial(given("headers"))
    async def test_headers_arrive_as_they_were(self, bench: Bench) -> None:
        """Each with its value."""
        async with self._life(bench) as life:
            await life.send(Message(self.body(1), self.headers, "kit-1"))
            (found,) = await self._arrived(bench, 1)
            assert isinstance(found, Message), "headers are given, so delivered() has to give messages"
            for name, value in self.headers.items():
                assert name in found.headers, f"header '{name}' is gone"
                whole(found.headers[name], value, f"header '{name}'")

    @trial()
    async def test_many_at_once_arrive_once_each(self, bench: Bench) -> None:
        """Sends that are under way at the same time do not hurt one another."""
        async with self._life(bench) as life:
            outcomes = await life.send_all(self.messages(self.many))
            errors = [error for error in outcomes if error is not None]
            assert not errors, f"of {self.many} sends at once {len(errors)} failed, the first with {errors[0]!r}"
            await self._arrived(bench, self.many)
            await self._has(bench, range(1, self.many + 1))
            count = len(await self.delivered())
            assert count == self.many, f"{self.many} were sent once each, and {count} have arrived"

    @trial(promised("ordered"))
    async def test_they_stay_in_order(self, bench: Bench) -> None:
        """Sent one after another, they are there in that order."""
        async with self._life(bench) as life:
            for message in self.messages(30):
                await life.send(message)
            found = [_body(one) for one in await self._arrived(bench, 30)]
            wanted = [self.expected(self.body(number)) for number in range(1, 31)]
            assert found == wanted, f"ordered is promised, and the order is {shown(found)}"

    # What it means that a send returns.

    @trial(not_promised("volatile"))
    async def test_a_send_returns_when_it_is_delivered_for_good(self, bench: Bench) -> None:
        """Even if the service dies the moment after."""
        async with self._life(bench) as life:
            await life.send(self.message(1))
            await life.crash()
        await self._has(bench, [1], "a send had returned, the service died, and it is not there")

    @trial(given("poison"))
    async def test_what_can_never_be_delivered_is_rejected(self, bench: Bench) -> None:
        """For good, so that nobody tries it again; those beside it and after it are delivered."""
        async with self._life(bench) as life:
            error = await outcome(life.send(Message(self.poison(), id="kit-poison")))
            assert isinstance(error, Rejected), f"what can never be delivered has to raise Rejected, found {error!r}"
            good = self.messages(3)
            outcomes = await life.send_all([*good[:2], Message(self.poison(), id="kit-poison-2"), good[2]])
            assert [type(one) for one in outcomes if one is not None] == [type(error)], f"beside it: {shown(outcomes)}"
            await self._has(bench, [1, 2, 3])

    @trial(given("half_good"), promised("transactional"))
    async def test_a_message_of_many_is_there_whole_or_not_at_all(self, bench: Bench) -> None:
        """Of one that is refused, nothing is there."""
        async with self._life(bench) as life:
            error = await outcome(life.send(Message(self.half_good(), id="kit-half")))
            assert error is not None, "it was to be refused, and was delivered"
            await anyio.sleep(self.quiet)
            found = await self.delivered()
            assert not found, f"transactional is promised, and of what was refused there is {shown(found)}"

    @trial(promised("idempotent"))
    async def test_the_same_message_again_changes_nothing(self, bench: Bench) -> None:
        """As after a crash between delivering and acknowledging."""
        async with self._life(bench) as life:
            for _ in range(3):
                await life.send(self.message(1))
            await anyio.sleep(self.quiet)
            count = len(await self.delivered())
            assert count == 1, f"idempotent is promised, and one message sent three times is there {count} times"

    # When it is cancelled, stopped and started.

    @trial()
    async def test_a_send_may_be_cancelled_at_every_await(self, bench: Bench) -> None:
        """As by a timeout: the sink stays as good as it was, and the next send is delivered."""
        stepping = Stepping()

        async def send(sending: Callable[[], Awaitable[Message[Any] | None]]) -> Message[Any] | None:
            with anyio.CancelScope() as scope:
                stepping.act = scope.cancel
                return await stepping.run(sending())
            raise Unavailable("cancelled by the kit")

        endpoint = bench.endpoint(self.sink(), self.kind)
        assert isinstance(endpoint, Producer)
        async with bench.sink_life(wrapped_sends(endpoint, send), self.options()) as life:
            await life.send(self.message(1))
            total, number = stepping.count, 1
            for at in range(1, total + 1, max(1, ceil(total / self.cancels))):
                stepping.count, stepping.at = 0, at
                await outcome(life.send(self.message(number + 1)))
                stepping.count, stepping.at = 0, 0
                when = f"after one that was cancelled at await {at}"
                await self._soon_sent(bench, life, self.message(number + 2), when)
                number += 2
            sent = [self.expected(self.body(one)) for one in range(1, number + 1)]
            await self._has(bench, range(1, number + 1, 2))
            if self.promised.transactional:
                torn = [_body(one) for one in await self.delivered() if _body(one) not in sent]
                assert not torn, (
                    f"transactional is promised, and of a send that was cancelled there is {shown(torn[0])}"
                )

    @trial()
    async def test_it_may_be_cancelled_at_every_await_of_its_opening(self, bench: Bench) -> None:
        """Wherever the service dies while it opens or closes the sink: the next one works."""

        async def once(at: int, first: int) -> int:
            stepping = Stepping(at)
            endpoint = bench.endpoint(self.sink(), self.kind)
            assert isinstance(endpoint, Producer)
            stepped = stepped_opening(endpoint, stepping)
            async with bench.sink_life(stepped, self.options(), troubled=True, stepping=stepping) as life:
                await bench.soon(lambda: life.up, "the sink to open")
            async with self._life(bench) as life:
                when = f"after it was cancelled at await {at} of its opening"
                await self._soon_sent(bench, life, self.message(first), when)
            await self._has(bench, [first])
            return stepping.count

        total = await once(0, 1)
        for number, at in enumerate(range(1, total + 1, max(1, ceil(total / self.cancels))), 2):
            await once(at, number)

    @trial()
    async def test_what_is_being_sent_at_a_stop_is_sent(self, bench: Bench) -> None:
        """An orderly stop closes the sink after the last send has returned."""
        outcomes: list[Exception | None] = []
        ended = anyio.Event()

        async def send(life: SinkLife) -> None:
            outcomes.extend(await life.send_all(self.messages(10)))
            ended.set()

        async with together() as tasks:
            async with self._life(bench) as life:
                await bench.soon(lambda: life.up, "the sink to open")
                tasks.start_soon(send, life)
                await bench.soon(lambda: life.service.counts()[TRIED].received == 10, "10 sends to begin")
            await bench.soon(ended.is_set, "the sends that had begun at an orderly stop")
        assert not any(outcomes), f"sends that had begun at an orderly stop failed: {shown([*filter(None, outcomes)])}"
        await self._has(bench, range(1, 11))

    @trial()
    async def test_it_may_be_opened_and_closed_often(self, bench: Bench) -> None:
        """One life after another, and two routes at the same time."""
        for number in range(1, 4):
            async with self._life(bench) as life:
                await bench.soon(lambda life=life: life.up, f"the sink to open for the {number}. time")
        async with self._life(bench) as life, self._life(bench) as other:
            await life.send(self.message(1))
            await other.send(self.message(2))
        await self._has(bench, [1, 2])

    @trial()
    async def test_the_clock_may_be_set(self, bench: Bench) -> None:
        """Wall time that jumps by a year, forward or back, stops nothing."""
        async with self._life(bench) as life:
            for number, jump in enumerate((0.0, YEAR, -2 * YEAR, YEAR), 1):
                bench.jumped += jump
                await self._soon_sent(bench, life, self.message(number), f"after the clock was set by {jump:+g} s")
        await self._has(bench, range(1, 5))

    # When the other side fails.

    @trial(given("stop_server", "start_server"))
    async def test_the_server_may_start_later(self, bench: Bench) -> None:
        """The route waits for it, and goes on by itself."""
        await self.stop_server()
        async with self._patient(bench) as life, together() as tasks:
            tasks.start_soon(life.send, self.message(1))
            await anyio.sleep(self.quiet)
            await self.start_server()
            await self._has(bench, [1], "the server that was away has come up, and the message is not there")

    @trial(given("stop_server", "start_server"))
    async def test_a_server_that_is_away_is_unavailable(self, bench: Bench) -> None:
        """A send does not pass as success then, and its error says that it is worth another try."""
        async with self._life(bench, troubled=True) as life:
            await life.send(self.message(1))
            await self.stop_server()
            error: Exception | None = None
            returned = False
            with anyio.move_on_after(self.quiet * 5):
                error = await outcome(life.send(self.message(2)))
                returned = True
            await self.start_server()
            assert error is not None or not returned, "the server was away, and a send returned as if all were well"
            if error is not None:
                assert isinstance(error, Unavailable), f"the server was away: that is Unavailable, found {error!r}"
            await self._soon_sent(bench, life, self.message(2), "after the server came back")
        await self._has(bench, [1, 2])

    @trial(given("stop_server", "start_server"))
    async def test_the_server_may_restart_in_between(self, bench: Bench) -> None:
        """It connects again by itself, without being opened anew."""
        async with self._patient(bench) as life:
            await life.send(self.message(1))
            await self.stop_server()
            await anyio.sleep(self.quiet)
            await self.start_server()
            await self._soon_sent(bench, life, self.message(2), "after the server was restarted")
        await self._has(bench, [1, 2], "it was sent, the server was restarted, and it is not there")

    @trial(given("server"))
    async def test_it_outlives_a_cut(self, bench: Bench) -> None:
        """Every connection is reset; it connects again, and what was sent is there."""
        await self._through(bench, FaultProxy.cut, "every connection was cut")

    @trial(given("server"))
    async def test_it_outlives_a_stall(self, bench: Bench) -> None:
        """No byte comes through for a while."""
        await self._through(bench, FaultProxy.stall, "nothing came through for a while")

    @trial(given("server"))
    async def test_it_outlives_a_slow_connection(self, bench: Bench) -> None:
        """Every piece of data takes its time."""
        await self._through(bench, lambda proxy: proxy.delay(self.quiet / 4), "the connection was slow")

    @trial(given("server"))
    async def test_it_outlives_a_half_closed_connection(self, bench: Bench) -> None:
        """The other side says that nothing more will come, and does not hang up."""
        await self._through(bench, FaultProxy.half_close, "the connection was half closed")

    @trial(given("server"))
    async def test_it_outlives_corrupted_data(self, bench: Bench) -> None:
        """What cannot be understood is not believed; once the line is clean again, messages are delivered."""
        await self._through(bench, FaultProxy.corrupt, "data was corrupted", trusting=False)

    async def _through(
        self,
        bench: Bench,
        fault: Callable[[FaultProxy], Awaitable[None] | None],
        what: str,
        *,
        trusting: bool = True,
    ) -> None:
        """A send before the fault, three during it, one after it: what has returned is there."""
        proxy = proxy_of(bench)
        outcomes: list[Exception | None] = []
        async with self._patient(bench) as life:
            await life.send(self.message(1))

            async def send() -> None:
                outcomes.extend(await life.send_all(self.messages(3, 2)))

            async with together() as tasks:
                tasks.start_soon(send)
                await anyio.lowlevel.checkpoint()
                if waited := fault(proxy):
                    await waited
                await anyio.sleep(self.quiet)
                proxy.heal()
                if not trusting:
                    proxy.cut()  # what was garbled has to begin anew
                await bench.soon(lambda: len(outcomes) == 3, f"three sends to end, after {what}")
            await self._soon_sent(bench, life, self.message(5), f"after {what}")
        done = [number for number, error in enumerate(outcomes, 2) if error is None]
        await self._has(bench, [1, *(done if trusting else ()), 5], f"it was sent, {what}, and it is not there")
        if trusting:
            failed = [error for error in outcomes if error is not None]
            assert not failed, f"{what}, and a send did not raise Unavailable but {failed[0]!r}"

    # What is secret.

    @trial(given("secrets"))
    async def test_a_secret_is_not_told(self, bench: Bench) -> None:
        """Neither in a log, however detailed, nor in an event, an error or a dead letter."""
        with bench.listening_to_logs():
            async with self._life(bench, troubled=True) as life:
                await life.send(self.message(1))
                if given("poison")(type(self)) == "" and (
                    error := await outcome(life.send(Message(self.poison(), id="kit-poison")))
                ):
                    bench.hear(error)
                if given("stop_server", "start_server")(type(self)) == "":
                    await self.stop_server()
                    with anyio.move_on_after(self.quiet * 5):
                        if error := await outcome(life.send(self.message(2))):
                            bench.hear(error)
                    await self.start_server()
        for text in bench.heard:
            self.keep_secret(text, "what was told")

    @trial(given("with_secret"))
    async def test_a_wrong_secret_is_not_told(self, bench: Bench) -> None:
        """The send fails or the route is degraded, and whoever reads why does not read the secret."""
        wrong = "kit-wrong-7d20"
        errors: list[Exception | None] = []

        async def send(life: SinkLife) -> None:
            errors.append(await outcome(life.send(self.message(1))))

        with bench.listening_to_logs():
            async with (
                bench.sink_life(self.with_secret(wrong), self.options(), troubled=True) as life,
                together() as tasks,
            ):
                tasks.start_soon(send, life)
                await bench.soon(lambda: bool(errors or life.degraded), "a wrong secret to be refused")
                tasks.cancel_scope.cancel()
        assert errors != [None], "with a wrong secret, a message was delivered"
        for error in filter(None, errors):
            bench.hear(error)
        for text in bench.heard:
            self.keep_secret(text, "what was told of a wrong secret", wrong)

    # How it is tried.

    def _life(self, bench: Bench, *, troubled: bool = False) -> AbstractAsyncContextManager[SinkLife]:
        return bench.sink_life(self.sink(), self.options(), troubled=troubled)

    def _patient(self, bench: Bench) -> AbstractAsyncContextManager[SinkLife]:
        """A life in which sends go on trying while the other side is unavailable."""
        return bench.sink_life(self.sink(), self.options(), retry=PATIENT, troubled=True)

    async def _soon_sent(self, bench: Bench, life: SinkLife, message: Message[Any], when: str) -> None:
        """Send it until it is delivered; what is unavailable is tried again."""
        with anyio.move_on_after(bench.patience):
            while True:
                error = await outcome(life.send(message))
                if error is None:
                    return
                assert isinstance(error, Unavailable), f"a send {when} failed: {error!r}"
                await anyio.sleep(0.02)
        raise AssertionError(f"no send was delivered within {bench.patience:g} seconds {when}")

    async def _arrived(self, bench: Bench, count: int) -> Sequence[Any]:
        """What is there, once there is as much."""
        found: Sequence[Any] = ()
        with anyio.move_on_after(bench.patience):
            while len(found) < count:
                found = await self.delivered()
                if len(found) < count:
                    await anyio.sleep(0.01)
        assert len(found) >= count, f"{count} were sent, and {len(found)} are there"
        return found

    async def _has(self, bench: Bench, numbers: Iterable[int], what: str = "it was sent, and it is not there") -> None:
        """Each of these is there, soon; what is in memory may still be on its way."""
        missing = list(numbers)
        with anyio.move_on_after(bench.patience):
            while missing:
                found = [_body(one) for one in await self.delivered()]
                missing = [number for number in missing if self.expected(self.body(number)) not in found]
                if missing:
                    await anyio.sleep(0.01)
        assert not missing, f"{what}: {', '.join(f'message {number}' for number in missing[:10])}"


def _body(found: Any) -> Any:
    return cast("Message[Any]", found).body if isinstance(found, Message) else found
