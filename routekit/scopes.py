"""Scopes: settings, module and route say how messages are treated, and the inner one wins, field by field."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from .rescuing import Clauses
from .route import Policy, Route

NOTHING = Policy()
"""A policy that says nothing: what its fields hold is unset."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One of those who say how a route treats its messages: `route`, `module` or `settings`."""

    name: str
    policy: Policy


def scopes_of(route: Route, settings: Policy) -> Sequence[Scope]:
    """The scopes of a route, the inner one first; those that say nothing are left out."""
    found = (("route", route.policy), ("module", route.module), ("settings", settings))
    return [Scope(name, policy) for name, policy in found if policy is not None and policy != NOTHING]


def policy_of(scopes: Sequence[Scope]) -> Policy:
    """What holds for a route: each field as the inner scope says that says something about it.

    All but `rescue`: its clauses are asked scope by scope, see `clauses_of`.
    """
    return Policy(**{field.name: _said(field.name, scopes) for field in fields(Policy) if field.name != "rescue"})


def clauses_of(scopes: Sequence[Scope]) -> Clauses:
    """The rescue clauses of all scopes."""
    return Clauses(*((scope.name, scope.policy.rescue) for scope in scopes))


def saying(name: str, scopes: Sequence[Scope]) -> Scope | None:
    """The scope whose word counts for a field of the policy, if any says something."""
    nothing = getattr(NOTHING, name)
    return next((scope for scope in scopes if getattr(scope.policy, name) != nothing), None)


def _said(name: str, scopes: Sequence[Scope]) -> Any:
    scope = saying(name, scopes)
    return getattr(NOTHING if scope is None else scope.policy, name)
