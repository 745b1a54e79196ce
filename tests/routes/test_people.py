"""People in step: `routes/people.py` between a personnel office, which only tells, and a helpdesk, in memory."""

from typing import Any

from routekit.remotes import Creating, Feed
from routekit.testing.remote import Knobs
from routekit_sync.testing import World
from routes.people import PEOPLE, people

OFFICE = Knobs(prefix="e", feed=Feed.NONE, page_size=7, can_create=False, can_update=False, can_delete=False)
DESK = Knobs(
    prefix="u",
    granularity=1.0,
    version_required=True,
    creating=Creating.REFUSE,
    unique=["username"],
    findable=["username"],
)


def world() -> World:
    given = ("name", "match", "creates", "deletes", "brake")
    return World(people.units, a=OFFICE, b=DESK, **{name: getattr(people, name) for name in given})


def joins(sides: World, login: str, **more: Any) -> str:
    """Somebody is put on the list."""
    fields = {"login": login, "name": login.title(), "email": f"{login}@example.org", "state": "active"}
    return sides.a.user_create({**fields, **more})


def users(sides: World) -> dict[str, Any]:
    return {record.fields["username"]: record.fields for record in sides.b.records.values()}


def test_who_is_on_the_list_gets_a_user() -> None:
    """Everybody on all pages, once, with a role; and nothing is written to the office."""
    sides = world()
    for number in range(30):
        joins(sides, f"p{number:02}")
    sides.quiet()
    assert sorted(users(sides)) == [f"p{number:02}" for number in range(30)]
    assert users(sides)["p00"] == {"username": "p00", "name": "P00", "email": "p00@example.org", "roles": "User"}
    assert sides.a.writes == []
    assert len(sides.b.writes) == 30


def test_a_change_is_written_alone_and_the_role_stays() -> None:
    """A new name is one write of that; a role that the helpdesk has given is its own."""
    sides = world()
    ada = joins(sides, "ada")
    sides.quiet()
    (user,) = sides.b.records
    sides.b.user_edit(user, {"roles": "User,Agent"})
    sides.a.user_edit(ada, {"name": "Ada King"})
    sides.quiet()
    assert sides.b.writes[-1] == ("update", user, {"name": "Ada King"})
    assert users(sides)["ada"]["roles"] == "User,Agent"


def test_a_name_that_the_helpdesk_changes_is_set_right() -> None:
    """The office is right, so its value is written back."""
    sides = world()
    joins(sides, "ada")
    sides.quiet()
    sides.b.user_edit(next(iter(sides.b.records)), {"name": "Countess"})
    sides.quiet()
    assert users(sides)["ada"]["name"] == "Ada"


def test_who_leaves_loses_his_roles_and_may_come_back() -> None:
    """By one write each; who is on leave keeps them, and whoever comes back is the same user."""
    sides = world()
    ada, bob = joins(sides, "ada"), joins(sides, "bob")
    sides.quiet()
    sides.a.user_edit(bob, {"state": "leave"})
    sides.a.user_edit(ada, {"state": "left"})
    sides.quiet()
    assert {name: fields["roles"] for name, fields in users(sides).items()} == {"ada": "", "bob": "User"}
    sides.a.user_edit(ada, {"state": "active"})
    sides.quiet()
    assert users(sides)["ada"]["roles"] == "User"
    assert [op for op, _, _ in sides.b.writes] == ["create", "create", "update", "update"]


def test_who_is_not_on_the_list_any_more_loses_the_user() -> None:
    """Once it is sure that he is gone."""
    sides = world()
    ada = joins(sides, "ada")
    joins(sides, "bob")
    sides.quiet()
    sides.a.user_delete(ada)
    sides.quiet()
    assert sorted(users(sides)) == ["bob"]


def test_a_list_that_is_suddenly_empty_takes_nothing_away() -> None:
    """Nobody loses a user, and it is told."""
    sides = world()
    those = [joins(sides, f"p{number}") for number in range(20)]
    sides.quiet()
    for one in those:
        sides.a.user_delete(one)
    sides.quiet()
    assert len(users(sides)) == 20
    assert sides.alerts


def test_the_mapping_goes_one_way() -> None:
    """No rule of it leads back to the office."""
    assert {rule.direction for rule in PEOPLE.rules} == {"to_b"}
