"""Drawing: records that a mapping can read, as strategies of hypothesis; absent, null and empty are among them."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Fields
from typing import Annotated, Any, cast, get_args, get_origin
from uuid import UUID

from hypothesis import assume
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from .legs import Leg
from .mapping import Mapping
from .references import Path, bare, may_be_none
from .trees import Tree, settle

Records = st.SearchStrategy[Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def records(mapping: Mapping[Any, Any], side: str) -> Records:
    """Records of a side that its mapping can read, mostly: absent, null and empty fields are among them."""
    model: type[BaseModel] = mapping.a if side == "a" else mapping.b
    legs = [Leg(rule, side) for rule in mapping.rules if rule.kind not in ("computed", "default")]
    drawn = [(leg, _leaf(leg, side)) for leg in legs]

    @st.composite
    def build(draw: Draw) -> Any:
        tree: Tree = draw(_trees(model))
        for leg, strategy in drawn:
            if strategy is not None:
                _write(draw, leg, strategy, tree)
        settle(tree)
        try:
            return model.model_validate(tree, strict=True, by_alias=False, by_name=True)
        except ValidationError:
            return assume(False)

    return build()


def _write(draw: Draw, leg: Leg, strategy: st.SearchStrategy[Any], tree: Tree) -> None:
    """Give the fields of a rule values that it can read, null or nothing."""
    needed = [path for path in leg.targets if len(path.steps) == 1 and not _optional(path)]
    nullable = all(path.nullable for path in leg.targets)
    fate = draw(st.integers(0, 9))
    if fate == 0 and nullable:
        leg.write(tree, None)
    elif fate == 1 and not needed:
        for path in leg.targets:
            if len(path.steps) == 1:
                tree.pop(path.top, None)
    else:
        leg.write(tree, draw(strategy))


def _optional(path: Path) -> bool:
    return not path.model.model_fields[path.top].is_required()


def _leaf(leg: Leg, side: str) -> st.SearchStrategy[Any] | None:
    """Values that a rule can read on a side; None: whatever the model allows."""
    rule = leg.rule
    if rule.kind == "nested":
        return records(rule.mapping, side)
    if rule.kind == "each":
        return st.lists(records(rule.mapping, side), max_size=3)
    if rule.kind == "reference":
        return st.integers(1, 99).map(lambda number: _as_id(leg.targets[0].kind, number))
    if rule.by is not None:
        samples = rule.by.samples if side == "a" else rule.by.samples_b
        return st.sampled_from(list(samples)) if samples else None
    limit = rule.limit_a if side == "a" else rule.limit
    limits = [one for one in (limit, rule.limit, rule.limit_a) if one is not None and not one.truncate_ok]
    if limits and leg.targets[0].kind is str:
        chosen = next((one.choices for one in limits if one.choices), ())
        length = min((one.length for one in limits if one.length is not None), default=12)
        return st.sampled_from(list(chosen)) if chosen else st.text("abc xyz", max_size=length)
    return values(leg.targets[0].annotation, leg.targets[0].metadata) if len(leg.targets[0].steps) > 1 else None


def _as_id(kind: Any, number: int) -> Any:
    return str(number) if kind is str else UUID(int=number) if kind is UUID else number


def resolver(mapping: Mapping[Any, Any], side: str) -> Callable[[str, str, Any], Any]:
    """Number 7 of the one side is number 7 of the other, whatever the types of their ids."""
    kinds: Fields[str, Any] = {
        rule.table: (rule.b if side == "b" else rule.a)[0].kind for rule in mapping.rules if rule.table
    }

    def resolve(table: str, side: str, id: Any) -> Any:
        number = id.int if isinstance(id, UUID) else int(id)
        return _as_id(kinds.get(table, type(id)), number)

    return resolve


def _trees(model: type[BaseModel]) -> st.SearchStrategy[Tree]:
    """What models are made of: fields that need a value have one, others may be left out."""
    needed: dict[str, st.SearchStrategy[Any]] = {}
    free: dict[str, st.SearchStrategy[Any]] = {}
    for name, info in model.model_fields.items():
        (needed if info.is_required() else free)[name] = values(info.annotation, info.metadata)
    return st.fixed_dictionaries(needed, optional=free)


def models(model: type[BaseModel]) -> Records:
    """Models with all kinds of values, some fields left out; those that the model refuses are passed over."""

    def build(tree: Tree) -> Any:
        try:
            return model.model_validate(tree, by_alias=False, by_name=True)
        except ValidationError:
            return assume(False)

    return _trees(model).map(build)


def values(annotation: Any, metadata: Sequence[Any] = ()) -> st.SearchStrategy[Any]:
    """Values of a type, with what its marks say of its limits."""
    if may_be_none(annotation) and annotation is not Any:
        inner = bare(annotation)
        return st.none() | (st.nothing() if may_be_none(inner) else values(inner, metadata))
    kind = bare(annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return models(kind)
    if get_origin(kind) is list:
        return st.lists(values(get_args(kind)[0]), max_size=3)
    limits = [mark for mark in metadata if type(mark).__module__.startswith("annotated_types")]
    if kind is str and not limits:
        return _TEXT
    wanted = cast("Any", Annotated[(kind, *limits)] if limits else kind)
    found: st.SearchStrategy[Any] = st.from_type(wanted)
    return found
