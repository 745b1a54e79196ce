"""What an API answered, and what it means by that: data for what is usual, a function for what is not.

Outcomes are told apart by one question: what is known of the call? `Unsent` and `Busy` say that nothing was done,
`Unclear` that nobody knows; the other errors say that it was refused, and why.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, TypeAlias, cast

from routekit.remotes import Busy, FeedExpired, Forbidden, Gone, Refused, RemoteError, Stale, Taken, Unclear, Unsent
from routekit_http import HttpAnswer, found_at, retry_after

Doing: TypeAlias = Literal["read", "feed", "create", "update", "delete"]

_EXCERPT = 300
_NOTHING_DONE: Final = (421, 423, 425)
_UNDECIDED: Final = (408,)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `document` is what its JSON says, None without any; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    document: Any
    text: str
    url: str = ""
    valid: bool = True
    """Whether the body was JSON, or empty."""

    @property
    def now(self) -> float | None:
        """The clock of who answered, in seconds since 1970, as far as it says so."""
        try:
            return parsedate_to_datetime(self.headers.get("date", "")).timestamp()
        except (TypeError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Sign:
    """Something in an answer by which an API says what went wrong; all that is given here has to be there."""

    kind: type[RemoteError]
    status: tuple[int, ...] = ()
    at: str = ""
    """A place in the document; its text, or what is there as JSON, is looked at instead of the whole body."""
    header: str = ""
    """A header, in lower case, that has to be there."""
    says: str = ""
    """A regular expression that is found at that place, in either case; of a header alone nothing is asked."""
    doing: tuple[Doing, ...] = ()

    def shows(self, answer: Answer, doing: Doing) -> bool:
        """Whether the answer has it."""
        if (self.status and answer.status not in self.status) or (self.doing and doing not in self.doing):
            return False
        if self.header and self.header not in answer.headers:
            return False
        if not self.at and not self.says:
            return True
        found = found_at(answer.document, self.at) if self.at else answer.text
        if found in (None, "", [], {}):
            return False
        text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
        return re.search(self.says, text, re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the answers of an API are understood. What nothing is said of is understood as HTTP has it."""

    signs: Sequence[Sign] = ()
    """Tried in order, before the status counts: also an answer of 200 may say that nothing was done."""
    errors: Sequence[str] = ()
    """Places where an answer says by the name of a field what is wrong with it."""
    ids: Sequence[str] = ()
    """Places where an answer that refuses a key names the record that has it."""
    judge: "Callable[[Answer, Doing], RemoteError | None] | None" = None
    """Asked first of all, for what cannot be said as data; None: by what else is said here."""

    def error(
        self, answer: Answer, doing: Doing, what: str, *, record: str = "", now: float = 0.0
    ) -> RemoteError | None:
        """What the answer means, if it is not that it was done. `record` is the id that was asked for, if one was."""
        if self.judge is not None:
            judged = self.judge(answer, doing)
            if judged is not None:
                return judged
        for sign in self.signs:
            if sign.shows(answer, doing):
                return self._made(sign.kind, answer, what, now)
        if 200 <= answer.status < 300:
            return None if answer.valid else Unclear(f"{what}: the answer is no JSON: {_excerpt(answer.text)!r}")
        return self._made(_kind(answer, doing, record), answer, what, now)

    def _made(self, kind: type[RemoteError], answer: Answer, what: str, now: float) -> RemoteError:
        excerpt = _excerpt(answer.text)
        found = f"{what} was answered {answer.status}" + (f": {excerpt}" if excerpt else "")
        if kind is Busy:
            return Busy(found, after=retry_after(answer.headers, now) or 0.0)
        if kind is Refused:
            return Refused(found, fields=self._blamed(answer))
        if kind is Taken:
            return Taken(found, ids=self._named(answer))
        return kind(found)

    def _blamed(self, answer: Answer) -> Mapping[str, str]:
        for place in self.errors:
            found = found_at(answer.document, place)
            if isinstance(found, Mapping):
                named = cast("Mapping[str, Any]", found)
                return {str(name): _reason(why) for name, why in named.items()}
        return {}

    def _named(self, answer: Answer) -> Sequence[str]:
        found = [found_at(answer.document, place) for place in self.ids]
        ids = [str(one) for one in found if isinstance(one, str | int)]
        location = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
        return ids or [location] if location else ids


def read(answer: HttpAnswer, url: str = "") -> Answer:
    """An answer with its document, if that is JSON."""
    text, document, valid = answer.text, None, True
    if text.strip():
        try:
            document = json.loads(text)
        except ValueError:
            valid = False
    return Answer(answer.status, answer.headers, document, text, url, valid)


def _kind(answer: Answer, doing: Doing, record: str) -> type[RemoteError]:
    status = answer.status
    if status == 429 or (status == 503 and "retry-after" in answer.headers):
        return Busy
    if status in _NOTHING_DONE:
        return Unsent
    if status >= 500 or status in _UNDECIDED:
        return Unclear
    if status == 410 and doing == "feed":
        return FeedExpired
    if status in (404, 410) and record:
        return Gone
    if status in (401, 403):
        return Forbidden
    if status == 412 or (status == 409 and doing != "create"):
        return Stale
    return Taken if status == 409 else Refused


def _excerpt(text: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: _EXCERPT * 4]).split())
    return line if len(line) <= _EXCERPT else f"{line[:_EXCERPT]}..."


def _reason(why: Any) -> str:
    if isinstance(why, list):
        return "; ".join(_reason(one) for one in cast("list[Any]", why))
    return why if isinstance(why, str) else json.dumps(why, ensure_ascii=False)
