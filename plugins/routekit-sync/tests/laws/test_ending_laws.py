"""Records that end: deleted, merged, out of scope, or only out of sight: P15 and P18."""

from collections import Counter
from typing import Any

import pytest

from routekit.remotes import Feed
from routekit.testing.remote import Deletes, Fault, FaultKind, Ghost, Hidden, Knobs, Merging
from routekit_sync import Deleted, Match, Outside
from routekit_sync.engine import Hint
from routekit_sync.testing import World, renamed

UNITS = [renamed("email", "mail"), renamed("name", "title")]
EMAIL = [Match("email", ["email"], ["mail"])]


def pair_of_people(a: Knobs | None = None, b: Knobs | None = None, **options: Any) -> World:
    """Ann and Bob on both sides."""
    world = World(UNITS, a=a or Knobs(prefix="a"), b=b or Knobs(prefix="b"), match=EMAIL, **options)
    for email in ("ann", "bob"):
        world.a.user_create({"email": email, "name": email.title()})
    world.quiet()
    return world


def there(world: World, email: str) -> str:
    return next(each for each, record in world.b.records.items() if record.fields["mail"] == email)


def here(world: World, email: str) -> str:
    return next(each for each, record in world.a.records.items() if record.fields["email"] == email)


@pytest.mark.parametrize(
    ("policy", "left", "ops"),
    [
        (Deleted.DELETE, ["bob"], ["delete"]),
        (Deleted.DELETE_WINS, ["bob"], ["delete"]),
        (Deleted.KEEP, ["ann", "bob"], []),
        (Deleted.ARCHIVE, ["ann", "bob"], ["update"]),
    ],
)
@pytest.mark.parametrize("seen", [Deletes.FEED, Deletes.SCAN])
def test_p15_a_deletion_has_its_effect_once(policy: Deleted, left: list[str], ops: list[str], seen: Deletes) -> None:
    """P15: a record is deleted, and told by the feed or found by two scans: the policy is carried out once."""
    world = pair_of_people(
        a=Knobs(prefix="a", deletes=seen), b=Knobs(prefix="b", archive={"active": False}), deletes=policy, sweep=1000.0
    )
    count = len(world.b.writes)
    world.a.user_delete(here(world, "ann"))
    world.quiet(rest=1100.0)
    world.cycle(full=True)
    world.cycle(full=True)
    assert sorted(record.fields["mail"] for record in world.b.records.values()) == left
    assert [written.op for written in world.b.writes[count:]] == ops
    assert len(world.a.records) == 1


@pytest.mark.parametrize(
    ("policy", "title"), [(Deleted.DELETE, "edited"), (Deleted.DELETE_WINS, None), (Deleted.ARCHIVE, "edited")]
)
def test_p15_a_deletion_against_an_edit_goes_by_the_policy(policy: Deleted, title: str | None) -> None:
    """P15: deleted here, edited there: brought back, deleted with the edit kept in a conflict, or put out of use."""
    world = pair_of_people(b=Knobs(prefix="b", archive={"active": False}), deletes=policy)
    world.a.user_delete(here(world, "ann"))
    world.b.user_edit(there(world, "ann"), {"title": "edited"})
    world.quiet()
    titles = [record.fields["title"] for record in world.b.records.values() if record.fields["mail"] == "ann"]
    assert titles == ([] if title is None else [title])
    back = [record.fields["name"] for record in world.a.records.values() if record.fields["email"] == "ann"]
    assert back == (["edited"] if policy is Deleted.DELETE else [])
    if policy is Deleted.DELETE_WINS:
        assert "edited" in str([conflict.value_b for conflict in world.conflicts()])


