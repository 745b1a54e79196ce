"""Parts: a mapping cut into the smallest pieces that can be moved by themselves, on fields of records as JSON.

It is what keeps two systems in step: there a record is a set of JSON fields by name, and only those that have changed
go out. A field is written whole, so all rules that write into one field are one part.
"""

from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as Fields
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from .errors import BadMapping, MappingError
from .legs import Leg
from .mapping import Mapping
from .partial import Partial, json_name
from .presence import MISSING
from .references import Path, Row, bare, sensitive_within
from .rules import Rule
from .telling import problems, tell
from .trees import Tree, settle

Turn = Callable[[Fields[str, Any]], dict[str, Any]]
Alike = Callable[[Fields[str, Any], Fields[str, Any]], bool]
Side = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class Part:
    """Fields of the two sides that move together."""

    name: str
    a: tuple[str, ...]
    """The fields of side a, by their names in JSON."""
    b: tuple[str, ...]
    to_b: Turn | None
    """From the fields of side a to those of side b: what is absent stays absent, None clears. Raises `MappingError`, a
    ValueError, with the reason. None: side b is never written."""
    to_a: Turn | None
    same_b: Alike
    """Whether two values of side b's fields mean the same; an absent one is as None."""
    same_a: Alike
    creation: bool = False
    """Whether it is for new records alone: a default."""
    sensitive: Fields[str, str] = field(default_factory=dict[str, str])
    """Of the fields that are marked as sensitive, what they are."""


def parts_of(mapping: Mapping[Any, Any], *, whole: Collection[str] = ()) -> tuple[Part, ...]:
    """The parts of a mapping, one for each rule or unit, or for several that write into one field.

    A field that holds more than the rules say of it cannot be written without losing that, and is refused: a list of
    which only some rows are known, a model with other fields. `whole` names those for which that is meant.
    """
    maker = _Maker(mapping, frozenset(whole))
    return tuple(maker.part(rules) for rules in _grouped(mapping.rules))


def _grouped(rules: Sequence[Rule]) -> Sequence[Sequence[Rule]]:
    """The rules that move together: those of a unit, and those that write into one field."""
    groups: list[list[Rule]] = []
    for rule in rules:
        joined = [group for group in groups if any(_belong(rule, one) for one in group)]
        merged = [one for group in joined for one in group] + [rule]
        groups = [group for group in groups if group not in joined] + [merged]
    order = {rule.name: place for place, rule in enumerate(rules)}
    return sorted(groups, key=lambda group: order[group[0].name])


def _belong(left: Rule, right: Rule) -> bool:
    if left.unit and left.unit == right.unit:
        return True
    return bool(_written(left) & _written(right))


def _written(rule: Rule) -> set[tuple[str, str]]:
    a = {("a", path.top) for path in rule.a} if rule.direction != "to_b" else set[tuple[str, str]]()
    b = {("b", path.top) for path in rule.b} if rule.direction != "to_a" else set[tuple[str, str]]()
    return a | b


class _Maker:
    """Makes the parts of one mapping."""

    def __init__(self, mapping: Mapping[Any, Any], whole: frozenset[str]) -> None:
        self.mapping = mapping
        self.whole = whole
        self.partial: dict[str, Partial[Any]] = {"a": Partial(mapping.a), "b": Partial(mapping.b)}

    def part(self, rules: Sequence[Rule]) -> Part:
        name = next((rule.unit for rule in rules if rule.unit), "+".join(rule.name for rule in rules))
        self._check(name, rules)
        a, b = self._names(rules, "a"), self._names(rules, "b")
        if len(rules) == 1 and rules[0].kind == "reference":
            return self._reference(name, rules[0], a, b)
        legs = {side: self._legs(rules, side) for side in ("a", "b")}
        return Part(
            name,
            a,
            b,
            self._turn("b", legs["b"]) if legs["b"] else None,
            self._turn("a", legs["a"]) if legs["a"] else None,
            self._alike("b", legs["b"]),
            self._alike("a", legs["a"]),
            creation=all(rule.kind == "default" for rule in rules),
            sensitive=_sensitive(rules),
        )

    def _legs(self, rules: Sequence[Rule], side: Side | str) -> Sequence[Leg]:
        names = {rule.name for rule in rules}
        return [leg for leg in self.mapping.legs(side) if leg.rule.name in names]

    def _names(self, rules: Sequence[Rule], side: str) -> tuple[str, ...]:
        paths = [path for rule in rules for path in (rule.a if side == "a" else rule.b)]
        model = self.mapping.a if side == "a" else self.mapping.b
        return tuple(dict.fromkeys(_named(model, path) for path in paths))

    def _check(self, name: str, rules: Sequence[Rule]) -> None:
        kinds = {rule.kind for rule in rules}
        for kind in ("reference", "default"):
            if kind in kinds and len(kinds if kind == "default" else rules) > 1:
                raise BadMapping(f"part '{name}': a {kind} cannot share a field or a unit with other rules")
        for side in ("a", "b"):
            _check_whole(name, self._legs(rules, side), self.whole)

    def _reference(self, name: str, rule: Rule, a: tuple[str, ...], b: tuple[str, ...]) -> Part:
        """An id, which whoever keeps the records in step exchanges: it is written as the other side's type."""
        return Part(
            name,
            a,
            b,
            None if rule.direction == "to_a" else _renamed(a[0], b[0], rule.b[0]),
            None if rule.direction == "to_b" else _renamed(b[0], a[0], rule.a[0]),
            _same_ids,
            _same_ids,
            sensitive=_sensitive([rule]),
        )

    def _turn(self, side: str, legs: Sequence[Leg]) -> Turn:
        source, target = self.partial["a" if side == "b" else "b"], self.partial[side]
        blanks = {path.top: "" for leg in legs for path in leg.sources if _blank(leg, path)}
        name = self.mapping.name

        def turn(fields: Fields[str, Any]) -> dict[str, Any]:
            model: Any = None
            given = {key: blanks[key] if value is None and key in blanks else value for key, value in fields.items()}
            try:
                model = source.read(given)
                tree = _tree(legs, model)
                return target.fields(target.built(tree))
            except (ValueError, ArithmeticError) as error:
                if model is None:
                    raise ValueError(_unread(error)) from None
                raise MappingError(name, problems(tell(legs, model, target.model, None, _unchanged))) from None

        return turn

    def _alike(self, side: str, legs: Sequence[Leg]) -> Alike:
        partial = self.partial[side]

        def alike(left: Fields[str, Any], right: Fields[str, Any]) -> bool:
            if dict(left) == dict(right):
                return True
            if not legs:  # this side is never written: nothing says what means the same there
                return False
            try:
                one, two = partial.read(_said(left)), partial.read(_said(right))
                return all(_agree(leg, one, two) for leg in legs)
            except (ValueError, ArithmeticError):
                return False

        return alike


