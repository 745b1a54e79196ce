"""Whether two contacts are one person: where to look for likenesses, and how much each of them says.

Nobody can compare each contact with each other, so those are compared that share a block: a phone number, a mailbox,
a surname with an initial and a country. Each likeness then adds to, or takes from, the evidence: how many times more
often it is seen of one person twice than of two people, as a power of two. The sum is a probability, and bands say
what is done with it. The weights were chosen for contacts of companies; they are data, and tests hold what they give.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict
from rapidfuzz.distance import JaroWinkler
from rapidfuzz.fuzz import token_set_ratio, token_sort_ratio

Verdict: TypeAlias = Literal["same", "review"]

PRIOR: Final = -4.0
"""Evidence before any look: of two contacts in one block, one pair in 16 is one person."""
SAME: Final = 0.99
"""From this probability on nobody needs to look."""
REVIEW: Final = 0.75
"""From this probability on a person should."""


class Person(BaseModel):
    """What is compared of a contact."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    email: str
    first_name: str
    last_name: str
    phone: str | None
    company: str | None
    country: str | None


class Lookalike(BaseModel):
    """Two contacts that may be one person: `one` and `other` are their addresses, in order."""

    model_config = ConfigDict(frozen=True)

    one: str
    other: str
    probability: float
    verdict: Verdict
    reasons: str


def blocks(person: Person) -> list[str]:
    """Where whoever is the same person will be found: at least one of these is the same for both, mostly.

    >>> ann = {"email": "a.lee@x.com", "first_name": "Ann", "last_name": "Lee", "phone": "+4930", "country": "DE"}
    >>> blocks(Person(**ann, company=None))
    ['mailbox alee', 'phone +4930', 'name lee a DE']
    """
    found = [f"mailbox {box}"] if len(box := mailbox(person.email)) >= 4 and box not in ROLES else []
    if person.phone:
        found.append(f"phone {person.phone}")
    if surname := folded(person.last_name).replace(" ", ""):
        initial = folded(person.first_name)[:1] or "?"
        found.append(f"name {surname} {initial} {person.country or '?'}")
    return found


def lookalike(one: Person, other: Person) -> Lookalike | None:
    """Two contacts that may be one person, with the reasons; None if they are most likely two."""
    if one.email > other.email:
        one, other = other, one
    evidence = [*_evidence(one, other)]
    odds = 2.0 ** (PRIOR + sum(weight for _, weight in evidence))
    probability = round(odds / (1 + odds), 4)
    if probability < REVIEW:
        return None
    reasons = ", ".join(f"{reason} {weight:+g}" for reason, weight in evidence)
    verdict: Verdict = "same" if probability >= SAME else "review"
    return Lookalike(one=one.email, other=other.email, probability=probability, verdict=verdict, reasons=reasons)


def _evidence(one: Person, other: Person) -> Iterator[tuple[str, float]]:
    """Each likeness and unlikeness with its weight, as a power of two."""
    return chain(_names(one, other), _phones(one, other), _addresses(one, other), _companies(one, other))


def _names(one: Person, other: Person) -> Iterator[tuple[str, float]]:
    last = JaroWinkler.similarity(folded(one.last_name), folded(other.last_name))
    first = _first_names(folded(one.first_name), folded(other.first_name))
    whole = token_sort_ratio(_whole(one), _whole(other)) / 100
    if last == 1.0 and first == 1.0:
        yield "same name", 6.0
    elif whole >= 0.98:
        yield "same names in another order", 5.0
    elif last >= 0.92 and first >= 0.9:
        yield "alike names", 3.5
    elif last >= 0.92 and not (one.first_name and other.first_name):
        yield "same surname, one without a first name", 1.0
    elif last >= 0.92:
        yield "same surname, other first name", -4.0
    elif first == 1.0:
        yield "same first name, other surname", -1.5
    else:
        yield "other name", -6.0


def _first_names(one: str, other: str) -> float:
    """How alike two first names are; an initial is like every name that begins with it."""
    short, long = sorted((one, other), key=len)
    if len(short.rstrip(".")) == 1 and long.startswith(short[0]):
        return 0.9
    return JaroWinkler.similarity(one, other)


def _phones(one: Person, other: Person) -> Iterator[tuple[str, float]]:
    if one.phone and other.phone:
        yield ("same phone", 5.0) if one.phone == other.phone else ("other phone", -1.5)


def _addresses(one: Person, other: Person) -> Iterator[tuple[str, float]]:
    if (box := mailbox(one.email)) == mailbox(other.email) and len(box) >= 4 and box not in ROLES:
        yield ("mailbox of that name", 1.0) if _named(box, one) else ("same mailbox", 4.0)
    ours, theirs = (person.email.rpartition("@")[2] for person in (one, other))
    if ours == theirs and ours not in FREE:
        yield "same domain", 1.5


def _named(box: str, person: Person) -> bool:
    """Whether a mailbox is made of a name, as those of namesakes are."""
    return folded(person.last_name).replace(" ", "") in box


def _companies(one: Person, other: Person) -> Iterator[tuple[str, float]]:
    if not (one.company and other.company):
        return
    alike = token_set_ratio(company(one.company), company(other.company))
    if alike >= 90:
        yield "same company", 2.0
    elif alike < 50:
        yield "other company", -2.0


def _whole(person: Person) -> str:
    return f"{folded(person.first_name)} {folded(person.last_name)}"


@lru_cache(maxsize=10_000)
def folded(text: str) -> str:
    """A text as it is compared: small letters without accents, umlauts as the ones for which they stand.

    >>> folded("Müller-Lüdenscheidt"), folded("O'Neill")
    ('mueller luedenscheidt', 'oneill')
    """
    spelt = text.casefold().translate(_SPELT)
    plain = "".join(one for one in unicodedata.normalize("NFKD", spelt) if not unicodedata.combining(one))
    return " ".join(_SIGNS.sub(" ", plain.replace("'", "").replace("\u2019", "")).split())


def mailbox(email: str) -> str:
    """The part of an address before the @, without what many providers ignore; only to compare, never to send.

    >>> mailbox("ann.lee+news@example.com")
    'annlee'
    """
    return email.partition("@")[0].partition("+")[0].replace(".", "").replace("-", "").replace("_", "")


def company(name: str) -> str:
    """A company's name as it is compared, without its legal form.

    >>> company("Müller & Söhne GmbH"), company("ACME Inc.")
    ('mueller soehne', 'acme')
    """
    words = [word for word in folded(name).split() if word not in _FORMS]
    return " ".join(words)


FREE: Final = frozenset(
    ("gmail.com", "googlemail.com", "gmx.de", "gmx.net", "web.de", "outlook.com", "hotmail.com", "yahoo.com")
)
"""Domains that say nothing of a company."""

ROLES: Final = frozenset(
    ("info", "mail", "office", "kontakt", "contact", "sales", "vertrieb", "service", "support", "admin")
)
"""Mailboxes of nobody in particular."""

_SPELT = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "ł": "l", "đ": "d", "\u0131": "i"}
)
_SIGNS = re.compile(r"[^\w]+|_")
_FORMS: Final = frozenset(
    re.findall(
        r"\w+", "gmbh ag kg ohg ug mbh inc ltd limited llc plc corp co company sa sarl sas bv nv ab as oy spa srl"
    )
)
