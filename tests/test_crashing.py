"""The harness that lets processes crash finds what a crash breaks, and nothing else."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from routekit import Flow, Handler, Message, Policy, Retry, Runtime, Step, from_
from routekit.stores.sqlite import open_sqlite

from .crashing import DEATHS, Crash, Outside, every_crash, live, lives, wall

pytestmark = pytest.mark.anyio

PATIENT = Policy(retry=Retry(3))


def once(outside: Outside) -> Flow[Any]:
    return (
        from_(outside.source, int, policy=PATIENT).idempotent("seen", key=lambda n: n, remember=None).to(outside.sink)
    )


def all_sent(outside: Outside) -> None:
    assert set(outside.bodies) == {1, 2, 3}
    assert outside.done
    assert not outside.letters
    twice = [body for body, times in Counter(outside.bodies).items() if times > 1]
    assert len(twice) <= len(outside.crashed)


async def test_a_careful_route_survives_every_crash() -> None:
    """At least once holds for the idempotent receiver, wherever the process dies or its store fails."""
    crashes = await every_crash(once, lambda: Outside([1, 2, 3]), all_sent)
    assert crashes == 2 * 12 + 2 * 6  # claim, send, complete and acknowledge, of which two are the store's


async def test_what_a_crash_breaks_is_found() -> None:
    """A step that forgets a message before it has gone on loses it, and the harness says where."""

    @dataclass(frozen=True)
    class Careless(Step[int, int]):
        def bind(self, proceed: Handler[int], runtime: Runtime) -> Handler[int]:
            keys = runtime.store.keys("careless")

            async def handle(message: Message[int]) -> Message[Any] | None:
                if (await keys.claim(message.id, owner="me", lease=1)).value == "done":
                    return None
                await keys.complete(message.id, owner="me")
                return await proceed(message)

            return handle

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=PATIENT).then(Careless()).to(outside.sink)

    with pytest.raises(AssertionError) as caught:
        await every_crash(flow, lambda: Outside([1, 2, 3]), all_sent, kinds=DEATHS)
    assert caught.value.__notes__ == ["operation 3: ['dies before sink.send']; sent ['m2', 'm3'], waiting []"]


async def test_a_dead_process_has_no_effect() -> None:
    """After its death nothing reaches the store, the sink or the source, though a stop runs the route's own ends."""
    outside = Outside([1, 2])
    life = await live(once, outside, Crash(2, "dies before"))
    assert (outside.sent, list(outside.waiting)) == ([], ["m1", "m2"])
    assert outside.crashed == ["dies before sink.send"]
    assert life.ended


async def test_what_is_shielded_dies_too() -> None:
    """Who shields an operation of the store from cancellation does not keep the dead process at work."""

    @dataclass(frozen=True)
    class Shielding(Step[int, int]):
        def bind(self, proceed: Handler[int], runtime: Runtime) -> Handler[int]:
            async def handle(message: Message[int]) -> Message[Any] | None:
                with anyio.CancelScope(shield=True):
                    await runtime.store.marks("x").put("k", "v")
                    await runtime.store.marks("x").put("k", "w")
                return await proceed(message)

            return handle

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).then(Shielding()).to(outside.sink)

    outside = Outside([1])
    await live(flow, outside, Crash(1, "dies after"))
    assert await outside.store.marks("x").get("k") == "v"
    await live(flow, outside)
    assert outside.bodies == [1]


async def test_time_goes_on_between_lives() -> None:
    """A process that was down for an hour finds that an hour has passed."""
    start, times = wall(), list[float]()

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).transform(lambda n: times.append(wall())).to(outside.sink)

    await lives(flow, Outside([1]), [Crash(1)], down=3600.0, patience=60.0)
    assert [time - start for time in times] == [pytest.approx(0), pytest.approx(3600)]


async def test_a_failing_store_does_not_end_the_life() -> None:
    """The operation raises, and the policy decides: the message is tried again in the same life."""
    outside = Outside([1])
    life = await live(once, outside, Crash(1, "fails before"))
    assert (outside.bodies, outside.done, life.count) == ([1], True, 5)


async def test_what_is_refused_comes_again() -> None:
    """The source brings a refused message again in the same life, until it is acknowledged."""

    def flow(outside: Outside) -> Flow[Any]:
        return replace(once(outside), policy=Policy(dead_letter="refuse"))

    outside = Outside([1])
    await live(flow, outside, Crash(1, "fails before"))
    assert (outside.bodies, outside.refused["m1"], outside.acknowledged["m1"]) == ([1], 1, 1)


@pytest.mark.real_time
async def test_it_works_with_a_real_store(tmp_path: Path) -> None:
    """A file and its thread, by the real clock."""
    async with open_sqlite(str(tmp_path / "s.db"), {}, wall) as store:
        number = iter(range(100))

        def flow(outside: Outside) -> Flow[Any]:
            outside.name = outside.__dict__.get("name") or f"seen-{next(number)}"
            return from_(outside.source, int).idempotent(outside.name, key=lambda n: n, remember=None).to(outside.sink)

        def outside() -> Outside:
            return Outside([1, 2, 3], store=store)

        with anyio.fail_after(60):
            crashes = await every_crash(
                flow, outside, all_sent, kinds=DEATHS, until=lambda outside: outside.done or outside.life.ended
            )
    assert crashes == 2 * 12
