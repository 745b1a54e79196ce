"""What cleansing makes of what people type, and the laws that hold for any text."""

import doctest
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from routekit import BodyError
from routes import cleansing, models
from routes.cleansing import (
    as_contact,
    as_reject,
    country_of,
    email_of,
    fair_lead,
    money_of,
    name_of,
    names_of,
    nfc,
    optional,
    partner_lead,
    phone_of,
    surname_of,
    text_of,
    trimmed,
    web_lead,
)
from routes.models import FairLead, Lead, PartnerLead, WebLead

WEB = {
    "first_name": "Anna",
    "last_name": "Schmidt",
    "email": "anna@example.com",
    "phone": "",
    "company": "",
    "country": "DE",
    "budget": "",
    "created_at": "2026-11-20T09:15:00Z",
    "consent": "yes",
}
FAIR = {
    "Vorname": "Anna",
    "Nachname": "Schmidt",
    "E-Mail": "anna@example.com",
    "Telefon": "",
    "Firma": "",
    "Land": "Deutschland",
    "Budget (EUR)": "",
    "Datum": "18.11.2026",
}
PARTNER = {
    "Contact Name": "Anna Schmidt",
    "Mail": "anna@example.com",
    "Mobile": "",
    "Organisation": "",
    "ISO Country": "DE",
    "Deal Size": "",
    "Received": "2026-11-20T09:15:00+01:00",
}

COUNTRIES = st.sampled_from(["DE", "AT", "GB", "US", "IT", "AR", "MX", "BR", "JP", None])
DIALLED = st.text("0123456789+()-/. \u0663\uff13x#*\xa0\u200b", max_size=24)
ADDRESSES = st.one_of(
    st.text(),
    st.emails(),
    st.builds(
        "{}@{}".format, st.text(max_size=12), st.sampled_from(["Example.COM", "exämple.com", "xn--exmple-cua.com"])
    ),
    st.builds("mailto:{}@{}.com".format, st.text(max_size=5), st.text(max_size=8)),
)


def outcome(cleanse: Callable[..., Any], *raw: object) -> Any:
    """What cleansing gives, or the ValueError that it raises; anything else flies."""
    try:
        return cleanse(*raw)
    except ValueError as error:
        return error


@pytest.mark.parametrize("module", [cleansing, models], ids=["cleansing", "models"])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(module).failed == 0  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\xa0", "\u3000", "\u2009", "\u200b \ufeff"])
def test_any_run_of_space_becomes_one_blank(space: str) -> None:
    """Whatever stands for space inside a text is one blank afterwards, and none is left outside."""
    assert trimmed(f"{space}a{space}{space}b{space}") == "a b"


@pytest.mark.parametrize("mark", ["\u200b", "\u200e", "\u202e", "\u2060", "\u2066", "\ufeff", "\u00ad", "\0", "\x9f"])
def test_what_nobody_sees_is_removed(mark: str) -> None:
    """Marks without width, marks of direction and control characters vanish from within a word."""
    assert trimmed(f"a{mark}b") == "ab"


def test_joiners_within_a_word_are_kept() -> None:
    """The joiner that Persian spelling needs stays inside a text, but not at its ends."""
    assert trimmed("\u200d \u0645\u06cc\u200c\u062e\u0648 \u200c") == "\u0645\u06cc\u200c\u062e\u0648"


@given(st.text())
@example(" \u200d \u200b\u200c ")
def test_trimming_twice_changes_nothing(text: str) -> None:
    """Trimmed text is trimmed."""
    once = trimmed(text)
    assert trimmed(once) == once
    assert once == once.strip()


