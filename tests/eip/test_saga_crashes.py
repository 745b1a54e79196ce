"""Sagas against an oracle: with failures, retries, pivots and crashes at any operation."""

import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Act, Flow, Message, Policy, Retry, StoreError, from_
from routekit.replay import replay
from routekit.testing import Run, setup_for

from ..crashing import Crash, Life, Outside, every_crash, lives, wall

pytestmark = pytest.mark.anyio

Outcome = Literal["ok", "fails", "fails late"]
"""What becomes of one call of a system outside; `fails late` has had its effect nevertheless."""

QUICK = Retry(2, first=0.1)
PATIENT = Policy(retry=Retry(5, on=StoreError))


@dataclass(frozen=True)
class Trip:
    id: int
    done: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One action of a random saga, and what becomes of the calls of it and of its undoing."""

    name: str
    undo: bool = True
    pivot: bool = False
    retries: int = 0
    calls: tuple[Outcome, ...] = ()
    undos: tuple[Outcome, ...] = ()


class World(Outside):
    """Systems outside that book and cancel; `log` is what they were asked, `effects` what there is of it."""

    def __init__(self, parts: list[Part], count: int = 1, **options: Any) -> None:
        super().__init__([Message(Trip(n), id=f"m{n}") for n in range(1, count + 1)], **options)
        self.parts = parts
        self.log: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.effects: set[tuple[int, str]] = set()
        self.calm = False

    async def call(self, verb: str, name: str, plan: tuple[Outcome, ...], trip: Trip) -> None:
        """One call; the outcomes of the plan are used up, then all is well."""
        number = self.asked.count((verb, name))
        outcome = plan[number] if number < len(plan) and not self.calm else "ok"

        def effect() -> None:
            self.asked.append((verb, name))
            self.log.append((verb if outcome == "ok" else f"{verb} fails", name))
            if outcome != "fails":
                (self.effects.add if verb == "do" else self.effects.discard)((trip.id, name))

        await self.life.operation(f"{verb} {name}", effect)
        if outcome != "ok":
            raise ConnectionError(f"{name} {outcome}")

    def act(self, part: Part) -> Act[Trip]:
        async def do(trip: Trip) -> Trip:
            assert trip.done == tuple(other.name for other in self.parts[: self.parts.index(part)])
            await self.call("do", part.name, part.calls, trip)
            return replace(trip, done=(*trip.done, part.name))

        async def undo(trip: Trip, message: Message[Trip]) -> Trip:
            before = tuple(other.name for other in self.parts[: self.parts.index(part)])
            assert trip.done in (before, (*before, part.name))
            assert message.meta.error is not None
            await self.call("undo", part.name, part.undos, trip)
            return trip

        back: Any = (lambda flow: flow.transform(undo)) if part.undo else None
        retry = Retry(part.retries, first=0.1)
        return Act(part.name, do=lambda flow: flow.transform(do), undo=back, pivot=part.pivot, retry=retry)


def trips(outside: Outside) -> Flow[Trip]:
    assert isinstance(outside, World)
    acts = [outside.act(part) for part in outside.parts]
    return from_(outside.source, Trip, policy=PATIENT).saga("trips", Trip, acts, undo_retry=QUICK).to(outside.sink)


@st.composite
def plans(draw: st.DrawFn) -> list[Part]:
    """Up to four actions; some have nothing to undo, one may be the pivot, and calls fail now and then."""
    outcomes = st.sampled_from(["ok", "ok", "fails", "fails late"])
    size = draw(st.integers(1, 4))
    pivot = draw(st.one_of(st.none(), st.integers(0, size - 1)))
    return [
        Part(
            name,
            undo=draw(st.booleans()) and (pivot is None or number <= pivot),
            pivot=number == pivot,
            retries=draw(st.integers(0, 2)),
            calls=tuple(draw(st.lists(outcomes, max_size=4))),
            undos=tuple(draw(st.lists(outcomes, max_size=4))),
        )
        for number, name in enumerate("abcd"[:size])
    ]


def expected(parts: list[Part]) -> tuple[list[tuple[str, str]], str]:
    """The oracle: what a saga that nothing disturbs asks of the systems, and how it ends."""
    log: list[tuple[str, str]] = []

    def tried(verb: str, part: Part, plan: tuple[Outcome, ...], retries: int) -> bool:
        for number in range(retries + 1):
            well = number >= len(plan) or plan[number] == "ok"
            log.append((verb if well else f"{verb} fails", part.name))
            if well:
                return True
        return False

    pivot = next((number for number, part in enumerate(parts) if part.pivot), len(parts))
    for number, part in enumerate(parts):
        if not tried("do", part, part.calls, part.retries):
            if number > pivot:
                return log, "stuck"
            for back in reversed(parts[: number + 1]):
                if back.undo and not tried("undo", back, back.undos, QUICK.attempts):
                    return log, "half undone"
            return log, "undone"
    return log, "done"


@settings(max_examples=60)
@given(parts=plans())
async def test_an_undisturbed_saga_does_what_the_oracle_says(parts: list[Part]) -> None:
    """The same calls in the same order, and the same end."""
    world = World(parts)
    await lives(trips, world, patience=100.0)
    log, end = expected(parts)
    assert world.log == log
    assert len(world.sent) == (end == "done")
    errors = {"done": [], "undone": ["ConnectionError"], "stuck": ["ConnectionError"]}
    assert [letter.error for letter in world.letters] == errors.get(end, ["CompensationFailed"])
    assert world.done
    kept = await world.store.marks("trips").items()
    assert bool(kept) == (end in ("stuck", "half undone"))


@settings(max_examples=100)
@given(
    parts=plans(),
    crashes=st.lists(
        st.builds(
            Crash,
            st.integers(1, 30),
            st.sampled_from(["dies before", "dies after", "fails before", "fails after"]),
        ),
        max_size=4,
    ),
)
async def test_whatever_happens_a_saga_ends_as_a_whole(parts: list[Part], crashes: list[Crash]) -> None:
    """After any crashes and failures of the store, and a replay: all is done, or all is undone."""
    world = World(parts)
    await lives(trips, world, crashes, patience=100.0)
    follow(world)
    world.calm = True
    await play_letters(world)
    follow(world)
    assert world.done
    whole(world)


async def play_letters(world: World) -> None:
    """Replay what is stuck, as an operator does once the systems outside are well again."""
    for letter in world.letters:
        if await world.store.marks("trips").get(letter.message_id) is None:
            continue  # it was undone
        world.life = Life(world, ())
        setup = setup_for(Run(), store=world.store, now=wall)
        await replay(letter, [trips(world).route("route-1")], setup)


def whole(world: World) -> None:
    """The message has had all effects and was sent, or none is left that can be undone."""
    effects = {name for _, name in world.effects}
    if world.sent:
        assert effects == {part.name for part in world.parts}
    else:
        assert effects.isdisjoint(part.name for part in world.parts if part.undo)


def follow(world: World) -> None:
    """Go along the log: it is that of a saga, whatever was done again after a crash."""
    names = [part.name for part in world.parts]
    undoable = {part.name: part.undo for part in world.parts}
    pivot = next((number for number, part in enumerate(world.parts) if part.pivot), len(names))
    at = back = None  # the action at work, or the one that was undone last
    good = False
    for verb, name in world.log:
        number = names.index(name)
        if verb.startswith("do"):
            if at is None or (number != at and number == 0) or back is not None:
                left = names[: back if back is not None else 0 if at is None else at + 1]
                assert number == 0, "it begins at the beginning"
                assert not any(undoable[other] for other in left), "and anew only when all is undone"
                at, back, good = 0, None, False
            elif number != at:
                assert (number, good) == (at + 1, True), "an action begins when the one before it is done"
                at, good = number, False
            good = good or verb == "do"
        else:
            assert at is not None
            assert at <= pivot, "after the pivot nothing is undone"
            last = at + 1 if back is None else back
            assert number < last or number == back, "undoing goes backwards"
            assert not any(undoable[other] for other in names[number + 1 : last]), "and leaves nothing out"
            back = number


ALL = [Part("a"), Part("b"), Part("c")]
FAILS = [Part("a"), Part("b"), Part("c", calls=("fails late",) * 9)]
PASSED = [Part("a"), Part("b", pivot=True), Part("c", undo=False, calls=("fails",), retries=1)]
HALF = [Part("a", undos=("fails",) * 4), Part("b", calls=("fails",) * 9)]


def again(world: World, verb: str) -> int:
    """How many calls were made more often than once."""
    return sum(count - 1 for (what, _), count in Counter(world.log).items() if what == verb)


def at_work(world: World, verb: str) -> bool:
    """Whether the crash came when a call of that kind was at work, or had not been written down."""
    (crash,) = world.crashed or [""]
    return f" {verb} " in crash or "marks.put" in crash or "keys.claim" in crash


def check_done(world: World) -> None:
    follow(world)
    assert world.done
    assert world.letters == []
    assert world.effects == {(1, "a"), (1, "b"), (1, "c")}
    assert len(world.sent) >= 1
    assert again(world, "do") <= at_work(world, "do")


@pytest.mark.parametrize("parts", [ALL, PASSED], ids=["all", "pivot"])
async def test_a_crash_repeats_at_most_the_action_at_work(parts: list[Part]) -> None:
    """Wherever the process dies or the store fails: finished actions are not done again."""
    crashes = await every_crash(trips, lambda: World(parts), check_done, patience=100.0)
    assert crashes > 50


async def test_a_crash_does_not_end_the_undoing() -> None:
    """It goes on where it stood; only between its end and the dead letter, a crash begins the saga anew."""

    def check(world: World) -> None:
        follow(world)
        assert world.done
        assert world.effects == set()
        assert world.sent == []
        assert {"fails late" in letter.reason for letter in world.letters} == {True}
        ending = {"marks.delete", "keys.release", "letters.add", "letters.count", "source.ack"}
        anew = ending & {*" ".join(world.crashed).split()}
        assert again(world, "undo") <= (3 if anew else at_work(world, "undo"))

    assert await every_crash(trips, lambda: World(FAILS), check, patience=100.0) > 50


async def test_a_crash_does_not_lose_an_undoing_that_failed() -> None:
    """Its dead letter is there after any crash, and a replay goes on."""

    async def check(world: World) -> None:
        follow(world)
        world.calm = True
        await play_letters(world)
        follow(world)
        assert world.done
        assert world.effects == set()

    assert await every_crash(trips, lambda: World(HALF), check, patience=100.0) > 40


BOOKING = """
import os, sys
from dataclasses import dataclass
import anyio
from routekit import Act, Message, Policy, from_
from routekit.testing import Feed, run_routes

