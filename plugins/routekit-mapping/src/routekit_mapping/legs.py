"""Legs: one rule in one direction, compiled to closures that read, convert and write."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from .converting import Converter, canonical
from .errors import Unresolved
from .limits import Limit, declared_length
from .presence import MISSING, is_empty
from .references import Path
from .rules import Rule
from .trees import Read, Tree, reader, writer

Resolve: TypeAlias = Callable[[str, str, Any], Any]
"""Asked with the name of what is referred to, the side that is written (`a` or `b`), and the id on the other side.

It gives the id on the side that is written, or None if there is none yet.
"""


class Leg:
    """One rule in one direction."""

    def __init__(self, rule: Rule, side: str) -> None:
        there = side == "b"
        self.rule = rule
        self.side = side
        self.sources: tuple[Path, ...] = rule.a if there else rule.b
        self.targets: tuple[Path, ...] = rule.b if there else rule.a
        marked = (path.sensitive for path in (*self.sources, *self.targets))
        self.mark = next((mark for mark in marked if mark is not None), None)
        """If any of the fields is sensitive, so is all that is said about the rule."""
        several = (rule.several_a, rule.several_b) if there else (rule.several_b, rule.several_a)
        self.by = _directed(rule.by, there)
        self.limit = _limit(rule.limit if there else rule.limit_a, self.targets)
        self.default = rule.value if rule.kind == "default" else rule.default if there else rule.default_a
        self.on_null = rule.on_null
        self.source_empty = rule.empty == "null"
        self.resolves = rule.kind in ("reference", "nested", "each")
        self.read: Read = _reading(self.sources, several[0], self.source_empty)
        self.read_old: Read = _reading(self.targets, several[1], self.source_empty)
        self.write = _writing(self.targets, several[1], self.source_empty)
        self.convert: Callable[[Any, Resolve | None], Any] = _converting(rule, side, self.by, self.limit)
        other = _limit(rule.limit_a if there else rule.limit, self.sources)
        self.canon: Callable[[Any], Any] | None = None
        if rule.direction == "both":
            self.canon = _inner_canon(rule, side) or _canon(self.by, self.limit, other, several[1])
        self.merge = _merging(rule, side)
        self.fill = _filling(self, several[0])

    @property
    def key(self) -> bool:
        return self.rule.key

    def value(self, model: Any, resolve: Resolve | None) -> Any:
        """What the target gets: a value, None, or `MISSING`: it is left alone. Defaults are not in it."""
        value = self.read(model)
        if value is MISSING:
            return MISSING
        if value is None:
            return self.nothing()
        return self.convert(value, resolve)

    def nothing(self) -> Any:
        """What null becomes on the other side."""
        if self.on_null == "clear":
            return None
        return self.default if self.on_null == "default" else MISSING

    def onto(self, model: Any, old: Any, tree: Tree, resolve: Resolve | None) -> bool:
        """Write into a record that there is, if that says something else already; whether it was written."""
        if not self.sources:
            return False
        new, was = self.against(model, old, resolve)
        if new is MISSING or self.alike(new, was):
            return False
        self.write(tree, new)
        return True

    def against(self, model: Any, old: Any, resolve: Resolve | None) -> tuple[Any, Any]:
        """What a record that there is would get, and what it has."""
        was = self.read_old(old)
        value = self.read(model)
        if value is MISSING:
            return MISSING, was
        if value is None:
            return self.nothing(), was
        if self.merge is not None and was is not MISSING and was is not None:
            return self.merge(value, was, resolve), was
        if self.fill is not None:
            value = self.fill(value, was)
        return self.convert(value, resolve), was

    def alike(self, new: Any, was: Any) -> bool:
        """Whether two values of the target mean the same."""
        if new is was or (new == was and type(new) is type(was)):
            return True
        if self.canon is None or new is None or was is None or was is MISSING:
            return False
        return self.canon(new) == self.canon(was)


def _limit(limit: Limit | None, paths: tuple[Path, ...]) -> Limit | None:
    """A limit with the length that the field's type allows, if it says none itself."""
    if limit is None or limit.length is not None or len(paths) != 1:
        return limit
    return replace(limit, length=declared_length(paths[0].metadata))


def _directed(by: Converter[Any, Any] | None, there: bool) -> Converter[Any, Any] | None:
    return by if by is None or there else by.inverse


def _reading(paths: tuple[Path, ...], several: bool, empty_is_null: bool) -> Read:
    reads = [_emptied(reader(path)) if empty_is_null else reader(path) for path in paths]
    if not several:
        return reads[0] if reads else lambda model: MISSING

    def read(model: Any) -> Any:
        values = [one(model) for one in reads]
        said = [value for value in values if value is not MISSING]
        if not said:
            return MISSING
        if all(value is None for value in said):
            return None
        return tuple(values)

    return read


