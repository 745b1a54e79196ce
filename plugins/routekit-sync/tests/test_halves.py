"""Records without a counterpart: none is created on a side that has not been read to its end."""

import pytest

from routekit.remotes import Feed
from routekit.testing.remote import Knobs
from routekit_sync import Match, discovering
from routekit_sync.engine import Hint
from routekit_sync.testing import World, renamed


def world(feed: Feed) -> World:
    """Two systems that have the same people in part, in another order on each side, and no link yet."""
    a, b = Knobs(prefix="a", page_size=4, feed=feed), Knobs(prefix="b", page_size=3, feed=feed)
    made = World([renamed("name", "title"), renamed("phone", "tel")], match=[Match("n", ["name"], ["title"])], a=a, b=b)
    for number in range(16):
        made.a.user_create({"name": f"n{number}", "phone": "0"})
        made.b.user_create({"title": f"n{20 - number}", "tel": "0"})
    made.wait(1000.0)
    return made


@pytest.mark.parametrize("feed", list(Feed))
@pytest.mark.parametrize("edits", [False, True])
def test_a_half_link_that_is_reported_again_is_not_created_early(
    feed: Feed, edits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first cycle that is killed has kept half links; the next one reads the rest of both sides before it creates."""
    monkeypatch.setattr(discovering, "BATCH", 1)
    monkeypatch.setattr(discovering, "PAGES", 1)
    for step in range(20, 160, 20):
        made = world(feed)
        made.cycle(kill_at=step)
        made.wait(400.0)
        if edits:
            for own in sorted(made.a.records)[8:]:
                made.a.user_edit(own, {"phone": "1"})
        made.quiet()
        assert len(made.a.records) == len(made.b.records) == 21, step


def test_a_hint_of_a_new_record_waits_for_the_other_side() -> None:
    """Its match may be there already, and just not have been read yet."""
    made = World([renamed("name", "title")], match=[Match("n", ["name"], ["title"])])
    made.quiet()
    made.wait(10.0)
    made.b.user_create({"title": "Ada"})
    own = made.a.user_create({"name": "Ada"})
    made.wait(10.0)
    made.cycle(hints=[Hint("a", own)])
    assert (len(made.a.records), len(made.b.records)) == (1, 1)
    assert [link.state for link in made.links()] == ["linked"]
