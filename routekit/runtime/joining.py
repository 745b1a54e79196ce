"""Places of transactions, opened when the route starts; the sinks that join them are not opened by themselves."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from ..endpoint import Endpoint, Producer, Transactor
from ..errors import Unavailable
from ..message import Message
from ..plugins import Catalog
from ..step import Runtime, Target
from ..transactions import Transactions
from .senders import sending


class Joined:
    """The transactions of one step; implements `Joining`."""

    def __init__(self, transactor: Transactor, name: str, catalog: Catalog) -> None:
        self.transactor = transactor
        self.name = name
        self.sinks: list[Producer] = []
        self._catalog = catalog
        self._opened: Transactions | None = None

    @property
    def opened(self) -> Transactions:
        """What commits now; steps are bound before it opens."""
        if self._opened is None:
            raise Unavailable(f"{self.transactor} is not open")
        return self._opened

    def joins(self, target: Target) -> bool:
        """Whether what is sent there is part of a transaction here."""
        return self.transactor.joins(self._catalog.sink(target).producer)

    def effects(self, target: Target) -> Callable[[Message[Any]], Awaitable[Any]]:
        """What a send there does in a transaction."""
        sink = self._catalog.sink(target)
        if sink.producer not in self.sinks:
            self.sinks.append(sink.producer)
        producer = sink.producer

        async def effect(message: Message[Any], **options: Any) -> Any:
            return self.opened.effect(producer, message, options)

        return sending(sink, effect)

    async def open(self, stack: AsyncExitStack, runtime: Runtime) -> None:
        """Open it on the stack."""
        opening = self.transactor.open(runtime, self.name, self.sinks)
        self._opened = await stack.enter_async_context(opening)
        stack.callback(self._close)

    def _close(self) -> None:
        self._opened = None


class Joins:
    """The places of transactions of one route."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._all: list[Joined] = []

    def add(self, target: Target, name: str) -> Joined:
        """Those at `target`, by that name; raises DefinitionError."""
        self._all.append(Joined(self._catalog.transactor(target), name, self._catalog))
        return self._all[-1]

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """All that are bound, each before the sinks that join it."""
        return [endpoint for one in self._all for endpoint in (one.transactor, *one.sinks)]

    async def open(self, stack: AsyncExitStack, runtime: Runtime) -> None:
        """Open all on the stack; raises what the first one that is away raises."""
        for one in self._all:
            await one.open(stack, runtime)
