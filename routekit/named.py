"""State that the steps of one service share by name, in all of its routes, such as a circuit breaker."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from .errors import DefinitionError

R = TypeVar("R")


class Named:
    """Makes each state once, for the step that is bound first, and gives it to all others of that name."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, str], tuple[str, tuple[Hashable, ...], Any]] = {}

    def get(self, make: Callable[..., R], name: str, args: tuple[Hashable, ...], route: str) -> R:
        """What `make(name, *args)` gave; raises DefinitionError if it was made with other `args`."""
        found = self._made.get((make, name))
        if found is None:
            found = self._made[make, name] = (route, args, make(name, *args))
        first, given, state = found
        if given != args:
            where = "elsewhere in this route" if first == route else f"in route '{first}'"
            raise DefinitionError(
                f"'{name}' has other options {where}", hint="one name is one state: give equal options, or two names"
            )
        return cast("R", state)
