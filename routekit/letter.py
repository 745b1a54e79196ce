"""Dead letters: messages that were given up, kept with the reason until someone decides."""

import base64
import sys
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

_PLAIN = frozenset({str, int, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    `body` and `headers` are those of the message as the route received it, as JSON-ready data; bytes are kept
    as `{"base64": ...}`. `when` is wall time in seconds since 1970. `error` is the class's name, `reason` its text.
    `entry` is 0 for a whole message, else the number of the place where such parts enter the route. `causes` are the
    errors behind the error, the nearest first, as `Class: text`. `history` is the steps that the message passed, if its
    policy keeps them: the message's id then, the step, and the seconds after the first of them. `kind` is the name of
    the body's class, for one that entered in the middle of the route and is a dataclass or model.
    """

    id: str
    message_id: str
    route: str
    source: str
    step: str
    place: str
    error: str
    reason: str
    attempts: int
    when: float
    body: Any
    headers: dict[str, Any] = field(default_factory=dict[str, Any])
    entry: int = 0
    causes: list[str] = field(default_factory=list[str])
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    kind: str = ""


def packed(body: object) -> Any:
    r"""A body as JSON-ready data, so that it can be kept, read by people and parsed again.

    >>> packed(b"\xff"), packed({"n": 1})
    ({'base64': '/w=='}, {'n': 1})
    """
    if type(body) in _PLAIN:
        return body
    if isinstance(body, bytes | bytearray):
        return {"base64": base64.b64encode(body).decode("ascii")}
    return to_jsonable_python(body, serialize_unknown=True, inf_nan_mode="strings", bytes_mode="base64")


def unpacked(data: Any) -> Any:
    """What `packed` kept: bytes again where they were bytes, else the plain data."""
    if isinstance(data, dict) and list(data) == ["base64"]:  # pyright: ignore[reportUnknownArgumentType]  # JSON
        return base64.b64decode(data["base64"])  # pyright: ignore[reportUnknownArgumentType]  # JSON
    return data  # pyright: ignore[reportUnknownVariableType]  # JSON


def kind_of(body: object) -> str:
    """The name by which `kind_named` finds the class of a body; empty for plain data, which needs none."""
    kind = type(body)
    return f"{kind.__module__}:{kind.__qualname__}" if _modelled(kind) else ""


def kind_named(name: str) -> type[Any] | None:
    """The dataclass or model of that name, if its module is loaded; a letter can name nothing else, nor import it."""
    module, _, path = name.partition(":")
    found: object = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) and _modelled(found) else None


def _modelled(kind: type[Any]) -> bool:
    return is_dataclass(kind) or issubclass(kind, BaseModel)