@dataclass(frozen=True)
class Trip:
    id: int

log = os.open(sys.argv[2], os.O_APPEND | os.O_CREAT | os.O_WRONLY)

def act(name):
    async def told(verb, trip):
        os.write(log, f"{verb} {name} {trip.id}\\n".encode())
        await anyio.sleep(0.005)
        if name == "c" and verb == "do" and trip.id % 3 == 0:
            raise ValueError("no room")
        return trip

    return Act(
        name,
        do=lambda flow: flow.transform(lambda trip: told("do", trip)),
        undo=lambda flow: flow.transform(lambda trip: told("undo", trip)),
    )

feed = Feed([Message(Trip(n), id=f"m{n}") for n in range(1, 10)])
flow = from_(feed, Trip, policy=Policy(concurrency=3)).saga("trips", Trip, [act("a"), act("b"), act("c")])
flow = flow.transform(lambda trip: os.write(log, f"end of {trip.id}\\n".encode()))
anyio.run(lambda: run_routes(flow, store=sys.argv[1]))
"""


@pytest.mark.real_time
def test_a_real_process_may_be_killed_at_any_time(tmp_path: Path) -> None:
    """With the SQLite store, after kill -9 again and again: all is done or undone, and little is repeated."""
    log, kills = tmp_path / "log", 0
    command = [sys.executable, "-c", BOOKING, f"sqlite:{tmp_path / 'store.db'}", str(log)]
    for lines in (2, 7, 13, 20, 28):
        with subprocess.Popen(command) as process:
            while process.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < lines):
                time.sleep(0.001)
            kills += process.poll() is None
            process.kill()
    assert kills == 5
    subprocess.run(command, check=True, timeout=60)
    calls = [tuple(line.rsplit(" ", 1)) for line in log.read_text().splitlines()]
    for n in range(1, 10):
        told = [what for what, number in calls if number == str(n)]
        once = list(dict.fromkeys(told))
        wanted = ["do a", "do b", "do c"]
        assert once == wanted + (["undo c", "undo b", "undo a"] if n % 3 == 0 else ["end of"])
    assert len(calls) <= 6 * 4 + 3 * 6 + kills * 3 * 6
