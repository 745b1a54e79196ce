r"""Which failures are alike: their text without the values that differ from message to message, and a fingerprint.

Left out, as `*`: numbers and words with digits in them (times, ids, addresses of memory), what stands in quotes, URLs,
e-mail and network addresses, paths of files. A list of them counts as one, however long it is.

>>> alike("order 17: 'Ada' <ada@example.org> is unknown at http://crm/17")
'order *: * <*> is unknown at *'
"""

import re
from hashlib import blake2b
from json import dumps

LONGEST = 300
"""Characters of a text that are shown and compared, once its values are left out."""

_READ = 8_000
"""Characters of a text that are looked at."""

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_VALUES = re.compile(
    rf"""
      (?<!\w) " (?:[^"\\]|\\.)* "                              # in quotes, as repr writes it
    | (?<!\w) ' (?:[^'\\]|\\.)* ' (?!\w)
    | (?<!\w) ` [^`]* `
    | \b [0-9a-f]{{8}} (?:-[0-9a-f]{{4}}){{3}} -[0-9a-f]{{12}} \b
    | (?<![\w+.-]) [a-z][a-z0-9+.-]* :// [^\s'"<>)\]}}]+                 # a URL, with whatever secret is in it
    | \w{{0,2}} \*\*\* [\w@.-]*                                  # what was masked
    | (?<![\w.+-]) [\w.+-]+ @ [\w-]+ (?:\.[\w-]+)*                          # an e-mail address
    | (?<![\w:]) (?:[0-9a-f]{{0,4}} :){{2,}} [0-9a-f.]* (?![\w:])  # an address of IPv6
    | (?<![\w*]) (?:/[\w.@%+~-]+)+ /?                          # a path
    | \b (?:(?:{_DAYS})[a-z]*,?\ +)? (?:(?:{_MONTHS})[a-z]*\.?\ +\d+|\d{{1,2}}\ +(?:{_MONTHS})[a-z]*\b)
    | \b [0-9a-f]{{8,}} \b
    | (?<!\w) [-+]? \w*\d\w*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_JOINED = re.compile(r"\*(?:[-+.:,/ ]{0,2}\*)+")
"""Values that stand together, such as the parts of a time, or a list."""


_CUT = re.compile(r"(?<!\w)[\"'`][^;]*\Z|(?<=; )[^;]*\Z")
"""What a text that was cut off ends with: a value whose end is missing, or a part of a sentence."""


def alike(text: str) -> str:
    """A text of an error without the values in it; the same for texts that differ only in those."""
    short = _VALUES.sub("*", text[:_READ])
    if len(text) > _READ:
        short = _CUT.sub("*", short)
    return "; ".join(_each_once(_JOINED.sub("*", " ".join(short.split()))))[:LONGEST]


def _each_once(text: str) -> list[str]:
    """The sentences of a text, those that say the same once: one of many parts that failed tells as much as all."""
    kept: list[str] = []
    for sentence in text.split("; "):
        if not any(one.endswith(sentence) for one in kept):
            kept.append(sentence)
    return kept


def fingerprint(route: str, step: str, error: str, text: str) -> str:
    """The same 16 characters for failures of one class that are alike, at one step of one route."""
    return blake2b(dumps([route, step, error, alike(text)]).encode(), digest_size=8).hexdigest()
