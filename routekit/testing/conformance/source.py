"""The contract of a source."""

from collections.abc import Awaitable, Callable
from math import ceil
from typing import Any

import anyio
import anyio.lowlevel

from ...endpoint import Consumer, Endpoint, Listener
from ...errors import Rejected
from ...message import Message
from ...tasks import together
from ..faults import FaultProxy
from ..virtual import Loop
from .applying import given, hook, in_real_time, of_kind, promised, trial
from .bench import TRIED, Bench, SourceLife
from .contract import Contract, proxy_of, shown, whole
from .killing import killed_at_work
from .stepping import Stepping, stepped_consumer, stepped_listener

pulled = of_kind(Consumer, "Consumer")
called = of_kind(Listener, "Listener")
DAY = 86_400.0


class SourceContract(Contract):
    """Tries a source: subclass it, say what is outside, and how a message is put there.

    class TestSpool(SourceContract):
        kind = SpoolSource

        @asynccontextmanager
        async def outside(self, folder):
            self.folder = folder
            yield

        def source(self):
            return SpoolSource(directory=str(self.folder), poll=0.01)

        async def put(self, message):
            (self.folder / f"{message.id}.msg").write_bytes(message.body)
    """

    answers: bool = False
    """Of a Listener: `put` returns the reply of the route, whose body the caller gets."""

    def source(self) -> str | Endpoint:
        """The source, as a URI or a typed endpoint; one that looks for messages should look often."""
        raise NotImplementedError

    async def put(self, message: Message[Any]) -> Message[Any] | None:
        """Bring a message to where the source finds it, and return when it is there.

        Of a Listener: call it, and return when it has answered; raise if it refuses. `self.address` is where to call.
        """
        raise NotImplementedError

    @hook
    async def put_poison(self) -> None:
        """Bring something that the source cannot make a message of."""
        raise NotImplementedError

    def tried(self) -> str | Endpoint:
        return self.source()

    # What arrives.

    @trial()
    async def test_a_body_arrives_as_it_was(self, bench: Bench, sample: str) -> None:
        """Also one that is empty, or of many alphabets."""
        body = self.bodies[sample]
        async with bench.source_life(self.source()) as life:
            await life.give(Message(body, id=f"kit-{sample}"))
            taken = await life.next()
            whole(taken.message.body, self.expected(body), f"the body '{sample}'")
            taken.finish()
            await life.settled()

    @trial()
    async def test_a_large_body_arrives(self, bench: Bench) -> None:
        """Of 100 MiB, or what the source says that it can."""
        source = bench.endpoint(self.source(), self.kind)
        body = self.large_body(min(self.large, source.promises().largest or self.large))
        async with bench.source_life(source) as life:
            await life.give(Message(body, id="kit-large"))
            taken = await life.next()
            whole(taken.message.body, self.expected(body), "a large body")
            taken.finish()
            await life.settled()

    @trial(given("headers"))
    async def test_headers_arrive_as_they_were(self, bench: Bench) -> None:
        """Each with its value."""
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
        """As long as nothing fails, nothing comes twice."""
        async with bench.source_life(self.source(), slots=8, auto=True) as life:
            for message in self.messages(self.many):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= self.many, f"{self.many} messages to arrive")
            await anyio.sleep(self.quiet)
            self._all_there(life.bodies, self.many)
            assert len(life.taken) == self.many, f"{self.many} were put, and {len(life.taken)} have come"

    @trial()
    async def test_each_has_an_id_of_its_own(self, bench: Bench) -> None:
        """So that none is taken for another."""
        async with bench.source_life(self.source(), auto=True) as life:
            for message in self.messages(10):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= 10, "10 messages to arrive")
            ids = [taken.message.id for taken in life.taken]
            assert len({*ids}) == len(ids), f"two messages have one id: {shown(ids)}"

    @trial(promised("ordered"))
    async def test_they_arrive_in_order(self, bench: Bench) -> None:
        """One at a time, they come as they were put."""
        async with bench.source_life(self.source(), auto=True) as life:
            for message in self.messages(30):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= 30, "30 messages to arrive")
            wanted = [self.expected(self.body(number)) for number in range(1, 31)]
            assert life.bodies == wanted, f"ordered is promised, and the order was {shown(life.bodies)}"

    # When it is acknowledged.

    @trial(pulled)
    async def test_what_is_done_does_not_come_again(self, bench: Bench) -> None:
        """What the route is done with is acknowledged: another life of the service does not see it."""
        async with bench.source_life(self.source(), auto=True) as life:
            for message in self.messages(3):
                await life.give(message)
            await bench.soon(lambda: len(life.taken) >= 3, "3 messages to arrive")
            await life.settled()
        assert await self._left(bench) == [], "messages that were done have come again"

    @trial(pulled, promised("replayable"))
    async def test_it_is_not_acknowledged_before_the_route_is_done(self, bench: Bench) -> None:
        """What is unfinished when the service dies comes again, with the same id."""
        async with bench.source_life(self.source()) as life:
            await life.give(self.message(1))
            first = await life.next()
            await anyio.sleep(self.quiet)
            await life.crash()
        async with bench.source_life(self.source()) as life:
            again = await life.next("what was unfinished at a crash")
            whole(again.message.body, self.expected(self.body(1)), "a message that came again")
            same = first.message.id == again.message.id
            assert same, f"it came as '{first.message.id}', and again as '{again.message.id}'"
            again.finish()
            await life.settled()
        assert await self._left(bench) == []

    @trial(pulled, promised("replayable"))
    async def test_the_unfinished_one_comes_again_though_later_ones_are_done(self, bench: Bench) -> None:
        """The first of several is unfinished at a crash: acknowledging the others must not acknowledge it."""
        async with bench.source_life(self.source(), slots=4) as life:
            for message in self.messages(4):
                await life.give(message)
            first = await life.next()
            for _ in range(3):
                (await life.next("the others, while the first one is at work")).finish()
            await anyio.sleep(self.quiet)
            await life.crash()
        found = await self._left(bench)
        assert first.message.body in found, "the message that was unfinished at a crash has not come again"

    @trial(pulled)
    async def test_a_refused_one_is_kept_or_comes_again(self, bench: Bench) -> None:
        """A source that takes failed messages back keeps it; another brings it again, with the same id."""
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
        """A message that can never succeed is a dead letter, and holds up nobody."""
        async with bench.source_life(self.source(), dead_letter="store") as life:
            await life.give(self.message(1))
            await life.give(self.message(2))
            (await life.next()).refuse(Rejected("refused by the kit"))
            (await life.next("the one after a dead letter")).finish()
            await life.settled()
            assert len(await life.letters()) == 1, "a message that failed has become no dead letter"
        assert await self._left(bench) == [], "a dead letter has come again from the source"

    @trial(given("put_poison"))
    async def test_what_is_no_message_harms_nobody(self, bench: Bench) -> None:
        """It is refused or becomes a dead letter, is not lost in silence, and the next message comes."""
        async with bench.source_life(self.source(), dead_letter="store", troubled=True) as life:
            await self._put_poison()
            await life.give(self.message(1))
            (await life.next("the message after one that is none")).finish()
            await life.settled()
            counts = life.service.counts()[TRIED]
            told = counts.dead + counts.refused + len(life.degraded)
            assert told or self.listens, "what was no message is gone, and nobody was told"

    # When it is cancelled, stopped and started.

    @trial(pulled, promised("replayable"))
    async def test_it_may_be_cancelled_at_every_await(self, bench: Bench) -> None:
        """Wherever the process ends, in taking, acknowledging or closing: nothing is lost."""

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
                await self._arrive(bench, [body for body in wanted if body not in bodies], f"at await {at}")
            return stepping.count

        await self._at_every_await(once)

    @trial(called)
    async def test_it_may_be_cancelled_at_every_await_of_its_start(self, bench: Bench) -> None:
        """Wherever it ends while it begins to listen: the next start works."""

        async def once(at: int, first: int) -> int:
            stepping = Stepping(at)
            source = bench.endpoint(self.source(), self.kind)
            assert isinstance(source, Listener)
            stepped = stepped_listener(source, stepping)
            async with bench.source_life(stepped, auto=True, troubled=True, stepping=stepping):
                await anyio.sleep(self.quiet)
            async with bench.source_life(self.source(), auto=True) as life:
                call = await life.give(self.message(first))
                await bench.soon(call.done.is_set, "the answer to a call")
                assert call.error is None, f"after it was cancelled while it started, a call fails: {call.error!r}"
            return stepping.count

        await self._at_every_await(once)

    @trial(pulled, promised("replayable"), in_real_time)
    async def test_nothing_is_lost_when_the_process_is_killed(self, bench: Bench, kit_loop: Loop) -> None:
        """`kill -9` in the middle of a message, when nothing can be tidied up: it comes again."""
        await self.put(self.message(1))
        await killed_at_work(bench, self.source, kit_loop)
        found = await self._left(bench, "what was at work when the process was killed", 1)
        assert found == [self.expected(self.body(1))], "what was at work when the process was killed has not come again"

    @trial()
    async def test_one_slot_is_one_at_a_time(self, bench: Bench) -> None:
        """With one slot the next comes when the one before is done, however many wait."""
        async with bench.source_life(self.source()) as life:
            for message in self.messages(10):
                await life.give(message)
            for number in range(1, 11):
                taken = await life.next(f"message {number} of 10")
                await anyio.sleep(self.quiet if number == 1 else self.quiet / 20)
                assert len(life.taken) == number, "another message came while one was at work"
                taken.finish()
            await life.settled()

    @trial()
    async def test_what_is_at_work_at_a_stop_is_finished(self, bench: Bench) -> None:
        """And acknowledged: an orderly stop leaves nothing undone and repeats nothing."""

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
                tasks.start_soon(self._answered, bench, call)
        counts = life.service.counts()[TRIED]
        assert counts.done == 1, "a message was at work when the service stopped, and was not finished"
        if not self.listens:
            assert await self._left(bench) == [], "a message was finished during the stop, and comes again"

    async def _answered(self, bench: Bench, call: Any) -> None:
        await bench.soon(call.done.is_set, "the answer to a call that was at work when the service stopped")
        assert call.error is None, f"a call that was at work when the service stopped was refused: {call.error!r}"

    @trial()
    async def test_it_may_be_opened_and_closed_often(self, bench: Bench) -> None:
        """A life in which nothing happens leaves nothing behind that hinders the next."""
        for _ in range(3):
            async with bench.source_life(self.source()):
                await anyio.lowlevel.checkpoint()
        async with bench.source_life(self.source()) as life:
            await life.give(self.message(1))
            (await life.next()).finish()
            await life.settled()

    @trial()
    async def test_it_goes_on_after_a_pause(self, bench: Bench) -> None:
        """What comes during a pause comes after it."""
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
        """So that `routekit run` ends when nothing is left to do."""
        rested = await bench.rested(self.source())
        assert rested, "it never rests: wait by runtime.rest(...), or inside runtime.resting()"

    @trial()
    async def test_the_clock_may_be_set(self, bench: Bench) -> None:
        """Wall time that jumps by a year, forward or back, stops nothing."""
        async with bench.source_life(self.source(), auto=True) as life:
            for number, jump in enumerate((0.0, 365 * DAY, -730 * DAY, 365 * DAY), 1):
                bench.jumped += jump
                await life.give(self.message(number))
                await bench.soon(
                    lambda number=number: len(life.taken) >= number, f"a message after the clock was set by {jump:+g} s"
                )
            await life.settled()

    # What the caller of a listener is told.

    @trial(called)
    async def test_the_caller_waits_for_the_route(self, bench: Bench) -> None:
        """It is answered when the route is done, and not before."""
        async with bench.source_life(self.source()) as life:
            call = await life.give(self.message(1))
            taken = await life.next()
            await anyio.sleep(self.quiet)
            assert not call.done.is_set(), "the caller was answered before the route was done"
            taken.finish()
            await bench.soon(call.done.is_set, "the answer to a call")
            assert call.error is None, f"the route was done, and the caller was told {call.error!r}"

    @trial(called)
    async def test_the_caller_is_told_of_a_refusal(self, bench: Bench) -> None:
        """A failure is not passed on as success."""
        async with bench.source_life(self.source()) as life:
            call = await life.give(self.message(1))
            (await life.next()).refuse(Rejected("refused by the kit"))
            await bench.soon(call.done.is_set, "the answer to a call that was refused")
            assert call.error is not None, "the route refused, and the caller was told that all is well"
            call = await life.give(self.message(2))
            (await life.next("the call after a refused one")).finish()
            await bench.soon(call.done.is_set, "the answer to the call after a refused one")

    @trial(called, given("answers"))
    async def test_the_caller_gets_the_reply(self, bench: Bench) -> None:
        """Which is the message that the route ends with."""
        async with bench.source_life(self.source()) as life:
            call = await life.give(self.message(1))
            (await life.next()).finish(self.body(2))
            await bench.soon(call.done.is_set, "the answer to a call")
            assert call.reply is not None, "the route had a reply, and the caller got none"
            whole(call.reply.body, self.expected(self.body(2)), "the reply")

    @trial(called)
    async def test_a_caller_that_leaves_harms_nobody(self, bench: Bench) -> None:
        """One that hangs up in the middle does not hinder the next."""
        async with bench.source_life(self.source(), slots=2, troubled=True) as life:
            async with together() as tasks:
                tasks.start_soon(self.put, self.message(1))
                taken = await life.next()
                tasks.cancel_scope.cancel()
            taken.finish()
            call = await life.give(self.message(2))
            (await life.next("the call after one that hung up")).finish()
            await bench.soon(call.done.is_set, "the answer to the call after one that hung up")
            assert call.error is None, f"after a caller hung up, the next was told {call.error!r}"
            assert not life.degraded, f"a caller that hung up has degraded the route: {life.degraded[0]!r}"

    # When the other side fails.

    @trial(pulled, given("stop_server", "start_server"))
    async def test_the_server_may_start_later(self, bench: Bench) -> None:
        """The route waits for it, and goes on by itself."""
        await self.stop_server()
        async with bench.source_life(self.source(), troubled=True) as life:
            await anyio.sleep(self.quiet)
            await self.start_server()
            await life.give(self.message(1))
            (await life.next("a message, after a server that was away came up")).finish()
            await life.settled()

    @trial(pulled, given("stop_server", "start_server"))
    async def test_the_server_may_restart_in_between(self, bench: Bench) -> None:
        """It connects again by itself, and no message is lost."""
        async with bench.source_life(self.source(), troubled=True) as life:
            await life.give(self.message(1))
            (await life.next()).finish()
            await life.settled()
            await self._restart()
            await life.give(self.message(2))
            (await life.next("a message, after the server was restarted")).finish()
            await life.settled()

    @trial(pulled, given("stop_server", "start_server"), promised("replayable"))
    async def test_the_server_may_restart_while_a_message_is_at_work(self, bench: Bench) -> None:
        """Its acknowledgement fails or is lost; then it comes again. The others come all the same."""
        async with bench.source_life(self.source(), troubled=True) as life:
            await life.give(self.message(1))
            taken = await life.next()
            await self._restart()
            taken.finish()
            life.auto = True
            for later in life.taken[1:]:
                later.finish()
            await life.give(self.message(2))
            wanted = self.expected(self.body(2))
            await bench.soon(
                lambda: wanted in life.bodies, "a message, after the server was restarted while one was at work"
            )
            await life.settled()
        assert await self._left(bench) == [], "what was done after the restart has come again"

    @trial(given("server"))
    async def test_it_outlives_a_cut(self, bench: Bench) -> None:
        """Every connection is reset; it connects again, and nothing is lost."""
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
        """What cannot be understood is not believed; once the line is clean again, messages come."""

        async def corrupt(proxy: FaultProxy) -> None:
            proxy.corrupt()
            await anyio.sleep(self.quiet)

        await self._through(bench, corrupt, "data was corrupted", trusting=False)

    async def _through(
        self,
        bench: Bench,
        fault: Callable[[FaultProxy], Awaitable[None] | None],
        what: str,
        *,
        trusting: bool = True,
    ) -> None:
        """One message before the fault, three during it, one after it: they come, each at least once."""
        proxy = proxy_of(bench)
        async with bench.source_life(self.source(), slots=2, auto=True, troubled=True) as life:
            await life.give(self.message(1))
            await bench.soon(lambda: bool(life.taken), "a message before the fault")
            if inspected := fault(proxy):
                await inspected
            for message in self.messages(3, 2):
                await life.give(message)
            await anyio.sleep(self.quiet)
            proxy.heal()
            if self.listens or not trusting:
                proxy.cut()  # callers call again; what was garbled has to begin anew
            if self.listens:
                await self.ready()
            await life.give(self.message(5))
            numbers = (5,) if self.listens or not trusting else (2, 3, 4, 5)
            for number in numbers:
                wanted = self.expected(self.body(number))
                await bench.soon(lambda wanted=wanted: wanted in life.bodies, f"message {number} of 5, after {what}")
            await life.settled()

    # What is secret.

    @trial(given("secrets"))
    async def test_a_secret_is_not_told(self, bench: Bench) -> None:
        """Neither in a log, however detailed, nor in an event, an error or a dead letter."""
        with bench.listening_to_logs():
            async with bench.source_life(self.source(), dead_letter="store", troubled=True) as life:
                await life.give(self.message(1))
                (await life.next()).refuse(Rejected("refused by the kit"))
                await anyio.sleep(self.quiet)
                if given("stop_server", "start_server")(type(self)) == "":
                    await self._restart()
                bench.heard += [repr(letter) for letter in await life.letters()]
        for text in bench.heard:
            self.keep_secret(text, "what was told")

    @trial(given("with_secret"), pulled)
    async def test_a_wrong_secret_is_not_told(self, bench: Bench) -> None:
        """The route is degraded, and whoever reads why does not read the secret."""
        wrong = "kit-wrong-7d20"
        with bench.listening_to_logs():
            async with bench.source_life(self.with_secret(wrong), troubled=True) as life:
                await bench.soon(lambda: bool(life.degraded), "a wrong secret to degrade the route")
        for text in bench.heard:
            self.keep_secret(text, "what was told of a wrong secret", wrong)

    # How it is tried.

    @property
    def listens(self) -> bool:
        """Whether it is called, instead of pulled."""
        return issubclass(self.kind, Listener)

    async def _put_poison(self) -> None:
        try:
            await self.put_poison()
        except Exception:  # of whatever kind: a listener tells the caller
            if not self.listens:
                raise

    async def _restart(self) -> None:
        await self.stop_server()
        await anyio.sleep(self.quiet)
        await self.start_server()

    async def _left(self, bench: Bench, what: str = "", count: int = 0) -> list[Any]:
        """The bodies that come in another life; it ends when `count` have come and a quiet time has passed."""
        async with bench.source_life(self.source(), slots=4, auto=True) as life:
            if count:
                await bench.soon(lambda: len(life.taken) >= count, what)
            await anyio.sleep(self.quiet)
            await life.settled()
        return life.bodies

    async def _arrive(self, bench: Bench, wanted: list[Any], when: str) -> None:
        """In another life, all of them come."""
        async with bench.source_life(self.source(), slots=4, auto=True) as life:
            what = f"{shown(wanted)}, after it was cancelled {when}"
            await bench.soon(lambda: all(body in life.bodies for body in wanted), what)
            await life.settled()

    async def _at_every_await(self, once: Callable[[int, int], Awaitable[int]]) -> None:
        """Do it once to count the awaits, then once for each of them, or for so many of them as are wanted."""
        total = await once(0, 1)
        for number, at in enumerate(range(1, total + 1, max(1, ceil(total / self.cancels))), 1):
            await once(at, 2 * number + 1)

    def _all_there(self, bodies: list[Any], count: int) -> None:
        missing = [number for number in range(1, count + 1) if self.expected(self.body(number)) not in bodies]
        assert not missing, f"of {count} messages, these have not come: {shown(missing)}"
