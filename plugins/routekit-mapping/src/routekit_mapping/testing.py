"""Testing: the laws that a mapping has to keep, as tests that hypothesis fills with records; and such records.

`TestCustomers = laws(CUSTOMERS)` is all that a test file needs. Needs the extra `testing`.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, cast

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from .converting import Converter, canonical
from .drawing import Draw, Records, resolver
from .drawing import models as models
from .drawing import records as records
from .drawing import values as values
from .errors import BadMapping, MappingError
from .legs import Leg
from .mapping import Mapping
from .parts import Part, parts_of
from .presence import MISSING
from .references import Path, bare
from .rules import Rule


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
    resolve = resolver(mapping, side)
    try:
        return mapping.forward(value, resolve=resolve) if side == "b" else mapping.backward(value, resolve=resolve)
    except MappingError:
        return assume(False)


def _put(mapping: Mapping[Any, Any], side: str, value: Any, old: Any) -> Any:
    """Put by the rules that promise to come back."""
    pure = _pure(mapping)
    resolve = resolver(mapping, side)
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
    resolve = resolver(mapping, side)
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
    parts = _parts(mapping)
    known = record.model_dump(mode="json", by_alias=True, exclude_unset=True)
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
def _parts(mapping: Mapping[Any, Any]) -> Sequence[Part]:
    try:
        parts = parts_of(mapping, whole=[*mapping.a.model_fields, *mapping.b.model_fields])
    except BadMapping:  # two systems are not kept in step by it
        parts = ()
    return [part for part in parts if all(_pure_part(part, rule) for rule in mapping.rules)]


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
    resolve = resolver(mapping, "b")
    try:
        left, right = _none(leg.value(one, resolve)), _none(leg.value(two, resolve))
    except (ValueError, ArithmeticError):
        return
    assert leg.alike(left, right), f"rule '{leg.rule.name}' makes {left!r} and {right!r} of what means the same"


def _none(value: Any) -> Any:
    return None if value is MISSING else value
