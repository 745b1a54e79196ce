"""What went wrong on the way, in the words of the sink."""

import aiohttp
import httpx

from routekit import Rejected

from .calls import Call
from .errors import HttpRejected, HttpUnavailable


def fault_of(call: Call, error: Exception) -> Exception:
    """The error for one of the transport: worth another try, unless the request itself is wrong."""
    cause = error.__cause__
    while cause is not None:  # what a guard or a body raised, inside of the transport
        if isinstance(cause, Rejected):
            return cause
        cause = cause.__cause__
    text = str(error).partition("\n")[0] or type(error.__cause__ or error).__name__
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return HttpRejected(f"{call} cannot be asked: {text}")
    return HttpUnavailable(f"{call}: {text}", sent=not _unsent(error))


def _unsent(error: Exception) -> bool:
    """Whether nothing can have arrived; httpx-aiohttp calls nearly everything a ConnectTimeout, so its cause counts."""
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(cause, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError)
