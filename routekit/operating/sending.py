"""Sending: messages that an operator gives go to one endpoint, without a daemon."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from pydantic import PrivateAttr

from ..endpoint import Consumer, parse_uri
from ..errors import DefinitionError
from ..events import Event, RouteDegraded
from ..message import Delivery, Message
from ..place import NOWHERE
from ..placeholders import filled_uri
from ..plugins import Catalog
from ..route import REFUSE, Policy, Route
from ..runtime.service import Service, Setup
from ..step import Chain, Handler, Runtime, Step, Target

NAME = "send"
"""The name of the route that is made for it; what plugins log is under that name."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one message.

    `error` is None if its sink has taken it. `answer` is the body that the sink replied, None if it replied none, and
    `headers` are those that it added. `number` counts from 1, `seconds` is how long it took.
    """

    number: int
    id: str
    seconds: float
    answer: Any = None
    headers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: Exception | None = None


async def send(
    target: Target, messages: AsyncIterable[Message[Any]], setup: Setup, tell: Callable[[Sent], None]
) -> bool:
    """Send messages one after the other, and tell of each; whether all were taken: after the first failure no more is.

    Raises DefinitionError for a target that is no sink or is memory of another process, and whatever the sink raises
    that cannot be opened, or `messages` that cannot be read.
    """
    outside(target, setup.catalog)
    source = _Given()
    source._messages, source._tell = messages, tell  # pyright: ignore[reportPrivateUsage]  # its own, below
    problems: list[Exception] = []

    def watch(event: Event) -> None:
        setup.watch(event)
        if isinstance(event, RouteDegraded):  # nobody waits here until it is there again
            problems.append(event.error)
            service.stop()

    service = alone(Route(NAME, Target(source), None, None, Chain().then(_Deliver(target), NOWHERE)), setup, watch)
    await service.run()
    if problems:
        raise problems[0]
    return not source.failed


def alone(route: Route, setup: Setup, watch: Callable[[Event], None], *, concurrency: int = 1) -> Service:
    """A service of one route which gives back what fails, and holds to nothing that the settings say about routes."""
    policy = Policy(dead_letter=REFUSE, concurrency=concurrency, durable="none", history=False)
    return Service([replace(route, policy=policy)], replace(setup, policy=Policy(), watch=watch))


def outside(target: Target, catalog: Catalog) -> None:
    """Raises DefinitionError for an endpoint that is within one process: what is sent there from another is lost."""
    given = target.endpoint
    scheme = parse_uri(filled_uri(given if isinstance(given, str) else given.uri(), catalog.lookup)).scheme
    if any(getattr(kind, "internal", False) for kind in catalog.endpoints(scheme)):
        found = f"'{scheme}:' is within the process that runs the routes, and this is another one"
        raise DefinitionError(found, hint="name the endpoint that the route in front of it reads from")


class _Given(Consumer):
    """The messages that were given, as a source; it ends with them, or after the first that was not taken."""

    scheme = "given"
    _messages: AsyncIterable[Message[Any]] = PrivateAttr()
    _tell: Callable[[Sent], None] = PrivateAttr()
    _failed: list[Exception] = PrivateAttr(default_factory=list[Exception])

    @property
    def failed(self) -> bool:
        """Whether a message was not taken."""
        return bool(self._failed)

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        number = 0
        async for given in self._messages:
            number += 1
            message = (
                given if given.id else Message(given.body, given.headers, f"{runtime.random.getrandbits(64):016x}")
            )
            yield self._delivery(number, message)
            if self._failed:
                return

    def _delivery(self, number: int, message: Message[Any]) -> Delivery[Any]:
        began = perf_counter()

        async def ack(answer: Message[Any] | None) -> None:
            body = None if answer is None or answer.body == message.body else answer.body
            added = (
                {}
                if answer is None
                else {name: value for name, value in answer.headers.items() if name not in message.headers}
            )
            self._tell(Sent(number, message.id, perf_counter() - began, body, added))

        async def nack(error: Exception) -> None:
            self._failed.append(error)
            self._tell(Sent(number, message.id, perf_counter() - began, error=error))

        return Delivery(message, ack, nack)


@dataclass(frozen=True)
class _Deliver(Step[Any, Any]):
    """As `to`, but what the sink answers is the reply."""

    target: Target

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        return runtime.sender(self.target)
