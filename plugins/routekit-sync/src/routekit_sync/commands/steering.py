"""`routekit sync cursor`, `brake` and `unpark`: what a person puts right by hand."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, TypeVar

import typer

from routekit import BadOption, Runtime, UnknownName
from routekit.commanding import ROUTES, As, AsJson, name_of, new_table, out, print_json, show_table

from ..deciding import place, release
from ..deciding import unpark as unparks
from ..kept import Cursor
from ..ledger import Known, Ledger
from ..pair import SyncPair
from ..parts import each_part
from ..units import Side
from .app import AnyPair, Ledgers, OnePair, Routes, Why, at_work, found, ledger_of, noted, sync
from .showing import when

R = TypeVar("R")

cursor = typer.Typer(help="See and move how far the feeds have been read.", no_args_is_help=True)
brake = typer.Typer(help="Let deletions go that the brake holds.", no_args_is_help=True)
sync.add_typer(cursor, name="cursor")
sync.add_typer(brake, name="brake")


class Of(StrEnum):
    """A side of a pair."""

    a = "a"
    b = "b"


OneSide = Annotated[Of, typer.Argument(help="the side")]


@cursor.command("get")
def get(pair: AnyPair = None, routes: Routes = ROUTES, as_json: AsJson = False) -> None:
    """Show how far each side has been read; times of a feed are by the clock of that side."""
    here = found(routes, pair)

    async def work(ledgers: Ledgers) -> list[tuple[SyncPair, int, Side, Cursor]]:
        sides: tuple[Side, Side] = ("a", "b")
        return [
            (one, part.partition, side, await part.cursor(side))
            for one in here.pairs
            for part in each_part(one, ledgers[one.name])
            for side in sides
        ]

    cursors = here.look(work)
    if as_json:
        print_json(
            [{"pair": one.name, "part": part, "side": side, **each.model_dump()} for one, part, side, each in cursors]
        )
        return
    table = new_table("pair", "side", "remote", "read up to", "swept", "clock", whole=("read up to", "swept"))
    for one, part, side, each in cursors:
        name = one.name if one.partitions <= 1 else f"{one.name}, part {part}"
        ahead = f"{each.offset:+.1f} s ± {each.uncertainty:.1f}" if each.uncertainty else ""
        table.add_row(name, side, one.remote(side).name, _read(each), when(each.swept or None) or "never", ahead)
    show_table(table)


@cursor.command("set")
def set_(
    pair: OnePair,
    side: OneSide,
    to: Annotated[str, typer.Argument(metavar="TIME|TOKEN", help="2026-01-31T08:00 (UTC), or the token of its feed")],
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
) -> None:
    """Let the next cycle read a feed from there on.

    What lies between is not looked at by the feed; the next full comparison finds it.
    """

    def moved(old: Cursor) -> Cursor:
        new: dict[str, Any] = {
            "value": None,
            "token": None,
            "boundary": {},
            "page": None,
            "begun": None,
            "complete": True,
        }
        return old.model_copy(update=new | ({"token": to} if old.token is not None else {"value": _time(to)}))

    _move(pair, side, moved, "set", to, why, who, routes)


@cursor.command()
def rewind(
    pair: OnePair,
    side: OneSide,
    by: Annotated[
        str | None, typer.Option("--by", metavar="TIME", help="so far: 2h, 3d; else to the beginning")
    ] = None,
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
) -> None:
    """Let the next cycle read a feed again; nothing is written twice by that, it only costs calls."""

    def moved(old: Cursor) -> Cursor:
        if by is None:
            return Cursor(epoch=old.epoch + 1, offset=old.offset, uncertainty=old.uncertainty, swept=old.swept)
        if old.value is None:
            raise BadOption("this feed has no time to go back from", hint="without --by it begins anew")
        return old.model_copy(update={"value": old.value - _span(by), "boundary": {}, "page": None, "begun": None})

    _move(pair, side, moved, "rewind", by or "to the beginning", why, who, routes)


@brake.command("release")
def release_(pair: OnePair, why: Why = "", who: As = None, routes: Routes = ROUTES) -> None:
    """Let the deletions go that are held now: the next cycle carries them out. More than these are held again."""
    here, by = found(routes, pair), name_of(who)

    async def work(runtime: Runtime) -> int:
        parts = each_part(here.pairs[0], ledger_of(here.pairs[0], runtime))
        pulled = [part for part in parts if (held := await part.held()) is not None and held.count > held.allowed]
        count = sum([(await release(part)).count for part in pulled or parts[:1]])
        await noted(runtime, by, "brake.release", here.pairs[0], f"{count} deletions", why)
        return count

    out.print(f"{here.run(work, keeps=True)} deletions go with the next cycle of {pair}")


@sync.command()
def unpark(
    pair: OnePair,
    ids: Annotated[
        list[str] | None, typer.Argument(help="ids of links, or of records; none lists what is parked")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="every parked link")] = False,
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """List parked links, and let them take part again.

    A link is parked when it was written too often, as something answers every write, or when nobody can know what
    became of a create.
    """
    here = found(routes, pair)

    async def parked(ledger: Ledger) -> list[Known]:
        return [known async for known in ledger.links() if known.link.state == "parked"]

    if not ids and not all_:
        _show_parked(here.look(lambda ledgers: parked(ledgers[pair])), as_json=as_json)
        return
    by = name_of(who)

    async def work(runtime: Runtime) -> int:
        ledger = ledger_of(here.pairs[0], runtime)
        those = await parked(ledger)
        chosen = those if all_ else [_named(own, those) for own in ids or ()]
        for known in chosen:
            await unparks(ledger, known)
            await noted(runtime, by, "unpark", here.pairs[0], known.link.id, why)
        return len(chosen)

    out.print(f"{here.run(work, keeps=True)} take part again")


def _show_parked(those: list[Known], *, as_json: bool) -> None:
    rows = [
        {
            "link": known.link.id,
            "a": known.link.a.id if known.link.a else "",
            "b": known.link.b.id if known.link.b else "",
            "why": known.link.why,
        }
        for known in those
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        out.print("nothing is parked")
        return
    table = new_table("link", "record a", "record b", "why")
    for row in rows:
        table.add_row(row["link"][:12], row["a"], row["b"], row["why"])
    show_table(table)


def _named(id: str, those: list[Known]) -> Known:
    for known in those:
        link = known.link
        if link.id.startswith(id) or id in (link.a.id if link.a else None, link.b.id if link.b else None):
            return known
    raise UnknownName(f"no parked link is called '{id}'", hint="without ids those that are parked are listed")


def _move(
    pair: str, side: Of, moved: Callable[[Cursor], Cursor], action: str, to: str, why: str, who: str | None, routes: Any
) -> None:
    here, by = found(routes, pair), name_of(who)
    one = here.pairs[0]
    which: Side = "a" if side is Of.a else "b"

    async def work(runtime: Runtime) -> Cursor:
        new: list[Cursor] = []
        for part in each_part(one, ledger_of(one, runtime)):
            new.append(await _leased(part, one, partial(place, part, which, moved)))
        await noted(runtime, by, f"cursor.{action}", one, f"side {which} {to}", why)
        return new[0]

    new = here.run(work, keeps=True)
    out.print(f"{one.remote(which).name} is read from {_read(new)} on by the next cycle")


async def _leased(ledger: Ledger, pair: SyncPair, work: Callable[[], Awaitable[R]]) -> R:
    """What `work` gives, while no cycle runs; raises Unavailable if one does."""
    if not await ledger.acquire(ledger.partition, seconds=30.0):
        raise at_work(pair, await ledger.lease(ledger.partition))
    try:
        return await work()
    finally:
        await ledger.release()


def _read(cursor: Cursor) -> str:
    if cursor.token is not None:
        return f"token {cursor.token[:24]}"
    if cursor.value is not None:
        return when(cursor.value)
    return "the beginning" if not cursor.complete else "all (no feed)"


def _time(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadOption(f"'{text}' is no time", hint="write 2026-01-31T08:00, in UTC, or seconds since 1970") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _span(text: str) -> float:
    try:
        return float(text[:-1]) * _UNITS[text[-1]]
    except (ValueError, KeyError, IndexError) as error:
        raise BadOption(f"--by {text} is no time", hint="write 30m, 2h or 3d") from error
