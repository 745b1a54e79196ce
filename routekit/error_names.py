"""Classes of errors by their names, for who asks about one on the command line."""

import builtins
from collections.abc import Iterable, Iterator

from . import errors
from .errors import UnknownName, did_you_mean

Kind = type[Exception]


def class_named(name: str, known: Iterable[Kind]) -> Kind:
    """The class of errors of that name, with its module or without; raises UnknownName.

    Those that routes name come before Python's and RouteKit's own, and these before any other that is loaded.
    """
    given = {*known}
    ours = {kind for kind in (*vars(builtins).values(), *vars(errors).values()) if _is_error(kind)}
    for kinds in (given, ours, {*_below(Exception)}):
        found = [kind for kind in kinds if name in (kind.__name__, f"{kind.__module__}.{kind.__qualname__}")]
        if len(found) > 1:
            names = ", ".join(sorted(f"{kind.__module__}.{kind.__qualname__}" for kind in found))
            raise UnknownName(f"{len(found)} errors are called '{name}'", hint=f"give the module too: {names}")
        if found:
            return found[0]
    hint = did_you_mean(name, {kind.__name__ for kind in given | ours})
    raise UnknownName(f"there is no class of errors '{name}'", hint=hint)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _below(kind: Kind) -> Iterator[Kind]:
    yield kind
    for below in kind.__subclasses__():
        yield from _below(below)
