"""resequence"""

from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit import DefinitionError, Delivery, Flow, Message, Policy, Retry, Runtime, Store, Unavailable, from_
from routekit.check import check
from routekit.console import line_of
from routekit.eip import resequence
from routekit.eip.resequence import Resequence
from routekit.events import GapSkipped
from routekit.plugins import Catalog
from routekit.replay import replay
from routekit.stores.memory import MemoryStore
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..crashing import Crash, DurableStore, Outside, every_crash, lives, wall
from ..fakes import Trickle, Watched

pytestmark = pytest.mark.anyio

PATIENT = Policy(retry=Retry(3))


def setup(store: Store, run: Run | None = None) -> Any:
    return setup_for(run or Run(), store=store, now=wall)


@pytest.fixture(params=["memory", "durable"])
def store(request: pytest.FixtureRequest) -> Store:
    return MemoryStore(wall) if request.param == "memory" else DurableStore()


def number(body: int) -> int:
    """The body is its number; what comes after the point tells twins apart."""
    return body


def sequenced(source: Any, **options: Any) -> Flow[int]:
    given: dict[str, Any] = {"number": number, "gap": 10, "start": 1}
    return from_(source, int).resequence("s", int, **{**given, **options})


class Seen(list[tuple[Any, float]]):
    """A function for `transform` that notes when each body passed."""

    def __init__(self) -> None:
        self._start = anyio.current_time()

    def __call__(self, body: Any) -> Any:
        self.append((body, round(anyio.current_time() - self._start, 3)))
        return body

    @property
    def bodies(self) -> list[Any]:
        """What passed, in order."""
        return [body for body, _ in self]


async def test_messages_go_on_in_the_order_of_their_numbers(store: Store) -> None:
    """Each at once when the one before it has."""
    seen = Seen()
    source = Trickle(items=[(0, 3), (1, 1), (2, 5), (3, 2), (4, 4)])
    async with running(sequenced(source).transform(seen), setup=setup(store)):
        await anyio.sleep(100)
    assert seen == [(1, 1), (2, 3), (3, 3), (4, 4), (5, 4)]


async def later(body: int, message: Message[int]) -> int:
    return message.headers["n"]


@pytest.mark.parametrize("function", [lambda body: -body, lambda body, message: message.headers["n"], later])
async def test_the_number_may_come_from_body_or_message(function: Any) -> None:
    """Functions of one or two parameters, plain or async; numbers may be negative."""
    out = Sink()
    feed = Feed([Message(n, {"n": -n}, f"m{n}") for n in (-3, 0, -1, -2)])
    await run_routes(sequenced(feed, number=function, start=0).to(out))
    assert out.bodies == [0, -1, -2, -3]


async def test_a_gap_is_waited_for_and_then_skipped(store: Store) -> None:
    """So long after the first message behind it came, not the last; whoever watches is told which numbers miss."""
    seen, run = Seen(), Run()
    source = Trickle(items=[(0, 1), (1, 4), (9, 5), (12, 9), (12, 7)])
    async with running(sequenced(source).transform(seen), setup=setup(store, run)):
        await anyio.sleep(100)
    assert seen == [(1, 0), (4, 11), (5, 11), (7, 22), (9, 22)]
    skipped = [(event.key, event.first, event.last) for event in run.of(GapSkipped)]
    assert skipped == [("", 2, 3), ("", 6, 6), ("", 8, 8)]


def test_the_console_tells_of_a_gap() -> None:
    """One line, with the numbers."""
    assert line_of(GapSkipped("r", "s", "", 2, 2))[1] == "r: resequence(s): number 2 is missing, going on without"
    assert line_of(GapSkipped("r", "s", "k", 2, 4))[1].endswith("numbers 2 to 4 are of k missing, going on without")


async def test_what_fills_a_gap_in_time_goes_on_in_order(store: Store) -> None:
    """The gap is over at once; a second one counts from its own first message."""
    seen = Seen()
    source = Trickle(items=[(0, 2), (1, 4), (9, 1)])
    async with running(sequenced(source).transform(seen), setup=setup(store)):
        await anyio.sleep(100)
    assert seen == [(1, 9), (2, 9), (4, 11)]


