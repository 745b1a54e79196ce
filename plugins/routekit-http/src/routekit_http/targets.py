"""What the paths of URIs mean: a connection and a path, a whole URL, or an address to serve."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from .errors import HttpRejected
from .values import text_of

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:\[\]]+):(?P<port>\d{1,5})(?P<path>/.*)?")
_HOLE = re.compile(r"\{(\w+)\}")
_SAFE = "-._~!$&'()*+,;=:@"
"""Characters that stand in a segment of a path as they are (RFC 3986, 3.3)."""

ANYWHERE = "*"
"""The target of a sink whose URL is computed for each message."""


@dataclass(frozen=True, slots=True)
class Target:
    """A connection of the settings, or the origin of a whole URL, and a path as plain text."""

    connection: str
    origin: str
    path: str

    @property
    def holes(self) -> tuple[str, ...]:
        """The names in braces."""
        return tuple(_HOLE.findall(self.path))


def target_of(scheme: str, text: str) -> Target:
    """What a sink or a poll asks; raises ValueError.

    >>> target_of("http", "crm/contacts/{id}")
    Target(connection='crm', origin='', path='contacts/{id}')
    >>> target_of("https", "//api.example.com/orders")
    Target(connection='', origin='https://api.example.com', path='orders')
    """
    if text == ANYWHERE:
        return Target("", "", "")
    if not text.startswith("//"):
        if scheme != "http":
            raise ValueError(f"a connection of routekit.toml is written http:{text}, whatever its URL begins with")
        connection, _, path = text.partition("/")
        if not re.fullmatch(r"[\w.-]+", connection):
            raise ValueError(f"'{connection}' is no name of a connection: write http:NAME/path or http://host/path")
        return Target(connection, "", path)
    parts = urlsplit(f"{scheme}:{text}")
    if not parts.hostname or parts.username or parts.password:
        raise ValueError(f"write {scheme}://host/path, without a user: credentials belong to a connection")
    return Target("", f"{scheme}://{parts.netloc}", text[2:].partition("/")[2])


def address_of(text: str) -> tuple[str, int, str] | None:
    """Host, port and path of an address to serve, or None.

    >>> address_of("0.0.0.0:8080/leads"), address_of("crm/leads")
    (('0.0.0.0', 8080, '/leads'), None)
    """
    found = _ADDRESS.fullmatch(text)
    return None if found is None else (found["host"].strip("[]"), int(found["port"]), found["path"] or "/")


def placed(target: Target, base: str, path: str | Mapping[str, Any] | None) -> str:
    """The URL for one message: names in braces filled, or a path put behind, every value made safe.

    A value is one segment: a `/` in it is encoded, and neither it nor a path gets out of the target's own.

    >>> placed(target_of("http", "crm/contacts/{id}"), "https://x/v1", {"id": "a/b c"})
    'https://x/v1/contacts/a%2Fb%20c'
    """
    values: Mapping[str, Any] = path if isinstance(path, Mapping) else {}
    segments = [_filled(segment, values) for segment in target.path.split("/")] if target.path else []
    if isinstance(path, str):
        segments += [_segment(segment) for segment in path.strip("/").split("/")]
    return "/".join([base, *segments])


def _filled(segment: str, values: Mapping[str, Any]) -> str:
    def value(found: re.Match[str]) -> str:
        if values.get(found[1]) is None:
            raise HttpRejected(f"path gives no '{found[1]}'", hint=f"write path=lambda body: {{'{found[1]}': ...}}")
        return _segment(text_of(values[found[1]]))

    parts = _HOLE.split(segment)
    if len(parts) == 1:
        return quote(segment, safe=_SAFE)
    return "".join(
        quote(part, safe=_SAFE) if number % 2 == 0 else _HOLE.sub(value, f"{{{part}}}")
        for number, part in enumerate(parts)
    )


def _segment(text: str) -> str:
    if text in ("", ".", ".."):
        raise HttpRejected(f"'{text}' cannot be a part of a path", hint="it would ask for something else")
    return quote(text, safe=_SAFE)
