"""Sights of dead letters: what an operator sees of them, and of the replays that run.

All times are seconds since 1970. Bodies and headers are JSON-ready data, bytes as `{"base64": ...}`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from .sights import Sight


class LetterSight(Sight):
    """One dead letter in a line of a table."""

    id: str
    message: str
    route: str
    step: str
    place: str
    error: str
    """The class of the error; `reason` is its text."""
    reason: str
    attempts: int
    when: float
    """When it was given up."""
    cluster: str
    edited: bool = False
    replays: int = 0
    """How often a replay has failed since."""


class LetterPage(Sight):
    """Some of the letters that are meant, and how many there are of them in all."""

    letters: Sequence[LetterSight] = ()
    count: int = 0


class EditSight(Sight):
    """What an operator changed of a letter."""

    when: float
    who: str
    why: str
    what: Sequence[Literal["body", "headers"]]


class TriedSight(Sight):
    """A replay of a letter that failed again."""

    when: float
    who: str
    step: str
    error: str
    reason: str
    attempts: int = 1


class LetterDetail(Sight):
    """All about one letter.

    `body` and `headers` are what a replay takes, `came_body` and `came_headers` what the route received; they differ
    once it was edited. `step_body` is what the failing step got; `step_headers` None says that they are not known.
    """

    letter: LetterSight
    source: str
    causes: Sequence[str] = ()
    body: Any = None
    headers: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    came_body: Any = None
    came_headers: Mapping[str, Any] = Field(default_factory=dict[str, Any])
    step_body: Any = None
    step_headers: Mapping[str, Any] | None = None
    masked: bool = False
    """Whether bodies and headers are masked, since a reader asked."""
    entry: int = 0
    kind: str = ""
    history: Sequence[Mapping[str, Any]] = ()
    effects: Mapping[str, str] = Field(default_factory=dict[str, str])
    edits: Sequence[EditSight] = ()
    replays: Sequence[TriedSight] = ()


class ClusterSight(Sight):
    """Letters about failures that are alike; `text` is the reason without the values that differ."""

    id: str
    route: str
    step: str
    error: str
    text: str
    count: int
    first: float
    last: float


class OutcomeSight(Sight):
    """A letter that was not done by a replay, and why."""

    letter: str
    message: str
    route: str
    result: Literal["failed", "skipped"]
    error: str = ""
    reason: str = ""
    step: str = ""


class ReplaySight(Sight):
    """A replay: how far it has come, or how it ended.

    `what` is `all` or the selection as JSON. `total` is how many letters were meant when it began; `stopped` says why
    it ended before all were tried, `error` what broke it off. `outcomes` are those not done, the first 100.
    """

    id: str
    what: str
    who: str
    began: float
    ended: float | None = None
    running: bool = True
    total: int = 0
    done: int = 0
    failed: int = 0
    skipped: int = 0
    rate: float | None = None
    stopped: str = ""
    error: str = ""
    outcomes: Sequence[OutcomeSight] = ()


class DiscardedSight(Sight):
    """A letter that was discarded and can be brought back."""

    id: str
    route: str
    message: str
    error: str
    reason: str
    who: str
    when: float
    why: str
