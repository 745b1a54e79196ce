"""Normalisers: what is kept of a value as people write it, and by which key two of them are found to be one."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from .converting import Converter
from .errors import Unconvertible


@dataclass(frozen=True, slots=True)
class Normal:
    """A value as it is to be kept, and what it is compared by."""

    canonical: str
    key: str
    """Two values with one key are taken for the same; it is never written anywhere."""


Normaliser: TypeAlias = Callable[[str], Normal]
"""Raises ValueError for what is none of its kind. Its canonical form is its own: normalising twice changes nothing."""


def normalised(by: Normaliser, *, name: str = "", samples: Sequence[str] = ()) -> Converter[str, str]:
    """The canonical form in both directions; two spellings of it mean the same."""

    def canonical(text: str) -> str:
        return by(text).canonical

    said = name or getattr(by, "__qualname__", "").replace("_", " ")
    known = tuple(samples) or tuple(getattr(by, "samples", ()))
    return Converter(f"{said}, normalised", canonical, canonical, "the spelling", known, known)


def keyed(by: Normaliser, *names: str) -> Callable[[Mapping[str, Any]], str | None]:
    """The key of a record's fields by which it is matched; None if one of them is not there, or none of its kind.

    >>> keyed(email, "mail")({"mail": "Ada.L+crm@GMail.com"}), keyed(email, "mail")({"mail": None})
    ('adal@gmail.com', None)
    """

    def key(fields: Mapping[str, Any]) -> str | None:
        found: list[str] = []
        for name in names:
            value = fields.get(name)
            if not isinstance(value, str) or not value.strip():
                return None
            try:
                found.append(by(value).key)
            except ValueError:
                return None
        return "\0".join(found) if all(found) else None

    return key


def folded(text: str) -> str:
    """A text for comparing: without accents, case, punctuation and double spaces; other scripts stay as they are.

    >>> folded("Müller-Lüdenscheidt,  GMBH"), folded("Straße"), folded("李 明")
    ('muller ludenscheidt gmbh', 'strasse', '李 明')
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    letters = "".join(character for character in plain if not unicodedata.combining(character))
    return " ".join(re.sub(r"[^\w]|_", " ", unicodedata.normalize("NFC", letters)).split())


