"""aggregate"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from routekit import DefinitionError, Flow, Message, Policy, Retry, Unavailable, from_
from routekit.check import check
from routekit.eip.aggregate import Aggregate
from routekit.plugins import Catalog
from routekit.stores._groups import MemoryGroups
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..crashing import DurableStore, Outside, every_crash
from ..fakes import Calls, Trickle, Watched

pytestmark = pytest.mark.anyio


def by_tens(number: int) -> int:
    return number // 10


def durable() -> MemoryStore:
    return DurableStore(anyio.current_time)


async def test_a_group_goes_on_when_it_has_its_size() -> None:
    """Messages of a key go on as one list, in the order in which they came; other keys do not count."""
    out = Sink()
    flow = from_(Feed([1, 11, 2, 12, 3]), int).aggregate("tens", int, key=by_tens, size=2).to(out)
    await run_routes(flow)
    assert out.bodies == [[1, 2], [11, 12]]


async def test_a_group_says_what_it_is() -> None:
    """Its headers: those that all messages have in common, and the key, the size and the reason; its id is its own."""
    out = Sink()
    feed = Feed([Message(1, {"a": 1, "b": 1}, "m1"), Message(2, {"a": 1, "b": 2, "c": 3}, "m2")])
    await run_routes(from_(feed, int).aggregate("tens", int, key=by_tens, size=2).to(out))
    (message,) = out.messages
    assert dict(message.headers) == {"a": 1, "group.key": "int:0", "group.size": 2, "group.by": "size"}
    assert message.id == "tens#1"


async def test_the_size_may_come_with_each_message() -> None:
    """A function says how many messages make a group."""
    out = Sink()
    rows = [{"order": 1, "lines": 2}, {"order": 2, "lines": 1}, {"order": 1, "lines": 2}]
    flow = from_(Feed(rows), dict).aggregate("o", dict, key=lambda r: r["order"], size=lambda r: r["lines"]).to(out)
    await run_routes(flow)
    assert [[row["order"] for row in body] for body in out.bodies] == [[2], [1, 1]]


async def test_a_group_goes_on_when_nothing_has_come_for_a_while() -> None:
    """`timeout` counts from the last message of the group, exactly."""
    out, went = Sink(), list[float]()

    source = Trickle(items=[(0, 1), (4, 2), (8, 3)])
    started = anyio.current_time()
    flow = (
        from_(source, int)
        .aggregate("tens", int, key=by_tens, timeout=5)
        .transform(lambda body: went.append(anyio.current_time() - started) or body)
        .to(out)
    )
    await run_routes(flow)
    assert out.bodies == [[1, 2, 3]]
    assert went == [pytest.approx(13)]
    assert out.messages[0].headers["group.by"] == "timeout"


async def test_the_timeout_may_come_with_each_message() -> None:
    """A message can put the end of its group nearer."""
    out = Sink()
    flow = from_(Trickle(items=[(0, 9), (1, 2)]), int).aggregate("t", int, key=lambda n: 0, timeout=lambda n: n).to(out)
    before = anyio.current_time()
    await run_routes(flow)
    assert anyio.current_time() - before == pytest.approx(3)
    assert out.bodies == [[9, 2]]


async def test_all_groups_go_on_every_so_often() -> None:
    """`every` completes all groups at multiples of the time."""
    out = Sink()
    flow = from_(Trickle(items=[(0, 1), (1, 11), (70, 2)]), int).aggregate("t", int, key=by_tens, every=60).to(out)
    await run_routes(flow)
    assert sorted(out.bodies) == [[1], [2], [11]]
    assert out.messages[0].headers["group.by"] == "every"


async def test_a_predicate_looks_at_the_group() -> None:
    """`when` gets the bodies so far, the new one included."""
    out = Sink()
    await run_routes(
        from_(Feed([4, 3, 5, 6, 9]), int).aggregate("sum", int, key=lambda n: 0, when=lambda ns: sum(ns) > 10).to(out)
    )
    assert out.bodies == [[4, 3, 5], [6, 9]]


async def test_a_message_may_be_the_last_of_its_group() -> None:
    """`last` looks at the message alone, eagerly, and includes it."""
    out = Sink()
    flow = from_(Feed(["a", "b", "end", "c"]), str).aggregate("t", str, key=lambda n: 0, last=lambda t: t == "end")
    await run_routes(flow.to(out))
    assert out.bodies == [["a", "b", "end"]]


async def test_a_message_may_begin_the_next_group() -> None:
    """`before` sees the group and the message that comes: the group goes on without it."""
    out = Sink()
    flow = from_(Feed([1, 2, 9, 10, 20]), int).aggregate(
        "runs", int, key=lambda n: 0, before=lambda ns, n: n - ns[-1] > 1
    )
    await run_routes(flow.to(out))
    assert out.bodies == [[1, 2], [9, 10]]


async def test_a_new_key_ends_the_groups_before_it() -> None:
    """With `one_key`, sorted input needs no other rule."""
    out = Sink()
    await run_routes(from_(Feed([1, 2, 11, 12, 21]), int).aggregate("t", int, key=by_tens, one_key=True).to(out))
    assert out.bodies == [[1, 2], [11, 12]]


async def test_a_signal_completes_all_groups() -> None:
    """A message for which `flush` holds is no part of any group, and is acknowledged."""
    out, feed = Sink(), Feed([1, 11, -1, 2])
    await run_routes(from_(feed, int).aggregate("t", int, key=by_tens, flush=lambda n: n < 0).to(out))
    assert out.bodies == [[1], [11]]
    assert sorted(told for told, _ in feed.acknowledged) == ["feed-1", "feed-2", "feed-3"]


async def test_without_a_durable_store_a_message_is_done_with_its_group() -> None:
    """Its source is told nothing before; the slot is free meanwhile, so that one slot is enough for a whole group."""
    source, out = Watched([1, 2, 3]), Sink()
    flow = from_(source, int).aggregate("t", int, key=by_tens, size=2, timeout=100).to(out)
    async with running(flow) as service:
        await anyio.sleep(1)
        assert source.told == [("ack", "m1"), ("ack", "m2")]
        await anyio.sleep(100)
        assert out.bodies == [[1, 2], [3]]
        assert service.counts()["route-1"].held == 0
    assert source.told[-1] == ("ack", "m3")


async def test_what_is_held_at_a_stop_is_left_to_the_source() -> None:
    """An incomplete group in memory is neither acknowledged nor refused, and the stop does not wait for it."""
    source = Watched([1])
    flow = from_(source, int).aggregate("t", int, key=by_tens, size=2).to(Sink())
    before = anyio.current_time()
    async with running(flow) as service:
        await anyio.sleep(1)
        assert service.counts()["route-1"].held == 1
    assert source.told == []
    assert anyio.current_time() - before == pytest.approx(1)


async def test_with_a_durable_store_a_message_is_done_when_it_is_kept() -> None:
    """The group goes on in a later run."""
    store, out, first = durable(), Sink(), Feed([1])

    def flow(feed: Feed) -> Flow[Any]:
        return from_(feed, int).aggregate("t", int, key=by_tens, size=2).to(out)

    await run_routes(flow(first), store=store)
    assert len(first.acknowledged) == 1
    assert out.bodies == []
    await run_routes(flow(Feed([Message(2, id="m2")])), store=store)
    assert out.bodies == [[1, 2]]


async def test_timers_outlive_the_process() -> None:
    """A timeout counts on over a restart, and one that has passed meanwhile ends the group at once."""
    store, out = durable(), Sink()
    flow = from_(Watched([1]), int).aggregate("t", int, key=by_tens, timeout=100).to(out)
    async with running(flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
        await anyio.sleep(30)
    async with running(flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
        await anyio.sleep(69)
        assert out.bodies == []
        await anyio.sleep(2)
        assert out.bodies == [[1]]


class SlowToAdd(MemoryGroups):
    """Groups in which a message is kept a second after it was asked for."""

    async def add(self, *args: Any, **kwargs: Any) -> Any:
        found = await super().add(*args, **kwargs)
        await anyio.sleep(1)
        return found


async def test_a_message_that_is_kept_when_its_time_is_over_has_its_timer() -> None:
    """Its deadline does not leave a group behind that nobody knows of."""
    store, out = durable(), Sink()
    store._groups["t"] = SlowToAdd(anyio.current_time)  # a store that takes its time
    flow = from_(Watched([1]), int, policy=Policy(deadline=0.5)).aggregate("t", int, key=by_tens, timeout=5).to(out)
    async with running(flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
        await anyio.sleep(20)
    assert out.bodies == [[1]]


class SlowToLoad(MemoryGroups):
    """Groups whose listing takes a second to arrive."""

    async def all(self) -> Any:
        found = await super().all()
        await anyio.sleep(1)
        return found


async def test_messages_wait_until_the_groups_of_an_earlier_run_are_known() -> None:
    """So that none goes on twice, and each waits for its own timer."""
    store, out, went = durable(), Sink(), list[float]()
    store._groups["t"] = SlowToLoad(anyio.current_time)  # a store that takes its time
    for items in ([1, 11], [2, 12]):
        flow = from_(Watched(items), int).aggregate("t", int, key=by_tens, size=lambda n: 2 if n < 10 else 9, timeout=5)
        flow = flow.transform(lambda body: went.append(anyio.current_time()) or body).to(out)
        async with running(flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
            start = anyio.current_time()
            await anyio.sleep(3 if items == [1, 11] else 10)
    assert out.bodies == [[1, 2], [11, 12]]
    assert went == [pytest.approx(start + 1), pytest.approx(start + 6)]


async def test_bodies_come_back_in_their_type() -> None:
    """Whatever the store, a group holds what was kept: as its type, not as the plain data that was stored."""
    from dataclasses import dataclass
    from decimal import Decimal

    @dataclass(frozen=True)
    class Line:
        order: str
        price: Decimal

    out = Sink()
    lines = [Line("a", Decimal("1.10")), Line("a", Decimal("2"))]
    await run_routes(from_(Feed(lines), Line).aggregate("t", Line, key=lambda line: line.order, size=2).to(out))
    assert out.bodies == [lines]


async def test_a_body_that_would_not_come_back_is_refused_at_once() -> None:
    """It is a dead letter that names both types; nothing is kept."""
    run = await run_routes(from_(Feed(["x"])).aggregate("t", int, key=lambda n: 0, size=1))
    (letter,) = run.letters
    assert letter.error == "BodyError"
    assert "a body of type str cannot be kept as int" in letter.reason


async def test_a_redelivered_message_is_kept_once() -> None:
    """While its group is open, and after it was released too, if the store is durable."""
    out = Sink()
    same = Message(1, id="m1")
    flow = from_(Feed([same, same, Message(2, id="m2"), same, Message(3, id="m3")]), int)
    await run_routes(flow.aggregate("t", int, key=lambda n: 0, size=2).to(out), store=durable())
    assert out.bodies == [[1, 2]]


@pytest.mark.parametrize(("late", "bodies", "letters"), [("new", 2, 0), ("refuse", 1, 1), ("drop", 1, 0)])
async def test_late_messages(late: Any, bodies: int, letters: int) -> None:
    """After its group is closed, a message opens a new one, is refused as LateMessage, or ends."""
    out = Sink()
    flow = from_(Feed([1, 2, 3, 4]), int).aggregate("t", int, key=by_tens, size=2, late=late).to(out)
    run = await run_routes(flow)
    assert len(out.bodies) == bodies
    assert {letter.error for letter in run.letters} == ({"LateMessage"} if letters else set())


@pytest.mark.parametrize("empty", [None, ""])
async def test_a_message_without_a_key(empty: Any) -> None:
    """It is refused, or dropped if that is asked for."""
    run = await run_routes(from_(Feed([1]), int).aggregate("t", int, key=lambda n: empty, size=1))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    run = await run_routes(from_(Feed([1]), int).aggregate("t", int, key=lambda n: empty, size=1, no_key="drop"))
    assert run.letters == []
    assert run.counts["route-1"].ended == 1


async def test_too_many_groups_let_the_oldest_go_on() -> None:
    """Groups are bounded; the oldest goes on early rather than that all wait for ever."""
    out = Sink()
    await run_routes(from_(Feed([1, 11, 21]), int).aggregate("t", int, key=by_tens, size=9, most=2).to(out))
    assert out.bodies == [[1]]
    assert out.messages[0].headers["group.by"] == "most"


async def test_groups_may_go_on_at_a_stop() -> None:
    """With `at_stop="release"` what is open is completed when the route has taken its last message."""
    out, feed = Sink(), Feed([1, 11, 2])
    flow = from_(feed, int).aggregate("t", int, key=by_tens, size=9, at_stop="release").to(out)
    await run_routes(flow)
    assert out.bodies == [[1, 2], [11]]
    assert len(feed.acknowledged) == 3


async def test_a_failing_group_is_retried_by_the_policy() -> None:
    """The group is tried again, not the message that completed it."""
    out = Sink(fail={1: Unavailable("away")})
    keys: list[int] = []
    flow = from_(Feed([1, 2]), int, policy=Policy(retry=Retry(2, first=1)))
    flow = flow.aggregate("t", int, key=lambda n: keys.append(n) or 0, size=2).to(out)
    run = await run_routes(flow)
    assert out.bodies == [[1, 2]]
    assert keys == [1, 2]
    assert run.letters == []


async def test_a_group_that_is_given_up_is_a_letter_of_its_own() -> None:
    """It holds all bodies, and is replayed where groups enter."""
    feed = Feed([1, 2])
    run = await run_routes(
        from_(feed, int).aggregate("t", int, key=by_tens, size=2).to(Sink(fail={1: ValueError("x")}))
    )
    (letter,) = run.letters
    assert (letter.body, letter.message_id, letter.entry) == ([1, 2], "t#1", 1)
    assert len(feed.acknowledged) == 2


async def test_in_memory_a_refused_group_refuses_its_messages() -> None:
    """With `dead_letter="refuse"` each source hears of the failure."""
    feed = Feed([1, 2, 3])
    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).aggregate("t", int, key=by_tens, size=2)
    await run_routes(flow.to(Sink(fail={1: ValueError("x")})))
    assert [(told, str(error)) for told, error in feed.refused] == [("feed-1", "x"), ("feed-2", "x")]


async def test_parts_of_one_message_may_be_a_group() -> None:
    """Splitting and aggregating, one slot, one worker: the parent is done when the group of its parts is."""
    out, feed = Sink(), Feed([[1, 2, 3]])
    flow = from_(feed, list).split(lambda ns: ns).aggregate("t", int, key=by_tens, size=3).to(out)
    await run_routes(flow)
    assert out.bodies == [[1, 2, 3]]
    assert len(feed.acknowledged) == 1


async def test_groups_of_groups() -> None:
    """What a first aggregate has released is held by the second one: all is done with the last group."""
    out, feed = Sink(), Feed([1, 2, 3, 4])
    flow = (
        from_(feed, int)
        .aggregate("pairs", int, key=lambda n: 0, size=2)
        .aggregate("all", list[int], key=lambda ns: 0, size=2)
        .to(out)
    )
    run = await run_routes(flow)
    assert out.bodies == [[[1, 2], [3, 4]]]
    assert len(feed.acknowledged) == 4
    assert run.counts["route-1"].held == 0


async def test_a_called_route_holds_for_its_caller() -> None:
    """Behind `direct:`, it is the message of the outer route that waits."""
    out, feed = Sink(), Feed([1, 2, 3])
    outer = from_(feed, int).to("direct:collect")
    inner = from_("direct:collect", int).aggregate("t", int, key=by_tens, size=2).to(out)
    await run_routes(outer, inner)
    assert out.bodies == [[1, 2]]
    assert [told for told, _ in feed.acknowledged] == ["feed-1", "feed-2"]


async def test_a_caller_waits_for_its_group() -> None:
    """A listener's caller gets its answer when the group of its message is done."""
    calls, out = Calls([1, 2]), Sink()
    async with running(from_(calls, int).aggregate("t", int, key=by_tens, size=2).to(out)):
        await anyio.sleep(1)
        assert calls.answers == {1: None, 2: None}


