"""Mappings: one declaration, both directions, and three kinds of nothing kept apart."""

import json
import subprocess
import sys
from enum import Enum
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from routekit import Sensitive
from routekit_mapping import (
    BadMapping,
    Counts,
    Limit,
    Mapping,
    MappingError,
    Unresolved,
    computed,
    convert,
    converter,
    default,
    each,
    fields,
    nested,
    reference,
    row,
    same,
    some,
    unit,
)


class Address(BaseModel):
    street: str | None = None
    town: str | None = None
    floor: int | None = None


class Mechanism(BaseModel):
    type: str
    value: str | None = None
    comment: str | None = None


class Line(BaseModel):
    code: str
    amount: int
    note: str = ""


class Party(BaseModel):
    model_config = ConfigDict(extra="allow")
    title: str
    given: str | None = None
    family: str | None = None
    address: Address | None = None
    mechanisms: list[Mechanism] = []
    lines: list[Line] = []
    kind: str = ""
    parent: int | None = None
    label: str | None = None
    short: Annotated[str, Field(max_length=20)] | None = None


class Item(BaseModel):
    sku: str
    count: int
    colour: str = ""


class Customer(BaseModel):
    name: str
    full_name: str | None = None
    street: str | None = None
    town: str | None = None
    email: Annotated[str, Sensitive("email")] | None = None
    phone: str | None = None
    items: list[Item] = []
    account: int | None = None
    short: str | None = None
    score: int = 0


FULL = converter(
    lambda name: tuple(name.split(" ", 1)) if " " in name else (None, name),
    lambda parts: " ".join(part for part in parts if part),
    name="given and family name",
)


def lowered(text: str) -> str:
    return text.lower()


LOWER = converter(lowered, lowered, loss="case of letters")

i, line = fields(Item), fields(Line)
ITEMS = Mapping(Item, Line, same(i.sku, line.code, key=True), same(i.count, line.amount))
a, b = fields(Customer), fields(Party)
CUSTOMERS = Mapping(
    Customer,
    Party,
    same(a.name, b.title),
    convert(a.full_name, (b.given, b.family), FULL, name="full"),  # pyright: ignore[reportArgumentType]
    unit("address", same(a.street, some(b.address).street), same(a.town, some(b.address).town)),
    convert(a.email, row(b.mechanisms, type="email").value, LOWER),
    same(a.phone, row(b.mechanisms, type="phone").value),
    each(a.items, b.lines, ITEMS),
    default(b.kind, "customer"),
    reference(a.account, b.parent, "accounts"),
    computed(b.label, (a.name, a.town), lambda parts: " of ".join(part for part in parts if part)),
    same(a.short, b.short, limit=Limit(5, truncate_ok=True)),
)


def resolve(table: str, side: str, id: int) -> int | None:
    assert table == "accounts"
    known = {1: 100, 2: 200}
    return known.get(id) if side == "b" else {new: old for old, new in known.items()}.get(id)


def test_one_declaration_reads_both_ways() -> None:
    """Names, tuples, places within, rows, lists, references: what goes there comes back."""
    customer = Customer(
        name="Ada", full_name="Ada King Noel", street="Main 1", town="Ockham", email="ADA@x.org", phone="1",
        items=[Item(sku="A", count=2), Item(sku="B", count=3)], account=1, short="ada",
    )  # fmt: skip
    party = CUSTOMERS.forward(customer, resolve=resolve)
    assert party == Party(
        title="Ada", given="Ada", family="King Noel", address=Address(street="Main 1", town="Ockham"),
        mechanisms=[Mechanism(type="email", value="ada@x.org"), Mechanism(type="phone", value="1")],
        lines=[Line(code="A", amount=2), Line(code="B", amount=3)], kind="customer", parent=100,
        label="Ada of Ockham", short="ada",
    )  # fmt: skip
    assert CUSTOMERS.backward(party, resolve=resolve) == customer.model_copy(update={"email": "ada@x.org"})


def test_what_says_nothing_is_not_written() -> None:
    """A field that is not set stays unset on the other side, and is left alone in what is there."""
    party = CUSTOMERS.forward(Customer(name="Ada"))
    assert party.model_fields_set == {"title", "kind", "label"}
    old = Party(title="X", given="G", address=Address(street="S", floor=3), parent=7)
    put = CUSTOMERS.put(Customer(name="Ada"), old)
    assert (put.title, put.given, put.address, put.parent) == ("Ada", "G", Address(street="S", floor=3), 7)