async def test_without_a_start_the_lowest_of_the_first_begins(store: Store) -> None:
    """The first messages wait as for a gap, since what comes before them is not known; nothing is missing then."""
    seen, run = Seen(), Run()
    source = Trickle(items=[(0, 8), (1, 7), (11, 9), (12, 6)])
    async with running(sequenced(source, start=None).transform(seen), setup=setup(store, run)):
        await anyio.sleep(100)
    assert seen == [(7, 10), (8, 10), (9, 11), (6, 12)]
    assert run.of(GapSkipped) == []


@pytest.mark.parametrize("late", ["pass", "refuse", "drop"])
async def test_late_messages(late: Any, store: Store) -> None:
    """A message whose place was passed goes on at once, is refused as LateMessage, or ends."""
    seen, run = Seen(), Run()
    source = Trickle(items=[(0, 2), (20, 1), (21, 0), (22, 3)])
    async with running(sequenced(source, late=late).transform(seen), setup=setup(store, run)) as service:
        await anyio.sleep(100)
        assert service.counts()["route-1"].dead == (2 if late == "refuse" else 0)
    assert seen == [(2, 10), *([(1, 20), (0, 21)] if late == "pass" else []), (3, 22)]
    letters = [(letter.error, letter.reason) for letter in await store.letters.list()]
    assert [error for error, _ in letters] == (["LateMessage"] * 2 if late == "refuse" else [])
    assert all("is late, next is 3; give a longer gap" in reason for _, reason in letters)


async def test_sequences_are_independent(store: Store) -> None:
    """With `per` each key has its own numbers, and its own gaps."""
    seen, run = Seen(), Run()
    bodies = ["a2", "b1", "b3", "a1", "b2", "c5"]
    flow = from_(Feed(bodies), str).resequence(
        "s", str, number=lambda body: int(body[1:]), per=lambda body: body[0], gap=10, start=1
    )
    async with running(flow.transform(seen), setup=setup(store, run)):
        await anyio.sleep(100)
    assert [body for body in seen.bodies if body[0] == "a"] == ["a1", "a2"]
    assert [body for body in seen.bodies if body[0] == "b"] == ["b1", "b2", "b3"]
    assert seen[-1] == ("c5", 10)
    assert [(event.key, event.first, event.last) for event in run.of(GapSkipped)] == [("c", 1, 4)]


@pytest.mark.parametrize("workers", [1, 2, 40])
async def test_one_goes_on_after_the_other(workers: int, store: Store) -> None:
    """The next message of a sequence is begun when the one before it is done, retries included.

    So many sequences go on at the same time, and take turns.
    """
    spans: dict[str, tuple[float, float]] = {}
    start = anyio.current_time()

    async def slow(body: str, message: Message[str]) -> str:
        began = anyio.current_time() - start
        await anyio.sleep(10)
        if body == "a1" and message.meta.attempt == 1:
            raise Unavailable("away")
        spans[body] = (round(began, 3), round(anyio.current_time() - start, 3))
        return body

    policy = Policy(retry=Retry(1, first=0))
    flow = from_(Feed(["a3", "a2", "a1", "b2", "b1"]), str, policy=policy).resequence(
        "s", str, number=lambda b: int(b[1:]), per=lambda b: b[0], gap=10, start=1, workers=workers
    )
    async with running(flow.transform(slow), setup=setup(store)):
        await anyio.sleep(100)
    if workers == 1:
        assert spans == {"a1": (10, 20), "b1": (20, 30), "a2": (30, 40), "b2": (40, 50), "a3": (50, 60)}
    else:
        assert spans == {"b1": (0, 10), "b2": (10, 20), "a1": (10, 20), "a2": (20, 30), "a3": (30, 40)}


async def test_a_letter_takes_its_turn(store: Store) -> None:
    """What is given up holds up nobody, and is replayed behind the resequencer, in its type."""
    out, ready = Sink(fail={1: ValueError("x")}), setup(store)
    flow = sequenced(Feed([2, 1, 3])).to(out)
    async with running(flow, setup=ready):
        await anyio.sleep(100)
    assert out.bodies == [2, 3]
    (letter,) = await store.letters.list()
    assert (letter.body, letter.entry) == (1, 1)
    assert await replay(letter, routes_of(flow), ready) is None
    assert out.bodies == [2, 3, 1]


