"""Attempt: a branch that may fail, with branches that rescue it and one that runs whatever happens."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio

from ..conduct import PLAIN, Conduct
from ..errors import DefinitionError
from ..events import Logged, Rescued
from ..isolation import apart
from ..message import Message
from ..passage import Passage
from ..remedy import Remedy
from ..rescuing import Clauses, Rescue, Rescues, checked, counting, following, noted
from ..retrying import classes_of, remedies_of, retrying
from ..route import Retry
from ..step import Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Attempt(Step[T, U]):
    """Try, catch and finally as a scope.

    A rescue branch gets the message as it came to the attempt, with the error in `message.meta.error`; what it gives
    goes on. Of several classes that fit, the nearest to the error's own counts. What comes after the attempt is not
    part of it: a failure there is never rescued or retried here. Of two failures the first is raised: one of a rescue
    branch with what it was to rescue as its cause, one of `finally_` only if nothing else failed.
    """

    body: Chain
    rescue: Rescues = field(default_factory=dict[type[Exception], Rescue | tuple[Rescue, ...]])
    finally_: Chain | None = None
    retry: tuple[Retry, ...] = ()

    def __post_init__(self) -> None:
        checked(self.rescue)
        if any(clause.rescue.then == "go_on" for clause in self.clauses):
            hint = "what fails and goes on is an attempt of its own, around that step"
            raise DefinitionError("after an attempt was rescued, the route goes on behind the attempt", hint=hint)

    @property
    def clauses(self) -> Clauses:
        """Its rescue clauses, as they are asked."""
        return Clauses(("attempt", self.rescue))

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        body = runtime.bind(self.body, finish, "attempt")
        clauses = self.clauses
        rescues = {id(one.rescue): runtime.bind(one.rescue.branch, finish, one.label) for one in clauses}
        last = None if self.finally_ is None else runtime.bind(self.finally_, finish, "finally")

        def warn(text: str) -> None:
            runtime.emit(Logged(runtime.route, "warning", text))

        marking = runtime.marking() if self.retry else None

        async def patient(message: Message[T]) -> Message[Any] | None:
            back = None if marking is None else marking(message.id)

            async def again(_: int) -> Message[Any] | None:
                if back is not None:
                    back()
                return await body(apart(message))

            try:
                return await body(apart(message))
            except Exception as error:
                return await retrying(error, again, self.retry, runtime, message)

        async def tried(message: Message[T]) -> Message[Any] | None:
            try:
                return await patient(message)
            except Exception as error:
                clause = await counting(clauses.asked(type(error)), error, message, tell=warn)
                if clause is None:
                    raise
                try:
                    reply = await rescues[id(clause.rescue)](apart(message).with_meta(message.meta.with_error(error)))
                except Exception as worse:
                    following(worse, error)
                    raise
                runtime.emit(Rescued(runtime.route, message.id, f"{clause.label} of the attempt", error))
                return reply

        async def closed(message: Message[T], last: Handler[Any]) -> Message[Any] | None:
            first: Exception | None = None
            done = False
            try:
                reply = await tried(message)
                done = True
            except Exception as error:
                first = error
                raise
            finally:
                with anyio.CancelScope(shield=True):  # finally is finally, also when the service stops
                    try:
                        await last(message)
                    except Exception as second:
                        if done:
                            raise
                        noted(first or second, "finally", second, warn)  # the first, or the cancellation, goes on
            return reply

        async def handle(message: Message[T]) -> Message[Any] | None:
            reply = await (tried(message) if last is None else closed(message, last))
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        return handle

    def explained(self, passage: Passage) -> str:
        tries = passage.branches.count("attempt")
        again = [f"{tries} tries"] if tries > 1 else []
        if len(passage.caught) >= tries and passage.error is None:
            again.append(f"rescued from {type(passage.caught[-1]).__name__}")
        return ", ".join(again)

    def behaves(self) -> Conduct:
        return Conduct(drops="those that fail in it and are rescued") if self.rescue else PLAIN

    def branches(self) -> Sequence[tuple[str, Chain]]:
        rescues = [(one.label, one.rescue.branch) for one in self.clauses]
        last = [] if self.finally_ is None else [("finally", self.finally_)]
        return (("attempt", self.body), *rescues, *last)

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "passed" for label, _ in self.branches() if label != "finally"}

    def problems(self, runtime: Runtime) -> Iterable[Exception]:
        if not self.body.steps:
            yield DefinitionError("the body of this attempt is empty", hint="give it the steps that may fail")

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        if within != "attempt":
            return ()
        asked = [one.remedy("its branch, then on behind the attempt") for one in self.clauses.asked(kind)]
        return (*remedies_of(self.retry, kind, "attempt"), *asked)

    def classes(self) -> Sequence[type[Exception]]:
        return [*classes_of(self.retry), *(clause.kind for clause in self.clauses)]