@pytest.mark.parametrize("ghost", list(Ghost))
@pytest.mark.parametrize("seen", [Deletes.FEED, Deletes.SCAN, Deletes.NEVER])
def test_p15_what_is_deleted_is_not_brought_back_by_late_words(ghost: Ghost, seen: Deletes) -> None:
    """P15: stale pages, late hints and a system that goes on showing what it has deleted: it stays deleted."""
    world = pair_of_people(
        a=Knobs(prefix="a", deletes=seen, ghost=ghost, lag=5.0),
        b=Knobs(prefix="b", deletes=seen, ghost=ghost, lag=5.0), deletes=Deleted.DELETE, sweep=1000.0,
    )  # fmt: skip
    ann, other = here(world, "ann"), there(world, "ann")
    world.a.user_delete(ann)
    for _ in range(4):
        world.cycle(hints=[Hint("a", ann), Hint("b", other)])
        world.wait(2)
    world.quiet()
    world.cycle(hints=[Hint("a", ann), Hint("b", other)], full=True)
    world.cycle(full=True)
    assert "ann" not in [record.fields["email"] for record in world.a.records.values()]
    created = Counter(written.fields.get("mail") for written in world.b.writes if written.op == "create")
    assert created["ann"] == 1


def test_p15_out_of_sight_is_not_deleted() -> None:
    """P15: a record that we may not see any more is no deleted one; when it is seen again, it goes on."""
    for hidden in Hidden:
        world = pair_of_people(a=Knobs(prefix="a", hidden=hidden), deletes=Deleted.DELETE, sweep=1e9)
        ann = here(world, "ann")
        world.a.user_hide(ann)
        world.b.user_edit(there(world, "ann"), {"title": "edited"})
        world.quiet(most=30)
        assert len(world.b.records) == 2
        world.a.user_show(ann)
        world.a.user_edit(ann, {"email": "ann"})
        world.quiet(most=30)
        assert world.a.records[ann].fields["name"] == "edited"


@pytest.mark.parametrize("merging", [Merging.POINTER, Merging.ALIAS, Merging.NEW])
@pytest.mark.parametrize("feed", [Feed.STAMP, Feed.TOKEN])
def test_p18_a_merge_leaves_one_live_link(merging: Merging, feed: Feed) -> None:
    """P18: a user makes one record of two on one side: one live link is left, and edits go on both ways."""
    world = pair_of_people(a=Knobs(prefix="a", merging=merging, feed=feed), deletes=Deleted.DELETE)
    winner = world.a.user_merge(here(world, "ann"), here(world, "bob"))
    world.quiet(most=20)
    world.quiet()
    live = [link for link in world.links() if link.state == "linked"]
    assert [link.a.id for link in live if link.a] == [winner]
    assert len(world.a.records) == 1
    (record,) = world.b.records.values()
    world.a.user_edit(winner, {"name": "Both"})
    assert world.quiet() == 1
    assert world.b.records[record.id].fields["title"] == "Both"
    world.b.user_edit(record.id, {"title": "Once more"})
    assert world.quiet() == 1
    assert world.a.records[winner].fields["name"] == "Once more"


@pytest.mark.parametrize("policy", list(Outside))
def test_p15_a_record_out_of_scope_ends_by_the_policy_and_comes_back_without_a_second_one(policy: Outside) -> None:
    """P15: it leaves the scope and comes back with an edit: it is linked with the same record as before."""
    world = pair_of_people(
        outside=policy, deletes=Deleted.ARCHIVE, scope_a=lambda record: record.fields.get("stage") != "lost"
    )
    ann = here(world, "ann")
    world.a.user_edit(ann, {"stage": "lost", "name": "Anna"})
    world.quiet()
    assert world.b.records[there(world, "ann")].fields["title"] == "Ann"
    if policy is Outside.DELETE:
        return
    world.a.user_edit(ann, {"stage": "open"})
    world.quiet()
    titles = [record.fields["title"] for record in world.b.records.values() if record.fields["mail"] == "ann"]
    assert titles == ["Anna"]


def test_p15_a_deletion_whose_answer_is_lost_is_one_deletion() -> None:
    """P15: the answer to the delete is lost, or it is not carried out at first: the record is gone once."""
    for kind in (FaultKind.LOST, FaultKind.BEFORE, FaultKind.UNSENT):
        world = pair_of_people(deletes=Deleted.DELETE)
        world.b.faults.plan(Fault(kind, "delete"))
        world.a.user_delete(here(world, "ann"))
        world.quiet()
        assert [record.fields["mail"] for record in world.b.records.values()] == ["bob"]
        assert [link.state for link in world.links()].count("dead") == 1
