"""Requests over a named connection, for plugins that build on this one: its login, rate and guard, answers as they are.

A connector asks an API what only it understands. What is common is here: the table `[http.NAME]`, one pool, login and
rate for all who use it, `Retry-After`, and URLs from data that lead into no private network.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from routekit import Runtime

from .answers import HttpAnswer, Reading
from .auth import Login
from .calls import READING, Call
from .connection import Connection, Guarded, connection_of
from .content import NOTHING, Content
from .settings import connection_settings
from .targets import Target, placed
from .values import headers_of, pairs_of

_ALL = ((100, 599),)


@dataclass(frozen=True, slots=True)
class HttpClient:
    """Asks one connection; several requests may be under way at once."""

    _connection: Connection
    _guarded: Guarded

    @property
    def label(self) -> str:
        """The name of the connection."""
        return self._connection.label

    @property
    def url(self) -> str:
        """Where the API begins."""
        return self._connection.settings.url

    async def ask(
        self,
        method: str,
        path: str = "",
        values: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: bytes = b"",
        type: str = "application/json",
        url: str = "",
        timeout: float | None = None,
    ) -> HttpAnswer:
        """The answer, whatever its status; only a 401 is first tried once with a new login, where there can be one.

        `values` fill the names in braces of `path`, each as one safe segment. `url` is a whole URL that came with
        data, such as that of a next page: it is asked instead, and gets no credentials unless it is of the
        connection's own origin. Raises HttpUnavailable if there is no answer, of which `sent` says whether it can have
        arrived; HttpRejected with `status` None for what was not sent, and with a status for an answer that cannot be
        read. No redirect is followed.
        """
        call = Call(
            method.upper(),
            url or placed(Target("", "", path.lstrip("/")), self.url, values),
            tuple(pairs_of(query or {})),
            tuple(headers_of(headers or {})),
            Content(body, type) if body or method.upper() not in (*READING, "DELETE") else NOTHING,
            timeout,
            foreign=bool(url),
        )
        reading = Reading(_ALL, (), (), self._connection.settings.max_answer)

        async def read(response: Any) -> HttpAnswer | None:
            return await reading.read(call, response, self._connection.now(), None)

        answer = await self._connection.exchange(call, self._guarded, read)
        if answer is None:
            raise AssertionError("no status is absent")
        return answer


async def client_of(runtime: Runtime, connection: str, login: Login | None = None) -> HttpClient:
    """What asks the connection `[http.NAME]`, shared by all who name it.

    With a `login` the user and password of its `basic` table are not sent: `login` makes headers of them, which are
    kept until an answer is 401. Who uses the same `login` shares them too. Raises UnknownName without such a table,
    and BadOption for a wrong one.
    """
    settings = connection_settings(runtime, connection)
    return HttpClient(*await connection_of(runtime, connection, settings, login))
