"""Versions: a hash of all that a mapping says, the same in every process."""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

from .presence import MISSING
from .references import Path
from .rules import Rule, shown

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def version_of(name: str, a: type[BaseModel], b: type[BaseModel], rules: Sequence[Rule]) -> str:
    """Sixteen characters that change with any rule, converter, option, or type of a field that is used."""
    said = {"name": name, "a": a.__qualname__, "b": b.__qualname__, "rules": [as_data(rule) for rule in rules]}
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def as_data(rule: Rule) -> dict[str, Any]:
    """A rule as JSON data, with what it says and nothing that it leaves open."""
    data: dict[str, Any] = {
        "kind": rule.kind,
        "name": rule.name,
        "a": [_place(path) for path in rule.a],
        "b": [_place(path) for path in rule.b],
        "direction": rule.direction,
        "steps": list(rule.steps),
        "unit": rule.unit,
        "key": rule.key,
        "on_null": rule.on_null,
        "empty": rule.empty,
        "limit_a": "" if rule.limit_a is None else str(rule.limit_a),
        "loss": "" if rule.by is None else rule.by.loss,
        "mapping": "" if rule.mapping is None else rule.mapping.version,
    }
    for key, value in (("value", rule.value), ("default", rule.default), ("default_a", rule.default_a)):
        if value is not MISSING:
            data[key] = repr(value)
    return {key: value for key, value in data.items() if value not in ("", False, [])}


def _place(path: Path) -> str:
    return f"{path}: {_ADDRESS.sub('', shown(path.annotation))}"
