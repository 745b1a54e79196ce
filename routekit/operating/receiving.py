"""Receiving: messages of one endpoint are shown to an operator, without a daemon."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import anyio

from ..endpoint import Listener
from ..errors import DefinitionError, Unavailable
from ..events import Event, Refused, RouteDegraded
from ..message import Message
from ..place import NOWHERE
from ..route import Route
from ..runtime.service import Service, Setup
from ..step import Chain, Handler, Runtime, Step, Target
from ..tasks import together
from .sending import alone, outside

NAME = "receive"
"""The name of the route that is made for it: what a source keeps by that name is apart from what the daemon keeps."""

HELD = 1000
"""Messages that are held at most, where they are kept and nobody said how many to show."""

Show = Callable[[Message[Any]], Awaitable[None]]


class Receiving:
    """Takes messages from a source and shows them; each is acknowledged once it was shown, and not before.

    `count`: so many and no more. `patience`: seconds without a message after which it ends. With `keep` none is
    acknowledged: all are held until the end, and let go then, so that their source brings them again.

    Raises DefinitionError for what is no source, is memory of another process, or cannot bring again what is to be
    kept.
    """

    def __init__(
        self,
        target: Target,
        setup: Setup,
        show: Show,
        *,
        count: int | None = None,
        patience: float | None = None,
        keep: bool = False,
    ) -> None:
        outside(target, setup.catalog)
        source = setup.catalog.source(target)
        if keep and not source.promises().replayable:
            raise DefinitionError(f"{source} does not bring again what is not acknowledged", hint="leave out --keep")
        self.shown = 0
        self._taken = 0  # among them those that are being shown
        self._count = count
        self._patience = patience
        self._keep = keep
        self._show = show
        self._watch = setup.watch
        self._problems: list[Exception] = []
        self._pulls = not isinstance(source, Listener)
        self._came = anyio.Event()
        route = Route(NAME, target, None, None, Chain().then(_Show(self._take), NOWHERE))
        slots = (count or HELD) if keep else 1
        self._service: Service = alone(route, setup, self._hear, concurrency=slots)

    async def run(self) -> int:
        """How many were shown; raises what the source raised that is away, or for a message that could not be read."""
        async with together() as tasks:
            if self._patience is not None:
                tasks.start_soon(self._lose_patience, self._patience)
            await self._service.run(most=self._count if self._pulls and not self._keep else None)
            tasks.cancel_scope.cancel()
        if self._problems:
            raise self._problems[0]
        return self.shown

    def stop(self) -> None:
        """Take no more; what was shown is acknowledged still, or, if it is to be kept, let go."""
        if self._keep:
            self._service.force()
        else:
            self._service.stop()

    async def _take(self, message: Message[Any]) -> None:
        if self._enough:
            raise _EnoughError("no more messages are taken")  # of several that were handed over at once
        self._taken += 1
        await self._show(message)
        self.shown += 1
        self._came.set()
        if self.shown == self._count:
            self.stop()
        if self._keep:
            await anyio.sleep_forever()

    async def _lose_patience(self, seconds: float) -> None:
        while True:
            self._came = anyio.Event()
            with anyio.move_on_after(seconds):
                await self._came.wait()
                continue
            self.stop()
            return

    def _hear(self, event: Event) -> None:
        self._watch(event)
        if isinstance(event, RouteDegraded | Refused) and not isinstance(event.error, _EnoughError):
            self._problems.append(event.error)
            self.stop()

    @property
    def _enough(self) -> bool:
        return self._count is not None and self._taken >= self._count


class _EnoughError(Unavailable):
    """The message came after the last one that was wanted."""


@dataclass(frozen=True)
class _Show(Step[Any, Any]):
    """Shows the message; it ends here, without a reply."""

    show: Show

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        async def handle(message: Message[Any]) -> Message[Any] | None:
            await self.show(message)
            return None

        return handle
