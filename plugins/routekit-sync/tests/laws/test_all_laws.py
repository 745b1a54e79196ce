"""P23 and P30, and that each of the properties P1 to P32 is held by a test that names it, and told in the docs."""

import ast
import re
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from routekit import Store
from routekit_mapping import Mapping, convert, converter, date_text, fields, same, unit
from routekit_sync import Match, Unit, units_of
from routekit_sync.erasing import Subject, erase
from routekit_sync.ledger import Ledger
from routekit_sync.testing import World, renamed

TESTS = Path(__file__).parents[1]
PAGE = Path(__file__).parents[4] / "docs" / "sync" / "laws.md"


class Person(BaseModel):
    name: str | None = None
    email: str | None = None
    born: date | None = None
    street: str | None = None
    town: str | None = None


class Party(BaseModel):
    title: str | None = None
    mail: str | None = None
    birthday: str | None = None
    road: str | None = None
    city: str | None = None


x, y = fields(Person), fields(Party)
LOWER = converter(str.lower, str.lower, name="lower case", loss="case")
UNITS = units_of(
    Mapping(
        Person, Party,
        same(x.name, y.title),
        convert(x.email, y.mail, LOWER),
        convert(x.born, y.birthday, date_text("%d.%m.%Y").inverse),
        unit("address", same(x.street, y.road), same(x.town, y.city)),
    )
)  # fmt: skip

words = st.none() | st.text("aAbB @.", max_size=6)
days = st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)).map(str)
people = st.fixed_dictionaries(
    {}, optional={"name": words, "email": words, "born": days, "street": words, "town": words}
)


@settings(
    derandomize=True, deadline=None, max_examples=200, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
@given(people)
def test_p23_what_is_converted_comes_back(person: dict[str, Any]) -> None:
    """P23: there and back is the same, as far as the unit knows what that is, and once more there changes nothing."""
    for each in UNITS:
        assert each.to_b is not None
        assert each.to_a is not None
        own = {name: person[name] for name in each.a if name in person}
        there = dict(each.to_b(own))
        back = dict(each.to_a(there))
        assert each.same_a(own, back)
        assert dict(each.to_b(back)) == there


def test_p30_an_erased_person_is_gone_and_stays_away() -> None:
    """P30: nothing of the person is remembered, and no system brings it back, whatever it reports."""
    units: list[Unit] = [renamed("email", "mail"), renamed("phone", "tel")]
    world = World(units, match=[Match("email", ["email"], ["mail"])])
    ada = world.a.user_create({"email": "ada@canary.example", "phone": "555-2342"})
    world.a.user_create({"email": "bob@example.org", "phone": "1"})
    world.quiet()

    async def forget(store: Store) -> None:
        ledger = Ledger(store.values("sync:people"), world.now, owner="desk")
        await erase(ledger, world.pair, Subject(["ada@canary.example"]))

    async def remembered(store: Store) -> str:
        values = await store.values("sync:people").items(limit=10_000)
        return " ".join(f"{key} {value.text}" for key, value in values)

    assert "555-2342" in world.run(remembered)
    world.run(forget)
    before = world.writes
    world.a.user_edit(ada, {"phone": "555-2342 again"})
    for _ in range(3):
        world.wait(400)
        world.cycle(full=True)
    assert world.writes == before
    kept = world.run(remembered)
    assert "555-2342" not in kept
    assert "canary" not in kept
    assert "bob@example.org" in kept


def named() -> dict[str, set[str]]:
    """By property: the tests, or rules of a machine, whose docstring begins with its name."""
    found: dict[str, set[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            told = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
            begin = re.match(r"(P\d+(, P\d+| and P\d+)*)[:,]", told or "")
            if isinstance(node, ast.FunctionDef) and begin:
                for law in re.findall(r"P\d+", begin[1]):
                    found.setdefault(law, set()).add(node.name)
    return found


def test_each_property_is_held_by_a_test() -> None:
    """None of P1 to P32 is without a test, and the page that tells of them names for each one that there is."""
    held = named()
    assert [law for law in (f"P{number}" for number in range(1, 33)) if law not in held] == []
    rows = re.findall(r"^\| (P\d+) \|.*\| `(\w+)` \|$", PAGE.read_text(), re.MULTILINE)
    assert [law for law, _ in rows] == [f"P{number}" for number in range(1, 33)]
    assert [(law, test) for law, test in rows if test not in held[law]] == []


def test_the_figures_of_the_page_are_true() -> None:
    """As many defects as the page says are planted."""
    text = (Path(__file__).parent / "test_mutants.py").read_text()
    count = len(re.findall(r'^    "[^"]+": Mutant\(', text, re.MULTILINE))
    assert f"{count} defects" in PAGE.read_text()
    assert count >= 12
