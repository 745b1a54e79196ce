"""Back-fill: nothing is lost or doubled, whatever happens meanwhile, and whoever is killed goes on."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Store
from routekit.remotes import Budget, Creating, Feed
from routekit.testing.remote import Call, Fault, FaultKind, Knobs, Paging
from routekit_sync import Match
from routekit_sync.backfilling import Filled, Filling, backfill, filling
from routekit_sync.ledger import Ledger
from routekit_sync.testing import Killed, Life, World, renamed

KEY = Match("key", ["name"], ["title"])


def world_of(**knobs: Any) -> World:
    """Two systems that have the same people in part, and no link yet."""
    a, b = Knobs(prefix="a", page_size=4, **knobs), Knobs(prefix="b", page_size=3, **knobs)
    made = World([renamed("name", "title"), renamed("phone", "tel")], match=[KEY], a=a, b=b)
    for number in range(23):
        made.a.user_create({"name": f"n{number}", "phone": f"p{number}"})
    for number in range(17):
        made.b.user_create({"title": f"n{number + 10}", "tel": f"p{number + 10}"})
    made.wait(1000.0)
    return made


def filled(world: World, *, kill_at: int | None = None, chunk: int = 5) -> Filled | None:
    """One back-fill by a new engine; None if it was killed on the way."""
    life = Life(kill_at)

    async def act(store: Store) -> Filled:
        engine = world.engine(store, life)
        done = await backfill(engine, chunk=chunk)
        await engine.ledger.release()
        return done

    try:
        return world.run(act)
    except Killed:
        return None
    except BaseExceptionGroup as group:
        if group.split(Killed)[1] is not None:
            raise
        return None
    finally:
        world.steps = life.steps


def under_way(world: World) -> Filling | None:
    return world.run(lambda store: filling(Ledger(store.values("sync:people"), world.now)))


def same(world: World) -> bool:
    """Both sides have the same people, each once."""
    a = sorted((str(r.fields.get("name")), str(r.fields.get("phone"))) for r in world.a.records.values())
    b = sorted((str(r.fields.get("title")), str(r.fields.get("tel"))) for r in world.b.records.values())
    return a == b


@pytest.mark.parametrize("feed", list(Feed))
def test_all_is_read_once_and_the_feed_goes_on(feed: Feed) -> None:
    """The next cycle links what is the same on both sides and creates the rest, by the feeds alone."""
    made = world_of(feed=feed)
    done = filled(made)
    assert done is not None
    assert (done.complete, done.records) == (True, {"a": 23, "b": 17})
    assert under_way(made) is None
    assert {link.state for link in made.links()} == {"half"}
    assert made.writes == 0
    calls = made.a.calls["changes"]
    made.quiet()
    assert same(made)
    assert len(made.a.records) == 27
    assert made.writes == 14
    if feed is Feed.STAMP:
        assert calls == 0
        made.a.user_edit(sorted(made.a.records)[0], {"phone": "new"})
        assert made.quiet() == 1


def busy_users(world: World, seed: int, chance: float = 0.15) -> Callable[[], None]:
    """People who work on both sides while calls come in; gives what sends them home."""
    random = Random(seed)

    def between(call: Call) -> None:
        if random.random() > chance:
            return
        system, name, phone = random.choice([(world.a, "name", "phone"), (world.b, "title", "tel")])
        kind = random.choice(["new", "edit", "edit"])
        own = random.choice(sorted(system.records))
        if kind == "new":
            system.user_create({name: f"made {random.random()}", phone: "0"})
        else:
            system.user_edit(own, {phone: f"edited {random.random()}"})

    world.a.before = world.b.before = between

    def home() -> None:
        world.a.before = world.b.before = None

    return home


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    feed=st.sampled_from(list(Feed)),
    creating=st.sampled_from(list(Creating)),
    linked=st.booleans(),
)
def test_edits_meanwhile_are_neither_lost_nor_doubled(seed: int, feed: Feed, creating: Creating, linked: bool) -> None:
    """P13: records are made and changed on both sides in the middle of it, with an index that is late."""
    options: dict[str, Any] = {"feed": feed, "creating": creating, "lag": 3.0, "latency": 0.5, "granularity": 1.0}
    if creating is Creating.NATURAL:
        options["external_key"] = "ours"
    made = world_of(**options)
    if linked:
        made.quiet()
    home = busy_users(made, seed, chance=0.4)
    done = filled(made)
    assert done is not None
    assert done.complete
    home()
    made.quiet()
    assert same(made), [link for link in made.links() if link.state != "linked"]
    assert len({link.a.id for link in made.links() if link.a}) == len(made.a.records)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), feed=st.sampled_from(list(Feed)))
def test_who_is_killed_goes_on_where_he_was(seed: int, feed: Feed) -> None:
    """At any step, as often as you like, with people at work: at the end it is as if nothing had happened."""
    random = Random(seed)
    made = world_of(feed=feed, latency=0.2)
    home = busy_users(made, seed, chance=0.05)
    done = None
    for _ in range(60):
        done = filled(made, kill_at=random.randrange(2, 60))
        made.wait(400.0)
        if done is not None and done.complete:
            break
    assert done is not None
    assert done.complete
    home()
    made.quiet()
    assert same(made)


def test_a_kill_costs_one_chunk_at_most() -> None:
    """It does not begin anew: the pages that were worked at are not read again."""
    made = world_of(feed=Feed.STAMP)
    assert filled(made, chunk=4) is not None
    for kill_at in range(made.steps, 0, -1):
        made = world_of(feed=Feed.STAMP)
        filled(made, kill_at=kill_at, chunk=4)
        kept = under_way(made)
        if kept is not None and kept.pages.get("b") is not None:
            break
    else:
        raise AssertionError("it was never killed in the middle of a side")
    read = kept.records["b"]
    assert 12 <= read < 17
    before = made.a.calls["scan"], made.b.calls["scan"]
    made.wait(400.0)
    assert filled(made, chunk=4) is not None
    assert made.a.calls["scan"] == before[0]
    assert made.b.calls["scan"] - before[1] == -(-(17 - read) // 3)
    made.quiet()
    assert same(made)


def test_a_limit_ends_it_for_a_time_and_loses_nothing() -> None:
    """Busy is waited for while reading; the budget is never exceeded."""
    made = world_of(feed=Feed.STAMP, budget=Budget(5, 10.0))
    for _ in range(20):
        done = filled(made)
        if done is not None and done.complete:
            break
        made.wait(400.0)
    made.quiet(most=60)
    assert same(made)
    assert (made.a.over_budget, made.b.over_budget) == (0, 0)


def test_a_page_that_is_not_known_any_more_begins_its_side_anew() -> None:
    """What was read before is read again, and nothing comes of that."""
    made = world_of(feed=Feed.NONE)
    assert filled(made, kill_at=60) is None
    made.a.faults.plan(Fault(FaultKind.REFUSED, op="scan"))
    made.wait(400.0)
    done = filled(made)
    assert done is not None
    assert done.complete
    made.quiet()
    assert same(made)
    assert len(made.a.records) == 27


def test_a_back_fill_of_a_pair_that_runs_finds_what_its_feed_missed() -> None:
    """All records are read again; what is in step already is not written."""
    made = world_of(feed=Feed.STAMP, paging=Paging.KEYSET)
    made.quiet()
    own = sorted(made.a.records)[4]
    made.wait(100.0)
    made.a.user_edit(own, {"phone": "missed"})
    made.wait(100.0)

    async def pass_over(store: Store) -> None:
        ledger = Ledger(store.values("sync:people"), made.now)
        cursor = await ledger.cursor("a")
        await ledger.move("a", cursor.model_copy(update={"value": made.now()}))

    made.run(pass_over)
    before = made.writes
    made.quiet()
    assert made.writes == before
    assert filled(made) is not None
    assert made.writes - before == 1
    assert same(made)
