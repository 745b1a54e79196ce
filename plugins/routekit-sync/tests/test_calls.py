"""How often a cycle calls: no more than records have changed, and the feeds have pages."""

import pytest

from routekit.testing.remote import Knobs
from routekit_sync.testing import World, renamed


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.parametrize("compare_and_set", [True, False])
def test_a_cycle_calls_once_for_each_change_and_page(answers: bool, compare_and_set: bool) -> None:
    """Read back and looked at before it is written, a record costs what its side cannot do, and nothing else."""
    knobs = {"page_size": 10, "answers": answers, "compare_and_set": compare_and_set}
    world = World([renamed("name", "title")], a=Knobs(prefix="a", **knobs), b=Knobs(prefix="b", **knobs))
    for number in range(40):
        world.a.user_create({"name": f"n{number}"})
    world.quiet()
    world.wait(100.0)
    linked = [(link.a.id, link.b.id) for link in world.links() if link.a and link.b]
    for own, _ in linked[:15]:
        world.wait(1.0)
        world.a.user_edit(own, {"name": "x"})
    for _, own in linked[20:30]:
        world.wait(1.0)
        world.b.user_edit(own, {"title": "y"})
    world.wait(100.0)
    before = world.a.calls.total() + world.b.calls.total(), world.writes
    world.cycle()
    changed, pages = 25, 2 + 1
    assert world.writes - before[1] == changed
    read_back = 0 if answers else changed
    looked_at = 0 if compare_and_set else 2
    assert world.a.calls.total() + world.b.calls.total() - before[0] <= changed + pages + read_back + looked_at


def test_a_cycle_without_changes_calls_once_for_each_side() -> None:
    """Whatever the number of records is."""
    world = World([renamed("name", "title")])
    for number in range(40):
        world.a.user_create({"name": f"n{number}"})
    world.quiet()
    world.wait(100.0)
    before = world.a.calls.total(), world.b.calls.total()
    world.cycle()
    assert (world.a.calls.total(), world.b.calls.total()) == (before[0] + 1, before[1] + 1)
