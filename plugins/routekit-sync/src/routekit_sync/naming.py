"""Naming: `module:variable` becomes the pair that a module calls so."""

from importlib import import_module
from typing import Any

from routekit import LoadError, UnknownName, did_you_mean

from .pair import SyncPair

HINT = "write sync:module:variable, as in sync:routes.customers:customers, or SyncSource(pair=customers)"


def pair_of(given: Any) -> Any:
    """The pair that a text names; what is no text is given back. Raises UnknownName or LoadError."""
    if not isinstance(given, str):
        return given
    module, colon, name = given.partition(":")
    if not colon or not module or not name:
        raise UnknownName(f"'{given}' names no pair", hint=HINT)
    try:
        there = vars(import_module(module))
    except ModuleNotFoundError as error:
        raise UnknownName(f"there is no module '{error.name}' for the pair '{given}'", hint=HINT) from error
    except Exception as error:  # whatever an author's module does when it is imported
        raise LoadError(f"module '{module}' of the pair '{given}' cannot be imported: {error!r}") from error
    pairs = {known: value for known, value in there.items() if isinstance(value, SyncPair)}
    if name not in pairs:
        raise UnknownName(f"module '{module}' has no pair '{name}'", hint=did_you_mean(name, pairs))
    return pairs[name]
