"""Placeholders in URIs and settings: `${NAME}` and `${NAME:default}`."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches

from .errors import UnknownName

Lookup = Callable[[str], str | None]
"""The value of a name, or None."""

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][\w.]*)(?::([^}]*))?\}")


def filled(text: str, lookup: Lookup, known: Iterable[str] = ()) -> str:
    """`text` with its placeholders replaced; raises UnknownName for one without value and default.

    >>> filled("file:${IN:in}?poll=${POLL}", {"POLL": "5"}.get)
    'file:in?poll=5'
    """

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        given = lookup(name)
        if given is None and default is None:
            raise UnknownName(f"no value for ${{{name}}} in '{text}'", hint=_hint(name, known))
        return default if given is None else given

    return _PLACEHOLDER.sub(value, text)


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    where = f"set the environment variable {name}, or --set {name}=..., or {name} under [values] in routekit.toml"
    return f"did you mean ${{{near[0]}}}? else {where}" if near else where
