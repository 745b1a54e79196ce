"""Branch: the desk of another process of this machine, asked over its control server."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import anyio.to_thread

from ..operating.desk import Desk, Operator, Order
from ..operating.sights import (
    About,
    BreakerSight,
    DeedSight,
    EndpointSight,
    FlightSight,
    GroupSight,
    Health,
    HeldSight,
    LineSight,
    RouteDetail,
    RouteSight,
    SettingSight,
    TraceSight,
)
from .client import Client
from .daemon_file import Found, found

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds that another process of this machine has for an answer."""


class Branch:
    """A Desk. All raise Unavailable if the process does not answer."""

    def __init__(self, daemon: Found) -> None:
        self.daemon = daemon

    async def about(self) -> About:
        return await self._ask(Client.about)

    async def health(self) -> Health:
        return await self._ask(Client.health)

    async def routes(self) -> Sequence[RouteSight]:
        return await self._ask(Client.routes)

    async def route(self, name: str) -> RouteDetail:
        return await self._ask(lambda client: client.route(name))

    async def endpoints(self) -> Sequence[EndpointSight]:
        return await self._ask(Client.endpoints)

    async def flights(self, route: str | None = None) -> Sequence[FlightSight]:
        return await self._ask(lambda client: client.flights(route))

    async def groups(self, route: str | None = None) -> Sequence[GroupSight]:
        return await self._ask(lambda client: client.groups(route))

    async def breakers(self) -> Sequence[BreakerSight]:
        return await self._ask(Client.breakers)

    async def store(self) -> Sequence[HeldSight]:
        return await self._ask(Client.store)

    async def settings(self) -> Sequence[SettingSight]:
        return await self._ask(Client.settings)

    async def audit(self, *, since: float | None = None, limit: int = 100) -> Sequence[DeedSight]:
        return await self._ask(lambda client: client.audit(since=since, limit=limit))

    async def log(self, *, after: int = 0, limit: int = 1000) -> Sequence[LineSight]:
        return await self._ask(lambda client: client.log(after=after, limit=limit))

    async def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        return await self._ask(lambda client: client.traces(route=route, limit=limit))

    async def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        return await self._ask(lambda client: client.trace(message, route=route))

    async def order(self, action: Order, route: str, *, by: Operator) -> Sequence[RouteSight]:
        return await self._ask(lambda client: client.order(action, route), by.name)

    async def concurrency(self, route: str, value: int, *, by: Operator) -> RouteSight:
        return await self._ask(lambda client: client.concurrency(route, value), by.name)

    async def flush(self, name: str, key: str | None = None, *, by: Operator) -> int:
        return await self._ask(lambda client: client.flush(name, key), by.name)

    async def breaker(self, action: Literal["open", "close"], name: str, *, by: Operator) -> None:
        await self._ask(lambda client: client.breaker(action, name), by.name)

    async def reload(self, *, by: Operator) -> Sequence[str]:
        return await self._ask(Client.reload, by.name)

    async def metrics(self) -> str:
        """The figures as Prometheus reads them."""
        return await self._ask(Client.metrics)

    async def _ask(self, ask: Callable[[Client], T], name: str = "") -> T:
        """What a client gets that is opened for it; in a thread."""
        return await anyio.to_thread.run_sync(partial(self._asked, ask, name))

    def _asked(self, ask: Callable[[Client], T], name: str) -> T:
        token = self.daemon.token.get_secret_value()
        with Client(self.daemon.url, token, name=name, patience=_PATIENCE) as client:
            return ask(client)


class Branches:
    """The processes that can be asked now, by their names; each has said where in its folder."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders
        self._known: dict[str, Branch] = {}

    def __call__(self) -> Mapping[str, Desk]:
        """Those that run; a process that was started anew has a new desk."""
        return dict(self.branches())

    def branches(self) -> Mapping[str, Branch]:
        """The same, with all that such a desk offers."""
        for name, folder in self._folders.items():
            daemon, known = found(folder), self._known.get(name)
            if daemon is None:
                self._known.pop(name, None)
            elif known is None or (known.daemon.pid, known.daemon.url) != (daemon.pid, daemon.url):
                self._known[name] = Branch(daemon)
        return {name: self._known[name] for name in self._folders if name in self._known}
