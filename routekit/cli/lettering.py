"""`routekit letters`: dead letters listed, read, replayed and discarded."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Annotated, TypeVar

import anyio
import typer
from rich.table import Table

from ..console import log_to
from ..errors import RouteKitError, UnknownName
from ..letter import Letter
from ..options import masked
from ..plugins import Catalog
from ..replay import replay as replayed
from ..settings import Settings
from ..store import Store
from .app import FAILED, AsJson, answering, app, catalog_of, err, loaded, out, print_json, settings, setup_of

R = TypeVar("R")

letters = typer.Typer(help="Look at dead letters, replay them, discard them.", no_args_is_help=True)
app.add_typer(letters, name="letters")

Id = Annotated[str, typer.Argument(help="the letter's id, or the first characters of it")]
OfRoute = Annotated[str | None, typer.Option("--route", help="only letters of this route")]


@letters.command("list")
def list_(
    route: OfRoute = None,
    limit: Annotated[int, typer.Option(min=1, help="letters at most, the newest")] = 50,
    as_json_: AsJson = False,
) -> None:
    """List dead letters, the newest first."""

    async def work(store: Store) -> tuple[list[Letter], int]:
        return list(await store.letters.list(route=route, limit=limit)), await store.letters.count(route=route)

    with answering():
        found, count = _with_store(work)
    if as_json_:
        print_json([asdict(letter) for letter in found])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("id", "when", "route", "message", "step", "reason"):
        table.add_column(column, no_wrap=column in ("id", "when"), overflow="fold")
    for letter in found:
        reason = masked(f"{letter.error}: {letter.reason}")
        table.add_row(letter.id, _time(letter.when), letter.route, letter.message_id, letter.step, reason)
    out.print(table if found else "no dead letters")
    if count > len(found):
        out.print(f"{len(found)} of {count}; --limit shows more")


@letters.command()
def show(id: Id, as_json_: AsJson = False) -> None:
    """Show one dead letter whole."""

    async def work(store: Store) -> Letter:
        return await _find(store, id)

    with answering():
        letter = _with_store(work)
    if as_json_:
        print_json(asdict(letter))
        return
    for name, value in asdict(letter).items():
        text = _time(letter.when) if name == "when" else value
        out.print(f"{name + ':':<12} {masked(str(text))}", markup=False)


@letters.command()
def discard(
    id: Annotated[str | None, typer.Argument(help="the letter's id")] = None,
    route: OfRoute = None,
    all_: Annotated[bool, typer.Option("--all", help="every letter (of the route, if one is given)")] = False,
) -> None:
    """Forget one dead letter, or with --all many."""

    async def work(store: Store) -> int:
        those = await _those(store, id, route, all_)
        return sum([await store.letters.remove(letter.id) for letter in those])

    with answering():
        out.print(f"{_with_store(work)} discarded")


@letters.command()
def replay(
    id: Annotated[str | None, typer.Argument(help="the letter's id")] = None,
    routes: Annotated[Path, typer.Option("--routes", help="folder of route modules")] = Path("routes"),
    route: OfRoute = None,
    all_: Annotated[bool, typer.Option("--all", help="every letter (of the route, if one is given)")] = False,
) -> None:
    """Send dead letters through their route again, from its start; one that succeeds is forgotten.

    Exit code 1 if one failed again: it stays, and nothing is lost.
    """
    with answering():
        given = settings(routes)
        log_to(err, given.options.log)
        catalog = catalog_of(given)
        those_routes = loaded(routes).routes

        async def work(store: Store) -> tuple[int, int]:
            done = failed = 0
            for letter in reversed(await _those(store, id, route, all_)):
                error = await replayed(letter, those_routes, setup_of(given, catalog, store=store))
                if error is None:
                    await store.letters.remove(letter.id)
                    done += 1
                else:
                    err.print(f"{letter.id}: {type(error).__name__}: {masked(str(error))}", markup=False)
                    failed += 1
            return done, failed

        done, failed = _with_store(work, given, catalog)
    out.print(f"{done} replayed, {failed} failed again")
    if failed:
        raise typer.Exit(FAILED)


def _with_store(
    work: Callable[[Store], Awaitable[R]], given: Settings | None = None, catalog: Catalog | None = None
) -> R:
    """What `work` makes of the store that the settings name."""
    given = given or settings()
    catalog = catalog or catalog_of(given)

    async def opened() -> R:
        async with catalog.open_store(given.options.store, time) as store:
            return await work(store)

    return anyio.run(opened)


async def _those(store: Store, id: str | None, route: str | None, all_: bool) -> list[Letter]:
    if (id is None) is not all_:
        raise UnknownName("which letters?", hint="give one id, or --all")
    if id is not None:
        return [await _find(store, id)]
    return list(await store.letters.list(route=route, limit=1_000_000))


async def _find(store: Store, id: str) -> Letter:
    letter = await store.letters.get(id)
    if letter is not None:
        return letter
    near = [letter for letter in await store.letters.list(limit=1_000_000) if letter.id.startswith(id)]
    if len(near) == 1:
        return near[0]
    if near:
        raise UnknownName(f"{len(near)} letters begin with '{id}'", hint="write more of the id")
    raise RouteKitError(f"there is no letter '{id}'", hint="routekit letters list")


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
