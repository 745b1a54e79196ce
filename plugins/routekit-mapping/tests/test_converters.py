"""Converters and normalisers: each case that goes wrong somewhere in the field, by name."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter

import routekit_mapping
from routekit_mapping import (
    BadMapping,
    Normaliser,
    Rate,
    Rates,
    allocated,
    company_name,
    country,
    country_name,
    date_text,
    day_in,
    decimal_text,
    email,
    exchange,
    html_text,
    in_zone,
    keyed,
    measure,
    midnight,
    minor_money,
    minor_units,
    moment_text,
    multi_select,
    number_text,
    person_name,
    phone,
    places_of,
    rounded_to_total,
    street,
    template,
    time_text,
    utc_midnight,
    value_map,
    yes_no,
)
from routekit_mapping.testing import values

CALM = settings(max_examples=50, deadline=None, derandomize=True, database=None)
MODULES = sorted(module.name for module in pkgutil.iter_modules(routekit_mapping.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    """What a docstring shows is what happens."""
    assert doctest.testmod(importlib.import_module(f"routekit_mapping.{name}")).failed == 0


def test_an_unknown_choice_is_set_aside_passed_on_or_replaced() -> None:
    """As it was said, and never guessed."""
    table = {"won": "closed", "lost": "dead"}
    with pytest.raises(ValueError, match="none of the 2 values") as caught:
        value_map(table).to("maybe")
    assert "maybe" not in str(caught.value)
    assert value_map(table, unknown="pass").to("maybe") == "maybe"
    assert value_map(table, unknown="default", default="open").to("maybe") == "open"
    with pytest.raises(ValueError, match="none of"):
        value_map(table, unknown="default", default="open").inverse.to("maybe")


def test_two_values_that_become_one_need_a_way_back() -> None:
    """Which of them comes back has to be said, and the loss is declared."""
    with pytest.raises(BadMapping, match="which of them comes back"):
        value_map({"a": 1, "b": 1})
    both = value_map({"a": 1, "b": 1}, back={1: "a"})
    assert (both.inverse.to(1), both.reversible) == ("a", False)


def test_a_day_never_moves() -> None:
    """A date goes through no zone: the closing day is the same on both sides, wherever they are."""
    assert date_text().to("2026-01-01") == date(2026, 1, 1)
    assert utc_midnight().to(date(2026, 1, 1)) == 1767225600000
    with pytest.raises(ValueError, match="no midnight"):
        utc_midnight().inverse.to(1767225600000 + 3_600_000)
    with pytest.raises(ValueError, match="a time, and no date"):
        utc_midnight().to(datetime(2026, 1, 1, tzinfo=UTC))


def test_hours_that_are_not_there_or_twice() -> None:
    """The change to summer time: an hour that nobody had is refused, of two equal ones the declared one is meant."""
    with pytest.raises(ValueError, match="leaves out"):
        in_zone("Europe/Berlin").to(datetime(2026, 3, 29, 2, 30))
    twice = datetime(2026, 10, 25, 2, 30)
    assert in_zone("Europe/Berlin").to(twice) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert in_zone("Europe/Berlin", twice="later").to(twice) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="twice"):
        in_zone("Europe/Berlin", twice="refuse").to(twice)
    with pytest.raises(ValueError, match="no zone"):
        in_zone("UTC").inverse.to(datetime(2026, 1, 1))
    with pytest.raises(BadMapping, match="no zone 'Berlin'"):
        in_zone("Berlin")


def test_a_time_without_its_offset_is_no_moment() -> None:
    """What is meant has to be said, by the field or by the converter."""
    with pytest.raises(ValueError, match="offset"):
        moment_text().to("2026-01-01T12:00:00")
    assert time_text("%Y-%m-%d %H:%M", "Asia/Tokyo").to("2026-01-01 09:00") == datetime(2026, 1, 1, tzinfo=UTC)
    assert day_in("Pacific/Auckland")(datetime(2026, 1, 1, 12, tzinfo=UTC)) == date(2026, 1, 2)
    assert midnight("America/Sao_Paulo")(date(2018, 11, 4)) == datetime(2018, 11, 4, 3, tzinfo=UTC)


def test_smallest_units_follow_the_currency() -> None:
    """Yen have none, dinars three; what is finer is refused and not rounded; no amount goes without its currency."""
    assert [places_of(code) for code in ("EUR", "JPY", "KWD", "CLF")] == [2, 0, 3, 4]
    assert minor_units("JPY").to(Decimal(100)) == 100
    with pytest.raises(ValueError, match="finer than EUR"):
        minor_units("EUR").to(Decimal("0.005"))
    with pytest.raises(ValueError, match="without its currency"):
        minor_money().to((Decimal(1), None))
    for wrong in ("eur", "EURO", "€"):
        with pytest.raises(ValueError, match="ISO 4217"):
            places_of(wrong)


def test_a_rate_holds_from_its_day_on() -> None:
    """An amount is exchanged by the rate of its day; without one it is refused, and none is made up."""
    rates = Rates(
        [Rate("USD", "EUR", date(2026, 1, 1), Decimal("0.9")), Rate("USD", "EUR", date(2026, 6, 1), Decimal("0.8"))]
    )
    into = exchange(rates, "EUR")
    assert into((Decimal(10), "USD", date(2026, 5, 31))) == Decimal("9.00")
    assert into((Decimal(10), "USD", date(2026, 6, 1))) == Decimal("8.00")
    assert into((None, None, None)) is None
    with pytest.raises(ValueError, match="no rate"):
        into((Decimal(10), "USD", date(2025, 12, 31)))
    with pytest.raises(ValueError, match="no rate"):
        into((Decimal(10), "GBP", date(2026, 6, 1)))


@CALM
@given(
    st.integers(-(10**6), 10**6), st.lists(st.integers(0, 50), min_size=1, max_size=9), st.sampled_from(["EUR", "JPY"])
)
def test_no_cent_is_lost_in_sharing(number: int, weights: list[int], currency: str) -> None:
    """Shares sum to their total, in whole smallest units, and none is farther than one from what it should be."""
    if not sum(weights):
        weights = [*weights, 1]
    total = Decimal(number).scaleb(-places_of(currency))
    shares = allocated(total, [Decimal(one) for one in weights], currency)
    assert sum(shares) == total
    one = Decimal(1).scaleb(-places_of(currency))
    assert all(abs(share - total * weight / sum(weights)) < one for share, weight in zip(shares, weights, strict=True))


def test_rounded_lines_sum_to_their_total() -> None:
    """A difference of rounding goes to the lines that were rounded most; a real one is an error."""
    thirds = [Decimal("3.335")] * 3
    assert rounded_to_total(thirds, Decimal("10.01"), "EUR") == [Decimal("3.33"), Decimal("3.34"), Decimal("3.34")]
    assert sum(rounded_to_total([Decimal("0.005")] * 4, Decimal("0.02"), "EUR")) == Decimal("0.02")
    with pytest.raises(ValueError, match="more than rounding"):
        rounded_to_total([Decimal(1)], Decimal(2), "EUR")


def test_units_of_one_kind_are_exchanged() -> None:
    """By powers of ten nothing is lost; other ways need a number of places; a mass is no length."""
    assert measure("g", "kg").reversible
    assert not measure("lb", "kg", places=3).reversible
    with pytest.raises(BadMapping, match="no power of ten"):
        measure("lb", "kg")
    with pytest.raises(BadMapping, match="mass"):
        measure("kg", "m")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (date_text("%d.%m.%Y"), "2026-01-01"),
        (number_text(), "12.5"),
        (number_text(), "1" * 50),
        (decimal_text(",", "."), "1.23,5"),
        (decimal_text(",", "."), "12,5,0"),
        (yes_no(), "perhaps"),
        (template("{} {}").inverse, "oneword"),
        (moment_text(), "yesterday"),
        (multi_select().inverse, ["a;b"]),
        (country_name().inverse, "Atlantis"),
    ],
)
def test_what_is_of_another_form_is_refused(text: object, wrong: object) -> None:
    """Nothing is guessed, and the reason does not hold the value."""
    to = text.to  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r".") as caught:
        to(wrong)
    assert str(wrong) not in str(caught.value)


def test_html_is_text_and_text_is_html() -> None:
    """Scripts are not shown, entities are characters, and a text with markup in it comes back as it was."""
    assert html_text().to("<p>1 &lt; 2</p><style>p{}</style><p>b<br/>c</p>") == "1 < 2\n\nb\nc"
    assert html_text().to(html_text().inverse.to("a <b> & c\nd\n\ne")) == "a <b> & c\nd\n\ne"


NORMALISERS: list[tuple[Normaliser, st.SearchStrategy[str]]] = [
    (email, st.emails()),
    (phone("DE"), st.from_regex(r"\A(\+49|0)[1-9][0-9]{5,9}( ext [0-9]{1,3})?\Z")),
    (person_name, st.text(max_size=20)),
    (company_name, st.text("AB &.gmbhinc株式会社", max_size=20)),
    (street, st.text("Haupt str.ß5-", max_size=20)),
    (country, st.sampled_from(["de", "DEU", "Germany", "276", "xx", "usa", "Côte d'Ivoire"])),
]


@pytest.mark.parametrize(("by", "texts"), NORMALISERS)
def test_normalising_twice_changes_nothing(by: Normaliser, texts: st.SearchStrategy[str]) -> None:
    """A canonical form is its own canonical form, and has the same key."""

    @CALM
    @given(texts)
    def check(text: str) -> None:
        try:
            once = by(text)
        except ValueError:
            return
        again = by(once.canonical)
        assert again == once

    check()


def test_a_key_finds_what_is_written_differently() -> None:
    """The stored address keeps its dots and its plus, the key does not."""
    assert email("Ada.L+x@GMAIL.com").canonical == "Ada.L+x@gmail.com"
    assert email("Ada.L+x@GMAIL.com").key == email("adal@googlemail.com").key
    assert email("a.b@x.org").key != email("ab@x.org").key
    assert phone("AT")("01 58858").key == phone("DE")("+43 (1) 588-58").key
    assert person_name("Dr. José Müller").key == person_name("MULLER, Jose").key
    assert company_name("Acme GmbH & Co. KG").key == company_name("ACME").key
    assert company_name("AG").key == "ag", "something is always left"
    assert street("Hauptstr. 5").key == street("Haupt Straße 5").key
    assert keyed(email, "a")({"a": "no address"}) is None
    assert keyed(person_name, "a", "b")({"a": "X", "b": None}) is None
    with pytest.raises(ValueError, match="no region"):
        phone("Germany")


@pytest.mark.parametrize(
    "wrong", ["ada", "ada@", "@x.org", "a b@x.org", ".a@x.org", "a..b@x.org", "a@nodot", "a@-x.org"]
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    """The reason does not hold it."""
    with pytest.raises(ValueError, match=r"e-mail|domain") as caught:
        email(wrong)
    assert wrong not in str(caught.value)


def test_the_face_needs_no_extra() -> None:
    """Without the packages of the extras all else works; what needs one says so when it is used."""
    code = (
        "import sys\n"
        "for name in ('babel', 'idna', 'phonenumbers', 'hypothesis'):\n    sys.modules[name] = None\n"
        "from routekit_mapping import *\n"
        "assert email('Ada@EXAMPLE.org').canonical == 'Ada@example.org'\n"
        "try:\n    email('a@bücher.example')\nexcept ValueError as error:\n    print(error)\n"
        "try:\n    phone('DE')\nexcept ImportError:\n    print('phones')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "routekit-mapping[emails]" in done.stdout
    assert "phones" in done.stdout


def test_strategies_keep_the_limits_of_a_type() -> None:
    """What is drawn for a field fits it."""
    short = TypeAdapter(Annotated[str, Field(max_length=3)])
    info = Field(max_length=3)

    @CALM
    @given(values(str | None, info.metadata))
    def check(value: str | None) -> None:
        assert value is None or short.validate_python(value) == value

    check()
