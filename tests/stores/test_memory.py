"""What is special about the memory store."""

import time

import pytest

from routekit import BadOption
from routekit.stores.memory import open_memory

pytestmark = pytest.mark.anyio


async def test_it_says_that_it_forgets():
    """The memory store is not durable."""
    async with open_memory("", {}, time.time) as store:
        assert store.durable is False


async def test_two_stores_share_nothing():
    """Each opening gives an empty store."""
    async with open_memory("", {}, time.time) as one, open_memory("", {}, time.time) as two:
        await one.marks("m").put("k", "v")
        assert await two.marks("m").get("k") is None


@pytest.mark.parametrize(("path", "options"), [("file.db", {}), ("", {"size": "1"})])
async def test_a_path_or_an_option_is_refused(path: str, options: dict[str, str]):
    """The memory store has neither path nor options."""
    with pytest.raises(BadOption):
        async with open_memory(path, options, time.time):
            pass
