"""Passage: what happened to one message at one step, as far as it can be seen from outside."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passage:
    """What a traced message did at a step, once it was done with it.

    `branches` are the labels of those of its branches that were entered, in their order, as the step named them when it
    bound them; one without steps cannot be seen. `on`: it went on to what follows the step, or to the end of its chain.
    `parts` is how many parts of it went on. `seconds` were spent in the step itself, without what is in it or follows
    it. `error` is what the step raised, `caught` are errors that came out of its branches and were dealt with in it.
    """

    branches: Sequence[str] = ()
    on: bool = True
    parts: int = 0
    seconds: float = 0.0
    error: Exception | None = None
    caught: Sequence[Exception] = ()
