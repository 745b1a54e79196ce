"""What the control API answers beside sights."""

from collections.abc import Sequence

from ..operating.sights import Sight


class Refusal(Sight):
    """Why something was not done, and what to do; `kind` is the class of the error."""

    error: str
    hint: str = ""
    kind: str = ""


class Flushed(Sight):
    """How many groups go on."""

    groups: int


class Reloaded(Sight):
    """What a reload did, a line for each route or problem."""

    lines: Sequence[str]


class Discarded(Sight):
    """How many letters were taken away."""

    letters: int


class Done(Sight):
    """It was done."""

    done: bool = True


class Live(Sight):
    """The process answers."""

    live: bool = True


class Ready(Sight):
    """Whether all routes and the store are up; `waits` are the names of those that are not."""

    ready: bool
    waits: Sequence[str] = ()
