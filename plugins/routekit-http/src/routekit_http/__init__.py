"""HTTP for RouteKit: requests, event streams and WebSockets, as sinks and as sources."""

from collections.abc import Sequence

from routekit import Endpoint, hookimpl

from .answers import HttpAnswer as HttpAnswer
from .auth import Entrance as Entrance
from .auth import Login as Login
from .client import HttpClient as HttpClient
from .client import client_of as client_of
from .errors import HttpConflict as HttpConflict
from .errors import HttpRejected as HttpRejected
from .errors import HttpUnavailable as HttpUnavailable
from .events import SseSink as SseSink
from .events import SseSource as SseSource
from .events import SsesSink as SsesSink
from .events import SsesSource as SsesSource
from .pages import HttpPoll as HttpPoll
from .pages import HttpsPoll as HttpsPoll
from .pages import found_at as found_at
from .pages import linked as linked
from .server import HttpServer as HttpServer
from .server import HttpsServer as HttpsServer
from .settings import ConnectionSettings as ConnectionSettings
from .sink import HttpSink as HttpSink
from .sink import HttpsSink as HttpsSink
from .sockets import WsPoll as WsPoll
from .sockets import WsSend as WsSend
from .sockets import WsServer as WsServer
from .sockets import WsSink as WsSink
from .sockets import WssPoll as WssPoll
from .sockets import WssSend as WssSend
from .sockets import WssServer as WssServer
from .sockets import WssSink as WssSink
from .waits import retry_after as retry_after

routekit_interface = 1
"""The plugin interface that this is written for."""


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """The sources and sinks of `http`, `sse` and `ws`, each with its scheme for TLS."""
    http = [HttpServer, HttpsServer, HttpPoll, HttpsPoll, HttpSink, HttpsSink]
    sockets = [WsServer, WssServer, WsPoll, WssPoll, WsSink, WssSink, WsSend, WssSend]
    return [*http, SseSource, SsesSource, SseSink, SsesSink, *sockets]
