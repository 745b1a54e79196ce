"""Who wins where both sides of a unit have changed: the rules of conflict, as pure functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .units import Clash, Rule, Unit
from .views import empty


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a conflict: `a`, `b` or `manual`, or `merged` with the fields as side a would have them."""

    outcome: str
    why: str
    fields: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A conflict: the clash as side a would have it, and what else the rules need."""

    clash: Clash
    base_b: Mapping[str, Any]
    """What side b had before, as side a would have it."""
    ahead: float | None
    """Seconds by which the change of a is later, by our clock; None if it is not known."""
    within: float
    """Seconds that are too few to tell the order."""


NEEDS_B = (Rule.MAX, Rule.MIN, Rule.UNION, Rule.APPEND)
"""Rules that look at the value of side b as side a would have it; so does every rule of one's own."""


def judge(unit: Unit, case: Case) -> Judgement:
    """Decide a conflict by the unit's rule."""
    if isinstance(unit.rule, Rule):
        return _RULES[unit.rule](case)
    try:
        decision = unit.rule(case.clash)
    except Exception as error:  # a function of the user: a person decides instead
        return Judgement("manual", f"the rule failed with {type(error).__name__}")
    if decision.fields is None:
        return Judgement("manual", decision.why or "the rule leaves it to a person")
    return Judgement("merged", decision.why or "by its own rule", dict(decision.fields))


def _owner(side: str) -> Callable[[Case], Judgement]:
    return lambda _: Judgement(side, f"{side} owns it")


def _newest(case: Case) -> Judgement:
    if case.ahead is None:
        return Judgement("a", "no stamps to compare: a by the tie rule")
    if abs(case.ahead) <= case.within:
        return Judgement("a", f"changed within {case.within:g} s of each other: a by the tie rule")
    side = "a" if case.ahead > 0 else "b"
    return Judgement(side, f"{side} is newer by {abs(case.ahead):.3g} s")


def _non_empty(case: Case) -> Judgement:
    if _blank(case.clash.a) and not _blank(case.clash.b):
        return Judgement("b", "empty in a")
    return Judgement("a", "not empty in a")


def _most(word: str, better: Callable[[Any, Any], bool]) -> Callable[[Case], Judgement]:
    def decide(case: Case) -> Judgement:
        if _blank(case.clash.a) or _blank(case.clash.b):
            return _non_empty(case)
        left, right = _row(case.clash.a, case), _row(case.clash.b, case)
        try:
            return Judgement("b" if better(right, left) else "a", f"the {word} of both")
        except TypeError:
            return Judgement("manual", f"no {word}: the values cannot be compared")

    return decide


def _union(case: Case) -> Judgement:
    joined: dict[str, Any] = {}
    for name in {**case.clash.a, **case.clash.b}:
        both: list[Any] = [case.clash.a.get(name), case.clash.b.get(name)]
        if any(not isinstance(value, list) and not empty(value) for value in both):
            return Judgement("manual", f"no union: {name} is not a list")
        joined[name] = _together(both[0] or [], both[1] or [])
    return Judgement("merged", "the elements of both", joined)


def _together(left: list[Any], right: list[Any]) -> list[Any]:
    merged: list[Any] = []
    for value in [*left, *right]:
        if value not in merged:
            merged.append(value)
    return merged


def _append(case: Case) -> Judgement:
    joined: dict[str, Any] = {}
    for name in {**case.clash.a, **case.clash.b}:
        a, b = case.clash.a.get(name), case.clash.b.get(name)
        whole = _appended(case.clash.base.get(name), a, case.base_b.get(name), b)
        if whole is None:
            return Judgement("manual", f"{name} was not only added to: nothing can be appended")
        joined[name] = whole
    return Judgement("merged", "what was added in a, then what was added in b", joined)


def _appended(base_a: Any, a: Any, base_b: Any, b: Any) -> Any:
    lists = any(isinstance(value, list) for value in (a, b))
    given: list[Any] = [([] if lists else "") if value is None else value for value in (base_a, a, base_b, b)]
    if not all(isinstance(value, list if lists else str) for value in given):
        return None
    base_a, a, base_b, b = given
    if b[: len(base_b)] == base_b:
        return _joined(a, b[len(base_b) :])
    if a[: len(base_a)] == base_a:
        return _joined(b, a[len(base_a) :])
    return None


def _joined(first: Any, added: Any) -> Any:
    if not isinstance(first, str) or not first or not added or first[-1].isspace() or added[0].isspace():
        return first + added
    return f"{first}\n{added}"


def _manual(case: Case) -> Judgement:
    return Judgement("manual", "a person decides")


_RULES: Mapping[Rule, Callable[[Case], Judgement]] = {
    Rule.A: _owner("a"),
    Rule.B: _owner("b"),
    Rule.NEWEST: _newest,
    Rule.NON_EMPTY: _non_empty,
    Rule.MAX: _most("greatest", lambda left, right: left > right),
    Rule.MIN: _most("least", lambda left, right: left < right),
    Rule.UNION: _union,
    Rule.APPEND: _append,
    Rule.MANUAL: _manual,
}


def _row(fields: Mapping[str, Any], case: Case) -> list[Any]:
    return [fields.get(name) for name in sorted({**case.clash.a, **case.clash.b})]


def _blank(fields: Mapping[str, Any]) -> bool:
    return all(empty(value) for value in fields.values())
