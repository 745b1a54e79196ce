"""Claims: a key is at work in one place at a time, and free or done afterwards."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from routekit import Claim, Handler, Message, Policy, Runtime, Step, StoreError, Unavailable, from_
from routekit.claims import Claims
from routekit.stores.memory import MemoryKeys, MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from .fakes import Trickle, Watched

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


class Lazy(MemoryKeys):
    """Keys that take a second to be done or free."""

    async def complete(self, key: str, *, owner: str) -> None:
        await anyio.sleep(1)
        await super().complete(key, owner=owner)

    async def release(self, key: str, *, owner: str) -> None:
        await anyio.sleep(1)
        await super().release(key, owner=owner)


@pytest.mark.parametrize("fails", [True, False])
async def test_a_route_ends_when_what_was_held_is_written(fails: bool) -> None:
    """Though nothing is in flight any more; what was refused is told only then."""
    keys = Lazy(anyio.current_time)
    sink = Sink(fail={1: Unavailable("away")} if fails else {})
    feed = Feed([1, 2])
    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).idempotent("seen", key=str)
    await run_routes(flow.batch("pairs", int, size=2).to(sink), store=KeyStore(keys))
    claims = [await keys.claim(name, owner="me", lease=1) for name in ("1", "2")]
    assert claims == ([Claim.MINE] * 2 if fails else [Claim.DONE] * 2)
    assert len(feed.refused if fails else feed.acknowledged) == 2


async def test_a_twin_that_comes_while_a_held_key_is_written() -> None:
    """It shares its fate still."""
    keys, sink = Lazy(anyio.current_time), Sink()
    source = Trickle(items=[(0.0, 1), (0.0, 2), (0.5, 1), (2.0, 1)])
    flow = from_(source, int).idempotent("seen", key=str).batch("pairs", int, size=2).to(sink)
    run = await run_routes(flow, store=KeyStore(keys))
    assert sink.bodies == [[1, 2]]
    assert run.counts["route-1"].ended == 4