@given(st.text())
def test_composing_twice_changes_nothing(text: str) -> None:
    """NFC text stays, and is what Unicode calls NFC."""
    once = nfc(text)
    assert nfc(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(ADDRESSES)
@example("İ@example.com")
@example("mailto:mailto:a@example.com")
def test_a_clean_address_stays_as_it_is(text: str) -> None:
    """Cleansing an e-mail address twice gives what once gives; no text raises anything but ValueError."""
    once = outcome(email_of, text)
    assert email_of(once) == once if isinstance(once, str) else str(once)


@given(
    st.emails() | st.builds("{}@{}".format, st.from_regex(r"[a-z.+-]{1,70}", fullmatch=True), st.just("example.com"))
)
@example("a" * 60 + "@" + "\u00e4." * 25 + "com")  # short enough as it is, too long in punycode
def test_the_short_way_of_usual_addresses_decides_as_the_library(text: str) -> None:
    """The cached domain and the pattern for local parts never accept or spell an address otherwise."""
    text = text.lower()
    try:
        wanted = validate_email(text, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        assert isinstance(outcome(email_of, text), ValueError)
    else:
        assert email_of(text) == wanted


def test_an_address_is_one_in_any_case() -> None:
    """Local part and domain are lowered, composed and freed of mailto."""
    assert email_of("\xa0MAILTO:Ju\u0308rgen@EXAMPLE.Com ") == "jürgen@example.com"


def test_a_punycode_domain_is_the_domain_it_stands_for() -> None:
    """Both spellings of a domain give one key."""
    assert email_of("a@xn--exmple-cua.com") == email_of("a@EXÄMPLE.com") == "a@exämple.com"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is missing"),
        (" \u200b", "is missing"),
        ("anna.example.com", "must have an @-sign"),
        ("anna schmidt@example.com", "invalid characters before the @-sign: SPACE"),
        ("anna@example", "should have a period"),
        ("anna@localhost", "should have a period"),
        ("anna@crm.test", "special-use"),
        ("a@example.com, b@example.com", "invalid characters"),
        ("x" * 65 + "@example.com", "too long"),
        ("x" * 300, "has 300 characters; 254 are the most"),
    ],
)
def test_a_wrong_address_is_refused_with_a_reason(text: str, reason: str) -> None:
    """The reason says what to look for in the address."""
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        email_of(text)
    assert len(str(caught.value)) < 200


@given(st.text() | DIALLED, COUNTRIES)
def test_a_clean_number_stays_as_it_is(text: str, country: str | None) -> None:
    """Cleansing a phone number twice gives what once gives, E.164 or None; it raises nothing but ValueError."""
    once = outcome(phone_of, text, country)
    if isinstance(once, ValueError):
        assert str(once)
        return
    assert once is None or re.fullmatch(r"\+[1-9][0-9]{1,16}", once)
    assert phone_of(once or "", country) == once


@pytest.mark.parametrize(
    "typed",
    [
        "030 23125-123",
        "(030) 23125 123",
        "+49 (0)30 23125123",
        "0049 30 23125123",
        "tel:+49-30-23125-123",
        "\uff10\uff13\uff10\uff12\uff13\uff11\uff12\uff15\uff11\uff12\uff13",
    ],
)
def test_national_spellings_of_a_number_are_one(typed: str) -> None:
    """However Germans write a number, it is one in E.164."""
    assert phone_of(typed, "DE") == "+493023125123"


def test_a_zero_that_belongs_to_the_number_is_kept() -> None:
    """Italian numbers keep their leading zero abroad."""
    assert phone_of("06 5550 1234", "IT") == "+390655501234"


def test_numbers_kept_for_fiction_pass() -> None:
    """A number out of no block in use is a number: only its length is judged."""
    assert phone_of("07700 900123", "GB") == "+447700900123"


