"""Options that cannot be are refused where they are written, with what was found and what to do."""

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from routekit import Act, DefinitionError, Flow, Policy, Retry, Switch, from_
from routekit.check import check
from routekit.demands import amount, errors, mapping, one_of, texts, whole
from routekit.plugins import Catalog
from routekit.testing import Feed, routes_of


def refused(demand: Callable[..., object], *given: Any, **options: Any) -> str:
    with pytest.raises(DefinitionError) as caught:
        demand("it", *given, **options)
    return str(caught.value)


def test_whole_numbers() -> None:
    """Ints from the least on; True is none."""
    whole("it", 1)
    whole("it", 0, least=0)
    assert refused(whole, 0) == "it is 0; it must be 1 or more"
    assert refused(whole, -1, least=0) == "it is -1; it must be 0 or more"
    for wrong in (1.5, "x", None, True, len):
        assert refused(whole, wrong) == f"it is {wrong!r}; it must be a whole number, 1 or more"


def test_amounts() -> None:
    """Numbers above 0, or from the least on; without end is none."""
    amount("it", 0.1)
    amount("it", 0, least=0)
    assert refused(amount, 0) == "it is 0; it must be more than 0"
    assert refused(amount, -1, least=0) == "it is -1; it must be 0 or more"
    for wrong in (nan, inf, "x", None, True, len):
        assert refused(amount, wrong) == f"it is {wrong!r}; it must be a number, more than 0"


def test_texts() -> None:
    """One is one, and not its letters."""
    assert texts("it", "name") == ("name",)
    assert texts("it", ["a", "b"]) == ("a", "b")
    assert refused(texts, 5) == "it is 5; write a text, or several in a list"
    assert refused(texts, ["a", 5]) == "one of it is 5; write a text"


def test_words_classes_and_mappings() -> None:
    """Only what is asked for."""
    one_of("it", "a", ("a", "b", "c"))
    assert refused(one_of, "x", ("a", "b", "c")) == "it is 'x'; it must be 'a', 'b' or 'c'"
    errors("it", ValueError)
    errors("it", (ValueError, KeyError))
    for wrong in (ValueError("x"), int, "ValueError", (ValueError, None)):
        assert "give a class of errors, or a tuple of them" in refused(errors, wrong)
    assert mapping("it", {1: 2}) == {1: 2}
    assert "write a dict" in refused(mapping, [1])


def identity(flow: Flow[Any]) -> Flow[Any]:
    return flow


def acts() -> list[Act[Any]]:
    return [Act("a", do=identity, undo=None)]


