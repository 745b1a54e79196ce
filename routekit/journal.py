"""The journal of a saga: how far one of them has come, as a store keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json

from .errors import Rejected, RouteKitError, StoreError, TimedOut, Unavailable

_KINDS: Sequence[type[RouteKitError]] = (TimedOut, Unavailable, Rejected, RouteKitError)
_MOST = 10_000
"""Characters of an error that are kept."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a saga is undone: the action that failed, and its error as far as it can be kept."""

    action: str
    kind: str
    reason: str

    @classmethod
    def of(cls, action: str, error: Exception) -> "Failure":
        """What can be kept of an error: the class of ours that it is nearest to, and its text."""
        kind = next((kind for kind in _KINDS if isinstance(error, kind)), RouteKitError)
        reason = f"{type(error).__name__}: {error}"[:_MOST]
        return cls(action, kind.__name__, reason.encode(errors="replace").decode())

    def error(self) -> Exception:
        """The error again, after a restart, when the one that was raised is gone."""
        kind = next((kind for kind in _KINDS if kind.__name__ == self.kind), RouteKitError)
        return kind(f"action '{self.action}' failed before a restart: {self.reason}")


VERSION = 1
"""Of the text. Texts of the first releases have none; one of a later release may have another, and is not read."""


@dataclass(slots=True)
class Journal:
    """One saga. `kept` is the message before the first action, and then after each one in `done`, as text.

    `began` is wall time in seconds since 1970. With a `failure` it is being undone; `undone` are the actions for which
    that is finished.
    """

    began: float
    kept: list[str]
    done: list[str] = field(default_factory=list[str])
    undone: list[str] = field(default_factory=list[str])
    failure: Failure | None = None
    version: int = VERSION

    def text(self) -> str:
        """The journal as JSON."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def read(cls, text: str) -> "Journal":
        """The journal that `text` is; raises StoreError for one of a later release."""
        version = from_json(text).get("version", VERSION)
        if version != VERSION:
            found = f"a saga was kept in version {version}, this RouteKit reads versions up to {VERSION}"
            raise StoreError(found, hint="upgrade RouteKit; the saga stays where it is")
        return _ADAPTER.validate_json(text)


_ADAPTER: TypeAdapter[Any] = TypeAdapter(Journal)
