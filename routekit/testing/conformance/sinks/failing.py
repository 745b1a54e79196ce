"""Cases of a sink: the other side is away, comes back, or is reached over a line that does wrong."""

from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from ....errors import Unavailable
from ....tasks import together
from ...faults import FaultProxy
from ..applying import given, trial
from ..bench import Bench
from ..contract import in_time, proxy_of
from ..lives import outcome
from .given import SinkGiven

restarts = given("stop_server", "start_server")


class Failing(SinkGiven):
    """Restarts of the server, and faults of the line."""

    @trial(restarts)
    async def test_the_server_may_start_later(self, bench: Bench) -> None:
        """When the server is away at the start, the route waits for it, and goes on by itself.

        Raise from `open` while it is away, or `Unavailable` from `send`: both are tried again.
        """
        await self.stop_server()
        async with self.patient(bench) as life, together() as tasks:
            tasks.start_soon(life.send, self.message(1))
            await anyio.sleep(self.quiet)
            await self.start_server()
            await self.expect(bench, [1], "the server that was away has come up, and the message is not there")

    @trial(restarts)
    async def test_a_server_that_is_away_is_unavailable(self, bench: Bench) -> None:
        """While the server is away a send raises `Unavailable` or waits, and when it is back, sends are delivered.

        Turn the errors of the library into `Unavailable`; `Rejected` would end in the dead letters.
        """
        async with self.life(bench, troubled=True) as life:
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
            await self.soon_sent(bench, life, self.message(2), "after the server came back")
        await self.expect(bench, [1, 2])

    @trial(restarts)
    async def test_the_server_may_restart_in_between(self, bench: Bench) -> None:
        """After a restart of the server it connects again by itself, without being opened anew.

        A connection that is gone is made anew at the next send.
        """
        async with self.patient(bench) as life:
            await life.send(self.message(1))
            await self.stop_server()
            await anyio.sleep(self.quiet)
            await self.start_server()
            await self.soon_sent(bench, life, self.message(2), "after the server was restarted")
        await self.expect(bench, [1, 2], "it was sent, the server was restarted, and it is not there")

    @trial(given("server"))
    async def test_it_outlives_a_cut(self, bench: Bench) -> None:
        """When every connection is reset, sends raise `Unavailable` or go on, and what has returned is there.

        A connection that ended before the answer came is a failure, not a success.
        """
        await self._through(bench, FaultProxy.cut, "every connection was cut")

    @trial(given("server"))
    async def test_it_outlives_refused_connections(self, bench: Bench) -> None:
        """When connections are ended as soon as they are made, sends raise `Unavailable`, and work after it.

        A failed attempt to connect is worth another try.
        """
        await self._through(bench, FaultProxy.refuse, "connections were refused")

    @trial(given("server"))
    async def test_it_outlives_a_stall(self, bench: Bench) -> None:
        """When no byte comes through for a while, what has returned is there, and sends work after it.

        Waiting is right, and so is `Unavailable` after a timeout with a new connection.
        """
        await self._through(bench, FaultProxy.stall, "nothing came through for a while")

    @trial(given("server"))
    async def test_it_outlives_a_slow_connection(self, bench: Bench) -> None:
        """When every piece of data takes its time, messages are delivered all the same.

        Do not take a slow answer for a refusal.
        """
        await self._through(bench, lambda proxy: proxy.delay(self.quiet / 4), "the connection was slow")

    @trial(given("server"))
    async def test_it_outlives_a_half_closed_connection(self, bench: Bench) -> None:
        """When the other side says that nothing more will come, and does not hang up, it connects anew.

        Take the end of a stream as the end of its connection, and what had no answer as `Unavailable`.
        """
        await self._through(bench, FaultProxy.half_close, "the connection was half closed")

    @trial(given("server"))
    async def test_it_outlives_corrupted_data(self, bench: Bench) -> None:
        """What cannot be understood is not believed, and messages are delivered when the line is clean again.

        An error of the parser ends the connection, and is `Unavailable`.
        """
        await self._through(bench, FaultProxy.corrupt, "data was corrupted", trusting=False)

    @trial(given("server"))
    async def test_it_stops_though_nothing_comes_through(self, bench: Bench) -> None:
        """An orderly stop ends although the line is dead.

        Closing must not wait without a limit for a goodbye that never comes.
        """
        late = in_time(bench, "a stop over a dead line")
        async with late, self.life(bench, troubled=True) as life:
            await life.send(self.message(1))
            proxy_of(bench).stall()

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
        async with self.patient(bench) as life:
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
            await self.soon_sent(bench, life, self.message(5), f"after {what}")
        done = [number for number, error in enumerate(outcomes, 2) if error is None]
        await self.expect(bench, [1, *(done if trusting else ()), 5], f"it was sent, {what}, and it is not there")
        if trusting:
            failed = [error for error in outcomes if error is not None]
            assert not failed, f"{what}, and a send did not raise Unavailable but {failed[0]!r}"
