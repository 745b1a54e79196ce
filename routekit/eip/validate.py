"""Validate: refuse a message that breaks a rule, naming every rule that it breaks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..errors import Invalid
from ..message import Message
from ..passage import Passage
from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Validate(Step[T, T]):
    """Rules over a body.

    A rule gives None or True when it holds, else False, a reason, or several reasons; ValueError is a reason too.
    """

    conduct = PLAIN

    rules: tuple[Callable[..., Any], ...]

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        rules = [(calling(rule), f"rule {name_of(rule)} does not hold") for rule in self.rules]

        async def handle(message: Message[T]) -> Message[Any] | None:
            reasons: list[str] = []
            for rule, unsaid in rules:
                try:
                    reasons += _reasons(await called(rule, message), unsaid)
                except ValueError as error:
                    reasons.append(str(error))
            if reasons:
                raise Invalid(reasons)
            return await proceed(message)

        return handle

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return self.rules

    def explained(self, passage: Passage) -> str:
        if isinstance(passage.error, Invalid):
            return f"broken: {'; '.join(passage.error.reasons)}"
        return "all hold" if passage.on else ""

    @property
    def label(self) -> str:
        return f"validate({', '.join(name_of(rule) for rule in self.rules)})"


def _reasons(verdict: object, unsaid: str) -> Iterable[str]:
    if verdict is None or verdict is True:
        return ()
    if verdict is False:
        return (unsaid,)
    if isinstance(verdict, str):
        return (verdict,) if verdict else ()
    if isinstance(verdict, Iterable):
        return [str(reason) for reason in verdict]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # an author's iterable
    raise TypeError(f"a rule gives None, a bool, a reason or reasons, found {type(verdict).__name__}")
