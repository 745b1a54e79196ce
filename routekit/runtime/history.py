"""History: the steps that a message has passed, kept where its policy asks for it."""

from collections.abc import Callable
from typing import Any

from ..message import Message, Passed
from ..step import Handler

MOST = 1000
"""Steps that are remembered of one message and its parts."""

_FIRST = 100
"""When there are more, the first so many stay, and the latest."""


def recorded(handler: Handler[Any], step: str, now: Callable[[], float]) -> Handler[Any]:
    """The same handler, whose messages know that they entered it."""

    def passing(message: Message[Any]) -> Any:
        history = message.meta.history
        if history is not None:
            history.append(Passed(message.id, step, now()))
            if len(history) > MOST:
                del history[_FIRST : _FIRST + MOST // 2]
        return handler(message)

    return passing


def told(message: Message[Any]) -> list[dict[str, Any]]:
    """What a letter keeps of it: the steps of this message, of those it is a part of, and of its own parts."""
    history = message.meta.history or []
    return [
        {"id": passed.id, "step": passed.step, "after": round(passed.at - history[0].at, 6)}
        for passed in history
        if _related(passed.id, message.id)
    ]


def _related(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
