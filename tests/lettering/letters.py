"""Letters and stores for the tests of this folder."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from routekit import Letter, Store
from routekit.runtime.service import Setup
from routekit.stores.memory import open_memory
from routekit.testing import Run, setup_for


def letter(number: int, body: Any = None, **changes: Any) -> Letter:
    """The letter of that number; the larger it is, the later it was given up."""
    plain = Letter(
        f"l{number}", f"m{number}", "r", "feed:", "to sink:", "a.py:1", "ValueError", f"bad {number}", 1,
        float(number), number if body is None else body, {"from": "outside"},
    )  # fmt: skip
    return replace(plain, **{"cluster": "", **changes})


@asynccontextmanager
async def stored(*letters: Letter) -> AsyncGenerator[tuple[Store, Setup]]:
    """A store with these letters, and a setup that has it."""
    async with open_memory("", {}, lambda: 100.0) as store:
        for one in letters:
            await store.letters.add(one)
        yield store, setup_for(Run(), store=store, now=lambda: 100.0)


async def ids(store: Store) -> list[str]:
    """Of the letters that are left, the oldest first."""
    return [one.id for one in await store.letters.list(oldest=True)]


async def audited(store: Store) -> list[tuple[str, str, str]]:
    """Who did what to what, the oldest first."""
    return [(deed.who, deed.action, deed.what) for deed in reversed(await store.audit.list())]
