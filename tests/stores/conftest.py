"""What the tests of all stores share: both event loops, a clock that the test turns, and every store."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from routekit import Store
from routekit.stores.memory import open_memory
from routekit.stores.sqlite import open_sqlite


class Clock:
    """Wall time that only the test moves."""

    time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def anyio_backend(real_backend: str) -> str:
    """By the real clock: a store's thread takes real time."""
    return real_backend


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    """One of the stores, new and empty."""
    opened = open_memory("", {}, clock) if request.param == "memory" else open_sqlite(str(tmp_path / "s.db"), {}, clock)
    async with opened as store:
        yield store


@pytest.fixture
def reopen(tmp_path: Path, clock: Clock) -> Callable[..., AbstractAsyncContextManager[Store]]:
    """Opens the SQLite store of the test, as often as it is called."""
    return lambda **options: open_sqlite(str(tmp_path / "s.db"), options, clock)
