"""Conduct: what a step does to the promises of a route, as far as its other fields do not say it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Order: TypeAlias = Literal["yes", "per key", "no"]
"""In which order messages come: in that of the source, those of equal keys among themselves, or in any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a step treats what passes it, for the guarantees that `routekit check` computes.

    Texts are short: they follow the name of the step in a chain of reasons. An empty one says that there is nothing of
    the kind.
    """

    order: Order = "yes"
    """In which order messages leave that came in order: `yes` for the same one."""
    key: Callable[..., Any] | None = None
    """For `order="per key"`: the function that gives the key."""
    sorts: bool = False
    """Whether it brings messages into an order, in whatever they came; `order` says which."""
    scatters: str = ""
    """Why messages have no order inside its branches, such as `parallel=4`."""
    drops: str = ""
    """Which messages end here because the author says so: they are not lost."""
    varies: str = ""
    """Why a message that comes again may be another one behind the step, or take another way."""
    anew: str = ""
    """What begins anew after a crash where the store is memory: then what was done is done again in another way."""
    loses: str = ""
    """What is lost with the process where the store is memory."""
    leaves_out: Sequence[str] = ()
    """The labels of branches that may fail without the message failing, and without a dead letter."""
    knows: str = ""
    """By what it knows messages that have been done, if it ends them when they come again in any form."""
    commits: Any = None
    """The target of the transaction in which effects of its branches are committed together, with a mark that the
    message is done."""


PLAIN = Conduct()
"""Every message that comes goes on, once for each time, in the order of coming; nothing is kept."""
