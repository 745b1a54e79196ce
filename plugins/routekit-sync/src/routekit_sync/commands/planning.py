"""`routekit sync plan`: every write that a cycle would make, without making one."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from routekit import Runtime
from routekit.commanding import ROUTES, As, AsJson, out, print_json

from ..engine import Engine
from ..pair import SyncPair
from ..parts import opened_parts
from ..plans import LinkPlan
from ..units import Side
from .app import AnyPair, Reveal, Routes, found, sight, sync
from .showing import arrow, diff_lines, ids_of, plan_plain

_OPS = ("create", "update", "archive", "delete")
_SIDES: tuple[Side, Side] = ("b", "a")

Planned = tuple[LinkPlan, Mapping[str, str]]
"""What a link needs, and the ids of its records."""

LINES = 200
"""Lines of a diff that are shown, where --limit says nothing else."""


@sync.command()
def plan(
    pair: AnyPair = None,
    diff: Annotated[bool, typer.Option("--diff", help="every write, with each field before and after")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="compare all records, not only those that the feeds report")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="lines of the diff at most, for each pair")] = LINES,
    reveal: Reveal = False,
    who: As = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """Show what the next cycle would write; write nothing.

    Nothing is written anywhere: not to the systems, and not to the store.

    Fields that the pair marks as sensitive are masked. Exit code 0 also if there is something to write.
    """
    here = found(routes, pair)

    async def work(runtime: Runtime) -> list[tuple[SyncPair, list[Planned]]]:
        planned: list[tuple[SyncPair, list[Planned]]] = []
        for one in here.pairs:
            async with opened_parts(one, runtime) as engines:
                found_ = [each for engine in engines for each in await _planned(engine, full=full)]
                planned.append((one, sorted(found_, key=_order)))
        return planned

    planned = here.run(work)
    seen = sight(here, who, "plan", reveal=reveal)
    if as_json:
        print_json([plan_plain(each, seen(one), ids) for one, plans in planned for each, ids in plans])
        return
    for one, plans in planned:
        out.print(f"{one.name}: {_summed(one, [each for each, _ in plans])}")
        if diff:
            _show_diff(seen(one), plans, limit)
    if not diff and any(each.writes for _, plans in planned for each, _ in plans):
        out.print("--diff shows each of them")


async def _planned(engine: Engine, *, full: bool) -> list[Planned]:
    plans = [each async for each in engine.plan(full=full)]
    links = await engine.rehearsed.many([each.link for each in plans])
    ids = {own: ids_of(known.link) for own, known in links.items()}
    return [(each, ids.get(each.link, {})) for each in plans]


def _order(planned: Planned) -> tuple[int, int, str]:
    """Writes to side b first, creates before updates, and by the ids of the records: the same in every run."""
    each, ids = planned
    first = each.writes[0] if each.writes else None
    which = (2, 0) if first is None else (_SIDES.index(first.side), _OPS.index(first.op))
    return which[0], which[1], ids.get("a") or ids.get("b") or each.link


def _show_diff(pair: SyncPair, plans: list[Planned], limit: int) -> None:
    lines = [line for each, ids in plans for line in diff_lines(each, pair, ids)]
    for line in lines[:limit]:
        out.print(f"  {line}")
    if len(lines) > limit:
        out.print(f"  ... {len(lines) - limit} lines more; --limit or --json show all")


def _summed(pair: SyncPair, plans: list[LinkPlan]) -> str:
    """How many writes of which kind to which side, and what else there is."""
    writes = Counter((write.side, write.op) for each in plans for write in each.writes)
    parts = [
        f"{arrow(side)} {pair.remote(side).name}: "
        + ", ".join(f"{writes[side, op]} {op}" for op in _OPS if writes[side, op])
        for side in _SIDES
        if any(writes[side, op] for op in _OPS)
    ]
    other: dict[str, Any] = {
        "conflicts": sum(len(each.disputes) for each in plans),
        "drift": sum(len(each.drift) for each in plans),
        "problems": sum(len(each.problems) for each in plans),
        "waiting for a parent": sum(bool(each.waits_for) for each in plans),
    }
    parts += [f"{name} {count}" for name, count in other.items() if count]
    return "; ".join(parts) or "in step, nothing to write"
