"""rules"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from routekit import BodyError, DefinitionError, JsonSchema
from routekit.rules import MOST, Fits, rule_of


class Line(BaseModel):
    sku: str
    price: Decimal = Decimal(1)


class Order(BaseModel):
    number: int = Field(alias="no")
    lines: list[Line] = []


@dataclass
class Pair:
    left: int
    right: list[int] = field(default_factory=list)


def test_a_type_tells_everything_with_its_path() -> None:
    """Of data and of JSON text alike; nothing when all fits."""
    assert Fits(Order)({"no": "x", "lines": [{"sku": "a"}, {}]}) == [
        "no: input should be a valid integer, unable to parse string as an integer, found 'x'",
        "lines.1.sku: field required",
    ]
    assert Fits(Order)('{"lines": [{}]}') == ["no: field required", "lines.0.sku: field required"]
    assert Fits(Order)({"no": 1}) == []
    assert Fits(int)("x") == ["input should be a valid integer, unable to parse string as an integer, found 'x'"]


def test_a_model_that_was_changed_is_checked_anew() -> None:
    """Also in what it holds; pydantic itself lets an instance pass."""
    order = Order(no=1, lines=[Line(sku="a")])
    assert Fits(Order)(order) == []
    order.lines[0].sku = None  # type: ignore[assignment]
    assert Fits(Order)(order) == ["lines.0.sku: input should be a valid string, found None"]
    assert Fits(Pair)(Pair(1, ["x"])) != []  # type: ignore[list-item]


def test_what_validate_takes() -> None:
    """A function as it is; a type, also a generic one or a union, as the rule that it fits."""
    assert rule_of(len) is len
    assert rule_of(Order) == Fits(Order)
    assert rule_of(list[int])([1, "x"]) != []
    assert rule_of(int | None)(None) == []


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "a/b~c": {"type": "array", "items": {"$ref": "#/$defs/price"}},
        "who": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["name"]}]},
        "parent": {"$ref": "#"},
    },
    "required": ["id"],
    "$defs": {"price": {"type": "number", "minimum": 1}},
}


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ({"id": 1, "a/b~c": [1, 2.5], "who": "ann", "parent": {"id": 2}}, []),
        (b'{"id": 1}', []),
        ({}, ["'id' is a required property"]),
        (
            {"id": "x", "a/b~c": [0, "y"]},
            [
                "/id: 'x' is not of type 'integer'",
                "/a~1b~0c/0: 0 is less than the minimum of 1",
                "/a~1b~0c/1: 'y' is not of type 'number'",
            ],
        ),
        ({"id": 1, "parent": {"id": None}}, ["/parent/id: None is not of type 'integer'"]),
    ],
)
def test_a_schema_tells_everything_with_its_pointer(body: Any, reasons: list[str]) -> None:
    """RFC 6901, escapes included; a fault of the whole has none."""
    assert JsonSchema(SCHEMA)(body) == reasons


def test_of_several_schemas_the_nearest_is_told() -> None:
    """`oneOf` alone would only say that none fits."""
    (reason,) = JsonSchema(SCHEMA)({"id": 1, "who": {}})
    assert reason.startswith("/who: {} is not valid under any of the given schemas (/who: ")


def test_models_are_seen_as_their_json() -> None:
    """A decimal is a number."""
    schema = {"properties": {"sku": {"type": "string"}, "price": {"type": "number", "maximum": 5}}}
    assert JsonSchema(schema)(Line(sku="a", price=Decimal("4.5"))) == []
    assert JsonSchema(schema)(Line(sku="a", price=Decimal("5.5"))) == ["/price: 5.5 is greater than the maximum of 5"]


def test_a_schema_may_be_in_a_file(tmp_path: Path) -> None:
    """It is read where it is written down, and its name is in the label."""
    file = tmp_path / "order.json"
    file.write_text(json.dumps(SCHEMA))
    rule = JsonSchema(file)
    file.unlink()
    assert rule({}) == ["'id' is a required property"]
    assert rule.__qualname__ == "JsonSchema(order.json)"  # type: ignore[attr-defined]


def test_very_many_faults_are_cut() -> None:
    """A list of a million wrong elements does not become a message of a million reasons."""
    reasons = JsonSchema({"items": {"type": "integer"}})(["x"] * (MOST + 50))
    assert (len(reasons), reasons[-1]) == (MOST + 1, "and more")
    (long,) = JsonSchema({"type": "integer"})(["x" * 1000])
    assert len(long) < 250


def test_a_body_that_is_no_json_is_rejected() -> None:
    """Before any rule of the schema."""
    with pytest.raises(BodyError, match="this is not JSON"):
        JsonSchema(True)("{")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"properties": {"a/b": {"type": "objekt"}}}, "is no JSON Schema: /properties/a~1b/type: 'objekt'"),
        ({"$ref": "https://somewhere.example/x"}, "'https://somewhere.example/x' leads nowhere"),
        ({"anyOf": [{"properties": {"a": {"$ref": "#/$defs/no"}}}]}, "'/$defs/no' leads nowhere"),
        ({"$ref": "other.json"}, "leads nowhere"),
        ({"$schema": "https://somewhere.example/draft"}, "no draft 'https://somewhere.example/draft'"),
        (5, "found a int"),
        (Path("/nowhere/at/all.json"), "cannot be read"),
    ],
)
def test_a_schema_that_cannot_work_is_found_where_it_is_written(schema: Any, said: str) -> None:
    """No message has to come for that, and nothing is fetched."""
    with pytest.raises(DefinitionError) as error:
        JsonSchema(schema)
    assert said in str(error.value)


@pytest.mark.parametrize(
    "schema",
    [
        {"$id": "urn:x", "$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}},
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "$ref": "#/definitions/a",
            "definitions": {"a": {"type": "integer"}},
        },
        {
            "$id": "https://x.example/a",
            "properties": {"b": {"$ref": "a#/$defs/b"}},
            "$defs": {"b": {}},
            "type": "integer",
        },
        {"$ref": "#tree", "$defs": {"a": {"$anchor": "tree", "type": "integer"}}},
    ],
)
def test_references_within_the_schema_are_followed(schema: Any) -> None:
    """By pointer, anchor and id, in the draft that it names."""
    assert JsonSchema(schema)(1) == []
    assert JsonSchema(schema)("1.5") != []


def test_a_schema_may_refer_to_a_published_draft() -> None:
    """Those come with the library."""
    assert JsonSchema({"$ref": "https://json-schema.org/draft/2020-12/schema"})({"type": "integer"}) == []


def test_rules_are_values() -> None:
    """Equal when they say the same."""
    assert JsonSchema({"type": "object"}) == JsonSchema({"type": "object"}) != JsonSchema({})
    assert Fits(int) == Fits(int) != Fits(str)
