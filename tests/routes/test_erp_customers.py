"""Customers in step: the pair of `routes/erp_customers.py` between an ERP and a CRM in memory, with their quirks."""

from dataclasses import replace
from typing import Any

import pytest

from routekit.remotes import Feed
from routekit.testing.remote import Knobs
from routekit_mapping.testing import laws
from routekit_sync.testing import World
from routes.erp_customers import CUSTOMERS, customers

ERP = Knobs(prefix="p", granularity=0.001, lag=2.0, compare_and_set=True, archive={"active": False}, unique=())
"""Like Tryton: stamps, versions, and what is out of use."""
CRM = Knobs(
    prefix="c",
    feed=Feed.NONE,
    compare_and_set=False,
    archive={"active": False},
    unique=["email"],
    names_taken=False,
    findable=["email"],
    normalise={"email": lambda text: text and text.lower()},
)
"""Like BottleCRM: nobody tells what has changed, and an address is there once, in small letters."""

ADA = {"name": "Ada Lovelace", "email": "ada@example.org", "phone": "+49301", "active": True}
BOB = {"first_name": "Bob", "last_name": "Builder", "email": "bob@example.org", "active": True}

TestMapping = laws(CUSTOMERS)


def world(erp: Knobs = ERP, crm: Knobs = CRM, **options: Any) -> World:
    """The pair between two systems in memory."""
    given = ("name", "match", "deletes", "scope_a", "scope_b", "creates")
    return World(customers.units, a=erp, b=crm, **{name: getattr(customers, name) for name in given}, **options)


def settled(world: World) -> None:
    """Cycles until nothing is left to do; then both sides have the same people, and all are linked."""
    world.quiet()
    parties = sorted(CUSTOMERS.forward(_party(record)).model_dump_json() for record in _all(world, "a"))
    contacts = sorted(_contact(record).model_dump_json() for record in _all(world, "b"))
    assert parties == contacts
    assert world.conflicts() == []
    assert {link.state for link in world.links()} <= {"linked", "dead"}


def _all(world: World, side: str) -> list[Any]:
    return [record.fields for record in (world.a if side == "a" else world.b).records.values()]


def _party(fields: Any) -> Any:
    return CUSTOMERS.a.model_validate(fields)


def _contact(fields: Any) -> Any:
    return CUSTOMERS.b.model_validate(fields)


def test_people_of_both_sides_get_to_the_other() -> None:
    """Whoever is new on one side is made on the other, once, with name, address and telephone."""
    sides = world()
    sides.a.user_create({**ADA, "street": "Musterweg 1", "city": "Berlin", "postal_code": "10115", "country": "DE"})
    sides.b.user_create(BOB)
    settled(sides)
    assert [op for op, _, _ in (*sides.a.writes, *sides.b.writes)] == ["create", "create"]
    (made,) = [fields for fields in _all(sides, "b") if fields["email"] == "ada@example.org"]
    assert (made["first_name"], made["last_name"], made["postcode"]) == ("Ada", "Lovelace", "10115")


def test_who_is_known_by_his_address_is_not_made_twice() -> None:
    """The first look links those with one address, however it is spelt, before anything is created."""
    sides = world()
    sides.a.user_create({**ADA, "email": "Ada@Example.org", "phone": None})
    sides.b.user_create({"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.org", "active": True})
    sides.quiet()
    assert [op for op, _, _ in (*sides.a.writes, *sides.b.writes)].count("create") == 0
    assert [link.state for link in sides.links()] == ["linked"]


def test_an_edit_is_written_once_and_alone() -> None:
    """One field changed on one side is one write of that field on the other."""
    sides = world()
    party = sides.a.user_create(ADA)
    settled(sides)
    before = sides.writes
    sides.a.user_edit(party, {"phone": "+49302"})
    settled(sides)
    assert sides.writes - before == 1
    assert sides.b.writes[-1][2] == {"phone": "+49302"}


def test_an_address_moves_whole() -> None:
    """A new street goes with its town: no address is made of two."""
    sides = world()
    party = sides.a.user_create({**ADA, "street": "Musterweg 1", "city": "Berlin", "postal_code": "1", "country": "DE"})
    settled(sides)
    sides.a.user_edit(party, {"street": "Hauptstr. 2"})
    settled(sides)
    assert set(sides.b.writes[-1][2]) >= {"street"}
    (contact,) = _all(sides, "b")
    assert (contact["street"], contact["city"]) == ("Hauptstr. 2", "Berlin")


def test_both_edit_a_person() -> None:
    """Different things are both kept; of one thing the owner is right, and the other value is in the log."""
    sides = world()
    party = sides.a.user_create(ADA)
    settled(sides)
    (contact,) = sides.b.records
    sides.a.user_edit(party, {"phone": "+49302", "city": "Bonn"})
    sides.b.user_edit(contact, {"phone": "+49303"})
    sides.quiet()
    (kept,) = _all(sides, "a")
    assert (kept["phone"], _all(sides, "b")[0]["city"]) == ("+49303", "Bonn")
    (lost,) = sides.conflicts()
    assert lost.outcome == "b"


@pytest.mark.parametrize("side", ["a", "b"])
def test_who_is_deleted_is_put_out_of_use(side: str) -> None:
    """A deletion deletes nothing on the other side."""
    erp, crm = ERP, replace(CRM, feed=Feed.STAMP)
    sides = world(erp, crm)
    sides.a.user_create(ADA)
    settled(sides)
    here, there = (sides.a, sides.b) if side == "a" else (sides.b, sides.a)
    here.user_delete(next(iter(here.records)))
    sides.quiet()
    (left,) = there.records.values()
    assert left.fields["active"] is False


def test_who_has_no_address_stays_where_he_is() -> None:
    """A company, or a person without mail, is no customer of the CRM."""
    sides = world()
    sides.a.user_create({"name": "Warehouse", "active": True})
    sides.quiet()
    assert not sides.b.records
    assert sides.writes == 0


@pytest.mark.parametrize("step", range(1, 60))
def test_a_kill_anywhere_makes_nobody_twice(step: int) -> None:
    """Whenever the process dies, the next one comes to the same end: each person once, each edit there."""
    sides = world()
    sides.a.user_create(ADA)
    sides.b.user_create(BOB)
    sides.cycle(kill_at=step)
    settled(sides)
    assert (len(sides.a.records), len(sides.b.records)) == (2, 2)
