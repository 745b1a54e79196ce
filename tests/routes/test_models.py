"""What the row models make of the sources' columns, and that contacts fit their table."""

import sqlite3
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from routes.models import Contact, FairLead, Lead, PartnerLead, Reject, WebLead

SCHEMA = Path(__file__).parents[2] / "routes" / "crm.sql"
WEB = {
    "first_name": " Anna",
    "last_name": "Schmidt",
    "email": " anna@example.com ",
    "phone": "",
    "company": "Acme",
    "country": "",
    "budget": " 12500.5\xa0",
    "created_at": "2026-11-20T09:15:00+01:00",
    "consent": "On",
}
FAIR = {
    "Vorname": "Anna",
    "Nachname": "Schmidt",
    "E-Mail": "anna@example.com",
    "Telefon": "",
    "Firma": "",
    "Land": "Deutschland",
    "Budget (EUR)": "12.500,00",
    "Datum": "31.12.2026",
}
PARTNER = {
    "Contact Name": "Anna Schmidt",
    "Mail": "anna@example.com",
    "Mobile": "",
    "Organisation": "",
    "ISO Country": "DE",
    "Deal Size": "EUR 12k",
    "Received": "2026-11-20T09:15:00-05:00",
}
SOURCES: list[tuple[type[BaseModel], dict[str, str]]] = [(WebLead, WEB), (FairLead, FAIR), (PartnerLead, PARTNER)]
CONTACT = {
    "email": "anna@example.com",
    "first_name": "Anna",
    "last_name": "Schmidt",
    "phone": None,
    "company": None,
    "country": "DE",
    "budget_cents": 100,
    "currency": "EUR",
    "vip": False,
    "source": "web",
    "lead_at": "2026-11-20T09:15:00Z",
}


def wrong(model: type[BaseModel], row: dict[str, str]) -> dict[Any, str]:
    """The reasons for which a model refuses a row, by column."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(row)
    return {problem["loc"][0]: problem["msg"] for problem in caught.value.errors()}


def test_a_web_row_is_read() -> None:
    """Numbers, moments and ticks are read, stray space around them or not; texts stay for cleansing."""
    row = WebLead.model_validate(WEB)
    assert (row.first_name, row.email, row.budget, row.consent) == (
        " Anna",
        "anna@example.com",
        Decimal("12500.5"),
        True,
    )
    assert row.created_at == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    assert row.created_at.tzinfo is UTC


def test_a_fair_row_is_read_from_german() -> None:
    """German columns, numbers and days become plain fields."""
    row = FairLead.model_validate(FAIR)
    assert (row.last_name, row.country, row.budget) == ("Schmidt", "Deutschland", Decimal("12500.00"))
    assert row.day == datetime(2026, 12, 31, tzinfo=UTC)


def test_a_partner_row_is_read() -> None:
    """The moment is turned to UTC; the money is still text, as only cleansing can read it."""
    row = PartnerLead.model_validate(PARTNER)
    assert (row.contact_name, row.deal_size) == ("Anna Schmidt", "EUR 12k")
    assert row.received == datetime(2026, 11, 20, 14, 15, tzinfo=UTC)


@pytest.mark.parametrize(("model", "row"), SOURCES)
def test_unknown_columns_are_ignored(model: type[BaseModel], row: dict[str, str]) -> None:
    """A source may add columns without telling us."""
    assert model.model_validate({**row, "utm_campaign": "x"}) == model.model_validate(row)


@pytest.mark.parametrize(("model", "row"), SOURCES)
def test_a_column_that_is_gone_is_an_error(model: type[BaseModel], row: dict[str, str]) -> None:
    """A source that drops or renames a column is noticed, whichever it is, and not read as empty cells."""
    for column in row:
        assert set(wrong(model, {name: text for name, text in row.items() if name != column})) == {column}


@pytest.mark.parametrize(
    ("model", "row", "column"),
    [
        (WebLead, WEB, "email"),
        (WebLead, WEB, "last_name"),
        (WebLead, WEB, "created_at"),
        (FairLead, FAIR, "E-Mail"),
        (FairLead, FAIR, "Nachname"),
        (FairLead, FAIR, "Datum"),
        (PartnerLead, PARTNER, "Mail"),
        (PartnerLead, PARTNER, "Contact Name"),
        (PartnerLead, PARTNER, "Received"),
    ],
)
@pytest.mark.parametrize("empty", ["", " \xa0"])
def test_an_empty_cell_that_is_needed_is_missing(
    model: type[BaseModel], row: dict[str, str], column: str, empty: str
) -> None:
    """A cell that must be filled is reported under the source's own column name."""
    assert wrong(model, {**row, column: empty}) == {column: "is missing"}


@pytest.mark.parametrize(("model", "row", "column"), [(WebLead, WEB, "budget"), (FairLead, FAIR, "Budget (EUR)")])
def test_an_empty_budget_is_none(model: type[WebLead | FairLead], row: dict[str, str], column: str) -> None:
    """Who names no budget has none, which is not zero."""
    assert model.model_validate({**row, column: " "}).budget is None


@pytest.mark.parametrize("text", ["12.500,00", "12,5", "1e5", "€ 5", "12.345", "NaN", "Infinity", "٣", "1_000", "--1"])
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    """Only digits with at most two decimals are a budget of the web form; nothing is guessed."""
    assert wrong(WebLead, {**WEB, "budget": text}) == {"budget": "is no number like 12500.00"}


