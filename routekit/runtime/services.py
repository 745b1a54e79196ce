"""What the routes of one service have in common."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ..events import Event
from ..plugins import Catalog
from ..route import Policy
from ..store import Store
from .shared import Shared


def _no_settings(table: str, name: str) -> Mapping[str, Any] | None:
    return None


@dataclass(eq=False)
class Services:
    """Handed to every route's runtime."""

    catalog: Catalog
    store: Store
    shared: Shared
    tell: Callable[[Event], None]
    now: Callable[[], float]
    random: Random
    data: Path
    policy: Policy = field(default_factory=Policy)
    settings: Callable[[str, str], Mapping[str, Any] | None] = _no_settings


def _nothing() -> None:
    pass


@dataclass(eq=False)
class Activity:
    """How the service notices that nothing is left to do.

    `count` grows with every message that is done; `idle` is called when a source rests. `left` is how many messages
    may still be asked for from outside (None: any number), `missing` how many have not arrived yet, and `enough` is
    called when none is missing: not earlier, or the last one would be asked for and never awaited.
    """

    count: int = 0
    idle: Callable[[], None] = _nothing
    left: int | None = None
    missing: int = 0
    enough: Callable[[], None] = _nothing

    def limit(self, most: int | None) -> None:
        """Take no more than `most` messages from outside."""
        self.left, self.missing = most, most or 0

    def ask(self) -> bool:
        """Whether one more message may be asked for; one that does not come is given back."""
        if not self.left:
            return False
        self.left -= 1
        return True

    def give_back(self) -> None:
        """What was asked for did not come."""
        if self.left is not None:
            self.left += 1

    def arrived(self) -> None:
        """What was asked for is here."""
        self.missing -= 1
        if self.missing == 0:
            self.enough()