NUMBERS: dict[str, Callable[[Flow[Any], Any], object]] = {
    "aggregate size": lambda f, x: f.aggregate("s", int, key=str, size=x),
    "aggregate timeout": lambda f, x: f.aggregate("s", int, key=str, timeout=x),
    "aggregate every": lambda f, x: f.aggregate("s", int, key=str, every=x),
    "aggregate most": lambda f, x: f.aggregate("s", int, key=str, size=2, most=x),
    "aggregate parallel": lambda f, x: f.aggregate("s", int, key=str, size=2, parallel=x),
    "batch size": lambda f, x: f.batch("s", int, size=x),
    "batch wait": lambda f, x: f.batch("s", int, size=2, wait=x),
    "debounce quiet": lambda f, x: f.debounce("s", int, quiet=x),
    "debounce longest": lambda f, x: f.debounce("s", int, quiet=1, longest=x),
    "resequence gap": lambda f, x: f.resequence("s", int, number=int, gap=x),
    "resequence most": lambda f, x: f.resequence("s", int, number=int, gap=1, most=x),
    "delay by": lambda f, x: f.delay("s", int, by=x),
    "delay workers": lambda f, x: f.delay("s", int, by=1, workers=x),
    "hand_over size": lambda f, x: f.hand_over("s", int, size=x),
    "idempotent lease": lambda f, x: f.idempotent("s", key=str, lease=x),
    "idempotent remember": lambda f, x: f.idempotent("s", key=str, remember=x),
    "saga timeout": lambda f, x: f.saga("s", int, acts(), timeout=x),
    "saga lease": lambda f, x: f.saga("s", int, acts(), lease=x),
    "throttle rate": lambda f, x: f.throttle(rate=x),
    "throttle per": lambda f, x: f.throttle(rate=1, per=x),
    "throttle concurrent": lambda f, x: f.throttle(concurrent=x),
    "timeout": lambda f, x: f.timeout(identity, seconds=x),
    "bulkhead concurrent": lambda f, x: f.bulkhead(identity, name="b", concurrent=x),
    "bulkhead wait": lambda f, x: f.bulkhead(identity, name="b", waiting=1, wait=x),
    "breaker window": lambda f, x: f.circuit_breaker(identity, name="c", window=x),
    "breaker failures": lambda f, x: f.circuit_breaker(identity, name="c", failures=x),
    "breaker open_for": lambda f, x: f.circuit_breaker(identity, name="c", open_for=x),
    "loop times": lambda f, x: f.loop(identity, times=x),
    "loop most": lambda f, x: f.loop(identity, times=1, most=x),
    "routing_slip most": lambda f, x: f.routing_slip(str, {"a": identity}, most=x),
    "dynamic_router most": lambda f, x: f.dynamic_router(str, {"a": identity}, most=x),
    "multicast parallel": lambda f, x: f.multicast(identity, parallel=x),
    "multicast timeout": lambda f, x: f.multicast(identity, timeout=x),
    "scatter_gather enough": lambda f, x: f.scatter_gather({"a": identity}, enough=x),
    "split parallel": lambda f, x: f.split(list, parallel=x),
    "split max_failed": lambda f, x: f.split(list, on_error="dead_letter_items", max_failed=x),
    "split max_ratio": lambda f, x: f.split(list, on_error="dead_letter_items", max_ratio=x),
    "sample every": lambda f, x: f.sample(every=x),
    "sample nth": lambda f, x: f.sample(nth=x),
    "failover rest": lambda f, x: f.failover(identity, identity, rest=x),
    "load_balance weights": lambda f, x: f.load_balance(identity, identity, weights=(1, x)),
    "poll_enrich timeout": lambda f, x: f.poll_enrich(Feed([1]), timeout=x, answer=int),
    "ask timeout": lambda f, x: f.ask("queue:a", replies="queue:b", timeout=x, answer=int),
    "concurrency": lambda f, x: Policy(concurrency=x),
    "deadline": lambda f, x: Policy(deadline=x),
    "retry attempts": lambda f, x: Retry(x),
    "retry first": lambda f, x: Retry(first=x),
}


@pytest.mark.parametrize("wrong", [-1, nan, "x", [1]])
@pytest.mark.parametrize("option", NUMBERS)
def test_wrong_numbers(option: str, wrong: Any) -> None:
    """Negative, not a number, a text, a list: told where it is written, with what was found."""
    with pytest.raises(DefinitionError) as caught:
        NUMBERS[option](Flow(), wrong)
    assert str(wrong) in str(caught.value)
    assert caught.value.hint


BRANCHES: dict[str, Callable[[Flow[Any], Any], object]] = {
    "attempt": lambda f, x: f.attempt(x),
    "rescue": lambda f, x: f.attempt(identity, rescue={ValueError: x}),
    "rescues": lambda f, x: f.attempt(identity, rescue=x),
    "finally_": lambda f, x: f.attempt(identity, finally_=x),
    "circuit_breaker": lambda f, x: f.circuit_breaker(x, name="c"),
    "fallback": lambda f, x: f.circuit_breaker(identity, name="c", fallback=x),
    "bulkhead": lambda f, x: f.bulkhead(x, name="b"),
    "timeout": lambda f, x: f.timeout(x, seconds=1),
    "loop": lambda f, x: f.loop(x, times=1),
    "tap": lambda f, x: f.tap(x),
    "multicast": lambda f, x: f.multicast(x),
    "recipients": lambda f, x: f.recipients(str, x),
    "scatter_gather": lambda f, x: f.scatter_gather(x),
    "scatter_gather branch": lambda f, x: f.scatter_gather({"a": x}),
    "gather": lambda f, x: f.gather(list, x),
    "for_each": lambda f, x: f.for_each(list, x),
    "detour": lambda f, x: f.detour(bool, x),
    "load_balance": lambda f, x: f.load_balance(identity, x),
    "failover": lambda f, x: f.failover(identity, x),
    "when": lambda f, x: f.choice().when(bool, x),
    "otherwise": lambda f, x: f.choice().when(bool, identity).otherwise(x),
    "action": lambda f, x: f.saga("s", int, [x]),
    "do": lambda f, x: f.saga("s", int, [Act("a", do=x, undo=None)]),
    "undo": lambda f, x: f.saga("s", int, [Act("a", do=identity, undo=x)]),
    "intercept": lambda f, x: f.to("log:x").intercept("log:*", x),
    "dead letters of parts": lambda f, x: f.split(list, on_error=x),
    "dead letters of branches": lambda f, x: f.multicast(identity, on_error=x),
    "dead letters of a policy": lambda f, x: Policy(dead_letter=x),
    "then": lambda f, x: f.then(x),
}


