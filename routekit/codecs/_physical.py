"""The standard library's CSV reader over physical lines, able to take back the lines of a broken record.

Without that, an unclosed quote would swallow the rows that follow it.
"""

import csv
from collections.abc import Iterator
from io import StringIO
from itertools import chain
from typing import Any

from ..errors import BodyError
from ._lines import Lines, split_lines

_KINDS = {"PK\x03\x04": "a zip or Excel file", "\x1f\udc8b": "a gzip file", "%PDF": "a PDF file"}


class Physical:
    """`rows` is the reader; `line` the number of its lines that belong to finished records, kept by the caller."""

    def __init__(self, lines: Lines, limit: int, form: dict[str, Any]) -> None:
        # The limit of the csv module is one for the process, and smaller than ours: it is only ever raised.
        csv.field_size_limit(max(csv.field_size_limit(), 4 * limit))
        self.damaged = False
        self._lines = lines
        self._limit = limit
        self._form = form
        self._held: list[tuple[str, StringIO]] = []
        self._restart()

    def __iter__(self) -> Iterator[StringIO]:
        return self

    def __next__(self) -> StringIO:
        if self.rows.line_num == self.line:
            self._held.clear()
        elif self._too_long():
            raise csv.Error(f"the record does not end within {self._limit} characters: is a quote not closed?")
        text = next(self._lines)
        if "\0" in text:
            raise _not_text(text)
        self.damaged = self._lines.damaged or (self.damaged and bool(self._held))
        block = StringIO(text, newline="")
        self._held.append((text, block))
        return block

    def take_back(self) -> str:
        """The first line of the record in hand; the lines after it are read again, as records of their own."""
        text, block = self._held[-1]
        first, *others = self._unfinished()
        self._lines.push_back("".join(others) + text[block.tell() :])
        self._held.clear()
        self._restart()
        return first

    def _restart(self) -> None:
        self.line = 0
        self.rows = csv.reader(chain.from_iterable(self), **self._form)

    def _too_long(self) -> bool:
        held = sum(len(text) for text, _ in self._held)
        return held > self._limit and sum(map(len, self._unfinished())) > self._limit

    def _unfinished(self) -> list[str]:
        *whole, (last, block) = self._held
        taken = "".join((*(text for text, _ in whole), last[: block.tell()]))
        return list(split_lines(taken))[self.line - self.rows.line_num :]


def _not_text(text: str) -> BodyError:
    kind = next((kind for start, kind in _KINDS.items() if text.startswith(start)), "")
    if text.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        return BodyError("this is not CSV text: it begins like UTF-16", hint="write encoding=utf-16")
    found = f"it looks like {kind}" if kind else f"a NUL character at offset {text.index(chr(0))} of a block"
    return BodyError(f"this is not CSV text: {found}", hint="export it as CSV; UTF-16 text needs encoding=utf-16")
