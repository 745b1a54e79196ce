"""What is sensitive, and how bodies are shown without it."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypedDict, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel, SecretStr

from routekit import BodyError, Sensitive
from routekit.fitting import fitting
from routekit.marks import named_sensitive
from routekit.sensitive import masked_body, scrubbed, sensitive_texts

CANARY = "c4n4ry-of-the-mine"


class Person(BaseModel):
    """A person, with marks in several places."""

    email: Annotated[str, Sensitive("email")]
    phones: list[Annotated[str, Sensitive("phone")]] = []
    note: Annotated[str, Sensitive()] | None = None
    nick: Annotated[str | None, Sensitive("name")] = Field(default=None, alias="nickName")
    age: int = 0


class Address(TypedDict):
    """A plain dict at run time: only its declaration knows."""

    street: Annotated[str, Sensitive("address")]
    city: str


class Pair(NamedTuple):
    """A tuple with names."""

    iban: str
    amount: int


@dataclass
class Order:
    """An order, with people and places in it."""

    buyer: Person
    to: Address
    others: list[Address] = field(default_factory=list[Address])
    again: "Order | None" = None
    seen: dict[Annotated[str, Sensitive("email")], int] = field(default_factory=dict[str, int])


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("email", "ada@example.org", "a***@example.org"),
        ("email", "a@example.org", "***@example.org"),
        ("email", "ada", "***"),
        ("phone", "+49 171 2345678", "***78"),
        ("phone", "110", "***"),
        ("name", "Lovelace", "L***"),
        ("name", "Al", "***"),
        ("iban", "DE89 3704 0044 0532 0130 00", "DE***3000"),
        ("card", 4111111111111111, "***1111"),
        ("address", "1 High Street", "***"),
        ("secret", "hunter2", "***"),
        ("text", "long story", "***"),
        ("text", None, None),
        ("text", "", ""),
        pytest.param("card", 1 << 20_000, "***", id="a number without end"),
    ],
)
def test_a_mask_leaves_what_tells_values_apart(kind: Any, value: object, shown: object) -> None:
    """Of an email its domain is left, of numbers the last digits; of what is short or secret, nothing."""
    assert Sensitive(kind).masked(value) == shown


def test_marks_are_found_in_models_dataclasses_and_typed_dicts() -> None:
    """A mark holds on a field, in a list, in a union, on keys, and inside what is only declared."""
    person = Person(email="ada@example.org", phones=["+49 171 2345678"], note="her story", nickName="Ada L", age=36)
    order = Order(person, {"street": "1 High St", "city": "Ockham"}, [{"street": "Elm St", "city": "Bath"}])
    order.seen = {"ada@example.org": 1, "abe@example.org": 2}
    assert masked_body(order) == {
        "buyer": {"email": "a***@example.org", "phones": ["***78"], "note": "***", "nick": "A***", "age": 36},
        "to": {"street": "***", "city": "Ockham"},
        "others": [{"street": "***", "city": "Bath"}],
        "again": None,
        "seen": {"a***@example.org": 1, "a***@example.org (2)": 2},
    }


def test_plain_data_is_masked_by_the_type_that_it_stands_for() -> None:
    """The body of a letter is plain, and its route knows the type, with aliases."""
    data = {"email": "ada@example.org", "nickName": "Ada L", "age": 36}
    assert masked_body(data, Person) == {"email": "a***@example.org", "nickName": "A***", "age": 36}
    assert masked_body([{"street": "x", "city": "y"}], list[Address]) == [{"street": "***", "city": "y"}]


SENSITIVE = """
    password userPassword DB_PASSWORD X-Api-Key tokens authorization Cookie client_secret secretKey token_of_the_day pin
    cvc iban creditCard card_number email workEmail phone SSN otp
