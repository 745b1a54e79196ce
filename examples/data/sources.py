"""The dialects of the three sources: file, encoding, columns, and how each writes names, money and dates."""

from dataclasses import dataclass
from random import Random

from .people import Person


@dataclass(frozen=True)
class Source:
    """The dialect of one source; `columns` are its names for the cells, in the order of the file."""

    name: str
    file: str
    encoding: str
    delimiter: str
    line_end: str
    share: float
    columns: dict[str, str]
    start: bytes = b""
    truncated: bool = False


SOURCES = (
    Source(
        "web",
        "web-2026-11-20.csv",
        "utf-8",
        ",",
        "\r\n",
        0.5,
        {
            "first": "first_name",
            "last": "last_name",
            "email": "email",
            "phone": "phone",
            "company": "company",
            "country": "country",
            "budget": "budget",
            "date": "created_at",
            "consent": "consent",
        },
        start=b"\xef\xbb\xbf",  # as Excel saves it
    ),
    Source(
        "fair",
        "fair-munich.csv",
        "cp1252",
        ";",
        "\r\n",
        0.2,
        {
            "first": "Vorname",
            "last": "Nachname",
            "email": "E-Mail",
            "phone": "Telefon",
            "company": "Firma",
            "country": "Land",
            "budget": "Budget (EUR)",
            "date": "Datum",
        },
    ),
    Source(
        "partner",
        "partner-acme.tsv",
        "utf-8",
        "\t",
        "\n",
        0.3,
        {
            "name": "Contact Name",
            "email": "Mail",
            "phone": "Mobile",
            "company": "Organisation",
            "country": "ISO Country",
            "budget": "Deal Size",
            "date": "Received",
        },
        truncated=True,
    ),
)


def whole_name(rng: Random, who: Person) -> str:
    """First and last name in one cell."""
    usual = f"{who.first} {who.last}"
    return rng.choice((usual, usual, usual, usual, f"{who.last}, {who.first}", f"Dr. {usual}"))


def budget(rng: Random, source: str, who: Person) -> str:
    """A budget as the source writes it."""
    if who.budget is None:
        return rng.choice(("", "-", "n/a")) if source == "partner" else ""
    whole, cents = divmod(who.budget, 100)
    if source == "web":
        return f"{whole}.{cents:02}" if cents or rng.random() < 0.5 else str(whole)
    german = f"{whole:,}".replace(",", ".")
    if source == "fair":
        return f"{german if rng.random() < 0.7 else whole},{cents:02}"
    return _spoken(rng, who.currency, whole, cents)


def _spoken(rng: Random, currency: str, whole: int, cents: int) -> str:
    """Money as people write it in a report."""
    sign = {"EUR": "€", "USD": "$", "GBP": "£"}.get(currency, f"{currency} ")
    grouped = f"{whole:,}"
    german = grouped.replace(",", ".")
    if cents:
        return rng.choice(
            (f"{sign}{grouped}.{cents:02}", f"{german},{cents:02} {currency}", f"{currency} {whole}.{cents}")
        )
    ways = [f"{sign}{grouped}", f"{currency} {german}", f"{grouped} {currency}", f"{whole} {currency.lower()}"]
    if whole and whole % 1_000 == 0:
        ways += [f"{currency} {whole // 1_000}k", f"{sign}{whole // 1_000}K"]
    return rng.choice(ways)


def date(rng: Random, source: str) -> str:
    """A day or moment of November 2026 as the source writes it."""
    day, hour, minute = rng.randrange(1, 20), rng.randrange(24), rng.randrange(60)
    if source == "fair":
        return f"{day:02}.11.2026"
    offset = rng.choice(("Z", "+00:00")) if source == "web" else rng.choice(("+01:00", "-05:00", "+09:00", "Z"))
    return f"2026-11-{day:02}T{hour:02}:{minute:02}:{rng.randrange(60):02}{offset}"
