"""Makes one clean form of what people type: text, names, e-mail addresses, phone numbers, countries, money.

The functions up to `money_of` know nothing of leads. Each takes a raw text, gives the clean value, and raises
ValueError with a reason that the sender of the file can act on. The functions after it make a `Lead` of each source's
row, and a `Contact` of a lead; they raise `BodyError`, which names all columns that are wrong at once.

Longer than most modules for the tables at its end, which nobody else needs. Profiled: of some 35 µs that a row takes
from text to contact, 13 are spent in phonenumbers; a domain seen for the first time costs 17 more in email-validator,
and any outside ASCII 65.
"""

import html
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import ParamSpec, TypeVar

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, ValidationResult

from routekit import BodyError

from .models import VIP_FROM, Contact, FairLead, Lead, PartnerLead, Reject, Source, WebLead, plausible

P = ParamSpec("P")
T = TypeVar("T")


def trimmed(raw: str) -> str:
    r"""A text without what nobody sees: outer space, runs of space of any kind, marks of no width, control characters.

    The joiners that Persian and Indic names need are kept inside a text.

    >>> trimmed("\ufeff  Anna\xa0\t Lena\u200b ")
    'Anna Lena'
    """
    return " ".join(raw.translate(_UNSEEN).split()).strip(" \u200c\u200d")


def nfc(text: str) -> str:
    r"""A text with letters and their accents in one character (Unicode NFC), so that equal texts are equal.

    >>> nfc("Mu\u0308ller") == "M\xfcller"
    True
    """
    return unicodedata.normalize("NFC", text)


def text_of(raw: str, most: int = 200) -> str:
    """A line of plain text, entities resolved; raises ValueError for markup, formulas and more than `most` characters.

    A cell that starts like a formula would run in the spreadsheet of whoever opens an export of the CRM (CWE-1236).

    >>> text_of(" Müller &amp;  Söhne ")
    'Müller & Söhne'
    """
    text = nfc(trimmed(html.unescape(raw)))
    if len(text) > most:
        raise ValueError(f"has {len(text):,} characters; {most} are the most")
    if _FORMULA.match(text):
        raise ValueError(f"{_shown(text)} is a spreadsheet formula")
    if _MARKUP.search(text):
        raise ValueError(f"{_shown(text)} holds HTML")
    return text


def optional(raw: str, most: int = 200) -> str | None:
    """As `text_of`, or None for an empty cell and for what people write instead.

    >>> optional(" n/a ")
    """
    text = text_of(raw, most)
    return None if text.casefold() in _NOTHING else text


def name_of(raw: str) -> str:
    """A part of a person's name; one typed all in capitals or all in small letters gets the usual capitals.

    >>> name_of("ANNE-MARIE"), name_of("o'neill"), name_of("VON DER LEYEN"), name_of("McAllister")
    ('Anne-Marie', "O'Neill", 'von der Leyen', 'McAllister')
    """
    text = text_of(raw, most=100)
    if not (text.isupper() or text.islower()):
        return text
    return nfc(" ".join(_capitalised(word.lower()) for word in text.split(" ")))


def surname_of(raw: str) -> str:
    """As `name_of`, for the name that must be there.

    >>> surname_of("  ")
    Traceback (most recent call last):
    ValueError: is missing
    """
    name = name_of(raw)
    if not name:
        raise ValueError("is missing")
    return name


def names_of(raw: str) -> tuple[str, str]:
    """First and last name out of one cell, without titles; a name of one word is a last name.

    >>> names_of("Dr. Ludwig van Beethoven"), names_of("SCHMIDT, ANNA"), names_of("王小明")
    (('Ludwig', 'van Beethoven'), ('Anna', 'Schmidt'), ('', '王小明'))
    """
    text = text_of(raw, most=200)
    last, comma, first = text.partition(",")
    words = (f"{first} {last}" if comma else text).split()
    while len(words) > 1 and words[0].rstrip(".").lower() in _TITLES:
        words = words[1:]
    cut = len(last.split()) if comma else _length_of_surname(words)
    return name_of(" ".join(words[:-cut])), surname_of(" ".join(words[-cut:]))


