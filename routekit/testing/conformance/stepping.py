"""Doing something at a chosen await of an endpoint, such as cancelling it there."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import coroutine
from typing import Any, TypeVar, cast

from ...endpoint import Consumer, Deliver, Endpoint, Listener, Producer
from ...message import Delivery, Message
from ...options import made
from ...step import Runtime, Send

R = TypeVar("R")
E = TypeVar("E", bound=Endpoint)


def _nothing() -> None:
    pass


class Stepping:
    """Counts how often what it runs is suspended; at number `at` it calls `act`, while that is suspended."""

    def __init__(self, at: int = 0, act: Callable[[], None] = _nothing) -> None:
        self.count = 0
        self.at = at
        self.act = act

    async def run(self, awaitable: Awaitable[R]) -> R:
        """Await it, and count."""
        return await _driven(awaitable, self._suspended)

    def _suspended(self) -> None:
        self.count += 1
        if self.count == self.at:
            self.act()


@coroutine
def _driven(awaitable: Awaitable[R], suspended: Callable[[], None]) -> Generator[Any, Any, R]:
    """Await it, and call `suspended` each time that it has to wait, which is where it can be cancelled."""
    inner = awaitable.__await__()
    step: Callable[[], Any] = lambda: next(inner)  # noqa: E731 - the first of several ways to go on
    while True:
        try:
            waiting_for = step()
        except StopIteration as end:
            return end.value
        suspended()
        try:
            value = yield waiting_for
        except BaseException as error:  # of whatever kind: cancellation comes this way
            thrown = error
            step = lambda thrown=thrown: inner.throw(thrown)  # noqa: E731
        else:
            step = lambda value=value: inner.send(value)  # noqa: E731


def stepped_consumer(endpoint: Consumer, stepping: Stepping) -> Consumer:
    """The same source, with every await of it counted: of its generator, and of its acknowledgements."""

    async def consume(self: Any, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        deliveries = type(endpoint).consume(self, runtime)
        try:
            while True:
                try:
                    delivery = await stepping.run(anext(deliveries))
                except StopAsyncIteration:
                    return
                yield Delivery(
                    delivery.message,
                    _stepped(delivery.ack, stepping),
                    _stepped(delivery.nack, stepping),
                    delivery.error,
                )
        finally:
            await stepping.run(deliveries.aclose())

    return _with(endpoint, consume=consume)


def _stepped(
    told: Callable[[Any], Awaitable[None]] | None, stepping: Stepping
) -> Callable[[Any], Awaitable[None]] | None:
    if told is None:
        return None

    async def telling(outcome: Any) -> None:
        await stepping.run(told(outcome))

    return telling


def stepped_listener(endpoint: Listener, stepping: Stepping) -> Listener:
    """The same source, with every await of its own task counted."""

    async def listen(self: Any, runtime: Runtime, deliver: Deliver) -> None:
        await stepping.run(type(endpoint).listen(self, runtime, deliver))

    return _with(endpoint, listen=listen)


def stepped_opening(endpoint: Producer, stepping: Stepping) -> Producer:
    """The same sink, with every await of its opening and closing counted."""

    @asynccontextmanager
    async def opened(self: Any, runtime: Runtime) -> AsyncGenerator[Send]:
        manager = type(endpoint).open(self, runtime)
        send = await stepping.run(manager.__aenter__())
        try:
            yield send
        except BaseException:  # as `async with` does it
            if not await stepping.run(manager.__aexit__(*sys.exc_info())):
                raise
        else:
            await stepping.run(manager.__aexit__(None, None, None))

    return _with(endpoint, open=opened)


def wrapped_sends(
    endpoint: Producer, wrap: Callable[[Callable[[], Awaitable[Message[Any] | None]]], Awaitable[Message[Any] | None]]
) -> Producer:
    """The same sink, whose every send is made by `wrap`."""

    @asynccontextmanager
    async def opened(self: Any, runtime: Runtime) -> AsyncGenerator[Send]:
        manager: AbstractAsyncContextManager[Send] = type(endpoint).open(self, runtime)
        async with manager as send:

            async def sending(message: Message[Any], **options: Any) -> Message[Any] | None:
                return await wrap(lambda: send(message, **options))

            yield sending

    return _with(endpoint, open=opened)


def closed_twice(endpoint: Consumer, closings: list[str]) -> Consumer:
    """The same source, closed twice; `closings` gets what each closing raised, or an empty text."""

    async def consume(self: Any, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        deliveries = type(endpoint).consume(self, runtime)
        try:
            async for delivery in deliveries:
                yield delivery
        finally:
            for _ in range(2):
                closings.append(await _raised(deliveries.aclose()))

    return _with(endpoint, consume=consume)


def left_twice(endpoint: Producer, closings: list[str]) -> Producer:
    """The same sink, which is left twice; `closings` gets what each leaving raised, or an empty text."""

    @asynccontextmanager
    async def opened(self: Any, runtime: Runtime) -> AsyncGenerator[Send]:
        manager = type(endpoint).open(self, runtime)
        send = await manager.__aenter__()
        try:
            yield send
        finally:
            for _ in range(2):
                closings.append(await _raised(manager.__aexit__(None, None, None)))

    return _with(endpoint, open=opened)


async def _raised(closing: Awaitable[Any]) -> str:
    try:
        await closing
    except Exception as error:  # of whatever kind: it is what the test is about
        return repr(error)
    return ""


def _with(endpoint: E, **methods: Any) -> E:
    """The same endpoint of a class in which these methods are others."""
    kind = type(endpoint)
    changed = cast("type[E]", type(kind.__name__, (kind,), {"__module__": kind.__module__, **methods}))
    return made(changed, {name: getattr(endpoint, name) for name in endpoint.model_fields_set}, kind.scheme)
