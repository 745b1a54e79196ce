"""The line of a route: its steps one after the other, where a clause of its policy may let a failed message go on.

A step's branches are part of the step, unless they lead on into the line, as those of a choice do. So what fails inside
an attempt has been retried and rescued there first; what then leaves it is the failure of the attempt.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from ..message import Message
from ..rescuing import Clause
from ..route import Retry, again
from ..step import Handler, Step, finish
from .rescuer import Mark, Rescuer, keeping, mark, unmark


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
            try:
                return await bound(message)
            except Exception as error:
                clause = await self._clause(rescuer, error, message, settled)
                if clause is None:
                    raise
                reply = await self._instead(rescuer, clause, error, message)
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        self._members[id(lenient)] = lenient
        return lenient

    async def _clause(self, rescuer: Rescuer, error: Exception, message: Message[Any], settled: bool) -> Clause | None:
        """The clause that lets the message go on after this step, if the error is its own and is not tried again."""
        original = message.meta.original or message
        if not mark(error, _passed(rescuer, message)) or settled:
            return None
        if again(self._retries, error, message.meta.attempt) is not None:
            return None
        clause = await rescuer.clause(error, original, at_step=True)
        return clause if clause is not None and clause.rescue.then == "go_on" else None

    async def _instead(
        self, rescuer: Rescuer, clause: Clause, error: Exception, message: Message[Any]
    ) -> Message[Any] | None:
        passed = _passed(rescuer, message)
        try:
            reply = await rescuer.run(clause, error, message)
        except Exception as worse:
            mark(worse, passed)
            raise
        unmark(error, passed)
        return reply


def _passed(rescuer: Rescuer, message: Message[Any]) -> Mark:
    """The mark of an error that has left a step of this line, in this try: to those before it, it is not new."""
    return (rescuer.token, (message.meta.original or message).id, message.meta.attempt)
