"""What the author of a source gives, and how its cases are tried."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from math import ceil
from typing import Any, ClassVar, cast

import anyio

from ....endpoint import Consumer, Endpoint, Listener
from ....message import Message
from ..applying import hook, of_kind
from ..bench import Bench
from ..contract import shown, whole
from ..lives import Given, Life, SourceLife, Taken
from ..looking import Looking

pulled = of_kind(Consumer, "Consumer")
called = of_kind(Listener, "Listener")


class SourceGiven(Looking):
    """What is given to try a source."""

    answers: ClassVar[bool] = False
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

    # How it is tried.

    @property
    def listens(self) -> bool:
        """Whether it is called, instead of pulled."""
        return issubclass(self.kind, Listener)

    def lived(self, bench: Bench, *, troubled: bool = False) -> AbstractAsyncContextManager[Life]:
        return bench.source_life(self.source(), troubled=troubled)

    async def used(self, life: Life) -> None:
        source = cast("SourceLife", life)
        await source.give(self.message(len(source.taken) + 1))
        (await source.next()).finish()
        await source.settled()

    async def unchanged(self, bench: Bench, doing: Callable[[], Awaitable[None]]) -> None:
        if not self.listens:
            await self.put(self.message(1))
        await doing()
        async with bench.source_life(self.source()) as life:
            if self.listens:
                await life.give(self.message(1))
            taken = await life.next("a message, after a probe")
            self.same_body(taken, 1, "the first message after a probe")
            taken.finish()
            await life.settled()

    def same_body(self, taken: Taken, number: int, what: str) -> None:
        """Fail if what was taken is another message."""
        whole(taken.message.body, self.expected(self.body(number)), what)

    async def restart(self) -> None:
        """The server is away for a moment."""
        await self.stop_server()
        await anyio.sleep(self.quiet)
        await self.start_server()

    async def answered(self, bench: Bench, call: Given, when: str = "") -> None:
        """Wait until a caller has its answer."""
        await bench.soon(call.done.is_set, f"the answer to a call{when}")

    async def left(self, bench: Bench, what: str = "", count: int = 0) -> list[Any]:
        """The bodies that come in another life; it ends when `count` have come and a quiet time has passed."""
        async with bench.source_life(self.source(), slots=4, auto=True) as life:
            if count:
                await bench.soon(lambda: len(life.taken) >= count, what)
            await anyio.sleep(self.quiet)
            await life.settled()
        return life.bodies

    async def arrive(self, bench: Bench, wanted: list[Any], when: str) -> None:
        """In another life, all of them come."""
        async with bench.source_life(self.source(), slots=4, auto=True) as life:
            what = f"{shown(wanted)}, after it was cancelled {when}"
            await bench.soon(lambda: all(body in life.bodies for body in wanted), what)
            await life.settled()

    async def at_every_await(self, once: Callable[[int, int], Awaitable[int]]) -> None:
        """Do it once to count the awaits, then once for each of them, or for so many of them as are wanted."""
        total = await once(0, 1)
        for number, at in enumerate(range(1, total + 1, max(1, ceil(total / self.cancels))), 1):
            await once(at, 2 * number + 1)
