"""`routekit sync quarantine`: records that were given up, with the reason, and what a person makes of them."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from routekit import Runtime, UnknownName
from routekit.commanding import ROUTES, As, AsJson, name_of, new_table, one_line, out, print_json, show_table

from ..deciding import discard as discards
from ..deciding import replay as replays
from ..hiding import hidden, reason_of
from ..kept import Quarantined
from ..ledger import Ledger
from ..pair import SyncPair
from .app import Found, Ledgers, OfPair, Reveal, Routes, Why, found, ledger_of, noted, sight, sync
from .showing import value_text, when

quarantine = typer.Typer(help="List, show, replay or discard records that were given up.", no_args_is_help=True)
sync.add_typer(quarantine, name="quarantine")

Id = Annotated[str, typer.Argument(help="the link's id, or the first characters of it, or the id of a record")]
Ids = Annotated[list[str] | None, typer.Argument(help="ids of links, or the first characters, or ids of records")]
All = Annotated[bool, typer.Option("--all", help="every one (of the pair, with --pair)")]

Given = tuple[SyncPair, Quarantined]


@quarantine.command("list")
def list_(
    pair: OfPair = None,
    limit: Annotated[int, typer.Option(min=1, help="records at most")] = 50,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """List what was given up, the newest first."""
    here = found(routes, pair)

    async def work(ledgers: Ledgers) -> Sequence[Given]:
        return await _listed(here, ledgers)

    those = here.look(work)
    if as_json:
        print_json([_plain(one, given) for one, given in those[:limit]])
        return
    if not those:
        out.print("nothing is in quarantine")
        return
    table = new_table(
        "link", "pair", "record a", "record b", "refused by", "why", "tries", "last", whole=("pair", "last")
    )
    for one, given in those[:limit]:
        why = one_line(f"{given.code}: {given.why}")
        remote = one.remote(given.side).name
        table.add_row(
            given.link[:12], one.name, given.id_a, given.id_b, remote, why, str(given.attempts), when(given.last)
        )
    show_table(table)
    if len(those) > limit:
        out.print(f"{limit} of {len(those)}; --limit shows more")


@quarantine.command()
def show(id: Id, reveal: Reveal = False, who: As = None, routes: Routes = ROUTES, as_json: AsJson = False) -> None:
    """Show one record whole: what was to be written, and why that failed."""
    here = found(routes)

    async def work(ledgers: Ledgers) -> Given:
        return await _one(here, ledgers, id)

    pair, given = here.look(work)
    pair = sight(replace(here, pairs=[pair]), who, f"quarantine {given.link}", reveal=reveal)(pair)
    if as_json:
        print_json(_plain(pair, given))
        return
    out.print(f"link:     {given.link}")
    out.print(f"pair:     {pair.name}")
    out.print(f"records:  {pair.a.name} {given.id_a or '-'}, {pair.b.name} {given.id_b or '-'}")
    out.print(f"refused:  by {pair.remote(given.side).name}, {given.attempts} times, last {when(given.last)}")
    out.print(f"why:      {given.code}: {one_line(given.why)}")
    out.print("fields:")
    for name, value in hidden(given.fields, pair).items():
        out.print(f"  {name}: {value_text(value)}")
    out.print(f"again:    routekit sync quarantine replay {given.link[:12]}")


@quarantine.command()
def replay(
    ids: Ids = None, all_: All = False, pair: OfPair = None, why: Why = "", who: As = None, routes: Routes = ROUTES
) -> None:
    """Let the next cycle try them again at once, as if nothing had failed."""
    count = _each(replays, "quarantine.replay", ids, all_, pair, why, who, routes)
    out.print(f"{count} will be tried again by the next cycle")


@quarantine.command()
def discard(
    why: Annotated[str, typer.Option("--why", help="the reason, for the audit")],
    ids: Ids = None,
    all_: All = False,
    pair: OfPair = None,
    who: As = None,
    routes: Routes = ROUTES,
) -> None:
    """Take them from the list, with a reason: nothing is written until their record changes."""
    count = _each(discards, "quarantine.discard", ids, all_, pair, why, who, routes)
    out.print(f"{count} discarded; what is not in step stays so until the record changes")


def _each(
    act: Callable[[Ledger, Quarantined], Awaitable[None]],
    action: str,
    ids: list[str] | None,
    all_: bool,
    pair: str | None,
    why: str,
    who: str | None,
    routes: Any,
) -> int:
    if bool(ids) == all_:
        raise UnknownName("which records?", hint="give ids, or --all")
    here = found(routes, pair)
    by = name_of(who)

    async def work(runtime: Runtime) -> int:
        ledgers = {one.name: ledger_of(one, runtime) for one in here.pairs}
        those = await _listed(here, ledgers) if all_ else [await _one(here, ledgers, own) for own in ids or ()]
        for one, given in those:
            await act(ledgers[one.name], given)
            await noted(runtime, by, action, one, given.link, why)
        return len(those)

    return here.run(work, keeps=True)


async def _listed(here: Found, ledgers: Ledgers) -> Sequence[Given]:
    those: list[Given] = []
    for pair in here.pairs:
        ledger = ledgers[pair.name]
        async for given in ledger.quarantine():
            why = await reason_of(given, ledger, pair)
            those.append((pair, given.model_copy(update={"why": why})))
    return sorted(those, key=lambda one: -one[1].last)


async def _one(here: Found, ledgers: Ledgers, id: str) -> Given:
    """The one whose link begins so, or that has that record; raises UnknownName if there is none, or several."""
    those = await _listed(here, ledgers)
    fitting = [one for one in those if id in (one[1].link, one[1].id_a, one[1].id_b)]
    fitting = fitting or [one for one in those if one[1].link.startswith(id)]
    if not fitting:
        raise UnknownName(f"nothing in quarantine is called '{id}'", hint="routekit sync quarantine list lists it")
    if len(fitting) > 1:
        raise UnknownName(f"{len(fitting)} in quarantine are called '{id}'", hint="write the whole id of the link")
    return fitting[0]


def _plain(pair: SyncPair, given: Quarantined) -> dict[str, Any]:
    return {"pair": pair.name, **given.model_dump(), "fields": hidden(given.fields, pair)}
