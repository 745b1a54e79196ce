"""`routekit sync links`: the pairs of records that are not simply in step, each with the reason."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from routekit.commanding import ROUTES, AsJson, new_table, one_line, out, print_json, show_table

from ..ledger import Known
from .app import AnyPair, Ledgers, Routes, found, sync


class State(StrEnum):
    """What may be the matter with a link."""

    half = "half"
    waiting = "waiting"
    blocked = "blocked"
    conflict = "conflict"
    drift = "drift"
    unsure = "unsure"
    retrying = "retrying"
    quarantine = "quarantine"
    parked = "parked"
    outside = "outside"


@sync.command()
def links(
    pair: AnyPair = None,
    state: Annotated[State | None, typer.Option("--state", help="only those in this state")] = None,
    record: Annotated[
        str | None, typer.Option("--record", metavar="ID", help="only of this record, in any state")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="links at most")] = 50,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """List links that are not in step, and why.

    half: only one record is known; waiting: for its parent; blocked: a side refuses a unit; conflict: a person has to
    decide; drift: unequal, though nobody has changed it; unsure: what became of a write is not known; retrying; in
    quarantine; parked; outside the scope of the pair.
    """
    here = found(routes, pair)

    async def work(ledgers: Ledgers) -> list[dict[str, Any]]:
        return [
            {"pair": one.name, "link": known.link.id, **_ids(known), "states": [name for name, _ in states], "why": why}
            for one in here.pairs
            async for known in ledgers[one.name].links()
            for states in [list(_states(known))]
            for why in ["; ".join(text for _, text in states if text)]
            if (record in _ids(known).values() if record else bool(states))
            and (state is None or state.value in [name for name, _ in states])
        ]

    rows = here.look(work)
    if as_json:
        print_json(rows[:limit])
        return
    if not rows:
        out.print("no such link" if record or state else "all links are in step")
        return
    table = new_table("link", "pair", "record a", "record b", "state", "why", whole=("pair",))
    for row in rows[:limit]:
        states = ", ".join(row["states"]) or "in step"
        table.add_row(row["link"][:12], row["pair"], row["a"], row["b"], states, one_line(row["why"]))
    show_table(table)
    if len(rows) > limit:
        out.print(f"{limit} of {len(rows)}; --limit shows more")


def _ids(known: Known) -> dict[str, str]:
    link = known.link
    return {"a": link.a.id if link.a else "", "b": link.b.id if link.b else ""}


def _states(known: Known) -> Iterator[tuple[str, str]]:
    """What is the matter with a link, each with the reason as far as it says more; no values of records."""
    link = known.link
    if link.state in ("half", "parked", "outside"):
        yield link.state, link.why
    if link.waits_for:
        yield "waiting", f"for {link.waits_for}"
    if link.blocked:
        yield "blocked", ", ".join(link.blocked)
    if link.conflicts:
        yield "conflict", ", ".join(link.conflicts)
    if link.drift:
        yield "drift", ", ".join(link.drift)
    if link.intents and link.state != "parked":
        yield "unsure", ", ".join(intent.op for intent in link.intents)
    if link.given_up:
        yield "quarantine", ""
    elif link.attempts and not link.blocked:
        yield "retrying", f"{link.attempts} tries"
