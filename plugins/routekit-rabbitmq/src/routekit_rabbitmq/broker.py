"""A broker: the two connections to it that all routes share."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from pydantic import SecretStr

from routekit import DefinitionError, Runtime

from .line import Line
from .settings import ConnectionSettings, settings_of


class Broker:
    """What is consumed and what is published go over connections of their own.

    A broker that is short of memory stops reading from connections that publish; acknowledgements must get through.
    Both connect when they are first needed and again after they broke, so a broker that goes away ends nothing here:
    whoever uses a channel sees it closed, and asks for another one.
    """

    def __init__(self, settings: ConnectionSettings) -> None:
        self.taking = Line(settings, "consuming")
        self.giving = Line(settings, "publishing")

    async def close(self) -> None:
        """Close both connections."""
        await self.taking.close()
        await self.giving.close()


def _quiet() -> None:
    """What goes wrong is raised where it matters; the driver would tell it once more, with its insides."""
    for name in ("aiormq", "aio_pika"):
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL)


@asynccontextmanager
async def open_broker(name: str, settings: ConnectionSettings) -> AsyncGenerator[Broker]:
    """A broker of that name in the settings; nothing is connected yet."""
    _quiet()
    broker = Broker(settings)
    try:
        yield broker
    finally:
        with anyio.CancelScope(shield=True):
            await broker.close()


async def broker_of(runtime: Runtime, name: str, url: SecretStr | None) -> Broker:
    """The broker that the settings call `name`, or that of the URL; the first route that asks opens it."""
    if not anyio.get_cancelled_exc_class().__module__.startswith("asyncio"):
        raise DefinitionError("rabbitmq: runs on asyncio only", hint="run the service on asyncio, not on trio")
    settings = cast("Any", settings_of(runtime, name, url))  # hashable, since frozen; pydantic does not tell pyright
    return await runtime.shared(open_broker, "" if url else name, settings)
