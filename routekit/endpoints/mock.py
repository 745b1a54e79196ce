"""mock: a sink that remembers, for trying routes out and for tests."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import Field

from ..about import About
from ..endpoint import Capabilities, Endpoint, PathField, Producer
from ..errors import Unavailable
from ..hookspecs import hookimpl
from ..message import Message
from ..step import Runtime, Send


class Mocks(dict[str, deque[Message[Any]]]):
    """What the mocks of a service have received, by name."""

    def received(self, name: str, keep: int) -> deque[Message[Any]]:
        """The messages of a mock, the last `keep` of them."""
        if name not in self:
            self[name] = deque(maxlen=keep)
        return self[name]


@asynccontextmanager
async def mocks() -> AsyncGenerator[Mocks]:
    """The mocks that all routes of a service share."""
    yield Mocks()


class Mock(Producer):
    """Remembers the last messages; may be told to fail, to see what a route does then."""

    scheme = "mock"
    capabilities = Capabilities(ordered=True, volatile=True)
    about = About(
        raises={Unavailable: "as often as `fail` says"},
        figures={"received": "messages that it remembers"},
        example="""
            from routekit import Retry, from_

            tried = from_("timer:tick", int).to("mock:erp?fail=2", retry=Retry(3, first=0.1))
        """,
    )
    name: PathField = Field(description="name of the mock, within this service")
    keep: int = Field(default=1000, ge=1, description="messages remembered at most, the newest")
    fail: int = Field(default=0, ge=0, description="number of sends that fail first, as if the other side were away")

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        received = (await runtime.shared(mocks)).received(self.name, self.keep)
        failures = self.fail

        async def send(message: Message[Any]) -> None:
            nonlocal failures
            if failures:
                failures -= 1
                raise Unavailable(f"mock:{self.name} was told to fail", hint=f"{failures} more times")
            received.append(message)

        with runtime.metered(self, {"received": lambda: len(received)}):
            yield send


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`mock:` as a sink."""
    return [Mock]
