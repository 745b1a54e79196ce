"""What `split`, `gather` and `for_each` share: reading the parts of a message and running a handler for each.

Parts are read lazily, by at most `parallel` workers, so memory does not grow with their number. A failing part never
stops the others unless asked, and never vanishes: the parent fails, or the part becomes a dead letter.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar, cast

import anyio
import anyio.lowlevel

from .callables import arity, calling
from .demands import amount, whole
from .errors import DefinitionError, PartsFailed, StoreError, Unavailable, did_you_mean
from .events import Progress
from .fitting import fitting
from .isolation import apart
from .message import Message
from .reading import Items, PartsOf, Sequenced, Source, closing
from .records import Batches, BatchReader, RecordReader, Records
from .remedy import Remedy
from .retrying import attempts_of, remedies_of, retrying
from .route import Retry
from .step import Chain, Handler, Runtime, finish
from .tasks import together

T = TypeVar("T")
P = TypeVar("P")

Giving: TypeAlias = (
    Callable[[T], Iterable[P]]
    | Callable[[T], AsyncIterable[P]]
    | Callable[[T, Message[T]], Iterable[P]]
    | Callable[[T, Message[T]], AsyncIterable[P]]
)
"""A function that gives or yields parts."""

OnError: TypeAlias = Literal["fail", "fail_fast", "dead_letter_items"] | Chain
"""`fail`: all parts run, then the message fails. `fail_fast`: the first failure ends it, parts at work are
cancelled. `dead_letter_items`: each failed part becomes a dead letter of its own and the message succeeds; a branch
made by `dead_letters(...)` does the same and takes the letters. What is `Unavailable` is no part's fault: then the
whole message fails at once, to be tried again."""

_WORDS = ("fail", "fail_fast", "dead_letter_items")

WHOLE = (Unavailable, StoreError)
"""Errors that are no part's fault."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the parts of a message: `total == done + ended + failed`.

    `done` reached the end of the branch, `ended` were ended by a step such as `filter` or `idempotent`, `failed` were
    refused and became dead letters. `seconds` is how long it all took.
    """

    total: int = 0
    done: int = 0
    ended: int = 0
    failed: int = 0
    seconds: float = 0.0


def grouped(parts: Giving[T, P], size: int) -> Callable[[T, Message[T]], AsyncIterable[list[P]]]:
    """The parts that a function gives, in lists of at most `size`: `split(grouped(lambda order: order.lines, 100))`.

    A list is read when it is asked for, and succeeds or fails as one. For records of a codec there is `Batches`.
    """
    whole("the size of a group", size)
    if not callable(parts):
        raise DefinitionError(f"parts are given by a function, found {parts!r}", hint="Batches(...) groups records")
    call = calling(parts)

    async def groups(body: T, message: Message[T]) -> AsyncGenerator[list[P]]:
        async with closing(Items(call(message), message)) as source:
            group: list[P] = []
            while (part := await source.pull()) is not None:
                group.append(part[1])
                if len(group) == size:
                    yield group
                    group = []
            if group:
                yield group

    return groups


@dataclass(frozen=True)
class Splitting:
    """How a message is taken apart and what a failing part means; the options that the three steps share."""

    parts: Any
    parallel: int = 1
    on_error: OnError = "fail"
    max_failed: int | None = None
    max_ratio: float | None = None
    sequence: bool = False
    retry: tuple[Retry, ...] = ()

    def __post_init__(self) -> None:
        whole("parallel", self.parallel)
        if self.max_failed is not None:
            whole("max_failed", self.max_failed, least=0)
        if self.max_ratio is not None:
            amount("max_ratio", self.max_ratio, least=0)
        if isinstance(self.on_error, str) and self.on_error not in _WORDS:
            raise DefinitionError(f"on_error is '{self.on_error}'", hint=did_you_mean(self.on_error, _WORDS))
        if not isinstance(cast("object", self.on_error), str | Chain):
            raise DefinitionError(f"on_error is {self.on_error!r}", hint="write a word, or dead_letters(lambda ...)")
        if callable(self.parts):
            arity(self.parts)
        elif not isinstance(self.parts, PartsOf):
            hint = "write a function of the body, or Records(...)"
            raise DefinitionError(f"parts are given by a function, found {self.parts!r}", hint=hint)

    @property
    def label(self) -> str:
        """The options that were changed, in one line."""
        options = [f"parallel={self.parallel}"] if self.parallel > 1 else []
        if isinstance(self.on_error, str) and self.on_error != "fail":
            options.append(f"on_error={self.on_error}")
        return ", ".join(options)

    def branches(self) -> list[tuple[str, Chain]]:
        """The branch of the dead letters, if there is one."""
        return [("dead letters", self.on_error)] if isinstance(self.on_error, Chain) else []

    @property
    def settles(self) -> bool:
        """Whether failed parts become dead letters, and the message succeeds without them."""
        return self.on_error == "dead_letter_items" or isinstance(self.on_error, Chain)

    def remedies(self, kind: type[Exception], scope: str) -> Sequence[Remedy]:
        """What is done about an error of that class in a part."""
        tries = remedies_of(self.retry, kind, scope)
        if not self.settles or issubclass(kind, WHOLE):
            return tries
        to = "goes into the branch of dead letters" if isinstance(self.on_error, Chain) else "becomes a dead letter"
        return [*tries, Remedy("rescue", scope, f"the part {to}, the others go on")]


@dataclass(slots=True)
class _Run:
    """One message being taken apart."""

    total: int = 0
    done: int = 0
    ended: int = 0
    failed: int = 0
    failures: list[tuple[str, Exception]] = field(default_factory=list[tuple[str, Exception]])


Collect = Callable[[int, Message[Any]], None]


class PartRunner:
    """Bound once for each route: runs `handle` for every part of a message."""

    def __init__(self, splitting: Splitting, handle: Handler[Any], runtime: Runtime, *, timed: bool = False) -> None:
        self._timed = timed
        self._how = splitting
        self._handle = _patient(handle, splitting.retry, runtime) if splitting.retry else handle
        self._runtime = runtime
        self._open = _opening(splitting.parts, runtime)
        channel = splitting.on_error
        self._channel = runtime.bind(channel, finish, "dead_letters") if isinstance(channel, Chain) else None
        self._entry = runtime.entry(_entering(splitting.parts, handle))
        self._gives_up = splitting.settles

    async def run(self, message: Message[Any], collect: Collect | None = None) -> Tally:
        """Run all parts; `collect(index, reply)` is called for each that reached the end. Raises as `OnError` says.

        Only a runner that is `timed` tells the seconds.
        """
        started = anyio.current_time()
        run = _Run()
        source = self._open(message)
        async with closing(Sequenced(source) if self._how.sequence else source) as parts:
            meter = _Meter(self._runtime, message, started)
            if self._how.parallel == 1:
                await self._work(parts, run, meter, collect)
            else:
                async with together() as workers:
                    for _ in range(self._how.parallel):
                        workers.start_soon(self._work, parts, run, meter, collect)
            meter.finish(run.total)
        if run.failed and (not self._gives_up or self._too_great_a_share(run)):
            raise _failure(run)
        seconds = anyio.current_time() - started if self._timed else 0.0
        return Tally(run.total, run.done, run.ended, run.failed, seconds)

    async def _work(self, parts: Source, run: _Run, meter: "_Meter", collect: Collect | None) -> None:
        handle, fresh = self._handle, parts.fresh or bool(self._how.retry)
        while (part := await parts.pull()) is not None:
            index = run.total
            run.total += 1
            message, original, error = part
            try:
                if error is not None:
                    raise error  # noqa: TRY301 - it goes the way of every other failure
                reply = await handle(message if fresh else apart(message))
            except Exception as failure:
                await self._failed(message.with_body(original), failure, run)
            else:
                if reply is None:
                    run.ended += 1
                else:
                    run.done += 1
                    if collect is not None:
                        collect(index, reply)
            if run.total % 64 == 0:
                await meter.tick(run.total)

    async def _failed(self, part: Message[Any], error: Exception, run: _Run) -> None:
        run.failed += 1
        if self._how.on_error == "fail_fast" or (self._gives_up and isinstance(error, WHOLE)):
            raise error
        if len(run.failures) < PartsFailed.KEPT:
            run.failures.append((part.id, error))
        if self._gives_up:
            if self._how.retry:
                part = part.with_meta(part.meta.changed(attempt=attempts_of(error)))
            await self._runtime.give_up(part, error, self._channel, entry=self._entry)
            if self._too_many(run):
                raise _failure(run)

    def _too_many(self, run: _Run) -> bool:
        return self._how.max_failed is not None and run.failed > self._how.max_failed

    def _too_great_a_share(self, run: _Run) -> bool:
        """Judged at the end: before that, one failure among the first parts would be a great share."""
        return self._how.max_ratio is not None and run.failed > self._how.max_ratio * run.total


def _failure(run: _Run) -> Exception:
    return PartsFailed(run.failures, failed=run.failed, total=run.total).behind(run.failures[0][1])


def _patient(handle: Handler[Any], rules: Sequence[Retry], runtime: Runtime) -> Handler[Any]:
    """The same with retries; each try gets the part as it was read."""
    marking = runtime.marking()

    async def patient(part: Message[Any]) -> Message[Any] | None:
        back = None if marking is None else marking(part.id)

        async def again(_: int) -> Message[Any] | None:
            if back is not None:
                back()
            return await handle(apart(part))

        try:
            return await handle(apart(part))
        except Exception as error:
            return await retrying(error, again, rules, runtime, part)

    return patient


class _Meter:
    """Tells of progress at most twice a second, and lets other routes run while parts never wait."""

    def __init__(self, runtime: Runtime, message: Message[Any], started: float) -> None:
        self._runtime = runtime
        self._name = str(message.headers.get("file.name", message.id))
        self._told = started
        self._telling = False

    async def tick(self, count: int) -> None:
        now = anyio.current_time()
        if now - self._told >= 0.5:
            self._told = now
            self._telling = True
            self._runtime.emit(Progress(self._runtime.route, self._name, count, None, "parts"))
        await anyio.lowlevel.checkpoint()

    def finish(self, count: int) -> None:
        if self._telling:
            self._runtime.emit(Progress(self._runtime.route, self._name, count, count, "parts", finished=True))


def _entering(parts: Any, handle: Handler[Any]) -> Handler[Any]:
    """The handler for a part that comes back as it was read: records are checked into their type again."""
    if not isinstance(parts, Records | Batches):
        return handle
    fit = fitting(cast("Records[Any]", parts).type)
    if isinstance(parts, Records):
        return lambda message: handle(message.with_body(fit(message.body)))

    def enter(message: Message[Any]) -> Awaitable[Message[Any] | None]:
        together = "row.last" in message.headers  # else one record that was refused before it was in a list
        return handle(message.with_body([fit(one) for one in (message.body if together else [message.body])]))

    return enter


def _opening(parts: Any, runtime: Runtime) -> Callable[[Message[Any]], Source]:
    """How the parts of a message are read; raises DefinitionError for a codec or function that cannot work."""
    if not isinstance(parts, Records | Batches):
        call = calling(parts)
        return lambda message: Items(call(message), message)
    records = cast("Records[Any] | Batches[Any]", parts)
    codec = None if records.codec is None else runtime.codec(records.codec)
    fit = fitting(records.type)
    if isinstance(records, Records):
        return lambda message: RecordReader(message, codec, fit, runtime)
    size = records.size
    return lambda message: BatchReader(RecordReader(message, codec, fit, runtime), message, size)
