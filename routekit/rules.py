"""Rules that `validate` takes besides functions: a type, and a JSON Schema. They find all faults at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, is_dataclass
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from .callables import arity
from .errors import DefinitionError
from .extras import library
from .fitting import checking, faults
from .plain import as_json, plain

MOST = 100
"""So many faults of a schema are told; a document may have one in each of a million lines."""


def rule_of(rule: Any) -> Callable[..., Any]:
    """What `validate` was given as a function; a type is the rule that the body fits it."""
    if isinstance(rule, type | UnionType) or get_origin(rule) is not None:
        return Fits(rule)
    if not callable(rule):
        hint = "write a function of the body, a type, or JsonSchema(...)"
        raise DefinitionError(f"validate takes rules, found {rule!r}", hint=hint)
    arity(rule)
    return rule


@dataclass(frozen=True)
class Fits:
    """The rule that a body fits a type: a model that was changed since it was made is checked anew."""

    type: Any
    _check: Callable[[Any], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        name = getattr(self.type, "__name__", None) if isinstance(self.type, type) else None
        object.__setattr__(self, "__qualname__", name or str(self.type))
        object.__setattr__(self, "_check", checking(self.type))

    def __call__(self, body: Any) -> list[str]:
        """What does not fit, each with the path of its field."""
        try:
            _anew(body)
            self._check(body)
        except ValidationError as error:
            return [f"{path}: {text}" if path else text for path, text in faults(error, self.type)]
        return []


def _anew(body: object) -> None:
    """Check a model or dataclass as if it came in now: pydantic lets an instance pass as it is."""
    if isinstance(body, BaseModel):
        type(body).model_validate(body.model_dump(round_trip=True, warnings=False), by_alias=True, by_name=True)
    elif is_dataclass(body) and not isinstance(body, type):
        TypeAdapter(type(body)).validate_python(plain(body))


@dataclass(frozen=True)
class JsonSchema:
    """The rule that a body fits a JSON Schema, given as data or as the path of a file that is read here and now.

    Every fault is told with its JSON pointer. The draft is that of `$schema`, 2020-12 if there is none; `format` is
    not checked. The body is JSON text, plain data, a model or a dataclass; it is seen as its JSON, with decimals as
    numbers. Raises DefinitionError for a schema that is none, and for a `$ref` that leads out of it: nothing is
    fetched. Needs `routekit-eip[jsonschema]`.
    """

    schema: Mapping[str, Any] | bool | Path
    _faults: Callable[[Any], Iterator[Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = f"JsonSchema({self.schema.name})" if isinstance(self.schema, Path) else "JsonSchema"
        object.__setattr__(self, "__qualname__", named)
        schema = _read(self.schema) if isinstance(self.schema, Path) else self.schema
        object.__setattr__(self, "_faults", _validator(schema, named).iter_errors)

    def __call__(self, body: Any) -> list[str]:
        """What does not fit, each with its JSON pointer; raises BodyError for a body that is no JSON."""
        found = [_told(fault) for fault in islice(self._faults(as_json(body)), MOST + 1)]
        return found if len(found) <= MOST else [*found[:MOST], "and more"]


def _read(path: Path) -> Any:
    try:
        return from_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DefinitionError(f"the JSON Schema {path} cannot be read: {error}", hint="give its path") from None


def _validator(schema: Any, named: str) -> Any:
    jsonschema = library("jsonschema", extra="jsonschema", asked="JsonSchema")
    if not isinstance(schema, Mapping | bool):
        raise DefinitionError(f"{named} is no JSON Schema: found a {type(schema).__name__}", hint="give a dict")
    kind = jsonschema.validators.validator_for(schema, default=None)
    if kind is None and isinstance(schema, Mapping) and "$schema" in schema:
        asked = cast("Mapping[str, Any]", schema)["$schema"]
        raise DefinitionError(f"{named}: there is no draft {asked!r}", hint="leave $schema out for 2020-12")
    kind = kind or jsonschema.Draft202012Validator
    try:
        kind.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise DefinitionError(f"{named} is no JSON Schema: {_told(error)}") from None
    drafts = library("jsonschema_specifications", extra="jsonschema", asked="JsonSchema").REGISTRY
    _follow(schema, kind, drafts, named)
    return kind(schema, registry=drafts)


def _follow(schema: Any, kind: Any, drafts: Any, named: str) -> None:
    """Follow every reference: one that leads nowhere would be found by the first message that comes to it."""
    referencing = library("referencing", extra="jsonschema", asked="JsonSchema")
    draft = library("referencing.jsonschema", extra="jsonschema", asked="JsonSchema").specification_with(
        kind.META_SCHEMA["$schema"]
    )
    root = referencing.Resource.from_contents(schema, default_specification=draft)
    todo = [(root, drafts.resolver_with_root(root))]
    while todo:
        resource, resolver = todo.pop()
        contents = resource.contents
        try:
            for name in ("$ref", "$dynamicRef") if isinstance(contents, Mapping) else ():
                if name in contents:
                    resolver.lookup(contents[name])
        except referencing.exceptions.Unresolvable as error:
            hint = "a schema refers to itself only: put what it needs under $defs"
            raise DefinitionError(f"{named}: $ref {error.ref!r} leads nowhere", hint=hint) from None
        todo += [(inner, resolver.in_subresource(inner)) for inner in resource.subresources()]


def _told(fault: Any) -> str:
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in fault.absolute_path)
    nearest = f" ({_told(_nearest(fault))})" if fault.context else ""
    text = fault.message if len(fault.message) <= 200 else f"{fault.message[:100]} ... {fault.message[-97:]}"
    return f"{pointer}: {text}{nearest}" if pointer else f"{text}{nearest}"


def _nearest(fault: Any) -> Any:
    return library("jsonschema", extra="jsonschema", asked="JsonSchema").exceptions.best_match(fault.context)
