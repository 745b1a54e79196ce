"""State that the steps of one service share by name, in all of its routes, such as a circuit breaker."""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from .errors import DefinitionError

R = TypeVar("R")


@dataclass(frozen=True)
class _Made:
    """A state, what it was made with, and the routes that have it, in the order in which they asked."""

    args: tuple[Hashable, ...]
    state: Any
    routes: Mapping[str, None]


class Named:
    """Makes each state once, for the step that is bound first, and gives it to all others of that name."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, str], _Made] = {}

    def get(self, make: Callable[..., R], name: str, args: tuple[Hashable, ...], route: str) -> R:
        """What `make(name, *args)` gave; raises DefinitionError if a route has it that made it with other `args`."""
        found = self._made.get((make, name))
        if found is None or (found.args != args and not found.routes):
            found = _Made(args, make(name, *args), {})
        if found.args != args:
            first = next(iter(found.routes))
            where = "elsewhere in this route" if first == route else f"in route '{first}'"
            raise DefinitionError(
                f"'{name}' has other options {where}", hint="one name is one state: give equal options, or two names"
            )
        self._made[make, name] = replace(found, routes={**found.routes, route: None})
        return cast("R", found.state)

    def without(self, routes: Collection[str]) -> "Named":
        """The same states, as if these routes had never asked: what nobody else has may be made with other `args`."""
        named = Named()
        named._made = {
            key: replace(made, routes={route: None for route in made.routes if route not in routes})
            for key, made in self._made.items()
        }
        return named

    def of(self, route: str) -> Mapping[tuple[Any, str], Any]:
        """The states that a route has, by what made them and their names."""
        return {key: made.state for key, made in self._made.items() if route in made.routes}
