"""Recalling: what a durable route has recorded of a message that became a letter is not done again by a replay."""

from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from ..errors import BodyError
from ..message import Message
from ..step import Handler, Send
from ..written import result_read, result_text
from .recording import key_of, recording


class Recalling:
    """The effects of a route's messages, as far as they are known; nothing of it is stored."""

    def __init__(self) -> None:
        self._steps: dict[str, int] = {}

    def once(self, act: Send, step: str, *, answered: bool) -> Send:
        """The same, but not done again for a message that has had it: named as in the route's journal."""
        self._steps[step] = number = self._steps.get(step, 0) + 1
        name = step if number == 1 else f"{step} ({number})"

        async def effect(message: Message[Any], **options: Any) -> Any:
            known = recording()
            if known is None:
                return await act(message, **options)
            turn = known.turn(name, message.id)
            key = key_of(name, message.id, turn)
            if key in known.effects:
                return result_read(known.effects[key])
            try:
                reply = await act(message, **options)
            except BaseException:
                known.failed(name, message.id, turn)
                raise
            with suppress(BodyError):  # an answer that cannot be kept is asked for again at the next try
                known.effects[key] = result_text(reply) if answered else ""
            return reply

        return effect

    def entered(self, handler: Handler[Any]) -> Handler[Any]:
        """How messages enter the route: at each try every step has its first turn again."""

        def enter(message: Message[Any]) -> Awaitable[Message[Any] | None]:
            known = recording()
            if known is not None and known.id == message.id:
                known.begin()
            return handler(message)

        return enter
