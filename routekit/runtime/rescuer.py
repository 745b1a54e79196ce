"""Rescuer: the rescue clauses of a route's policy, bound, and asked when a message has failed."""

from collections.abc import Callable
from typing import Any, TypeAlias

from ..events import Logged, Rescued
from ..isolation import apart
from ..message import Message
from ..rescuing import Clause, Clauses, counting, following
from ..step import Handler, Runtime, finish

Mark: TypeAlias = tuple[str | int, ...]

_MARKS = "__routekit_marks__"


class Rescuer:
    """Finds the clause that counts for an error, and runs its branch."""

    def __init__(self, clauses: Clauses, runtime: Runtime) -> None:
        self._clauses = clauses
        self._runtime = runtime
        self._branches: dict[int, Handler[Any]] = {}
        self.token = f"{runtime.route}/{id(self)}"  # for marks: an error may be copied, and must not drag this along
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
            again = marked(error, (self.token, message.id))  # it comes from one of these branches
            asked = [] if again else [one for one in asked if one.rescue.then == "reply"]
        return await counting(asked, error, message, tell=self._warn)

    async def run(self, clause: Clause, error: Exception, message: Message[Any]) -> Message[Any] | None:
        """What the branch of the clause gives; its own failure has `error` as its cause, and is not rescued again."""
        branch = self._branches[id(clause.rescue)]
        try:
            reply = await branch(apart(message).with_meta(message.meta.with_error(error)))
        except Exception as worse:
            original = message.meta.original or message
            mark(worse, (self.token, original.id))
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


def mark(error: Exception, key: Mark) -> bool:
    """Remember something about an error; false if it is known already, or the error takes no marks."""
    marks: set[Mark] = getattr(error, _MARKS, set())
    if key in marks:
        return False
    try:
        setattr(error, _MARKS, marks | {key})
    except AttributeError:  # an exception with slots
        return False
    return True


def unmark(error: Exception, key: Mark) -> None:
    """Forget it: the same error may be raised again, for another part."""
    marks: set[Mark] = getattr(error, _MARKS)
    setattr(error, _MARKS, marks - {key})


def marked(error: Exception, key: Mark) -> bool:
    """Whether `mark` has remembered it."""
    return key in getattr(error, _MARKS, ())
