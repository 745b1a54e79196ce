"""Rescuer: the rescue clauses of a route's policy, bound, and asked when a message has failed."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..events import Logged, Rescued
from ..isolation import apart
from ..message import Message
from ..rescuing import Clause, Clauses, counting, following
from ..step import Handler, Runtime, finish

_RAISED_BY = "__routekit_rescue__"
"""On an error that the branch of a clause has raised: whose it was, and for which message."""


class Rescuer:
    """Finds the clause that counts for an error, and runs its branch."""

    def __init__(self, clauses: Clauses, runtime: Runtime) -> None:
        self._clauses = clauses
        self._runtime = runtime
        self._branches: dict[int, Handler[Any]] = {}
        self._token = f"{runtime.route}/{id(self)}"  # an error may be copied, and must not drag this along
        self.goes_on = any(clause.rescue.then == "go_on" for clause in clauses)

    def bind(self) -> None:
        """Bind the branches; after the route itself, so that its entries keep their numbers."""
        for clause in self._clauses:
            if id(clause.rescue) not in self._branches:  # one may stand for several classes
                branch = self._runtime.bind(clause.rescue.branch, finish, clause.label)
                self._branches[id(clause.rescue)] = branch

    async def clause(self, error: Exception, message: Message[Any], *, at_step: bool) -> Clause | None:
        """The clause that counts; at the end of a route those that go on after a step are passed over."""
        asked = self._clauses.asked(type(error))
        if not at_step:
            own = getattr(error, _RAISED_BY, None) == (self._token, message.id)
            asked = [] if own else [one for one in asked if one.rescue.then == "reply"]
        return await counting(asked, error, message, tell=self._warn)

    async def run(self, clause: Clause, error: Exception, message: Message[Any]) -> Message[Any] | None:
        """What the branch of the clause gives; its own failure has `error` as its cause, and is not rescued again."""
        branch = self._branches[id(clause.rescue)]
        try:
            reply = await branch(apart(message).with_meta(message.meta.with_error(error)))
        except Exception as worse:
            with suppress(AttributeError):  # an exception with slots
                setattr(worse, _RAISED_BY, (self._token, (message.meta.original or message).id))
            following(worse, error)
            raise
        self._runtime.emit(Rescued(self._runtime.route, message.id, f"{clause.label} of the {clause.scope}", error))
        return reply

    def _warn(self, text: str) -> None:
        self._runtime.emit(Logged(self._runtime.route, "warning", text))


def keeping(handler: Handler[Any]) -> Callable[[Message[Any]], Any]:
    """The same handler, whose messages know how they entered."""

    def kept(message: Message[Any]) -> Any:
        return handler(apart(message).with_meta(message.meta.changed(original=message)))

    return kept
