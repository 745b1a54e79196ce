"""Aside: what endpoints, and whoever else asks a `Runtime`, find outside of a service, in a command of an operator."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from ..events import Event
from ..route import Route
from ..runtime.binding import RouteRuntime
from ..runtime.service import Setup
from ..runtime.services import Activity, Services
from ..runtime.shared import Shared
from ..step import Chain, Runtime, Target
from ..tasks import together


@asynccontextmanager
async def aside(setup: Setup, name: str) -> AsyncGenerator[Runtime]:
    """A runtime of no route, for as long as the block runs; what is logged and shared there is under that name.

    It takes no messages and opens no sinks; what was shared or spawned is closed at the end.
    """

    def tell(event: Event) -> None:
        setup.watch(event)
        setup.catalog.tell(event)

    async with setup.opened_store() as store, together() as tasks:
        shared = Shared(tasks)
        services = Services(
            setup.catalog, store, shared, tell, setup.now, setup.random, setup.data, setup.policy, setup.settings
        )
        runtime = RouteRuntime(Route(name, Target(name), None, None, Chain()), services, Activity())
        runtime.start_jobs(tasks)
        try:
            yield runtime
        finally:
            with anyio.CancelScope(shield=True):
                await shared.close()
        tasks.cancel_scope.cancel()
