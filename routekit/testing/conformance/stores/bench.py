"""What the contract of a store is given, and the fixtures of its cases."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from ....store import Store
from ...virtual import Loop


class Clock:
    """Wall time that only the test moves, in seconds since 1970."""

    time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


class StoreCases:
    """What an author gives to try a store; see `StoreContract`."""

    pytestmark = pytest.mark.anyio

    loops: ClassVar[tuple[Loop, ...]] = ("asyncio", "trio")
    """The event loops that it runs on."""
    durable: ClassVar[bool] = True
    """Whether state is to survive the closing of the store, and the death of its process."""
    patience: ClassVar[float] = 10.0
    """Seconds after which what a dead process has held is free at the latest."""
    scripts: ClassVar[int] = 20
    """How many random series of calls are compared with the memory store."""
    kills: ClassVar[int] = 3
    """How many processes are killed at work."""

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        """What is there before the store: a server, an empty database; `folder` is new and empty for each test."""
        yield

    def opened(self, clock: Clock) -> AbstractAsyncContextManager[Store]:
        """Open the store of this test as it was left, or anew; `clock` is what its times are to be."""
        raise NotImplementedError

    @pytest.fixture
    def anyio_backend(self, kit_loop: Loop) -> str:
        """The event loop of the test, by the real clock: a store's threads and servers take real time."""
        return kit_loop

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each loop."""
        if "kit_loop" in metafunc.fixturenames:
            metafunc.parametrize("kit_loop", self.loops)

    @pytest.fixture
    def clock(self) -> Clock:
        """Wall time that the test turns."""
        return Clock()

    @pytest.fixture
    async def folder(self, tmp_path: Path) -> AsyncGenerator[Path]:
        """A new folder, with what is outside of the store around it."""
        async with self.outside(tmp_path):
            yield tmp_path

    @pytest.fixture
    async def store(self, folder: Path, clock: Clock) -> AsyncGenerator[Store]:
        """The store, new and empty."""
        async with self.opened(clock) as store:
            yield store
