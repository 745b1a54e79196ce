"""Client: a daemon as a tool sees it, over its control API. The same methods as a Desk has, but they wait."""

import http.client
import json
from collections.abc import Mapping, Sequence
from functools import cache
from time import sleep
from typing import Any, Literal, NoReturn
from urllib.parse import quote, urlencode, urlsplit

from pydantic import TypeAdapter

from .. import errors
from ..errors import BadOption, Rejected, RouteKitError, StoreError, Throttled, Unavailable, UnknownName
from ..lettering.selecting import Selection
from ..lettering.trying import Trial
from ..operating.desk import Order
from ..operating.letter_sights import ClusterSight, DiscardedSight, LetterDetail, LetterPage, ReplaySight
from ..operating.sights import (
    About,
    BreakerSight,
    DeedSight,
    EndpointSight,
    FlightSight,
    GroupSight,
    Health,
    HeldSight,
    LineSight,
    RouteDetail,
    RouteSight,
    SettingSight,
    TraceSight,
)
from ..settings import DEVELOPING, Settings
from .daemon_file import FILE, found

PATIENCE = 30.0
"""Seconds that the daemon has for an answer, beside what it was asked to wait for."""

_TRIES = 5
"""How often a request is made that is told to wait, as too many are made."""

_KINDS: Mapping[int, type[RouteKitError]] = {
    400: BadOption,
    401: Rejected,
    403: Rejected,
    404: UnknownName,
    409: Unavailable,
    429: Throttled,
    503: StoreError,
}


class Away(Unavailable):
    """Nobody answers, or somebody who is no daemon; in contrast to a daemon that says that something cannot be now."""