def not_three(*given: Any) -> Any:
    """A function of the author's that fails for the body 3, alone or the last of a group."""
    body = given[-1][-1] if isinstance(given[-1], list) else given[-1]
    if body == 3:
        raise KeyError("three")
    return 1000


FAILING: dict[str, dict[str, Any]] = {
    "key": {"key": lambda n: not_three(n)},
    "size": {"size": lambda n: not_three(n)},
    "timeout": {"timeout": lambda n: not_three(n)},
    "last": {"last": lambda n: not_three(n) < 0},
    "flush": {"flush": lambda n: not_three(n) < 0},
    "when": {"when": lambda bodies: not_three(bodies) < 0},
    "before": {"before": lambda bodies, n: not_three(n) < 0},
    "timeout and when": {"timeout": lambda n: not_three(n), "when": lambda bodies: False},
}


@pytest.mark.parametrize("durably", [True, False])
@pytest.mark.parametrize("option", FAILING)
async def test_a_message_that_cannot_be_judged_is_not_kept(option: str, durably: bool) -> None:
    """It is a dead letter with the error of the function, and in no group besides; the others are kept."""
    store = durable() if durably else MemoryStore(anyio.current_time)
    options: dict[str, Any] = {"key": lambda n: "k", "size": 100, **FAILING[option]}
    flow = from_(Feed([1, 2, 3, 4]), int).aggregate("s", int, **options)
    async with running(flow, setup=setup_for(Run(), store=store, now=anyio.current_time)):
        await anyio.sleep(1)
        (group,) = await store.groups("s").all()
    (letter,) = await store.letters.list()
    assert (letter.error, letter.body, group.size) == ("KeyError", 3, 3)
    assert letter.step.startswith("aggregate(s")


