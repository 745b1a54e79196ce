"""The position in a stream."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from routekit.testing import Run, setup_for
from routekit_rabbitmq.position import Position

pytestmark = pytest.mark.anyio


@pytest.fixture
async def marks() -> Any:
    async with setup_for(Run()).opened_store() as store:
        yield store.marks("stream")


async def test_the_position_never_passes_what_is_unfinished(marks: Any) -> None:
    """Whatever finishes first, the position stands before the first that has not."""
    position = Position(marks)
    for offset in (5, 6, 9):
        position.issue(offset)
    await position.finish(9)
    await position.finish(6)
    await position.save()
    assert await Position(marks).load() is None
    await position.finish(5)
    assert await Position(marks).load() == 9


async def test_it_is_written_at_most_once_a_second(marks: Any) -> None:
    """While messages are at work; when none is, it is written at once."""
    position, writes = Position(marks), list[str]()

    class Counted:
        async def put(self, key: str, value: str) -> None:
            writes.append(value)

    position.marks = Counted()  # pyright: ignore
    for offset in range(100):
        position.issue(offset)
    for offset in range(100):
        await position.finish(offset)
    assert writes == ["0", "99"]


@given(some.permutations(range(8)), some.integers(0, 8))
def test_it_is_the_end_of_the_finished_beginning(order: list[int], count: int) -> None:
    """For every order of finishing: an oracle that looks for the first gap."""
    import anyio

    async def play() -> None:
        async with setup_for(Run()).opened_store() as store:
            position = Position(store.marks("s"))
            for offset in range(8):
                position.issue(offset)
            for offset in order[:count]:
                await position.finish(offset)
            await position.save()
            gap = next((n for n in range(8) if n not in order[:count]), 8)
            assert await Position(store.marks("s")).load() == (gap - 1 if gap else None)

    anyio.run(play)