def email_of(raw: str) -> str:
    """An e-mail address in lower case, with a Unicode domain; whether it exists is not asked.

    The local part is lowered too: RFC 5321 lets servers tell cases apart, but people do not, and the CRM keeps one
    contact per address.

    >>> email_of(" Anna.Schmidt@Mail.EXAMPLE.com")
    'anna.schmidt@mail.example.com'
    >>> email_of("anna@")
    Traceback (most recent call last):
    ValueError: 'anna@' is no e-mail address: there must be something after the @-sign
    """
    text = nfc(trimmed(raw).lower()).removeprefix("mailto:")
    if not text:
        raise ValueError("is missing")
    if len(text) > 254:
        raise ValueError(f"has {len(text):,} characters; 254 are the most")
    local, at, domain = text.partition("@")
    try:
        if at and domain.isascii() and _USUAL.fullmatch(local):
            return f"{local}@{_domain(domain)}"
        return validate_email(text, check_deliverability=False, strict=True).normalized
    except EmailNotValidError as error:
        reason = str(error).removesuffix(".")
        raise ValueError(f"{_shown(text)} is no e-mail address: {reason[:1].lower()}{reason[1:]}") from None


def phone_of(raw: str, country: str | None = None) -> str | None:
    """A phone number in E.164, or None for an empty cell; one without + is of `country` (ISO-2).

    Only its length is judged, not whether a block of numbers is in use today: that table ages, and a customer with a
    new number is worth more than it. An extension is dropped, as E.164 has none.

    >>> phone_of("089 / 99998-123", "DE"), phone_of("+1 (202) 555-0123"), phone_of("-")
    ('+498999998123', '+12025550123', None)
    >>> phone_of("555 0123", "US")
    Traceback (most recent call last):
    ValueError: '555 0123' is no phone number: the area code is missing
    """
    text = trimmed(raw)
    if text.casefold() in _NOTHING:
        return None
    try:
        number = phonenumbers.parse(text, country)
    except NumberParseException as error:
        raise ValueError(f"{_shown(text)} is no phone number: {_UNREADABLE[error.error_type]}") from None
    wrong = _IMPOSSIBLE.get(phonenumbers.is_possible_number_with_reason(number))
    if wrong:
        raise ValueError(f"{_shown(text)} is no phone number: {wrong}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def country_of(raw: str) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country given by code, English or German name; None for an empty cell.

    >>> country_of("Deutschland"), country_of("uk"), country_of("fr"), country_of("")
    ('DE', 'GB', 'FR', None)
    """
    text = nfc(trimmed(raw))
    word = text.casefold()
    if word in _NOTHING:
        return None
    code = _COUNTRIES.get(word, text.upper() if text.isascii() else "")  # the small letters of ß are ss, South Sudan
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{_shown(text)} is no country that we know; write its ISO code, like DE")
    return code


def money_of(raw: str) -> tuple[Decimal, str] | None:
    """Amount and ISO 4217 currency of money as people write it; None for an empty cell.

    A comma, point, apostrophe or space before three digits separates thousands; a comma or point before one or two
    starts the decimals.

    >>> money_of("EUR 12k"), money_of("$50,000"), money_of("1.250,50 €")
    ((Decimal('12000.00'), 'EUR'), (Decimal('50000.00'), 'USD'), (Decimal('1250.50'), 'EUR'))
    """
    text = trimmed(raw)
    if text.casefold() in _NOTHING:
        return None
    found = _MONEY.fullmatch(text)
    if found is None:
        raise ValueError(f"{_shown(text)} is no amount of money; write it like EUR 12,000")
    before, after = found["before"], found["after"]
    if bool(before) == bool(after):
        raise ValueError(
            f"{_shown(text)} has {'two currencies' if before else 'no currency'}; write it like EUR 12,000"
        )
    whole = re.sub("[^0-9]", "", found["whole"])
    amount = Decimal(f"{whole}.{found['cents'] or '00'}") * _SCALES[(found["scale"] or "").lower()]
    return plausible(amount), _CURRENCIES[(before or after).upper()]


def web_lead(row: WebLead) -> Lead:
    """The lead in a row of the web form; a person who did not consent to be contacted is an error."""
    cells = _Cells()
    cells.read("consent", _consented, row.consent)
    country, phone = cells.reach("country", row.country, "phone", row.phone)
    return cells.lead(
        "web",
        email=cells.read("email", email_of, row.email),
        first_name=cells.read("first_name", name_of, row.first_name),
        last_name=cells.read("last_name", surname_of, row.last_name),
        phone=phone,
        company=cells.read("company", optional, row.company),
        country=country,
        budget=row.budget,
        currency=None if row.budget is None else "EUR",
        at=row.created_at,
    )


def fair_lead(row: FairLead) -> Lead:
    """The lead in a row of the trade fair's scanner."""
    cells = _Cells()
    country, phone = cells.reach("Land", row.country, "Telefon", row.phone)
    return cells.lead(
        "fair",
        email=cells.read("E-Mail", email_of, row.email),
        first_name=cells.read("Vorname", name_of, row.first_name),
        last_name=cells.read("Nachname", surname_of, row.last_name),
        phone=phone,
        company=cells.read("Firma", optional, row.company),
        country=country,
        budget=row.budget,
        currency=None if row.budget is None else "EUR",
        at=row.day,
    )


def partner_lead(row: PartnerLead) -> Lead:
    """The lead in a row of a partner's report."""
    cells = _Cells()
    country, phone = cells.reach("ISO Country", row.country, "Mobile", row.mobile)
    names = cells.read("Contact Name", names_of, row.contact_name) or ("", "")
    money = cells.read("Deal Size", money_of, row.deal_size) or (None, None)
    return cells.lead(
        "partner",
        email=cells.read("Mail", email_of, row.mail),
        first_name=names[0],
        last_name=names[1],
        phone=phone,
        company=cells.read("Organisation", optional, row.organisation),
        country=country,
        budget=money[0],
        currency=money[1],
        at=row.received,
    )


def as_contact(lead: Lead) -> Contact:
    """The CRM's row for a lead."""
    return Contact(
        email=lead.email,
        first_name=lead.first_name,
        last_name=lead.last_name,
        phone=lead.phone,
        company=lead.company,
        country=lead.country,
        budget_cents=None if lead.budget is None else int(lead.budget * 100),
        currency=lead.currency,
        vip=lead.budget is not None and lead.budget >= VIP_FROM,
        source=lead.source,
        lead_at=lead.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    )


def as_reject(error: BodyError, record: Mapping[str, object] | str, *, file: str, row: int | None = None) -> Reject:
    """The line of the rejects file for a row that was refused; `row` counts where the error does not say."""
    number = error.row if error.row is not None else row
    return Reject(
        file=file,
        row=number or 0,
        column=error.column or "",
        reason=error.reason,
        record=json.dumps(record, ensure_ascii=False),
    )


class _Cells:
    """Cleanses the cells of one row and keeps what is wrong, so that the sender hears of all of it at once."""

    def __init__(self) -> None:
        self.wrong: list[tuple[str, str]] = []

    def read(self, column: str, cleanse: Callable[P, T], *raw: P.args, **options: P.kwargs) -> T | None:
        try:
            return cleanse(*raw, **options)
        except ValueError as error:
            self.wrong.append((column, str(error)))
            return None

    def reach(self, column: str, country: str, phone_column: str, phone: str) -> tuple[str | None, str | None]:
        """Country and phone; where the country is wrong, the phone cannot be judged and no second error is told."""
        before = len(self.wrong)
        code = self.read(column, country_of, country)
        known = len(self.wrong) == before
        return code, self.read(phone_column, phone_of, phone, code) if known else None

    def lead(self, source: Source, **values: object) -> Lead:
        if len(self.wrong) == 1:
            [(column, reason)] = self.wrong
            raise BodyError(reason, column=column)
        if self.wrong:
            reasons = "; ".join(f"{column}: {reason}" for column, reason in self.wrong)
            raise BodyError(reasons, column=", ".join(column for column, _ in self.wrong))
        return Lead.model_validate({"source": source, **values})


@lru_cache(maxsize=4096)
def _domain(text: str) -> str:
    """The domain as email-validator writes it; most of its time goes into this, and lists repeat their domains."""
    return validate_email(f"a@{text}", check_deliverability=False).domain


def _shown(text: str) -> str:
    """A value as an error quotes it: on one line and never longer than 60 characters."""
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}"[:-1] + "..."


