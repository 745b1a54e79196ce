"""Reference: what an endpoint, codec or step is and which options it has, from the models and docstrings themselves."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .endpoint import PER_MESSAGE, Capabilities, Endpoint, Listener, Producer
from .errors import UnknownName, did_you_mean
from .flow import Flow
from .plugins import Catalog
from .units import seconds, size


@dataclass(frozen=True, slots=True)
class Option:
    """One option: `default` is empty for one that must be given."""

    name: str
    type: str
    default: str
    doc: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be written in a route."""

    name: str
    kind: str
    usage: str
    doc: str
    options: tuple[Option, ...] = ()
    promises: tuple[str, ...] = ()
    """What an endpoint promises whatever its options are, a sentence each."""


def describe(name: str, catalog: Catalog) -> list[Entry]:
    """The entries for a scheme, a step or `codec.NAME`; raises UnknownName with what there is."""
    if name.startswith("codec."):
        kind = catalog.codec_kind(name.removeprefix("codec."))
        return [Entry(name, "codec", f"codec={kind.name}", inspect.getdoc(kind) or "", _options(kind, None))]
    entries = [_step(name)] if name in steps() else []
    if name in catalog.schemes():
        entries += [_endpoint(kind) for kind in catalog.endpoints(name)]
    if not entries:
        raise UnknownName(f"nothing is called '{name}'", hint=did_you_mean(name, {*catalog.schemes(), *steps()}))
    return entries


def template_entry(name: str, function: Callable[..., Any], *, fragment: bool) -> Entry:
    """The entry for a function that gives a route, or, as a fragment, goes on with one."""
    options = _parameters(list(inspect.signature(function).parameters.values())[fragment:])
    given = ", ".join(option.name for option in options if option.required)
    usage = f".apply({name}{', ' if given else ''}{given})" if fragment else f"{name}({given})"
    return Entry(name, "fragment" if fragment else "template", usage, inspect.getdoc(function) or "", options)


def table_entry(name: str, kind: type[BaseModel]) -> Entry:
    """The entry for a table of `routekit.toml`."""
    return Entry(name, "table of settings", f"[{name}]", inspect.getdoc(kind) or "", _options(kind, None))


def steps() -> dict[str, Callable[..., Any]]:
    """The words of the language."""
    return {name: word for name, word in vars(Flow).items() if inspect.isfunction(word) and _is_word(name)}


def _is_word(name: str) -> bool:
    return not name.startswith("_") and name != "route"


def _step(name: str) -> Entry:
    word = steps()[name]
    options = _parameters(list(inspect.signature(word).parameters.values())[1:])
    return Entry(name, "step", f".{name}(...)", inspect.getdoc(word) or "", options)


def _parameters(parameters: Iterable[inspect.Parameter]) -> tuple[Option, ...]:
    return tuple(
        Option(p.name, _typed(p.annotation), "" if p.default is p.empty else repr(p.default), "", p.default is p.empty)
        for p in parameters
        if p.kind is not p.VAR_KEYWORD
    )


def _endpoint(kind: type[Endpoint]) -> Entry:
    path = kind.path_field()
    source = "source (event-driven)" if issubclass(kind, Listener) else "source"
    direction = "sink" if issubclass(kind, Producer) else source
    usage = f"{kind.scheme}:{path.upper() if path else ''}?option=value"
    doc = inspect.getdoc(kind) or ""
    return Entry(kind.scheme, direction, usage, doc, _options(kind, path), _promises(kind.capabilities))


def _promises(capabilities: Capabilities) -> tuple[str, ...]:
    """The promises that are made, each with its meaning."""
    told: list[str] = []
    for name, field in Capabilities.model_fields.items():
        value = getattr(capabilities, name)
        if value not in (False, None):
            told.append(f"{name if value is True else f'{name} {value}'}: {field.description}")
    return tuple(told)


def _options(kind: type[BaseModel], path: str | None) -> tuple[Option, ...]:
    return tuple(_option(name, field, name == path) for name, field in kind.model_fields.items())


def _option(name: str, field: FieldInfo, is_path: bool) -> Option:
    doc = field.description or ""
    if is_path:
        doc = f"{doc} (the path of the URI)".strip()
    if PER_MESSAGE in field.metadata:
        doc = f"{doc} (may be computed for each message)".strip()
    kind = _unit(field.metadata) or _typed(field.annotation)
    return Option(name, kind, _default(field), doc, field.is_required())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    default: object = field.get_default() if field.default_factory is None else cast("Any", field.default_factory)()
    return str(default).lower() if isinstance(default, bool) else str(default)


def _unit(metadata: Iterable[Any]) -> str:
    """`duration` or `size` for what is written with a unit, such as `2m30s` or `10MB`."""
    functions = [getattr(mark, "func", None) for mark in metadata]
    return "duration" if seconds in functions else "size" if size in functions else ""


def _typed(annotation: Any) -> str:
    """A type as people write it: `float | None`, `'move' | 'delete'`, `function`."""
    if isinstance(annotation, str):
        return annotation
    origin = get_origin(annotation)
    if origin is Annotated:
        return _unit(annotation.__metadata__) or _typed(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_typed(arm) for arm in get_args(annotation)))
    if origin is Callable:
        return "function"
    if origin is Literal:
        return " | ".join(repr(value) for value in get_args(annotation))
    if isinstance(annotation, type) and origin is None:
        return "None" if annotation is NoneType else annotation.__name__
    return re.sub(r"(?:[a-z_]\w*\.)+(?=[A-Za-z])|~", "", str(annotation)).replace("NoneType", "None")
