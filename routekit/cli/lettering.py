"""`routekit letters`: dead letters listed, read, replayed and discarded."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Annotated, Any, TypeVar

import anyio
import typer

from ..console import log_to, one_line
from ..endpoint import parse_uri
from ..errors import StoreError, UnknownName
from ..letter import Letter
from ..options import masked
from ..placeholders import filled
from ..plugins import Catalog
from ..replay import replay as replayed
from ..settings import Settings
from ..store import Store
from .app import (
    FAILED,
    AsJson,
    answering,
    app,
    catalog_of,
    err,
    new_table,
    out,
    print_json,
    settings,
    setup_of,
    show_table,
)
from .running import checked

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
        print_json([_plain(letter) for letter in found])
        return
    if not found:
        out.print("no dead letters")
        return
    table = new_table("id", "when", "route", "place", "reason", whole=("when", "route"))
    for letter in found:
        reason = one_line(masked(f"{letter.error}: {letter.reason}"))
        table.add_row(letter.id, _time(letter.when), letter.route, letter.place, reason)
    show_table(table)
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
        print_json(_plain(letter))
        return
    for name, value in _plain(letter).items():
        head = f"{name}:"
        for line in _lines(letter, name, value):
            out.print(f"{head:<12} {one_line(line)}")
            head = ""


def _lines(letter: Letter, name: str, value: Any) -> list[str]:
    """A field of a letter as lines for people."""
    if name == "when":
        return [_time(letter.when)]
    if name == "history" and letter.history:
        return [f"+{one['after']:.3f} s  {masked(one['step'])}  [{one['id']}]" for one in letter.history]
    if name == "causes" and letter.causes:
        return list(value)
    return [masked(value if isinstance(value, str) else json.dumps(value))]


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
    """Send dead letters through their route again.

    Each goes in at the start, as it came; one that succeeds is forgotten. Exit code 1 if one failed again: it stays,
    and nothing is lost.
    """
    with answering():
        given = settings(routes)
        log_to(err, given.options.log)
        catalog = catalog_of(given)
        those_routes = checked(routes, None, given)

        async def work(store: Store) -> tuple[int, int]:
            done = failed = 0
            for letter in reversed(await _those(store, id, route, all_)):
                try:
                    error = await replayed(letter, those_routes, setup_of(given, catalog, store=store))
                except UnknownName as gone:  # the route of this one; the others may still have theirs
                    error = gone
                if error is None:
                    await store.letters.remove(letter.id)
                    done += 1
                else:
                    err.print(one_line(masked(f"{letter.id}: {type(error).__name__}: {error}")))
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
    _exists(given)

    async def opened() -> R:
        async with catalog.open_store(given.options.store, time) as store:
            return await work(store)

    return anyio.run(opened)


def _exists(given: Settings) -> None:
    """Looking for letters makes no store: in a wrong folder it would say that there are none."""
    uri = parse_uri(filled(given.options.store, given.lookup))
    if uri.scheme == "sqlite" and not Path(uri.path).exists():
        raise StoreError(f"there is no store '{uri.path}'", hint="no route has run here yet, or --config names another")


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
    raise UnknownName(f"there is no letter '{id}'", hint="see: routekit letters list")


def _plain(letter: Letter) -> dict[str, Any]:
    """A letter as plain data: secrets are masked in what RouteKit wrote, the message is as it came."""
    data = asdict(letter)
    data["causes"] = [masked(cause) for cause in letter.causes]
    return {name: masked(value) if name in _WRITTEN and value else value for name, value in data.items()}


_WRITTEN = ("source", "step", "reason", "trace")


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
