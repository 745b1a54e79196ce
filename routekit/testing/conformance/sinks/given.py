"""What the author of a sink gives, and how its cases are tried."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import anyio

from ....endpoint import Endpoint, Producer
from ....errors import Unavailable
from ....message import NO_HEADERS, Message
from ....route import Retry
from ..applying import hook
from ..bench import Bench
from ..contract import shown
from ..lives import TRIED, Life, SinkLife, outcome
from ..looking import Looking

PATIENT = Retry(10_000, first=0.05, most=0.2, on=Unavailable)
"""For sends that go on trying until the other side is back."""


class SinkGiven(Looking):
    """What is given to try a sink."""

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

    # How it is tried.

    def lived(self, bench: Bench, *, troubled: bool = False) -> AbstractAsyncContextManager[Life]:
        return self.life(bench, troubled=troubled)

    async def used(self, life: Life) -> None:
        sink = cast("SinkLife", life)
        await sink.send(self.message(sink.service.counts()[TRIED].received + 1))

    async def unchanged(self, bench: Bench, doing: Callable[[], Awaitable[None]]) -> None:
        await doing()
        await anyio.sleep(self.quiet)
        found = await self.delivered()
        assert not found, f"nothing was sent, and there is {shown(found)}"

    def life(self, bench: Bench, *, troubled: bool = False) -> AbstractAsyncContextManager[SinkLife]:
        """A life with the sink."""
        return bench.sink_life(self.sink(), self.options(), troubled=troubled)

    def patient(self, bench: Bench) -> AbstractAsyncContextManager[SinkLife]:
        """A life in which sends go on trying while the other side is unavailable."""
        return bench.sink_life(self.sink(), self.options(), retry=PATIENT, troubled=True)

    def producer(self, bench: Bench) -> Producer:
        """The sink, as an endpoint."""
        endpoint = bench.endpoint(self.sink(), self.kind)
        assert isinstance(endpoint, Producer)
        return endpoint

    async def soon_sent(self, bench: Bench, life: SinkLife, message: Message[Any], when: str) -> None:
        """Send it until it is delivered; what is unavailable is tried again."""
        with anyio.move_on_after(bench.patience):
            while True:
                error = await outcome(life.send(message))
                if error is None:
                    return
                assert isinstance(error, Unavailable), f"a send {when} failed: {error!r}"
                await anyio.sleep(0.02)
        raise AssertionError(f"no send was delivered within {bench.patience:g} seconds {when}")

    async def arrived(self, bench: Bench, count: int) -> Sequence[Any]:
        """What is there, once there is as much."""
        found: Sequence[Any] = ()
        with anyio.move_on_after(bench.patience):
            while len(found) < count:
                found = await self.delivered()
                if len(found) < count:
                    await anyio.sleep(0.01)
        assert len(found) >= count, f"{count} were sent, and {len(found)} are there"
        return found

    async def expect(
        self, bench: Bench, numbers: Iterable[int], what: str = "it was sent, and it is not there"
    ) -> None:
        """Each of these is there, soon; what is in memory may still be on its way."""
        missing = list(numbers)
        with anyio.move_on_after(bench.patience):
            while missing:
                found = [body_of(one) for one in await self.delivered()]
                missing = [number for number in missing if self.expected(self.body(number)) not in found]
                if missing:
                    await anyio.sleep(0.01)
        assert not missing, f"{what}: {', '.join(f'message {number}' for number in missing[:10])}"


def body_of(found: Any) -> Any:
    """The body of what is there."""
    return cast("Message[Any]", found).body if isinstance(found, Message) else found
