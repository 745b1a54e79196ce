"""Loop: a branch runs several times, and what its last turn gives goes on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio.lowlevel

from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..demands import whole
from ..errors import DefinitionError, Rejected
from ..isolation import apart
from ..message import Message
from ..message import Sequence as Turn
from ..step import Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")


@dataclass(frozen=True)
class Loop(Step[T, T]):
    """So many `times`, or as long as `while_` holds for what the last turn gave; at most `most` turns.

    A turn gets what the one before it gave, with `copy` the message as it came. It sees its number in
    `message.meta.sequence`, and has an id of its own, `parent/turn-1`, so that turns never collapse in a store. What
    goes on has the message's own id again. A turn that ends the message ends it here.
    """

    conduct = PLAIN

    branch: Chain
    times: int | Callable[..., Any] | None = None
    while_: Callable[..., Any] | None = None
    copy: bool = False
    most: int = 1000
    leads = "back"

    def __post_init__(self) -> None:
        if (self.times is None) == (self.while_ is None):
            raise DefinitionError("a loop needs an end", hint="give either times= or while_=")
        whole("most", self.most)
        if self.times is None or callable(self.times):
            return
        whole("times", self.times, least=0)
        if self.times > self.most:
            raise DefinitionError(f"times is {self.times}", hint=f"it must be from 0 to {self.most}, which is `most`")

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        branch = runtime.bind(self.branch, finish, "turn")
        holds = None if self.while_ is None else calling(self.while_)
        times = calling(self.times) if callable(self.times) else None
        fixed = None if callable(self.times) else self.times

        async def more(turn: int, size: int | None, last: Message[Any]) -> bool:
            if holds is None:
                return turn < (size or 0)
            if not await called(holds, last):
                return False
            if turn == self.most:
                raise Rejected(f"the loop goes on after {turn} turns", hint="raise `most` if that is meant")
            return True

        def turning(message: Message[T], last: Message[Any], turn: int, size: int | None) -> Message[Any]:
            source = apart(message) if self.copy else last
            meta = message.meta.changed(sequence=Turn(turn, turn + 1 == size, size))
            return Message(source.body, source.headers, f"{message.id}/turn-{turn + 1}", meta)

        async def handle(message: Message[T]) -> Message[Any] | None:
            size = fixed if times is None else self._allowed(await called(times, message))
            turn, last = 0, message
            while await more(turn, size, last):
                reply = await branch(turning(message, last, turn, size))
                if reply is None:
                    return None
                last = Message(reply.body, reply.headers, message.id, message.meta)
                turn += 1
                if turn % 64 == 0:
                    await anyio.lowlevel.checkpoint()  # turns that never wait must let the other routes run
            return await proceed(last)

        return handle

    def _allowed(self, times: object) -> int:
        if isinstance(times, bool) or not isinstance(times, int) or not 0 <= times <= self.most:
            raise Rejected(f"a loop of {times!r} turns", hint=f"give a number from 0 to {self.most}, which is `most`")
        return times

    @property
    def label(self) -> str:
        what = self.times if self.while_ is None else self.while_
        said = name_of(what) if callable(what) else what
        return f"loop({'times' if self.while_ is None else 'while'} {said})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("turn", self.branch),)

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "used" for label, _ in self.branches()}
