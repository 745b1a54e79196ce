"""Saga: actions in several systems, of which in the end all are done, or none: then what was done is undone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling
from ..conduct import Conduct
from ..keeping import name_and_body_checked
from ..keys import key_text
from ..message import Message
from ..remedy import Remedy
from ..retrying import classes_of, remedies_of
from ..sagas import Plan, SagaRunner
from ..step import Chain, Handler, Onward, Reply, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Saga(Step[T, T]):
    """Garcia-Molina and Salem, "Sagas" (1987), with the pivot of Richardson, "Microservices Patterns".

    The message is what the saga knows, and its body stays of one type: each action gets what the one before it gave.
    A saga belongs to its key, which is the id of its message unless a function of it gives another.
    """

    leads = "through"

    name: str
    body: Any
    plan: Plan
    key: Callable[..., Any] | None = None
    recorded = False

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "saga")

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        runner = SagaRunner(self.name, self.body, self.plan, proceed, runtime)
        given = self.key
        if given is None:

            async def by_id(message: Message[T]) -> Message[Any] | None:
                return await runner.run(message.id, message)

            return by_id
        key_of = calling(given)

        async def handle(message: Message[T]) -> Message[Any] | None:
            return await runner.run(key_text(await called(key_of, message), given), message)

        return handle

    def behaves(self) -> Conduct:
        return Conduct(knows="its key", anew="how far it is")

    @property
    def label(self) -> str:
        return f"saga({self.name})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return [branch for act in self.plan.acts for branch in act.branches()]

    def waits_for(self) -> Mapping[str, Reply]:
        return {act.name: "used" for act in self.plan.acts}

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        names = [act.name for act in self.plan.acts]
        if within not in names:
            undoing = within.removeprefix("undo ") in names
            return remedies_of(self.plan.undo_retry, kind, within) if undoing else ()
        number = names.index(within)
        undo = Remedy("undo", self.label, "what was done before is undone, then it fails with this error")
        return [*remedies_of(self.plan.rules(number), kind, within), *([undo] if number <= self.plan.pivot else [])]

    def classes(self) -> Sequence[type[Exception]]:
        return classes_of(
            [*self.plan.undo_retry, *self.plan.retry, *(r for act in self.plan.acts for r in act.retry or ())]
        )

    @property
    def onward(self) -> Onward:
        return "done"

    def state(self) -> str | None:
        return self.name
