"""Sources that steps read beside the route's own: whether those have anything says nothing about the route."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import anyio

from ..endpoint import Consumer
from ..message import Delivery
from ..step import Read, Runtime


def reading(source: Consumer, runtime: Runtime) -> Read:
    """The way to read from `source` in a step."""

    def read(*, idle: Callable[[], None] | None = None) -> AsyncGenerator[Delivery[Any]]:
        return source.consume(cast("Runtime", _Beside(runtime, idle)))

    return read


class _Beside:
    """The runtime of the route, but for rest: if the source took that of the route, the route would seem idle."""

    def __init__(self, runtime: Runtime, idle: Callable[[], None] | None) -> None:
        self._runtime = runtime
        self._idle = idle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    @contextmanager
    def resting(self) -> Generator[None]:
        if self._idle is not None:
            self._idle()
        yield

    async def rest(self, seconds: float) -> None:
        with self.resting():
            await anyio.sleep(seconds)
