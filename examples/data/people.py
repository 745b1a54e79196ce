"""The people of the sample data: fictional persons, companies and ways to reach them.

Phone numbers are from blocks that regulators keep for fiction where there is one (Germany's Bundesnetzagentur,
Ofcom, ARCEP, PTS, ACMA, ComReg, 555-01xx in North America); domains are those of RFC 2606 and parts of them.
"""

import unicodedata
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Country:
    """How people of a country are named and write their country; `phones` are (area, pattern), # is any digit."""

    code: str
    calling: str
    trunk: str
    phones: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """One lead as it is meant.

    `area` and `national` are the halves of the phone number, '' for none; `budget` is in cents; `abroad` is somebody
    who does not say from which country.
    """

    number: int
    country: Country
    first: str
    last: str
    email: str
    area: str
    national: str
    company: str
    budget: int | None
    currency: str
    abroad: bool

    @property
    def phone(self) -> str:
        """The phone number in E.164, '' for none."""
        return f"+{self.country.calling}{self.area}{self.national}" if self.national else ""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_GERMAN_FIRST = _words("Anna|Jürgen|Björn|Käthe|Lukas|Hans-Peter|Anna Lena|Günther|Sören|Mia|Jörg|Zoë|Friedrich")
_GERMAN_LAST = _words(
    "Schmidt|Müller|Groß|von der Heide|Schröder|Weiß|Müller-Lüdenscheidt|Köhler|Bauer|Y\u0131lmaz|Öztürk|zu Hohenfels"
)
_ENGLISH_FIRST = _words("Olivia|Jack|Mary Jane|Chloé|Siobhán|George|Amelia|Noah|Priya|Dwayne|Seán|Ava")
_ENGLISH_LAST = _words("Smith|O'Neill|McAllister|Taylor-Brown|Null|Jones|Fitzgerald|Nguyen|Singh|True|D'Arcy|Li")

COUNTRIES = (
    Country(
        "DE",
        "49",
        "0",
        (
            *(("30", "23125###"), ("69", "90009###"), ("40", "66969###"), ("221", "4710###")),
            *(("89", "99998###"), ("171", "39200##"), ("176", "040690##")),
        ),
        _words("Germany|Deutschland|DE|de|DEU|GERMANY|deutschland"),
        _GERMAN_FIRST,
        _GERMAN_LAST,
    ),
    Country("AT", "43", "0", (("1", "55501##"),), _words("Österreich|Austria|AT"), _GERMAN_FIRST, _GERMAN_LAST),
    Country("CH", "41", "0", (("43", "55501##"),), _words("Schweiz|Switzerland|CH"), _GERMAN_FIRST, _GERMAN_LAST),
    Country(
        "GB",
        "44",
        "0",
        (("20", "79460###"), ("161", "4960###"), ("7700", "900###")),
        _words("United Kingdom|UK|GB|Great Britain|England|gb|Großbritannien"),
        _ENGLISH_FIRST,
        _ENGLISH_LAST,
    ),
    Country("IE", "353", "0", (("20", "91#####"),), _words("Ireland|Irland|IE"), _ENGLISH_FIRST, _ENGLISH_LAST),
    Country("AU", "61", "0", (("2", "5550####"),), _words("Australia|AU|Australien"), _ENGLISH_FIRST, _ENGLISH_LAST),
    Country(
        "US",
        "1",
        "",
        (("202", "55501##"), ("312", "55501##"), ("415", "55501##")),
        _words("USA|United States|US|us|Vereinigte Staaten|United States of America"),
        _ENGLISH_FIRST,
        _ENGLISH_LAST,
    ),
    Country(
        "CA", "1", "", (("416", "55501##"), ("613", "55501##")), _words("Canada|CA"), _ENGLISH_FIRST, _ENGLISH_LAST
    ),
    Country(
        "FR",
        "33",
        "0",
        (("1", "9900####"), ("2", "6191####"), ("6", "3998####")),
        _words("France|Frankreich|FR"),
        _words("Amélie|François|Jean-Luc|Zoé|Anaïs|Benoît|Hélène"),
        _words("Dubois|Lefèvre|de la Tour|Garçon|Noël|Bœuf|Moreau"),
    ),
    Country(
        "SE",
        "46",
        "0",
        (("8", "465004##"), ("31", "39006##"), ("70", "17406##")),
        _words("Sweden|Schweden|SE"),
        _words("Åsa|Göran|Märta|Lars|Elin"),
        _words("Åkesson|Björk|Lindqvist|Sjögren|af Ekenstam"),
    ),
    Country(
        "IT",
        "39",
        "",
        (("06", "5550####"), ("02", "5550####")),
        _words("Italy|Italien|IT"),
        _words("Niccolò|Giulia|Gian Marco|Bianca"),
        _words("Rossi|D'Angelo|della Valle|Esposito|Dalì"),
    ),
    Country(
        "PL",
        "48",
        "",
        (("22", "55501##"),),
        _words("Poland|Polen|PL"),
        _words("Łukasz|Małgorzata|Zofia|Paweł"),
        _words("Wiśniewski|Żółć|Kowalczyk|Dąbrowska"),
    ),
    Country(
        "JP",
        "81",
        "0",
        (("3", "555501##"),),
        _words("Japan|JP|JPN"),
        _words("結衣|健太|さくら"),
        _words("佐藤|鈴木|髙橋"),
    ),
    Country("CN", "86", "0", (("10", "555501##"),), _words("China|CN"), _words("小明|伟|秀英"), _words("王|李|欧阳")),
)
_WEIGHTS = (38, 6, 6, 14, 3, 3, 12, 3, 5, 4, 3, 2, 2, 2)

