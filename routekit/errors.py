"""The tree of everything that RouteKit raises.

    RouteKitError
    ├── DefinitionError          what was written cannot work; found by `routekit check`, never at 3 a.m.
    │   ├── UnknownScheme        no installed plugin offers the scheme of a URI
    │   ├── BadOption            an endpoint has no such option, or not with such a value
    │   ├── WrongDirection       a source used as a sink, or a sink used as a source
    │   ├── UnknownName          a placeholder, codec, connection or route that does not exist
    │   └── LoadError            a route module that cannot be imported
    ├── Rejected                 this message can never succeed as it is: no retry, straight to the dead letters
    │   ├── BodyError            the body does not fit the type that was asked for
    │   ├── Invalid              a rule of `validate` does not hold
    │   ├── Expired              the message's deadline has passed
    │   ├── LateMessage          it came after its group was closed, or its place in a sequence was passed
    │   ├── NoAnswer             an endpoint was asked, and gave no answer
    │   ├── ClaimGone            what `redeem` is to bring back is not there
    │   └── LateReply            a reply for which no `ask` waits, or none any more
    ├── Unavailable              the other side is away, locked or full: worth another try
    │   ├── Throttled            too many messages: a `throttle` refuses more
    │   ├── CircuitOpen          a `circuit_breaker` leaves the other side in peace
    │   ├── BulkheadFull         too many messages are inside a `bulkhead`
    │   ├── TimedOut             a `timeout` has cancelled what took too long
    │   └── Unanswered           nothing came in time for an `ask` or a `poll_enrich`
    ├── PartsFailed              some parts or branches of a message failed; names every one
    ├── CompensationFailed       a saga has failed and could not be undone; names what was undone and what was not
    └── StoreError               durable state could not be read or written

A message says what was asked and what was found; `hint` says what to do about it.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final, TypeVar

E = TypeVar("E", bound=Exception)

_UNDONE: Final = "__routekit_undone__"


class RouteKitError(Exception):
    """Base of all errors raised by RouteKit and its plugins.

    `hint` is the sentence that says what to do; it is part of `str(error)`.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class DefinitionError(RouteKitError):
    """A route, an endpoint or a setting is written in a way that cannot work."""


class UnknownScheme(DefinitionError):
    """No installed plugin offers the scheme of a URI."""


class BadOption(DefinitionError):
    """An endpoint or codec has no such option, or refuses its value."""


class WrongDirection(DefinitionError):
    """A scheme that can only be read from was used as a sink, or the other way round."""


class UnknownName(DefinitionError):
    """A placeholder, codec, connection, step or route of that name does not exist."""


class LoadError(DefinitionError):
    """A route module could not be imported."""


class Rejected(RouteKitError):
    """The message can never succeed as it is; retrying is pointless and not done by default."""


class BodyError(Rejected):
    """A body does not fit the type that was asked for.

    `row` is the record's number in its file (1 is the first record after a header), `column` the
    name of the field, `reason` the sentence about the value alone. If several things are wrong, `reason` names all of
    them, and `faults` has each as field and sentence.
    """

    def __init__(
        self,
        reason: str,
        *,
        row: int | None = None,
        column: str | None = None,
        hint: str = "",
        faults: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.faults = tuple(faults) or ((column or "", reason),)
        where = [f"row {row}"] if row is not None else []
        where += [f"column '{column}'"] if column and len(self.faults) == 1 else []
        super().__init__(f"{', '.join(where)}: {reason}" if where else reason, hint=hint)
        self.row = row
        self.column = column
        self.reason = reason


class Invalid(Rejected):
    """One or more rules of `validate` do not hold; `reasons` lists all of them."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


class Expired(Rejected):
    """The message was not done before its deadline."""


class LateMessage(Rejected):
    """A message came after its group was closed or its place in a sequence was passed, and late ones are refused."""


class NoAnswer(Rejected):
    """An endpoint was asked for an answer and gave none; asking again would change nothing."""


class ClaimGone(Rejected):
    """What `redeem` is to bring back is not there: it was redeemed before, or never claimed here."""


class LateReply(Rejected):
    """A reply came for which no `ask` waits, or none any more."""


class Unavailable(RouteKitError):
    """The other side is away, locked, full or too slow: trying again later may help."""


class Throttled(Unavailable):
    """A `throttle` has let through as many messages as it may, and refuses more."""


class CircuitOpen(Unavailable):
    """A `circuit_breaker` does not make the call, since too many before it failed."""


class BulkheadFull(Unavailable):
    """As many messages as may be are inside a `bulkhead`, and as many as may wait do."""


class TimedOut(Unavailable):
    """A branch took longer than its `timeout` allows, and was cancelled."""


class Unanswered(Unavailable):
    """Nothing came in time for an `ask` or a `poll_enrich`."""


class StoreError(RouteKitError):
    """Durable state could not be read or written; the message stays unacknowledged."""


class PartsFailed(RouteKitError):
    """Some parts or branches of a message failed.

    `failures` holds (id of the part or name of the branch, its error) for the first 100 of them; `failed` and `total`
    count all of `what`.
    """

    KEPT = 100

    def __init__(
        self, failures: Sequence[tuple[str, Exception]], *, failed: int, total: int, what: str = "parts"
    ) -> None:
        self.failures = tuple(failures[: self.KEPT])
        self.failed = failed
        self.total = total
        named = "; ".join(f"{part}: {type(error).__name__}: {error}" for part, error in self.failures)
        more = f"; and {failed - len(self.failures)} more" if failed > len(self.failures) else ""
        super().__init__(f"{failed} of {total} {what} failed: {named}{more}")

    def behind(self, error: Exception) -> Exception:
        """One of the failures itself, with this group as its cause, so that `rescue={ValueError: ...}` sees it."""
        error.add_note(str(self))
        self.__cause__ = error.__cause__
        error.__cause__ = self
        return error


class CompensationFailed(RouteKitError):
    """A saga has failed, which is the cause, and undoing what it had done failed too, with `error`.

    `undone` and `left` are the names of its actions in the order in which they are undone; the first one left is that
    whose undoing failed. It goes on there when the message comes again, or its dead letter is replayed.
    """

    def __init__(self, saga: str, *, undone: Iterable[str], left: Iterable[str], error: Exception) -> None:
        self.saga = saga
        self.undone = tuple(undone)
        self.left = tuple(left)
        self.error = error
        what = f"undone: {', '.join(self.undone) or 'nothing'}; not undone: {', '.join(self.left)}"
        super().__init__(f"saga {saga} could not be undone: {type(error).__name__}: {error}; {what}")


def undone(error: E, note: str) -> E:
    """The error that a saga failed with, now that it is undone: only a rule that names its class begins it anew."""
    error.add_note(note)
    setattr(error, _UNDONE, True)
    return error


def is_undone(error: Exception) -> bool:
    """Whether a saga failed with this error and was undone."""
    return getattr(error, _UNDONE, False)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that offers the known word nearest to `word`, or lists what there is.

    >>> did_you_mean("tmier", ["timer", "file"])
    "did you mean 'timer'?"
    >>> did_you_mean("sqs", ["timer", "file"])
    'known: file, timer'
    """
    names = sorted(known)
    near = get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(names)}" if names else "none is known"
