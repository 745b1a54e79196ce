"""The running of sagas: actions one after the other, or undone in reverse, and a journal that says how far.

After each action the store has the message as it is then, before the next one begins; so a message that comes again
after a crash goes on where it stood. The claim of its key keeps twins and other processes away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from types import EllipsisType
from typing import Any

import anyio

from .claims import Claims
from .demands import amount
from .discretion import told
from .errors import CompensationFailed, DefinitionError, Rejected, TimedOut, undone
from .events import Logged
from .fitting import fitting
from .journal import Failure, Journal
from .keeping import Keeping
from .message import Message
from .retrying import retrying
from .route import Retry
from .step import Chain, Handler, Runtime, finish

PATIENT = (Retry(10, first=1.0, most=300.0),)
"""For what has to succeed in the end."""


@dataclass(frozen=True)
class Action:
    """One action of a saga. An `undo` of None says that there is nothing to undo, `...` says nothing."""

    name: str
    do: Chain
    undo: Chain | EllipsisType | None = ...
    pivot: bool = False
    retry: tuple[Retry, ...] | None = None
    undo_failed: bool = True

    def branches(self) -> Sequence[tuple[str, Chain]]:
        """What it does, and how that is undone."""
        undo = [(f"undo {self.name}", self.undo)] if isinstance(self.undo, Chain) else []
        return [(self.name, self.do), *undo]


@dataclass(frozen=True)
class Plan:
    """The actions of a saga in their order, and its options; times in seconds."""

    acts: tuple[Action, ...]
    retry: tuple[Retry, ...] = ()
    undo_retry: tuple[Retry, ...] = PATIENT
    timeout: float | None = None
    lease: float = 60.0
    remember: float = 604_800.0

    def __post_init__(self) -> None:
        for option in ("timeout", "lease", "remember"):
            value = getattr(self, option)
            if value is not None or option == "lease":
                amount(option, value)
        if not self.acts:
            raise DefinitionError("a saga has no action", hint="give one at least: Act('book', do=..., undo=...)")
        _names_checked([act.name for act in self.acts])
        _undoing_checked(self.acts)

    @property
    def pivot(self) -> int:
        """The number of the action after which nothing is undone any more; the last one, if none is marked."""
        return next((number for number, act in enumerate(self.acts) if act.pivot), len(self.acts) - 1)

    def rules(self, number: int) -> tuple[Retry, ...]:
        """How the action of that number is tried again."""
        own = self.acts[number].retry
        if own is not None:
            return own
        return self.retry if number <= self.pivot else PATIENT


def _names_checked(names: Sequence[object]) -> None:
    for name in names:
        if not isinstance(name, str) or not name:
            raise DefinitionError(f"an action is named {name!r}", hint="its name stands in the journal: write a text")
        if names.count(name) > 1:
            raise DefinitionError(f"two actions are named '{name}'", hint="the journal tells them apart by name")


def _undoing_checked(acts: Sequence[Action]) -> None:
    pivots = [act.name for act in acts if act.pivot]
    if len(pivots) > 1:
        found = f"'{pivots[0]}' and '{pivots[1]}' are both the pivot"
        raise DefinitionError(found, hint="after the first there is no way back: mark one")
    passed = False
    for act in acts:
        if passed and isinstance(act.undo, Chain):
            found = f"the undo of '{act.name}' never runs"
            raise DefinitionError(found, hint=f"after '{pivots[0]}', the pivot, nothing is undone")
        passed = passed or act.pivot
        if act.undo is ... and not passed:
            hint = "give it undo=..., or undo=None if it has no effect that must be undone"
            raise DefinitionError(f"'{act.name}' has no undo", hint=hint)


class SagaRunner:
    """Bound once for each route: runs the sagas of one step."""

    def __init__(self, name: str, body: Any, plan: Plan, proceed: Handler[Any], runtime: Runtime) -> None:
        self._name = name
        self._plan = plan
        self._proceed = proceed
        self._runtime = runtime
        self._claims = Claims(name, plan.lease, runtime, remember=plan.remember, renewed=True)
        self._marks = runtime.store.marks(name)
        self._keeping = Keeping(body, fitting(body))
        bound = [[runtime.bind(chain, finish, label) for label, chain in act.branches()] for act in plan.acts]
        self._do = [do for do, *_ in bound]
        self._undoing = {number: undo for number, (_, *undos) in enumerate(bound) for undo in undos}

    async def run(self, key: str, message: Message[Any]) -> Message[Any] | None:
        """Run the saga of that key from where it stands, and then the rest of the route."""
        forget = partial(self._marks.delete, key)  # only once it is known to be done: a twin would find nothing
        return await self._claims.once(key, lambda: self._run(key, message), after=forget)

    async def _run(self, key: str, message: Message[Any]) -> Message[Any] | None:
        text = await self._marks.get(key)
        saga = _Saga(key, message, Journal.read(text) if text else await self._begun(key, message))
        self._same_plan(saga.journal)
        if saga.journal.failure is not None:
            raise await self._undo(saga, saga.journal.failure.error())
        for number in range(len(saga.journal.done), len(self._plan.acts)):
            await self._act(saga, number)
        return await self._proceed(self._kept(saga, len(self._plan.acts)))

    async def _begun(self, key: str, message: Message[Any]) -> Journal:
        journal = Journal(self._runtime.now(), [self._keeping.text(message)])
        if self._plan.timeout is not None:
            await self._write(key, journal)  # else its time would begin anew after a crash
        return journal

    def _same_plan(self, journal: Journal) -> None:
        """Refuse a saga that was begun with other actions."""
        begun = [*journal.done, *([] if journal.failure is None else [journal.failure.action])]
        names = [act.name for act in self._plan.acts]
        if begun != names[: len(begun)]:
            found = f"saga {self._name} was begun as {', '.join(begun)}, and is {', '.join(names)} now"
            raise Rejected(found, hint="replay the message with the route as it was")

    async def _act(self, saga: "_Saga", number: int) -> None:
        name, journal = self._plan.acts[number].name, saga.journal
        try:
            reply = await self._in_time(saga, number)
            text = journal.kept[-1] if reply is None else self._keeping.text(reply)
        except Exception as error:
            if number > self._plan.pivot:
                error.add_note(f"saga {self._name}: '{name}' is still to be done, and there is no way back")
                raise
            journal.failure = Failure.of(name, error)
            await self._write(saga.key, journal)
            raise await self._undo(saga, error)  # noqa: B904 - it is this error
        journal.done.append(name)
        journal.kept.append(text)
        await self._write(saga.key, journal)

    async def _in_time(self, saga: "_Saga", number: int) -> Message[Any] | None:
        name, rules = self._plan.acts[number].name, self._plan.rules(number)
        if self._plan.timeout is None or number > self._plan.pivot:
            return await self._tried(self._do[number], saga, number, rules)
        left = saga.journal.began + self._plan.timeout - self._runtime.now()
        if left > 0:
            with anyio.CancelScope(deadline=anyio.current_time() + left):
                return await self._tried(self._do[number], saga, number, rules)
        late = f"saga {self._name}: '{name}' was not done {self._plan.timeout:g} s after the beginning"
        raise TimedOut(late)

    async def _undo(self, saga: "_Saga", error: Exception) -> Exception:
        """Undo the actions, the last one first; gives the error when that is finished."""
        journal, failed = saga.journal, len(saga.journal.done)
        left = [number for number in range(failed, -1, -1) if self._to_undo(number, journal)]
        self._tell(saga, error, len(left))
        saga = _Saga(saga.key, saga.message.with_meta(saga.message.meta.with_error(error)), journal)
        while left:
            name = self._plan.acts[left[0]].name
            try:
                await self._tried(self._undoing[left[0]], saga, min(left[0] + 1, failed), self._plan.undo_retry)
            except Exception as worse:
                names = [self._plan.acts[number].name for number in left]
                raise CompensationFailed(self._name, undone=journal.undone, left=names, error=worse) from error
            journal.undone.append(name)
            await self._write(saga.key, journal)
            del left[0]
        await self._marks.delete(saga.key)
        return undone(error, f"saga {self._name}: undone: {', '.join(journal.undone) or 'nothing'}")

    def _to_undo(self, number: int, journal: Journal) -> bool:
        """Whether that action is still to be undone; one that failed may have had its effect nevertheless."""
        act = self._plan.acts[number]
        happened = number < len(journal.done) or act.undo_failed
        return happened and number in self._undoing and act.name not in journal.undone

    async def _tried(
        self, handle: Handler[Any], saga: "_Saga", kept: int, rules: Sequence[Retry]
    ) -> Message[Any] | None:
        """What a branch makes of the message as it was after so many actions; each try gets a new one."""
        try:
            return await handle(self._kept(saga, kept))
        except Exception as error:

            async def again(_: int) -> Message[Any] | None:
                return await handle(self._kept(saga, kept))

            return await retrying(error, again, rules, self._runtime, saga.message)

    def _kept(self, saga: "_Saga", number: int) -> Message[Any]:
        kept = self._keeping.message(saga.journal.kept[number])
        return Message(kept.body, kept.headers, saga.message.id, saga.message.meta)

    async def _write(self, key: str, journal: Journal) -> None:
        await self._claims.still_mine(key)
        await self._marks.put(key, journal.text())

    def _tell(self, saga: "_Saga", error: Exception, left: int) -> None:
        failed = f"'{self._plan.acts[len(saga.journal.done)].name}' failed for message {saga.message.id}"
        text = f"saga {self._name}: {failed}, actions to undo: {left} ({told(error)})"
        self._runtime.emit(Logged(self._runtime.route, "warning", text))


@dataclass(frozen=True, slots=True)
class _Saga:
    """One saga at work."""

    key: str
    message: Message[Any]
    journal: Journal
