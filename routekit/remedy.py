"""Remedies: what is done about an error, one after the other; what `routekit explain-errors` prints."""

from dataclasses import dataclass
from typing import Literal

from .place import Place


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing that a step or scope does about an error.

    `kind` is `retry`, `undo` (of what was done before), `rescue` (it is dealt with, and the message goes on or is
    done), `raised` (in the route that called this one) or `ends` (where the message ends). `clause` is the class for
    which a clause was written, `when` names the predicate that must hold, `place` is where it was written, if there is
    one.
    """

    kind: Literal["retry", "undo", "rescue", "raised", "ends"]
    scope: str
    text: str
    clause: str = ""
    when: str = ""
    place: Place | None = None

    @property
    def final(self) -> bool:
        """Whether nothing further is ever asked."""
        return self.kind in ("rescue", "ends") and not self.when
