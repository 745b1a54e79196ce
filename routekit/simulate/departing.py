"""What a twin of a sink does: the other side gets the message and remembers it, unless something goes wrong."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from ..callables import Calling, called
from ..endpoint import Producer, address_of
from ..errors import Unavailable
from ..isolation import apart
from ..message import Message
from ..step import Runtime, Send
from ..twin import Twin
from .outside import DYING, Arrival, Effect, Life, text_of

MAY = (*DYING, "cut before", "cut after", "away", "slow")
"""What may happen at an operation of another side."""


class Departing:
    """The other side of one endpoint, as one process sees it."""

    def __init__(self, endpoint: Producer, name: str, twin: Twin, life: Life, answer: Calling | None) -> None:
        self._endpoint = endpoint
        self._name = name
        self._twin = twin
        self._life = life
        self._answer = answer
        self._lasting = endpoint.promises().idempotent

    @asynccontextmanager
    async def __call__(self, runtime: Runtime) -> AsyncGenerator[Send]:
        """As `Producer.open`."""
        if self._life.outside.away(self._name):
            raise Unavailable(f"{self._name} is away")

        async def send(message: Message[Any], **options: Any) -> Message[Any] | None:
            kept = apart(message)

            async def act() -> Message[Any] | None:
                answer = await self._answered(message)  # first: one that cannot be made is no effect
                self.arrived(runtime.route, kept, options)
                return self._twin.answer(self._endpoint, message, options) if answer is None else answer

            at = f"send {self._name} {message.id}"
            return await self._life.operation(at, act, may=MAY, of=message.id, address=self._name)

        yield send

    async def _answered(self, message: Message[Any]) -> Message[Any] | None:
        if self._answer is None:
            return None
        answer = await called(self._answer, message)
        return cast("Message[Any]", answer) if isinstance(answer, Message) else message.with_body(answer)

    def arrived(self, route: str, message: Message[Any], options: dict[str, Any]) -> None:
        """The other side has the message."""
        outside = self._life.outside
        effect = Effect(route, self._name, message.id, text_of(message.body), outside.life, outside.time)
        outside.done(effect, idempotent=self._lasting)
        outside.tell(f"{self._name} gets {message.id}", message.id)
        if outside.readers:
            self._pass_on(message, options)

    def _pass_on(self, message: Message[Any], options: dict[str, Any]) -> None:
        """To those routes that read there; as messages of their own."""
        outside = self._life.outside
        addresses = self._twin.sends(self._endpoint, message, options)
        for reader in outside.readers:
            if address_of(reader.endpoint) in addresses or reader.reads in addresses:
                written = self._twin.written(self._endpoint, message, options)
                known = f"{message.id}@{reader.name}"
                body = Message(written.body, written.headers, known)
                outside.come(Arrival(known, reader.name, "", body, outside.time, reader.again))
