"""What `multicast`, `recipients` and `scatter_gather` share: running named branches on copies of a message.

A failing branch never stops the others unless asked, and never vanishes: the message fails, or the branch's copy
becomes a dead letter. Branches are few, so all of them are kept in mind until they have ended.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, cast

import anyio

from .demands import amount, whole
from .errors import DefinitionError, PartsFailed, Rejected, TimedOut, did_you_mean
from .isolation import isolated
from .message import Message
from .remedy import Remedy
from .step import Chain, Runtime, finish
from .tasks import together

R = TypeVar("R")

OnBranchError: TypeAlias = Literal["fail", "fail_fast", "dead_letter"] | Chain
"""`fail`: all branches run, then the message fails. `fail_fast`: the first failure ends it, branches at work are
cancelled. `dead_letter`: the copy of each failed branch becomes a dead letter of its own and the message goes on; a
branch made by `dead_letters(...)` does the same and takes the letters."""


@dataclass(frozen=True)
class Branching:
    """Branches by name, and how they are run: the options that the steps share. `parallel=None` is all at once."""

    branches: Mapping[str, Chain]
    parallel: int | None = 1
    on_error: str | Chain = "fail"
    timeout: float | None = None

    WORDS: ClassVar[tuple[str, ...]] = ("fail", "fail_fast", "dead_letter")

    def __post_init__(self) -> None:
        checked(self.branches)
        if self.parallel is not None:
            whole("parallel", self.parallel)
        if self.timeout is not None:
            amount("timeout", self.timeout)
        if isinstance(self.on_error, str) and self.on_error not in self.WORDS:
            raise DefinitionError(f"on_error is '{self.on_error}'", hint=did_you_mean(self.on_error, self.WORDS))
        if not isinstance(cast("object", self.on_error), str | Chain):
            raise DefinitionError(f"on_error is {self.on_error!r}", hint="write a word, or dead_letters(lambda ...)")

    @property
    def label(self) -> str:
        """The options that were changed, in one line."""
        options = [f"parallel={self.parallel}"] if self.parallel not in (None, 1) else []
        if isinstance(self.on_error, str) and self.on_error != "fail":
            options.append(f"on_error={self.on_error}")
        if self.timeout is not None:
            options.append(f"timeout={self.timeout:g}")
        return ", ".join(options)

    def remedies(self, within: str, scope: str) -> Sequence[Remedy]:
        """What is done about an error in a branch."""
        if within not in self.branches or self.on_error in ("fail", "fail_fast"):
            return ()
        if self.on_error == "leave_out":
            return [Remedy("rescue", scope, "it is left out of the answers, if enough others have answered")]
        to = "goes into the branch of dead letters" if isinstance(self.on_error, Chain) else "becomes a dead letter"
        return [Remedy("rescue", scope, f"the copy of the branch {to}, the message goes on")]

    def drawn(self) -> Sequence[tuple[str, Chain]]:
        """All branches, that of the dead letters too."""
        letters = [("dead letters", self.on_error)] if isinstance(self.on_error, Chain) else []
        return (*self.branches.items(), *letters)


@dataclass(slots=True)
class Outcome:
    """What became of the branches of one message; `late` are those that had not ended in time."""

    begun: set[str] = field(default_factory=set[str])
    replies: dict[str, Message[Any] | None] = field(default_factory=dict[str, "Message[Any] | None"])
    failures: dict[str, Exception] = field(default_factory=dict[str, Exception])
    late: dict[str, Exception] = field(default_factory=dict[str, Exception])


class BranchRunner:
    """Bound once for each route: runs branches on copies of a message."""

    def __init__(self, how: Branching, runtime: Runtime) -> None:
        self._how = how
        self._runtime = runtime
        self._handlers = {name: runtime.bind(branch, finish, name) for name, branch in how.branches.items()}
        channel = how.on_error
        self._channel = runtime.bind(channel, finish, "dead_letters") if isinstance(channel, Chain) else None
        gives_up = channel == "dead_letter" or isinstance(channel, Chain)
        self._entries = {name: runtime.entry(handle) for name, handle in self._handlers.items()} if gives_up else {}

    async def run(self, message: Message[Any], names: Sequence[str]) -> None:
        """Run these branches; what did not end in time has failed. Raises as `OnBranchError` says."""
        outcome = await self.ask(message, names)
        if outcome.failures or outcome.late:
            await self.settle(message, {**outcome.failures, **outcome.late}, names)

    async def ask(self, message: Message[Any], names: Sequence[str]) -> Outcome:
        """Run these branches and tell what became of each; raises only for `fail_fast`."""
        outcome = Outcome()
        if self._how.timeout is None:
            await self._all(message, names, outcome)
            return outcome
        with anyio.move_on_after(self._how.timeout):
            await self._all(message, names, outcome)
        ended = outcome.replies.keys() | outcome.failures.keys()
        outcome.late = {name: self._late(name, outcome) for name in names if name not in ended}
        return outcome

    async def settle(self, message: Message[Any], failures: Mapping[str, Exception], names: Sequence[str]) -> None:
        """Give up the copies of the failed branches, if that is the way; else raise the first of them."""
        failed = [(name, failures[name]) for name in names if name in failures]
        if not self._entries:
            raise PartsFailed(failed, failed=len(failed), total=len(names), what="branches").behind(failed[0][1])
        for name, error in failed:
            await self._runtime.give_up(copy_for(message, name), error, self._channel, entry=self._entries[name])

    async def _all(self, message: Message[Any], names: Sequence[str], outcome: Outcome) -> None:
        waiting = iter(names)
        workers = min(self._how.parallel or len(names), len(names))
        if workers <= 1:
            await self._work(message, waiting, outcome)
            return
        async with together() as tasks:
            for _ in range(workers):
                tasks.start_soon(self._work, message, waiting, outcome)

    async def _work(self, message: Message[Any], waiting: Iterator[str], outcome: Outcome) -> None:
        for name in waiting:
            outcome.begun.add(name)
            try:
                outcome.replies[name] = await self._handlers[name](copy_for(message, name))
            except Exception as error:
                if self._how.on_error == "fail_fast":
                    raise
                outcome.failures[name] = error

    def _late(self, name: str, outcome: Outcome) -> Exception:
        what = "had not ended" if name in outcome.begun else "had not begun"
        return TimedOut(f"branch '{name}' {what} after {self._how.timeout:g} s, the timeout of all branches")


def copy_for(message: Message[Any], name: str) -> Message[Any]:
    """The message as a branch gets it: it shares nothing that can change, and has an id of its own in any store."""
    return Message(isolated(message.body), message.headers, f"{message.id}/{name}", message.meta)


def checked(branches: Mapping[str, Chain]) -> None:
    """Raises DefinitionError for branches that cannot be told apart by their names."""
    if not branches:
        raise DefinitionError("there is no branch", hint="give one at least")
    for name in cast("Iterable[object]", branches):
        if not isinstance(name, str) or not name or "/" in name:
            raise DefinitionError(f"a branch is named {name!r}", hint="write a text that is not empty and has no slash")


def branch_of(branches: Mapping[str, R], name: object) -> R:
    """The branch of that name; raises Rejected for a name that the author has not declared."""
    if isinstance(name, str) and name in branches:
        return branches[name]
    hint = did_you_mean(name, branches) if isinstance(name, str) else "give the name of a branch"
    raise Rejected(f"no branch is named {name!r}", hint=hint)


def names_of(given: object, branches: Mapping[str, Any], most: int | None = None) -> list[str]:
    """The names that a function gave, one or several, all of them declared; raises Rejected for any other."""
    if isinstance(given, str):
        given = (given,)
    if not isinstance(given, Iterable):
        raise Rejected(f"branches are chosen by name, found {given!r}", hint="give a name, several, or an empty list")
    names: list[str] = []
    for name in cast("Iterable[object]", given):
        branch_of(branches, name)
        names.append(cast("str", name))
        if most is not None and len(names) > most:
            raise Rejected(f"more than {most} branches were given", hint="raise `most` if that is meant")
    return names
