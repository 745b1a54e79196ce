"""What is remembered of a link: the two shadows, and what is under way; one document, written at once.

One document is written atomically, so a shadow and the intent that led to it never disagree.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from .units import Side


class Document(BaseModel):
    """Base of all that is kept: JSON, and nothing that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shadow(Document):
    """What one side last reported of a record: only the fields that the pair keeps in step."""

    id: str
    fields: dict[str, Any]
    version: str | None = None
    stamp: float | None = None
    present: bool = True
    """False once the side has reported it deleted."""
    seen: float = 0.0
    """When it was read, by our clock."""


class Intent(Document):
    """A write that was decided, kept before it is sent."""

    id: str
    side: Side
    """Where it is written."""
    op: str
    """`create`, `update`, `archive` or `delete`."""
    fields: dict[str, Any] = Field(default_factory=dict[str, Any])
    preimage: dict[str, Any] = Field(default_factory=dict[str, Any])
    """The fields that are written, as they were there before."""
    source: dict[str, Any] = Field(default_factory=dict[str, Any])
    """The fields of the other side that it was made of, and its shadow's once the write is done."""
    units: list[str] = Field(default_factory=list[str])
    version: str | None = None
    target: str = ""
    """The id of the record that is written; empty until a created one's is known."""
    key: str = ""
    state: str = "planned"
    """`planned`, `sent` or `unknown`; what is done is removed."""
    attempt: int = 0
    at: float = 0.0


class Link(Document):
    """Two records that are one; `half` while only one of them is known."""

    id: str
    a: Shadow | None = None
    b: Shadow | None = None
    aliases_a: list[str] = Field(default_factory=list[str])
    """Ids that side a had for it before a merge."""
    aliases_b: list[str] = Field(default_factory=list[str])
    state: str = "linked"
    """`half`, `linked`, `parked` (a person has to look), `outside`, or `dead`."""
    why: str = ""
    """Of a parked link."""
    intents: list[Intent] = Field(default_factory=list[Intent])
    blocked: dict[str, str] = Field(default_factory=dict[str, str])
    """Units that the other side refuses, each with the reason: the rest goes on."""
    refused: dict[str, dict[str, Any]] = Field(default_factory=dict[str, dict[str, Any]])
    """Of blocked units, the fields that the refused write was made of: only other ones are sent again."""
    gone: dict[Side, float | None] = Field(default_factory=dict[Side, float | None])
    """Sides that have it no more, each with when it was deleted by its clock, as far as that is known."""
    merged: str = ""
    """The link of the record that its own was merged into."""
    keys: list[str] = Field(default_factory=list[str])
    """Of a half link: the match keys under which it is kept."""
    apart: bool = False
    """Of a half link: that a person has said it is none of those that match; it is created."""
    given_up: str = ""
    """Of a link in quarantine, a digest of what its records said: another one, and it is tried again."""
    conflicts: dict[str, str] = Field(default_factory=dict[str, str])
    """Units that wait for a person, each with the id of its conflict."""
    drift: list[str] = Field(default_factory=list[str])
    """Units that are unequal though neither side has changed them."""
    attempts: int = 0
    due: float = 0.0
    """When it has to be looked at again, by our clock; 0: not before one side reports it."""
    writes: list[float] = Field(default_factory=list[float])
    """When it was last written, for the breaker."""
    written: list[str] = Field(default_factory=list[str])
    """What was written then, each as a digest: values that take turns answer each other."""
    waits_for: str = ""
    """The parent that is not linked yet, as `pair/side/id`."""
