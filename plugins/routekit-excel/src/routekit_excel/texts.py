"""Texts: the different texts of a workbook, to which its cells refer by number; and how characters are escaped."""

import re

from routekit import BodyError

from .markup import Part

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_TO_ESCAPE = re.compile("[\0-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


def unescaped(text: str) -> str:
    r"""The text of a cell: characters that XML cannot hold are written `_x000D_`.

    >>> unescaped("a_x000D_b_x005F_x000D_")
    'a\rb_x000D_'
    """
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


def escaped(text: str) -> str:
    r"""The counterpart of `unescaped`.

    >>> escaped("a\rb_x000D_")
    'a_x000D_b_x005F_x000D_'
    """
    return _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


class Texts(Part):
    """All texts, in their order; a text in several styles is one text, hints of its pronunciation are none of it."""

    def __init__(self, most: int) -> None:
        self.found: list[str] = []
        self._most = most
        self._size = 0
        self._pieces: list[str] = []
        self._reading = False
        self._hint = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "t":
            self._reading = not self._hint
        elif name == "rPh":
            self._hint = True
        elif name == "si":
            self._pieces = []

    def text(self, data: str) -> None:
        if self._reading:
            self._pieces.append(data)
            self._grown(len(data))

    def end(self, name: str) -> None:
        if name == "t":
            self._reading = False
        elif name == "rPh":
            self._hint = False
        elif name == "si":
            self.found.append(unescaped("".join(self._pieces)))
            self._grown(50)  # what an empty one takes

    def _grown(self, size: int) -> None:
        self._size += size
        if self._size > self._most:
            raise BodyError(f"the workbook has more texts than max_texts={self._most:,}", hint="raise it")
