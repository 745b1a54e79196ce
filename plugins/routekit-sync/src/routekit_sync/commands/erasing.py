"""`routekit sync export`, `erase` and `readmit`: what is known of a person is given out, or forgotten for good."""

from typing import Annotated, Any

import typer

from routekit import Runtime
from routekit.commanding import ROUTES, As, AsJson, name_of, out, print_json

from .. import erasing
from ..elsewhere import Elsewhere, find_elsewhere, forget_elsewhere
from ..erasing import Held, Subject
from ..pair import SyncPair
from .app import Found, OnePair, Routes, Why, found, ledger_of, noted, sync

Values = Annotated[
    list[str], typer.Argument(help="values as they stand in fields: an address, a number; or ids of records")
]


@sync.command()
def export(values: Values, routes: Routes = ROUTES) -> None:
    """Print all that pairs remember of a person, as JSON, whole: for the person itself."""
    here = found(routes)
    subject = Subject(values)

    async def work(runtime: Runtime) -> dict[str, Any]:
        held = [await erasing.find(ledger_of(pair, runtime), pair, subject) for pair in here.pairs]
        letters = [
            await runtime.store.letters.get(own) for own in (await find_elsewhere(runtime.store, subject)).letters
        ]
        told = [
            {"route": one.route, "when": one.when, "body": one.body, "headers": one.headers} for one in letters if one
        ]
        return {"pairs": [one.document() for one in held if one.links or one.conflicts], "letters": told}

    print_json(here.run(work))


@sync.command()
def erase(
    values: Values,
    yes: Annotated[bool, typer.Option("--yes", help="do it; else it is only said what there is")] = False,
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
    as_json: AsJson = False,
) -> None:
    """Forget a person, in all pairs, dead letters and traces, and keep its records out from now on.

    Nothing is written to the systems: the ids of its records there are printed once, and kept nowhere.
    """
    here, by, subject = found(routes), name_of(who), Subject(values)

    async def work(runtime: Runtime) -> tuple[list[tuple[str, SyncPair, Held]], Elsewhere]:
        told: list[tuple[str, SyncPair, Held]] = []
        for pair in here.pairs:
            ledger = ledger_of(pair, runtime)
            if not yes:
                told.append(("", pair, await erasing.find(ledger, pair, subject)))
                continue
            erasure, held = await erasing.erase(ledger, pair, subject)
            counts = ", ".join(f"{count} {kind}" for kind, count in held.counts.items())
            await noted(runtime, by, "erase", pair, f"erasure {erasure}", f"{counts}{f'; {why}' if why else ''}")
            told.append((erasure, pair, held))
        elsewhere = await find_elsewhere(runtime.store, subject)
        if yes:
            await forget_elsewhere(runtime.store, elsewhere)
        return told, elsewhere

    told, elsewhere = here.run(work, keeps=yes)
    if as_json:
        print_json(_plain(told, elsewhere))
        return
    _show(told, elsewhere, done=yes)


@sync.command()
def readmit(
    pair: OnePair,
    erasure: Annotated[str, typer.Argument(help="the id that `erase` has printed; it is in the audit")],
    why: Why = "",
    who: As = None,
    routes: Routes = ROUTES,
) -> None:
    """Take an erasure back: records of that person may be linked again. What was forgotten stays so."""
    here: Found = found(routes, pair)
    by = name_of(who)

    async def work(runtime: Runtime) -> int:
        one = here.pairs[0]
        count = await erasing.readmit(ledger_of(one, runtime), one, erasure)
        await noted(runtime, by, "readmit", one, f"erasure {erasure}", why)
        return count

    here.run(work, keeps=True)
    out.print(f"{pair}: records of erasure {erasure} may be linked again by the next full comparison")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _plain(told: list[tuple[str, SyncPair, Held]], elsewhere: Elsewhere) -> dict[str, Any]:
    return {
        "pairs": [
            {
                "pair": pair.name,
                "erasure": erasure,
                **held.counts,
                "records": {pair.a.name: held.records("a"), pair.b.name: held.records("b")},
            }
            for erasure, pair, held in told
        ],
        "letters": len(elsewhere.letters),
        "traces": sum(map(len, elsewhere.traces.values())),
        "others": elsewhere.others,
        "unsearched": elsewhere.unsearched,
    }


def _show(told: list[tuple[str, SyncPair, Held]], elsewhere: Elsewhere, *, done: bool) -> None:
    word = "forgotten" if done else "found"
    for erasure, pair, held in told:
        counts = held.counts
        links, conflicts = _many(counts["links"], "link"), _many(counts["conflicts"], "conflict")
        said = f"{links}, {conflicts}, {counts['quarantine']} in quarantine {word}"
        out.print(f"{pair.name}: {said}{f'; erasure {erasure}' if erasure else ''}")
        for remote, side in ((pair.a, "a"), (pair.b, "b")):
            records = held.records("a" if side == "a" else "b")
            if records:
                out.print(f"  records in {remote.name}, which are left to you: {', '.join(records)}")
        if counts["mentions"]:
            out.print(f"  mentioned in a text of {_many(counts['mentions'], 'link')} of others, which stay")
    traces = sum(map(len, elsewhere.traces.values()))
    out.print(f"dead letters: {len(elsewhere.letters)} {word}; traces: {traces} {word}")
    for name, count in elsewhere.others.items():
        out.print(f"{name}: mentioned {_many(count, 'time')}, which stay")
    if elsewhere.unsearched:
        those = ", ".join(f"{count} in {kind}" for kind, count in elsewhere.unsearched.items())
        out.print(f"cannot be searched: {those}")
    if not done:
        out.print("nothing was changed; --yes forgets it")
