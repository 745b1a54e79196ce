"""The format of event streams (WHATWG HTML, 9.2.6), read in bounds and written."""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `id` is the last that the stream has named, if any, and `own` whether it was this one that did."""

    type: str
    data: str
    id: str
    own: bool


class TooLong(Exception):
    """An event is longer than it may be."""


class Parser:
    """Makes events of chunks; `retry` is how many seconds the other side asks to wait before another try."""

    def __init__(self, most: int, id: str = "") -> None:
        self.retry: float | None = None
        self._most = most
        self._id = id
        self._own = False
        self._type = ""
        self._data: list[str] = []
        self._size = 0
        self._rest = ""
        self._text = getincrementaldecoder("utf-8-sig")("replace")

    def feed(self, chunk: bytes) -> Iterator[Event]:
        r"""The events that are whole with this chunk; raises TooLong.

        >>> list(Parser(1000).feed(b"id: 7\nevent: paid\ndata: a\ndata: b\n\n"))
        [Event(type='paid', data='a\nb', id='7', own=True)]
        """
        text = self._rest + self._text.decode(chunk)
        held = text.endswith("\r")  # a line feed may follow
        lines = (text[:-1] if held else text).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest = lines.pop() + ("\r" if held else "")
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event
        if self._size + len(self._rest) > self._most:
            raise TooLong

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatched()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
            self._size += len(value) + 1
            if self._size > self._most:
                raise TooLong
        elif field == "event":
            self._type = value
        elif field == "id" and "\0" not in value:
            self._id, self._own = value, bool(value)
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value) / 1000
        return None

    def _dispatched(self) -> Event | None:
        type_, data, own = self._type, self._data, self._own
        self._type, self._data, self._size, self._own = "", [], 0, False
        return Event(type_ or "message", "\n".join(data), self._id, own) if data else None


def written(data: str, *, type: str = "", id: str = "") -> bytes:
    r"""An event as bytes; type and id are one line each, made so by who gives them.

    >>> written("a\nb", id="7")
    b'id: 7\ndata: a\ndata: b\n\n'
    """
    lines = [f"id: {id}"] if id else []
    lines += [f"event: {type}"] if type else []
    lines += [f"data: {line}" for line in data.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    return ("\n".join(lines) + "\n\n").encode()
