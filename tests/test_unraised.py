"""Clauses that never count are found when routes are checked."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from routekit import (
    BadOption,
    BulkheadFull,
    CircuitOpen,
    DefinitionError,
    Flow,
    Handler,
    LoadError,
    Policy,
    Runtime,
    Step,
    Throttled,
    Unavailable,
    UnknownName,
    from_,
    rescue,
)
from routekit.check import check
from routekit.plugins import Catalog
from routekit.problem import Problem


class Worn(Unavailable):
    """An error that only `Wear` raises."""


class Torn(Worn):
    """A kind of it."""


@dataclass(frozen=True)
class Wear(Step[Any, Any]):
    """A stranger's step with an error of its own."""

    raises = (Worn,)

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        return proceed


def logged(flow: Flow[Any]) -> Flow[Any]:
    return flow.log("x")


def checked(*flows: Flow[Any]) -> list[Problem]:
    return check([flow.route(f"route-{number}") for number, flow in enumerate(flows, 1)], Catalog())


def ticks(**options: Any) -> Flow[Any]:
    return from_("timer:x", **options)


def broken(flow: Flow[Any]) -> Flow[Any]:
    return flow.circuit_breaker(logged, name="crm")


INSIDE: list[tuple[Any, type[Exception]]] = [
    (broken, CircuitOpen),
    (lambda flow: flow.tap(lambda copy: copy.attempt(broken)), CircuitOpen),
    (lambda flow: flow.bulkhead(logged, name="crm"), BulkheadFull),
    (lambda flow: flow.throttle(rate=1), Throttled),
    (lambda flow: flow.to("control:pause"), UnknownName),
    (lambda flow: flow.to("control:pause"), BadOption),
    (lambda flow: flow.to("control:pause"), DefinitionError),
    (lambda flow: flow.then(Wear()), Worn),
    (lambda flow: flow.then(Wear()), Torn),
]


@pytest.mark.parametrize(("body", "kind"), INSIDE)
def test_what_a_step_or_sink_inside_raises_may_be_rescued(body: Any, kind: type[Exception]) -> None:
    """By an attempt around it, and by the policy of its route."""
    assert checked(ticks().attempt(body, rescue={kind: logged})) == []
    assert checked(body(ticks(policy=Policy(rescue={kind: rescue(logged)})))) == []


@pytest.mark.parametrize("kind", [CircuitOpen, BulkheadFull, Throttled, Worn, Torn, DefinitionError, LoadError])
def test_what_nothing_inside_raises_is_a_mistake(kind: type[Exception]) -> None:
    """In an attempt and in a policy alike, however the rest of the route may raise it."""
    for flow in (
        ticks().then(Wear()).attempt(logged, rescue={kind: logged}).apply(broken).throttle(rate=1),
        logged(ticks(policy=Policy(rescue={kind: rescue(logged)}))),
    ):
        (problem,) = checked(flow)
        assert problem.message == f"rescue {kind.__name__} never counts: nothing here raises it"
        assert "leave the clause out" in problem.hint
    assert ("is raised by" in problem.hint) is not issubclass(kind, DefinitionError)


def test_who_raises_it_is_named() -> None:
    """And the problem stands at the line of the clause."""
    policy = Policy(
        rescue={
            Torn: rescue(logged),  # here
        }
    )
    (problem,) = checked(logged(ticks(policy=policy)))
    assert problem.hint == "it is raised by wear; leave the clause out"
    line = test_who_raises_it_is_named.__code__.co_firstlineno + 4
    assert (problem.place.file, problem.place.line) == (__file__, line)


@pytest.mark.parametrize("kind", [Exception, Unavailable, ValueError])
def test_what_anything_may_raise_is_none(kind: type[Exception]) -> None:
    """Classes above, and those of Python, are nobody's own."""
    assert checked(ticks().attempt(logged, rescue={kind: logged})) == []


def test_another_route_may_raise_anything() -> None:
    """What is sent to a route is not looked through."""
    called = from_("direct:in").apply(broken)
    assert checked(ticks().attempt(lambda flow: flow.to("direct:in"), rescue={CircuitOpen: logged}), called) == []


def test_a_clause_of_many_routes_is_told_once() -> None:
    """As the policy of a module is."""
    policy = Policy(rescue={LoadError: rescue(logged)})
    assert len(checked(ticks(policy=policy).log("1"), ticks(policy=policy).log("2"))) == 1


def test_an_empty_attempt() -> None:
    """Has nothing that may fail."""
    (problem,) = checked(ticks().attempt(lambda flow: flow, rescue={ValueError: logged}))
    assert (problem.message, problem.hint) == (
        "the body of this attempt is empty",
        "give it the steps that may fail",
    )


def test_problems_in_the_branch_of_a_clause() -> None:
    """Are found as in every branch, also where the policy is that of the module."""
    policy = Policy(rescue={ValueError: rescue(lambda flow: flow.to("nope:x"), then="go_on")})
    route = replace(logged(ticks()).route("r"), module=policy)
    assert [problem.message for problem in check([route], Catalog())] == ["no installed plugin offers 'nope:'"]
