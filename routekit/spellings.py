"""Spellings: where a value stands in a text, whoever has written it there, and in whatever way.

Who quotes a value may have cut it, quoted it for a URL or for JSON, changed its case, its spaces or its accents, or
left out what is in front of a telephone number. So letters and digits alone are compared, without case and accents.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from json import dumps
from typing import Final
from urllib.parse import quote

from .secrecy import MASK

SHORTEST: Final = 6
"""Letters and digits of the shortest value that is found in another spelling than its own."""

PIECE: Final = 10
"""Letters and digits of the shortest piece that gives away a value that was cut."""

LONG: Final = 16
"""Letters and digits of the shortest value whose pieces are looked for."""

_ENDING: Final = 7
"""Digits of a telephone number that are the same, however its beginning is written."""

_TEXT: Final = 20_000
"""Characters of a text in which pieces are looked for."""

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_NAMED = re.compile(rf".{re.escape(MASK)}")
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_WORD = re.compile(r"\w+")


def covered(text: str, values: Mapping[str, str]) -> str:
    """A text in which each of these values, in any of its spellings, is its mask.

    >>> covered("no such user: ADA%40example.org (0171/234567)", {"ada@example.org": "a***", "+49 171234567": "***"})
    'no such user: a*** (***)'
    """
    for value in sorted(values, key=len, reverse=True):
        for written in {value: None, repr(value)[1:-1]: None, dumps(value)[1:-1]: None}:
            text = text.replace(written, values[value])
    letters = _letters(text)
    places: list[int] | None = None
    spans: list[tuple[int, int, str]] = []
    for value, mask in values.items():
        for start, end, whole in _found(letters, value, mask):
            places = places or _places(text)
            first, last = places[start], places[end - 1] + 1
            if not whole or _stands_alone(text, first, last):
                spans.append((first, last, mask if whole or end - start >= SHORTEST else MASK))
    return _replaced(text, spans) if spans else text


def unquoted(text: str, unread: str) -> str:
    """A text without what it quotes of another one that nobody could read, and that is sensitive as a whole.

    >>> unquoted("line 1: found 'Ada;+49', not 'x'", "Ada;+491712345678")
    "line 1: found '***', not 'x'"
    """
    own = _letters(unread)

    def hide(match: re.Match[str]) -> str:
        letters = _letters(match[0])
        return f"{match[0][0]}{MASK}{match[0][-1]}" if len(letters) > 1 and letters in own else match[0]

    return _QUOTED.sub(hide, text)


def _found(letters: str, value: str, mask: str) -> Iterator[tuple[int, int, bool]]:
    """Where in the letters of a text a value may be, and whether it counts only as a word of its own."""
    own, needles, words = _needles(value, mask)
    for needle in needles:
        yield from ((start, start + len(needle), False) for start in _all(letters, needle))
    if own.isdecimal() and len(own) > _ENDING:
        yield from _ends(letters, own)
    if len(own) >= LONG and not _ADDRESS.fullmatch(value):  # a domain alone says nothing
        yield from _pieces(letters[:_TEXT], own)
    for word in words:
        yield from ((start, start + len(word), True) for start in _all(letters, word))


@lru_cache(maxsize=256)
def _needles(value: str, mask: str) -> tuple[str, Sequence[str], Sequence[str]]:
    """The letters of a value, those of its other spellings, and the words that give it away."""
    own = _letters(value)
    others = (repr(value), dumps(value), quote(value, safe="", errors="replace"))
    needles = [own] if value.isascii() and value.isalnum() else [own, *map(_letters, others)]
    return own, [one for one in dict.fromkeys(needles) if len(one) >= SHORTEST], list(_words(value, mask))


def _words(value: str, mask: str) -> Iterator[str]:
    """The words that give a value away by themselves: those of a name, and what is in front of the @ of an address."""
    if _ADDRESS.fullmatch(value):
        local = _letters(value.rpartition("@")[0])
        if len(local) >= SHORTEST:
            yield local
    elif _NAMED.fullmatch(mask):
        yield from (word for one in _WORD.findall(value) if len(word := _letters(one)) >= 4)


def _ends(letters: str, digits: str) -> Iterator[tuple[int, int, bool]]:
    """Where a number stands with another beginning; the digits before its end belong to it."""
    for start in _all(letters, digits[-_ENDING:]):
        first = start
        while first > 0 and letters[first - 1].isdecimal():
            first -= 1
        yield first, start + _ENDING, False


def _pieces(letters: str, value: str) -> Iterator[tuple[int, int, bool]]:
    """The runs of a text that are in the value too."""
    at = 0
    while at + PIECE <= len(letters):
        if letters[at : at + PIECE] not in value:
            at += 1
            continue
        end = at + PIECE
        while end < len(letters) and letters[at : end + 1] in value:
            end += 1
        yield at, end, False
        at = end


def _all(letters: str, needle: str) -> Iterator[int]:
    at = letters.find(needle)
    while at >= 0:
        yield at
        at = letters.find(needle, at + len(needle))


def _letters(text: str) -> str:
    """The letters and digits of a text, without case and accents."""
    plain = text if text.isascii() else unicodedata.normalize("NFKD", text)
    return "".join(filter(str.isalnum, plain.casefold()))


def _places(text: str) -> list[int]:
    """Where in a text each of its `_letters` comes from."""
    return [at for at, one in enumerate(text) for _ in _letters(one)]


def _stands_alone(text: str, first: int, last: int) -> bool:
    return not (text[first - 1 : first].isalnum() or text[last : last + 1].isalnum())


def _replaced(text: str, spans: list[tuple[int, int, str]]) -> str:
    """The text with its spans replaced; of those that overlap one mask is left, that of the longest."""
    made, at = "", 0
    joined: list[tuple[int, int, str, int]] = []
    for first, last, mask in sorted(spans):
        if joined and first < joined[-1][1]:
            before = joined.pop()
            longest = max(before[3], last - first)
            joined.append((before[0], max(before[1], last), mask if last - first == longest else before[2], longest))
        else:
            joined.append((first, last, mask, last - first))
    for first, last, mask, _ in joined:
        made += text[at:first] + mask
        at = last
    return made + text[at:]
