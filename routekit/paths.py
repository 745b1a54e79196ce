"""Paths of fields, such as `customer.email` and `lines.*.price`: what they keep, drop, and whether a type has them."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, Union, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from typing_extensions import is_typeddict

from .errors import BodyError, DefinitionError, did_you_mean

Tree: TypeAlias = dict[str, "Tree"]
"""Paths by their first name; what has nothing below it is meant whole."""

EACH = "*"
"""Each element of a list, or each value of a dict."""


def tree(paths: Iterable[str]) -> Tree:
    """The paths as a tree; a path that goes into another one that is meant whole adds nothing.

    >>> tree(["id", "lines.*.sku", "lines.*.price"])
    {'id': {}, 'lines': {'*': {'sku': {}, 'price': {}}}}
    """
    top: Tree = {}
    whole: set[int] = set()
    for path in sorted(paths, key=lambda path: path.count(".")):
        names = path.split(".")
        if not all(names):
            raise DefinitionError(f"'{path}' is no path of a field", hint="write names with dots: customer.email")
        place = top
        for name in names:
            if id(place) in whole:
                break
            place = place.setdefault(name, {})
        whole.add(id(place))
    return top


def kept(data: Any, paths: Tree, *, strict: bool, at: str = "") -> Any:
    """The data with only these fields; with `strict` each has to be there, else BodyError."""
    if not paths or data is None:
        return data
    if EACH in paths and isinstance(data, list):
        items = cast("list[Any]", data)
        return [kept(item, paths[EACH], strict=strict, at=f"{at}{n}.") for n, item in enumerate(items)]
    row = _row(data, paths, strict=strict, at=at)
    inner = {name: paths.get(name, paths.get(EACH)) for name in row}
    return {
        name: kept(row[name], below, strict=strict, at=f"{at}{name}.")
        for name, below in inner.items()
        if below is not None
    }


def dropped(data: Any, paths: Tree, *, strict: bool, at: str = "") -> Any:
    """The data without these fields; with `strict` each has to be there, else BodyError."""
    if data is None:
        return data
    if EACH in paths and isinstance(data, list):
        items, below = cast("list[Any]", data), paths[EACH]
        return [dropped(item, below, strict=strict, at=f"{at}{n}.") for n, item in enumerate(items) if below]
    row = _row(data, paths, strict=strict, at=at)
    left: dict[str, Any] = {}
    for name, value in row.items():
        below = paths.get(name, paths.get(EACH))
        if below is None:
            left[name] = value
        elif below:
            left[name] = dropped(value, below, strict=strict, at=f"{at}{name}.")
    return left


def _row(data: Any, paths: Tree, *, strict: bool, at: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        first = next(iter(paths))
        raise BodyError(f"has no '{at}{first}': '{at[:-1]}' is of type {type(data).__name__}")
    row = cast("Mapping[str, Any]", data)
    if strict:
        for name in paths:
            if name not in row and name != EACH:
                reason = f"has no '{at}{name}'"
                raise BodyError(reason, hint=f"{did_you_mean(name, map(str, row))}, or give strict=False")
    return row


def check(kind: Any, paths: Tree, at: str = "") -> None:
    """Raises DefinitionError if values of this type cannot have one of the fields."""
    for name, below in paths.items():
        found = _types_below(kind, name)
        if not found:
            title = getattr(kind, "__name__", str(kind))
            raise DefinitionError(f"{title} has no '{at}{name}'", hint=did_you_mean(name, _names(kind)))
        if Any not in found:
            check(found[0] if len(found) == 1 else Union[tuple(found)], below, f"{at}{name}.")  # noqa: UP007 - made while running


def _types_below(kind: Any, name: str) -> list[Any]:
    """The types that stand there; Any where that is not known, nothing where there is nothing."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _types_below(args[0], name)
    if origin in (Union, UnionType):
        return [found for arm in args if arm is not NoneType for found in _types_below(arm, name)]
    bare = origin or kind
    if not isinstance(bare, type) or bare in (Any, object):
        return [Any]
    hints = _hints(bare)
    if hints is not None:
        extra = issubclass(bare, BaseModel) and bare.model_config.get("extra") == "allow"
        return [hints[name]] if name in hints else [Any] if extra else []
    if issubclass(bare, Mapping):
        return [args[1]] if len(args) == 2 else [Any]
    if issubclass(bare, list | tuple):
        return ([arg for arg in args if arg is not Ellipsis] or [Any]) if name == EACH else []
    return []


def _hints(kind: type[Any]) -> dict[str, Any] | None:
    """The fields of a model, dataclass or TypedDict with their types; None for what has no fields."""
    if issubclass(kind, BaseModel):
        return {name: found.annotation for name, found in kind.model_fields.items()}
    if not is_dataclass(kind) and not is_typeddict(kind):
        return None
    names = [found.name for found in fields(kind)] if is_dataclass(kind) else list(kind.__annotations__)
    try:
        hints = get_type_hints(kind)
    except NameError:  # a type that only the checker sees
        hints = {}
    return {name: hints.get(name, Any) for name in names}


def _names(kind: Any) -> list[str]:
    arms = (
        [arm for arm in get_args(kind) if isinstance(arm, type)] if get_origin(kind) in (Union, UnionType) else [kind]
    )
    return [name for arm in arms if isinstance(arm, type) for name in _hints(arm) or ()]
