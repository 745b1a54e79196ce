"""What the endpoints that serve say of themselves in the reference, beside their options."""

from collections.abc import Mapping

from routekit import About, Unavailable

from .bearers import JwtSettings
from .settings import ServerSettings
from .signatures import SignatureSettings

_JWT = {"http_jwt.NAME": JwtSettings}
_SERVER = {'http_server."HOST:PORT"': ServerSettings}
_TAKEN: Mapping[type[Exception], str] = {Unavailable: "the address cannot be had: somebody else listens there"}

SERVER = About(
    headers={
        "http.method": "the method",
        "http.path": "the path, decoded",
        "http.params": "a table: what stands at the names of the path, if it has any",
        "http.query": "a table: the query parameters, if there are any",
        "http.client": "the address of the caller",
        "http.claims": "a table: the claims of the caller's token, with `jwt`",
        "http.header.NAME": "each header of the request that `keep` names",
        "traceparent": "where a trace goes on, if the request says so; `tracestate` too",
    },
    raises=_TAKEN,
    figures={"requests_total": "requests that came", "at_work": "requests that have no answer yet"},
    settings={**_SERVER, "http_signature.NAME": SignatureSettings, **_JWT},
)
STREAM = About(
    raises=_TAKEN,
    figures={
        "listeners": "who listens now",
        "dropped_total": "listeners that were too slow",
        "missed_total": "listeners that came back for more than is kept",
    },
    settings={**_SERVER, **_JWT},
)
SOCKETS = About(
    headers={
        "ws.connection": "the id of the connection, for the option `to` of a sink",
        "ws.path": "the path, decoded",
        "ws.params": "a table: what stands at the names of the path, if it has any",
        "ws.client": "the address of who is connected",
        "ws.claims": "a table: the claims of their token, with `jwt`",
        "ws.header.NAME": "each header with which they connected that `keep` names",
    },
    raises=_TAKEN,
    figures={"connections": "who is connected now"},
    settings={**_SERVER, **_JWT},
)
TELLING = About(
    raises=_TAKEN,
    figures={"connections": "who is connected now", "dropped_total": "connections that were too slow"},
    settings={**_SERVER, **_JWT},
)