"""


@pytest.mark.parametrize("name", SENSITIVE.split())
def test_some_names_are_enough(name: str) -> None:
    """A field of such a name is masked without a mark, however it is written."""
    assert named_sensitive(name) is not None
    assert CANARY not in json.dumps(masked_body({name: CANARY, "in": [{name: [CANARY]}]}))


@pytest.mark.parametrize("name", ["name", "monkey", "pinned", "key", "city", "mailed", "email_count", "id", "total"])
def test_other_names_are_not(name: str) -> None:
    """A word that only contains another one is not masked."""
    assert masked_body({name: "value"}) == {name: "value"}


def test_more_names_may_be_given() -> None:
    """The settings of a site know what else is private."""
    assert masked_body({"customerNo": "K-1", "shoe_size": 46}, keys=["customer_no"]) == {
        "customerNo": "***",
        "shoe_size": 46,
    }


def test_text_is_masked_where_it_names_itself() -> None:
    """JSON in a text is read; in other text `name=value` and elements are masked, and passwords of URIs."""
    assert masked_body('{"password": "hunter2", "n": 1}') == {"password": "***", "n": 1}
    text = f"<a><password>{CANARY}</password></a> token={CANARY} Authorization: Bearer {CANARY} ftp://me:{CANARY}@h/"
    assert CANARY not in masked_body(text)
    assert masked_body("five = 5") == "five = 5"


def test_what_is_no_data_is_shown_as_what_it_is() -> None:
    """Bytes are their length, iterators are not read, and other objects are their class."""
    taken = iter([1, 2])
    shown = masked_body({"b": b"12345", "i": taken, "o": object(), "n": float("nan"), "d": Decimal("1.50"), "e": None})
    assert shown == {"b": "<5 bytes>", "i": "<list_iterator>", "o": "<object>", "n": "nan", "d": "1.50", "e": None}
    assert next(taken) == 1
    assert masked_body(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"
    assert masked_body(SecretStr("x")) == "***"
    assert masked_body(Pair("DE89370400440532013000", 5)) == {"iban": "DE***3000", "amount": 5}
    assert masked_body(RootModel[list[int]]([1, 2])) == [1, 2]


def test_circles_and_depth_end() -> None:
    """What contains itself, or is too deep, ends in dots."""
    order = Order(Person(email="ada@example.org"), {"street": "x", "city": "y"})
    order.again = order
    assert masked_body(order)["again"] == "..."
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert len(json.dumps(masked_body(deep))) < 200


def test_a_large_body_says_what_was_left_out() -> None:
    """The size is bounded, for lists, mappings and texts."""
    assert masked_body(list(range(1000)), most=100)[-1] == "... 990 more"
    assert masked_body({f"k{n}": n for n in range(1000)}, most=100)["..."].endswith(" more")
    assert masked_body("x" * 1000, most=100) == "x" * 100 + "... 900 more characters"


def test_a_class_with_a_will_of_its_own_is_shown_by_its_name() -> None:
    """Nothing that a body does while it is looked at is raised."""

    class Strange(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError("no")

    @dataclass
    class Odd:
        @property
        def x(self) -> int:
            raise RuntimeError("no")

        y: int = 1

    assert masked_body({"a": Strange(b=1)}) == {"a": "<Strange>"}
    assert masked_body(Odd()) == {"y": 1}


def test_a_text_about_a_body_is_scrubbed_of_what_is_sensitive_in_it() -> None:
    """What an error quotes of a body is masked as it is in the body."""
    person = Person(email="ada@example.org", note="her 'story'")
    texts = sensitive_texts(person)
    said = f"cannot take {person!r}, nor {json.dumps(person.model_dump())}"
    assert "ada@" not in scrubbed(said, texts)
    assert "story" not in scrubbed(said, texts)
    assert "a***@example.org" in scrubbed(said, texts)


def test_what_does_not_fit_is_told_without_what_is_sensitive() -> None:
    """An error about a field with a mark, or with such a name, shows the mask; and so does one about the whole."""

    class Login(BaseModel):
        email: Annotated[int, Sensitive("email")]
        password: int
        age: int

    with pytest.raises(BodyError) as caught:
        fitting(Login)({"email": "ada@example.org", "password": CANARY, "age": "old"})
    said = str(caught.value)
    assert "ada@" not in said
    assert CANARY not in said
    assert "'a***@example.org'" in said
    assert "'old'" in said
    for body in (f'{{"password": "{CANARY}", ', [{"password": CANARY}], {"email": CANARY}):
        with pytest.raises(BodyError) as caught:
            fitting(Login)(body)
        assert CANARY not in str(caught.value)


_names = st.sampled_from(["password", "apiToken", "iban", "auth", "x", "items", "card_number"])
_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
_bodies = st.recursive(
    _leaves,
    lambda inner: st.lists(inner) | st.dictionaries(_names | st.text(), inner) | st.tuples(inner),
    max_leaves=30,
)


@given(_bodies)
def test_a_shown_body_is_always_json(body: object) -> None:
    """Whatever a body is, what is shown of it is JSON without NaN, and small."""
    text = json.dumps(masked_body(body, most=500), allow_nan=False)
    assert len(text) < 40_000


def _planted(body: Any, canary: str) -> Any:
    """The same body with a canary in everything whose name is sensitive."""
    if isinstance(body, dict):
        items = cast("dict[str, Any]", body).items()
        return {name: canary if named_sensitive(name) else _planted(value, canary) for name, value in items}
    if isinstance(body, list | tuple):
        return [_planted(value, canary) for value in cast("list[Any]", body)]
    return body


@given(_bodies)
def test_no_canary_is_shown(body: object) -> None:
    """What stands under a sensitive name is not in what is shown, however deep it is."""
    assert CANARY not in json.dumps(masked_body(_planted(body, CANARY)))


@given(st.text(), st.sampled_from(["email", "phone", "name", "address", "iban", "card", "secret", "text"]))
def test_equal_values_have_equal_masks_and_masks_give_nothing_away(value: str, kind: Any) -> None:
    """A mask is a function of the value, and never the value."""
    mark = Sensitive(kind)
    assert mark.masked(value) == mark.masked(str(value))
    assert value in ("", "***") or mark.masked(value) != value
