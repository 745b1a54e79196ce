"""Aggregator: messages that belong together go on as one list, when their group is complete."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import anyio

from ..callables import Coro, arity, called, calling, name_of
from ..conduct import Conduct
from ..demands import amount, one_of, whole
from ..errors import BodyError, DefinitionError
from ..fitting import fitting
from ..grouping import Grouping, Late, Rules, many
from ..keeping import Keeping, name_and_body_checked
from ..keys import key_text
from ..message import Message
from ..passage import Passage
from ..step import Handler, Onward, Runtime, Step
from ..store import Group

T = TypeVar("T")

_Releases: TypeAlias = Sequence[anyio.Event | None]
"""The ends of the groups that a message has completed."""


@dataclass(frozen=True, kw_only=True)
class Aggregate(Step[T, list[T]]):
    """EIP "Aggregator". At least one option says when a group is complete; the first one that holds counts."""

    keeps = True
    name: str
    body: Any
    key: Callable[..., Any]
    size: int | Callable[..., Any] | None = None
    timeout: float | Callable[..., Any] | None = None
    every: float | None = None
    when: Callable[[Sequence[Any]], object] | None = None
    last: Callable[..., Any] | None = None
    before: Callable[[Sequence[Any], Any], object] | None = None
    flush: Callable[..., Any] | None = None
    one_key: bool = False
    late: Late = "new"
    remember: float = 3600.0
    no_key: Literal["refuse", "drop"] = "refuse"
    most: int = 10_000
    at_stop: Literal["keep", "release"] = "keep"
    parallel: int = 1

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "aggregate")
        ends = (self.size, self.timeout, self.every, self.when, self.last, self.before, self.flush)
        if all(end is None for end in ends) and not self.one_key:
            hint = "give size, timeout, every, when, last, before, flush or one_key"
            raise DefinitionError(f"aggregate '{self.name}': no group would ever be complete", hint=hint)
        self._numbers_checked()
        for option in ("when", "before", "last", "flush"):
            self._function_checked(option, getattr(self, option))

    def _numbers_checked(self) -> None:
        of = f"aggregate '{self.name}':"
        if self.size is not None and not callable(self.size):
            whole(f"{of} size", self.size)
        for option in ("timeout", "every"):
            value = getattr(self, option)
            if value is not None and not (callable(value) and option == "timeout"):
                amount(f"{of} {option}", value)
        amount(f"{of} remember", self.remember, least=0)
        whole(f"{of} most", self.most)
        whole(f"{of} parallel", self.parallel)
        one_of(f"{of} late", self.late, ("new", "refuse", "drop"))
        one_of(f"{of} no_key", self.no_key, ("refuse", "drop"))
        one_of(f"{of} at_stop", self.at_stop, ("keep", "release"))

    def _function_checked(self, option: str, function: object) -> None:
        wanted = {"when": (1, "(bodies)"), "before": (2, "(bodies, body)")}.get(option)
        if function is None:
            return
        if not callable(function):
            hint = f"write a function of {wanted[1] if wanted else 'the body'}"
            raise DefinitionError(f"aggregate '{self.name}': {option} is {function!r}", hint=hint)
        if wanted is not None and arity(function) != wanted[0]:
            found = f"aggregate '{self.name}': {option} is {name_of(function)}"
            raise DefinitionError(found, hint=f"write a function of {wanted[1]}")

    def bind(self, proceed: Handler[list[T]], runtime: Runtime) -> Handler[T]:
        keeping = Keeping(self.body, fitting(self.body))
        timeout = None if self.timeout is None else _number(self.timeout, "timeout")

        async def wait(message: Message[Any], group: Group) -> float | None:
            return None if timeout is None else await timeout(message)

        rules = Rules(
            wait=None if timeout is None else wait,
            every=self.every,
            remember=self.remember,
            late=self.late,
            most=self.most,
            at_stop=self.at_stop,
            parallel=self.parallel,
        )
        return _Aggregating(self, Grouping(self.name, keeping, many(proceed, keeping), rules, runtime)).handle

    def behaves(self) -> Conduct:
        wholes = self.parallel == 1
        drops = ["those that are late"] if self.late == "drop" else []
        drops += ["those without a key"] if self.no_key == "drop" else []
        return Conduct(
            order="per key" if wholes else "no",
            key=self.key if wholes else None,
            drops=" and ".join(drops),
            anew="its groups",
        )

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.key,)

    def explained(self, passage: Passage) -> str:
        return "" if passage.error else "its group is complete" if passage.on else "kept in its group"

    @property
    def label(self) -> str:
        return f"aggregate({self.name} by {name_of(self.key)})"

    @property
    def onward(self) -> Onward:
        return "later"

    def state(self) -> str | None:
        return self.name


class _Aggregating:
    """The handling of one aggregate: which group a message belongs to, and whether that is complete."""

    def __init__(self, step: Aggregate[Any], grouping: Grouping) -> None:
        self._step = step
        self._grouping = grouping
        self._key = calling(step.key)
        self._size = None if step.size is None else _number(step.size, "size")
        self._timeout = None if step.timeout is None else _number(step.timeout, "timeout")
        self._last = None if step.last is None else calling(step.last)
        self._flush = None if step.flush is None else calling(step.flush)
        self._looks = step.when is not None or step.before is not None
        self._locks: dict[str, _Lock] = {}

    async def handle(self, message: Message[Any]) -> None:
        """Keep a message; when its group is complete, return when that is done."""
        step, grouping = self._step, self._grouping
        if self._flush is not None and await called(self._flush, message):
            await grouping.flush()
            return
        key = await called(self._key, message)
        if step.no_key == "drop" and key in (None, ""):
            return
        text = key_text(key, step.key)
        if step.one_key:
            for number in grouping.others(text):
                await grouping.release(number, "new key")
        for released in await (self._looked(text, message) if self._looks else self._counted(text, message)):
            if released is not None:
                await released.wait()

    async def _counted(self, key: str, message: Message[Any]) -> _Releases:
        last = self._last is not None and await called(self._last, message)
        size = None if self._size is None else int(await self._size(message))
        wait = None if self._timeout is None else await self._timeout(message)
        group = await self._grouping.keep(key, message, full=1 if last else size, wait=wait)
        if group is None or not (group.closed or last or (size is not None and group.size >= size)):
            return ()
        return (await self._grouping.close(group.number, "last" if last else "size", full=group.closed),)

    async def _looked(self, key: str, message: Message[Any]) -> _Releases:
        """As `_counted`, where a predicate looks at the group: one message of a key after the other."""
        lock = self._locks.setdefault(key, _Lock())
        lock.users += 1
        try:
            async with lock.lock:
                before = await self._closed_before(key, message)
                return before, await self._closed_by(key, message)
        finally:
            lock.users -= 1
            if not lock.users:
                del self._locks[key]

    async def _closed_before(self, key: str, message: Message[Any]) -> anyio.Event | None:
        before, number = self._step.before, self._grouping.number_of(key)
        if before is None or number is None:
            return None
        if not await _awaited(before(await self._grouping.bodies(number), message.body)):
            return None
        return await self._grouping.close(number, "before")

    async def _closed_by(self, key: str, message: Message[Any]) -> anyio.Event | None:
        """Judge the group as it will be and then keep the message: one that cannot be judged is not kept."""
        grouping, number = self._grouping, self._grouping.number_of(key)
        there = () if number is None else await grouping.bodies(number)
        by = await self._why([*there, message.body], message)
        wait = None if self._timeout is None else await self._timeout(message)
        group = await grouping.keep(key, message, wait=wait)
        if group is None:
            return None
        bodies = await grouping.bodies(group.number, size=group.size, last=message.body)
        if number not in (None, group.number) or len(bodies) != len(there) + 1:  # it is another group than was judged
            by = await self._why(bodies, message)
        return None if by is None else await grouping.close(group.number, by)

    async def _why(self, bodies: Sequence[Any], message: Message[Any]) -> str | None:
        if self._last is not None and await called(self._last, message):
            return "last"
        if self._size is not None and len(bodies) >= await self._size(message):
            return "size"
        return "when" if self._step.when is not None and await _awaited(self._step.when(bodies)) else None


async def _awaited(result: Any) -> Any:
    return await result if type(result) is Coro else result


class _Lock:
    """A lock for the messages of one key, forgotten with the last of them."""

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        self.users = 0


def _number(value: Any, option: str) -> Callable[[Message[Any]], Any]:
    """A number, or what a function makes of a message; raises BodyError if that is none above 0."""
    call = calling(value) if callable(value) else None

    async def number(message: Message[Any]) -> Any:
        made = value if call is None else await called(call, message)
        if not isinstance(made, int | float) or not made > 0:
            raise BodyError(f"{option} is {made!r}", hint="it must be a number above 0")
        return made

    return number