async def test_predicates_may_be_async() -> None:
    """Those that look at the group too: what they return is awaited, and not taken for true."""

    async def full(bodies: Any) -> bool:
        await anyio.sleep(0.1)
        return len(bodies) == 3

    async def new_ten(bodies: Any, body: int) -> bool:
        await anyio.sleep(0.1)
        return body // 10 != bodies[-1] // 10

    out = Sink()
    flow = from_(Feed([1, 2, 3, 4, 11]), int).aggregate("s", int, key=lambda n: 1, when=full, before=new_ten, timeout=9)
    await run_routes(flow.to(out))
    assert out.bodies == [[1, 2, 3], [4], [11]]


async def test_a_group_that_fits_the_route_no_more() -> None:
    """After a restart its timer cannot be set: it goes on at once, and what fails then is told in its letter."""

    def flow(source: Any, kind: Any, timeout: Any) -> Flow[Any]:
        return from_(source, kind).aggregate("s", kind, key=lambda n: 1, timeout=timeout).to(out)

    for kind, timeout in ((int, not_three), (dict, 9)):
        store, out = durable(), Sink()
        setup = setup_for(Run(), store=store, now=anyio.current_time)
        async with running(flow(Watched([3]), int, 1000), setup=setup):
            await anyio.sleep(1)
        async with running(flow(Watched(), kind, timeout), setup=setup) as service:
            await anyio.sleep(1)
            assert service.runners[0].state == "running"
        letters = [(letter.error, letter.body) for letter in await store.letters.list()]
        assert (out.bodies, letters) == (([[3]], []) if kind is int else ([], [("BodyError", [3])]))


