"""Steps that give their reply before what follows them is done are found in branches whose reply is waited for."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from routekit import Act, Flow, Policy, dead_letters, from_, rescue
from routekit.check import check
from routekit.plugins import Catalog
from routekit.testing import Feed, routes_of

Branch: TypeAlias = Callable[[Flow[Any]], Flow[Any]]


def ticks() -> Flow[Any]:
    return from_("timer:x")


def identity(flow: Flow[Any]) -> Flow[Any]:
    return flow


def found(flow: Flow[Any]) -> list[str]:
    return [problem.message for problem in check(routes_of(flow), Catalog())]


LATER: dict[str, Branch] = {
    "aggregate": lambda f: f.aggregate("s", int, key=str, size=2),
    "batch": lambda f: f.batch("s", int, size=2),
    "debounce": lambda f: f.debounce("s", int, quiet=1),
    "delay": lambda f: f.delay("s", int, by=1),
    "hand_over": lambda f: f.hand_over("s", int),
    "resequence": lambda f: f.resequence("s", int, number=int, gap=1),
}

DONE: dict[str, Branch] = {
    "idempotent": lambda f: f.idempotent("s", key=str),
    "saga": lambda f: f.saga("s", int, [Act("a", do=identity, undo=None)]),
    "redeem": lambda f: f.redeem("s", int),
    "poll_enrich": lambda f: f.poll_enrich(Feed([1]), timeout=1, answer=int),
}

PARTS: dict[str, Branch] = {"split": lambda f: f.split(lambda n: [n])}

WAITING: dict[str, Callable[[Flow[Any], Branch], Flow[Any]]] = {
    "attempt": lambda f, branch: f.attempt(branch),
    "rescue": lambda f, branch: f.attempt(lambda g: g.log("x"), rescue={ValueError: branch}),
    "circuit_breaker": lambda f, branch: f.circuit_breaker(branch, name="c"),
    "fallback": lambda f, branch: f.circuit_breaker(identity, name="c", fallback=branch),
    "bulkhead": lambda f, branch: f.bulkhead(branch, name="b"),
    "timeout": lambda f, branch: f.timeout(branch, seconds=1),
    "failover": lambda f, branch: f.failover(identity, branch),
    "choice in an attempt": lambda f, branch: f.attempt(lambda g: g.choice().when(bool, branch).otherwise(identity)),
    "attempt in an attempt": lambda f, branch: f.attempt(lambda g: g.attempt(branch)),
    "attempt in a choice": lambda f, branch: (
        f.choice().when(bool, lambda g: g.attempt(branch).log("x")).otherwise(identity)
    ),
}

USING: dict[str, Callable[[Flow[Any], Branch], Flow[Any]]] = {
    "gather": lambda f, branch: f.gather(lambda n: [n], branch),
    "scatter_gather": lambda f, branch: f.scatter_gather({"a": branch}),
    "loop": lambda f, branch: f.loop(branch, times=2),
    "routing_slip": lambda f, branch: f.routing_slip(lambda n: ["a"], {"a": branch}),
    "dynamic_router": lambda f, branch: f.dynamic_router(lambda n: "a", {"a": branch}),
    "saga": lambda f, branch: f.saga("other", int, [Act("a", do=branch, undo=None)]),
    "attempt in a gather": lambda f, branch: f.gather(lambda n: [n], lambda g: g.attempt(branch)),
}

FREE: dict[str, Callable[[Flow[Any], Branch], Flow[Any]]] = {
    "choice": lambda f, branch: f.choice().when(bool, branch).otherwise(identity),
    "detour": lambda f, branch: f.detour(bool, branch),
    "load_balance": lambda f, branch: f.load_balance(identity, branch),
    "tap": lambda f, branch: f.tap(branch),
    "multicast": lambda f, branch: f.multicast(branch),
    "recipients": lambda f, branch: f.recipients(lambda n: ["a"], {"a": branch}),
    "for_each": lambda f, branch: f.for_each(lambda n: [n], branch),
    "finally": lambda f, branch: f.attempt(lambda g: g.log("x"), finally_=branch),
    "undo": lambda f, branch: f.saga("other", int, [Act("a", do=identity, undo=branch)]),
    "tap in an attempt": lambda f, branch: f.attempt(lambda g: g.tap(branch)),
    "dead letters of parts": lambda f, branch: f.split(lambda n: [n], on_error=dead_letters(branch)),
}

EVERY = {**LATER, **DONE, **PARTS}


@pytest.mark.parametrize("scope", {**WAITING, **USING})
@pytest.mark.parametrize("word", LATER)
def test_what_goes_on_later_cannot_be_waited_for(word: str, scope: str) -> None:
    """Also where nothing follows: what is in front of it neither rescues nor limits what goes on later."""
    (message,) = found({**WAITING, **USING}[scope](ticks(), LATER[word]))
    assert message.startswith(f"{word}(")
    assert "lets messages go on later" in message


@pytest.mark.parametrize("scope", WAITING)
@pytest.mark.parametrize("word", {**DONE, **PARTS})
def test_what_follows_the_branch_would_be_left_out(word: str, scope: str) -> None:
    """A crash in what follows would find the message done; and the parts of a split end with the branch."""
    branch = {**DONE, **PARTS}[word]
    (message,) = found(WAITING[scope](ticks(), branch).log("y"))
    assert ("notes a message as done" in message) == (word in DONE)
    assert ("would get the whole message" in message) == (word in PARTS)


@pytest.mark.parametrize("scope", set(WAITING) - {"attempt in a choice"})
@pytest.mark.parametrize("word", {**DONE, **PARTS})
def test_at_the_end_of_a_route_nothing_is_left_out(word: str, scope: str) -> None:
    """So a saga may be attempted, with a rescue, if nothing follows the attempt."""
    assert found(WAITING[scope](ticks(), {**DONE, **PARTS}[word])) == []


@pytest.mark.parametrize("scope", USING)
@pytest.mark.parametrize("word", {**DONE, **PARTS})
def test_a_reply_that_is_used_is_wanted_whole(word: str, scope: str) -> None:
    """A gather would miss the parts that were done before, and a loop would end in its second turn."""
    assert len(found(USING[scope](ticks(), {**DONE, **PARTS}[word]))) == 1


@pytest.mark.parametrize("scope", FREE)
@pytest.mark.parametrize("word", EVERY)
def test_everything_may_stand_where_nobody_waits(word: str, scope: str) -> None:
    """In a branch that leads on to what follows, and in one whose reply is dropped."""
    assert found(FREE[scope](ticks(), EVERY[word]).log("y")) == []


@pytest.mark.parametrize("word", EVERY)
def test_everything_may_stand_on_the_line_of_a_route(word: str) -> None:
    """Whatever follows it."""
    assert found(EVERY[word](ticks()).attempt(lambda f: f.log("x")).log("y")) == []


def test_a_claim_that_is_kept_may_be_redeemed_anywhere() -> None:
    """It notes nothing."""
    assert found(ticks().attempt(lambda f: f.redeem("s", int, keep=True)).log("y")) == []


@pytest.mark.parametrize("word", EVERY)
def test_branches_of_the_policy(word: str) -> None:
    """What a rescue gives goes on only if it is said so; letters are nobody's reply."""
    branch = EVERY[word]
    assert found(from_("timer:x", policy=Policy(dead_letter=dead_letters(branch)))) == []
    assert found(from_("timer:x", policy=Policy(rescue={ValueError: rescue(branch)}))) == []
    on = Policy(rescue={ValueError: rescue(branch, then="go_on")})
    assert len(found(from_("timer:x", policy=on).log("y"))) == 1


def test_it_is_told_where_it_stands() -> None:
    """With what to do, and what is behind it is not told as well."""
    flow = ticks().attempt(lambda f: f.delay("s", int, by=1).idempotent("t", key=str)).log("y")
    (problem,) = check(routes_of(flow), Catalog())
    assert problem.place.line == test_it_is_told_where_it_stands.__code__.co_firstlineno + 2
    assert (
        problem.message == "delay(s by 1 s) lets messages go on later, when attempt waits no more: they would end there"
    )
    assert problem.hint == "put it before or behind attempt, or into a route of its own: .to('direct:...')"
