"""Leading: a source that only one of several processes may run is run by the one that the store has elected.

The others have the route up, with its sinks open, and wait; what their steps keep goes on there. A route leads for as
long as it is wanted in its process. It stops taking messages at once when that ends; what is in flight is finished.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import anyio

from ..errors import StoreError
from ..message import Delivery
from ..store import Electing, Office, Store
from ..tasks import either

_AGAIN = 1.0
"""Seconds until the store is asked again that has failed to answer."""

_FIRST = 10.0
"""Seconds that a route which starts waits for the first answer, so that it can say who leads."""


class Leading:
    """Stands for the office of one route, whenever that is wanted; `changed` is called when it is won or lost.

    Implements `Office` for the source, also while nobody stands.
    """

    def __init__(self, route: str, store: Electing, changed: Callable[[], None]) -> None:
        self._route = route
        self._store = store
        self._told = changed
        self._wanted = False
        self._office: Office | None = None
        self._broken = False
        self._news = anyio.Event()

    @property
    def leads(self) -> bool:
        """Whether this process leads now."""
        return self._office is not None and not self._broken and self._office.leads

    @property
    def leader(self) -> str:
        """The process that leads, as far as it is known."""
        return "" if self._office is None else self._office.leader

    @property
    def term(self) -> int:
        """The number of this leadership."""
        return 0 if self._office is None else self._office.term

    @property
    def since(self) -> float | None:
        """When somebody led last before it, if this process waited by then."""
        return None if self._office is None else self._office.since

    def changed(self) -> anyio.Event:
        """Set at the next change."""
        return self._news

    @property
    def why(self) -> str:
        """Why the source takes no messages; empty while this process leads."""
        if self.leads:
            return ""
        if self._office is not None and self._office.term:
            return "waits: its lease is over, the store does not answer"
        return f"waits: {self.leader} leads" if self.leader else "waits for the store to elect"

    @property
    def passing(self) -> bool:
        """Whether it is not known yet who leads."""
        return self._wanted and not self.leader

    async def stand(self) -> None:
        """Stand for it from now on; returns when it is known who leads, or the store takes its time to answer."""
        if not self._wanted:
            self._wanted = True
            self._change()
        with anyio.move_on_after(_FIRST):
            while not self.leader:
                await self._news.wait()

    def step_down(self) -> None:
        """Stand for it no more: another process that waits leads from now on."""
        if self._wanted:
            self._wanted = False
            self._change()

    def lapsed(self) -> None:
        """The source had a message after the lease was over: it has to be opened anew, even if it goes on."""
        self._broken = True
        self._change()

    async def run(self) -> None:
        """Stand for it whenever it is wanted, until cancelled."""
        while True:
            while not self._wanted:
                await self._news.wait()
            try:
                async with self._store.leading(self._route) as self._office:
                    await self._follow(self._office)
            except StoreError:
                await anyio.sleep(_AGAIN)
            finally:
                self._office = None
                self._told()

    async def _follow(self, office: Office) -> None:
        """Tell of each change, as long as it is wanted."""
        while self._wanted:
            self._broken = self._broken and not office.leads
            self._change()
            await either(office.changed(), self._news)

    def _change(self) -> None:
        self._news.set()
        self._news = anyio.Event()
        self._told()


async def led(deliveries: AsyncGenerator[Delivery[Any]], leading: Leading) -> AsyncGenerator[Delivery[Any]]:
    """The deliveries as long as this process leads: one that comes later is left, for the next leader to take.

    It never ends by that; the intake is told to take no more, which cancels it.
    """
    async with aclosing(deliveries) as those:
        async for delivery in those:
            if not leading.leads:
                leading.lapsed()
                await anyio.sleep_forever()
            yield delivery


def elected(store: Store) -> Electing | None:
    """The store, if its processes elect."""
    return store if isinstance(store, Electing) else None
