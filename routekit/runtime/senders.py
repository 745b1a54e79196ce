"""Producers as send functions: opened when the route starts, closed when it ends, shared by equal targets."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from ..callables import Calling, called
from ..discretion import concerns
from ..endpoint import Producer, address_of
from ..errors import BodyError, Unavailable
from ..fitting import misfit
from ..message import Message
from ..observing import Spot
from ..plugins import Catalog, Sink
from ..step import Runtime, Send, Target

R = TypeVar("R")


class _Slot:
    """A producer and, while the route runs, its send function."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.send: Send = self._closed

    def deliver(self, message: Message[Any], **options: Any) -> Awaitable[Message[Any] | None]:
        """Send by what is open now: steps are bound before it opens."""
        return self.send(message, **options)

    def told(self, spot: Spot, target: Target) -> Send:
        """As `deliver`, for a step whose messages may be followed: their traces are told."""
        noting = _noting(self.deliver)

        def deliver(message: Message[Any], **options: Any) -> Awaitable[Message[Any] | None]:
            trace = message.meta.trace
            if trace is None:
                return self.send(message, **options)
            return trace.send(spot, target, noting, message, options)

        return deliver

    async def _closed(self, message: Message[Any], **_: Any) -> Message[Any] | None:
        raise Unavailable(f"{self.producer} is not open")


class Senders:
    """The senders of one route."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._slots: list[_Slot] = []

    def sender(self, target: Target, spot: Spot | None = None) -> Send:
        """The send function for a target, of the step at `spot` if that is observed; raises DefinitionError."""
        sink = self._catalog.sink(target)
        slot = self._slot(sink.producer)
        return sending(sink, slot.deliver if spot is None else slot.told(spot, target))

    @property
    def producers(self) -> Sequence[Producer]:
        """What they send by, each once."""
        return [slot.producer for slot in self._slots]

    @property
    def addresses(self) -> set[str]:
        """Where they send, without options."""
        return {address_of(slot.producer) for slot in self._slots}

    async def open(self, stack: AsyncExitStack, runtime: Runtime) -> None:
        """Open every producer on the stack; raises what the first one that is away raises."""
        for slot in self._slots:
            slot.send = await stack.enter_async_context(slot.producer.open(runtime))

    def _slot(self, producer: Producer) -> _Slot:
        for slot in self._slots:
            if slot.producer == producer:
                return slot
        self._slots.append(_Slot(producer))
        return self._slots[-1]


def told(send: Send, spot: Spot, target: Target) -> Send:
    """The same, told to the traces of its messages; what is sent to a producer at once is told by its slot."""
    noting = _noting(send)

    def deliver(message: Message[Any], **options: Any) -> Awaitable[Message[Any] | None]:
        trace = message.meta.trace
        return send(message, **options) if trace is None else trace.send(spot, target, noting, message, options)

    return deliver


def _noting(send: Send) -> Send:
    """The same, whose errors know the message before a trace tells of them."""

    async def noted(message: Message[Any], **options: Any) -> Message[Any] | None:
        try:
            return await send(message, **options)
        except Exception as error:
            concerns(error, message)
            raise

    return noted


def sending(sink: Sink, deliver: Callable[..., Awaitable[R]]) -> Callable[[Message[Any]], Awaitable[R]]:
    """How a message comes to a sink, by `deliver(message, **options)`: with its options computed, and encoded."""
    if not sink.computed and sink.codec is None:
        return deliver
    computing = _Computing(sink.producer, sink.computed)
    codec = sink.codec

    async def send(message: Message[Any]) -> R:
        options = await computing.options(message)
        if codec is not None:
            message = message.with_body(codec.encode(message.body))
        return await deliver(message, **options)

    return send


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    """The check of a field, with its limits and units; any mark in `metadata` will do, as in `Annotated`."""
    return TypeAdapter(Annotated[(field.annotation, *field.metadata)])  # pyright: ignore[reportUnknownVariableType, reportArgumentType, reportInvalidTypeForm, reportUnknownMemberType]  # made while running


class _Computing:
    """Options that are computed for each message, and checked as if they had been written in the URI."""

    def __init__(self, producer: Producer, computed: Mapping[str, Calling]) -> None:
        fields = producer.per_message()
        self._scheme = producer.scheme
        self._computed = [(name, call, _adapter(fields[name])) for name, call in computed.items()]

    async def options(self, message: Message[Any]) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for name, call, adapter in self._computed:
            value = await called(call, message)
            try:
                options[name] = adapter.validate_python(value)
            except ValidationError as error:
                reason = f"{self._scheme}: option '{name}' cannot be {value!r}: {misfit(error).reason}"
                raise BodyError(reason, hint="see the function that computes it") from None
        return options
