"""OpenAPI 3.1 of the routes of one address, made from their endpoints and the types of their bodies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError

from .templates import Template

_REF = "#/components/schemas/{model}"
_WHOLE = ("GET", "HEAD", "DELETE", "OPTIONS")
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_REFUSALS = {
    "400": "The content cannot be read.",
    "413": "The content is too long.",
    "422": "The content does not fit.",
    "503": "Not now; come again after a while.",
}


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of one route: `body` is the type that its bodies are checked into, None if it takes any."""

    route: str
    methods: Sequence[str]
    template: Template
    kind: str
    body: Any = None
    doc: str = ""
    status: int | None = None
    silent: bool = False
    token: bool = False
    signed: bool = False


def document(descriptions: Sequence[Description], *, title: str, version: str) -> dict[str, Any]:
    """The description of an API as plain data."""
    schemas, components = _schemas(descriptions)
    paths: dict[str, dict[str, Any]] = {}
    for one in sorted(descriptions, key=lambda each: each.template.text):
        path = one.template.text.replace("*}", "}")
        for method in one.methods:
            paths.setdefault(path, {})[method.lower()] = _operation(one, method, schemas.get(one.route), components)
    found: dict[str, Any] = {"schemas": {**components, "Problem": _PROBLEM}}
    if any(one.token for one in descriptions):
        found["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    return {"openapi": "3.1.0", "info": {"title": title, "version": version}, "paths": paths, "components": found}


def _schemas(descriptions: Sequence[Description]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of each route's body, and what they refer to; models of one name in two modules stay two."""
    inputs: list[Any] = []
    for one in descriptions:
        if one.body in (None, bytes, object, Any):
            continue
        try:
            adapter = TypeAdapter[Any](one.body)
            adapter.json_schema()
        except (PydanticSchemaGenerationError, PydanticInvalidForJsonSchema):
            continue  # a class that says nothing of itself
        inputs.append((one.route, "validation", adapter))
    found, defined = TypeAdapter[Any].json_schemas(inputs, ref_template=_REF)
    return {key[0]: schema for key, schema in found.items()}, dict(defined.get("$defs", {}))


def _operation(one: Description, method: str, schema: Any, components: Mapping[str, Any]) -> dict[str, Any]:
    summary, _, rest = one.doc.strip().partition("\n")
    in_query = one.kind == "query" or (one.kind == "auto" and method in _WHOLE)
    properties = _properties(schema, components) if in_query or one.kind == "merged" else {}
    names = [name for name, named in one.template.segments if named] + [one.template.rest] * bool(one.template.rest)
    found: dict[str, Any] = {
        "operationId": one.route if len(one.methods) == 1 else f"{one.route}.{method.lower()}",
        "tags": [one.route.rpartition(".")[0] or one.route],
        "parameters": [_parameter(name, "path", properties.get(name, ({"type": "string"}, True))) for name in names],
        "responses": _responses(one),
    }
    found |= {"summary": summary} if summary else {}
    found |= {"description": rest.strip()} if rest.strip() else {}
    if in_query:
        found["parameters"] += [
            _parameter(name, "query", known) for name, known in properties.items() if name not in names
        ]
    else:
        types = ["application/x-www-form-urlencoded", "multipart/form-data"] if one.kind == "form" else []
        types = types or ["application/json" if schema is not None else "application/octet-stream"]
        found["requestBody"] = {"required": True, "content": {type_: {"schema": schema or {}} for type_ in types}}
    if one.token:
        found["security"] = [{"bearer": []}]
    return found


def _parameter(name: str, place: str, known: tuple[Any, bool]) -> dict[str, Any]:
    schema, required = known
    return {"name": name, "in": place, "required": required or place == "path", "schema": schema}


def _properties(schema: Any, components: Mapping[str, Any]) -> dict[str, tuple[Any, bool]]:
    """The fields of an object, and whether each is needed."""
    while isinstance(schema, Mapping) and "$ref" in schema:
        schema = components.get(str(cast("Any", schema)["$ref"]).rpartition("/")[2], {})
    if not isinstance(schema, Mapping):
        return {}
    table = cast("Mapping[str, Any]", schema)
    needed = table.get("required", ())
    return {name: (field, name in needed) for name, field in table.get("properties", {}).items()}


def _responses(one: Description) -> dict[str, Any]:
    status = str(one.status or (204 if one.silent else 200))
    content: dict[str, Any] = {} if one.silent else {"content": {"application/json": {"schema": {}}}}
    refusals = dict(_REFUSALS)
    if one.token or one.signed:
        refusals["401"] = "Who calls is not known."
    problem = {"content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}}
    return {
        status: {"description": "Done.", **content},
        **{code: {"description": text, **problem} for code, text in sorted(refusals.items())},
    }
