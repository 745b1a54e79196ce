"""Scopes: the inner one says how messages are treated, field by field."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import Policy, Rescue, Retry, Route, Runs, from_, rescue
from routekit.scopes import NOTHING, Scope, clauses_of, policy_of, saying, scopes_of

CLAUSE = rescue(lambda flow: flow)
SAID: dict[str, list[Any]] = {
    "concurrency": [2, 3],
    "order_by": [str, int],
    "retry": [Retry(0), (Retry(1), Retry(2, on=OSError))],
    "dead_letter": ["store", "refuse"],
    "deadline": [1.0, 2.0],
    "runs": [Runs(start="manual"), Runs(after="other")],
    "history": [True, False],
    "on_failure": [str, repr],
    "before_letter": [lambda letter: letter, lambda letter: None],
    "durable": ["none", "store"],
    "remember": [0.0, 60.0],
    "require": ["at_least_once", ("ordered", "survives_a_crash")],
    "trace": [True, False, 0.5],
}
FIELDS = {field.name for field in fields(Policy)} - {"rescue"}

policies = st.fixed_dictionaries({}, optional={name: st.sampled_from(said) for name, said in SAID.items()})


def route(policy: Policy | None = None, module: Policy | None = None) -> Route:
    return replace(from_("timer:x", policy=policy).route("r"), module=module)


def test_every_field_is_known_here() -> None:
    """A field that a policy gets later is tried by the test below as well."""
    assert set(SAID) == FIELDS


@given(given=st.lists(policies, max_size=3))
def test_the_inner_scope_counts_field_by_field(given: list[dict[str, Any]]) -> None:
    """What a scope does not say, the next one outside says; what nobody says is unset."""
    scopes = [Scope(str(number), Policy(**said)) for number, said in enumerate(given)]
    policy = policy_of(scopes)
    for name in FIELDS:
        said = [each[name] for each in given if name in each]
        assert getattr(policy, name) == (said[0] if said else getattr(NOTHING, name))
        scope = saying(name, scopes)
        assert (None if scope is None else getattr(scope.policy, name)) == (said[0] if said else None)


def test_the_scopes_of_a_route() -> None:
    """Route, module, settings; those that say nothing are left out."""
    one, two, three = Policy(1), Policy(2), Policy(3)
    assert scopes_of(route(one, two), three) == [Scope("route", one), Scope("module", two), Scope("settings", three)]
    assert scopes_of(route(), NOTHING) == []
    assert scopes_of(route(Policy(), two), NOTHING) == [Scope("module", two)]
    assert policy_of([]) == NOTHING


def test_a_route_that_wants_no_retries_says_so() -> None:
    """`Retry(0)` is a word of its own."""
    assert policy_of(scopes_of(route(Policy(retry=Retry(0))), Policy(retry=Retry(9)))).retry == Retry(0)


def test_clauses_are_asked_scope_by_scope() -> None:
    """They are not merged: a clause of the route counts before a nearer one of its module."""
    inner, outer = Policy(rescue={Exception: CLAUSE}), Policy(rescue={KeyError: CLAUSE, OSError: (CLAUSE,)})
    asked = clauses_of(scopes_of(route(inner, outer), NOTHING)).asked(KeyError)
    assert [(clause.scope, clause.kind) for clause in asked] == [("route", Exception), ("module", KeyError)]
    assert all(isinstance(clause.rescue, Rescue) for clause in asked)


@pytest.mark.parametrize("policy", [Policy(rescue={KeyError: CLAUSE}), Policy(history=False)])
def test_a_policy_that_says_little_is_a_scope(policy: Policy) -> None:
    """Clauses alone make one, and so does a plain no."""
    assert scopes_of(route(policy), NOTHING) == [Scope("route", policy)]