def test_null_clears() -> None:
    """None is written as None; a row goes with its last value, and so does a model within that holds nothing else."""
    old = Party(
        title="Ada", address=Address(street="S", town="T"), mechanisms=[
            Mechanism(type="email", value="a@x", comment="work"), Mechanism(type="phone", value="1"),
            Mechanism(type="fax", value="2")],
    )  # fmt: skip
    put = CUSTOMERS.put(Customer(name="Ada", street=None, town=None, email=None, phone=None), old)
    assert put.address is None
    assert put.mechanisms == [
        Mechanism(type="email", value=None, comment="work"), Mechanism(type="fax", value="2")
    ]  # fmt: skip
    assert old.mechanisms[0].value == "a@x", "what was given stays as it was"


def test_null_can_keep_or_be_defaulted() -> None:
    """`on_null` says what null does on the other side."""
    keeping = Mapping(Customer, Party, same(a.name, b.title), same(a.short, b.short, on_null="keep"))
    filling = Mapping(Customer, Party, same(a.name, b.title), same(a.short, b.short, on_null="default", default="-"))
    old = Party(title="Ada", short="s")
    assert keeping.put(Customer(name="Ada", short=None), old).short == "s"
    assert filling.put(Customer(name="Ada", short=None), old).short == "-"
    assert filling.forward(Customer(name="Ada")).short == "-"
    assert filling.put(Customer(name="Ada"), old).short == "s", "a default is for creation"


def test_an_empty_text_is_a_value_unless_it_is_said_to_be_none() -> None:
    """`empty="null"` reads it as null, and writes null as it where null cannot be."""

    class Texts(BaseModel):
        text: str = ""

    class Nulls(BaseModel):
        text: str | None = None

    t, n = fields(Texts), fields(Nulls)
    kept = Mapping(Texts, Nulls, same(t.text, n.text))
    nulled = Mapping(Texts, Nulls, same(t.text, n.text, empty="null"))
    assert kept.forward(Texts(text="")).text == ""
    assert nulled.forward(Texts(text="")) == Nulls(text=None)
    assert nulled.backward(Nulls(text=None)) == Texts(text="")
    with pytest.raises(MappingError, match="null, and a value is needed"):
        kept.backward(Nulls(text=None))


def test_put_keeps_what_the_other_side_has_alone() -> None:
    """Extra fields, fields without a rule, rows and parts: none is lost, and what means the same stays."""
    old = Party.model_validate({
        "title": "Ada", "address": {"street": "Old", "town": "T", "floor": 3}, "colour": "red", "kind": "vip",
        "mechanisms": [{"type": "fax", "value": "9"}, {"type": "email", "value": "ADA@X.org", "comment": "work"}],
        "lines": [{"code": "B", "amount": 1, "note": "blue"}, {"code": "Z", "amount": 1}],
    })  # fmt: skip
    customer = Customer(
        name="Ada", street="New", email="ada@x.org", items=[Item(sku="A", count=1), Item(sku="B", count=4)]
    )
    put = CUSTOMERS.put(customer, old)
    assert put.model_extra == {"colour": "red"}
    assert put.address == Address(street="New", town="T", floor=3)
    assert put.mechanisms == old.mechanisms, "only the case differs, and that says nothing"
    assert put.lines == [Line(code="A", amount=1), Line(code="B", amount=4, note="blue")]
    assert put.kind == "vip", "a default is for creation"


def test_nothing_to_change_gives_what_was_there() -> None:
    """Putting back what was read changes nothing, not even the object."""
    old = Party(title="Ada", mechanisms=[Mechanism(type="email", value="ADA@x")], lines=[Line(code="A", amount=1)])
    mapping = Mapping(Customer, Party, *(rule for rule in CUSTOMERS.rules if rule.kind != "computed"))
    assert mapping.put(mapping.backward(old), old) is old


def test_a_part_that_says_nothing_stays() -> None:
    """Of fields that make one together, those that are not set are taken from what is there."""
    mapping = Mapping(Customer, Party, convert(a.full_name, (b.given, b.family), FULL))  # pyright: ignore[reportArgumentType]
    old = Customer(name="x", full_name="Ada King")
    assert mapping.put_back(Party(title="x", family="Lovelace"), old).full_name == "Ada Lovelace"
    assert mapping.put_back(Party(title="x", given=None, family="Lovelace"), old).full_name == "Lovelace"


