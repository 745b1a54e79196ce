"""Whether an API is there, and lets us in: asked for the head of its beginning, so nothing is taken or sent."""

from typing import Any

from routekit import Runtime, Unavailable

from .calls import Call
from .connection import connection_of
from .errors import HttpUnavailable
from .settings import ConnectionSettings, connection_settings
from .targets import Target


async def found_at(runtime: Runtime, target: Target) -> str:
    """What answers where a connection begins; raises Unavailable if nothing does, or does not let us in.

    Any other status than 401, 403 and 5xx will do: not every API has something at its beginning.
    """
    if not (target.connection or target.origin):
        return "wherever a message leads"
    if target.connection:
        settings = connection_settings(runtime, target.connection)
    else:
        settings = ConnectionSettings(url=target.origin)
    connection, guarded = await connection_of(runtime, target.connection or target.origin, settings)

    async def read(response: Any) -> tuple[int, str]:
        return response.status_code, response.headers.get("server", "")

    call = Call("HEAD", settings.url)
    status, server = await connection.exchange(call, guarded, read)
    if status in (401, 403, 407):
        raise Unavailable(f"{call} was answered {status}", hint="see the credentials of the connection")
    if status >= 500:
        raise HttpUnavailable(f"{call} was answered {status}", status=status)
    return f"{settings.url} answers {status}{f', {server[:60]}' if server.isprintable() and server else ''}"
