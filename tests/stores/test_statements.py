"""Death at every statement of SQL: whatever the store was just doing, it is done or not done when opened again."""

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import time

import anyio

from routekit.stores.memory import MemoryStore
from routekit.stores.sqlite import SqliteStore, open_sqlite
from routekit.testing.conformance.killing import killed
from routekit.testing.conformance.stores.surviving import ACTS, state_of


async def expected(name: str) -> list[object]:
    """The state before the first act, after it, and so on."""
    states: list[object] = []
    for done in range(len(ACTS) + 1):
        store = MemoryStore(time)
        for act in ACTS[:done]:
            await act(store, name)
        states.append(await state_of(store, name))
    return states


def test_death_at_any_statement_leaves_no_half(tmp_path: Path) -> None:
    """A process is killed at its first statement, at its second, and so on: what it was told is there, and no half."""

    async def check() -> None:
        deaths = 0
        for at in count(1):
            name, file = f"n{at}", str(tmp_path / "s.db")

            async def work(tell: Callable[[bytes], object], at: int = at, name: str = name, file: str = file) -> None:
                async with open_sqlite(file, {}, time) as store:
                    assert isinstance(store, SqliteStore)
                    left = [at]

                    def statement(sql: str) -> None:
                        left[0] -= 1
                        if not left[0]:
                            os.kill(os.getpid(), signal.SIGKILL)

                    store._commits._connection.set_trace_callback(statement)  # nowhere else is a statement seen
                    for act in ACTS:
                        await act(store, name)
                        tell(b".")
                tell(b"!")

            told = await killed(work, "asyncio", len(ACTS) + 1, 60.0)
            if told.endswith(b"!"):
                break
            assert told.strip(b".") == b"", told.decode()
            deaths += 1
            async with open_sqlite(file, {}, time) as store:
                found = await state_of(store, name)
            assert found in (await expected(name))[len(told) : len(told) + 2], f"statement {at}"
        assert deaths > 2 * len(ACTS)

    anyio.run(check)
