"""Discretion: what an error says, without the sensitive values of the messages that it is about.

Who raises an error may quote a value: pydantic, a remote system, the author. So an error that passes a step or the end
of its route is told which message it is about, and whoever writes its text elsewhere than into a message asks here for
it. All of this is done for failures only: a message that succeeds pays nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

from pydantic_core import from_json

from .declared import marks_in
from .errors import CompensationFailed, PartsFailed
from .marks import Sensitive
from .message import Message
from .options import MASK
from .sensitive import scrubbed, sensitive_texts
from .spellings import unquoted

MOST: Final = 16
"""Messages that are remembered of one error: the innermost step and those around it have their own."""

LARGEST: Final = 64_000
"""Characters of a body that has not been read which are looked at."""

_DEEP: Final = 200
"""Errors behind an error that are asked."""

_ATTRIBUTE: Final = "__routekit_about__"

_EMAIL = re.compile(r"(?<!//)(?<![\w.+%-])[\w.+%-]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)+")


class _About:
    """The messages that an error is about, and the sensitive texts in them, once somebody asks."""

    __slots__ = ("_texts", "_waiting", "keys", "seen", "unread")

    def __init__(self) -> None:
        self.keys: Sequence[str] = ()
        self.unread: list[str] = []
        self.seen: list[object] = []
        self._waiting: list[tuple[Message[Any], Any]] = []
        self._texts: dict[str, str] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "_About":
        """Itself: an error may be a body, and is copied with it; that must not drag the messages along."""
        return self

    def add(self, message: Message[Any], kind: Any) -> None:
        """One message more, whose plain body is declared as `kind`."""
        if len(self.seen) < MOST and not any(one is message for one in self.seen):
            self.seen.append(message)
            self._waiting.append((message, kind))
            if isinstance(message.body, bytes | bytearray | str) and next(marks_in(kind), None) is not None:
                self.unread.append(_text_of(message.body))

    @property
    def texts(self) -> Mapping[str, str]:
        """The sensitive texts in them, each with its mask."""
        while self._waiting:
            self._texts.update(message_texts(*self._waiting.pop(), self.keys))
        return self._texts


def concerns(error: BaseException, message: Message[Any], kind: Any = None, keys: Sequence[str] = ()) -> None:
    """Note that an error is about a message, whose body is declared as `kind` where it is plain data.

    `keys` are names of fields that are sensitive besides those that RouteKit knows.
    """
    about = getattr(error, _ATTRIBUTE, None)
    if not isinstance(about, _About):
        about = _About()
        with suppress(AttributeError, TypeError):
            object.__setattr__(error, _ATTRIBUTE, about)  # also on one that is frozen
    about.keys = keys or about.keys
    about.add(message, kind)


def said(error: BaseException) -> str:
    """What an error says, with the sensitive values of its messages, and all that is known as secret, masked.

    For whoever tells of an error elsewhere than in a message: in a log, a metric, a list, an event of a tracing system.
    """
    return discreet(str(error), error)


def told(error: BaseException) -> str:
    """As `said`, after the name of the error's class."""
    return discreet(f"{type(error).__name__}: {error}", error)


def discreet(text: str, error: BaseException) -> str:
    """A text that quotes an error, with what is sensitive masked."""
    return Discreet(error)(text)


class Discreet:
    """Masks what is sensitive in texts that quote an error, or were written while a message was at work."""

    def __init__(
        self,
        error: BaseException | None = None,
        message: Message[Any] | None = None,
        keys: Sequence[str] = (),
        kind: Any = None,
    ) -> None:
        self._error = error
        self._message = message
        self._keys = keys
        self._kind = kind
        self._texts: dict[str, str] | None = None
        self._about = message is not None
        self._unread: list[str] = []

    def __call__(self, text: str) -> str:
        """The text without the sensitive values; addresses for mail are masked, whosever they are."""
        if self._texts is None:
            self._texts = self._found()
        for unread in self._unread:
            text = unquoted(text, unread)
        text = scrubbed(text, self._texts)
        return _EMAIL.sub(_hidden, text) if self._about else text

    def _found(self) -> dict[str, str]:
        texts = {} if self._message is None else dict(message_texts(self._message, self._kind, self._keys))
        for one in () if self._error is None else _behind(self._error):
            found = getattr(one, _ATTRIBUTE, None)
            if isinstance(found, _About):
                self._about = True
                texts.update(found.texts)
                self._unread += found.unread
        return texts


def message_texts(message: Message[Any], kind: Any = None, keys: Sequence[str] = ()) -> Mapping[str, str]:
    """The sensitive texts in a message, each with its mask; `kind` is what its body is declared as."""
    found = dict(sensitive_texts(dict(message.headers), keys=keys)) if message.headers else {}
    body = message.body
    if isinstance(body, bytes | bytearray | str):
        found.update(_unread(body, kind, keys))
    else:
        found.update(sensitive_texts(body, kind, keys=keys))
    return found


def _unread(body: bytes | bytearray | str, kind: Any, keys: Sequence[str]) -> Mapping[str, str]:
    """The sensitive texts in a body that is not data yet: all of it, if its type has such, and it cannot be read."""
    text = _text_of(body)
    try:
        data = from_json(text) if text.lstrip()[:1] in ("{", "[") else None
    except ValueError:
        data = None
    if data is not None:
        return sensitive_texts(data, kind, keys=keys)
    found = dict(sensitive_texts(text, keys=keys))
    if next(marks_in(kind), None) is not None:
        found.update({line: MASK for line in text.splitlines() if len(line) >= 4})
    return found


def _text_of(body: bytes | bytearray | str) -> str:
    return body[:LARGEST] if isinstance(body, str) else bytes(body[:LARGEST]).decode(errors="replace")


def _behind(error: BaseException) -> Iterator[BaseException]:
    """An error, and all whose words may stand in its text: its causes, and the failures that it is a group of."""
    left: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while left and len(seen) < _DEEP:
        one = left.pop()
        if one is None or any(one is known for known in seen):
            continue
        seen.append(one)
        yield one
        left += [one.__cause__, one.__context__]
        if isinstance(one, PartsFailed):
            left += [part for _, part in one.failures]
        elif isinstance(one, BaseExceptionGroup):
            left += cast("BaseExceptionGroup[Any]", one).exceptions
        elif isinstance(one, CompensationFailed):
            left.append(one.error)


def _hidden(match: re.Match[str]) -> str:
    return match[0] if MASK in match[0] else str(Sensitive("email").masked(match[0].replace("%40", "@")))
