"""Placeholders in URIs and settings: `${NAME}` and `${NAME:default}`."""

import re
from collections.abc import Callable, Iterable

from .errors import UnknownName, did_you_mean

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
            hint = f"set the environment variable {name}, --set {name}=..., or [values] {name} = ... in routekit.toml"
            near = did_you_mean(name, known)
            raise UnknownName(
                f"no value for ${{{name}}} in '{text}'", hint=f"{near}; or {hint}" if "mean" in near else hint
            )
        return default if given is None else given

    return _PLACEHOLDER.sub(value, text)
