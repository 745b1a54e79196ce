"""The operations of the control API: one table, of which paths, checks and OpenAPI are made."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..errors import BadOption
from ..lettering.editing import UNCHANGED
from ..lettering.selecting import Selection
from ..lettering.trying import Trial
from ..operating.desk import Desk, Operator, Order
from ..operating.letter_desk import LetterDesk
from ..operating.letter_sights import ClusterSight, DiscardedSight, LetterDetail, LetterPage, ReplaySight
from ..operating.sights import (
    About,
    BreakerSight,
    DeedSight,
    EndpointSight,
    FlightSight,
    GroupSight,
    HeldSight,
    LineSight,
    RouteDetail,
    RouteSight,
    SettingSight,
    TraceSight,
)
from .answers import Discarded, Done, Flushed, Reloaded
from .asking import (
    AuditAsked,
    Concurrency,
    DiscardMany,
    DiscardOne,
    Edit,
    Flush,
    LettersAsked,
    LogAsked,
    Meant,
    Nothing,
    OfRoute,
    ReplayMany,
    ReplayOne,
    Restore,
    TracesAsked,
    Try,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was checked: who asks, the names in its path, and its query or body."""

    desk: Desk
    letters: LetterDesk
    by: Operator
    names: Mapping[str, str]
    given: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked. `takes` is the model of the query of a GET, of the body of a POST."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    answer: Any
    handle: Callable[[Asked], Awaitable[Any]]
    takes: Any = Nothing

    @property
    def public(self) -> str:
        """The path as OpenAPI writes it."""
        return self.path.replace(":path}", "}")

    @property
    def names(self) -> Sequence[str]:
        """The names in the path."""
        return [part[1:-1] for part in self.public.split("/") if part.startswith("{")]


def operations() -> Sequence[Operation]:
    """All of them; a path that another one could be taken for comes first."""
    return [*_looks(), *_orders(), *_letters()]


def _looks() -> Sequence[Operation]:
    return [
        Operation("GET", "/api/about", "The daemon as a whole", About, lambda a: a.desk.about()),
        Operation("GET", "/api/routes", "All routes, sorted by name", Sequence[RouteSight], lambda a: a.desk.routes()),
        Operation(
            "GET", "/api/routes/{name}", "All about one route", RouteDetail, lambda a: a.desk.route(a.names["name"])
        ),
        Operation(
            "GET", "/api/endpoints", "The sources and sinks of all routes", Sequence[EndpointSight],
            lambda a: a.desk.endpoints(),
        ),
        Operation(
            "GET", "/api/inflight", "The messages at work, the oldest first", Sequence[FlightSight],
            lambda a: a.desk.flights(a.given.route), OfRoute,
        ),
        Operation(
            "GET", "/api/groups", "The groups that steps keep, the oldest first", Sequence[GroupSight],
            lambda a: a.desk.groups(a.given.route), OfRoute,
        ),
        Operation("GET", "/api/breakers", "All circuit breakers", Sequence[BreakerSight], lambda a: a.desk.breakers()),
        Operation("GET", "/api/store", "What the store holds", Sequence[HeldSight], lambda a: a.desk.store()),
        Operation(
            "GET", "/api/settings", "All settings, masked, and where each came from", Sequence[SettingSight],
            lambda a: a.desk.settings(),
        ),
        Operation(
            "GET", "/api/audit", "What operators did, the newest first", Sequence[DeedSight],
            lambda a: a.desk.audit(since=a.given.since, limit=a.given.limit), AuditAsked,
        ),
        Operation(
            "GET", "/api/log", "Lines of the log that are still in memory, the oldest first", Sequence[LineSight],
            lambda a: a.desk.log(after=a.given.after, limit=a.given.limit), LogAsked,
        ),
        Operation(
            "GET", "/api/traces", "The newest traces, without their hops", Sequence[TraceSight],
            lambda a: a.desk.traces(route=a.given.route, limit=a.given.limit), TracesAsked,
        ),
        Operation(
            "GET", "/api/traces/{message:path}", "The way of a message through each route that traced it",
            Sequence[TraceSight], lambda a: a.desk.trace(a.names["message"], route=a.given.route), OfRoute,
        ),
    ]  # fmt: skip


def _orders() -> Sequence[Operation]:
    orders: tuple[Order, ...] = ("start", "stop", "pause", "resume")
    says = {
        "start": "Start a route, or all that fit a pattern with *",
        "stop": "Stop a route, or all that fit a pattern; what is in flight is finished",
        "pause": "Let a route, or all that fit a pattern, take no more messages",
        "resume": "Let a route, or all that fit a pattern, take messages again",
    }
    return [
        *(
            Operation(
                "POST", f"/api/routes/{{name}}/{order}", says[order], Sequence[RouteSight], _ordering(order)
            )
            for order in orders
        ),
        Operation(
            "POST", "/api/routes/{name}/concurrency", "How many messages of a route may be in flight, until it stops",
            RouteSight, lambda a: a.desk.concurrency(a.names["name"], a.given.value, by=a.by), Concurrency,
        ),
        Operation(
            "POST", "/api/groups/{name:path}/flush", "Let the groups of a state go on, or that of one key", Flushed,
            _flush, Flush,
        ),
        Operation("POST", "/api/breakers/{name:path}/open", "Open a circuit breaker", Done, _breaking("open")),
        Operation("POST", "/api/breakers/{name:path}/close", "Close a circuit breaker", Done, _breaking("close")),
        Operation("POST", "/api/reload", "Load changed modules anew", Reloaded, _reload),
    ]  # fmt: skip


