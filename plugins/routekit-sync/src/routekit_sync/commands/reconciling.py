"""`routekit sync reconcile` and `backfill`: all records of both sides, compared, or read and brought in step."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from routekit import BadOption, Runtime, Unavailable
from routekit.commanding import (
    FAILED,
    ROUTES,
    As,
    AsJson,
    err,
    name_of,
    new_table,
    one_line,
    out,
    print_json,
    show_table,
)

from ..backfilling import CHUNK, Filled
from ..backfilling import backfill as fills
from ..differing import Difference
from ..engine import Engine, Hint, opened
from ..hiding import hidden, said_of
from ..lines import line_of
from ..pair import SyncPair
from ..reconciling import Reconciliation
from ..reconciling import reconcile as reconciles
from ..repairing import Repair, ask, repair
from ..summary import Summary
from ..totalling import Total
from ..units import Side
from .app import AnyPair, OnePair, Reveal, Routes, Why, at_work, found, noted, sight, sync
from .progress import counting
from .showing import diff_lines, fields_text, ids_of, plan_plain

_SIDES: tuple[Side, Side] = ("a", "b")


@dataclass(frozen=True)
class Done:
    """What a comparison has found, what would repair it, and what the repair did, if it was asked for."""

    pair: SyncPair
    found: Reconciliation
    repair: Repair
    summary: Summary | None = None


@sync.command()
def reconcile(
    pair: AnyPair = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="read all records whole, whatever versions and stamps say")
    ] = False,
    total: Annotated[
        list[str] | None,
        typer.Option("--total", metavar="A:B", help="add up field A of side a and B of side b: the sums must be equal"),
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option("--by", metavar="A:B", help="add up by these fields, such as a currency")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="show each write of the repair, before and after")] = False,
    mend: Annotated[bool, typer.Option("--repair", help="make these writes")] = False,
    limit: Annotated[int, typer.Option(min=1, help="differences that are listed at most")] = 50,
    reveal: Reveal = False,
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """Compare both systems, and say all that differs.

    Counts, totals, and the fields of each link; nothing is written without --repair. Exit code 1 if anything differs
    that is not repaired.
    """
    here = found(routes, pair)
    by_ = name_of(who) if mend else ""
    totals = _totals(total or (), by or ())

    async def work(runtime: Runtime) -> list[Done]:
        done: list[Done] = []
        for one in here.pairs:
            async with opened(one, runtime) as engine:
                bench = engine.bench()
                seen = await reconciles(bench, thorough=thorough, totals=totals)
                made = await repair(bench, seen)
                summary = None
                if mend and (made.plans or made.loose):
                    await noted(runtime, by_, "reconcile.repair", one, f"{len(made.due)} links", why)
                    summary = await _mended(engine, made, by_)
                done.append(Done(one, seen, made, summary))
        return done

    done = here.run(work, keeps=mend)
    seen = sight(here, who, "reconcile", reveal=reveal)
    done = [replace(one, pair=seen(one.pair)) for one in done]
    if as_json:
        print_json([_plain(one, limit) for one in done])
    else:
        for one in done:
            _show(one, diff=diff, limit=limit)
    if any(_differs(one) for one in done):
        raise typer.Exit(FAILED)


@sync.command()
def backfill(
    pair: OnePair,
    chunk: Annotated[
        int, typer.Option(min=1, help="records that are worked at before it is noted how far it is")
    ] = CHUNK,
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """Read all records of both sides once, and bring them in step.

    For the first time, or after long. It may be stopped or killed at any moment: the same command goes on. What has no
    counterpart is created by the cycle that follows. Exit code 1 if it did not come to its end.
    """
    here, by = found(routes, pair), name_of(who)
    one = here.pairs[0]

    async def work(runtime: Runtime) -> Filled:
        if one.partitions > 1:
            raise BadOption(
                f"the pair '{pair}' has parts", hint="routekit sync run --full does the same for each of them"
            )
        async with opened(one, runtime) as engine:
            if not await engine.ledger.acquire():
                raise at_work(one, await engine.ledger.lease())
            await noted(runtime, by, "backfill", one, "", why)
            with counting(one) as count:
                return await fills(
                    engine, chunk=chunk, report=lambda side, read: count(f"{one.remote(side).name}: {read:,}")
                )

    done = here.run(work, keeps=True)
    if as_json:
        print_json({"pair": pair, "records": done.records, "complete": done.complete, "note": done.note})
    else:
        read = ", ".join(f"{one.remote(side).name} {count:,}" for side, count in done.records.items())
        out.print(f"{pair}: {read or 'nothing'} read" + ("; routekit sync run goes on" if done.complete else ""))
    if not done.complete:
        err.print(f"not complete: {done.note}; the same command goes on")
        raise typer.Exit(FAILED)


async def _mended(engine: Engine, made: Repair, who: str) -> Summary:
    """The repair, by the way of every cycle; raises Unavailable if another process works at the pair."""
    if not await engine.ledger.acquire():
        raise at_work(engine.pair, await engine.ledger.lease())
    await ask(engine.ledger, made, who)
    summary = await engine.cycle(hints=[Hint(side, own) for side, own in made.loose])
    if not summary.complete:
        raise Unavailable(f"{engine.pair.name}: {summary.note}", hint="what is left is done by the next cycle")
    return summary


def _differs(done: Done) -> bool:
    if done.summary is None:
        return not done.found.in_step
    return bool(done.repair.left or done.summary.failed or done.summary.blocked or done.summary.quarantined)


def _totals(totals: Sequence[str], by: Sequence[str]) -> list[Total]:
    groups = [_two(one, "--by") for one in by]
    if groups and not totals:
        raise BadOption("--by says how sums are grouped, and there is no sum", hint="give --total A:B too")
    fields = [_two(one, "--total") for one in totals]
    return [Total(a, a, b, [one for one, _ in groups], [one for _, one in groups]) for a, b in fields]


def _two(text: str, option: str) -> tuple[str, str]:
    a, _, b = text.partition(":")
    if not a:
        raise BadOption(f"{option} '{text}' names no field", hint=f"write {option} amount:total, or {option} amount")
    return a, b or a


def _show(done: Done, *, diff: bool, limit: int) -> None:
    pair, seen = done.pair, done.found
    counts = ", ".join(f"{pair.remote(side).name} {seen.records.get(side, 0):,}" for side in _SIDES)
    links = ", ".join(f"{count:,} {state}" for state, count in sorted(seen.links.items())) or "none"
    calls = sum(seen.calls.values())
    out.print(f"{pair.name}: records {counts}; links {links}; {seen.examined:,} read whole, {calls:,} calls")
    for line in seen.totals:
        group = f" {'/'.join(line.group)}" if line.group else ""
        mark = "equal" if line.equal else f"differs by {line.a - line.b}"
        out.print(f"  total {line.name}{group}: {line.a} in {line.count_a:,}, {line.b} in {line.count_b:,}: {mark}")
    if seen.differences:
        _show_differences(pair, seen.differences[:limit])
    if seen.found.total() > limit:
        out.print(f"  {limit} of {seen.found.total():,}; --limit shows more")
    if seen.in_step:
        out.print("  0 differences")
        return
    found_ = ", ".join(f"{count:,} {why.value}" for why, count in seen.found.items())
    count = seen.found.total()
    out.print(f"  {count:,} difference{'' if count == 1 else 's'}: {found_}" if found_ else "  the totals differ")
    _show_repair(done, diff=diff)


def _show_differences(pair: SyncPair, differences: Sequence[Difference]) -> None:
    table = new_table("  why", "record a", "record b", "unit", "a", "b", "note")
    for one in differences:
        a, b = (fields_text(hidden(values, pair)) if values else "" for values in (one.a, one.b))
        note = said_of(said_of(one.note, dict(one.a), pair), dict(one.b), pair)
        table.add_row(f"  {one.why.value}", one.id_a, one.id_b, one.unit, a, b, one_line(note))
    show_table(table)


def _show_repair(done: Done, *, diff: bool) -> None:
    pair, made = done.pair, done.repair
    if diff and done.summary is None:
        ids = {case.known.link.id: ids_of(case.known.link) for case in done.found.cases}
        for plan in made.plans:
            for line in diff_lines(plan, pair, ids.get(plan.link, {})):
                out.print(f"  {line}")
    if done.summary is not None:
        out.print(f"repaired: {line_of(done.summary)}")
    elif made.plans or made.loose:
        writes = Counter(write.op for plan in made.plans for write in plan.writes)
        words = ", ".join(f"{count} {op}" for op, count in writes.items()) or "no write"
        loose = f", {len(made.loose)} records matched or created" if made.loose else ""
        out.print(f"  --repair would do: {words}{loose}" + ("" if diff else "; --diff shows each write"))
    if made.left:
        out.print(f"  {len(made.left)} are left to a person: routekit sync links {pair.name}")


def _plain(done: Done, limit: int) -> dict[str, Any]:
    pair, seen = done.pair, done.found
    ids = {case.known.link.id: ids_of(case.known.link) for case in seen.cases}
    return {
        "pair": pair.name,
        "in step": seen.in_step,
        "records": dict(seen.records),
        "links": dict(seen.links),
        "totals": [
            {"name": line.name, "group": line.group, "a": line.a, "b": line.b, "equal": line.equal}
            for line in seen.totals
        ],
        "found": {why.value: count for why, count in seen.found.items()},
        "differences": [_difference(one, pair) for one in seen.differences[:limit]],
        "repair": [plan_plain(plan, pair, ids.get(plan.link, {})) for plan in done.repair.plans],
        "left": len(done.repair.left),
        "repaired": None if done.summary is None else done.summary.writes,
    }


def _difference(one: Difference, pair: SyncPair) -> dict[str, Any]:
    return {
        "why": one.why.value,
        "side": one.side,
        "link": one.link,
        "id_a": one.id_a,
        "id_b": one.id_b,
        "unit": one.unit,
        "a": hidden(one.a, pair),
        "b": hidden(one.b, pair),
        "note": said_of(said_of(one.note, dict(one.a), pair), dict(one.b), pair),
    }
