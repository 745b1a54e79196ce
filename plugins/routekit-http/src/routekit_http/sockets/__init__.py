"""WebSockets: sources and sinks that serve them, and those that connect to them."""

from .client import WsPoll as WsPoll
from .client import WssPoll as WssPoll
from .sending import WsSend as WsSend
from .sending import WssSend as WssSend
from .server import WsServer as WsServer
from .server import WssServer as WssServer
from .sink import WsSink as WsSink
from .sink import WssSink as WssSink
