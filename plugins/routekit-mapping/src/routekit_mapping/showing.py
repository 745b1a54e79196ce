"""Showing: a mapping as a table for people, and where the value of a field comes from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from .presence import MISSING
from .references import Path
from .rules import Rule

Form = Literal["markdown", "html"]

_ARROWS = {"both": "↔", "to_b": "→", "to_a": "←"}


@dataclass(frozen=True, slots=True)
class Lineage:
    """One way by which a field gets its value."""

    field: str
    sources: tuple[str, ...]
    """The fields of the other side; none for a default."""
    steps: tuple[str, ...]
    rule: str


def lineage_of(rules: Sequence[Rule], path: Path, side: str) -> tuple[Lineage, ...]:
    """What writes a field, or into it: one for each rule."""
    found: list[Lineage] = []
    for rule in rules:
        targets, sources = (rule.b, rule.a) if side == "b" else (rule.a, rule.b)
        if rule.direction not in ("both", f"to_{side}"):
            continue
        found += [
            Lineage(str(target), tuple(map(str, sources)), _steps(rule, side), rule.name)
            for target in targets
            if _overlap(target, path)
        ]
    return tuple(found)


def _overlap(left: Path, right: Path) -> bool:
    shared = min(len(left.steps), len(right.steps))
    return left.steps[:shared] == right.steps[:shared]


def _steps(rule: Rule, side: str) -> tuple[str, ...]:
    if rule.kind == "default":
        return (f"default {rule.value!r}",)
    return rule.steps if side == "b" else tuple(f"{step}, back" for step in reversed(rule.steps))


def table_of(a: str, b: str, rules: Sequence[Rule], form: Form) -> str:
    """All rules, those of mappings within below their own."""
    head = (a, "", b, "how", "null", "not told apart", "together")
    rows = list(_rows(rules, "", ""))
    return _markdown(head, rows) if form == "markdown" else _html(head, rows)


def _rows(rules: Iterable[Rule], before_a: str, before_b: str) -> Iterable[tuple[str, ...]]:
    for rule in rules:
        left = [f"{before_a}{path}" for path in rule.a]
        right = [f"{before_b}{path}" for path in rule.b]
        loss = "" if rule.by is None else rule.by.loss
        arrow = _ARROWS[rule.direction]
        yield (", ".join(left), arrow, ", ".join(right), _how(rule), _null(rule), loss, rule.unit)
        if rule.mapping is not None:
            inside = "[]." if rule.kind == "each" else "."
            yield from _rows(rule.mapping.rules, f"{left[0]}{inside}", f"{right[0]}{inside}")


def _how(rule: Rule) -> str:
    if rule.kind == "default":
        return f"default {rule.value!r}"
    said = list(rule.steps)
    said += ["computed"] if rule.kind == "computed" and not said else []
    said += ["key"] if rule.key else []
    said += [] if rule.default is MISSING else [f"default {rule.default!r}"]
    return ", ".join(said) or "same"


def _null(rule: Rule) -> str:
    if rule.kind in ("default", "computed"):
        return ""
    said = {"clear": "clears", "keep": "keeps", "default": "default"}[rule.on_null]
    return f"{said}; empty is null" if rule.empty == "null" else said


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(head), "|" + "---|" * len(head), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _html(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
