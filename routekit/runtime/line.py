"""The line of a route: its steps one after the other, where a clause of its policy may let a failed message go on.

A step's branches are part of the step, unless they lead on into the line, as those of a choice do. So what fails inside
an attempt has been retried and rescued there first; what then leaves it is the failure of the attempt.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..message import Message
from ..rescuing import Clause
from ..route import Retry, again
from ..step import Handler, Step, finish
from .rescuer import Rescuer, keeping


class Line:
    """Wraps the steps on the line of a route; where no clause of a route goes on it wraps none, and costs nothing."""

    def __init__(self, rescuer: Rescuer | None = None, retries: Sequence[Retry] = ()) -> None:
        self._rescuer = rescuer if rescuer is not None and rescuer.goes_on else None
        self._retries = retries
        self._members: dict[int, Handler[Any]] = {}
        self._settled = False

    def end(self) -> Handler[Any]:
        """The end of the line, which a route's chain is bound to."""
        if self._rescuer is None:
            return finish

        async def end(message: Message[Any]) -> Message[Any] | None:
            _reached(message)
            return message

        self._members[id(end)] = end
        return end

    def entered(self, handler: Handler[Any]) -> Handler[Any]:
        """The same handler, whose messages know how they entered, if there is a line."""
        return handler if self._rescuer is None else keeping(handler)

    def holds(self, handler: Handler[Any]) -> bool:
        """Whether a step that goes on to this handler stands on the line."""
        return id(handler) in self._members

    @contextmanager
    def after(self, steps: Sequence[Step[Any, Any]]) -> Generator[None]:
        """What is bound inside it comes after these steps; one of them may decide by itself about what follows."""
        before = self._settled
        self._settled = before or (self._rescuer is not None and any(step.settles for step in steps))
        try:
            yield
        finally:
            self._settled = before

    def step(self, bound: Handler[Any], proceed: Handler[Any]) -> Handler[Any]:
        """The handler of a step that goes on to `proceed`, as it stands on the line, if it does."""
        rescuer, settled = self._rescuer, self._settled
        if rescuer is None or not self.holds(proceed):
            return bound

        async def lenient(message: Message[Any]) -> Message[Any] | None:
            _reached(message)
            turn = _Turn(message.meta.original)
            try:
                token = _current.set(turn)
                try:
                    return await bound(message)
                finally:
                    _current.reset(token)
            except Exception as error:
                clause = None if turn.left or settled else await self._clause(rescuer, error, message)
                if clause is None:
                    raise
                reply = await rescuer.run(clause, error, message)
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        self._members[id(lenient)] = lenient
        return lenient

    async def _clause(self, rescuer: Rescuer, error: Exception, message: Message[Any]) -> Clause | None:
        """The clause that lets the message go on after this step, unless the route will be tried again."""
        if again(self._retries, error, message.meta.attempt) is not None:
            return None
        clause = await rescuer.clause(error, message.meta.original or message, at_step=True)
        return clause if clause is not None and clause.rescue.then == "go_on" else None


class _Turn:
    """A message at a step of a line. `left`: it has gone on from there, so that what fails now is not the step."""

    __slots__ = ("left", "original")

    def __init__(self, original: Message[Any] | None) -> None:
        self.original = original
        self.left = False


_current: ContextVar[_Turn | None] = ContextVar("routekit_turn", default=None)


def _reached(message: Message[Any]) -> None:
    """The step before has left the message to this one; each try of a message has an original of its own."""
    turn = _current.get()
    if turn is not None and turn.original is message.meta.original:
        turn.left = True
