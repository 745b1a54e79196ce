"""Scatter-Gather: branches answer the same message on copies of it, and the answers by name go on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from ..branching import Branching, BranchRunner, Outcome, names_of
from ..callables import called, calling
from ..conduct import Conduct
from ..demands import whole
from ..discretion import told
from ..errors import DefinitionError, PartsFailed, Rejected, Unavailable
from ..events import Logged
from ..message import Message
from ..remedy import Remedy
from ..step import Chain, Handler, Reply, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Scattering(Branching):
    """How branches are asked: as any, but a failed one may just be left out of the answers."""

    WORDS: ClassVar[tuple[str, ...]] = ("fail", "fail_fast", "leave_out", "dead_letter")


@dataclass(frozen=True)
class ScatterGather(Step[T, dict[str, Any]]):
    """EIP "Scatter-Gather".

    All branches are waited for, or as long as the timeout allows; those that have not answered then are cancelled and
    missing from the answers. A branch that ended the message has not answered either. Too few answers fail the message.
    What is left out is told in a warning.
    """

    how: Scattering
    choose: Callable[..., Any] | None = None
    enough: int | None = None
    word = "scatter_gather"

    def __post_init__(self) -> None:
        if self.enough is None:
            return
        whole("enough", self.enough, least=0)
        if self.enough > len(self.how.branches):
            found = f"enough is {self.enough}, of {len(self.how.branches)} branches"
            raise DefinitionError(found, hint="give a number of branches that there are")

    def bind(self, proceed: Handler[dict[str, Any]], runtime: Runtime) -> Handler[T]:
        runner, known, on_error = BranchRunner(self.how, runtime), tuple(self.how.branches), self.how.on_error
        choose = None if self.choose is None else calling(self.choose)

        async def asked(message: Message[T]) -> Sequence[str]:
            if choose is None:
                return known
            chosen = frozenset(names_of(await called(choose, message), self.how.branches))
            return [name for name in known if name in chosen]

        async def handle(message: Message[T]) -> Message[Any] | None:
            names = await asked(message)
            outcome = await runner.ask(message, names)
            if outcome.failures and on_error == "fail":
                await runner.settle(message, outcome.failures, names)
            answers = {name: reply.body for name in names if (reply := outcome.replies.get(name)) is not None}
            if len(answers) < (min(1, len(names)) if self.enough is None else self.enough):
                raise self._too_few(len(answers), names, outcome)
            if outcome.failures and on_error != "leave_out":
                await runner.settle(message, outcome.failures, names)
                tell(message, outcome.late)
            else:
                tell(message, {**outcome.failures, **outcome.late})
            return await proceed(message.with_body(answers))

        def tell(message: Message[T], missing: Mapping[str, Exception]) -> None:
            for name, error in missing.items():
                text = f"scatter_gather goes on without '{name}' for {message.id}: {told(error)}"
                runtime.emit(Logged(runtime.route, "warning", text))

        return handle

    def _too_few(self, answered: int, names: Sequence[str], outcome: Outcome) -> Exception:
        """Says why each of the others has not answered; worth another try unless all are for good."""
        ended = [name for name in names if name in outcome.replies and outcome.replies[name] is None]
        silent = {name: Rejected("ended the message and gave no answer") for name in ended}
        reasons = {**outcome.failures, **outcome.late, **silent}
        missing = [(name, reasons[name]) for name in names if name in reasons]
        text = f"{answered} of {len(names)} branches answered, and {1 if self.enough is None else self.enough} must"
        if not missing:
            return Rejected(text, hint="choose more branches")
        group = PartsFailed(missing, failed=len(missing), total=len(names), what="branches")
        hopeless = all(isinstance(error, Rejected) for _, error in missing)
        error = (Rejected if hopeless else Unavailable)(f"{text}; {group}")
        error.__cause__ = group
        return error

    def behaves(self) -> Conduct:
        leaves_out = (
            tuple(self.how.branches) if self.how.on_error == "leave_out" or self.how.timeout is not None else ()
        )
        varies = "a branch that is left out may answer the second time" if leaves_out else ""
        return Conduct(leaves_out=leaves_out, varies=varies)

    @property
    def label(self) -> str:
        enough = "" if self.enough is None else f"enough={self.enough}"
        return f"scatter_gather({', '.join(filter(None, (self.how.label, enough)))})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return self.how.drawn()

    def waits_for(self) -> Mapping[str, Reply]:
        return dict.fromkeys(self.how.branches, "used")

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        return self.how.remedies(within, "scatter_gather")