def _consented(consent: bool) -> bool:
    if not consent:
        raise ValueError("the person did not consent to be contacted")
    return consent


def _capitalised(word: str) -> str:
    """A word of a name with a capital after each hyphen and apostrophe; particles stay small."""
    return word if word in _PARTICLES else _INITIAL.sub(lambda found: found[0].upper(), word)


def _length_of_surname(words: list[str]) -> int:
    """How many words at the end are the last name: the last one and the particles before it."""
    count = 1
    while count < len(words) - 1 and words[-count - 1].lower() in _PARTICLES:
        count += 1
    return count


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split(" "))


# Controls but the spaces among them; soft hyphen, marks of no width, marks that turn the direction of writing.
_CONTROLS = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if not chr(code).isspace()]
_MARKS = [0xAD, 0x61C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF]
_UNSEEN = dict.fromkeys(_CONTROLS + _MARKS)
_USUAL = re.compile(r"(?=.{1,64}$)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")  # local parts that no rule of RFC 5322 can refuse
_FORMULA = re.compile(r"=|[+\-@][^(|!]*[(|!]")
_MARKUP = re.compile(r"</?[a-zA-Z!]")
_INITIAL = re.compile(r"(?:^|(?<=[-'\u2019.]))\w")
_NOTHING = _words("- -- ? n/a na none null nil k.a. keine unbekannt unknown") | {"", "keine angabe"}
_TITLES = _words("dr prof mr mrs ms miss herr frau dipl.-ing ing mag sir")
_PARTICLES = _words("von van der den de di da del della du la le zu zur vom ten ter dos das y af av bin ibn")

