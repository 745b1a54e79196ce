"""Calls to an API, whose failures are those of remote systems: each says what is known of the outcome."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routekit.remotes import Busy, Refused, RemoteError, Unclear, Unsent
from routekit_http import HttpClient, HttpRejected, HttpUnavailable

from .answers import Answer, Doing, Outcomes, read


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks one connection, and raises what its answers mean."""

    client: HttpClient
    outcomes: Outcomes
    now: Callable[[], float]
    """Our clock, in seconds since 1970."""

    async def ask(
        self,
        method: str,
        path: str = "",
        values: Mapping[str, Any] | None = None,
        *,
        doing: Doing = "read",
        record: str = "",
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        document: Any = None,
        url: str = "",
    ) -> Answer:
        """The answer, if it says that it was done; else raises a RemoteError.

        `document` is sent as JSON unless it is None. `record` is the id that is asked for: only then does a 404 say
        that it is gone, and not that the address is wrong.
        """
        what = f"{self.client.label}: {method} {url.partition('?')[0] or path}"
        body = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
        given = {"accept": "application/json", **(headers or {})}
        try:
            answer = await self.client.ask(method, path, values, query=query, headers=given, body=body, url=url)
        except HttpUnavailable as error:
            raise lost(error) from error
        except HttpRejected as error:
            raise unread(error) from error
        found = read(answer, url or f"{self.client.url}/{path.lstrip('/')}")
        failure = self.outcomes.error(found, doing, what, record=record, now=self.now())
        if failure is not None:
            raise failure
        return found


def lost(error: HttpUnavailable) -> RemoteError:
    """What it means that there was no answer: nothing was done for certain, or nobody knows."""
    if error.retry_after is not None and not error.sent:
        return Busy(error.message, after=error.retry_after, hint=error.hint)
    return (Unclear if error.sent else Unsent)(error.message, hint=error.hint)


def unread(error: HttpRejected) -> RemoteError:
    """What it means that a call was not sent for good, or that its answer could not be read."""
    if error.status is None:
        return Refused(error.message, hint=error.hint)
    return Unclear(error.message, hint=error.hint)
