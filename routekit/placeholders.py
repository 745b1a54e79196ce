"""Placeholders in URIs and settings: `${NAME}`, `${NAME:default}`, and secrets, `${file:/run/secrets/crm}`.

A word in small letters before a colon names who gives the secret; see `SecretProvider`.
"""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from urllib.parse import quote

from .errors import UnknownName

Lookup = Callable[[str], str | None]
"""The value of a name, or None; a secret is asked for as `provider:reference`."""

_SECRET = re.compile(r"[a-z][a-z0-9_]*")
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][\w.]*)(?::([^}]*))?\}")


def filled(text: str, lookup: Lookup, known: Iterable[str] = ()) -> str:
    """`text` with its placeholders replaced; raises UnknownName for one without value and default.

    >>> filled("file:${IN:in}?poll=${POLL}", {"POLL": "5"}.get)
    'file:in?poll=5'
    """

    def value(found: re.Match[str]) -> str:
        name, default = found[1], found[2]
        if default and _SECRET.fullmatch(name):
            return _secret(name, default, lookup)
        given = lookup(name)
        if given is None and default is None:
            raise UnknownName(f"no value for ${{{name}}} in '{text}'", hint=_hint(name, known))
        return default if given is None else given

    return _PLACEHOLDER.sub(value, text)


def filled_uri(uri: str, lookup: Lookup) -> str:
    """A URI with its placeholders replaced by values that cannot change its parts: `&` in a password stays one.

    A placeholder at the start stands for a whole URI or its scheme, and is taken as it is.

    >>> filled_uri("sql:${DB}?password=${PW}", {"DB": "crm", "PW": "a&b?"}.get)
    'sql:crm?password=a%26b%3F'
    """
    start = _PLACEHOLDER.match(uri)
    if start is not None:
        return filled(start[0], lookup) + filled_uri(f":{uri[start.end() :]}", lookup)[1:]

    def encoded(name: str) -> str | None:
        value = lookup(name)
        return None if value is None else quote(value, safe="/")

    return filled(uri, encoded)


def is_reference(name: str) -> bool:
    """Whether what stands in a placeholder asks for a secret, by the form of it.

    >>> is_reference("keyring:crm/password"), is_reference("CRM:none"), is_reference("data")
    (True, False, False)
    """
    provider, colon, reference = name.partition(":")
    return bool(colon and reference and _SECRET.fullmatch(provider))


def references(text: str) -> list[str]:
    """The secrets that a text asks for: `provider:reference`."""
    found = (f"{one[1]}:{one[2] or ''}" for one in _PLACEHOLDER.finditer(text))
    return [one for one in found if is_reference(one)]


def _secret(provider: str, reference: str, lookup: Lookup) -> str:
    """The secret, or, where settings have a value of that name, this; never the reference, as if it were a default."""
    given = lookup(f"{provider}:{reference}")
    given = lookup(provider) if given is None else given
    if given is None:
        hint = f"install who does; the name of a value with a default has a capital: ${{{provider.upper()}:...}}"
        raise UnknownName(f"no value for ${{{provider}:{reference}}}: nobody gives secrets of '{provider}'", hint=hint)
    return given


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    where = f"set the environment variable {name}, or --set {name}=..., or {name} under [values] in routekit.toml"
    return f"did you mean ${{{near[0]}}}? else {where}" if near else where
