"""One request, and the one that a redirect makes of it."""

from dataclasses import dataclass, replace

import httpx

from .content import NOTHING, Content
from .errors import HttpRejected

READING = ("GET", "HEAD", "OPTIONS")
MOVED = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Call:
    """One request. `foreign` says that its URL came with data; `private` that it may lead into private networks."""

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    content: Content = NOTHING
    timeout: float | None = None
    foreign: bool = False
    private: bool = False
    redirects: int = 0
    endless: bool = False
    """Whether its answer may pause for as long as it likes."""

    def __str__(self) -> str:
        """Method and URL, without its query: there may be secrets in it."""
        return f"{self.method} {self.url.partition('?')[0]}"


def moved(call: Call, response: httpx.Response) -> Call:
    """The call that a redirect asks for; where it leads comes from the other side, so it is checked like data."""
    before = httpx.URL(call.url)
    url = before.join(response.headers["location"])
    keeps = response.status_code in (307, 308)
    if not keeps and response.status_code != 303 and call.method not in READING:
        found = f"{call} was answered {response.status_code} to {url.host}"
        raise HttpRejected(found, status=response.status_code, hint="a changed method is not guessed: ask that URL")
    if keeps and not call.content.again:
        raise HttpRejected(f"{call} was redirected, and its body can be sent only once", status=response.status_code)
    if before.scheme == "https" and url.scheme != "https":
        raise HttpRejected(f"{call} was redirected to '{url.scheme}:'", status=response.status_code)
    if response.status_code == 303 and call.method not in READING:
        call = replace(call, method="GET", content=NOTHING)
    if origin_of(url) == origin_of(before):
        return replace(call, url=str(url), query=())
    return replace(call, url=str(url), query=(), headers=(), foreign=True)


def origin_of(url: httpx.URL) -> tuple[str, str, int | None]:
    """Scheme, host and port: who is asked."""
    return url.scheme, url.host, url.port
