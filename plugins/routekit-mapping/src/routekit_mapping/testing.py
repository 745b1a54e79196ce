"""Testing: the laws that a mapping has to keep, as tests that hypothesis fills with records; and such records.

`TestCustomers = laws(CUSTOMERS)` is all that a test file needs. Needs the extra `testing`.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Fields
from functools import lru_cache
from typing import Annotated, Any, cast, get_args, get_origin
from uuid import UUID

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from .converting import Converter, canonical
from .errors import BadMapping, MappingError
from .legs import Leg
from .mapping import Mapping
from .partial import Partial
from .parts import Part, parts_of
from .presence import MISSING
from .references import Path, bare, may_be_none
from .rules import Rule
from .trees import Tree, settle

Records = st.SearchStrategy[Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


def laws(
    mapping: Mapping[Any, Any], *, examples: int = 30, a: Records | None = None, b: Records | None = None
) -> type[Any]:
    """A class of tests, for a name that begins with `Test`, which hold for every mapping that reads both ways.

    - what was read and is put back changes nothing (GetPut), in both directions;
    - what was put in is read again, as far as the mapping tells values apart (PutGet), in both directions;
    - converters without a declared loss give every value back; with one, the second time loses nothing more;
    - the parts that two systems are kept in step by come to rest: what was sent there and back means the same;
    - meaning the same is an equivalence, and what means the same is converted to what means the same.

    Rules that go one way, and those that keep or default null, promise none of it and are left out. Records are drawn
    from the models, and from the samples of converters; `a` and `b` are strategies of one's own. Those that cannot be
    mapped are passed over; if that are all, the test fails. The same records are drawn in every run.
    """
    drawn = {"a": a or records(mapping, "a"), "b": b or records(mapping, "b")}
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    config = settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=checks
    )

    def law(check: Callable[..., None], *strategies: Records) -> Any:
        def test(self: object, **given_: Any) -> None:
            check(mapping, *(given_[name] for name in sorted(given_)))

        names = [f"record_{place}" for place in range(len(strategies))]
        test.__doc__ = check.__doc__
        return config(given(**dict(zip(names, strategies, strict=True)))(test))

    tests: dict[str, Any] = {
        "__doc__": f"The laws of mapping {mapping.name}.",
        "test_what_was_read_and_put_back_changes_nothing": law(_get_put_b, drawn["b"]),
        "test_what_was_read_and_put_back_changes_nothing_in_a": law(_get_put_a, drawn["a"]),
        "test_what_was_put_is_read_again": law(_put_get_b, drawn["a"], drawn["b"]),
        "test_what_was_put_is_read_again_in_a": law(_put_get_a, drawn["a"], drawn["b"]),
        "test_converters_come_back": law(_convert_back, st.data()),
        "test_parts_come_to_rest": law(_rests, drawn["a"]),
        "test_meaning_the_same_is_an_equivalence": law(_equivalent, drawn["a"], drawn["a"], drawn["a"]),
    }
    return type("Laws", (), tests)


def reversible(rule: Rule) -> bool:
    """Whether a rule promises that what it reads can be put back."""
    return rule.direction == "both" and rule.on_null == "clear"


def _made(mapping: Mapping[Any, Any], side: str, value: Any) -> Any:
    resolve = _resolver(mapping, side)
    try:
        return mapping.forward(value, resolve=resolve) if side == "b" else mapping.backward(value, resolve=resolve)
    except MappingError:
        return assume(False)


def _put(mapping: Mapping[Any, Any], side: str, value: Any, old: Any) -> Any:
    """Put by the rules that promise to come back."""
    pure = _pure(mapping)
    resolve = _resolver(mapping, side)
    try:
        return pure.put(value, old, resolve=resolve) if side == "b" else pure.put_back(value, old, resolve=resolve)
    except MappingError:
        return assume(False)


@lru_cache(maxsize=32)
def _pure(mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return Mapping(mapping.a, mapping.b, *filter(reversible, mapping.rules), name=mapping.name)


def _get_put_b(mapping: Mapping[Any, Any], old: Any) -> None:
    """GetPut: put(backward(b), b) is b."""
    assert _put(mapping, "b", _made(mapping, "a", old), old) == old


def _get_put_a(mapping: Mapping[Any, Any], old: Any) -> None:
    """GetPut: put_back(forward(a), a) is a."""
    assert _put(mapping, "a", _made(mapping, "b", old), old) == old


def _put_get_b(mapping: Mapping[Any, Any], a: Any, b: Any) -> None:
    """PutGet: what of put(a, b) is read back means what a says."""
    _read_again(mapping, "a", _put(mapping, "b", a, b), a)


def _put_get_a(mapping: Mapping[Any, Any], a: Any, b: Any) -> None:
    """PutGet: what of put_back(b, a) is read means what b says."""
    _read_again(mapping, "b", _put(mapping, "a", b, a), b)


def _read_again(mapping: Mapping[Any, Any], side: str, put: Any, said: Any) -> None:
    resolve = _resolver(mapping, side)
    for leg in mapping.legs(side):
        was = leg.read_old(said)
        if was is MISSING or not reversible(leg.rule):
            continue
        if leg.rule.mapping is not None and was is not None:
            _read_within(leg, side, leg.read(put), was)
            continue
        new = leg.value(put, resolve)
        if isinstance(was, tuple) and isinstance(new, tuple):
            was = _filled(cast("tuple[Any, ...]", was), cast("tuple[Any, ...]", new))
        assert leg.alike(_none(new), was), f"rule '{leg.rule.name}' gives back {new!r} for {was!r}"


def _read_within(leg: Leg, side: str, put: Any, said: Any) -> None:
    """The same of a model within, or of each row."""
    pairs = [(put, said)] if leg.rule.kind == "nested" else zip(put, said, strict=True)
    for one, other in pairs:
        _read_again(leg.rule.mapping, side, one, other)


def _filled(said: tuple[Any, ...], by: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a record says of several fields, where it says nothing of some."""
    return tuple(other if one is MISSING else one for one, other in zip(said, by, strict=True))


