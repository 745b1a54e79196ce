"""`routekit serve` and `routekit run`."""

import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import anyio
import typer

from ..check import check
from ..console import Watcher
from ..errors import UnknownName, did_you_mean
from ..events import Event, RouteDegraded, RouteStarted
from ..extras import library
from ..plugins import Catalog
from ..reloading import Prepare, Reloading, reloading
from ..route import Route
from ..runtime.service import Service
from ..settings import Settings
from ..step import Job
from ..tasks import together
from .app import (
    FAILED,
    LEFT,
    WRONG,
    LogFormat,
    Profile,
    Routes,
    answering,
    app,
    begin_log,
    catalog_of,
    err,
    loaded,
    promised_by,
    settings,
    setup_of,
    show_problems,
)
from .completing import written_routes
from .starting import settle, undisturbed

if TYPE_CHECKING:
    from .reaching import Reaching
    from .workers import Post

_log = logging.getLogger("routekit")

Workers = Annotated[int | None, typer.Option(min=1, help="processes that share the work; needs a shared store")]
Worker = Annotated[str | None, typer.Option(hidden=True, help="be the worker of that name, for a supervisor")]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--route",
        help="only this route, or those of a pattern: 'shop.*'; may be repeated",
        autocompletion=written_routes,
    ),
]


@app.command()
def serve(
    routes: Routes = Path("routes"),
    only: Only = None,
    reload: Annotated[bool, typer.Option("--reload", help="exchange routes whose modules change")] = False,
    profile: Profile = None,
    log_format: LogFormat = None,
    workers: Workers = None,
    worker: Worker = None,
) -> None:
    """Run routes until stopped: the daemon.

    SIGTERM or Ctrl-C stops orderly: sources first, then messages in flight within the drain time, then resources. A
    second signal forces. What was not finished is redelivered by its source, or is in the journal of its route.

    With --reload it watches the folder: a changed module exchanges its routes, while what they have in flight is
    finished by their old version. One that is broken leaves the old version running.

    With --workers N processes of their own run the routes, and this one starts those again that die.

    Exit code 0 if all was finished, 3 if something in flight was left; of several workers, the worst.
    """
    with answering():
        given = settings(routes)
        begin_log(given)
        many = workers or given.options.workers
        if worker is None and many > 1:
            checked(routes, only, given)
            _supervise(given, many, routes)
        post = None if worker is None else _posted(given, worker, many)
        following = following_of(given, routes, only, watches=reload)
        reaching = _reaching(given, routes, following.reload, post)
        with undisturbed():
            found = checked(routes, only, given)
            following.found(loaded(routes).routes)
            service = run_service(
                given,
                found,
                until_idle=False,
                most=None,
                reaching=reaching,
                following=following,
                watches=reload,
                post=post,
            )
    if any(counts.in_flight for counts in service.counts().values()):
        raise typer.Exit(LEFT)
    if post is not None:
        raise typer.Exit(post.code)


@app.command()
def run(
    routes: Routes = Path("routes"),
    only: Only = None,
    count: Annotated[int | None, typer.Option(min=1, help="stop after so many messages")] = None,
    profile: Profile = None,
    log_format: LogFormat = None,
) -> None:
    """Run routes until nothing is left to do, or for so many messages.

    Exit code 1 if a message was refused, became a dead letter, or a route was degraded when it ended.
    """
    with answering():
        given = settings(routes)
        begin_log(given)
        degraded: set[str] = set()
        service = run_service(given, checked(routes, only, given), until_idle=True, most=count, degraded=degraded)
        if degraded or any(counts.dead or counts.refused for counts in service.counts().values()):
            raise typer.Exit(FAILED)


def checked(path: Path, only: list[str] | None, given: Settings) -> list[Route]:
    """The routes that are to run; leaves with their problems if there are any."""
    found = loaded(path)
    problems = [*given.missing(), *found.problems, *check(found.routes, catalog_of(given), **promised_by(given))]
    if problems:
        show_problems(problems)
        err.print(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}: nothing was started", style="red")
        raise typer.Exit(WRONG)
    return chosen(found.routes, only)