async def test_concurrent_messages_never_overfill_a_group() -> None:
    """With many in flight each group has exactly its size."""
    out = Sink()
    flow = from_(Feed(range(100)), int, policy=Policy(concurrency=16))
    await run_routes(flow.aggregate("t", int, key=lambda n: n % 3, size=4).to(out))
    assert {len(body) for body in out.bodies} == {4}
    assert len(out.bodies) == 24


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "no group would ever be complete"),
        ({"size": 0}, "size is 0"),
        ({"timeout": -1}, "timeout is -1"),
        ({"size": 1, "most": 0}, "most is 0"),
    ],
)
def test_wrong_options(options: Any, said: str) -> None:
    """They are refused where they are written."""
    with pytest.raises(DefinitionError, match=said):
        Flow[int]().aggregate("t", int, key=by_tens, **options)
    with pytest.raises(DefinitionError, match="the name of the state"):
        Flow[int]().aggregate("", int, key=by_tens, size=1)


def test_two_with_one_name_are_found_by_check() -> None:
    """In one route they would share their groups."""
    flow = from_("timer:t", int).aggregate("t", int, key=by_tens, size=1)
    problems = check([flow.aggregate("t", list[int], key=len, size=1).route("r")], Catalog())
    assert "state 't' is owned by two steps" in problems[0].message
    step = Aggregate[int](name="t", body=int, key=by_tens, size=1)
    assert (step.state(), step.label) == ("t", "aggregate(t by by_tens)")


