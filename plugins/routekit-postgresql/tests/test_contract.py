"""The contract of a store, with a real server."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from routekit import Store
from routekit.testing.conformance import Clock, StoreContract


class TestPostgresql(StoreContract):
    """The same suite that the stores in memory and in SQLite pass."""

    scripts = 10

    @pytest.fixture(autouse=True)
    def _open_here(self, opened: Callable[..., AbstractAsyncContextManager[Store]]) -> None:
        self._opened = opened

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        yield

    def opened(self, clock: Clock, **options: Any) -> AbstractAsyncContextManager[Store]:
        return self._opened(clock, **options)
