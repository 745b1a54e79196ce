"""What a twin of a sink does with a message: hands it to what the test gave for it, or has it arrive in memory."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

from ..callables import Calling, called
from ..codec import Codec
from ..endpoint import Producer
from ..isolation import apart
from ..message import Message
from ..step import Runtime, Send
from ..twin import Twin
from .traffic import Sent, Traffic

Instead: TypeAlias = Producer | Calling | Exception | None
"""What takes the messages: an endpoint, a function that answers, an error that is raised, or nobody: they arrive."""


class Departures:
    """The messages that routes send to one endpoint.

    `codec` is what the engine would encode with. A `real` endpoint that stays takes them as it would without a test.
    """

    def __init__(
        self,
        endpoint: Producer,
        codec: Codec | None,
        twin: Twin,
        traffic: Traffic,
        *,
        instead: Instead = None,
        real: Callable[[], bool],
    ) -> None:
        self.endpoint = endpoint
        self.codec = codec
        self._twin = twin
        self._traffic = traffic
        self._instead = instead
        self._real = real

    @asynccontextmanager
    async def __call__(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """As `Producer.open`."""
        if self._real():
            async with self.endpoint.open(runtime) as send:
                yield self._noted(runtime, self._really(send))
        elif isinstance(self._instead, Producer):
            async with self._instead.open(runtime) as send:
                yield self._noted(runtime, self._handed(self._instead, send))
        else:
            yield self._noted(runtime, self._arrive if self._instead is None else self._answered(self._instead))

    def _noted(self, runtime: Runtime, send: "_Sending") -> Send:
        endpoint, traffic = self.endpoint, self._traffic

        async def noted(message: Message[Any], **options: Any) -> Message[Any] | None:
            kept = apart(message)
            try:
                answer, written = await send(message, options)
            except Exception as error:
                traffic.note(Sent(endpoint, kept, options, runtime.route, runtime.now(), error=error))
                raise
            traffic.note(Sent(endpoint, kept, options, runtime.route, runtime.now(), written))
            return answer

        return noted

    def _really(self, send: Send) -> "_Sending":
        async def really(message: Message[Any], options: Mapping[str, Any]) -> _Outcome:
            if self.codec is not None:
                message = message.with_body(self.codec.encode(message.body))
            return await send(message, **options), None

        return really

    def _handed(self, other: Producer, send: Send) -> "_Sending":
        """To an endpoint that the test gave, which may know fewer options than the one that it stands for."""
        known = other.per_message()

        async def handed(message: Message[Any], options: Mapping[str, Any]) -> _Outcome:
            return await send(message, **{name: value for name, value in options.items() if name in known}), None

        return handed

    def _answered(self, function: Calling | Exception) -> "_Sending":
        async def answered(message: Message[Any], options: Mapping[str, Any]) -> _Outcome:
            if isinstance(function, Exception):
                raise function
            answer = await called(function, message)
            if isinstance(answer, Message):
                return cast("Message[Any]", answer), None
            return (None if answer is None else message.with_body(answer)), None

        return answered

    async def _arrive(self, message: Message[Any], options: Mapping[str, Any]) -> "_Outcome":
        if self.codec is None:
            written = self._twin.written(self.endpoint, apart(message), options)
        else:
            written = message.with_body(self.codec.encode(message.body))
        for address in self._twin.sends(self.endpoint, written, options):
            self._traffic.arrive(address, written)
        return self._twin.answer(self.endpoint, message, options), written


_Outcome: TypeAlias = tuple[Message[Any] | None, Message[Any] | None]
"""The answer, and the message as the other side has it."""

_Sending: TypeAlias = Callable[[Message[Any], Mapping[str, Any]], Awaitable[_Outcome]]
