"""`routekit sync run` and `status`: cycles by hand, and what the last ones did."""

from collections.abc import Sequence
from time import time
from typing import Annotated, Any

import typer

from routekit import Runtime
from routekit.commanding import FAILED, ROUTES, As, AsJson, err, name_of, new_table, out, print_json, show_table

from ..engine import Engine
from ..kept import RunRecord
from ..ledger import Ledger
from ..lines import line_of, p99
from ..pair import SyncPair
from ..parts import added, each_part, opened_parts
from ..summary import Summary
from .app import AnyPair, Ledgers, Routes, at_work, found, ledger_of, noted, sync
from .progress import drawn
from .showing import ago


@sync.command()
def run(
    pair: AnyPair = None,
    full: Annotated[
        bool, typer.Option("--full", help="compare all records, not only those that the feeds report")
    ] = False,
    who: As = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """Run one cycle of a pair now, or of each.

    It may be stopped or killed at any moment: the next cycle goes on. Exit code 1 if one did not come to its end, or
    something failed, was refused or put into quarantine.
    """
    here = found(routes, pair)
    by = name_of(who)

    async def work(runtime: Runtime) -> list[tuple[Summary, list[str]]]:
        done: list[tuple[Summary, list[str]]] = []
        for one in here.pairs:
            with drawn(one) as report:
                async with opened_parts(one, runtime, report=report) as engines:
                    await noted(runtime, by, "run", one, "", "all records" if full else "")
                    summary = added([await _cycle(engine, full=full) for engine in engines])
                codes = (
                    [each.code async for each in ledger_of(one, runtime).quarantine()] if summary.quarantined else []
                )
                done.append((summary, codes))
        return done

    done = here.run(work, keeps=True)
    if as_json:
        print_json([_plain(summary) for summary, _ in done])
    for summary, codes in done:
        if not as_json:
            out.print(line_of(summary, codes))
        for alert in summary.alerts:
            err.print(f"{summary.pair}: {alert}", style="yellow")
    if any(_went_wrong(summary) for summary, _ in done):
        raise typer.Exit(FAILED)


def _went_wrong(summary: Summary) -> bool:
    return bool(not summary.complete or summary.failed or summary.quarantined or summary.blocked or summary.problems)


async def _cycle(engine: Engine, *, full: bool) -> Summary:
    """One cycle; raises Unavailable if another process works at the pair."""
    part = engine.ledger.partition
    if not await engine.ledger.acquire(part):
        raise at_work(engine.pair, await engine.ledger.lease(part))
    return await engine.cycle(full=full)


@sync.command()
def status(pair: AnyPair = None, routes: Routes = ROUTES, as_json: AsJson = False) -> None:
    """Show what the last cycles did, and what is to do.

    Scanned, changed, written, failed, drift and lag are those of the last cycle; quarantined and conflicts are all that
    wait for a person.
    """
    here = found(routes, pair)

    async def work(ledgers: Ledgers) -> list[dict[str, Any]]:
        return [await _state(one, ledgers[one.name]) for one in here.pairs]

    states = here.look(work)
    if as_json:
        print_json(states)
        return
    table = new_table("pair", "last", *_SHOWN, "lag", "now", whole=("last",))
    for state in states:
        last = "never" if state["last"] is None else ago(time() - state["last"])
        lag = "" if state["lag"] is None else f"{state['lag']:.1f} s"
        table.add_row(state["pair"], last, *(f"{state[name]:,}" for name in _SHOWN), lag, state["now"])
    show_table(table)
    for state in states:
        for hint in state["to do"]:
            out.print(f"{state['pair']}: {hint}")


_SHOWN = ("scanned", "changed", "written", "failed", "quarantined", "conflicts", "drift")


async def _state(pair: SyncPair, ledger: Ledger) -> dict[str, Any]:
    """What is known of a pair, as plain data. Scanned, changed, written and failed are those of the last cycle."""
    runs = await ledger.runs()
    last = runs[-1] if runs else None
    figures = {} if last is None else last.figures
    quarantined = [each async for each in ledger.quarantine()]
    waiting = [each async for each in ledger.conflicts() if each.open]
    parts = each_part(pair, ledger)
    held = [found for part in parts if (found := await part.held()) is not None]
    leases = [found for part in parts if (found := await ledger.lease(part.partition)) is not None]
    lease = next((one for one in leases if one.until > ledger.now()), None)
    stuck = sum(max(0, one.count - one.allowed) for one in held)
    return {
        "pair": pair.name,
        "a": pair.a.name,
        "b": pair.b.name,
        "last": None if last is None else last.at,
        "scanned": int(figures.get("scanned", 0)),
        "changed": int(figures.get("changed", 0)),
        "written": _written(figures),
        "failed": int(figures.get("failed", 0)),
        "quarantined": len(quarantined),
        "conflicts": len(waiting),
        "drift": int(figures.get("drift", 0)),
        "lag": figures.get("lag_most"),
        "held": stuck,
        "worker": "" if lease is None else lease.owner,
        "now": _ended(last) if lease is None else f"{lease.owner} works at it",
        "blocked": int(figures.get("blocked", 0)),
        "to do": list(_to_do(pair, len(waiting), len(quarantined), stuck, int(figures.get("blocked", 0)))),
    }


def _written(figures: dict[str, float]) -> int:
    ops = ("created", "updated", "archived", "deleted")
    return int(sum(figures.get(f"{op}_{side}", 0) for op in ops for side in ("a", "b")))


def _ended(last: RunRecord | None) -> str:
    if last is None:
        return "has not run yet"
    return f"stopped: {last.note}" if last.note else "rests"


def _to_do(pair: SyncPair, conflicts: int, quarantined: int, held: int, blocked: int) -> Sequence[str]:
    found: list[str] = []
    if held:
        found.append(f"{held} deletions are held: routekit sync plan {pair.name} --diff, then brake release")
    if conflicts:
        wait = "conflict waits" if conflicts == 1 else "conflicts wait"
        found.append(f"{conflicts} {wait} for a person: routekit sync conflicts list --pair {pair.name}")
    if quarantined:
        found.append(f"{quarantined} in quarantine: routekit sync quarantine list --pair {pair.name}")
    if blocked:
        found.append(f"a side refused units in the last cycle: routekit sync links {pair.name} --state blocked")
    return found


def _plain(summary: Summary) -> dict[str, Any]:
    figures = {name: value for name, value in summary.figures().items() if name not in ("lags", "alerts")}
    told = {"complete": summary.complete, "note": summary.note, "alerts": summary.alerts, "lag_99": p99(summary)}
    return {"pair": summary.pair, **figures, "writes": summary.writes, **told}