_UNREADABLE = {
    NumberParseException.INVALID_COUNTRY_CODE: "its country is not known; write it with +, like +49",
    NumberParseException.NOT_A_NUMBER: "it holds no number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "it ends after the country code",
    NumberParseException.TOO_SHORT_NSN: "it is too short",
    NumberParseException.TOO_LONG: "it is too long",
}
_IMPOSSIBLE = {
    ValidationResult.INVALID_COUNTRY_CODE: "no country has that code",
    ValidationResult.TOO_SHORT: "it is too short for its country",
    ValidationResult.TOO_LONG: "it is too long for its country",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "the area code is missing",
    ValidationResult.INVALID_LENGTH: "no number of its country has that length",
}

_SIGNS = {"€": "EUR", "EURO": "EUR", "$": "USD", "US$": "USD", "£": "GBP"}
_CODES = _words("EUR USD GBP CHF SEK DKK NOK PLN CZK JPY CNY AUD CAD")
_CURRENCIES = {**_SIGNS, **{code: code for code in _CODES}}
_SCALES = {"": 1, "k": 1_000, "tsd": 1_000, "m": 1_000_000, "mio": 1_000_000}
_CURRENCY = "|".join(re.escape(word) for word in sorted(_CURRENCIES, key=lambda word: (-len(word), word)))
_MONEY = re.compile(
    rf"""(?P<before>{_CURRENCY})? \s?
    (?P<whole>[0-9]{{1,3}} (?P<gap>[,.'\ ]) [0-9]{{3}} (?:(?P=gap)[0-9]{{3}})* | [0-9]{{1,15}})
    (?:(?!(?P=gap))[.,] (?P<cents>[0-9]{{1,2}}))? \s?
    (?:(?P<scale>k|tsd|mio|m)\.?)? \s?
    (?P<after>{_CURRENCY})?""",
    re.IGNORECASE | re.VERBOSE,
)

_NAMES = {
    "AT": "austria|österreich|oesterreich|aut",
    "AU": "australia|australien|aus",
    "BE": "belgium|belgien|bel",
    "CA": "canada|kanada|can",
    "CH": "switzerland|schweiz|che",
    "CN": "china|chn",
    "CZ": "czechia|czech republic|tschechien|cze",
    "DE": "germany|deutschland|deu|brd",
    "DK": "denmark|dänemark|daenemark|dnk",
    "ES": "spain|spanien|esp",
    "FI": "finland|finnland|fin",
    "FR": "france|frankreich|fra",
    "GB": "uk|united kingdom|great britain|england|vereinigtes königreich|großbritannien|gbr",
    "IE": "ireland|republic of ireland|irland|irl",
    "IN": "india|indien|ind",
    "IT": "italy|italien|ita",
    "JP": "japan|jpn",
    "NL": "netherlands|the netherlands|holland|niederlande|nld",
    "NO": "norway|norwegen|nor",
    "PL": "poland|polen|pol",
    "PT": "portugal|prt",
    "SE": "sweden|schweden|swe",
    "TR": "turkey|türkiye|türkei|tur",
    "US": "united states|united states of america|usa|vereinigte staaten|amerika",
}
_COUNTRIES = {name.casefold(): code for code, names in _NAMES.items() for name in names.split("|")}