def _spaced(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


_LOCAL = re.compile(r"[^\s@\"(),:;<>\[\]\\\x00-\x1f\x7f]{1,64}")
_DOTLESS = ("gmail.com", "googlemail.com")


def email(text: str) -> Normal:
    """An address: its domain in small letters and as IDNA, what stands before it as it was written.

    >>> email(" Ada.L+crm@BÜCHER.example ").canonical, email("a.d.a+x@googlemail.com").key
    ('Ada.L+crm@xn--bcher-kva.example', 'ada@gmail.com')

    Dots and what follows a plus are part of an address, and stay; only the key leaves them out, the dots where the
    provider does.
    """
    local, at, domain = _spaced(text).rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise Unconvertible("is no e-mail address")
    domain = _domain(domain)
    person = local.casefold().partition("+")[0] or local.casefold()
    if domain in _DOTLESS:
        person, domain_key = person.replace(".", ""), "gmail.com"
    else:
        domain_key = domain
    return Normal(f"{local}@{domain}", f"{person}@{domain_key}")


@lru_cache(maxsize=1024)
def _domain(domain: str) -> str:
    try:
        import idna
    except ImportError:
        encoded = _plain(domain)
    else:
        try:
            encoded = idna.encode(domain.rstrip("."), uts46=True).decode()
        except idna.IDNAError:
            raise Unconvertible("has a domain that cannot be") from None
    if "." not in encoded:
        raise Unconvertible("has no domain")
    return encoded.lower()


def _plain(domain: str) -> str:
    """A domain where the extra `emails` is not installed: one of ASCII letters."""
    if not re.fullmatch(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.?)+", domain):
        raise Unconvertible("has a domain that cannot be, or that needs routekit-mapping[emails]")
    return domain.rstrip(".")


def phone(region: str) -> Normaliser:
    """A number in E.164, read as in that region (`DE`) where it has no country; its extension is kept, but no key.

    Needs the extra `phones`.

    >>> phone("DE")("030 901820").canonical, phone("DE")("+43 1 58858").canonical
    ('+4930901820', '+43158858')
    """
    import phonenumbers
    from phonenumbers import NumberParseException, PhoneNumberFormat

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"'{region}' is no region of telephone numbers: such as DE, US or CN")

    def phone_number(text: str) -> Normal:
        try:
            number = phonenumbers.parse(text, region)
        except NumberParseException:
            raise Unconvertible("is no telephone number") from None
        if not phonenumbers.is_possible_number(number):
            raise Unconvertible(f"is no telephone number of {region} or with its country")
        plain = phonenumbers.format_number(_bare(number), PhoneNumberFormat.E164)
        return Normal(f"{plain};ext={number.extension}" if number.extension else plain, plain)

    def _bare(number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
        bare = phonenumbers.PhoneNumber()
        bare.merge_from(number)
        bare.extension = None
        return bare

    phone_number.__qualname__ = f"phone of {region}"
    return phone_number


_TITLES = {"dr", "prof", "mr", "mrs", "ms", "miss", "herr", "frau", "sir", "jr", "sr", "phd", "md"}


def person_name(text: str) -> Normal:
    """A person's name: its spaces in order. The key has no titles, accents, case or order of its words.

    >>> person_name("Dr.  Ada   KING"), person_name("King, Ada").key
    (Normal(canonical='Dr. Ada KING', key='ada king'), 'ada king')
    """
    canonical = _spaced(text)
    words = [word for word in folded(canonical).split() if word not in _TITLES]
    if not words:
        raise Unconvertible("is no name")
    return Normal(canonical, " ".join(sorted(words)))


_FORMS = """
    gmbh & co kgaa|gmbh & co kg|gmbh co kg|gmbh|ag|kg|ohg|ug|se|ev|e v|mbh|kgaa|inc|incorporated|corp|corporation|co|
    company|llc|l l c|llp|lp|ltd|limited|plc|pty|pte|sa|s a|sas|sarl|s a r l|srl|s r l|spa|s p a|sl|bv|b v|nv|n v|ab|
    as|a s|oy|oyj|aps|kk|k k|kabushiki kaisha|sp z o o|doo|d o o|sro|s r o|有限公司|株式会社|股份有限公司
"""
_LEGAL = tuple(tuple(form.replace("&", " ").split()) for form in _FORMS.replace("\n", " ").split("|"))


def company_name(text: str) -> Normal:
    """A company's name: its spaces in order. The key has no legal form, accents, case or punctuation.

    >>> company_name("ACME  GmbH & Co. KG").key, company_name("The Acme Company, Inc.").key
    ('acme', 'acme')
    """
    canonical = _spaced(text)
    words = folded(canonical.replace("&", " ")).split()
    if not words:
        raise Unconvertible("is no name")
    kept = words[1:] if len(words) > 1 and words[0] == "the" else words
    return Normal(canonical, " ".join(_formless(kept)))


def _formless(words: list[str]) -> list[str]:
    """Words without the legal forms at their end; something is always left."""
    for form in sorted(_LEGAL, key=len, reverse=True):
        if form and len(words) > len(form) and tuple(words[-len(form) :]) == form:
            return _formless(words[: -len(form)])
    last = words[-1]
    for form in ("股份有限公司", "有限公司", "株式会社"):
        if last.endswith(form) and last != form:
            return [*words[:-1], last.removesuffix(form)]
    return words


_STREETS = {
    "str": "strasse", "st": "street", "rd": "road", "ave": "avenue", "av": "avenue", "blvd": "boulevard",
    "ln": "lane", "dr": "drive", "sq": "square", "pl": "platz", "hwy": "highway", "apt": "apartment",
}  # fmt: skip
_JOINED = re.compile(r"(\w{3,})(strasse|str)\b")


def street(text: str) -> Normal:
    """A street with its number: its spaces in order. The key spells what is often short in full.

    >>> street("Hauptstr.  5").key == street("Hauptstraße 5").key, street("5 Main St.").key
    (True, '5 main street')
    """
    canonical = _spaced(text)
    words = _JOINED.sub(r"\1 strasse", folded(canonical)).split()
    if not words:
        raise Unconvertible("is no street")
    return Normal(canonical, " ".join(_STREETS.get(word, word) for word in words))
