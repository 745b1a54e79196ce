"""`routekit sync confirm`: a person says that two records are one."""

from typing import Annotated

import typer

from routekit import Runtime, UnknownName
from routekit.commanding import ROUTES, As, name_of, out

from ..deciding import confirm as confirms
from ..ledger import Known, Ledger
from ..units import Side
from .app import OnePair, Routes, Why, found, ledger_of, noted, sync


@sync.command()
def confirm(
    pair: OnePair,
    a: Annotated[str, typer.Argument(metavar="A", help="the id of the record of side a")],
    b: Annotated[str, typer.Argument(metavar="B", help="the id of the record of side b")],
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
) -> None:
    """Say that two records are one: what a match that is to be reviewed has found, or what no match finds.

    Neither may be linked to another record. The next cycle compares what they say. That two records are two, and each
    is to be created on the other side, is said by `unpark`.
    """
    here, by = found(routes, pair), name_of(who)

    async def work(runtime: Runtime) -> None:
        ledger = ledger_of(here.pairs[0], runtime)
        one, other = await _half(ledger, "a", a), await _half(ledger, "b", b)
        await confirms(ledger, one, other)
        await noted(runtime, by, "confirm", here.pairs[0], f"{a} {b}", why)

    here.run(work, keeps=True)
    out.print(f"{a} and {b} are one; the next cycle compares them")


async def _half(ledger: Ledger, side: Side, id: str) -> Known:
    """The half link of a record; raises UnknownName."""
    known = (await ledger.linked(side, [id])).get(id)
    if known is None:
        raise UnknownName(
            f"record '{id}' of side {side} has not been seen", hint="run a cycle first: routekit sync run"
        )
    if known.link.a is not None and known.link.b is not None:
        other = known.link.b if side == "a" else known.link.a
        raise UnknownName(f"record '{id}' of side {side} is linked to '{other.id}' already")
    return known
