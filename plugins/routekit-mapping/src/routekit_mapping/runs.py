"""Runs: a leg as one closure that writes into a record that is made; the common cases are the short ones."""

from collections.abc import Callable
from typing import Any, TypeAlias

from .legs import Leg, Resolve
from .presence import MISSING
from .trees import Tree

Run: TypeAlias = Callable[[Any, Tree, Resolve | None], None]


def run_of(leg: Leg) -> Run:
    """What writes into a record that is made: defaults are given."""
    if not leg.sources:
        return _fixed(leg)
    plain = leg.default is MISSING and leg.on_null == "clear"
    if plain and len(leg.sources) == len(leg.targets) == 1 and not leg.source_empty:
        return _lean(leg)
    return _full(leg)


def _fixed(leg: Leg) -> Run:
    value, write = leg.default, leg.write
    return lambda model, tree, resolve: write(tree, value)


def _lean(leg: Leg) -> Run:
    """The common case: one field to one field, null to null, and nothing of what is missing."""
    read, write, to = leg.read, leg.write, leg.by
    if leg.resolves:
        return _converted(leg)
    if to is None and leg.limit is None:
        return _moved(leg)
    if to is None or leg.rule.several_a or leg.rule.several_b:
        return _converted(leg)
    direct = to.to if leg.limit is None else _after(leg.limit.cut, to.to)

    def run(model: Any, tree: Tree, resolve: Resolve | None) -> None:
        value = read(model)
        if value is not MISSING:
            write(tree, None if value is None else direct(value))

    return run


def _after(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: outer(inner(value))


def _converted(leg: Leg) -> Run:
    read, write, convert = leg.read, leg.write, leg.convert

    def run(model: Any, tree: Tree, resolve: Resolve | None) -> None:
        value = read(model)
        if value is not MISSING:
            write(tree, None if value is None else convert(value, resolve))

    return run


def _moved(leg: Leg) -> Run:
    """A field under another name."""
    read, write = leg.read, leg.write
    source, target = leg.sources[0], leg.targets[0]
    if len(source.steps) == len(target.steps) == 1 and source.top in source.model.model_fields:
        name, other = source.top, target.top

        def move(model: Any, tree: Tree, resolve: Resolve | None) -> None:
            if name in model.__pydantic_fields_set__:
                tree[other] = model.__dict__[name]

        return move

    def run(model: Any, tree: Tree, resolve: Resolve | None) -> None:
        value = read(model)
        if value is not MISSING:
            write(tree, value)

    return run


def _full(leg: Leg) -> Run:
    read, write, default, convert, nothing = leg.read, leg.write, leg.default, leg.convert, leg.nothing

    def run(model: Any, tree: Tree, resolve: Resolve | None) -> None:
        value = read(model)
        if value is not MISSING:
            value = nothing() if value is None else convert(value, resolve)
        elif default is not MISSING:
            value = default
        if value is not MISSING:
            write(tree, value)

    return run
