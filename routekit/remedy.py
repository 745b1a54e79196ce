"""Remedies: what is done about an error, one after the other; what `routekit explain-errors` prints."""

from dataclasses import dataclass
from typing import Literal

from .place import Place


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that a step or scope does about an error.

    `kind` is `retry`, `rescue` (it is dealt with, and the message goes on or is done) or `ends` (where the message
    ends). `when` names the predicate that must hold, if there is one. `place` is where it was written, if that is not
    where its step was.
    """

    kind: Literal["retry", "rescue", "ends"]
    scope: str
    text: str
    when: str = ""
    place: Place | None = None

    @property
    def final(self) -> bool:
        """Whether nothing further is ever asked."""
        return self.kind != "retry" and not self.when
