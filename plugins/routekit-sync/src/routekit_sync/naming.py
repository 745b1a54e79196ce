"""Naming: `module:variable` becomes the pair, or the remote, that a module calls so."""

from importlib import import_module
from typing import Any

from routekit import LoadError, UnknownName, did_you_mean
from routekit.remotes import Remote

from .pair import SyncPair

HINT = "write sync:module:variable, as in sync:routes.customers:customers, or SyncSource(pair=customers)"
REMOTE_HINT = "write module:variable, as in routes.shops:customers, or RecordSource(remote=customers)"


def pair_of(given: Any) -> Any:
    """The pair that a text names; what is no text is given back. Raises UnknownName or LoadError."""
    return _named(given, SyncPair, "pair", HINT)


def remote_of(given: Any) -> Any:
    """The remote that a text names; what is no text is given back. Raises UnknownName or LoadError."""
    return _named(given, Remote, "remote", REMOTE_HINT)


def _named(given: Any, kind: type[Any], called: str, hint: str) -> Any:
    if not isinstance(given, str):
        return given
    module, colon, name = given.partition(":")
    if not colon or not module or not name:
        raise UnknownName(f"'{given}' names no {called}", hint=hint)
    try:
        there = vars(import_module(module))
    except ModuleNotFoundError as error:
        raise UnknownName(f"there is no module '{error.name}' for the {called} '{given}'", hint=hint) from error
    except Exception as error:  # whatever an author's module does when it is imported
        raise LoadError(f"module '{module}' of the {called} '{given}' cannot be imported: {error!r}") from error
    those = {known: value for known, value in there.items() if isinstance(value, kind)}
    if name not in those:
        raise UnknownName(f"module '{module}' has no {called} '{name}'", hint=did_you_mean(name, those))
    return those[name]
