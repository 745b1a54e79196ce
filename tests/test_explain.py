"""Explain: what would become of an error, said by the functions that the machine asks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import (
    CircuitOpen,
    Flow,
    Invalid,
    Policy,
    Rejected,
    Retry,
    Route,
    Unavailable,
    UnknownName,
    dead_letters,
    from_,
    rescue,
)
from routekit.events import DeadLettered
from routekit.explain import Told, explained
from routekit.plugins import Catalog
from routekit.scopes import NOTHING
from routekit.testing import Feed, Run, run_routes, running, setup_for

from .fakes import Calls

pytestmark = pytest.mark.anyio

Said = tuple[str, str, str, str, str]


def logged(flow: Flow[Any]) -> Flow[Any]:
    return flow.log("x")


def routes_of(**flows: Flow[Any] | Route) -> list[Route]:
    return [flow.route(name) if isinstance(flow, Flow) else flow for name, flow in flows.items()]


def told(
    routes: Sequence[Route], error: str, step: str = "0", *, name: str = "r", settings: Policy = NOTHING
) -> tuple[list[Said], str]:
    """The remedies against one class of errors at one step, and what the source sees."""
    section = explained(name, routes, Catalog(), settings, step=step, error=error)[0]
    (only,) = section.told
    return said(only), only.source


def said(told: Told) -> list[Said]:
    return [(one.kind, one.scope, one.clause, one.when, one.text) for one in told.remedies]


STORE: Said = ("ends", "", "", "", "a dead letter in the store")
REPLY = "its branch gives the reply, and the message is done"


def test_without_a_word_it_is_a_dead_letter() -> None:
    """And the source hears that the message is done."""
    assert told(routes_of(r=logged(from_("timer:x"))), "KeyError") == ([STORE], "acknowledged")


@pytest.mark.parametrize(
    ("source", "dead_letter", "end", "source_sees"),
    [
        ("timer:x", None, ("", "a dead letter in the store"), "acknowledged"),
        ("timer:x", "refuse", ("route", "refused"), "not acknowledged: it will bring the message again, if it can"),
        ("timer:x", "store", ("route", "a dead letter in the store"), "acknowledged"),
        ("timer:x", dead_letters(logged), ("route", "into the branch of dead letters"), "acknowledged"),
        ("direct:x", None, ("", "refused"), "the caller gets the error"),
        ("direct:x", "store", ("route", "a dead letter in the store"), "the caller gets no answer, and no error"),
        ("file:in?after=move", None, ("", "refused"), "takes the message back, with the error"),
    ],
)
def test_where_it_ends(source: str, dead_letter: Any, end: tuple[str, str], source_sees: str) -> None:
    """As the policy says, else as the source does; and what is seen of it there."""
    if source.startswith("file") and "file" not in Catalog().schemes():
        pytest.skip("needs the plugin for files")
    routes = routes_of(r=logged(from_(source, policy=Policy(dead_letter=dead_letter))))
    assert told(routes, "KeyError") == ([("ends", end[0], "", "", end[1])], source_sees)


def test_retries_of_all_scopes() -> None:
    """Step, attempt and route, in that order, each with its waits; what is rejected is not retried."""
    flow = from_("timer:x", policy=Policy(retry=Retry(9, first=1, most=30, on=OSError))).attempt(
        lambda f: f.log("x").to("log:y", retry=(Retry(2), Retry(1, on=OSError))), retry=Retry(5)
    )
    found, _ = told(routes_of(r=flow), "FileNotFoundError", "to log:y")
    assert found == [
        ("retry", "this step", "", "", "1 time, after at most 0.5 s"),
        ("retry", "attempt (1)", "", "", "5 times, after at most 0.5 s, 1 s, 2 s, ..., 8 s"),
        ("retry", "route", "", "", "9 times, after at most 1 s, 2 s, 4 s, ..., 30 s"),
        STORE,
    ]
    found, _ = told(routes_of(r=flow), "ValueError", "2")
    assert [one[1] for one in found] == ["attempt (1)", ""]
    assert told(routes_of(r=flow), "Invalid", "2")[0] == [STORE]


def test_retries_of_module_and_settings() -> None:
    """The scope that says something about retries is named."""
    route = replace(logged(from_("timer:x")).route("r"), module=Policy(retry=Retry(1)))
    assert told([route], "KeyError", settings=Policy(retry=Retry(2)))[0][0][1] == "module"
    routes = routes_of(r=logged(from_("timer:x")))
    assert told(routes, "KeyError", settings=Policy(retry=Retry(2)))[0][0][1] == "settings"


def test_the_clause_that_counts() -> None:
    """The nearest class of the inner scope; what is asked first stands first, up to the one that surely counts."""
    policy = Policy(
        rescue={
            ArithmeticError: (rescue(logged), rescue(logged, when=lambda error: "big" in str(error))),
            Exception: rescue(logged),
        }
    )
    routes = [
        replace(logged(from_("timer:x", policy=policy)).route("r"), module=Policy(rescue={KeyError: rescue(logged)}))
    ]
    assert told(routes, "ZeroDivisionError") == (
        [
            ("rescue", "route", "ArithmeticError", '"big" in str(error)', REPLY),
            ("rescue", "route", "ArithmeticError", "", REPLY),
        ],
        "acknowledged",
    )
    assert told(routes, "KeyError")[0] == [("rescue", "route", "Exception", "", REPLY)]
    section = explained("r", routes, Catalog(), Policy(), step="0", error="KeyError")[0]
    line = test_the_clause_that_counts.__code__.co_firstlineno + 5
    assert str(section.told[0].remedies[0].place).endswith(f"test_explain.py:{line}")


def test_a_predicate_leaves_the_rest_open() -> None:
    """What is done if it does not hold follows."""
    policy = Policy(rescue={KeyError: rescue(logged, when=lambda error: error.args)}, dead_letter="refuse")
    found, _ = told(routes_of(r=logged(from_("timer:x", policy=policy))), "KeyError")
    assert [(kind, when) for kind, _, _, when, _ in found] == [("rescue", "error.args"), ("ends", "")]


def test_clauses_that_go_on() -> None:
    """They say where, on the line of the route; an error that no step raised cannot go on."""
    policy = Policy(rescue={Exception: rescue(logged, then="go_on")})
    flow = (
        from_("timer:x", policy=policy)
        .choice()
        .when(bool, lambda f: f.log("2").log("3"))
        .otherwise(lambda f: f.tap(lambda g: g.log("5").log("6")))
        .log("7")
        .split(lambda body: body, on_error="dead_letter_items")
        .log("9")
    )

    def goes(step: int) -> str:
        (_, _, _, _, text), *_ = told(routes_of(r=flow), "ValueError", str(step))[0]
        return text.removeprefix("its branch, then the route goes on at ")

    assert [goes(step) for step in (1, 2, 3, 4, 5, 6, 7, 8)] == [
        "7 log('7')",
        "3 log('3')",
        "7 log('7')",
        "7 log('7')",
        "7 log('7')",
        "7 log('7')",
        "8 split(on_error=dead_letter_items)",
        "9 log('9')",
    ]
    assert goes(0) == "a dead letter in the store"
    assert goes(9) == "the part becomes a dead letter, the others go on"
    assert told(routes_of(r=flow), "Unavailable", "9")[0] == [STORE]
    assert told(routes_of(r=flow), "ValueError", "8")[1] == "what comes of the steps that follow"


@pytest.mark.parametrize(
    ("word", "step", "error", "remedy"),
    [
        (lambda f: f.tap(logged, on_error="dead_letter"), 2, "KeyError", ("rescue", "tap (1)")),
        (lambda f: f.tap(logged), 2, "KeyError", ("ends", "")),
        (lambda f: f.gather(list, logged, on_error="dead_letter_items"), 2, "KeyError", ("rescue", "gather (1)")),
        (lambda f: f.gather(list, logged, on_error="dead_letter_items"), 1, "KeyError", ("ends", "")),
        (lambda f: f.for_each(list, logged, on_error=dead_letters(logged)), 2, "KeyError", ("rescue", "for_each (1)")),
        (lambda f: f.for_each(list, logged, on_error=dead_letters(logged)), 3, "KeyError", ("ends", "")),
        (lambda f: f.multicast(logged, logged, on_error="dead_letter"), 2, "KeyError", ("rescue", "multicast (1)")),
        (lambda f: f.failover(logged, logged), 2, "KeyError", ("retry", "failover (1)")),
        (lambda f: f.failover(logged, logged), 2, "Rejected", ("ends", "")),
        (
            lambda f: f.circuit_breaker(logged, name="x", fallback=logged),
            1,
            "CircuitOpen",
            ("rescue", "circuit_breaker"),
        ),
        (
            lambda f: f.circuit_breaker(logged, name="x", fallback=logged),
            2,
            "KeyError",
            ("rescue", "circuit_breaker (1)"),
        ),
        (lambda f: f.circuit_breaker(logged, name="x", fallback=logged), 2, "Invalid", ("ends", "")),
        (lambda f: f.circuit_breaker(logged, name="x", fallback=logged), 3, "KeyError", ("ends", "")),
        (lambda f: f.attempt(logged, rescue={KeyError: logged}), 2, "KeyError", ("rescue", "attempt (1)")),
        (lambda f: f.attempt(logged, rescue={KeyError: logged}), 3, "KeyError", ("ends", "")),
        (lambda f: f.attempt(logged, rescue={KeyError: logged}), 1, "KeyError", ("ends", "")),
    ],
)
def test_steps_around(word: Any, step: int, error: str, remedy: tuple[str, str]) -> None:
    """What a step does about failures in its branches comes before what the policies say."""
    found, _ = told(routes_of(r=word(from_("timer:x", list))), error, str(step))
    assert found[0][:2] == remedy


@pytest.mark.parametrize("word", ["aggregate", "batch", "debounce", "delay", "hand_over", "resequence"])
def test_behind_a_word_that_keeps_messages(word: str) -> None:
    """Nothing in front of it hears of a failure, and the source was told before; in front of it all is as usual."""
    options: dict[str, dict[str, Any]] = {
        "aggregate": {"key": lambda n: n, "size": 2},
        "batch": {"size": 2},
        "debounce": {"quiet": 1},
        "delay": {"by": 1},
        "resequence": {"number": lambda n: n, "gap": 1},
    }
    flow = from_("direct:x", list).split(lambda ns: ns, on_error="dead_letter_items").log("x")
    routes = routes_of(r=logged(getattr(flow, word)("kept", int, **options.get(word, {}))))
    assert told(routes, "KeyError", "2")[0][0][:2] == ("rescue", "split (1)")
    assert told(routes, "KeyError", "4") == (
        [STORE],
        "was told when it was kept, or, with a store in memory, is told now",
    )


def test_calls_are_followed() -> None:
    """Into the called route, with its own policy; what it refuses goes on in the caller."""
    inner = from_("direct:in", policy=Policy(retry=Retry(1), rescue={KeyError: rescue(logged)})).log("inside")
    outer = from_("timer:x").attempt(lambda f: f.to("direct:in", retry=Retry(2)), rescue={OSError: logged})
    sections = explained("outer", routes_of(inner=inner, outer=outer), Catalog(), Policy(), step="2")
    assert [(section.route, section.caller) for section in sections] == [
        ("outer", ""),
        ("inner", "outer at 2 to direct:in"),
    ]
    found = {error: (said(each), each.source) for each in sections[1].told for error in each.errors}
    assert found["OSError"] == (
        [
            ("retry", "route", "", "", "1 time, after at most 0.5 s"),
            ("raised", "outer", "", "", "at 2 to direct:in"),
            ("retry", "this step", "", "", "2 times, after at most 0.5 s, 1 s"),
            ("rescue", "attempt (1)", "OSError", "", "its branch, then on behind the attempt"),
        ],
        "what comes of the steps that follow",
    )
    assert found["KeyError"][0][-1] == ("rescue", "route", "KeyError", "", REPLY)
    assert found["KeyError"][1] == "what comes of the steps that follow"
    assert found["BodyError"] == ([("raised", "outer", "", "", "at 2 to direct:in"), STORE], "acknowledged")


def test_routes_that_call_themselves() -> None:
    """Are explained once."""
    routes = routes_of(a=from_("direct:a").to("direct:b"), b=from_("direct:b").to("direct:a"))
    assert [section.route for section in explained("a", routes, Catalog(), Policy())] == ["a", "b"]


def test_classes_that_matter() -> None:
    """Those that rules, clauses and steps name, and the usual ones, in the order of a tree."""
    policy = Policy(retry=Retry(1, on=OSError, never=PermissionError))
    flow = (
        from_("timer:x", policy=policy).attempt(logged, rescue={ValueError: logged}).circuit_breaker(logged, name="x")
    )
    sections = explained("r", routes_of(r=flow), Catalog(), Policy())
    names = {name for section in sections for each in section.told for name in each.errors}
    assert names == {
        *("Exception", "Rejected", "BodyError", "Unavailable"),
        *("OSError", "PermissionError", "ValueError", "CircuitOpen"),
    }
    assert [each.errors for each in sections[0].told] == [
        ("Exception", "PermissionError", "Rejected", "BodyError", "Unavailable", "CircuitOpen", "ValueError"),
        ("OSError",),
    ]
    assert [[number for number, _, _ in section.steps] for section in sections] == [[0, 1, 3, 4, 5], [2]]


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"name": "s"}, "there is no route 's'", "known: r"),
        ({"step": "9"}, "there is no step '9'", "give a number: 0 from timer:x, 1 log('a'), 2 log('b')"),
        ({"step": "log"}, "2 steps are called 'log'", "give a number: 1 log('a'), 2 log('b')"),
        ({"error": "KeyErorr"}, "there is no class of errors 'KeyErorr'", "did you mean 'KeyError'?"),
    ],
)
def test_what_does_not_exist(given: Any, message: str, hint: str) -> None:
    """Is told, with what there is."""
    routes = routes_of(r=from_("timer:x").log("a").log("b"))
    with pytest.raises(UnknownName) as caught:
        explained(given.pop("name", "r"), routes, Catalog(), Policy(), **given)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize("step", ["1", "log('a')", "log('a"])
def test_steps_are_found_by_number_and_label(step: str) -> None:
    """And by the beginning of a label, if only one begins so."""
    (section,) = explained("r", routes_of(r=from_("timer:x").log("a").log("b")), Catalog(), Policy(), step=step)
    assert [number for number, _, _ in section.steps] == [1]


KINDS = [Exception, ValueError, UnicodeError, KeyError, Unavailable, CircuitOpen, Rejected, Invalid]
rules = st.sampled_from(
    [(), Retry(0), Retry(1), Retry(1, on=ValueError), (Retry(2, on=Unavailable), Retry(1, on=KeyError))]
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    thens = st.sampled_from(["reply", "go_on"])
    rescues = {
        kind: rescue(lambda f: f.transform(lambda body: "rescued"), then=then)  # type: ignore[arg-type]
        for kind, then in draw(st.dictionaries(st.sampled_from(KINDS), thens, max_size=3)).items()
    }
    letters = st.sampled_from([None, "store", "refuse"])
    return Policy(retry=draw(rules), rescue=rescues, dead_letter=draw(letters))


@given(data=st.data(), kind=st.sampled_from(KINDS))
async def test_what_is_told_is_what_happens(data: Any, kind: type[Exception]) -> None:
    """For any scopes: as many tries as it says, and the end that it says."""
    error = kind(["no"]) if kind is Invalid else kind("no") if kind is not UnicodeError else UnicodeError("no")
    tries: list[int] = []

    def fail(body: Any) -> Any:
        tries.append(1)
        raise error

    source = Calls(["x"]) if data.draw(st.booleans()) else Feed(["x"])
    retry, caught = data.draw(rules), data.draw(st.lists(st.sampled_from(KINDS), max_size=2, unique=True))
    flow = from_(source, str, policy=data.draw(policies())).attempt(
        lambda f: f.transform(fail),
        retry=retry,
        rescue={each: lambda f: f.transform(lambda _: "attempt") for each in caught},
    )
    route = replace(flow.transform(lambda body: f"{body}, then on").route("r"), module=data.draw(policies()))
    settings = data.draw(policies())
    (section,) = explained("r", [route], Catalog(), settings, step="2", error=f"{kind.__module__}.{kind.__name__}")
    remedies, seen = section.told[0].remedies, section.told[0].source
    run = Run()
    if isinstance(source, Feed):
        await run_routes(route, setup=setup_for(run, policy=settings))
        acknowledged = dict(source.acknowledged)
        answer: Any = dict(source.refused).get("feed-1") or (acknowledged["feed-1"] and acknowledged["feed-1"].body)
    else:
        async with running(route, setup=setup_for(run, policy=settings)):
            await anyio.sleep(1000)
        answer = source.answers["x"]
    letters = [event for event in run.events if isinstance(event, DeadLettered)]
    expected = 1
    for remedy in remedies:
        if remedy.kind == "retry":
            expected *= 1 + int(remedy.text.split()[0])
    assert len(tries) == expected
    last = remedies[-1]
    if last.kind == "ends":
        assert bool(letters) is (last.text != "refused")
        assert (answer is error) is (last.text == "refused")
        assert seen.startswith("the caller") is not isinstance(source, Feed)
    else:
        assert letters == []
        rescued = "rescued" if last.text == REPLY else "rescued, then on"
        assert answer == ("attempt, then on" if last.scope == "attempt (1)" else rescued)
