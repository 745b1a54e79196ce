"""Glance: what all pages look at, read once for all who look at the same moment.

With a thousand routes it takes the desk a tenth of a second of work to say how they are. Whoever opens the console, in
however many tabs, is not to cost the messages more than a share of a core; so what took long is kept for a while.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from anyio import Lock, current_time

from ..operating.desk import Desk
from ..operating.sights import BreakerSight, EndpointSight, Health, RouteSight

T = TypeVar("T")


class Glance:
    """Routes, endpoints, breakers and health of a desk, as they were a moment ago at most."""

    def __init__(self, desk: Desk) -> None:
        self._routes = _Kept[Sequence[RouteSight]](desk.routes, 4, 0.3)
        self._endpoints = _Kept[Sequence[EndpointSight]](desk.endpoints, 10, 0.4)
        self._breakers = _Kept[Sequence[BreakerSight]](desk.breakers, 10, 0.4)
        self._health = _Kept[Health](desk.health, 20, 2.0)

    async def routes(self) -> Sequence[RouteSight]:
        """As `Desk.routes`."""
        return await self._routes.get()

    async def endpoints(self) -> Sequence[EndpointSight]:
        """As `Desk.endpoints`."""
        return await self._endpoints.get()

    async def breakers(self) -> Sequence[BreakerSight]:
        """As `Desk.breakers`."""
        return await self._breakers.get()

    async def health(self) -> Health:
        """As `Desk.health`."""
        return await self._health.get()

    def forget(self) -> None:
        """Look anew: somebody has changed something."""
        for kept in (self._routes, self._endpoints, self._breakers, self._health):
            kept.forget()


class _Kept(Generic[T]):
    """An answer, kept for `times` as long as it took to get, and for `most` seconds."""

    def __init__(self, ask: Callable[[], Awaitable[T]], times: float, most: float) -> None:
        self._ask = ask
        self._times = times
        self._most = most
        self._turn = Lock()
        self._answers: list[T] = []
        self._until = 0.0

    async def get(self) -> T:
        async with self._turn:  # who asks meanwhile waits for the same answer
            began = current_time()
            if not self._answers or began >= self._until:
                answer = await self._ask()
                took = current_time() - began
                self._answers = [answer]
                self._until = began + took + min(took * self._times, self._most)
            return self._answers[0]

    def forget(self) -> None:
        self._until = 0.0
