"""Trees: reading a path off a model, and writing one into what a model is made of.

A tree is a dictionary of a model's fields by name. What was there before is in it as it was, and only what is written
into is opened: so a model within, and its extra fields, stay whole.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel

from .presence import MISSING
from .references import Path, Row, Step, bare, may_be_none

Tree: TypeAlias = dict[str, Any]
Read: TypeAlias = Callable[[Any], Any]
Write: TypeAlias = Callable[[Tree, Any], None]
Open: TypeAlias = Callable[[Tree], Tree]


class Rows(list[Any]):
    """A list that was opened to be written into."""


class Opened(dict[str, Any]):
    """A model or a row that was opened to be written into."""

    __slots__ = ("kept", "nullable")

    def __init__(self, values: Any, nullable: bool, kept: frozenset[str] = frozenset()) -> None:
        super().__init__(values)
        self.nullable = nullable
        self.kept = kept
        """By what a row is found."""

    @property
    def hollow(self) -> bool:
        """Whether nothing is left in it that would be lost."""
        return self.nullable and all(value is None or name in self.kept for name, value in self.items())


def reader(path: Path) -> Read:
    """What reads a path off a model: `MISSING` for what is not set, None for null and for what is behind it."""
    holders = [path.model, *(holder for _, holder in _holders(path))]
    steps = [_reading(step, holder) for step, holder in zip(path.steps, holders, strict=False)]
    read = steps[0]
    for further in steps[1:]:
        read = _behind(read, further)
    return read


def _set(name: str) -> Read:
    def read(model: Any) -> Any:
        return model.__dict__[name] if name in model.__pydantic_fields_set__ else MISSING

    return read


def _computed(name: str) -> Read:
    return lambda model: getattr(model, name)


def _finding(row: Row) -> Read:
    where = row.where
    return lambda items: next((item for item in items if _has(item, where)), None)


def _behind(first: Read, second: Read) -> Read:
    def read(model: Any) -> Any:
        value = first(model)
        return value if value is MISSING or value is None else second(value)

    return read


def _has(item: Any, where: tuple[tuple[str, Any], ...]) -> bool:
    if isinstance(item, Opened):
        return all(item.get(name, MISSING) == value for name, value in where)
    return all(getattr(item, name, MISSING) == value for name, value in where)


def opened(model: BaseModel) -> Tree:
    """A model's fields by name, those that are set and the extra ones."""
    values = model.__dict__
    tree = {name: values[name] for name in model.model_fields_set if name in values}
    return {**tree, **(model.__pydantic_extra__ or {})}


def writer(path: Path) -> Write:
    """What writes a value, or None, into a tree; models and rows on the way are made where they are missing.

    What was made for null alone, `settle` takes away again.
    """
    if len(path.steps) == 1:
        name = path.top
        return lambda tree, value: tree.__setitem__(name, value)
    ways, last = _ways(path)

    def write(tree: Tree, value: Any) -> None:
        holder = tree
        for way in ways:
            holder = way(holder)
        if last:
            holder[last] = value
        else:
            _refill(holder, value)

    return write


def _refill(row: Tree, value: Any) -> None:
    """Give a row all that a model has; without one it has nothing but what it is found by."""
    kept = row.kept if isinstance(row, Opened) else frozenset[str]()
    given = dict.fromkeys(row) if value is None else opened(value)
    row.update((name, one) for name, one in given.items() if name not in kept)


def _holders(path: Path) -> Iterator[tuple[Any, Any]]:
    """Of each step the declared type of what it leads to, and what that is without None and without marks."""
    holder: Any = path.model
    for step in path.steps:
        if isinstance(step, Row):
            annotation = get_args(holder)[0]
        else:
            info = holder.model_fields.get(step.name)
            annotation = Any if info is None else info.annotation
        holder = bare(annotation)
        yield annotation, holder


def _reading(step: Step, holder: Any) -> Read:
    if isinstance(step, Row):
        return _finding(step)
    return _set(step.name) if step.name in holder.model_fields else _computed(step.name)


def _ways(path: Path) -> tuple[list[Open], str]:
    """How each holder on the way is opened, and the name of the field in the last; empty if that is a row itself."""
    ways: list[Open] = []
    last = ""
    for step, (annotation, _), further in zip(path.steps, _holders(path), (*path.steps[1:], None), strict=True):
        if isinstance(step, Row):
            ways.append(_row(last, step))
            last = ""
        elif further is None or isinstance(further, Row):
            last = step.name
        else:
            ways.append(_model(step.name, may_be_none(annotation)))
    return ways, last


def _model(name: str, nullable: bool) -> Open:
    def enter(holder: Tree) -> Tree:
        inner = holder.get(name)
        if type(inner) is not Opened:
            inner = holder[name] = Opened({} if inner is None else opened(inner), nullable)
        return inner

    return enter


def _row(name: str, row: Row) -> Open:
    where = row.where
    kept = frozenset(name for name, _ in where)

    def enter(holder: Tree) -> Tree:
        items = holder.get(name)
        if type(items) is not Rows:
            items = holder[name] = Rows(items or ())
        for place, item in enumerate(items):
            if _has(item, where):
                if type(item) is not Opened:
                    items[place] = Opened(opened(item), True, kept)
                return items[place]
        items.append(Opened(where, True, kept))
        return items[-1]

    return enter


def settle(tree: Tree) -> None:
    """Clear up after all is written: rows that hold nothing any more go, and so do models that may be null."""
    for name, value in tree.items():
        if type(value) is Opened:
            settle(value)
            if value.hollow:
                tree[name] = None
        elif type(value) is Rows:
            for item in value:
                if type(item) is Opened:
                    settle(item)
            value[:] = [item for item in value if type(item) is not Opened or not item.hollow]
