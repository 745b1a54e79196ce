"""Asking: what a request of the control API may bring, as models; a name that there is not is refused."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..lettering.selecting import Selection


class Asking(BaseModel):
    """Base of all: parameters of a query, or the JSON of a body."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(Asking):
    """Nothing is asked besides the path."""


class OfRoute(Asking):
    """Which route is meant."""

    route: str | None = Field(default=None, description="only this route")


class AuditAsked(Asking):
    """Which part of the audit."""

    since: float | None = Field(default=None, description="only from this time on, in seconds since 1970")
    limit: int = Field(default=100, ge=1, le=10_000, description="deeds at most, the newest")


class LogAsked(Asking):
    """Which lines of the log."""

    after: int = Field(default=0, ge=0, description="only lines numbered above this")
    limit: int = Field(default=1000, ge=1, le=10_000, description="lines at most, the newest")


class TracesAsked(OfRoute):
    """Which traces."""

    limit: int = Field(default=100, ge=1, le=1000, description="traces at most, the newest")


class LettersAsked(Asking):
    """Which dead letters; all that is given has to hold."""

    ids: tuple[str, ...] = Field(default=(), description="of these ids; the first characters of each do")
    route: str | None = Field(default=None, description="of this route")
    cluster: str | None = Field(default=None, description="of this cluster; the first characters of its id do")
    step: str | None = Field(default=None, description="with this in the name of the failing step")
    error: str | None = Field(default=None, description="with an error of this class")
    text: str | None = Field(default=None, description="with this in message id, reason, causes, body or headers")
    since: float | None = Field(default=None, description="given up then or later, in seconds since 1970")
    before: float | None = Field(default=None, description="given up before that, in seconds since 1970")
    limit: int = Field(default=50, ge=1, le=1000, description="letters at most")
    oldest: bool = Field(default=False, description="the oldest first")

    def selection(self) -> Selection:
        """The letters that are meant."""
        return Selection(**self.model_dump(exclude={"limit", "oldest"}))


class Concurrency(Asking):
    """How many messages may be in flight."""

    value: int = Field(ge=1, le=10_000, description="messages in flight at once")


class Flush(Asking):
    """Which groups go on."""

    key: str | None = Field(default=None, description="only the group of this key; left out: all of the state")


class Edit(Asking):
    """What is changed of a letter; what is left out stays."""

    body: Any = Field(default=None, description='the new body as JSON, bytes as {"base64": ...}; null is a body too')
    headers: dict[str, Any] | None = Field(default=None, description="all new headers")
    why: str = Field(min_length=1, max_length=1000, description="the reason, for the audit")


class Try(Asking):
    """What sinks answer in a dry run."""

    answers: dict[str, Any] = Field(
        default_factory=dict[str, Any], description="what each sink answers, by address or pattern"
    )


class ReplayOne(Asking):
    """How one letter is replayed."""

    patience: float = Field(default=5.0, ge=0, le=60, description="seconds to wait for the end")


class DiscardOne(Asking):
    """Why a letter is taken away."""

    why: str = Field(min_length=1, max_length=1000, description="the reason, for the audit")


class Restore(Asking):
    """Why a discarded letter is brought back."""

    why: str = Field(default="", max_length=1000, description="the reason, for the audit")


class Meant(Asking):
    """Which letters are meant."""

    selection: Selection = Field(default_factory=Selection, description="which letters: all that is given has to hold")
    all: Literal[True] | None = Field(default=None, description="true: every letter, where nothing is selected")


class ReplayMany(Meant):
    """Which letters are replayed, and how."""

    rate: float | None = Field(default=None, gt=0, le=10_000, description="letters at most in a second")
    failures: int | None = Field(default=10, ge=1, description="stop after so many failures; null: never")
    patience: float = Field(default=5.0, ge=0, le=60, description="seconds to wait before it goes on by itself")


class DiscardMany(Meant):
    """Which letters are discarded, and why."""

    why: str = Field(min_length=1, max_length=1000, description="the reason, for the audit")
