"""Routing Slip: a message goes through the stops that a function lists for it, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..branching import checked, names_of
from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..demands import whole
from ..message import Message
from ..passage import Passage
from ..step import Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")


@dataclass(frozen=True)
class RoutingSlip(Step[T, T]):
    """EIP "Routing Slip".

    The slip is asked for once. Each stop gets what the one before it gave; one that ends the message ends it here.
    Data only picks among the stops that the author has declared, and `most` bounds how many it may list.
    """

    conduct = PLAIN

    slip: Callable[..., Any]
    stops: Mapping[str, Chain]
    most: int = 100
    word = "routing_slip"
    leads = "back"

    def __post_init__(self) -> None:
        checked(self.stops)
        whole("most", self.most)

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        slip, stops = calling(self.slip), {name: runtime.bind(stop, finish, name) for name, stop in self.stops.items()}

        async def handle(message: Message[T]) -> Message[Any] | None:
            names = names_of(await called(slip, message), stops, self.most)
            reply: Message[Any] | None = message
            for name in names:
                reply = await stops[name](reply)
                if reply is None:
                    return None
            return await proceed(reply)

        return handle

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.slip,)

    def explained(self, passage: Passage) -> str:
        return ", ".join(passage.branches) or ("" if passage.error else "none")

    @property
    def label(self) -> str:
        return f"routing_slip({name_of(self.slip)})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return tuple(self.stops.items())

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "used" for label, _ in self.branches()}