@pytest.mark.parametrize("wrong", [5, "x", Flow()])
@pytest.mark.parametrize("scope", BRANCHES)
def test_wrong_branches(scope: str, wrong: Any) -> None:
    """A branch is a function from flow to flow; whatever else is given has no effect that anybody could mean."""
    with pytest.raises(DefinitionError):
        BRANCHES[scope](Flow(), wrong)


@pytest.mark.parametrize("scope", ["dead letters of parts", "dead letters of branches", "dead letters of a policy"])
def test_a_branch_for_letters_is_made_by_its_word(scope: str) -> None:
    """A bare function is refused, and the word is named."""
    with pytest.raises(DefinitionError, match="dead_letters"):
        BRANCHES[scope](Flow(), lambda letters: letters.to("log:x"))


OTHERS: dict[str, Callable[[Flow[Any]], object]] = {
    "retry of a send": lambda f: f.to("log:x", retry=3),  # pyright: ignore[reportArgumentType]
    "retry of a policy": lambda f: Policy(retry=[Retry(3)]),  # pyright: ignore[reportArgumentType]
    "retry on": lambda f: Retry(on=503),  # pyright: ignore[reportArgumentType]
    "failover on": lambda f: f.failover(identity, identity, on="x"),  # pyright: ignore[reportArgumentType]
    "breaker on": lambda f: f.circuit_breaker(identity, name="c", on=5),  # pyright: ignore[reportArgumentType]
    "breaker name": lambda f: f.circuit_breaker(identity, name=""),
    "bulkhead name": lambda f: f.bulkhead(identity, name=""),
    "switch": lambda f: Switch(5),  # pyright: ignore[reportArgumentType]
    "header": lambda f: f.set_header("", 1),
    "headers": lambda f: f.remove_header(5),  # pyright: ignore[reportArgumentType]
    "field": lambda f: f.content_filter(keep=[5]),  # pyright: ignore[reportArgumentType]
    "address": lambda f: f.to(5),  # pyright: ignore[reportArgumentType]
    "addresses": lambda f: f.reply_to(5),  # pyright: ignore[reportArgumentType]
    "pattern": lambda f: f.to("log:x").intercept(5, identity),  # pyright: ignore[reportArgumentType]
    "level": lambda f: f.log("x", level="loud"),  # pyright: ignore[reportArgumentType]
    "tap": lambda f: f.tap(identity, on_error="dead_letters"),  # pyright: ignore[reportArgumentType]
    "aggregate late": lambda f: f.aggregate("s", int, key=str, size=2, late="drp"),  # pyright: ignore[reportArgumentType]
    "batch at_stop": lambda f: f.batch("s", int, size=2, at_stop="x"),  # pyright: ignore[reportArgumentType]
    "sort key": lambda f: f.sort(key=lambda a, b: a),  # pyright: ignore
    "order_by": lambda f: Policy(order_by=5),  # pyright: ignore[reportArgumentType]
    "order_by of two": lambda f: Policy(order_by=lambda a, b: a),  # pyright: ignore
    "delay until": lambda f: f.delay("s", int, until=5),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_wrong_options(what: str) -> None:
    """What was found is in the message, and there is a hint."""
    with pytest.raises(DefinitionError) as caught:
        OTHERS[what](Flow())
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["Unknown", "", 5, [int], {"a": 1}, len, lambda body: body])
def test_bodies_of_no_type(kind: Any) -> None:
    """A name of a type that is nowhere defined, and what is no type, are found before the first message comes."""
    for flow in (from_(Feed([1]), kind), from_(Feed([1])).parse(kind)):
        (problem,) = check(routes_of(flow), Catalog())
        assert problem.message.startswith("bodies cannot be checked into ")
        assert problem.hint


def test_a_field_that_is_given_as_one_text() -> None:
    """It is one name, and not as many as it has letters."""
    assert Flow[Any]().content_filter(keep="name") == Flow[Any]().content_filter(keep=["name"])
    assert Flow[Any]().content_filter(drop="name") == Flow[Any]().content_filter(drop=["name"])


def test_a_lambda_of_too_many() -> None:
    """It is called a lambda, and its parameters are told."""
    with pytest.raises(DefinitionError, match=r"found a lambda of \(a, b, c\)"):
        Flow[Any]().filter(lambda a, b, c: a)  # pyright: ignore
