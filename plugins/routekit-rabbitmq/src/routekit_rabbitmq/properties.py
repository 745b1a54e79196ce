"""What comes with a body: AMQP properties and headers as headers of a message, and back."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

from aiormq import spec
from aiormq.abc import DeliveredMessage

from routekit import Message, Rejected

CORRELATION, RETURN_ADDRESS = "correlation-id", "reply-to"
"""The properties that have the same meaning for every broker have the headers that `ask` and `reply_to` know."""

PREFIX = "rabbitmq."
_SHORT = 255
"""Bytes of a short string; ids and keys are such (AMQP 0-9-1, 4.2.5.3)."""
_NAME = 128
_PASSED_ON = ("content_type", "content_encoding", "type", "priority", "timestamp", "app_id")
"""Properties that only describe a message: what came with one is sent on. Others would steer the broker."""
_OF_A_QUEUE = frozenset({CORRELATION, RETURN_ADDRESS, "CC", "BCC", "x-death", "x-delivery-count", "x-stream-offset"})
"""Headers that are sent as properties; that would send copies to any queue; or that the queue before has noted."""


def headers_of(delivered: DeliveredMessage) -> dict[str, Any]:
    """The headers of a message that was delivered: its own under their names, with their types.

    The rest as `rabbitmq.exchange`, `rabbitmq.routing_key`, `rabbitmq.redelivered` and `rabbitmq.PROPERTY`.
    """
    properties = delivered.header.properties
    own = cast("Mapping[str, Any] | None", properties.headers)
    headers: dict[str, Any] = dict(own) if own else {}
    headers["rabbitmq.exchange"] = delivered.exchange
    headers["rabbitmq.routing_key"] = delivered.routing_key
    headers["rabbitmq.redelivered"] = delivered.redelivered
    for name in ("content_type", "content_encoding", "priority", "expiration", "timestamp", "user_id", "app_id"):
        value = getattr(properties, name)
        if value is not None:
            headers[PREFIX + name] = value
    if properties.message_type is not None:
        headers["rabbitmq.type"] = properties.message_type
    if properties.correlation_id is not None:
        headers[CORRELATION] = properties.correlation_id
    if properties.reply_to is not None:
        headers[RETURN_ADDRESS] = properties.reply_to
    return headers


class Properties:
    """Makes the properties of messages to be sent. `names` are globs of the headers that go along."""

    def __init__(self, names: str, *, persistent: bool) -> None:
        self._globs = [name.strip() for name in names.split(",") if name.strip()]
        self._all = self._globs == ["*"]
        self._mode = 2 if persistent else 1

    def of(self, message: Message[Any], now: float, given: Mapping[str, Any], content_type: str | None) -> Any:
        """The properties of a message; what is `given` wins over what came with it.

        `content_type` is that of a body that was encoded here; a body that is sent as it came keeps its own. Raises
        Rejected for a header that AMQP has no type for.
        """
        headers = message.headers
        found: dict[str, Any] = {}
        for name in _PASSED_ON:
            value = headers.get(PREFIX + name)
            if value is not None and not (content_type is not None and name.startswith("content")):
                found[name] = value
        found.setdefault("content_type", content_type)
        found["timestamp"] = _moment(found.get("timestamp")) or datetime.fromtimestamp(now, UTC)
        found["correlation_id"] = _text(headers.get(CORRELATION))
        found["reply_to"] = _text(headers.get(RETURN_ADDRESS))
        found |= {name: value for name, value in given.items() if value is not None}
        kind = found.pop("type", None)
        return spec.Basic.Properties(
            headers=self._headers(headers),
            delivery_mode=self._mode,
            message_id=known_as(message.id),
            message_type=kind,
            **found,
        )

    def _headers(self, headers: Mapping[str, Any]) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        for name, value in headers.items():
            if name.startswith(PREFIX) or name in _OF_A_QUEUE or not self._wants(name):
                continue
            if len(name.encode()) > _NAME:
                raise Rejected(f"the name of the header '{name[:40]}...' is too long", hint=f"AMQP takes {_NAME} bytes")
            sent[name] = _field(name, value)
        return sent

    def _wants(self, name: str) -> bool:
        return self._all or any(fnmatchcase(name, glob) for glob in self._globs)


def known_as(id: str) -> str:
    """The id as a short string: a longer one keeps its beginning, and stays the same for the same id.

    >>> known_as("leads.csv:17"), len(known_as("x" * 1000))
    ('leads.csv:17', 232)
    """
    if len(id) * 4 <= _SHORT or len(id.encode()) <= _SHORT:
        return id
    return f"{id.encode()[:199].decode(errors='ignore')}~{sha256(id.encode()).hexdigest()[:32]}"


def _moment(value: object) -> datetime | None:
    """A time, which is a text in a message that was kept in a store on its way; None for anything else."""
    if isinstance(value, str):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _field(name: str, value: Any) -> Any:
    """A value as AMQP has it in a table: numbers, texts, bytes, times, lists and tables keep their type."""
    if value is None or isinstance(value, bool | int | float | str | bytes | datetime | Decimal):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return _field(name, value.value)
    if isinstance(value, UUID | PurePath | date | time):
        return str(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {str(inner): _field(f"{name}.{inner}", item) for inner, item in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_field(name, item) for item in cast("list[Any]", value)]
    kind = type(value).__name__
    raise Rejected(
        f"header '{name}' is a {kind}, which AMQP cannot carry", hint="make it a text, or leave it out: headers=..."
    )
