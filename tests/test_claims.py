"""Claims: a key is at work in one place at a time, and free or done afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from routekit import Claim, Handler, Message, Runtime, Step, StoreError, Unavailable, from_
from routekit.claims import Claims
from routekit.stores.memory import MemoryKeys, MemoryStore
from routekit.testing import Feed, Run, run_routes, running, setup_for

from .fakes import Watched

pytestmark = pytest.mark.anyio

Work = Callable[[Claims], Awaitable[Message[Any] | None]]


@dataclass(frozen=True)
class Working(Step[Any, Any]):
    """Works on the key `k`, with a lease of a minute."""

    work: Work
    renewed: bool = True

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        claims = Claims("work", 60.0, runtime, renewed=self.renewed)
        return lambda message: claims.once("k", lambda: self.work(claims))


@dataclass
class Slow(MemoryKeys):
    """Keys that take a second to be claimed, and fail at some of the claims."""

    fails: set[int] = field(default_factory=set)
    claims: int = 0

    def __post_init__(self) -> None:
        super().__init__(anyio.current_time)

    async def claim(self, key: str, *, owner: str, lease: float) -> Claim:
        self.claims += 1
        number = self.claims
        await anyio.sleep(1)
        if number in self.fails:
            raise StoreError("locked")
        return await super().claim(key, owner=owner, lease=lease)


class KeyStore(MemoryStore):
    """A store of these keys."""

    def __init__(self, keys: MemoryKeys) -> None:
        super().__init__(anyio.current_time)
        self.only = keys

    def keys(self, name: str) -> MemoryKeys:
        return self.only


async def run(keys: MemoryKeys, step: Working) -> Run:
    return await run_routes(from_(Feed([1])).then(step), setup=setup_for(Run(), store=KeyStore(keys)))


async def work_for(seconds: float, error: Exception | None = None) -> Message[Any] | None:
    await anyio.sleep(seconds)
    if error is not None:
        raise error
    return Message(1)


async def others(keys: MemoryKeys) -> Claim:
    """What another process is told that wants the key."""
    return await MemoryKeys.claim(keys, "k", owner="other", lease=1.0)


async def test_a_lease_is_prolonged_while_the_work_takes_long() -> None:
    """Every third of it, also when the store fails in between."""
    keys = Slow(fails={3})
    answers: list[Claim] = []

    async def ask() -> None:
        for _ in range(10):
            await anyio.sleep(29)
            answers.append(await others(keys))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await run(keys, Working(lambda claims: work_for(300)))
    assert answers == [Claim.HELD] * 10
    assert await others(keys) is Claim.DONE
    assert keys.claims == 1 + 14


async def test_a_lease_that_is_not_prolonged_runs_out() -> None:
    """As it is for steps that say so."""
    keys = Slow()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, keys, Working(lambda claims: work_for(300), renewed=False))
        await anyio.sleep(100)
        assert await others(keys) is Claim.MINE


async def test_a_lease_that_is_prolonged_too_late_holds_nobody_up() -> None:
    """The work failed and freed the key while its lease was being prolonged."""
    keys = Slow()
    flow = from_(Watched([1])).then(Working(lambda claims: work_for(19.5, ValueError("x"))))
    async with running(flow, setup=setup_for(Run(), store=KeyStore(keys))):
        await anyio.sleep(30)
        assert keys.claims == 2
        assert await others(keys) is Claim.MINE


async def test_who_was_overtaken_is_told() -> None:
    """Another owner has the key: the work must not go on."""

    async def overtaken(claims: Claims) -> Message[Any] | None:
        await anyio.sleep(70)
        assert await others(keys) is Claim.MINE
        await claims.still_mine("k")
        return Message(1)

    keys = MemoryKeys(anyio.current_time)
    done = await run(keys, Working(overtaken, renewed=False))
    assert [letter.error for letter in done.letters] == [Unavailable.__name__]
    assert "another process has taken over 'k'; raise `lease`" in done.letters[0].reason