_DOMAINS = _words(
    "example.com|example.org|example.net|mail.example.com|sales.example.org|acme.example.com|it.example.net|"
    "kunden.example.org|post.example.net|firma-mueller.example.com"
)
_COMPANIES = _words(
    "Acme GmbH|Müller & Söhne|Müller, Schmidt & Co. KG|Globex Corporation|Initech|Bäckerei Groß|"
    'The "Rocket" Company|Café Zoë|Hansen/Partner|Umbrella AG|Stark (Europe) Ltd.|O\'Malley & Sons|2nd Source Ltd.|'
    "Wayne Enterprises, Inc.|Société Générique S.A.|Weiß-Wurst e.K.|@home Services|+plus Systems|Smørrebrød ApS"
)
_BUDGETS = (0, 500, 1_200, 4_999, 12_500, 20_000, 49_999, 50_000, 75_000, 120_000, 1_500_000)
_SHARES = (40, 90, 160, 200, 200, 150, 20, 8, 12, 8, 2)
"""How often each budget comes: few leads are big, as in life."""
_OF_GROUP = {"ß": "ss", "\u0131": "i", "Ł": "L", "ł": "l", "ø": "o", "œ": "oe", "æ": "ae"}


def person(rng: Random, number: int, *, euro: bool, encoding: str) -> Person:
    """Person number `number`, whom no other resembles: the number is in the e-mail address.

    `euro`: the source knows no other currency. `encoding`: one in which the name can be written.
    """
    country, first, last = _named(rng)
    while not writable(first + last, encoding):
        country, first, last = _named(rng)
    area, pattern = rng.choice(country.phones)
    budget = rng.choices(_BUDGETS, _SHARES)[0] * 100 + rng.choice((0, 0, 0, 50, 99)) if rng.random() < 0.85 else None
    return Person(
        number=number,
        country=country,
        first=first,
        last=last,
        email=f"{_local(rng, first, last)}{number}@{rng.choice(_DOMAINS)}",
        area=area if (reached := rng.random() < 0.88) else "",
        national="".join(str(rng.randrange(10)) if sign == "#" else sign for sign in pattern) if reached else "",
        company=rng.choice(_COMPANIES) if rng.random() < 0.9 else "",
        budget=budget,
        currency="" if budget is None else "EUR" if euro else rng.choice(("EUR", "EUR", "USD", "GBP", "CHF")),
        abroad=rng.random() < 0.04,
    )


def writable(text: str, encoding: str) -> bool:
    """Whether a text has all its characters in an encoding."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _named(rng: Random) -> tuple[Country, str, str]:
    country = rng.choices(COUNTRIES, _WEIGHTS)[0]
    return country, rng.choice(country.first), rng.choice(country.last)


def _local(rng: Random, first: str, last: str) -> str:
    first, last = _plain(first), _plain(last)
    if not last:
        return "kontakt."
    return rng.choice((f"{first}.{last}", f"{first[:1]}{last}", f"{last}_", f"{first}+crm.", f"{last}-{first}-"))


def _plain(name: str) -> str:
    """A name in the letters of an address: ASCII, small, without accents; '' for one in another script."""
    apart = unicodedata.normalize("NFD", "".join(_OF_GROUP.get(sign, sign) for sign in name))
    return "".join(sign for sign in apart.lower() if sign.isascii() and sign.isalpha())
