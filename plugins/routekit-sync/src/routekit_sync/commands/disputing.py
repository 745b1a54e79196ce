"""`routekit sync conflicts`: what both sides have changed, and what a person makes of it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, cast

import typer

from routekit import BadOption, Runtime, UnknownName
from routekit.commanding import ROUTES, As, AsJson, name_of, new_table, out, print_json, show_table

from ..deciding import decide
from ..hiding import hidden
from ..kept import Conflict
from ..pair import SyncPair
from .app import Found, Ledgers, OfPair, Reveal, Routes, Why, found, ledger_of, noted, sight, sync
from .showing import fields_text, value_text, when

conflicts = typer.Typer(help="List, show and resolve conflicts.", no_args_is_help=True)
sync.add_typer(conflicts, name="conflicts")

Id = Annotated[str, typer.Argument(help="the conflict's id, or the first characters of it")]


@conflicts.command("list")
def list_(
    pair: OfPair = None,
    all_: Annotated[bool, typer.Option("--all", help="also those that are decided, by a rule or a person")] = False,
    limit: Annotated[int, typer.Option(min=1, help="conflicts at most")] = 50,
    reveal: Reveal = False,
    who: As = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """List the conflicts that wait for a person, the newest first."""
    here = found(routes, pair)
    those = here.look(lambda ledgers: _listed(here, ledgers, every=all_))
    seen = sight(here, who, "conflicts", reveal=reveal)
    shown = [(seen(one), conflict) for one, conflict in those[:limit]]
    if as_json:
        print_json([_plain(one, conflict) for one, conflict in shown])
        return
    if not shown:
        out.print("no conflicts" if all_ else "no conflicts wait for a person")
        return
    table = new_table("id", "pair", "unit", "a", "b", "outcome", "when", whole=("pair", "when"))
    for one, conflict in shown:
        a, b = (fields_text(hidden(value, one)) for value in (conflict.value_a, conflict.value_b))
        outcome = "waits" if conflict.open else conflict.outcome
        table.add_row(conflict.id[:12], one.name, conflict.unit, a, b, outcome, when(conflict.at))
    show_table(table)
    if len(those) > len(shown):
        out.print(f"{len(shown)} of {len(those)}; --limit shows more")


@conflicts.command()
def show(id: Id, reveal: Reveal = False, who: As = None, routes: Routes = ROUTES, as_json: AsJson = False) -> None:
    """Show one conflict: what each side has, and what it had before."""
    here = found(routes)

    async def work(ledgers: Ledgers) -> tuple[SyncPair, Conflict]:
        return await _one(here, ledgers, id)

    pair, conflict = here.look(work)
    pair = sight(replace(here, pairs=[pair]), who, f"conflict {conflict.id}", reveal=reveal)(pair)
    if as_json:
        print_json(_plain(pair, conflict))
        return
    state = "waits for a person" if conflict.open else f"decided by {conflict.decided_by}: {conflict.outcome}"
    out.print(f"id:      {conflict.id}")
    out.print(f"pair:    {pair.name}, unit {conflict.unit}")
    out.print(f"when:    {when(conflict.at)}")
    out.print(f"state:   {state} ({conflict.why})")
    for side, id_, base, value, stamp in (
        ("a", conflict.id_a, conflict.base_a, conflict.value_a, conflict.stamp_a),
        ("b", conflict.id_b, conflict.base_b, conflict.value_b, conflict.stamp_b),
    ):
        at = f", changed {when(stamp)}" if stamp is not None else ""
        out.print(f"side {side}:  {pair.remote('a' if side == 'a' else 'b').name} {id_}{at}")
        for name in dict.fromkeys([*base, *value]):
            was, now = hidden(base, pair).get(name), hidden(value, pair).get(name)
            out.print(f"  {name}: {value_text(was)} -> {value_text(now)}")
    if conflict.open:
        out.print(f"decide:  routekit sync conflicts resolve {conflict.id[:12]} --take a|b|VALUE")


@conflicts.command()
def resolve(
    id: Id,
    take: Annotated[
        str, typer.Option(metavar="a|b|VALUE", help="whose value counts; or a value, as side a has it: JSON, else text")
    ],
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
) -> None:
    """Decide a conflict: the next cycle writes what was decided to the side, or sides, that have something else.

    For a unit of several fields VALUE is a JSON object of them: --take '{"street": "...", "town": "..."}'.
    """
    here = found(routes)
    by = name_of(who)

    async def work(runtime: Runtime) -> tuple[SyncPair, Conflict, str]:
        ledgers = {pair.name: ledger_of(pair, runtime) for pair in here.pairs}
        pair, conflict = await _one(here, ledgers, id)
        fields = None if take in ("a", "b") else _value(take, pair, conflict)
        outcome = take if fields is None else "merged"
        await decide(ledgers[pair.name], conflict, outcome, fields, by, why)
        await noted(
            runtime,
            by,
            "conflicts.resolve",
            pair,
            conflict.id,
            f"{conflict.unit}: {outcome}" + (f", {why}" if why else ""),
        )
        return pair, conflict, outcome

    pair, conflict, outcome = here.run(work, keeps=True)
    kept = "the given value" if outcome == "merged" else f"the value of side {outcome}"
    out.print(
        f"{conflict.unit} of {conflict.id_a or conflict.id_b}: {kept} counts; the next cycle of {pair.name} writes it"
    )


async def _listed(here: Found, ledgers: Ledgers, *, every: bool) -> Sequence[tuple[SyncPair, Conflict]]:
    those = [
        (pair, conflict)
        for pair in here.pairs
        async for conflict in ledgers[pair.name].conflicts()
        if every or conflict.open
    ]
    return sorted(those, key=lambda one: -one[1].at)


async def _one(here: Found, ledgers: Ledgers, id: str) -> tuple[SyncPair, Conflict]:
    """The conflict whose id begins so; raises UnknownName if there is none, or several."""
    those = [one for one in await _listed(here, ledgers, every=True) if one[1].id.startswith(id)]
    if not those:
        raise UnknownName(f"there is no conflict '{id}'", hint="routekit sync conflicts list --all lists them")
    if len(those) > 1:
        raise UnknownName(f"{len(those)} conflicts begin with '{id}'", hint="write more of the id")
    return those[0]


def _value(text: str, pair: SyncPair, conflict: Conflict) -> dict[str, Any]:
    """What was given as the unit's fields of side a; raises BadOption."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    unit = next((unit for unit in pair.units if unit.name == conflict.unit), None)
    names = list(conflict.value_a) if unit is None else list(unit.a)
    given: Any = value
    if len(names) == 1 and not _named(given, names, conflict):
        return {names[0]: given}
    if not isinstance(given, dict) or set(cast("dict[str, Any]", given)) != set(names):
        hint = f"write a JSON object of {', '.join(names)}"
        raise BadOption(f"--take {text} is no value of '{conflict.unit}'", hint=hint)
    return {name: given[name] for name in names}


def _named(given: Any, names: Sequence[str], conflict: Conflict) -> bool:
    """Whether a value of one field is given with its name; an object may be the value itself, if others are."""
    if not isinstance(given, dict):
        return False
    return names[0] in given or not any(isinstance(value, dict) for value in conflict.value_a.values())


def _plain(pair: SyncPair, conflict: Conflict) -> dict[str, Any]:
    values = {name: hidden(getattr(conflict, name), pair) for name in ("base_a", "base_b", "value_a", "value_b")}
    return {"pair": pair.name, **conflict.model_dump(), **values}