def _named(model: type[BaseModel], path: Path) -> str:
    info = model.model_fields.get(path.top)
    if info is None:
        raise BadMapping(f"{path} is computed by {model.__name__}, and no field of a record")
    return json_name(info, path.top)


def _sensitive(rules: Sequence[Rule]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in (path for rule in rules for path in (*rule.a, *rule.b)):
        info = path.model.model_fields[path.top]
        mark = path.sensitive or sensitive_within(info.annotation)
        if mark is not None:
            found[json_name(info, path.top)] = (
                mark.kind if path.sensitive is not None and len(path.steps) == 1 else "text"
            )
    return found


def _tree(legs: Sequence[Leg], model: Any) -> Tree:
    tree: Tree = {}
    for leg in legs:
        value = leg.default if leg.rule.kind == "default" else leg.value(model, _unchanged)
        if value is not MISSING:
            leg.write(tree, value)
    settle(tree)
    return tree


def _unchanged(table: str, side: str, id: Any) -> Any:
    return id


def _said(fields: Fields[str, Any]) -> dict[str, Any]:
    """Without what is None: absent and None are alike here, and a field that knows no null is none that is wrong."""
    return {name: value for name, value in fields.items() if value is not None}


def _agree(leg: Leg, left: Any, right: Any) -> bool:
    one, two = leg.read_old(left), leg.read_old(right)
    one, two = None if one is MISSING else one, None if two is MISSING else two
    return leg.alike(one, two)


def _blank(leg: Leg, path: Path) -> bool:
    return leg.rule.empty == "null" and len(path.steps) == 1 and path.kind is str and not path.nullable


def _unread(error: Exception) -> str:
    """Why fields do not fit their model, without the values."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    details = errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg'][:1].lower()}{one['msg'][1:]}" for one in details)


def _renamed(source: str, target: str, path: Path) -> Turn:
    make = path.kind if path.kind in (str, int) else None

    def turn(fields: Fields[str, Any]) -> dict[str, Any]:
        if source not in fields:
            return {}
        value = fields[source]
        return {target: value if value is None or make is None else make(value)}

    return turn


def _same_ids(left: Fields[str, Any], right: Fields[str, Any]) -> bool:
    return {name: None if value is None else str(value) for name, value in left.items()} == {
        name: None if value is None else str(value) for name, value in right.items()
    }


def _check_whole(name: str, legs: Sequence[Leg], whole: frozenset[str]) -> None:
    """Whether all of each field that is written is known."""
    within: dict[str, list[Path]] = {}
    for leg in legs:
        for path in leg.targets:
            if len(path.steps) > 1 and path.top not in whole:
                within.setdefault(path.top, []).append(path)
    for top, paths in within.items():
        lost = _left_out(paths)
        if lost:
            raise BadMapping(
                f"part '{name}' would write all of '{top}' and does not know {lost}",
                hint=f"let the remote give those as fields of their own, or say whole=['{top}']",
            )


def _left_out(paths: Sequence[Path]) -> str:
    if any(isinstance(step, Row) for path in paths for step in path.steps):
        return "its other rows"
    model: Any = paths[0].model.model_fields[paths[0].top].annotation
    known = {str(path.steps[1]) for path in paths}
    return ", ".join(sorted(set(bare(model).model_fields) - known))