def test_a_converter_of_several_fields_gets_none_for_what_is_not_said() -> None:
    """Nobody who writes a converter has to know of a third kind of nothing."""
    seen: list[object] = []

    def joined(parts: tuple[str | None, str | None]) -> str:
        seen.append(parts)
        return " ".join(part for part in parts if part)

    join = converter(joined, lambda name: (None, name), name="joined", loss="where it is cut")
    mapping = Mapping(Party, Customer, convert((b.given, b.family), a.full_name, join), same(b.title, a.name))
    assert mapping.forward(Party(title="x", family="King")).full_name == "King"
    assert seen == [(None, "King")]
    chain = (join | LOWER).inverse
    assert chain.steps == ("lowered, back", "joined, back")
    assert chain.to("KING") == (None, "king")


def test_a_limit_cuts_only_where_it_may() -> None:
    """What does not fit is cut if that was said, and refused with the reason otherwise; the longer one stays."""
    customer = Customer(name="Ada", short="abcdefgh")
    party = CUSTOMERS.forward(customer)
    assert party.short == "abcde"
    assert CUSTOMERS.put_back(party, customer) is customer
    declared = Mapping(Customer, Party, same(a.name, b.title), same(a.short, b.short, limit=Limit(truncate_ok=True)))
    assert declared.forward(Customer(name="Ada", short="x" * 30)).short == "x" * 20
    strict = Mapping(Customer, Party, same(a.name, b.title), same(a.short, b.short, limit=Limit(5)))
    with pytest.raises(MappingError, match="has 8 characters, and 5 are allowed"):
        strict.forward(customer)
    narrow = Mapping(Customer, Party, same(a.name, b.title, limit=Limit(charset="latin-1")))
    with pytest.raises(MappingError, match=r"U\+4E2D"):
        narrow.forward(Customer(name="中"))


def test_a_reference_waits_for_its_other_side() -> None:
    """An id without a counterpart fails with an error that says that it may come."""
    assert CUSTOMERS.forward(Customer(name="Ada", account=2), resolve=resolve).parent == 200
    with pytest.raises(MappingError, match="accounts") as caught:
        CUSTOMERS.forward(Customer(name="Ada", account=3), resolve=resolve)
    assert caught.value.waits
    assert issubclass(Unresolved, ValueError)


def test_an_error_names_every_field_and_shows_nothing_sensitive() -> None:
    """All that is to blame is told at once: field, what the value is, rule, reason; an address only masked."""

    def picky(text: str) -> str:
        raise ValueError(f"no good: {text}")

    bad = Mapping(
        Customer,
        Party,
        convert(a.email, row(b.mechanisms, type="email").value, converter(picky, picky)),
        same(a.short, b.short, limit=Limit(2)),
        same(a.name, b.title),
    )
    with pytest.raises(MappingError) as caught:
        bad.forward(Customer(name="Ada", email="ada@example.org", short="abc"))
    assert [problem.rule for problem in caught.value.problems] == ["email", "short"]
    assert "ada@example.org" not in str(caught.value)
    assert "a***@example.org" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_error_within_names_its_row() -> None:
    """Every row that is to blame is told, by its place."""
    bad = converter(lambda sku: int(sku) and sku, lambda code: code, name="numbers only")
    rows = Mapping(Item, Line, convert(i.sku, line.code, bad), same(i.count, line.amount))
    mapping = Mapping(Customer, Party, same(a.name, b.title), each(a.items, b.lines, rows))
    items = [Item(sku="1", count=1), Item(sku="x", count=1), Item(sku="2", count=1), Item(sku="y", count=1)]
    with pytest.raises(MappingError) as caught:
        mapping.forward(Customer(name="Ada", items=items))
    assert [problem.field for problem in caught.value.problems] == ["lines[1].code", "lines[3].code"]


def test_marks_do_not_make_types_differ() -> None:
    """What a type checker takes for the same is the same: marks of validation are none of the type."""

    class Kind(Enum):
        A = "a"

    class Left(BaseModel):
        mails: list[Annotated[str, Field(max_length=9)]] = []
        kind: Kind | None = None
        address: Address | None = None
        tags: set[str] = set()
        by_name: dict[str, list[int]] = {}

    class Right(BaseModel):
        mails: list[str] = []
        kind: Kind | None = None
        address: Address | None = None
        tags: set[str] = set()
        by_name: dict[str, list[int]] = {}

    x, y = fields(Left), fields(Right)
    mapping = Mapping(
        Left,
        Right,
        same(x.mails, y.mails),
        same(x.kind, y.kind),
        same(x.address, y.address),
        same(x.tags, y.tags),
        same(x.by_name, y.by_name),
    )
    left = Left(mails=["a"], kind=Kind.A, address=Address(town="T"), tags={"t"}, by_name={"n": [1]})
    assert mapping.backward(mapping.forward(left)) == left
    with pytest.raises(BadMapping, match="not the same"):
        same(x.tags, y.mails)  # pyright: ignore[reportCallIssue, reportArgumentType]


