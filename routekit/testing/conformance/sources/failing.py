"""Cases of a source: the other side is away, comes back, or is reached over a line that does wrong."""

from collections.abc import Awaitable, Callable

import anyio

from ...faults import FaultProxy
from ..applying import given, promised, trial
from ..bench import Bench
from ..contract import in_time, proxy_of
from .given import SourceGiven, pulled

restarts = given("stop_server", "start_server")


class Failing(SourceGiven):
    """Restarts of the server, and faults of the line."""

    @trial(pulled, restarts)
    async def test_the_server_may_start_later(self, bench: Bench) -> None:
        """When the server is away at the start, the route waits for it, and goes on by itself.

        Raise from `consume` while it is away: it is called again after a while.
        """
        await self.stop_server()
        async with bench.source_life(self.source(), troubled=True) as life:
            await anyio.sleep(self.quiet)
            await self.start_server()
            await life.give(self.message(1))
            (await life.next("a message, after a server that was away came up")).finish()
            await life.settled()

    @trial(pulled, restarts)
    async def test_the_server_may_restart_in_between(self, bench: Bench) -> None:
        """After a restart of the server it connects again by itself, and messages come.

        Do not wait for a connection that is gone: raise, or connect anew and ask for the messages again.
        """
        async with bench.source_life(self.source(), troubled=True) as life:
            await life.give(self.message(1))
            (await life.next()).finish()
            await life.settled()
            await self.restart()
            await life.give(self.message(2))
            (await life.next("a message, after the server was restarted")).finish()
            await life.settled()

    @trial(pulled, restarts, promised("replayable"))
    async def test_the_server_may_restart_while_a_message_is_at_work(self, bench: Bench) -> None:
        """An acknowledgement that a restart has made void fails or is lost; the message comes again, and so do others.

        Raise from `ack` what cannot be acknowledged any more; do not use the number of another connection.
        """
        async with bench.source_life(self.source(), troubled=True) as life:
            await life.give(self.message(1))
            taken = await life.next()
            await self.restart()
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
        assert await self.left(bench) == [], "what was done after the restart has come again"

    @trial(given("server"))
    async def test_it_outlives_a_cut(self, bench: Bench) -> None:
        """When every connection is reset, it connects again, and nothing is lost.

        Let the error of the connection out of `consume`, or connect anew inside it.
        """
        await self._through(bench, FaultProxy.cut, "every connection was cut")

    @trial(given("server"))
    async def test_it_outlives_refused_connections(self, bench: Bench) -> None:
        """When connections are ended as soon as they are made, it goes on trying, and nothing is lost.

        A failed attempt to connect is `Unavailable`; it is no reason to give up, nor to try without a pause.
        """
        await self._through(bench, FaultProxy.refuse, "connections were refused")

    @trial(given("server"))
    async def test_it_outlives_a_stall(self, bench: Bench) -> None:
        """When no byte comes through for a while, it goes on after it, and nothing is lost.

        Waiting is right, and so is a timeout with a new connection; a timeout must not lose what was under way.
        """
        await self._through(bench, FaultProxy.stall, "nothing came through for a while")

    @trial(given("server"))
    async def test_it_outlives_a_slow_connection(self, bench: Bench) -> None:
        """When every piece of data takes its time, messages come all the same.

        Do not take a slow answer for a refusal.
        """
        await self._through(bench, lambda proxy: proxy.delay(self.quiet / 4), "the connection was slow")

    @trial(given("server"))
    async def test_it_outlives_a_half_closed_connection(self, bench: Bench) -> None:
        """When the other side says that nothing more will come, and does not hang up, it connects anew.

        The end of a stream is the end of its connection, not of the messages.
        """
        await self._through(bench, FaultProxy.half_close, "the connection was half closed")

    @trial(given("server"))
    async def test_it_outlives_corrupted_data(self, bench: Bench) -> None:
        """What cannot be understood is not believed, and messages come when the line is clean again.

        An error of the parser ends the connection; do not wait for the rest of a frame whose length is garbage.
        """

        async def corrupt(proxy: FaultProxy) -> None:
            proxy.corrupt()
            await anyio.sleep(self.quiet)

        await self._through(bench, corrupt, "data was corrupted", trusting=False)

    @trial(given("server"))
    async def test_it_stops_though_nothing_comes_through(self, bench: Bench) -> None:
        """An orderly stop ends although the line is dead.

        Closing must not wait without a limit for a goodbye that never comes.
        """
        late = in_time(bench, "a stop over a dead line")
        async with late, bench.source_life(self.source(), troubled=True) as life:
            call = await life.give(self.message(1))
            (await life.next()).finish()
            await life.settled()
            await self.answered(bench, call)
            proxy_of(bench).stall()

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
