"""What can be asked for on the control bus: offers of routes and steps, and what is wrong with an order."""

import inspect
from collections.abc import Collection, Iterable
from typing import TypeAlias

from .errors import BadOption, UnknownName, did_you_mean
from .step import Command

Offer: TypeAlias = tuple[str, str, Command]
"""An action, the name of what offers it, and what is done when it is asked for."""

ROUTE_ACTIONS = ("start", "stop", "pause", "resume", "stats")
"""What every route can be asked to do."""


def unknown(action: str, name: str, offered: Collection[tuple[str, str]]) -> UnknownName:
    """The error for what nobody offers, with the nearest that somebody does; `offered` are actions with names."""
    actions = {kind for kind, _ in offered}
    if action not in actions:
        return UnknownName(f"nothing can be asked to '{action}'", hint=did_you_mean(action, actions))
    names = {known for kind, known in offered if kind == action}
    return UnknownName(f"nothing called '{name}' can be asked to {action}", hint=did_you_mean(name, names))


def wrong_option(action: str, command: Command, options: Iterable[str]) -> BadOption | None:
    """The error for an option that a command does not take, or lacks."""
    parameters = inspect.signature(command).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    given = set(options)
    for name in sorted(given - set(parameters)):
        return BadOption(f"control:{action} has no option '{name}'", hint=did_you_mean(name, parameters))
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given:
            return BadOption(f"control:{action} needs the option '{name}'", hint=f"write {name}=...")
    return None
