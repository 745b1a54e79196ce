"""The control bus: what routes and steps can be asked to do while they run, by name."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from ..errors import Unavailable, UnknownName
from ..offers import Offer, unknown
from ..step import Command


class Controls:
    """Knows what may be asked for, and asks.

    What a step offers is there while its route is up; what a route offers is always there.
    """

    def __init__(self) -> None:
        self._routes: dict[str, Mapping[str, Command]] = {}
        self._steps: dict[str, Sequence[Offer]] = {}
        self._up: set[str] = set()

    def route(self, name: str, commands: Mapping[str, Command]) -> None:
        """Make known what a route can be asked, by action."""
        self._routes[name] = commands

    def steps(self, route: str, offers: Sequence[Offer], *, up: bool) -> None:
        """Make known what the steps of a route can be asked, and whether they can be now."""
        self._steps[route] = offers
        (self._up.add if up else self._up.discard)(route)

    def forget(self, route: str) -> None:
        """The route is gone, with all that it and its steps could be asked."""
        self._routes.pop(route, None)
        self._steps.pop(route, None)
        self._up.discard(route)

    async def ask(self, action: str, name: str, options: Mapping[str, Any]) -> Any:
        """The answer; a list of them if several steps have that name, all of which are asked, whatever one does.

        A name with a `*` is a pattern for names of routes. Raises UnknownName if nothing of that name offers the
        action, and Unavailable while its route is not up.
        """
        if "*" in name:
            routes = [route for route in sorted(self._routes) if fnmatchcase(route, name)]
            return [await self.ask(action, route, options) for route in routes]
        commands = self._commands(action, name)
        answers: list[Any] = []
        failures: list[Exception] = []
        for command in commands:
            try:
                answers.append(await command(**options))
            except Exception as error:  # the others are asked all the same; the first failure is raised
                failures.append(error)
        if failures:
            for other in failures[1:]:
                failures[0].add_note(f"and another of that name: {type(other).__name__}: {other}")
            raise failures[0]
        return answers[0] if len(answers) == 1 else answers

    def _commands(self, action: str, name: str) -> Sequence[Command]:
        if name in self._routes and action in self._routes[name]:
            return [self._routes[name][action]]
        offered = [
            (route, command)
            for route, offers in self._steps.items()
            for kind, known, command in offers
            if (kind, known) == (action, name)
        ]
        if not offered:
            raise self._unknown(action, name)
        there = [command for route, command in offered if route in self._up]
        if not there:
            routes = ", ".join(sorted({route for route, _ in offered}))
            raise Unavailable(f"cannot {action} '{name}': route {routes} is not up")
        return there

    def _unknown(self, action: str, name: str) -> UnknownName:
        pairs = {(kind, known) for offers in self._steps.values() for kind, known, _ in offers}
        pairs |= {(kind, route) for route, commands in self._routes.items() for kind in commands}
        return unknown(action, name, pairs)