@pytest.mark.parametrize("text", ["12500.00", "12,500.00", "1.25.00", "1.2345,00", "5,", "NaN", "12.500,001"])
def test_what_is_no_german_number_is_refused(text: str) -> None:
    """A point that does not part thousands, or more than two decimals, is no German amount."""
    assert wrong(FairLead, {**FAIR, "Budget (EUR)": text}) == {"Budget (EUR)": "is no number like 12.500,00"}


def test_amounts_nobody_has_are_refused() -> None:
    """A budget below zero or above a million millions is a mistake."""
    assert wrong(WebLead, {**WEB, "budget": "-0.01"}) == {"budget": "is below zero"}
    assert wrong(WebLead, {**WEB, "budget": "9" * 30})["budget"].startswith("is more than 1,000,000,000,000,")


@pytest.mark.parametrize("text", ["31.02.2026", "2026-12-31", "31.12.26", "morgen", "1798675200"])
def test_what_is_no_german_day_is_refused(text: str) -> None:
    """A day that the calendar does not have, or in another order, is no date."""
    assert wrong(FairLead, {**FAIR, "Datum": text}) == {"Datum": "is no date like 31.12.2026"}


@pytest.mark.parametrize("text", ["2026-02-30T10:00:00Z", "yesterday", "1763625600", "20.11.2026 09:15"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    """Only ISO 8601 is a moment; a number is not taken for seconds."""
    assert wrong(WebLead, {**WEB, "created_at": text})["created_at"].startswith("is no date and time like")


@pytest.mark.parametrize("text", ["2026-11-20T09:15:00", "2026-11-20"])
def test_a_moment_without_an_offset_is_refused(text: str) -> None:
    """A time of day that could be anywhere on earth is not guessed to be UTC."""
    assert wrong(PartnerLead, {**PARTNER, "Received": text}) == {"Received": "has no offset from UTC, such as +01:00"}


def test_a_moment_at_the_end_of_the_calendar_is_refused() -> None:
    """A moment that UTC cannot hold is an error of its column, not a crash."""
    assert wrong(WebLead, {**WEB, "created_at": "0001-01-01T00:00:00+01:00"}) == {
        "created_at": "is at the end of the calendar"
    }


@pytest.mark.parametrize(
    ("text", "ticked"), [("Ja", True), ("1", True), ("nein", False), ("", False), (" off ", False)]
)
def test_consent_is_yes_or_no(text: str, ticked: bool) -> None:
    """The form's spellings of yes and no are known, and an empty cell is a no."""
    assert WebLead.model_validate({**WEB, "consent": text}).consent is ticked


def test_a_doubtful_consent_is_refused() -> None:
    """What is neither yes nor no is never taken for one of them."""
    assert wrong(WebLead, {**WEB, "consent": "maybe"}) == {"consent": "is neither yes nor no"}


def test_all_wrong_cells_of_a_row_are_reported() -> None:
    """Each wrong column of a row has its own reason."""
    assert list(wrong(FairLead, {**FAIR, "Datum": "x", "Budget (EUR)": "x", "E-Mail": ""})) == [
        "E-Mail",
        "Budget (EUR)",
        "Datum",
    ]


@pytest.mark.parametrize("model", [WebLead, FairLead, PartnerLead, Lead, Contact, Reject])
def test_rows_and_contacts_never_change(model: type[BaseModel]) -> None:
    """All models are frozen, so that branches of a route can share them."""
    assert model.model_config.get("frozen") is True


@pytest.fixture
def crm() -> Iterator[sqlite3.Connection]:
    """A database with the schema."""
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA.read_text(encoding="utf-8"))
    yield connection
    connection.close()


def store(crm: sqlite3.Connection, contact: Contact) -> None:
    """Insert a contact as it is."""
    values = contact.model_dump()
    crm.execute(
        f"INSERT INTO contacts ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", [*values.values()]
    )


def test_a_contact_goes_into_the_table_and_comes_back(crm: sqlite3.Connection) -> None:
    """Its values are stored as they are, without adapters."""
    contact = Contact.model_validate(CONTACT)
    store(crm, contact)
    crm.row_factory = sqlite3.Row
    assert Contact.model_validate(dict(crm.execute("SELECT * FROM contacts").fetchone())) == contact


def test_the_columns_of_the_table_are_the_fields_of_a_contact(crm: sqlite3.Connection) -> None:
    """Names, order and what may be null agree; the key is the address."""
    columns = crm.execute("PRAGMA table_info(contacts)").fetchall()
    nullable = {
        name: types.NoneType in typing.get_args(field.annotation) for name, field in Contact.model_fields.items()
    }
    assert {name: not needed for _, name, _, needed, _, _ in columns} == nullable
    assert [name for _, name, *_ in columns] == list(nullable)
    assert [name for _, name, *_, key in columns if key] == ["email"]


def test_the_schema_can_be_run_again(crm: sqlite3.Connection) -> None:
    """Running the schema at each start keeps what is stored."""
    store(crm, Contact.model_validate(CONTACT))
    crm.executescript(SCHEMA.read_text(encoding="utf-8"))
    assert crm.execute("SELECT count(*) FROM contacts").fetchone() == (1,)


@pytest.mark.parametrize("bad", [{"currency": None}, {"budget_cents": None}, {"budget_cents": -1}])
def test_the_table_refuses_money_that_is_none(crm: sqlite3.Connection, bad: dict[str, object]) -> None:
    """An amount has a currency, a currency an amount, and neither is below zero."""
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        store(crm, Contact.model_validate({**CONTACT, **bad}))
