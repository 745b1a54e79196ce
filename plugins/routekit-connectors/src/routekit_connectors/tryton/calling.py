"""Calls to a Tryton server over JSON-RPC: its login, its typed JSON, and its errors, which come with status 200.

The connection's `url` names the database, such as `https://erp.example.com/company`; its table `auth` of kind `basic`
holds the user and password, which are sent only to log in.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, cast

from routekit.remotes import Busy, Forbidden, Gone, Refused, RemoteError, Stale, Taken, Unsent
from routekit_http import Entrance, found_at, retry_after

from ..answers import Answer, Doing, Outcomes
from ..asking import Asking

CONTEXT: Final = {"language": "en", "active_test": False}
"""Messages are understood in English, and records that are out of use are seen."""

_PAUSE: Final = 60.0
"""Seconds for which nobody logs in after too many tries, if the server does not say for how long."""
_UNIQUE = re.compile(r"must be unique|already exists", re.IGNORECASE)
_MISSING = re.compile(r"that don't exist", re.IGNORECASE)
_BARRED = re.compile(
    r"not allowed to (access|create records|read records|write to records|delete records|execute|search)"
    r"|User in companies"
)
_LOCKED = re.compile(r"is locked|could not serialize|deadlock|lock timeout", re.IGNORECASE)
_FIELD = re.compile(r'field "([^"]+)"')


async def log_in(entrance: Entrance) -> Mapping[str, str]:
    """The header of a session; raises Forbidden if the user or password is refused, and Busy after too many tries."""
    parameters = [entrance.user, {"password": entrance.password.get_secret_value()}, CONTEXT["language"]]
    answer = await entrance.post("/rpc/", {"id": 0, "method": "common.db.login", "params": parameters})
    if answer.status_code == 429:
        raise Busy(f"{entrance.url} lets nobody log in for a while", after=retry_after(answer.headers, 0.0) or _PAUSE)
    if answer.status_code == 401:
        raise Forbidden(f"{entrance.url} does not let '{entrance.user}' log in", hint="see user and password")
    found = found_at(answer.json(), "result") if answer.is_success else None
    if not isinstance(found, list):
        raise Unsent(f"the login of {entrance.url} was answered {answer.status_code}", hint="its url names a database")
    user, session = cast("list[Any]", found)[:2]
    text = b64encode(f"{entrance.user}:{user}:{session}".encode()).decode()
    return {"authorization": f"Session {text}"}


@dataclass(frozen=True, slots=True)
class Rpc:
    """Calls methods of models. `labels` are names of records' fields by those that messages have for them."""

    asking: Asking
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    async def call(self, model: str, method: str, *arguments: Any, **options: Any) -> Any:
        """What the method gives; see `timed`."""
        found, _ = await self.timed(model, method, *arguments, **options)
        return found

    async def timed(
        self,
        model: str,
        method: str,
        *arguments: Any,
        doing: Doing = "read",
        record: str = "",
        context: Mapping[str, Any] | None = None,
    ) -> tuple[Any, float | None]:
        """What the method gives, its typed values as plain ones, and the server's clock; raises a RemoteError.

        Whatever error Tryton itself answers, it has undone what the call had done.
        """
        parameters = [*arguments, {**CONTEXT, **(context or {})}]
        document = {"id": 1, "method": f"model.{model}.{method}", "params": parameters}
        try:
            answer = await self.asking.ask("POST", "rpc/", document=document, doing=doing, record=record)
        except Refused as error:
            raise self._blaming(error) from error
        return plain(found_at(answer.document, "result")), answer.now

    async def search_read(
        self, model: str, domain: Sequence[Any], fields: Sequence[str], order: str = "id", limit: int | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The rows of a domain, in this order and then by id; what is behind a dot is in a row of its own."""
        return await self.call(model, "search_read", *reading(domain, fields, order, limit))

    def _blaming(self, error: Refused) -> Refused:
        named = _FIELD.search(error.message)
        blamed = None if named is None else self.labels.get(named[1])
        blamed = blamed or next((name for label, name in self.labels.items() if label in error.message), None)
        return error if blamed is None else Refused(error.message, fields={blamed: error.message}, hint=error.hint)


def reading(domain: Sequence[Any], fields: Sequence[str], order: str, limit: int | None) -> Sequence[Any]:
    """The arguments of `search_read`."""
    orders = [["id", "ASC"]] if order == "id" else [[order, "ASC"], ["id", "ASC"]]
    return [list(domain), 0, limit, orders, list(fields)]


def outcomes(name: str) -> Outcomes:
    """How the answers of Tryton are understood."""

    def judge(answer: Answer, doing: Doing) -> RemoteError | None:
        error = found_at(answer.document, "error")
        return None if error in (None, []) else _error(name, cast("Sequence[Any]", error))

    return Outcomes(judge=judge)


def _error(name: str, error: Sequence[Any]) -> RemoteError:
    kind, said = str(error[0]), error[1] if len(error) > 1 else ""
    if kind == "ConcurrencyException":
        return Stale(f"{name}: the record was changed meanwhile")
    if kind == "LoginException":
        return Forbidden(f"{name}: it asks to log in anew for this")
    if kind not in ("UserError", "UserWarning"):
        found = f"{name}: the server says {kind[:200]!r}"
        return Unsent(found) if _LOCKED.search(kind) else Refused(found)
    parts = [str(part) for part in cast("Sequence[Any]", said)] if isinstance(said, list) else [str(said)]
    text = f"{name}: {parts[1] if kind == 'UserWarning' and len(parts) > 1 else parts[0]}"
    if _MISSING.search(text):
        return Gone(text)
    if _UNIQUE.search(text):
        return Taken(text)
    return Forbidden(text) if _BARRED.search(text) else Refused(text)


def plain(value: Any) -> Any:
    """A typed value as a plain one: times as ISO 8601 in UTC, numbers that must stay exact as text.

    >>> plain({"at": {"__class__": "date", "year": 2026, "month": 11, "day": 2}})
    {'at': '2026-11-02'}
    """
    if isinstance(value, list):
        return [plain(one) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    found = cast("dict[str, Any]", value)
    kind = found.get("__class__")
    if kind is None:
        return {name: plain(one) for name, one in found.items()}
    if kind == "Decimal":
        return found["decimal"]
    if kind == "date":
        return f"{found['year']:04}-{found['month']:02}-{found['day']:02}"
    if kind == "datetime":
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return datetime(*(found[name] for name in names), tzinfo=UTC).isoformat(timespec="microseconds")
    return found.get("seconds", found.get("base64"))


def moment(text: str) -> Mapping[str, Any]:
    """A time as ISO 8601, as Tryton writes it."""
    at = datetime.fromisoformat(text).astimezone(UTC)
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{name: getattr(at, name) for name in names}}


def day(text: str) -> Mapping[str, Any]:
    """A date as ISO 8601, as Tryton writes it."""
    at = datetime.fromisoformat(text)
    return {"__class__": "date", "year": at.year, "month": at.month, "day": at.day}


def decimal(text: Any) -> Mapping[str, str]:
    """An exact number, as Tryton writes it; raises ValueError for what is none.

    >>> decimal("9.50")
    {'__class__': 'Decimal', 'decimal': '9.50'}
    """
    try:
        number = Decimal(str(text))
    except ArithmeticError as error:
        raise ValueError(f"{text!r} is no number") from error
    return {"__class__": "Decimal", "decimal": str(number)}