def _letters() -> Sequence[Operation]:
    return [
        Operation("GET", "/api/letters", "Dead letters, and how many are meant", LetterPage, _list, LettersAsked),
        Operation(
            "GET", "/api/letters/discarded", "Letters that can be restored", Sequence[DiscardedSight],
            lambda a: a.letters.discarded(by=a.by),
        ),
        Operation("POST", "/api/letters/replay", "Replay letters at a rate", ReplaySight, _replay, ReplayMany),
        Operation("POST", "/api/letters/discard", "Discard letters, with a reason", Discarded, _discard, DiscardMany),
        Operation(
            "GET", "/api/letters/{id}", "All about one letter", LetterDetail,
            lambda a: a.letters.get(a.names["id"], by=a.by),
        ),
        Operation("POST", "/api/letters/{id}/edit", "Change what will be replayed", LetterDetail, _edit, Edit),
        Operation(
            "POST", "/api/letters/{id}/try", "What a replay would send where; nothing leaves", Trial,
            lambda a: a.letters.try_(a.names["id"], answers=a.given.answers, by=a.by), Try,
        ),
        Operation("POST", "/api/letters/{id}/replay", "Replay one letter", ReplaySight, _replay_one, ReplayOne),
        Operation("POST", "/api/letters/{id}/discard", "Discard one letter", Discarded, _discard_one, DiscardOne),
        Operation(
            "POST", "/api/letters/{id}/restore", "Bring a discarded letter back", LetterDetail,
            lambda a: a.letters.restore(a.names["id"], why=a.given.why, by=a.by), Restore,
        ),
        Operation(
            "GET", "/api/clusters", "What is alike among letters, the largest cluster first", Sequence[ClusterSight],
            lambda a: a.letters.clusters(route=a.given.route, by=a.by), OfRoute,
        ),
        Operation(
            "GET", "/api/replays", "Replays that run, and the last that have ended", Sequence[ReplaySight],
            lambda a: a.letters.replays(by=a.by),
        ),
        Operation(
            "POST", "/api/replays/{id}/stop", "Break a replay off; what is not done stays", ReplaySight,
            lambda a: a.letters.stop_replay(a.names["id"], by=a.by),
        ),
    ]  # fmt: skip


def _ordering(order: Order) -> Callable[[Asked], Awaitable[Any]]:
    return lambda asked: asked.desk.order(order, asked.names["name"], by=asked.by)


async def _flush(asked: Asked) -> Flushed:
    return Flushed(groups=await asked.desk.flush(asked.names["name"], asked.given.key, by=asked.by))


def _breaking(action: Literal["open", "close"]) -> Callable[[Asked], Awaitable[Any]]:
    async def handle(asked: Asked) -> Done:
        await asked.desk.breaker(action, asked.names["name"], by=asked.by)
        return Done()

    return handle


async def _reload(asked: Asked) -> Reloaded:
    return Reloaded(lines=await asked.desk.reload(by=asked.by))


async def _list(asked: Asked) -> LetterPage:
    given = cast("LettersAsked", asked.given)
    return await asked.letters.list(given.selection(), limit=given.limit, oldest=given.oldest, by=asked.by)


async def _edit(asked: Asked) -> LetterDetail:
    given = cast("Edit", asked.given)
    body = given.body if "body" in given.model_fields_set else UNCHANGED
    return await asked.letters.edit(asked.names["id"], body=body, headers=given.headers, why=given.why, by=asked.by)


async def _replay(asked: Asked) -> ReplaySight:
    given = cast("ReplayMany", asked.given)
    return await asked.letters.replay(
        _meant(given), rate=given.rate, failures=given.failures, patience=given.patience, by=asked.by
    )


async def _replay_one(asked: Asked) -> ReplaySight:
    meant = Selection(ids=(asked.names["id"],))
    return await asked.letters.replay(meant, patience=asked.given.patience, by=asked.by)


async def _discard(asked: Asked) -> Discarded:
    given = cast("DiscardMany", asked.given)
    return Discarded(letters=await asked.letters.discard(_meant(given), why=given.why, by=asked.by))


async def _discard_one(asked: Asked) -> Discarded:
    meant = Selection(ids=(asked.names["id"],))
    return Discarded(letters=await asked.letters.discard(meant, why=asked.given.why, by=asked.by))


def _meant(given: Meant) -> Selection:
    """Which letters are meant: many are never meant by leaving something out. Raises BadOption."""
    if given.selection == Selection() and not given.all:
        raise BadOption("which letters?", hint='say it: {"selection": {"cluster": ...}}, or {"all": true}')
    return given.selection