def test_nothing_is_coerced() -> None:
    """A text where a number is meant is refused, not read as one."""
    wrong = converter(lambda number: str(number), lambda text: int(text), name="untrue")
    m = Mapping(Item, Line, same(i.sku, line.code), convert(i.count, line.amount, wrong))  # pyright: ignore[reportArgumentType]
    with pytest.raises(MappingError, match=r"amount .rule 'count'"):
        m.forward(Item(sku="A", count=30))


def test_a_value_that_is_needed_and_not_said_is_told() -> None:
    """A field that the other side must have fails by name, with a rule or without one."""
    with pytest.raises(MappingError, match=r"title .rule 'short'.*says nothing, and a value is needed"):
        Mapping(Customer, Party, same(a.short, b.title)).forward(Customer(name="Ada"))
    with pytest.raises(MappingError, match=r"title.*no rule gives it a value"):
        Mapping(Customer, Party, same(a.short, b.short)).forward(Customer(name="Ada"))


def test_models_within_have_mappings_of_their_own() -> None:
    """`nested` maps a model inside the other, and puts into it."""

    class Place(BaseModel):
        road: str | None = None

    class Firm(BaseModel):
        seat: Place | None = None

    p, f, d = fields(Place), fields(Firm), fields(Address)
    places = Mapping(Place, Address, same(p.road, d.street))
    firms = Mapping(Firm, Party, nested(f.seat, b.address, places), default(b.title, "Firm"))
    assert firms.forward(Firm(seat=Place(road="R"))).address == Address(street="R")
    old = Party(title="x", address=Address(street="Q", town="T"))
    assert firms.put(Firm(seat=Place(road="R")), old).address == Address(street="R", town="T")
    assert firms.put(Firm(seat=None), old).address is None
    assert firms.put(Firm(seat=Place(road="Q")), old) is old


def test_what_each_rule_did_is_counted() -> None:
    """The outcomes of every rule sum to the records."""
    counts = Counts()
    for customer in (Customer(name="A", short="s"), Customer(name="B", short=None), Customer(name="C")):
        CUSTOMERS.forward(customer, counts=counts)
    with pytest.raises(MappingError):
        CUSTOMERS.forward(Customer(name="D", account=9), counts=counts)
    assert counts["short"] == {"ok": 1, "null": 1, "missing": 2}
    assert counts["kind"] == {"defaulted": 4}
    assert counts["account"] == {"missing": 3, "failed": 1}
    assert all(sum(each.values()) == counts.records == 4 for each in counts.as_data().values() for each in [each])