def _emptied(read: Read) -> Read:
    def emptied(model: Any) -> Any:
        value = read(model)
        return None if is_empty(value) else value

    return emptied


def _writing(paths: tuple[Path, ...], several: bool, empty_is_null: bool) -> Callable[[Tree, Any], None]:
    writes = [_blanking(path) if empty_is_null else writer(path) for path in paths]
    if not several:
        return writes[0]

    def write(tree: Tree, value: Any) -> None:
        parts = (None,) * len(writes) if value is None else value
        for one, part in zip(writes, parts, strict=True):
            one(tree, part)

    return write


def _blanking(path: Path) -> Callable[[Tree, Any], None]:
    """What writes null as an empty text or list, where null cannot be."""
    write = writer(path)
    if path.nullable or path.kind is not str:
        return write
    return lambda tree, value: write(tree, "" if value is None else value)


def _converting(
    rule: Rule, side: str, by: Converter[Any, Any] | None, limit: Limit | None
) -> Callable[[Any, Resolve | None], Any]:
    several = rule.several_a if side == "b" else rule.several_b
    if rule.kind == "reference":
        return _resolving(rule.table, side)
    if rule.kind == "nested":
        inner = rule.mapping.forward if side == "b" else rule.mapping.backward
        return lambda value, resolve: inner(value, resolve=resolve)
    if rule.kind == "each":
        inner = rule.mapping.forward if side == "b" else rule.mapping.backward
        return lambda value, resolve: [inner(one, resolve=resolve) for one in value]
    to = _cut(_known(by.to) if by is not None and several else by.to if by is not None else None, limit)
    return (lambda value, resolve: value) if to is None else (lambda value, resolve: to(value))


def _known(to: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A converter of several fields gets None for one that says nothing."""
    return lambda values: to(tuple(None if value is MISSING else value for value in values))


def _cut(to: Callable[[Any], Any] | None, limit: Limit | None) -> Callable[[Any], Any] | None:
    if limit is None:
        return to
    cut = limit.cut
    return cut if to is None else lambda value: cut(to(value))


def _resolving(table: str, side: str) -> Callable[[Any, Resolve | None], Any]:
    def convert(value: Any, resolve: Resolve | None) -> Any:
        found = None if resolve is None else resolve(table, side, value)
        if found is None:
            raise Unresolved(f"what it refers to in {table} has no counterpart on side {side} yet")
        return found

    return convert


def _canon(
    by: Converter[Any, Any] | None, limit: Limit | None, other: Limit | None, several: bool
) -> Callable[[Any], Any] | None:
    """What of a target's value the mapping tells apart: the way back and there again, limits and all."""
    back = by.back if by is not None else None
    if by is not None and back is None:
        return None
    away = _cut(_known(back) if several and back is not None else back, other)
    there = _cut(None if by is None else by.to, limit)
    if away is None and there is None:
        return None
    around = Converter[Any, Any]("there and back", away or _itself, there or _itself)
    return lambda value: canonical(around, value)


def _inner_canon(rule: Rule, side: str) -> Callable[[Any], Any] | None:
    """Of a model or rows within: what their mapping reads of them."""
    if rule.kind not in ("nested", "each"):
        return None
    back = rule.mapping.backward if side == "b" else rule.mapping.forward

    def canon(value: Any) -> Any:
        try:
            return back(value) if rule.kind == "nested" else [back(one) for one in value]
        except ValueError:
            return value

    return canon


def _itself(value: Any) -> Any:
    return value


def _merging(rule: Rule, side: str) -> Callable[[Any, Any, Resolve | None], Any] | None:
    if rule.kind not in ("nested", "each"):
        return None
    put = rule.mapping.put if side == "b" else rule.mapping.put_back
    if rule.kind == "nested":
        return lambda value, was, resolve: put(value, was, resolve=resolve)
    return lambda value, was, resolve: rule.mapping.rows(side, value, was, resolve)


def _filling(leg: Leg, several: bool) -> Callable[[Any, Any], Any] | None:
    """What a part that says nothing is, by what the other side says: it stays."""
    by = leg.by
    if not several or by is None or by.back is None:
        return None
    back = _known(by.back) if len(leg.targets) > 1 else by.back

    def fill(value: tuple[Any, ...], was: Any) -> tuple[Any, ...]:
        if MISSING not in value or was is MISSING or was is None:
            return value
        try:
            known = back(was)
        except (ValueError, ArithmeticError):
            return value
        return tuple(old if new is MISSING else new for new, old in zip(value, known, strict=True))

    return fill
