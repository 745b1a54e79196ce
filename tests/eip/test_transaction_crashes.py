"""transaction: what is there after a crash at any operation"""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from routekit import Flow, Message, Policy, Retry, Runtime, StoreError, Transactions, Unavailable, from_
from routekit.testing import Ledger, Sink
from routekit.testing.ledger import Book

from ..crashing import DEATHS, Crash, Life, Outside, every_crash, lives

pytestmark = pytest.mark.anyio

PATIENT = Policy(concurrency=2, retry=Retry(5, first=0.1, most=0.1))


class Mortal(Ledger):
    """A database whose every operation is one of the process's life."""

    outside: Any

    @asynccontextmanager
    async def open(self, runtime: Runtime, name: str, sinks: Sequence[Any]) -> AsyncGenerator[Transactions]:
        async with super().open(runtime, name, sinks) as transactions:
            yield Operations(transactions, self.outside.life)  # type: ignore[misc]


class Operations:
    def __init__(self, transactions: Transactions, life: Life) -> None:
        self._transactions = transactions
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._transactions, name)
        if name in ("effect", "news"):
            return method

        async def operation(*args: Any, **options: Any) -> Any:
            try:
                return await self._life.operation(f"ledger.{name}", lambda: method(*args, **options), store=True)
            except StoreError as error:
                raise Unavailable(str(error)) from error

        return operation


class World(Outside):
    """A source, a database with one table, and a sink elsewhere."""

    def __init__(self, *numbers: int) -> None:
        super().__init__(Message(number, id=f"m{number}") for number in numbers)
        self.rows = Sink()
        self.book = Book()
        self.place = Mortal(sinks=[self.rows], book=self.book, outside=self)


def placing(outside: Outside) -> Flow[int]:
    assert isinstance(outside, World)
    inside = outside.place
    return from_(outside.source, int, policy=PATIENT).transaction(
        inside, lambda t: t.to(outside.rows).to(outside.sink), name="o"
    )


def sound(outside: Outside) -> None:
    """No effect is lost or repeated; what was sent twice is because it died between the sending and the removal."""
    assert isinstance(outside, World)
    assert not outside.waiting
    assert not outside.letters
    assert sorted(outside.rows.bodies) == [1, 2, 3]
    assert set(outside.bodies) == {1, 2, 3}
    assert outside.book.outbox == {"o": []}
    twice = [body for body, sent in Counter(outside.bodies).items() if sent > 1]
    assert not twice or any(crash.startswith("dies") or crash.endswith("ledger.sent") for crash in outside.crashed)


async def test_no_effect_is_lost_or_repeated_wherever_it_crashes() -> None:
    """Dead or failing at any operation and started again, every effect is there once and every message was sent."""
    crashes = await every_crash(placing, lambda: World(1, 2, 3), sound, patience=200.0)
    assert crashes > 40


async def test_no_effect_is_lost_or_repeated_by_two_crashes() -> None:
    """Nor if the life after the crash ends by another one."""
    for first in range(1, 16, 4):
        for second in range(1, 12, 3):
            outside = World(1, 2, 3)
            await lives(placing, outside, [Crash(first, DEATHS[first % 2]), Crash(second, DEATHS[second % 2])])
            sound(outside)


async def test_what_was_sent_is_in_order_whatever_happens() -> None:
    """One after the other as they were committed; a repeated one is followed by those that came behind it."""

    def one_by_one(outside: Outside) -> Flow[int]:
        assert isinstance(outside, World)
        return from_(outside.source, int, policy=Policy(retry=Retry(5))).transaction(
            outside.place, lambda t: t.to(outside.rows).to(outside.sink), name="o"
        )

    def in_order(outside: Outside) -> None:
        sound(outside)
        first = list(dict.fromkeys(outside.bodies))
        assert first == [1, 2, 3]
        for before, after in zip(outside.bodies, outside.bodies[1:], strict=False):
            assert after <= before + 1

    await every_crash(one_by_one, lambda: World(1, 2, 3), in_order, kinds=DEATHS, patience=200.0)
