"""Dead letters: messages that were given up, kept with the reason until someone decides."""

import base64
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, is_dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from .likeness import alike, fingerprint

_PLAIN = frozenset({str, int, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter.

    `body` and `headers` are those of the message as the route received it, as JSON-ready data; bytes are kept
    as `{"base64": ...}`. They are kept whole, however large; a store that cannot take them raises, and the message
    stays unacknowledged. `when` is wall time in seconds since 1970. `error` is the class's name, `reason` its text.
    `entry` is 0 for a whole message, else the number of the place where such parts enter the route. `causes` are the
    errors behind the error, the nearest first, as `Class: text`. `history` is the steps that the message passed, if its
    policy keeps them: the message's id then, the step, and the seconds after the first of them. `kind` is the name of
    the body's class, for one that entered in the middle of the route and is a dataclass or model.

    `current` and `current_headers` are those that the failing step got; `current_headers` is None if they are not
    known, or are those that came. `effects` is what was recorded for the message, if its route is durable: which of its
    calls were made, and what they gave. `edits` and `replays` say what operators did with the letter, the oldest first:
    who, when (seconds since 1970), what, and how it went; the first edit of a thing has it as it came. `cluster` is the
    same for all letters about failures that are alike; left out, it is computed.
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
    cluster: str = ""
    current: Any = None
    current_headers: dict[str, Any] | None = None
    effects: dict[str, str] = field(default_factory=dict[str, str])
    edits: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    replays: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __post_init__(self) -> None:
        if not self.cluster:  # also of a letter that an older version has kept
            cluster = fingerprint(self.route, self.step, self.error, self.reason)
            object.__setattr__(self, "cluster", cluster)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Dead letters about failures that are alike: of one class, at one step of one route, but for the values in them.

    `text` is the reason without those values; `first` and `last` say when the oldest and the newest of them was given
    up, in seconds since 1970.
    """

    id: str
    route: str
    step: str
    error: str
    text: str
    count: int
    first: float
    last: float

    @classmethod
    def of(cls, letter: Letter, *, count: int = 1, first: float | None = None, last: float | None = None) -> "Cluster":
        """The cluster of a letter, as far as it is known: with the letter's own time where none is given."""
        first = letter.when if first is None else first
        last = letter.when if last is None else last
        text = alike(letter.reason)
        return cls(letter.cluster, letter.route, letter.step, letter.error, text, count, first, last)


def clusters_of(letters: Iterable[Letter]) -> list[Cluster]:
    """The clusters of letters: the largest first, of those of one size the one with the newest letter."""
    members: dict[str, list[Letter]] = {}
    for letter in letters:
        members.setdefault(letter.cluster, []).append(letter)
    clusters = [
        Cluster.of(
            those[0], count=len(those), first=min(one.when for one in those), last=max(one.when for one in those)
        )
        for those in members.values()
    ]
    return sorted(clusters, key=lambda cluster: (-cluster.count, -cluster.last, cluster.id))


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
