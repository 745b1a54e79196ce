"""Sampler: one message in a while, or every nth, goes on; the others end here, acknowledged."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from ..conduct import Conduct
from ..demands import amount, whole
from ..errors import DefinitionError
from ..message import Message
from ..passage import Passage
from ..step import Handler, Runtime, Step

T = TypeVar("T")

_AGAIN = 1000
"""So many messages that failed after they were chosen are known again."""


@dataclass(frozen=True)
class Sample(Step[T, T]):
    """A message that was chosen and failed is chosen again when it is retried or redelivered, and not counted twice."""

    every: float | None = None
    nth: int | None = None

    def __post_init__(self) -> None:
        if (self.every is None) == (self.nth is None):
            raise DefinitionError("sample takes one of every= and nth=", hint="seconds, or how many messages for one")
        if self.every is not None:
            amount("every", self.every)
        else:
            whole("nth", self.nth)

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        every, nth = self.every, self.nth
        count, due = 0, float("-inf")
        failed: OrderedDict[str, None] = OrderedDict()  # ids of chosen messages that are not done yet

        def chosen() -> bool:
            nonlocal count, due
            if nth is not None:
                count += 1
                return count % nth == 0
            now = anyio.current_time()
            if now < due:
                return False
            due = now + (every or 0.0)
            return True

        async def handle(message: Message[T]) -> Message[Any] | None:
            if message.id not in failed and not chosen():
                return None
            failed[message.id] = None
            if len(failed) > _AGAIN:
                failed.popitem(last=False)
            reply = await proceed(message)
            failed.pop(message.id, None)
            return reply

        return handle

    def behaves(self) -> Conduct:
        return Conduct(drops="all that are not in the sample")

    def explained(self, passage: Passage) -> str:
        return "chosen" if passage.on else "" if passage.error else "left out"

    @property
    def label(self) -> str:
        return f"sample(every {self.every:g} s)" if self.every is not None else f"sample(1 of {self.nth})"