@pytest.mark.parametrize("options", [{"size": 2}, {}, {"when": lambda ns: len(ns) == 2}])
async def test_nothing_is_lost_wherever_it_crashes(options: Any) -> None:
    """Dead or failing at any operation and started again: every message is in a group, in no two different ones."""

    def flow(outside: Outside) -> Flow[Any]:
        return from_(outside.source, int).aggregate("t", int, key=by_tens, timeout=5, **options).to(outside.sink)

    def sound(outside: Outside) -> None:
        groups = {message.id: message.body for message in outside.sent}
        assert all(groups[message.id] == message.body for message in outside.sent), "a group changed when it came again"
        kept = {letter.body for letter in outside.letters if letter.error == "StoreError"}
        assert sorted({n for body in groups.values() for n in body} | kept) == [1, 2, 11, 12]
        assert not outside.waiting

    crashes = await every_crash(flow, lambda: Outside([1, 11, 2, 12]), sound, patience=100.0)
    assert crashes > 20


schedules = some.lists(
    some.tuples(some.sampled_from([0.0, 1.0, 3.0, 7.0]), some.integers(0, 2)), min_size=1, max_size=14
)


@settings(max_examples=60)
@given(schedules, some.sampled_from([None, 2, 3]), some.sampled_from([None, 5.0]), some.booleans())
async def test_any_schedule_makes_the_groups_of_a_plain_oracle(
    schedule: list[tuple[float, int]], size: int | None, timeout: float | None, lasting: bool
) -> None:
    """Size and timeout, in memory and durable, give what a loop over the arrivals gives."""
    if size is None and timeout is None:
        size = 2
    items = [(wait, (number, key)) for number, (wait, key) in enumerate(schedule)]
    out = Sink()
    flow = from_(Trickle(items=timed(items))).aggregate(
        "t", tuple[int, int], key=lambda b: b[1], size=size, timeout=timeout
    )
    store = durable() if lasting else MemoryStore(anyio.current_time)
    async with running(flow.to(out), setup=setup_for(Run(), store=store, now=anyio.current_time)):
        await anyio.sleep(1000)
    assert sorted(out.bodies) == sorted(oracle(timed(items), size, timeout))