@pytest.mark.parametrize(
    ("typed", "country", "reason"),
    [
        ("030 23125-123", None, "its country is not known; write it with +"),
        ("see website", "DE", "it holds no number"),
        ("+999 1234567", "DE", "its country is not known"),
        ("555-0123", "US", "the area code is missing"),
        ("+1 202 555 01234567", None, "it is too long for its country"),
        ("+44 12", None, "it is too short"),
        ("0" * 22, "DE", "it is too long"),
    ],
)
def test_an_impossible_number_is_refused_with_a_reason(typed: str, country: str | None, reason: str) -> None:
    """The reason says what is wrong with the number."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        phone_of(typed, country)


@pytest.mark.parametrize("nothing", ["", " ", "-", "N/A", "k.A.", "None", "unbekannt"])
def test_words_for_nothing_are_nothing(nothing: str) -> None:
    """What people write into a field that they have to fill is None wherever a value may be missing."""
    assert optional(nothing) is None
    assert phone_of(nothing, "DE") is None
    assert country_of(nothing) is None
    assert money_of(nothing) is None


def test_nobody_is_called_nothing_by_mistake() -> None:
    """Null and None are surnames too: a name is never taken for a missing one."""
    assert (name_of("Null"), names_of("Jenny None")) == ("Null", ("Jenny", "None"))


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("SCHMIDT", "Schmidt"),
        ("müller-lüdenscheidt", "Müller-Lüdenscheidt"),
        ("D'ARCY", "D'Arcy"),
        ("o\u2019neill", "O\u2019Neill"),
        ("VAN DEN BERG", "van den Berg"),
        ("McAllister", "McAllister"),
        ("王", "王"),
        ("O\u0308ZTU\u0308RK", "Öztürk"),
    ],
)
def test_names_in_one_case_get_their_capitals(typed: str, name: str) -> None:
    """Names all in capitals or all in small letters are respelled; others are as their owner writes them."""
    assert name_of(typed) == name


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("Anna Lena Schmidt", ("Anna Lena", "Schmidt")),
        ("Prof. Dr. Anna von der Heide", ("Anna", "von der Heide")),
        ("VON DER HEIDE, ANNA", ("Anna", "von der Heide")),
        ("Schmidt, Dr. Anna", ("Anna", "Schmidt")),
        ("Schmidt,", ("", "Schmidt")),
        ("Cher", ("", "Cher")),
    ],
)
def test_one_cell_is_split_into_two_names(cell: str, names: tuple[str, str]) -> None:
    """First and last name are found, whatever stands first, and titles are dropped."""
    assert names_of(cell) == names


@pytest.mark.parametrize("text", ["=1+1", '=HYPERLINK("x")', "@SUM(1)", "+1+cmd|'/C calc'!A1", " -2+3+cmd|' /C x'!A0"])
def test_formulas_are_refused(text: str) -> None:
    """A cell that a spreadsheet would run never gets into the CRM."""
    with pytest.raises(ValueError, match="is a spreadsheet formula"):
        text_of(text)


@pytest.mark.parametrize("text", ["@home Services", "+plus Systems", "-", "1 < 2", "Stark (Europe)", "A=B"])
def test_texts_that_only_look_odd_pass(text: str) -> None:
    """Not every sign at the start is a formula, and not every bracket is markup."""
    assert text_of(text) == text


@pytest.mark.parametrize("text", ["<b>Acme</b>", "<script>alert(1)</script>", "&lt;img src=x&gt;", "x</p>", "<!-- -->"])
def test_markup_is_refused(text: str) -> None:
    """HTML never gets into the CRM, nor does HTML spelled with entities."""
    with pytest.raises(ValueError, match="holds HTML"):
        text_of(text)


def test_long_texts_are_refused_by_their_length() -> None:
    """A text too long for its column is refused; the reason gives both lengths, not the text."""
    with pytest.raises(ValueError, match=r"^has 5,000 characters; 200 are the most$"):
        text_of("x" * 5_000)


@given(st.text())
def test_texts_raise_nothing_but_value_errors(text: str) -> None:
    """All cleansing functions give a value or ValueError for any text."""
    for cleanse in (text_of, optional, name_of, surname_of, names_of, country_of, money_of):
        result = outcome(cleanse, text)
        assert not isinstance(result, ValueError) or str(result)


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("österreich", "AT"),
        ("O\u0308STERREICH", "AT"),
        ("United  Kingdom", "GB"),
        ("us", "US"),
        ("JPN", "JP"),
        ("UK", "GB"),
    ],
)
def test_countries_are_known_by_name_and_code(typed: str, code: str) -> None:
    """English and German names and codes in any case give the ISO-2 code."""
    assert country_of(typed) == code


@pytest.mark.parametrize("typed", ["Atlantis", "XX", "D", "ß"])
def test_an_unknown_country_is_refused(typed: str) -> None:
    """What is no country is refused with what was found."""
    with pytest.raises(ValueError, match=f"'{typed}' is no country"):
        country_of(typed)


@pytest.mark.parametrize(
    ("typed", "amount", "currency"),
    [
        ("EUR 12k", "12000", "EUR"),
        ("€1.250,50", "1250.50", "EUR"),
        ("12.500 €", "12500", "EUR"),
        ("CHF 12'500.05", "12500.05", "CHF"),
        ("1 500 000 sek", "1500000", "SEK"),
        ("£2.5m", "2500000", "GBP"),
        ("$0", "0", "USD"),
        ("US$ 1,000,000.99", "1000000.99", "USD"),
        ("3 Mio. EUR", "3000000", "EUR"),
    ],
)
def test_money_is_read_as_people_write_it(typed: str, amount: str, currency: str) -> None:
    """Amounts come out exactly, with the currency that was written before or after them."""
    assert money_of(typed) == (Decimal(amount), currency)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("12,000", "has no currency"),
        ("€ 12 USD", "has two currencies"),
        ("lots", "is no amount of money"),
        ("EUR -5", "is no amount of money"),
        ("EUR 1,2,3", "is no amount of money"),
        ("EUR 1.000,000", "is no amount of money"),
        ("999999999999k EUR", "is more than"),
    ],
)
def test_what_is_no_money_is_refused(typed: str, reason: str) -> None:
    """Money without a currency, with two, or none at all is refused with that reason."""
    with pytest.raises(ValueError, match=reason):
        money_of(typed)


def test_all_that_is_wrong_with_a_row_is_told_at_once() -> None:
    """A row with several wrong cells is one error that names each column and reason."""
    row = {**WEB, "email": "anna", "phone": "see website", "company": "=1+1"}
    with pytest.raises(BodyError) as caught:
        web_lead(WebLead.model_validate(row))
    assert caught.value.column == "phone, email, company"
    for part in ("phone: 'see website'", "email: 'anna'", "company: '=1+1'"):
        assert part in caught.value.reason


def test_one_wrong_cell_is_told_under_its_column() -> None:
    """A row with one wrong cell names the column of its source and the reason alone."""
    with pytest.raises(BodyError) as caught:
        fair_lead(FairLead.model_validate({**FAIR, "Land": "Atlantis", "Telefon": "030 1"}))
    assert caught.value.column == "Land"
    assert caught.value.reason.startswith("'Atlantis' is no country")


def test_who_did_not_consent_is_refused() -> None:
    """A web lead without consent never becomes a lead."""
    with pytest.raises(BodyError, match="column 'consent': the person did not consent to be contacted"):
        web_lead(WebLead.model_validate({**WEB, "consent": "no"}))


def test_one_person_in_three_dialects_is_one_lead() -> None:
    """Rows of the three sources about the same person differ in nothing but source and time."""
    web = {**WEB, "phone": "030 23125123", "company": "M &amp; S", "country": "Germany", "budget": "12500"}
    fair = {**FAIR, "Telefon": "030/23125-123", "Firma": "M & S", "Budget (EUR)": "12.500,00"}
    partner = {**PARTNER, "Mobile": "+49 30 23125123", "Organisation": "M  & S", "Deal Size": "EUR 12.5k"}
    leads = [
        web_lead(WebLead.model_validate(web)),
        fair_lead(FairLead.model_validate(fair)),
        partner_lead(PartnerLead.model_validate(partner)),
    ]
    assert [lead.source for lead in leads] == ["web", "fair", "partner"]
    same = {"source": "web", "at": leads[0].at}
    assert leads[0] == leads[1].model_copy(update=same) == leads[2].model_copy(update=same)


@pytest.mark.parametrize(("budget", "vip"), [(None, False), ("49999.99", False), ("50000", True), ("50000.01", True)])
def test_a_contact_is_big_from_its_budget_on(budget: str | None, vip: bool) -> None:
    """The mark is set from 50,000 on, and money is kept in hundredths."""
    lead = Lead(
        email="a@example.com",
        first_name="",
        last_name="A",
        phone=None,
        company=None,
        country=None,
        budget=None if budget is None else Decimal(budget),
        currency=None if budget is None else "EUR",
        source="web",
        at=datetime(2026, 11, 20, 9, 15, tzinfo=UTC),
    )
    contact = as_contact(lead)
    assert contact.vip is vip
    assert contact.budget_cents == (None if budget is None else round(float(budget) * 100))
    assert contact.lead_at == "2026-11-20T09:15:00Z"


CELL = st.text(max_size=12) | DIALLED | st.sampled_from(["DE", "a@example.com", "1.5", "EUR 9", "01.02.2026", "yes"])


@given(
    st.data(),
    st.sampled_from([(WebLead, web_lead, WEB), (FairLead, fair_lead, FAIR), (PartnerLead, partner_lead, PARTNER)]),
)
def test_any_row_is_a_contact_that_fits_or_an_error_with_columns(data: st.DataObject, feed: tuple) -> None:  # pyright: ignore
    """Whatever the cells hold, a row is refused with columns named, or its contact fits the table."""
    model, translate, sound = feed
    spoiled = data.draw(st.dictionaries(st.sampled_from(sorted(sound)), CELL, max_size=3))
    try:
        contact = as_contact(translate(model.model_validate({**sound, **spoiled})))
    except ValidationError as error:
        columns = {problem["loc"][0] for problem in error.errors()}
    except BodyError as error:
        columns = set((error.column or "").split(", "))
    else:
        columns = set[str]()
        assert len(contact.email) <= 254
        assert 1 <= len(contact.last_name) <= 100
        assert contact.phone is None or len(contact.phone) <= 16
        assert len(contact.lead_at) == 20
        assert contact.budget_cents is None or contact.budget_cents < 2**63
    assert columns <= set(spoiled)


def test_a_reject_keeps_the_row_as_it_came() -> None:
    """File, row, column and reason stand beside the raw record, which can be read again."""
    record = {"E-Mail": "Jürgen\xa0\n@"}
    reject = as_reject(BodyError("is wrong", column="E-Mail"), record, file="fair.csv", row=7)
    assert (reject.file, reject.row, reject.column, reject.reason) == ("fair.csv", 7, "E-Mail", "is wrong")
    assert json.loads(reject.record) == record
    assert "Jürgen" in reject.record


def test_the_row_that_an_error_knows_counts() -> None:
    """An error that says its row is believed before the counter of the caller."""
    assert as_reject(BodyError("is wrong", row=3), {}, file="f", row=7).row == 3
