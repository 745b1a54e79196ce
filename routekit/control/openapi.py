"""The control API as an OpenAPI 3.1 document, made of its operations and of the models that they take and answer."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from ..operating.sights import Health
from .answers import Live, Ready, Refusal
from .asking import Nothing
from .operations import Operation

_REFUSALS = {
    400: "what was asked is wrong",
    401: "no token, or not the right one",
    403: "a reader, or a page of somebody else, may not do that",
    404: "there is nothing of that name",
    409: "it cannot be done now",
    429: "too many requests: wait as long as Retry-After says",
    503: "the store is away",
}


def document(operations: Sequence[Operation], version: str) -> dict[str, Any]:
    """The whole document as plain data."""
    models = _Models([*_models(operations), *((kind, "serialization") for kind in (Refusal, Live, Ready, Health))])
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.public, {})[operation.method.lower()] = _described(operation, models)
    paths |= _health(models)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "RouteKit control API",
            "version": version,
            "description": "Look at a running daemon and steer it. Times are seconds since 1970, durations seconds.",
        },
        "paths": paths,
        "components": {
            "schemas": models.definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}, {}],
    }


def _models(operations: Sequence[Operation]) -> list[tuple[Any, JsonSchemaMode]]:
    found: list[tuple[Any, JsonSchemaMode]] = []
    for operation in operations:
        found.append((operation.answer, "serialization"))
        if operation.method == "POST" and operation.takes is not Nothing:
            found.append((operation.takes, "validation"))
    return found


class _Models:
    """The schemas of all models, each by its name."""

    def __init__(self, wanted: Sequence[tuple[Any, JsonSchemaMode]]) -> None:
        known: dict[tuple[str, JsonSchemaMode], tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = {}
        for kind, mode in wanted:
            known.setdefault((str(kind), mode), (str(kind), mode, TypeAdapter(kind)))
        schemas, shared = TypeAdapter.json_schemas(list(known.values()), ref_template="#/components/schemas/{model}")
        self._schemas = schemas
        self.definitions: dict[str, Any] = shared.get("$defs", {})

    def of(self, kind: Any, mode: JsonSchemaMode = "serialization") -> dict[str, Any]:
        return self._schemas[str(kind), mode]


def _described(operation: Operation, models: _Models) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _id(operation),
        "summary": operation.summary,
        "tags": [operation.path.split("/")[2]],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in operation.names
        ],
        "responses": _responses(models.of(operation.answer), models),
    }
    if operation.method == "GET":
        described["parameters"] += _parameters(operation)
    elif operation.takes is not Nothing:
        schema = models.of(operation.takes, "validation")
        needed = any(field.is_required() for field in operation.takes.model_fields.values())
        described["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    schema = operation.takes.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": described.pop("description", ""),
            "schema": described,
        }
        for name, described in schema.get("properties", {}).items()
    ]


def _responses(schema: dict[str, Any], models: _Models) -> dict[str, Any]:
    refusal = {"application/json": {"schema": models.of(Refusal)}}
    refusals = {str(status): {"description": text, "content": refusal} for status, text in _REFUSALS.items()}
    return {"200": {"description": "so it is", "content": {"application/json": {"schema": schema}}}, **refusals}


def _health(models: _Models) -> dict[str, Any]:
    """What is asked by those who watch processes."""

    def path(id: str, summary: str, good: dict[str, Any], bad: str = "") -> dict[str, Any]:
        responses: dict[str, Any] = {"200": {"description": "yes", "content": good}}
        if bad:
            responses["503"] = {"description": bad, "content": good}
        return {"get": {"operationId": id, "summary": summary, "tags": ["health"], "responses": responses}}

    def json(kind: Any) -> dict[str, Any]:
        return {"application/json": {"schema": models.of(kind)}}

    text = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/health/live": path("live", "Whether the process answers; needs no token", json(Live)),
        "/health/ready": path("ready", "Whether it does its work; needs no token", json(Ready), "not yet, or not now"),
        "/health": path("health", "Whether all is well, part by part, since when", json(Health), "something is not"),
        "/metrics": path("metrics", "Figures for Prometheus", text),
    }


def _id(operation: Operation) -> str:
    parts = [part.strip("{}") for part in operation.public.split("/")[2:]]
    return "_".join([operation.method.lower(), *parts])
