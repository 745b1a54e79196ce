"""direct: one route calls another and awaits its outcome."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import anyio
from pydantic import Field

from ..about import About
from ..endpoint import Deliver, Endpoint, Listener, PathField, Producer
from ..errors import DefinitionError
from ..hookspecs import hookimpl
from ..message import Message
from ..step import Runtime, Send


class Exchange:
    """Where callers find the routes that listen by name."""

    def __init__(self) -> None:
        self.listening: dict[str, Deliver] = {}
        self._changed = anyio.Event()

    def enter(self, name: str, deliver: Deliver) -> None:
        """Listen under a name; raises DefinitionError if another route does."""
        if name in self.listening:
            raise DefinitionError(f"two routes read from 'direct:{name}'", hint="give one of them another name")
        self.listening[name] = deliver
        self._changed.set()
        self._changed = anyio.Event()

    async def find(self, name: str) -> Deliver:
        """The route of that name; waits until it runs."""
        while (deliver := self.listening.get(name)) is None:
            await self._changed.wait()
        return deliver


@asynccontextmanager
async def exchange() -> AsyncGenerator[Exchange]:
    """The exchange that all routes of a service share."""
    yield Exchange()


_EXAMPLE = """
    from routekit import from_

    shop = from_("timer:order", int).to("direct:book")
    booking = from_("direct:book", int).to("log:booked")
"""


class DirectSource(Listener):
    """Takes what other routes send to `direct:name`, within their calls: their acknowledgement waits for this route.

    A failure here is raised in the calling route, unless this route's policy has dead letters of its own.
    """

    scheme = "direct"
    about = About(
        raises={DefinitionError: "another route of this service reads from that name"},
        example=_EXAMPLE,
    )
    internal: ClassVar[bool] = True
    name: PathField = Field(description="name of the route that is called, within this process")

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        routes = await runtime.shared(exchange)
        routes.enter(self.name, deliver)
        try:
            await anyio.sleep_forever()
        finally:
            del routes.listening[self.name]


class DirectSink(Producer):
    """Hands the message to the route that reads from `direct:name` and waits for its outcome, which is the answer."""

    scheme = "direct"
    about = About(example=_EXAMPLE)
    name: PathField = Field(description="name of the route that is called, within this process")

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        routes = await runtime.shared(exchange)

        async def send(message: Message[Any]) -> Message[Any] | None:
            deliver = routes.listening.get(self.name) or await routes.find(self.name)
            return await deliver(message)

        yield send


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`direct:` as a source and as a sink."""
    return [DirectSource, DirectSink]
