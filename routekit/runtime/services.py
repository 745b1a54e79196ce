"""What the routes of one service have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from ..events import Event
from ..figures import Figures
from ..named import Named
from ..plugins import Catalog
from ..route import Policy
from ..store import Store
from .controls import Controls
from .observation import Observations
from .shared import Shared


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
    policy: Policy
    settings: Callable[[str, str], Mapping[str, Any] | None]
    workers: int = 1
    holds: bool = False
    """Whether a step of any route holds messages in memory."""
    named: Named = field(default_factory=Named)
    controls: Controls = field(default_factory=Controls)
    figures: Figures = field(default_factory=Figures)
    observations: Observations | None = None
    """Who observes the routes, if anybody does."""
    private: Sequence[str] = ()
    """Names of fields that are sensitive besides those that RouteKit knows."""


def _nothing() -> None:
    pass


@dataclass(eq=False)
class Activity:
    """How the service notices that nothing is left to do.

    `count` grows with every message that is done; `idle` is called when a source rests. `left` is how many messages
    may still be taken from outside (None: any number), and `enough` is called when there are none.
    """

    count: int = 0
    idle: Callable[[], None] = _nothing
    left: int | None = None
    enough: Callable[[], None] = _nothing

    @property
    def more(self) -> bool:
        """Whether one more message may be asked for."""
        return self.left is None or self.left > 0

    def arrived(self) -> None:
        """Count a message from outside.

        Not before it is here: a source that is asked may never give one, while another has some. So where several
        sources give one at once, the last message may be more than one.
        """
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.enough()