async def test_a_letter_that_cannot_be_kept_keeps_its_turn() -> None:
    """The route is degraded and starts again: nothing has overtaken the message."""

    def flow(outside: Outside) -> Flow[Any]:
        first = [ValueError("x")]

        def fail(body: int) -> int:
            if body == 1 and first:
                raise first.pop()
            return body

        return sequenced(outside.source).transform(fail).to(outside.sink)

    letters = 0
    for at in range(1, 20):
        outside = Outside([2, 1, 3])
        await lives(flow, outside, [Crash(at, "fails before")], patience=200.0)
        letters += "fails before letters.add" in outside.crashed
        assert outside.bodies == sorted(outside.bodies)
        assert {*outside.bodies, *(letter.body for letter in outside.letters)} == {1, 2, 3}
    assert letters == 1


@dataclass(frozen=True)
class Order:
    number: int


async def test_a_message_goes_on_as_it_came(store: Store) -> None:
    """With its id and headers, and its body in its type."""
    out, message = Sink(), Message(Order(1), {"a": "x", "raw": b"\xff"}, "m1")
    flow = from_(Feed([message]), Order).resequence("s", Order, number=lambda order: order.number, gap=1)
    async with running(flow.to(out), setup=setup(store)):
        await anyio.sleep(10)
    assert out.messages == [message]


async def test_the_sequence_goes_on_after_a_restart() -> None:
    """What waits, the next number, and how long the gap has been waited for are all kept; so is the time off."""
    store, seen = DurableStore(), Seen()

    async def up(items: list[int], seconds: float, at: float = 0) -> None:
        source = Arriving(items=[(at, (f"m{n}", n)) for n in items])
        async with running(sequenced(source, start=None).transform(seen), setup=setup(store)):
            await anyio.sleep(seconds)

    await up([1], 11)
    await up([3], 4)
    await up([2], 2)
    await up([6], 4)
    await up([7], 5)
    await anyio.sleep(3)
    await up([5, 9], 100, at=1)
    assert seen == [(1, 10), (2, 15), (3, 15), (6, 29), (7, 29), (5, 30), (9, 40)]


async def test_a_durable_store_takes_the_message_over() -> None:
    """Its source is told when it is kept."""
    source = Watched([2])
    async with running(sequenced(source).to(Sink()), setup=setup(DurableStore())):
        await anyio.sleep(1)
        assert source.told == [("ack", "m2")]


async def test_in_memory_the_source_waits_too() -> None:
    """It is told when the rest of the route is done, or refuses; at a stop what waits is left to it."""
    source, out = Watched([2, 3, 5, 1]), Sink(fail={2: ValueError("x")})
    flow = sequenced(source).to(out)
    flow = Flow(flow.chain, flow.source, flow.body, Policy(dead_letter="refuse"), flow.place)
    async with running(flow):
        await anyio.sleep(5)
        assert sorted(source.told) == [("ack", "m1"), ("ack", "m3"), ("nack", "m2")]
    assert len(source.told) == 3
    assert out.bodies == [1, 3]


async def test_no_more_than_so_many_wait(store: Store) -> None:
    """When `most` wait, back-pressure could last for ever: the oldest gap is given up early instead."""
    seen, run = Seen(), Run()
    source = Trickle(items=[(0, 5), (1, 3), (2, 9), (3, 8), (4, 4), (5, 10)])
    flow = sequenced(source, most=3, gap=1000)
    async with running(flow.transform(seen), setup=setup(store, run)):
        await anyio.sleep(10)
    assert seen == [(3, 3), (4, 4), (5, 4)]
    assert [(event.first, event.last) for event in run.of(GapSkipped)] == [(1, 2)]


async def test_a_slow_rest_holds_the_source_up(store: Store) -> None:
    """While messages are on their way there will be room: no gap is given up, the source waits."""
    source, seen = Watched([1, 2, 3, 4, 6, 5]), Seen()

    async def slow(body: int) -> int:
        await anyio.sleep(10)
        return seen(body)

    async with running(sequenced(source, most=2, gap=1000).transform(slow), setup=setup(store)):
        await anyio.sleep(5)
        assert source.state["asked"] == 4
        await anyio.sleep(100)
    assert seen.bodies == [1, 2, 3, 4, 5, 6]


