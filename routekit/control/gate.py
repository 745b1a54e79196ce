"""Gate: what every request has to pass, for the API and the console alike.

Where no token is needed, a page of somebody else in the browser of this machine must not get in. So the Host has to be
a name of this machine, as another name may have been bound to its address (DNS rebinding), and what changes something
must not come from a foreign page (CSRF).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any
from urllib.parse import urlsplit

from ..access import Access, is_loopback
from ..operating.door import Door
from .flood import LARGEST, App, Buckets, Receive, Scope, Sending, TooLarge, TooSlow, bounded
from .refusing import TOO_LARGE, TOO_SLOW, Refused, refusal

LIVE = "/health/live"

_LOOKS = ("GET", "HEAD", "OPTIONS")

_SAFE = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),  # no page of somebody else may so much as load it
]


@dataclass(frozen=True)
class Gate:
    """An application behind the gate."""

    app: App
    door: Door
    access: Access
    buckets: Buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Sending) -> None:
        """Let a request pass, or refuse it."""
        if scope["type"] != "http":
            return
        headers = headers_of(scope)
        refused = self._flooding(scope) or self._foreign(scope, headers)
        if refused is None and _length(headers) > LARGEST:
            refused = TOO_LARGE
        if refused is not None:
            await refusal(refused)(scope, receive, send)
            return
        begun = False

        async def sending(message: Any) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                known = {name for name, _ in message.get("headers", ())}
                more = [(name, value) for name, value in _SAFE if name not in known]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        try:
            await self.app(scope, bounded(receive), sending)
        except (TooLarge, TooSlow) as error:
            if not begun:
                await refusal(TOO_LARGE if isinstance(error, TooLarge) else TOO_SLOW)(scope, receive, send)

    def _flooding(self, scope: Scope) -> Refused | None:
        client = (scope.get("client") or ("?", 0))[0]
        live = scope["path"] == LIVE  # who watches the process must hear that it lives while somebody else floods it
        wait = self.buckets.take(f"{client} live" if live else client)
        if not wait:
            return None
        hint = f"wait {wait:.2f} s; [control] rate = {self.access.rate} says how many a second are answered"
        return Refused(429, "too many requests", hint, "Throttled", {"retry-after": str(ceil(wait))})

    def _foreign(self, scope: Scope, headers: Mapping[str, str]) -> Refused | None:
        host = headers.get("host", "")
        if self.door.open and not is_loopback(_name(host)):
            hint = "use http://127.0.0.1, or set a token in [control]"
            return Refused(403, f"'{host[:100]}' is no name of this machine", hint, "Rejected")
        if scope["method"] in _LOOKS:
            return None
        if _from_elsewhere(headers, host):
            return Refused(403, "a page of somebody else may change nothing here", "", "Rejected")
        return None


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request by their names in small letters; of several of a name, the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _from_elsewhere(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser says that a page of somebody else sent this. What is no browser says nothing."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:  # the origin is `null` where a page of ours gives no referrer
        return site not in ("none", "same-origin")
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()


def _name(host: str) -> str:
    """A host without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _length(headers: Mapping[str, str]) -> int:
    said = headers.get("content-length", "0")
    return int(said) if said.isascii() and said.isdigit() else 0
