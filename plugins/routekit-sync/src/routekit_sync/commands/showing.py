"""How values, times and plans are written for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from time import gmtime, strftime
from typing import Any

from routekit.commanding import one_line

from ..hiding import hidden, problem_of
from ..pair import SyncPair
from ..plans import Change, LinkPlan, Write
from ..state import Link
from ..units import Side

WIDE = 48
"""Characters of a value that are shown in a line."""


def value_text(value: Any) -> str:
    """A value in a few words, as JSON; a long one is cut."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return one_line(text if len(text) <= WIDE else f"{text[: WIDE - 3]}...")


def fields_text(fields: Mapping[str, Any]) -> str:
    """Fields in one line: the value alone if there is one only."""
    if len(fields) == 1:
        return value_text(next(iter(fields.values())))
    return ", ".join(f"{name}={value_text(value)}" for name, value in fields.items()) or "-"


def when(moment: float | None) -> str:
    """A time in seconds since 1970, in UTC."""
    return "" if moment is None else strftime("%Y-%m-%d %H:%M:%S", gmtime(moment))


def ago(seconds: float) -> str:
    """How long ago something was, in one unit."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def arrow(side: str) -> str:
    """From where to where a side is written."""
    return "A→B" if side == "b" else "B→A"


def ids_of(link: Link) -> Mapping[str, str]:
    """The ids of its records, by side."""
    sides = {"a": link.a, "b": link.b}
    return {side: shadow.id for side, shadow in sides.items() if shadow is not None}


def write_plain(write: Write, pair: SyncPair) -> dict[str, Any]:
    """A write as plain data, masked."""
    return {
        "side": write.side,
        "remote": pair.remote(write.side).name,
        "op": write.op,
        "fields": hidden(write.fields, pair),
        "units": list(write.units),
        "changes": [_change(change, pair) for change in write.changes],
    }


def plan_plain(plan: LinkPlan, pair: SyncPair, ids: Mapping[str, str]) -> dict[str, Any]:
    """What one link needs as plain data, masked."""
    return {
        "pair": pair.name,
        "link": plan.link,
        "ids": dict(ids),
        "writes": [write_plain(write, pair) for write in plan.writes],
        "conflicts": [
            {
                "unit": one.unit,
                "outcome": one.outcome,
                "why": one.why,
                "a": hidden(one.value_a, pair),
                "b": hidden(one.value_b, pair),
            }
            for one in plan.disputes
        ],
        "drift": list(plan.drift),
        "problems": {unit: problem_of(unit, problem, pair) for unit, problem in plan.problems.items()},
        "blocked": list(plan.blocked),
        "waits for a person": list(plan.frozen),
        "waits for": plan.waits_for,
        "verdict": plan.verdict,
        "why": plan.why,
    }


def diff_lines(plan: LinkPlan, pair: SyncPair, ids: Mapping[str, str]) -> Iterator[str]:
    """Every write that a link needs, before and after for each field, and what else was found on the way."""
    who = ids.get("a") or ids.get("b") or plan.link
    for write in plan.writes:
        yield _headline(write, pair, ids)
        yield from _change_lines(write, pair)
    for one in plan.disputes:
        took = "waits for a person" if one.outcome == "manual" else f"took {one.outcome}"
        yield f"conflict in {one.unit} of {who}: {took} ({one.why})"
        yield f"  a: {fields_text(hidden(one.value_a, pair))}"
        yield f"  b: {fields_text(hidden(one.value_b, pair))}"
    for unit, problem in plan.problems.items():
        yield f"problem in {unit} of {who}: {problem_of(unit, problem, pair)}"
    for unit in plan.drift:
        yield f"drift in {unit} of {who}: the sides differ, and neither has changed"
    if plan.waits_for:
        yield f"{who} waits for {plan.waits_for}"
    if plan.verdict:
        yield f"link {who} ends: {plan.verdict}" + (f" ({plan.why})" if plan.why else "")


def _headline(write: Write, pair: SyncPair, ids: Mapping[str, str]) -> str:
    other: Side = "a" if write.side == "b" else "b"
    there = f" {ids[write.side]}" if write.side in ids else ""
    of = f" for {pair.remote(other).name} {ids[other]}" if other in ids else ""
    return f"{write.op} {pair.remote(write.side).name}{there}{of}"


def _change(change: Change, pair: SyncPair) -> dict[str, Any]:
    return {
        "unit": change.unit,
        "before": hidden(change.before, pair),
        "after": hidden(change.after, pair),
        "why": change.why,
    }


def _change_lines(write: Write, pair: SyncPair) -> Iterator[str]:
    rows: list[tuple[str, str, str]] = []
    for change in write.changes:
        before, after = hidden(change.before, pair), hidden(change.after, pair)
        for name in dict.fromkeys([*before, *after]):
            if change.before.get(name) == change.after.get(name) and name in before and name in after:
                continue
            was = f"{value_text(before[name])} -> " if name in before else ""
            rows.append((name, f"{was}{value_text(after.get(name))}", change.why))
    if not write.changes:
        rows = [(name, value_text(value), "") for name, value in hidden(write.fields, pair).items()]
    yield from _columns(rows)


def _columns(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    wide = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for name, text, why in rows:
        yield f"  {name:<{wide[0]}}  {text:<{wide[1]}}  {why}".rstrip()
