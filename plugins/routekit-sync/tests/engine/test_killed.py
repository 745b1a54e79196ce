"""The engine is killed before and after each step of what is more than one write: it ends as if it had not been."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from routekit.remotes import Creating, Feed
from routekit.testing.remote import Deletes, Knobs, Merging
from routekit_sync import Deleted, Match
from routekit_sync.testing import World, renamed

UNITS = [renamed("email", "mail"), renamed("name", "title")]
EMAIL = [Match("email", ["email"], ["mail"])]


def two_full_sides() -> World:
    """People on both sides, two of them the same."""
    world = World(UNITS, match=EMAIL)
    for email in ("ann", "bob", "cid"):
        world.a.user_create({"email": email, "name": email.title()})
    for email in ("bob", "cid", "dan"):
        world.b.user_create({"mail": email, "title": email.title()})
    return world


def two_that_became_one(merging: Merging) -> Callable[[], World]:
    """A user has made one record of two, and edited it."""

    def made() -> World:
        world = World(UNITS, match=EMAIL, a=Knobs(prefix="a", merging=merging), deletes=Deleted.DELETE)
        ids = [world.a.user_create({"email": email, "name": email.title()}) for email in ("ann", "bob")]
        world.quiet()
        winner = world.a.user_merge(ids[0], ids[1])
        world.a.user_edit(winner, {"name": "Both"})
        world.wait(400)
        return world

    return made


def folders_in_a_circle() -> World:
    """Two folders, each in the other one."""
    units = [renamed("name", "title"), renamed("parent", "above")]
    world = World(units, parents={"parent": "people"})
    one, two = (world.a.user_create({"name": name}) for name in ("one", "two"))
    world.a.user_edit(one, {"parent": two})
    world.a.user_edit(two, {"parent": one})
    return world


def deleted_without_a_word() -> World:
    """A record that is missing in a full reading, and one that both sides have edited meanwhile."""
    knobs = {"deletes": Deletes.SCAN, "creating": Creating.POINTER}
    world = World(
        UNITS, a=Knobs(prefix="a", feed=Feed.NONE, **knobs), b=Knobs(prefix="b", **knobs), deletes=Deleted.DELETE,
    )  # fmt: skip
    for email in ("ann", "bob", "cid"):
        world.a.user_create({"email": email, "name": email.title()})
    world.quiet()
    first, second, _ = sorted(world.a.records)
    world.a.user_delete(first)
    world.a.user_edit(second, {"name": "changed"})
    world.wait(400)
    return world


SCENES = {
    "pairing": two_full_sides,
    "merge, pointer": two_that_became_one(Merging.POINTER),
    "merge, new": two_that_became_one(Merging.NEW),
    "circle": folders_in_a_circle,
    "deletion": deleted_without_a_word,
}


def picture(world: World) -> tuple[Any, ...]:
    """What a person sees on both sides, without ids."""
    sides: list[Any] = []
    for system in (world.a, world.b):
        names = {
            own: str(record.fields.get("name", record.fields.get("title"))) for own, record in system.records.items()
        }
        rows = [
            sorted((name, names.get(str(value), str(value))) for name, value in record.fields.items())
            for record in system.records.values()
        ]
        sides.append(sorted(rows))
    live = Counter(link.state for link in world.links() if link.state != "dead")
    return (*sides, live)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", list(SCENES))
def test_p6_a_kill_at_any_step_changes_nothing_in_the_end(scene: str) -> None:
    """P6: pairing, merging, circles and deletions are taken up where they were left; no record is made twice."""
    world = SCENES[scene]()
    world.cycle()
    steps = world.steps
    world.quiet(most=20)
    expected, creates = picture(world), world.a.calls["create"] + world.b.calls["create"]
    for at in range(1, steps + 1):
        world = SCENES[scene]()
        assert world.cycle(kill_at=at) is None
        world.quiet(most=20)
        assert picture(world) == expected, f"killed at step {at} of {steps}"
        assert len(world.links()) >= len(world.a.records)
    assert creates