def _rests(mapping: Mapping[Any, Any], record: Any) -> None:
    """Parts, on JSON fields: what comes back from the other side means what was sent, and sends the same again."""
    parts, partial = _parts(mapping)
    known = partial.fields(record)
    for part in parts:
        sent = {name: known[name] for name in part.a if name in known}
        if part.to_a is None or part.to_b is None or not sent:
            continue
        try:
            there = part.to_b(sent)
            back = part.to_a(there)
        except ValueError:
            continue
        again = {name: sent.get(name) for name in back}
        assert part.same_a(back, again), f"part '{part.name}' gives back {back!r} for {again!r}"
        assert part.same_b(part.to_b({**sent, **back}), there), f"part '{part.name}' does not come to rest"


@lru_cache(maxsize=32)
def _parts(mapping: Mapping[Any, Any]) -> tuple[Sequence[Part], Partial[Any]]:
    try:
        parts = parts_of(mapping, whole=[*mapping.a.model_fields, *mapping.b.model_fields])
    except BadMapping:  # two systems are not kept in step by it
        parts = ()
    return [part for part in parts if all(_pure_part(part, rule) for rule in mapping.rules)], Partial(mapping.a)


def _pure_part(part: Part, rule: Rule) -> bool:
    """Whether a rule of the part, if it is one, promises to come back; ids are exchanged by others."""
    names = part.name.split("+")
    return (rule.unit or rule.name) not in names or (reversible(rule) and rule.kind != "reference")


def _convert_back(mapping: Mapping[Any, Any], data: Any) -> None:
    """Converters: the way there and back gives the value again, or, with a declared loss, its canonical form."""
    for rule in mapping.rules:
        if rule.by is None or rule.by.back is None:
            continue
        _comes_back(rule.by, rule.a, data.draw)
        _comes_back(rule.by.inverse, rule.b, data.draw)
    for rule in mapping.rules:
        if rule.mapping is not None:
            _convert_back(rule.mapping, data)


def _comes_back(by: Converter[Any, Any], paths: Sequence[Path], draw: Draw) -> None:
    value = draw(_domain(by, paths))
    try:
        by.to(value)
    except (ValueError, ArithmeticError):
        return
    once = canonical(by, value)
    if by.reversible:
        assert once == value, f"converter '{by.name}' declares no loss and gives back {once!r} for {value!r}"
    assert canonical(by, once) == once, f"converter '{by.name}' loses more of {once!r} the second time"


def _domain(by: Converter[Any, Any], paths: Sequence[Path]) -> st.SearchStrategy[Any]:
    known = st.sampled_from(list(by.samples)) if by.samples else st.nothing()
    if len(paths) > 1:
        return known if by.samples else st.tuples(*(values(path.annotation, path.metadata) for path in paths))
    return known | values(bare(paths[0].annotation), paths[0].metadata)


def _equivalent(mapping: Mapping[Any, Any], one: Any, two: Any, three: Any) -> None:
    """Meaning the same is reflexive, symmetric and transitive, and holds for what is made of it."""
    for leg in mapping.legs("a"):
        x, y, z = (_none(leg.read_old(value)) for value in (one, two, three))
        assert leg.alike(x, x)
        assert leg.alike(x, y) == leg.alike(y, x)
        assert not (leg.alike(x, y) and leg.alike(y, z)) or leg.alike(x, z)
    for there in mapping.legs("b"):
        back = next((leg for leg in mapping.legs("a") if leg.rule is there.rule), None)
        if back is not None and back.alike(_none(back.read_old(one)), _none(back.read_old(two))):
            _congruent(mapping, there, one, two)


def _congruent(mapping: Mapping[Any, Any], leg: Leg, one: Any, two: Any) -> None:
    resolve = _resolver(mapping, "b")
    try:
        left, right = _none(leg.value(one, resolve)), _none(leg.value(two, resolve))
    except (ValueError, ArithmeticError):
        return
    assert leg.alike(left, right), f"rule '{leg.rule.name}' makes {left!r} and {right!r} of what means the same"


def _none(value: Any) -> Any:
    return None if value is MISSING else value


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


def _resolver(mapping: Mapping[Any, Any], side: str) -> Callable[[str, str, Any], Any]:
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
