"""Shipping: what a transaction has put into its outbox is sent by the route, in order, and forgotten once confirmed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

import anyio
from pydantic_core import PydanticSerializationError, from_json, to_json

from .discretion import concerns, said
from .errors import BodyError, Unavailable
from .events import Logged, Retrying
from .fitting import fitting
from .letter import kind_named, kind_of, packed, unpacked
from .message import Message, Meta
from .retrying import counted
from .route import Retry, again
from .step import Handler, Joining, Runtime, Send
from .tasks import together
from .transactions import Outgoing, Transactions

PATIENT = (Retry(10), Retry(2**31, on=Unavailable))
"""What cannot be sent is given up after ten retries; as long as the other side is away it waits."""

_KEY = "ship"  # of the one timer of a shipper
_AGAIN = Retry(0, first=0.5, most=30.0)  # for a database that is away
_LOOK = 5.0  # seconds between two looks at how much waits, while there is something to ship


def _service(what: str) -> str:
    """A name that no other service has: a store in memory knows of none."""
    return f"{what} {uuid4().hex}"


Lane: TypeAlias = tuple[str, str]
"""Where to, and by which key: what is in one lane is sent in order."""


def text_of(message: Message[Any]) -> str:
    """A message as an outbox keeps it; raises BodyError for a body that would not come back as it is."""
    body, kind = message.body, kind_of(message.body)
    hint = "serialize it before, as in .serialize('json').to(...), or parse it into a model"
    try:
        headers = {name: packed(value) for name, value in message.headers.items()}
        text = to_json([packed(body), headers, kind], inf_nan_mode="strings").decode()
        same = _body_of(text) == body
    except (BodyError, PydanticSerializationError, ValueError, RecursionError) as error:
        raise BodyError(f"a body of type {type(body).__name__} cannot be put aside: {error}", hint=hint) from None
    if not same:
        raise BodyError(f"a body of type {type(body).__name__} would not come back as it is", hint=hint)
    return text


def message_of(outgoing: Outgoing, route: str) -> Message[Any]:
    """The message that an outbox has kept."""
    headers = {name: unpacked(value) for name, value in from_json(outgoing.message)[1].items()}
    return Message(_body_of(outgoing.message), headers, outgoing.id, Meta(route=route))


def _body_of(text: str) -> Any:
    body, _, kind = from_json(text)
    known = kind_named(kind) if kind else None
    if kind and known is None:
        raise BodyError(f"there is no class {kind} any more", hint="its module must be loaded, and the class on top")
    return unpacked(body) if known is None else fitting(known)(unpacked(body))


@dataclass(frozen=True)
class _Way:
    """How messages to one target are sent, and the entry at which their letters are replayed."""

    send: Send
    entry: int


@dataclass
class _Block:
    """What holds up a lane: its first message, how often it was tried, and when it is tried again."""

    number: int
    tried: int
    due: float


class Shipper:
    """Sends what is in the outbox of one word `transaction`, in a job of its route.

    What was confirmed is forgotten only then, so after a crash in between it is sent again. What cannot be sent holds
    up its lane alone, is tried again by the rules of `retry`, and becomes a dead letter when they allow no more.
    """

    def __init__(self, name: str, joining: Joining, runtime: Runtime, retry: Sequence[Retry], workers: int) -> None:
        self._name = name
        self._joining = joining
        self._runtime = runtime
        self._retry = retry
        self._workers = workers
        service = runtime.named(_service, "shipping")
        self._owner = f"{runtime.store.owner if runtime.store.durable else service}/{runtime.route}"
        self._ways: dict[str, _Way] = {}
        self._blocks: dict[Lane, _Block] = {}
        self._strange: set[str] = set()
        self._failures = 0
        self._running = self._again = self._closed = False
        self._ended = anyio.Event()
        self._looked = float("-inf")
        self._count, self._since = 0, None
        self._sent = self._failed = self._dead = 0
        self._alarms = runtime.alarms(self._ring, load=self._run)
        runtime.spawn(self._listen)
        runtime.closing(self._close)

    def way(self, name: str, send: Send, entry: Callable[[Handler[Any]], int]) -> str:
        """The name by which messages for this sender are kept; one that is taken gets a number."""
        number, free = 1, name
        while free in self._ways:
            number += 1
            free = f"{name}#{number}"
        self._ways[free] = _Way(send, entry(send))
        return free

    def wake(self) -> None:
        """There is something new in the outbox."""
        self._again = True
        if not (self._running or self._closed):
            self._alarms.set(_KEY, self._runtime.now())

    def uri(self) -> str:
        """Under which name its figures are shown."""
        return f"outbox:{self._name}"

    def _figures(self) -> dict[str, Callable[[], float]]:
        return {
            "waiting": lambda: self._count,
            "oldest_seconds": lambda: 0.0 if self._since is None else self._runtime.now() - self._since,
            "blocked_lanes": lambda: len(self._blocks),
            "sent_total": lambda: self._sent,
            "failed_total": lambda: self._failed,
            "dead_total": lambda: self._dead,
        }

    @property
    def _transactions(self) -> Transactions:
        return self._joining.opened

    async def _listen(self) -> None:
        """Look again whenever another process may have put something in, or may have died."""
        with self._runtime.metered(self, self._figures()):
            while True:
                try:
                    await self._transactions.news()
                except Unavailable:
                    await anyio.sleep(_AGAIN.longest(1))
                self.wake()

    async def _ring(self, _: str) -> None:
        if not (self._running or self._closed):
            await self._run()

    async def _run(self) -> None:
        """Ship until nothing is left but what has to wait."""
        self._running = True
        try:
            self._again = True
            while self._again:
                self._again = False
                await self._round()
            self._failures = 0
        except Unavailable as error:
            self._failures += 1
            wait = _AGAIN.wait(self._failures, self._runtime.random)
            self._runtime.emit(Logged(self._runtime.route, "warning", f"the outbox cannot be read: {said(error)}"))
            self._alarms.set(_KEY, self._runtime.now() + wait)
        finally:
            self._running = False
            self._ended.set()
            self._ended = anyio.Event()

    async def _round(self) -> None:
        """Once through the outbox, from its oldest message on."""
        after, held = 0, set[Lane]()
        while page := await self._transactions.take(owner=self._owner, after=after):
            after = page[-1].number
            await self._ship(page, held)
            await self._look()
        if held and page is not None:
            await self._look(now=True)
        else:  # nothing is left, or another process ships
            self._count, self._since = 0, None
        self._blocks = {lane: block for lane, block in self._blocks.items() if lane in held}
        if self._blocks:
            self._alarms.set(_KEY, min(block.due for block in self._blocks.values()))

    async def _ship(self, page: Sequence[Outgoing], held: set[Lane]) -> None:
        """Send what is not held up; forget what was confirmed, also if the rest is cut off."""
        lanes: dict[Lane, list[Outgoing]] = {}
        for one in page:
            lane = (one.to, one.lane)
            if lane not in held and not self._waits(lane, one, held):
                lanes.setdefault(lane, []).append(one)
        done: list[int] = []
        waiting = iter(lanes.items())

        async def work() -> None:
            for lane, parcels in waiting:
                await self._send(lane, parcels, held, done)

        try:
            if len(lanes) == 1:
                await work()
            else:
                async with together() as tasks:
                    for _ in range(min(self._workers, len(lanes))):
                        tasks.start_soon(work)
        finally:
            if done:
                with anyio.CancelScope(shield=True):
                    await self._transactions.sent(done)

    def _waits(self, lane: Lane, one: Outgoing, held: set[Lane]) -> bool:
        """Whether a lane is held up by this message, the first of it in this round."""
        block = self._blocks.get(lane)
        if one.to not in self._ways:
            self._unknown(one)
        elif block is None or block.number != one.number or block.due <= self._runtime.now():
            return False
        held.add(lane)
        return True

    def _unknown(self, one: Outgoing) -> None:
        """What was put in for a target that the route has no more stays, until it has it again."""
        if one.to not in self._strange:
            self._strange.add(one.to)
            text = f"the outbox has messages for '{one.to}', to which this transaction does not send any more"
            self._runtime.emit(Logged(self._runtime.route, "warning", text))

    async def _send(self, lane: Lane, parcels: Sequence[Outgoing], held: set[Lane], done: list[int]) -> None:
        """Send the messages of one lane until one fails; those that need not be kept any more are noted in `done`."""
        for one in parcels:
            try:
                await self._ways[one.to].send(message_of(one, self._runtime.route))
            except Exception as error:
                if not await self._given_up(lane, one, error):
                    held.add(lane)
                    return
            else:
                self._sent += 1
            self._blocks.pop(lane, None)
            done.append(one.number)

    async def _given_up(self, lane: Lane, one: Outgoing, error: Exception) -> bool:
        """Whether a message that failed is a dead letter now; else it is tried again after a while."""
        concerns(error, Message(one.message, {}, one.id))
        block = self._blocks.get(lane)
        tried = 1 if block is None or block.number != one.number else block.tried + 1
        self._failed += 1
        rule = again(self._retry, error, tried)
        if rule is None:
            if await self._letter(one, counted(error, tried), tried):
                self._dead += 1
                return True
            rule = _AGAIN
        wait = rule.wait(tried, self._runtime.random)
        self._blocks[lane] = _Block(one.number, tried, self._runtime.now() + wait)
        self._runtime.emit(Retrying(self._runtime.route, one.id, tried, wait, error))
        return False

    async def _letter(self, one: Outgoing, error: Exception, tried: int) -> bool:
        """Whether the letter could be kept; if not, the message stays where it is."""
        try:
            message = message_of(one, self._runtime.route)
        except BodyError:  # it cannot even be read: the letter has it as it is
            message = Message[Any](one.message, {}, one.id)
        meta = Meta(route=self._runtime.route, attempt=tried)
        try:
            await self._runtime.give_up(message.with_meta(meta), error, entry=self._ways[one.to].entry)
        except Exception as worse:
            text = f"the dead letter of message {one.id} could not be kept: {said(worse)}"
            self._runtime.emit(Logged(self._runtime.route, "error", text))
            return False
        return True

    async def _look(self, *, now: bool = False) -> None:
        """Ask how much waits, now and then."""
        if now or anyio.current_time() - self._looked >= _LOOK:
            self._looked = anyio.current_time()
            self._count, self._since = await self._transactions.waiting()

    async def _close(self) -> None:
        """Ship what the last messages have put in; what fails even now is left for the next start."""
        self._closed = True
        while self._running:
            await self._ended.wait()
        for block in self._blocks.values():
            block.due = self._runtime.now()
        await self._run()
        try:
            await self._transactions.leave(owner=self._owner)
        except Unavailable:
            return  # the lease runs out by itself