class Client:
    """Asks a daemon at `url`; `token` is what it admits, `name` is what its audit calls who does something.

    All raise Away if nobody answers there, Rejected for a token that is not the right one, and else what the
    Desk raises. It keeps its connection open: use it in one thread, and close it.
    """

    def __init__(self, url: str, token: str | None = None, *, name: str = "", patience: float = PATIENCE) -> None:
        split = urlsplit(url)
        if split.scheme not in ("http", "https") or not split.hostname:
            raise BadOption(f"'{url}' is no URL of a daemon", hint="write http://127.0.0.1:7180")
        self.url = url.rstrip("/")
        self._kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
        self._where, self._port, self._path = split.hostname, split.port, split.path.rstrip("/")
        self._token = token
        self._name = name
        self._patience = patience
        self._connection: http.client.HTTPConnection | None = None
        self.letters = LetterClient(self)

    @classmethod
    def found(cls, settings: Settings, *, name: str = "", patience: float = PATIENCE) -> "Client":
        """The daemon that runs on this machine with the data folder of these settings, else that of `routekit dev`.

        Raises Away if there is none.
        """
        data = settings.options.data
        daemon = found(data) or found(DEVELOPING)
        if daemon is None:
            hint = f"start one: routekit serve routes/ (looked for {data / FILE})"
            raise Away("no daemon runs here", hint=hint)
        return cls(daemon.url, daemon.token.get_secret_value(), name=name, patience=patience)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def about(self) -> About:
        """The daemon as a whole."""
        return self.get("/api/about", About)

    def health(self) -> Health:
        """Whether all is well, and if not, what is not, and since when."""
        return self.get("/health", Health, fine=(200, 503))

    def routes(self) -> Sequence[RouteSight]:
        """All routes, sorted by name."""
        return self.get("/api/routes", list[RouteSight])

    def route(self, name: str) -> RouteDetail:
        """All about one route."""
        return self.get(f"/api/routes/{_part(name)}", RouteDetail)

    def endpoints(self) -> Sequence[EndpointSight]:
        """The sources and sinks of all routes."""
        return self.get("/api/endpoints", list[EndpointSight])

    def flights(self, route: str | None = None) -> Sequence[FlightSight]:
        """The messages at work, the oldest first."""
        return self.get("/api/inflight", list[FlightSight], route=route)

    def groups(self, route: str | None = None) -> Sequence[GroupSight]:
        """The groups that steps keep, the oldest first."""
        return self.get("/api/groups", list[GroupSight], route=route)

    def breakers(self) -> Sequence[BreakerSight]:
        """All circuit breakers."""
        return self.get("/api/breakers", list[BreakerSight])

    def store(self) -> Sequence[HeldSight]:
        """What the store holds."""
        return self.get("/api/store", list[HeldSight])

    def settings(self) -> Sequence[SettingSight]:
        """All settings, masked, and where each came from."""
        return self.get("/api/settings", list[SettingSight])

    def audit(self, *, since: float | None = None, limit: int = 100) -> Sequence[DeedSight]:
        """What operators did, the newest first."""
        return self.get("/api/audit", list[DeedSight], since=since, limit=limit)

    def log(self, *, after: int = 0, limit: int = 1000) -> Sequence[LineSight]:
        """Lines of the log numbered above `after`, the oldest first."""
        return self.get("/api/log", list[LineSight], after=after, limit=limit)

    def traces(self, *, route: str | None = None, limit: int = 100) -> Sequence[TraceSight]:
        """The newest traces, without their hops."""
        return self.get("/api/traces", list[TraceSight], route=route, limit=limit)

    def trace(self, message: str, *, route: str | None = None) -> Sequence[TraceSight]:
        """The way of a message through each route that traced it."""
        return self.get(f"/api/traces/{_part(message)}", list[TraceSight], route=route)

    def metrics(self) -> str:
        """The figures as Prometheus reads them."""
        return self._asked("GET", "/metrics", None, (200,), 0.0).decode()

    def order(self, action: Order, route: str) -> Sequence[RouteSight]:
        """Start, stop, pause or resume a route, or all that fit a pattern with `*`; does not wait for messages."""
        return self.post(f"/api/routes/{_part(route)}/{action}", list[RouteSight])

    def concurrency(self, route: str, value: int) -> RouteSight:
        """How many messages of a route may be in flight from now on, until it stops."""
        return self.post(f"/api/routes/{_part(route)}/concurrency", RouteSight, value=value)

    def flush(self, name: str, key: str | None = None) -> int:
        """Let the groups of a state go on, or that of one key; returns how many."""
        given: dict[str, Any] = {} if key is None else {"key": key}
        return self.post(f"/api/groups/{_part(name)}/flush", dict[str, int], **given)["groups"]

    def breaker(self, action: Literal["open", "close"], name: str) -> None:
        """Open or close a circuit breaker."""
        self.post(f"/api/breakers/{_part(name)}/{action}", dict[str, bool])

    def reload(self) -> Sequence[str]:
        """Load changed modules anew; returns what was done."""
        return self.post("/api/reload", dict[str, list[str]], wait=300.0)["lines"]

    def get(self, path: str, kind: Any, *, fine: Sequence[int] = (200,), **query: Any) -> Any:
        """What is at a path, as `kind`."""
        given = {name: value for name, value in query.items() if value not in (None, (), "")}
        asked = f"{path}?{urlencode(given, doseq=True)}" if given else path
        return _adapter(kind).validate_json(self._asked("GET", asked, None, fine, 0.0))

    def post(self, path: str, kind: Any, *, wait: float = 0.0, **body: Any) -> Any:
        """Ask for something to be done, which may take `wait` seconds longer; what it answers, as `kind`."""
        return _adapter(kind).validate_json(self._asked("POST", path, body, (200,), wait))

    def _asked(self, method: str, path: str, body: Mapping[str, Any] | None, fine: Sequence[int], more: float) -> bytes:
        for tried in range(1, _TRIES + 1):
            status, headers, answer = self._once(method, path, body, more)
            if status in fine:
                return answer
            if status != 429 or tried == _TRIES:
                _refused(status, answer, self.url)
            sleep(min(5.0, float(headers.get("retry-after", "1"))))
        raise AssertionError("the last try answers or raises")

    def _once(
        self, method: str, path: str, body: Mapping[str, Any] | None, more: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        text = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "X-RouteKit": "1"}
        if text is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._name:
            headers["X-RouteKit-As"] = quote(self._name)
        fresh = self._connection is None
        connection = self._connected(more)
        try:
            connection.request(method, f"{self._path}{path}", text, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self.close()
            if fresh or method != "GET":  # what was asked to be done may have been done
                raise self._away(error) from error
            return self._once(method, path, body, more)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._away(error) from error

    def _connected(self, more: float) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = self._kind(self._where, self._port, timeout=self._patience)
        timeout = self._patience + more
        self._connection.timeout = timeout
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        return self._connection

    def _away(self, error: Exception) -> Away:
        if isinstance(error, TimeoutError):
            return Away(f"the daemon at {self.url} does not answer", hint="it may be busy: look into its log")
        return Away(f"no daemon answers at {self.url}: {error}", hint="start one: routekit serve routes/")


class LetterClient:
    """The dead letters of a daemon: the same methods as a LetterDesk has, but they wait."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(self, selection: Selection | None = None, *, limit: int = 50, oldest: bool = False) -> LetterPage:
        """So many of the letters that are meant, the newest first, and how many there are in all."""
        query = _selected(selection or Selection())
        return self._client.get("/api/letters", LetterPage, limit=limit, oldest=oldest or None, **query)

    def get(self, id: str) -> LetterDetail:
        """All about one letter."""
        return self._client.get(f"/api/letters/{_part(id)}", LetterDetail)

    def clusters(self, *, route: str | None = None) -> Sequence[ClusterSight]:
        """What is alike among the letters, the largest cluster first."""
        return self._client.get("/api/clusters", list[ClusterSight], route=route)

    def edit(self, id: str, *, why: str, **changes: Any) -> LetterDetail:
        """Change `body` or `headers` that a letter will be replayed with; what is not given stays."""
        return self._client.post(f"/api/letters/{_part(id)}/edit", LetterDetail, why=why, **changes)

    def try_(self, id: str, *, answers: Mapping[str, Any] | None = None) -> Trial:
        """Say what a replay would send where; nothing leaves, and no state is changed."""
        return self._client.post(f"/api/letters/{_part(id)}/try", Trial, answers=dict(answers or {}))

    def replay(
        self, selection: Selection, *, rate: float | None = None, failures: int | None = 10, patience: float = 5.0
    ) -> ReplaySight:
        """Send letters through their routes again; what takes longer than `patience` goes on in the background."""
        asked: dict[str, Any] = {"selection": _selected(selection), "rate": rate, "failures": failures}
        if selection == Selection():
            asked["all"] = True
        return self._client.post("/api/letters/replay", ReplaySight, wait=patience, patience=patience, **asked)

    def replays(self) -> Sequence[ReplaySight]:
        """Replays that run, and the last that have ended."""
        return self._client.get("/api/replays", list[ReplaySight])

    def stop_replay(self, id: str) -> ReplaySight:
        """Break a replay off; what is not done stays."""
        return self._client.post(f"/api/replays/{_part(id)}/stop", ReplaySight)

    def discard(self, selection: Selection, *, why: str) -> int:
        """Take letters away, with a reason; returns how many."""
        asked: dict[str, Any] = {"selection": _selected(selection), "why": why}
        if selection == Selection():
            asked["all"] = True
        return self._client.post("/api/letters/discard", dict[str, int], **asked)["letters"]

    def discarded(self) -> Sequence[DiscardedSight]:
        """Letters that were discarded and can be restored."""
        return self._client.get("/api/letters/discarded", list[DiscardedSight])

    def restore(self, id: str, *, why: str = "") -> LetterDetail:
        """Bring a discarded letter back; needs its whole id."""
        return self._client.post(f"/api/letters/{_part(id)}/restore", LetterDetail, why=why)


def _selected(selection: Selection) -> dict[str, Any]:
    return selection.model_dump(exclude_defaults=True, mode="json")


def _part(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="*")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _refused(status: int, answer: bytes, url: str) -> NoReturn:
    """Raise what the daemon's desk has raised."""
    try:
        told = json.loads(answer)
        error, hint, kind = str(told["error"]), str(told.get("hint", "")), str(told.get("kind", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Away(f"{url} answers {status}, as no daemon of RouteKit does", hint="is it another server?") from None
    known: object = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, RouteKitError):
        raise known(error, hint=hint)
    raise _KINDS.get(status, Unavailable)(error, hint=hint)