def chosen(routes: Sequence[Route], only: list[str] | None) -> list[Route]:
    """The routes named, or all; raises UnknownName for a name that does not exist, or a pattern that nothing fits."""
    names = [route.name for route in routes]
    for name in only or ():
        if not any(fnmatchcase(known, name) for known in names):
            raise UnknownName(f"there is no route '{name}'", hint=did_you_mean(name, names))
    return fitting(routes, only)


def fitting(routes: Sequence[Route], only: list[str] | None) -> list[Route]:
    """Those of the routes that have one of the names, or fit a pattern; all if none is given."""
    return [route for route in routes if not only or any(fnmatchcase(route.name, name) for name in only)]


def run_service(
    given: Settings,
    routes: list[Route],
    *,
    until_idle: bool,
    most: int | None,
    degraded: set[str] | None = None,
    reaching: "Reaching | None" = None,
    following: Reloading | None = None,
    watches: bool = False,
    catalog: Catalog | None = None,
    post: "Post | None" = None,
) -> Service:
    """Run a service to its end; the names of routes that are degraded then are in `degraded`."""
    degraded = set() if degraded is None else degraded
    with Watcher(err, bars=given.options.log_format in (None, "pretty")) as watcher:

        def watch(event: Event) -> None:
            watcher(event)
            if reaching is not None:
                reaching.seen.hear(event)
            if isinstance(event, RouteDegraded):
                degraded.add(event.route)
            elif isinstance(event, RouteStarted):
                degraded.discard(event.route)

        catalog, workers = catalog or catalog_of(given), 1 if post is None else post.workers
        setup = setup_of(given, catalog, watch=watch, metrics=reaching is not None, workers=workers)
        service = Service(routes, setup)
        around = nullcontext if reaching is None else partial(reaching.around, service, setup)
        if following is not None:
            following.serves(service)
        obey = _obey_signals if post is None else post.obey
        beside: list[Job] = [partial(obey, service), partial(settle, service)]
        if following is not None and watches:
            beside.append(following.watch)
        with undisturbed():
            anyio.run(_served, service, until_idle, most, around, beside)
    return service


def _supervise(given: Settings, workers: int, folder: Path) -> NoReturn:
    """Let workers run the routes, and leave with the worst of their exit codes."""
    from .workers import supervised

    raise typer.Exit(supervised(given, catalog_of(given), workers, folder))


def _posted(given: Settings, worker: str, workers: int) -> "Post":
    from .workers import Post

    return Post(worker, workers, given)


def following_of(
    given: Settings, routes: Path, only: list[str] | None, *, watches: bool, prepare: Prepare | None = None
) -> Reloading:
    """What reloads the routes; made before they are read. Raises DefinitionError if it cannot watch them."""
    if watches:
        library("watchfiles", extra="serve", asked="reloading on a change")
    return reloading(routes, given, catalog_of(given), lambda found: fitting(found, only), prepare)


def _reaching(
    given: Settings, routes: Path, reload: Callable[[], Awaitable[Sequence[str]]], post: "Post | None"
) -> "Reaching":
    """How the daemon can be reached; raises BadOption for settings that are wrong."""
    from ..control.settings import access_of  # here, as no other command needs it, and it takes time to load
    from .reaching import Reaching

    if post is None:
        return Reaching(given, access_of(given), routes, reload)
    return Reaching(given, post.access(access_of(given)), routes, reload, place=post.place)


async def _served(
    service: Service,
    until_idle: bool,
    most: int | None,
    around: Callable[[], AbstractAsyncContextManager[None]],
    beside: Sequence[Job],
) -> None:
    async with together() as tasks:
        for job in beside:
            tasks.start_soon(job)
        async with around():  # from before the routes start until they have ended
            await service.run(until_idle=until_idle, most=most)
        tasks.cancel_scope.cancel()


async def _obey_signals(service: Service) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        asked = False
        async for number in signals:
            name = signal.Signals(number).name
            if asked:
                _log.warning("%s again: stopping at once, what is unfinished will be redelivered", name)
                service.force()
                return
            asked = True
            in_flight = sum(counts.in_flight for counts in service.counts().values())
            _log.info("%s: stopping, %d in flight; once more to stop at once", name, in_flight)
            service.stop()
