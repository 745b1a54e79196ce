"""Dynamic Router: a function is asked before each hop where the message goes next, until it says nowhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio.lowlevel

from ..branching import branch_of, checked
from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..demands import whole
from ..errors import Rejected
from ..message import Message
from ..passage import Passage
from ..step import Chain, Handler, Reply, Runtime, Step, finish

T = TypeVar("T")


@dataclass(frozen=True)
class DynamicRouter(Step[T, T]):
    """EIP "Dynamic Router".

    The function sees the message as the last stop left it. A stop that ends the message ends it here. More than `most`
    hops reject the message: a router that never gives None would keep it for ever.
    """

    conduct = PLAIN

    next_stop: Callable[..., Any]
    stops: Mapping[str, Chain]
    most: int = 100
    word = "dynamic_router"
    leads = "back"

    def __post_init__(self) -> None:
        checked(self.stops)
        whole("most", self.most)

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        following = calling(self.next_stop)
        stops = {name: runtime.bind(stop, finish, name) for name, stop in self.stops.items()}

        async def handle(message: Message[T]) -> Message[Any] | None:
            reply, hops = message, 0
            while (name := await called(following, reply)) is not None:
                stop = branch_of(stops, name)
                hops += 1
                if hops > self.most:
                    raise self._endless(name)
                last = await stop(reply)
                if last is None:
                    return None
                reply = last
                if hops % 64 == 0:
                    await anyio.lowlevel.checkpoint()  # stops that never wait must let the other routes run
            return await proceed(reply)

        return handle

    def _endless(self, name: str) -> Rejected:
        found = f"{name_of(self.next_stop)} asks for '{name}' after {self.most} hops"
        return Rejected(found, hint="it must give None when the message is done, or raise `most`")

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.next_stop,)

    def explained(self, passage: Passage) -> str:
        return ", ".join(passage.branches) or ("" if passage.error else "none")

    @property
    def label(self) -> str:
        return f"dynamic_router({name_of(self.next_stop)})"

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return tuple(self.stops.items())

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "used" for label, _ in self.branches()}
