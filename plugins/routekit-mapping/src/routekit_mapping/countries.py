"""Countries: codes of ISO 3166, and names in many languages; needs the extra `countries`."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from .converting import Converter
from .errors import Unconvertible
from .normalising import Normal, folded


def country(text: str) -> Normal:
    """A country as its code of two letters, from that, the code of three letters, the number, or its English name.

    Needs the extra `countries`.

    >>> [country(one).canonical for one in ("de", "DEU", "276", "Germany", "Côte d'Ivoire")]
    ['DE', 'DE', 'DE', 'DE', 'CI']
    """
    found = _countries().get(folded(text))
    if found is None:
        raise Unconvertible("is no country that is known")
    return Normal(found, found)


def country_name(locale: str = "en") -> Converter[str, str]:
    """The code of a country, of two letters, and its name in a language; whatever `country` reads comes back too.

    >>> country_name("de").to("AT"), country_name("de").back("Österreich"), country_name("fr").back("Allemagne")
    ('Österreich', 'AT', 'DE')
    """
    names = territories(locale)
    codes = {folded(name): code for code, name in names.items()}

    def to(code: str) -> str:
        if code not in names:
            raise Unconvertible("is no code of a country")
        return names[code]

    def back(name: str) -> str:
        return codes.get(folded(name)) or country(name).canonical

    samples = ("DE", "AT", "CI", "US", "CN")
    return Converter(f"country in '{locale}'", to, back, "the spelling", samples, tuple(map(to, samples)))


@lru_cache(maxsize=16)
def territories(locale: str) -> Mapping[str, str]:
    """The names of all countries in a language, by their codes of two letters."""
    from babel import Locale

    names: Any = Locale.parse(locale).territories
    return {code: name for code, name in names.items() if re.fullmatch(r"[A-Z]{2}", code) and code not in _NO_COUNTRIES}


_NO_COUNTRIES = ("EU", "EZ", "QO", "UN", "XA", "XB", "ZZ")


@lru_cache(maxsize=1)
def _countries() -> Mapping[str, str]:
    from babel.core import get_global

    names = territories("en")
    known = {folded(name): code for code, name in names.items()}
    known |= {code.casefold(): code for code in known.values()}
    aliases: Mapping[str, Sequence[str]] = get_global("territory_aliases")
    for alias, codes in aliases.items():
        if re.fullmatch(r"[A-Z]{3}|\d{3}", alias) and len(codes) == 1 and codes[0] in names:
            known.setdefault(alias.casefold(), codes[0])
    return {**known, **{folded(other): code for other, code in _OTHER_NAMES.items()}}


_OTHER_NAMES = {
    "USA": "US", "United States of America": "US", "UK": "GB", "Great Britain": "GB", "England": "GB",
    "Holland": "NL", "Czech Republic": "CZ", "Russia": "RU", "Turkey": "TR", "South Korea": "KR", "China": "CN",
    "Ivory Coast": "CI", "Deutschland": "DE", "Österreich": "AT", "Schweiz": "CH",
}  # fmt: skip