async def test_the_oldest_gap_of_all_sequences_is_given_up() -> None:
    """`most` bounds what the step keeps in all its sequences."""
    run, out = Run(), Sink()
    bodies = ["a5", "b5", "c5", "d1", "e1"]
    flow = from_(Feed(bodies), str).resequence(
        "s", str, number=lambda body: int(body[1:]), per=lambda body: body[0], gap=1000, start=1, most=2
    )
    async with running(flow.to(out), setup=setup(DurableStore(), run)):
        await anyio.sleep(10)
    assert out.bodies == ["a5", "d1", "e1"]


async def test_the_number_that_is_next_needs_no_room(store: Store) -> None:
    """It would wait for a place that only itself can make."""
    out, run = Sink(), Run()
    flow = from_(Watched([3, 2, 1]), int, policy=Policy(concurrency=3))
    flow = flow.resequence("s", int, number=number, gap=1000, start=1, most=2)
    async with running(flow.to(out), setup=setup(store, run)):
        await anyio.sleep(10)
    assert out.bodies == [1, 2, 3]


async def test_duplicates_are_dropped() -> None:
    """A message of a known id ends, while its first copy waits and for an hour after that, whatever `late` says."""
    store, out, source = DurableStore(), Sink(), Watched([3, 3, 1, 1, 2, 3, 1])
    async with running(sequenced(source, late="refuse").to(out), setup=setup(store)):
        await anyio.sleep(100)
    assert (out.bodies, len(source.told)) == ([1, 2, 3], 7)
    async with running(sequenced(Watched([2, 3]), late="refuse").to(out), setup=setup(store)):
        await anyio.sleep(100)
    assert out.bodies == [1, 2, 3]
    assert await store.letters.list() == []
    await anyio.sleep(7200)
    async with running(sequenced(Watched([4, 2]), late="refuse").to(out), setup=setup(store)):
        await anyio.sleep(100)
    assert [letter.error for letter in await store.letters.list()] == ["LateMessage"]


async def test_a_duplicate_needs_no_room() -> None:
    """Those of an earlier run that come again give up no gap, though they are as many as may wait."""
    store, out, run = DurableStore(), Sink(), Run()
    async with running(sequenced(Watched([2, 3]), most=2).to(out), setup=setup(store)):
        await anyio.sleep(1)
    flow = from_(Watched([2, 3, 3, 1]), int, policy=Policy(concurrency=3))
    flow = flow.resequence("s", int, number=number, gap=10, start=1, most=2)
    async with running(flow.to(out), setup=setup(store, run)):
        await anyio.sleep(1)
    assert (out.bodies, run.of(GapSkipped)) == ([1, 2, 3], [])


async def test_one_number_may_have_several_messages(store: Store) -> None:
    """Of different ids: they go on in the order in which they came, one after the other; then the next number."""
    out = Sink()
    twins = [Message(n, id=known_as) for n, known_as in ((2, "b1"), (3, "c"), (2, "b2"), (1, "a"))]
    async with running(sequenced(Watched(twins)).to(out), setup=setup(store)):
        await anyio.sleep(1)
    async with running(sequenced(Watched([Message(2, id="b3")])).to(out), setup=setup(store)):
        await anyio.sleep(1)
    expected = ["a", "b1", "b2", "c", "b3"]  # the last one is late
    assert [message.id for message in out.messages] == expected


@pytest.mark.parametrize("found", [None, "1", 1.0, True])
async def test_a_number_is_an_int(found: Any) -> None:
    """What is none is a dead letter."""
    run = await run_routes(sequenced(Feed([1]), number=lambda body: found))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert f"the number is {found!r}" in run.letters[0].reason


