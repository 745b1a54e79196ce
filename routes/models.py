"""What the lead sources send, row by row, and what the CRM keeps.

A row model takes one CSV row as text, under the column names of its source, and reads numbers, dates and yes/no.
What only a look at the whole row can tell (a phone number needs its country) is left to `cleansing`.
Every error names the column and says in plain words what is wrong; whoever reports it adds the value that was found.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

VIP_FROM = Decimal(50_000)
"""The budget, in whatever currency it was named, from which sales wants to hear of a contact at once."""

MOST_MONEY = Decimal(1_000_000_000_000)
"""A budget above this is a typing error, and would not fit its column in cents for ever."""

Source: TypeAlias = Literal["web", "fair", "partner"]


def plain_number(text: str) -> Decimal:
    """A number of money as programs write it; raises ValueError.

    >>> plain_number("12500.5")
    Decimal('12500.5')
    """
    if not _PLAIN.fullmatch(text):
        raise ValueError("is no number like 12500.00")
    return plausible(Decimal(text))


def german_number(text: str) -> Decimal:
    """A number of money as German writes it; raises ValueError.

    >>> german_number("12.500,50"), german_number("900")
    (Decimal('12500.50'), Decimal('900'))
    """
    if not _GERMAN.fullmatch(text):
        raise ValueError("is no number like 12.500,00")
    return plausible(Decimal(text.replace(".", "").replace(",", ".")))


def plausible(amount: Decimal) -> Decimal:
    """The amount itself; raises ValueError for one below zero or above `MOST_MONEY`."""
    if amount < 0:
        raise ValueError("is below zero")
    if amount > MOST_MONEY:
        raise ValueError(f"is more than {MOST_MONEY:,}, which must be a mistake")
    return amount


def german_day(text: str) -> datetime:
    """The start of a day written 31.12.2026, in UTC; raises ValueError.

    >>> german_day("31.12.2026").isoformat()
    '2026-12-31T00:00:00+00:00'
    """
    try:
        return datetime.strptime(text, "%d.%m.%Y").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError("is no date like 31.12.2026") from None


def instant(text: str) -> datetime:
    """A moment in ISO 8601 with an offset, in UTC; raises ValueError: a time without one could be anywhere.

    >>> instant("2026-11-20T09:15:00+01:00").isoformat()
    '2026-11-20T08:15:00+00:00'
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no date and time like 2026-12-31T09:15:00+01:00") from None
    if moment.tzinfo is None:
        raise ValueError("has no offset from UTC, such as +01:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is at the end of the calendar") from None


def yes(text: str) -> bool:
    """Whether a box was ticked. Raises ValueError for what is neither yes nor no.

    >>> yes("Yes"), yes("off")
    (True, False)
    """
    word = text.lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise ValueError("is neither yes nor no")


_PLAIN = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,2})?")
_GERMAN = re.compile(r"-?([0-9]{1,3}(\.[0-9]{3}){1,9}|[0-9]{1,30})(,[0-9]{1,2})?")
_YES = frozenset({"yes", "true", "1", "on", "ja"})
_NO = frozenset({"no", "false", "0", "off", "nein"})


def _cell(function: Callable[[str], object], *, needed: bool = False, empty: object = None) -> BeforeValidator:
    """Reads a cell by `function`, whose ValueError becomes the column's error in its own words.

    An empty cell is `empty`, or an error if it is needed. Pydantic's own reading would take "1700000000" for a date
    and would put "Value error, " before the reason.
    """

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value
        text = value.strip()
        if not text and needed:
            raise PydanticCustomError("cell", "is missing")
        try:
            return function(text) if text else empty
        except ValueError as error:
            raise PydanticCustomError("cell", "{reason}", {"reason": str(error)}) from None

    return BeforeValidator(read)


Needed: TypeAlias = Annotated[str, _cell(str, needed=True)]
"""A text that must be there."""

Moment: TypeAlias = Annotated[AwareDatetime, _cell(instant, needed=True)]
Day: TypeAlias = Annotated[AwareDatetime, _cell(german_day, needed=True)]
PlainMoney: TypeAlias = Annotated[Decimal | None, _cell(plain_number)]
GermanMoney: TypeAlias = Annotated[Decimal | None, _cell(german_number)]


class Row(BaseModel):
    """A row as its source sends it. Columns that we do not know are ignored; those we know must be there."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class WebLead(Row):
    """A row of the web form's export: comma, UTF-8. The form asks for the budget in euros."""

    first_name: str
    last_name: Needed
    email: Needed
    phone: str
    company: str
    country: str
    budget: PlainMoney
    created_at: Moment
    consent: Annotated[bool, _cell(yes, empty=False)]


class FairLead(Row):
    """A row of the badge scanner at a trade fair: semicolon, Windows-1252, German numbers and dates."""

    first_name: str = Field(validation_alias="Vorname")
    last_name: Needed = Field(validation_alias="Nachname")
    email: Needed = Field(validation_alias="E-Mail")
    phone: str = Field(validation_alias="Telefon")
    company: str = Field(validation_alias="Firma")
    country: str = Field(validation_alias="Land")
    budget: GermanMoney = Field(validation_alias="Budget (EUR)")
    day: Day = Field(validation_alias="Datum")


class PartnerLead(Row):
    """A row of a partner's report: tab, UTF-8, one name for a person, money as people write it."""

    contact_name: Needed = Field(validation_alias="Contact Name")
    mail: Needed = Field(validation_alias="Mail")
    mobile: str = Field(validation_alias="Mobile")
    organisation: str = Field(validation_alias="Organisation")
    country: str = Field(validation_alias="ISO Country")
    deal_size: str = Field(validation_alias="Deal Size")
    received: Moment = Field(validation_alias="Received")


class Lead(BaseModel):
    """A lead as all sources would send it if they could agree: clean, and in one form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: str
    first_name: str
    last_name: str
    phone: str | None
    company: str | None
    country: str | None
    budget: Decimal | None
    currency: str | None
    source: Source
    at: AwareDatetime


class Contact(BaseModel):
    """A row of the CRM's table `contacts` (see crm.sql), in types that every database driver takes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    email: str = Field(description="lower case; the key")
    first_name: str
    last_name: str
    phone: str | None = Field(description="E.164")
    company: str | None
    country: str | None = Field(description="ISO 3166-1 alpha-2")
    budget_cents: int | None
    currency: str | None = Field(description="ISO 4217; None exactly when the budget is")
    vip: bool
    source: Source
    lead_at: str = Field(description="UTC, 2026-11-20T09:15:00Z")


class Reject(BaseModel):
    """A row of the rejects file, which goes back to the source; `row` 1 is the first after the header."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    row: int
    column: str
    reason: str
    record: str = Field(description="the row as it came, as JSON")
