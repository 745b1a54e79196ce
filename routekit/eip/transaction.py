"""Transactional Client: what a branch does to a database, and what it sends elsewhere, is committed as one."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..callables import Calling, called, calling, name_of
from ..conduct import Conduct
from ..demands import whole
from ..errors import DefinitionError, Rejected
from ..keeping import name_checked
from ..keys import key_text
from ..message import Message
from ..route import Retry
from ..shipping import PATIENT, Shipper, text_of
from ..step import Chain, Handler, Joining, Reply, Runtime, Send, Step, Target, finish
from ..transactions import Outgoing

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Transaction(Step[T, U]):
    """EIP "Transactional Client", with an inbox and an outbox.

    What the branch sends to the database of `place` is gathered and committed in one transaction once the branch has
    returned, together with a mark of the message's id (or of `key`), and with all that it sends elsewhere: that is
    put into an outbox, and sent by a job of the route. A message that comes again changes nothing and goes on. If the
    branch fails nothing was done. What follows runs after the commit.
    """

    place: Target
    body: Chain
    name: str
    key: Callable[..., Any] | None = None
    order_by: Callable[..., Any] | None = None
    retry: tuple[Retry, ...] = PATIENT
    workers: int = 8
    most: int = 1000
    recorded = False

    def __post_init__(self) -> None:
        name_checked(self.name, "transaction")
        whole(f"transaction '{self.name}': workers", self.workers)
        whole(f"transaction '{self.name}': most", self.most)

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        joining = runtime.transactions(self.place, self.name)
        shipper = Shipper(self.name, joining, runtime, self.retry, self.workers)
        order = None if self.order_by is None else calling(self.order_by)
        sending = _Sending(self, joining, shipper, runtime, order)
        inside = runtime.bind(self.body, finish, "transaction", sends=sending.to)
        key_of = None if self.key is None else calling(self.key)

        async def handle(message: Message[T]) -> Message[Any] | None:
            unit = _Unit(sending, self.most)
            token = _current.set(unit)
            try:
                reply = await inside(message)
            finally:
                _current.reset(token)
            known_as = message.id if key_of is None else key_text(await called(key_of, message), self.key or key_of)
            await sending.commit(known_as, unit)
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        return handle

    def behaves(self) -> Conduct:
        return Conduct(commits=self.place, knows="" if self.key is None else name_of(self.key))

    @property
    def label(self) -> str:
        return f"transaction({self.name}, {self.place})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("transaction", self.body),)

    def waits_for(self) -> Mapping[str, Reply]:
        return {"transaction": "passed"}

    def state(self) -> str | None:
        return f"{self.name} in {self.place}"

    def problems(self, runtime: Runtime) -> Iterable[Exception]:
        if not self.body.steps:
            yield DefinitionError(
                "the body of this transaction is empty", hint="give it the sends that belong together"
            )
        for step in _inside(self.body):
            why = _unfit(step)
            if why:
                hint = "put it before or behind the transaction, or around it"
                yield DefinitionError(f"{step.label} cannot be in a transaction: {why}", hint=hint)


@dataclass(eq=False)
class _Unit:
    """What one message does in the transaction."""

    of: "_Sending"
    most: int
    effects: list[Any] = field(default_factory=list[Any])
    outgoing: list[Outgoing] = field(default_factory=list[Outgoing])

    def room(self) -> None:
        """Raise Rejected for a message that wants to do too much at once."""
        if len(self.effects) + len(self.outgoing) >= self.most:
            reason = f"more than {self.most} sends in one transaction"
            raise Rejected(reason, hint="split the message before the transaction, or raise `most`")


_current: ContextVar[_Unit | None] = ContextVar("routekit_transaction", default=None)


class _Sending:
    """How the steps inside send: into the unit of the message that is being handled."""

    def __init__(
        self, step: Transaction[Any, Any], joining: Joining, shipper: Shipper, runtime: Runtime, order: Calling | None
    ) -> None:
        self._step = step
        self._joining = joining
        self._shipper = shipper
        self._runtime = runtime
        self._order = order

    def to(self, target: Target) -> Send:
        """The send function for a target: what joins is an effect, the others wait in the outbox."""
        return self._joined(target) if self._joining.joins(target) else self._elsewhere(target)

    async def commit(self, id: str, unit: _Unit) -> None:
        """Commit it; what it has put into the outbox goes out at once."""
        if await self._joining.opened.commit(id, unit.effects, unit.outgoing) and unit.outgoing:
            self._shipper.wake()

    def _joined(self, target: Target) -> Send:
        effect_of = self._joining.effects(target)

        async def send(message: Message[Any]) -> None:
            self._unit().effects.append(await effect_of(message))

        return send

    def _elsewhere(self, target: Target) -> Send:
        way = self._shipper.way(str(target), self._runtime.sender(target), self._runtime.entry)
        order, step, now = self._order, self._step, self._runtime.now

        async def send(message: Message[Any]) -> None:
            unit = self._unit()
            lane = "" if order is None else key_text(await called(order, message), step.order_by or order)
            unit.outgoing.append(Outgoing(0, message.id, way, lane, text_of(message), now()))

        return send

    def _unit(self) -> _Unit:
        """The unit of the message that is being handled."""
        unit = _current.get()
        if unit is None or unit.of is not self:
            found = f"transaction '{self._step.name}': something is sent outside of it"
            raise DefinitionError(found, hint="a step inside must send while it handles the message")
        unit.room()
        return unit


def _inside(chain: Chain) -> Iterator[Step[Any, Any]]:
    for step in chain.steps:
        yield step
        for _, branch in step.branches():
            yield from _inside(branch)


def _sends(chain: Chain) -> bool:
    return any(step.targets() for step in _inside(chain))


def _unfit(step: Step[Any, Any]) -> str:
    """Why a step cannot be in a transaction; empty if it can."""
    if isinstance(step, Transaction):
        return "it is one itself"
    if step.keeps:
        return "it keeps messages, and they go on after the commit"
    if step.onward == "done":
        return "it notes messages as done before they are committed"
    if step.settles:
        return "what a part has sent before it failed would be committed all the same"
    for label, chain in step.branches():
        if _sends(chain) and any(step.remedies(kind, label) for kind in (Exception, *step.classes())):
            return f"what '{label}' has sent before it failed would be committed all the same"
    return ""
