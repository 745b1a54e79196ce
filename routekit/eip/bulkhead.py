"""Bulkhead: a branch that so many messages may be in at once, so that a slow system does not take all slots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from ..conduct import PLAIN
from ..demands import amount, whole
from ..errors import BulkheadFull, DefinitionError
from ..keeping import name_checked
from ..limits import Gate
from ..message import Message
from ..step import Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Bulkhead(Step[T, U]):
    """Steps of one name share one bulkhead, in all routes of a service. What follows the branch is not part of it."""

    conduct = PLAIN

    raises = (BulkheadFull,)

    body: Chain
    name: str
    concurrent: int = 25
    waiting: int = 0
    wait: float | None = None

    def __post_init__(self) -> None:
        name_checked(self.name, "bulkhead")
        whole("concurrent", self.concurrent)
        whole("waiting", self.waiting, least=0)
        if self.wait is not None:
            amount("wait", self.wait)
            if not self.waiting:
                raise DefinitionError(f"wait is {self.wait} seconds", hint="waiting= says how many may wait")

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        gate = runtime.named(_gate, self.name, self.concurrent)
        body = runtime.bind(self.body, finish, "bulkhead")

        async def handle(message: Message[T]) -> Message[Any] | None:
            if not gate.at_once():
                await self._queue(gate, message)
            try:
                reply = await body(message)
            finally:
                gate.leave()
            return None if reply is None else await proceed(reply.with_meta(message.meta))

        return handle

    async def _queue(self, gate: Gate, message: Message[T]) -> None:
        """Wait to be let in."""
        full = f"bulkhead '{self.name}' is full, with {self.concurrent} inside"
        if gate.waiting >= self.waiting:
            raise BulkheadFull(f"{full} and {gate.waiting} waiting" if self.waiting else full)
        if self.wait is None:
            await gate.in_turn(deadline=message.meta.deadline)
            return
        with anyio.move_on_after(self.wait):
            await gate.in_turn(deadline=message.meta.deadline)
            return
        raise BulkheadFull(f"{full}: none came out within {self.wait:g} s")

    @property
    def label(self) -> str:
        return f"bulkhead({self.name}, {self.concurrent} at once)"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("bulkhead", self.body),)

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "passed" for label, _ in self.branches()}


def _gate(name: str, concurrent: int) -> Gate:
    return Gate(concurrent)