async def test_an_empty_key_is_refused() -> None:
    """A message without a key belongs to no sequence."""
    run = await run_routes(sequenced(Feed([1]), per=lambda body: ""))
    assert [letter.error for letter in run.letters] == ["BodyError"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gap": -1}, "gap is -1"),
        ({"gap": float("inf")}, "gap is inf"),
        ({"gap": float("nan")}, "gap is nan"),
        ({"most": 0}, "most is 0"),
        ({"workers": 0}, "workers is 0"),
        ({"late": "later"}, "late is 'later'"),
        ({"start": "1"}, "start is '1'"),
        ({"number": lambda: 1}, "a step calls its function"),
        ({"per": lambda: 1}, "a step calls its function"),
        ({"name": ""}, "the name of the state"),
        ({"body": None}, "the type of the bodies is None"),
    ],
)
def test_wrong_options(options: Any, said: str) -> None:
    """They are refused where they are written."""
    with pytest.raises(DefinitionError, match=said):
        Flow[int]().resequence(**{"name": "s", "body": int, "number": number, "gap": 1, **options})


def test_it_says_what_it_does() -> None:
    """Its label has the name, the number and the key; check finds two of one name."""
    step = Resequence[int](name="s", body=int, number=number, gap=1, per=abs)
    assert (step.state(), step.label) == ("s", "resequence(s by number per abs)")
    flow = sequenced("timer:t")
    assert check([flow.route("r")], Catalog()) == []
    again = flow.resequence("s", int, number=number, gap=1)
    assert "owned by two steps" in check([again.route("r")], Catalog())[0].message


async def test_it_can_be_flushed(store: Store) -> None:
    """The control bus sees how many wait, and lets them go on in order; what comes then is waited for again."""
    out = Sink()
    source = Trickle(items=[(0, "a9"), (0, "a5"), (0, "b3"), (0, "b4"), (10, "b6")])
    flow = from_(source, str).resequence(
        "s", str, number=lambda body: int(body[1:]), per=lambda body: body[0], gap=1000, start=1
    )
    async with running(flow.to(out), setup=setup(store)) as service:
        await anyio.sleep(1)
        assert await service.control("stats", "s") == {"waiting": 4, "sequences": 2}
        assert await service.control("flush", "s", key="a") == 1
        await anyio.sleep(1)
        assert out.bodies == ["a5", "a9"]
        assert await service.control("flush", "s") == 1
        await anyio.sleep(20)
        assert out.bodies == ["a5", "a9", "b3", "b4"]
        assert await service.control("stats", "s") == {"waiting": 1, "sequences": 1}


async def test_idle_sequences_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be very many keys over time; a sequence that is not known any more goes on where it was."""
    monkeypatch.setattr(resequence, "_IDLE", 5)
    store, out = DurableStore(), Sink()
    bodies = [(key, n) for n in (1, 2) for key in range(100)]
    flow = from_(Trickle(items=list(enumerate(bodies))), tuple[int, int]).resequence(
        "s", tuple[int, int], number=lambda body: body[1], per=lambda body: body[0], gap=1000, start=1
    )
    reads: list[str] = []
    get = store.marks("s").get

    async def counted(key: str) -> str | None:
        reads.append(key)
        return await get(key)

    monkeypatch.setattr(store.marks("s"), "get", counted)
    async with running(flow.to(out), setup=setup(store)):
        await anyio.sleep(1000)
    assert out.bodies == bodies
    assert len(reads) > 180


def crashing(outside: Outside) -> Flow[Any]:
    flow = from_(outside.source, int, policy=PATIENT)
    return flow.resequence("s", int, number=lambda n: n, gap=5, start=1).to(outside.sink)


@pytest.mark.parametrize("items", [[3, 1, 2], [2, 4, 1]])
async def test_order_is_kept_wherever_it_crashes(items: list[int]) -> None:
    """Dead or failing at any operation and started again: none is lost, none overtakes, at most one comes twice.

    And no gap is seen where there is none.
    """
    missing = GapSkipped("route-1", "s", "", 3, 3)

    def sound(outside: Outside) -> None:
        assert set(outside.bodies) == set(items)
        assert not outside.waiting
        assert not outside.letters
        assert outside.bodies == sorted(outside.bodies)
        twice = [body for body, sent in Counter(outside.bodies).items() if sent > 1]
        assert len(twice) <= 1
        between = {"sink.send", "marks.put", "source.ack", "groups.add"}  # some messages are kept meanwhile
        assert not twice or {crash.split()[-1] for crash in outside.crashed} <= between
        gaps = {event for event in outside.events if isinstance(event, GapSkipped)}
        assert gaps == (set() if 3 in items else {missing})

    crashes = await every_crash(crashing, lambda: Outside(items), sound, patience=200.0, down=1.0)
    assert crashes > 40


async def test_twins_survive_every_crash() -> None:
    """Several messages of one number too."""

    def sound(outside: Outside) -> None:
        assert list(dict.fromkeys(outside.ids)) == ["a", "b1", "b2", "c"]
        assert len(outside.ids) <= 5
        assert not outside.waiting

    twins = [Message(n, id=known_as) for n, known_as in ((2, "b1"), (3, "c"), (2, "b2"), (1, "a"))]
    await every_crash(crashing, lambda: Outside(twins), sound, patience=200.0)


async def test_late_ones_survive_every_crash() -> None:
    """A late message that goes on at once is lost nowhere, and leaves nothing behind."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int, policy=PATIENT).resequence("s", int, number=number, gap=0).to(outside.sink)

    async def sound(outside: Outside) -> None:
        assert set(outside.bodies) == {5, 3, 4}
        assert len(outside.bodies) <= 4
        assert not outside.waiting
        assert await outside.store.groups("s").all() == []

    async def world() -> Outside:
        outside = Outside([5])
        await lives(flow, outside, patience=100.0)
        for body in (3, 4):
            outside.waiting[f"m{body}"] = Message(body, id=f"m{body}")
        return outside

    for kind in ("dies before", "dies after", "fails before", "fails after"):
        for at in range(1, 15):
            outside = await world()
            await lives(flow, outside, [Crash(at, kind)], patience=100.0)
            await sound(outside)


