"""`routekit dev`: routes while they are written."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from ..options import masked
from ..route import Route
from ..settings import DEVELOPING, Settings
from .app import Profile, Routes, answering, app, begin_log, catalog_of, err, loaded, settings, setup_of
from .running import Only, checked, following_of, run_service

if TYPE_CHECKING:
    from .reaching import Reaching
    from .stubbing import Stubbed, Stubs

"""Where the state of what is tried is kept, so that nothing of what really runs is touched."""

STOP = 5.0
"""Seconds at most that messages in flight get when a developer stops it."""

_STUB = typer.Option("--stub", help="replace endpoints that cannot be reached by stubs in memory")


@app.command()
def dev(
    routes: Routes = Path("routes"),
    stub: Annotated[bool, _STUB] = False,
    samples: Annotated[Path, typer.Option(help="folder of files that stubbed sources read")] = Path("samples"),
    only: Only = None,
    profile: Profile = None,
) -> None:
    """Run routes while you write them: saved modules are reloaded, and the console shows what happens.

    State is kept in .routekit/, whatever the settings say of it; other endpoints are those of the settings. With --stub
    each is tried first: those that cannot be reached are replaced in memory. What is sent to a stub is in the log; a
    stubbed source takes what samples/ROUTE.json holds (one body, or a list), each time that you save it.
    """
    with answering():
        given = developed(settings(routes))
        begin_log(given)
        stubs = _stubs(given, samples) if stub else None
        prepare = None if stubs is None else partial(_stub, stubs, given, samples)
        following = following_of(given, routes, only, watches=True, prepare=prepare)
        found = checked(routes, only, given)
        following.found(loaded(routes).routes)
        _keep_apart(given.options.data)
        err.print(f"{routes}: {len(found)} route{'' if len(found) == 1 else 's'}, state in {given.options.data}/")
        if prepare is not None:
            anyio.run(prepare, found)
        run_service(
            given,
            found,
            until_idle=False,
            most=None,
            reaching=_reaching(given, routes, following.reload),
            following=following,
            watches=True,
            catalog=stubs,
        )


def developed(given: Settings) -> Settings:
    """The settings with state of its own, and a short end."""
    options = given.options.model_copy(
        update={
            "data": DEVELOPING,
            "store": "sqlite:${data}/routekit.db",
            "drain": min(given.options.drain, STOP),
        }
    )
    return replace(given, options=options)


def _keep_apart(folder: Path) -> None:
    """Make the folder, which no repository needs."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def _stubs(given: Settings, samples: Path) -> "Stubs":
    from .stubbing import Stubs  # here, as no other command needs it, and it takes time to load

    return Stubs(given.lookup, samples)


async def _stub(stubs: "Stubs", given: Settings, samples: Path, routes: Sequence[Route]) -> None:
    """Stub what cannot be reached, and say so."""
    for one in await stubs.look(routes, setup_of(given, catalog_of(given))):
        err.print(_line(one, samples), style="yellow")


def _line(one: "Stubbed", samples: Path) -> str:
    feed = f"; save {samples}/{one.route}.json to feed it" if one.is_source else ""
    return masked(f"stub: {one.route}: {one.endpoint}: {one.why}{feed}")


def _reaching(given: Settings, routes: Path, reload: Callable[[], Awaitable[Sequence[str]]]) -> "Reaching":
    """The console on this machine, at the next free port, whatever the settings say of the daemon's."""
    from ..access import Access
    from .reaching import Reaching

    return Reaching(given, Access(), routes, reload)
