"""What every store does when it is cut off: the state is as before the call or as after it, never between.

A fixed series of calls stands for all that a store does. It is cut off at each call, at every await of it; and
processes that repeat it are killed. What is found then is compared with a store in memory that got the same calls.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import anyio

from ....store import Claim, Deed, Store
from ....stores.memory import MemoryStore
from ..killing import killed
from ..stepping import Stepping
from .bench import Clock, StoreCases
from .letters import letter
from .script import answer, drawn

Act: TypeAlias = Callable[[Store, str], Awaitable[Any]]


async def _release(store: Store, name: str) -> None:
    (group, *_) = await store.groups(name).all()
    await store.groups(name).remove(group.number, remember=60)


async def _ship(store: Store, name: str) -> None:
    (parcel, *_) = await store.outbox(name).take(owner="me", lease=60, limit=1)
    await store.outbox(name).sent([parcel.number], owner="me")


ACTS: Sequence[Act] = (
    lambda store, name: store.keys(name).claim("a", owner=store.owner, lease=60),
    lambda store, name: store.keys(name).complete("a", owner=store.owner),
    lambda store, name: store.keys(name).claim("b", owner=store.owner, lease=60),
    lambda store, name: store.keys(name).release("b", owner=store.owner),
    lambda store, name: store.marks(name).put("k", "1"),
    lambda store, name: store.marks(name).put("k", "2"),
    lambda store, name: store.groups(name).add("k", "m1", "one", owner="me", full=2),
    lambda store, name: store.groups(name).add("k", "m2", "two", owner="me", full=2),
    lambda store, name: store.groups(name).add("k", "m3", "three", owner="me"),
    lambda store, name: store.groups(name).add("k", "m4", "four", owner="me", latest=True),
    _release,
    lambda store, name: store.journal(name).add("m1", "one", owner=store.owner),
    lambda store, name: store.journal(name).record("m1", "e", "r", owner=store.owner),
    lambda store, name: store.journal(name).checkpoint("m1", "here", "two", owner=store.owner),
    lambda store, name: store.journal(name).record("m1", "f", "r", owner=store.owner),
    lambda store, name: store.journal(name).add("m2", "one", owner=store.owner),
    lambda store, name: store.journal(name).finish("m1", owner=store.owner, remember=60),
    lambda store, name: store.values(name).put("k", "1", version=0),
    lambda store, name: store.values(name).put("k", "2", version=1),
    lambda store, name: store.outbox(name).add([("a", "1"), ("b", "2"), ("c", "3")]),
    _ship,
    lambda store, name: store.letters.add(letter(f"{name}-1", route=name)),
    lambda store, name: store.letters.add(letter(f"{name}-1", route=name, body="new")),
    lambda store, name: store.letters.add(letter(f"{name}-2", route=name)),
    lambda store, name: store.letters.remove(f"{name}-1"),
    lambda store, name: store.audit.add(Deed(1.0, "ann", "x", name)),
)
"""A series of calls; each changes something, in state of that name."""


async def state_of(store: Store, name: str) -> Mapping[str, Any]:
    """All that a store has under that name, in a form in which two stores can be compared."""
    counts = {held.kind: held.count for held in await store.contents() if held.name == name}
    journal = store.journal(name)
    groups = [
        (group.key, group.size, group.closed, list(await store.groups(name).messages(group.number)))
        for group in await store.groups(name).all()
    ]
    entries = [
        (entry.id, entry.message, entry.place, dict(await journal.effects(entry.id)))
        for entry in await journal.take(owner=store.owner, limit=100)
    ]
    return {
        "counts": counts,
        "marks": list(await store.marks(name).items()),
        "groups": groups,
        "journal": entries,
        "values": [(key, value.text, value.version) for key, value in await store.values(name).items()],
        "letters": [(one.id, one.body) for one in await store.letters.list(route=name)],
        "audit": len([deed for deed in await store.audit.list() if deed.what == name]),
        "done": [await store.keys(name).claim(key, owner="probe", lease=0) is Claim.DONE for key in ("a", "b")],
    }


async def _expected(name: str, clock: Clock) -> list[Mapping[str, Any]]:
    """The state before the first act, after it, after the second one, and so on."""
    states: list[Mapping[str, Any]] = []
    for count in range(len(ACTS) + 1):
        store = MemoryStore(clock)
        for act in ACTS[:count]:
            await act(store, name)
        states.append(await state_of(store, name))
    return states


class SurvivingCases(StoreCases):
    """Calls that are cut off, processes that are killed, and any series of calls at all."""

    def __init_subclass__(cls, **options: Any) -> None:
        """A store that ends with its process has nothing to show after its death: that case is none of it."""
        super().__init_subclass__(**options)
        if not cls.durable:
            setattr(cls, cls.test_a_killed_process_leaves_each_call_done_or_not.__name__, None)

    async def test_a_call_that_is_cut_off_has_happened_or_not(self, folder: Path, clock: Clock) -> None:
        """Whatever call is cancelled, at whichever await: opened again, the store is as before it or as after it."""
        for number, act in enumerate(ACTS):
            at = count = 1
            while at <= count:
                name = f"cut-{number}-{at}"
                async with self.opened(clock) as store:
                    for former in ACTS[:number]:
                        await former(store, name)
                    count = await _cut_off(act, store, name, at)
                    if not self.durable:
                        await self._before_or_after(store, name, number, clock)
                if self.durable:
                    async with self.opened(clock) as store:
                        await self._before_or_after(store, name, number, clock)
                at += 1

    async def test_a_killed_process_leaves_each_call_done_or_not(
        self, folder: Path, clock: Clock, kit_loop: str
    ) -> None:
        """After SIGKILL all calls that were told done are, one more may be, and none is half done."""
        for kill in range(self.kills):
            told = await killed(partial(self._work, clock, kill), kit_loop, 23 * kill + 40, self.patience)
            assert len(told) >= 40, told.decode(errors="replace")
            assert not told.strip(b"."), told.decode(errors="replace")
            rounds, rest = divmod(len(told), len(ACTS))
            async with self.opened(clock) as store:
                await self._before_or_after(store, f"kill-{kill}-{rounds}", rest, clock)
                if rounds:
                    name = f"kill-{kill}-{rounds - 1}"
                    assert await self._settled(store, name) == (await _expected(name, clock))[-1]

    async def test_it_answers_as_the_memory_store_does(self, store: Store, clock: Clock) -> None:
        """Any series of calls gives the same answers as from the store in memory."""
        for seed in range(self.scripts):
            memory = MemoryStore(clock)
            script = drawn(Random(seed), 40)
            for number, call in enumerate(script):
                if call[0] == "wait":
                    clock.time += call[1]
                expected = await answer(memory, clock.time, f"s{seed}", call)
                found = await answer(store, clock.time, f"s{seed}", call)
                assert found == expected, f"series {seed}: {script[: number + 1]}"

    async def _work(self, clock: Clock, kill: int, tell: Callable[[bytes], object]) -> None:
        """What the process does that is killed."""
        async with self.opened(clock) as store:
            for turn in range(1_000_000):
                for act in ACTS:
                    await act(store, f"kill-{kill}-{turn}")
                    tell(b".")

    async def _before_or_after(self, store: Store, name: str, number: int, clock: Clock) -> None:
        states = await _expected(name, clock)
        found = await self._settled(store, name)
        assert found in states[number : number + 2], f"act {number} of {name}: {found}"

    async def _settled(self, store: Store, name: str) -> Mapping[str, Any]:
        """The state once what a dead process had in its hands is free."""
        with anyio.move_on_after(self.patience):
            while len(await store.journal(name).take(owner=store.owner, limit=100)) < await store.journal(name).count():
                await anyio.sleep(0.02)
        return await state_of(store, name)


async def _cut_off(act: Act, store: Store, name: str, at: int) -> int:
    """Cancel the act at its await of that number; returns how many there were."""
    scope = anyio.CancelScope()
    stepping = Stepping(at, scope.cancel)
    with scope:
        await stepping.run(act(store, name))
    return stepping.count