def test_an_explanation_tells_the_way_of_every_field() -> None:
    """Source, value, steps, result, and why not; sensitive values are masked."""
    old = Party(title="Ada", short="other")
    said = str(CUSTOMERS.explain(Customer(name="Ada", email="ADA@x.org", short=None), old))
    assert "title <- name = str 'Ada' -> (kept)" in said
    assert "mechanisms[type=email].value <- email = str A***@x.org -> [lowered] -> str a***@x.org (ok)" in said
    assert "short <- short = null -> [at most 5, cut to fit] -> null (null)" in said
    assert "parent <- account = missing" in said
    assert "ADA@x.org" not in said
    assert "<td>lowered</td>" in CUSTOMERS.explain(Customer(name="Ada", email="A@x")).html()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: fields(Customer).nmae, "no field 'nmae'; did you mean 'name'"),
        (lambda: same(a.name, b.parent), "str.*int"),
        (lambda: same(a.name, "title"), "references to fields"),
        (lambda: Mapping(Customer, Party, same(b.title, a.name)), "where a field of Customer is meant"),
        (lambda: Mapping(Customer, Party, same(a.name, b.title), same(a.name, b.kind)), "two rules named 'name'"),
        (lambda: Mapping(Customer, Party, same(a.name, b.title), same(a.short, b.title)), "title is written by"),
        (lambda: same(a.name, b.title, on_null="default") and Mapping(
            Customer, Party, same(a.name, b.title, on_null="default")), "there is none"),
        (lambda: convert(a.name, b.title, converter(lowered)), "no way back"),
        (lambda: Mapping(Customer, Party, default(b.parent, "x")), "default that parent does not take"),
        (lambda: Mapping(Customer, Party, same(a.short, b.short, default="x" * 30)), "at most 20 characters"),
        (lambda: row(b.mechanisms, kind="email"), "no field 'kind'"),
        (lambda: row(b.mechanisms), "which row"),
        (lambda: row(a.name, type="email"), "list of models"),
        (lambda: fields(Customer).name.upper, "no model"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_found_where_it_is_written(wrong: object, said: str) -> None:
    """A field that is not there, types that differ, a field written twice: none waits for a record."""
    assert callable(wrong)
    with pytest.raises(BadMapping, match=said):
        wrong()


def test_what_the_other_side_cannot_hold_survives_a_round_trip() -> None:
    """The rest is JSON that can be kept beside the other record: extra fields, what no rule carries, what is cut."""
    party = Party.model_validate({
        "title": "Ada", "address": {"street": "S", "floor": 3}, "colour": "red", "kind": "vip", "parent": 100,
        "mechanisms": [{"type": "fax", "value": "9"}, {"type": "email", "value": "ada@x"}], "short": "abc",
    })  # fmt: skip
    rest = json.loads(json.dumps(CUSTOMERS.rest_of(party)))
    assert "title" not in rest
    customer = CUSTOMERS.backward(party, resolve=resolve)
    computed_only = party.model_copy(update={"label": "Ada"})
    assert CUSTOMERS.forward(customer, rest=rest, resolve=resolve).model_dump() == computed_only.model_dump()
    changed = customer.model_copy(update={"street": "New"})
    again = CUSTOMERS.forward(changed, rest=rest, resolve=resolve)
    assert again.address == Address(street="New", floor=3)
    back = CUSTOMERS.backward(again, rest=CUSTOMERS.rest_of(Customer(name="x", score=7)), resolve=resolve)
    assert (back.name, back.score) == ("Ada", 7)


def test_a_mapping_is_a_table() -> None:
    """Every rule is a row, those of rows within too; as Markdown, and as HTML."""
    said = CUSTOMERS.table()
    assert "| Customer |  | Party | how | null | not told apart | together |" in said
    assert "| email | ↔ | mechanisms[type=email].value | lowered | clears | case of letters |  |" in said
    assert "| street | ↔ | address.street | same | clears |  | address |" in said
    assert "| items[].sku | ↔ | lines[].code | key | clears |  |  |" in said
    assert "|  | → | kind | default 'customer' |  |  |  |" in said
    assert "<td>address.street</td>" in CUSTOMERS.table("html")


def test_the_way_of_a_value_can_be_asked() -> None:
    """For a field of either side: the fields it is made of, and the steps; for what holds fields, all of them."""
    (label,) = CUSTOMERS.lineage(b.label)
    assert (label.sources, label.rule) == (("name", "town"), "label")
    (email,) = CUSTOMERS.lineage(a.email)
    assert (email.sources, email.steps) == (("mechanisms[type=email].value",), ("lowered, back",))
    assert [one.sources for one in CUSTOMERS.lineage(b.address)] == [("street",), ("town",)]
    assert CUSTOMERS.lineage(a.score) == ()
    assert CUSTOMERS.lineage(b.kind)[0].steps == ("default 'customer'",)


def test_a_version_is_the_same_in_every_process() -> None:
    """And another one after any change of a rule, an option or a converter."""
    code = (
        "from pydantic import BaseModel\nfrom routekit_mapping import *\n"
        "class P(BaseModel):\n    x: str\n    y: str | None = None\n"
        "f = fields(P)\nprint(Mapping(P, P, same(f.x, f.x), convert(f.y, f.y, trimmed()), name='p').version)"
    )
    run = [
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True)
        for seed in ("1", "2")
    ]
    assert run[0].stdout == run[1].stdout
    assert len(run[0].stdout.strip()) == 16
    options = [{}, {"on_null": "keep"}, {"direction": "to_b"}, {"limit": Limit(3)}, {"name": "n"}, {"empty": "null"}]
    versions = {Mapping(Customer, Party, same(a.short, b.short, **one)).version for one in options}  # pyright: ignore[reportArgumentType, reportCallIssue]
    assert len(versions) == len(options)
    assert Mapping(Customer, Party, convert(a.short, b.short, LOWER)).version not in versions