async def test_what_was_released_is_known_after_a_crash() -> None:
    """A process that died before it could forget a message that had its turn: redelivered, it is no late one."""

    def strict(outside: Outside) -> Flow[Any]:
        flow = from_(outside.source, int).resequence("s", int, number=number, gap=5, start=1, late="refuse")
        return flow.to(outside.sink)

    for at in range(1, 20):
        outside = Outside([1])
        await lives(strict, outside, [Crash(at, "dies before")], patience=50.0)
        outside.waiting["m1"] = Message(1, id="m1")
        await lives(strict, outside, patience=50.0)
        assert (set(outside.bodies), outside.letters, outside.done) == ({1}, [], True)


async def test_a_stop_at_any_moment_repeats_nothing() -> None:
    """An orderly stop leaves no message that has gone on and is not forgotten, and no gap in the order."""

    def flow(outside: Outside) -> Flow[Any]:
        async def slow(body: int) -> int:
            await anyio.sleep(0.5)
            return body

        return sequenced(outside.source).transform(slow).to(outside.sink)

    for tenths in range(18):
        outside = Outside([3, 1, 2])
        await lives(flow, outside, patience=tenths / 10)
        await lives(flow, outside, patience=10.0)
        assert outside.bodies == [1, 2, 3]


@pytest.mark.real_time
async def test_crashes_with_a_real_store(tmp_path: Path) -> None:
    """The same with a file."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).resequence("s", int, number=number, gap=0.05, start=1).to(outside.sink)

    for at in range(1, 18):
        async with open_sqlite(str(tmp_path / f"{at}.db"), {}, wall) as store:
            outside = Outside([4, 1, 2], store=store)
            with anyio.fail_after(20):
                await lives(
                    flow,
                    outside,
                    [Crash(at, "dies after")],
                    until=lambda outside=outside: set(outside.bodies) == {1, 2, 4} or outside.life.ended,
                )
            assert outside.bodies == sorted(outside.bodies)
            assert len(outside.bodies) <= 4


class Arriving(Trickle):
    """Messages whose ids are the same in each run; then it rests."""

    scheme = "arriving"

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        async for delivery in super().consume(runtime):
            known_as, body = delivery.message.body
            yield Delivery(Message(body, id=known_as))
        while True:
            await runtime.rest(10_000)


schedules = some.lists(
    some.tuples(some.integers(0, 4), some.sampled_from("ab"), some.integers(0, 9)), min_size=1, max_size=14
)


@settings(max_examples=80)
@given(
    schedules,
    some.sampled_from([None, 0, 3]),
    some.sampled_from(["pass", "drop"]),
    some.sets(some.integers(0, 14), max_size=3),
    some.booleans(),
)
async def test_any_schedule_goes_as_a_plain_oracle_says(
    schedule: list[tuple[int, str, int]], start: int | None, late: Any, restarts: set[int], again: bool
) -> None:
    """Two sequences with gaps, twins and late ones, over restarts that find their source at its start again."""
    arrivals = [
        (sum(wait for wait, *_ in schedule[: n + 1]) + n / 1000, key, number)
        for n, (_, key, number) in enumerate(schedule)
    ]
    store, seen, begun = DurableStore(), list[tuple[float, str]](), anyio.current_time()

    def note(body: str) -> None:
        seen.append((round(anyio.current_time() - begun, 3), body))

    cuts = sorted({arrivals[n][0] + 0.0005 for n in restarts if n < len(arrivals)})
    for up, down in zip([0.0, *cuts], [*cuts, arrivals[-1][0] + 200], strict=True):
        await anyio.sleep_until(begun + up)
        items = [
            (max(0.0, at - up), (f"m{n}", f"{key}{number}"))
            for n, (at, key, number) in enumerate(arrivals)
            if at < down and (again or at >= up)
        ]
        flow = from_(Arriving(items=items), str).resequence(
            "s", str, number=lambda b: int(b[1:]), per=lambda b: b[0], gap=5, start=start, late=late
        )
        async with running(flow.transform(note), setup=setup(store)):
            await anyio.sleep_until(begun + down)
    if again and late == "pass":  # a late one is not kept, so it is known to nobody and goes on again
        seen = list({body: (at, body) for at, body in reversed(seen)}.values())
        assert {body for _, body in seen} == {f"{key}{number}" for _, key, number in arrivals}
        return
    for key in "ab":
        mine = [(at, number) for at, of, number in arrivals if of == key]
        expected = [(round(at, 3), f"{key}{number}") for at, number in oracle(mine, start, late)]
        assert [one for one in seen if one[1][0] == key] == expected


def oracle(arrivals: list[tuple[float, int]], start: int | None, late: str, gap: float = 5) -> list[tuple[float, int]]:
    """What goes on when, by going through time and looking at all that waits."""
    next_number, waiting, went = start, list[tuple[float, int]](), list[tuple[float, int]]()

    def settle(now: float) -> None:
        nonlocal next_number, waiting
        while waiting and (any(n == next_number for _, n in waiting) or min(waiting)[0] + gap <= now):
            first = next_number if any(n == next_number for _, n in waiting) else min(n for _, n in waiting)
            went.extend((now, n) for _, n in waiting if n == first)
            waiting = [(at, n) for at, n in waiting if n != first]
            next_number = (first or 0) + 1

    for at, number in [*arrivals, (float("inf"), 0)]:
        while waiting and min(waiting)[0] + gap <= at:
            settle(min(waiting)[0] + gap)
        if at == float("inf"):
            break
        if next_number is not None and number < next_number:
            went += [(at, number)] if late == "pass" else []
        else:
            waiting.append((at, number))
            settle(at)
    return went


@settings(max_examples=40)
@given(
    some.permutations(range(8)),
    some.integers(1, 8),
    some.integers(1, 4),
    some.lists(some.tuples(some.integers(1, 40), some.sampled_from(["dies before", "dies after"])), max_size=3),
)
async def test_any_order_and_crashes_give_the_sequence(
    order: list[int], most: int, concurrency: int, crashes: list[tuple[int, Any]]
) -> None:
    """With a long gap and room for all, messages go on in order whatever happens; with less room none is lost."""
    policy = Policy(concurrency=concurrency, retry=Retry(3))

    def flow(outside: Outside) -> Flow[Any]:
        source = from_(outside.source, int, policy=policy)
        return source.resequence("s", int, number=number, gap=100, start=0, most=most).to(outside.sink)

    outside = Outside(order)
    await lives(flow, outside, [Crash(at, kind) for at, kind in crashes], patience=1000.0)
    assert set(outside.bodies) == set(range(8))
    assert not outside.waiting
    assert sum(Counter(outside.bodies).values()) - 8 <= len(outside.crashed) * (
        concurrency + 1
    )  # those that pass, and one in turn
    if most == 8:
        assert outside.bodies == sorted(outside.bodies)
