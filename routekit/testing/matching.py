"""What a test calls an endpoint by: its address, a pattern of addresses, a URI with some options, or itself."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, cast

from ..endpoint import Endpoint, address_of, parse_uri
from ..errors import DefinitionError
from ..rewriting import matches

Key: TypeAlias = str | Endpoint
"""`"rabbitmq:orders"`, `"http:crm/*"`, `"rabbitmq:?exchange=events&key=order.*"`, or `RabbitMQSink(queue="orders")`."""

Way: TypeAlias = Literal["source", "sink", "any"]
"""How routes use an endpoint."""


def means(key: Key, endpoint: Endpoint) -> bool:
    """Whether a key stands for that endpoint; `*` and `?` stand for any characters, and options may be left out.

    Options of a key that is a URI have to be among those that the endpoint was given.
    """
    if isinstance(key, Endpoint):
        return key == endpoint
    address = address_of(endpoint)
    return key == address or matches(key, address) or matches(key, endpoint.uri()) or _with_options(key, endpoint)


def called(endpoint: Endpoint) -> str:
    """What an endpoint is best called by: its address, or its URI where that has no path, as for an exchange."""
    address = address_of(endpoint)
    return endpoint.uri() if address == f"{endpoint.scheme}:" else address


def named(key: Key) -> str:
    """A key, for people."""
    return key if isinstance(key, str) else key.uri()


def _with_options(key: str, endpoint: Endpoint) -> bool:
    path, asks, _ = key.partition("?")
    if not asks or not fnmatchcase(address_of(endpoint), path):
        return False
    try:
        asked = parse_uri(key).options
    except DefinitionError:  # a pattern whose `?` begins no options
        return False
    return _among(asked, parse_uri(endpoint.uri()).options)


def _among(asked: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    for name, value in asked.items():
        found = given.get(name)
        if isinstance(value, Mapping):
            inner = cast("Mapping[str, Any]", value)
            if not isinstance(found, Mapping) or not _among(inner, cast("Mapping[str, Any]", found)):
                return False
        elif found is None or not fnmatchcase(str(found), str(value)):
            return False
    return True
