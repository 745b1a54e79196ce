"""What every store does: one contract for ours, as for those of plugins."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from routekit import Store
from routekit.stores._cipher import Cipher
from routekit.stores.memory import open_memory
from routekit.stores.sealed import SealedStore
from routekit.stores.sqlite import open_sqlite
from routekit.testing.conformance import Clock, StoreContract


class TestMemory(StoreContract):
    """The store in memory, which ends with its process."""

    durable = False
    scripts = 50

    def opened(self, clock: Clock) -> AbstractAsyncContextManager[Store]:
        return open_memory("", {}, clock)


class TestSqlite(StoreContract):
    """The store in one file."""

    scripts = 100

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        self.file = folder / "s.db"
        yield

    def opened(self, clock: Clock) -> AbstractAsyncContextManager[Store]:
        return open_sqlite(str(self.file), {}, clock)


class TestSealed(TestSqlite):
    """A store whose texts are encrypted, and whose keys are hashed."""

    scripts = 20

    @asynccontextmanager
    async def opened(self, clock: Clock) -> AsyncGenerator[Store]:
        async with open_sqlite(str(self.file), {}, clock) as inner:
            yield SealedStore(inner, Cipher([b"k" * 32]), b"i" * 32)