def timed(items: list[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """Waits as times from the start, none of them on the moment at which a timer rings."""
    total, out = 0.0, list[tuple[float, Any]]()
    for number, (wait, body) in enumerate(items):
        total += wait
        out.append((total + number * 0.001, body))
    return out


def oracle(items: list[tuple[float, Any]], size: int | None, timeout: float | None) -> list[list[Any]]:
    groups: dict[int, tuple[float, list[Any]]] = {}
    done: list[list[Any]] = []
    for at, body in [*items, (10_000.0, None)]:
        for key, (last, bodies) in list(groups.items()):
            if timeout is not None and last + timeout <= at:
                done.append(bodies)
                del groups[key]
        if body is None:
            break
        _, bodies = groups.get(body[1], (0.0, []))
        bodies = [*bodies, body]
        groups[body[1]] = (at, bodies)
        if size is not None and len(bodies) >= size:
            done.append(bodies)
            del groups[body[1]]
    return done


@settings(max_examples=60)
@given(
    some.lists(some.tuples(some.integers(0, 2), some.integers(-5, 5), some.sampled_from([0.0, 0.5, 2.0])), max_size=12),
    some.integers(2, 6),
)
async def test_what_is_combined_does_not_depend_on_the_order_of_completion(
    items: list[tuple[int, int, float]], slots: int
) -> None:
    """With a combine that is associative and commutative, messages in parallel give what they give one by one."""

    async def late(item: tuple[int, int, float]) -> tuple[int, int, float]:
        await anyio.sleep(item[2])
        return item

    async def totals(concurrency: int) -> dict[int, int]:
        out = Sink()
        flow = from_(Feed(items), policy=Policy(concurrency=concurrency)).transform(late)
        whole = flow.aggregate("t", tuple[int, int, float], key=lambda item: item[0], timeout=1000)
        await run_routes(whole.transform(lambda group: (group[0][0], sum(item[1] for item in group))).to(out))
        return dict(out.bodies)

    assert await totals(slots) == await totals(1)
