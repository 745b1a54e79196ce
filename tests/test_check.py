"""Check: all that is wrong with routes is told at once, with its line and what to do; what is right is not."""

import inspect
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest

from routekit import (
    PER_MESSAGE,
    Act,
    Consumer,
    Delivery,
    Endpoint,
    Flow,
    Handler,
    Policy,
    Producer,
    Records,
    Retry,
    Runtime,
    Send,
    Step,
    Switch,
    dead_letters,
    from_,
    hookimpl,
)
from routekit.check import check
from routekit.loader import load
from routekit.plugins import Catalog
from routekit.problem import Problem
from routekit.testing import Feed, Sink, routes_of

ROOT = Path(__file__).parent.parent


def checked(*flows: Flow[Any], catalog: Catalog | None = None, **named: Flow[Any]) -> list[Problem]:
    return check(routes_of(*flows, **named), catalog or Catalog())


def only(*flows: Flow[Any], **named: Flow[Any]) -> tuple[str, str]:
    """Message and hint of the one problem that there is."""
    (problem,) = checked(*flows, **named)
    return problem.message, problem.hint


def line() -> int:
    """The line from which it is called."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


class Door(Consumer):
    """A source of which there may be one for each number."""

    scheme = "door"
    number: int

    def clashes(self, other: Endpoint) -> str | None:
        return f"both open door {self.number}" if isinstance(other, Door) and other.number == self.number else None

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        return
        yield


def test_two_sources_that_clash() -> None:
    """The later one is told, with the reason that the source gives and where the other stands."""
    (problem,) = checked(a=from_(Door(number=1)), b=from_(Door(number=2)), c=from_(Door(number=1)), d=ticks())
    assert (problem.route, problem.message) == ("c", "it clashes with route 'a': both open door 1")
    assert problem.hint.startswith("the other is at ")


def ticks() -> Flow[Any]:
    return from_("timer:x")


def identity(flow: Flow[Any]) -> Flow[Any]:
    return flow


def test_routes_of_this_repository_are_right() -> None:
    """There is no false alarm about the routes that we ship."""
    found = load(ROOT / "routes")
    assert found.problems == []
    assert check(found.routes, Catalog({"LEADS": "x"}.get)) == []


def test_every_word_used_rightly_is_right() -> None:
    """A route that uses every word has no problem, and neither have the routes that it calls."""
    everything = (
        from_("timer:x?every=1s&repeat=3", int, codec="json", policy=Policy(4, retry=Retry(2)))
        .filter(bool)
        .validate(lambda n: n > 0)
        .set_header("a", 1)
        .remove_header("a*")
        .idempotent("seen", key=str)
        .update("totals", key=str, body=int, change=lambda total, n: total + n, first=0)
        .tap(lambda f: f.log("{body}"), on_error="dead_letter")
        .attempt(
            lambda f: f.log("y"), rescue={ValueError: lambda f: f.to("queue:later")}, finally_=lambda f: f.log("x")
        )
        .choice()
        .when(bool, lambda f: f.to("direct:one", retry=Retry(1)))
        .otherwise(lambda f: f.stop())
        .transform(lambda n: [n])
        .for_each(Records(int, codec="json"), identity, on_error=dead_letters(lambda f: f.to("mock:dead")))
        .transform(lambda tally: [tally.total])
        .gather(lambda n: n, identity, parallel=2)
        .split(lambda n: n, on_error="dead_letter_items", max_ratio=0.5)
        .parse(int)
        .to("mock:end", keep=3, codec="json")
        .stop()
    )
    later, one = from_("queue:later").to("log:x"), from_("direct:one").to("log:y?level=debug")
    assert checked(everything, later, one) == []


def test_unknown_scheme() -> None:
    """A scheme that no plugin offers is told with the nearest one, or with all, and with what could be installed."""
    message, hint = only(from_("tmier:x"))
    assert message == "no installed plugin offers 'tmier:'"
    assert hint == "did you mean 'timer'? (or install a plugin: pip install routekit-tmier)"
    assert only(ticks().to("zzz:x"))[1].startswith("known: control, cron, direct, ")


def test_unknown_option() -> None:
    """An option that an endpoint does not have is told with the nearest one, in the URI and by keyword."""
    expected = ("timer: has no option 'evry'", "did you mean 'every'?")
    assert only(from_("timer:x?evry=1")) == expected
    assert only(ticks().to("mock:x", kep=1)) == ("mock: has no option 'kep'", "did you mean 'keep'?")


def test_wrong_values() -> None:
    """All wrong values of an endpoint are told at once, with what was found."""
    message, hint = only(from_("timer:x?every=soon&repeat=0"))
    assert "'every': input should be a valid number" in message
    assert "found 'soon'; 'repeat': input should be greater than or equal to 1, found '0'" in message
    assert hint == "routekit describe timer"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("nothing", "'nothing' is no endpoint"),
        ("mock:x?keep", "mock: option 'keep' has no value"),
        ("mock:x?keep=1&keep=2", "mock: option 'keep' is given twice"),
        ("mock:", "mock: 'name' is missing"),
        ("mock:x?name=y", "mock: 'name' is given twice"),
    ],
)
def test_uri_that_cannot_be_read(uri: str, message: str) -> None:
    """What is wrong with the writing of a URI is told, each in its words."""
    assert only(ticks().to(uri))[0] == message


def test_option_in_the_uri_and_by_keyword() -> None:
    """An option that is given in the URI and by keyword is told: neither silently wins."""
    assert only(ticks().to("mock:x?keep=1", keep=2)) == (
        "mock: option 'keep' is given twice",
        "in the URI or by keyword",
    )


def test_source_used_as_a_sink() -> None:
    """Sending to what can only be read from is told."""
    assert only(ticks().to("timer:y")) == ("'timer:' cannot be sent to", "it can only be read from")


def test_sink_used_as_a_source() -> None:
    """Reading from what can only be sent to is told."""
    assert only(from_("mock:x")) == ("'mock:' cannot be read from", "it can only be sent to")


def test_missing_placeholder() -> None:
    """A placeholder without value and default is told with the ways to set it; one with either is not."""
    catalog = Catalog({"GIVEN": "x"}.get)
    (problem,) = checked(from_("timer:${GIVEN}").to("mock:${OTHER:x}").to("mock:${NOPE}"), catalog=catalog)
    assert problem.message == "no value for ${NOPE} in 'mock:${NOPE}'"
    assert "NOPE under [values] in routekit.toml" in problem.hint


@pytest.mark.parametrize(
    "flow",
    [
        from_("timer:x", codec="jsno"),
        ticks().to("mock:x", codec="jsno"),
        ticks().parse(int, codec="jsno"),
        ticks().split(Records(int, codec="jsno")),
    ],
)
def test_unknown_codec(flow: Flow[Any]) -> None:
    """A codec that does not exist is told, wherever it is named."""
    assert only(flow) == ("no codec 'jsno'", "did you mean 'json'?")


def test_options_of_codecs() -> None:
    """Options of a codec are checked as those of endpoints are."""
    unknown = ticks().parse(int, codec={"name": "csv", "delimeter": ";"})
    assert only(unknown) == ("codec.csv: has no option 'delimeter'", "did you mean 'delimiter'?")
    wrong = ticks().parse(int, codec={"name": "csv", "delimiter": "abc"})
    assert only(wrong)[0].startswith("codec.csv: 'delimiter': ")
    assert only(wrong)[1] == "routekit describe codec.csv"


class Letterbox(Producer):
    """A sink whose `slot` may be computed for each message, and whose `depth` may not."""

    scheme = "letterbox"
    name: str
    slot: Annotated[str, PER_MESSAGE] = "a"
    depth: int = 1

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Any, **_: Any) -> None:
            return None

        yield send


class Plugin:
    @hookimpl
    def register_endpoints(self) -> Sequence[type[Endpoint]]:
        return [Letterbox]


def test_options_computed_for_each_message() -> None:
    """A function is taken for an option that is made for it; for any other the hint names those that are."""
    catalog = Catalog(modules=[Plugin()])
    assert checked(ticks().to("letterbox:x", slot=lambda b: "b"), catalog=catalog) == []
    (problem,) = checked(ticks().to("letterbox:x", depth=lambda b: 1), catalog=catalog)
    assert problem.message == "letterbox: 'depth' cannot be computed for each message"
    assert problem.hint == "these can: slot"
    (problem,) = checked(ticks().to("letterbox:x", slto=lambda b: 1), catalog=catalog)
    assert (problem.message, problem.hint) == ("letterbox: has no option 'slto'", "did you mean 'slot'?")


def test_option_that_cannot_be_computed() -> None:
    """If no option of a sink may be computed, the hint says to give a fixed value."""
    expected = ("mock: 'keep' cannot be computed for each message", "give it a fixed value")
    assert only(ticks().to("mock:x", keep=lambda b: 1)) == expected


@pytest.mark.parametrize("scheme", ["direct", "queue"])
def test_nobody_reads(scheme: str) -> None:
    """Sending to a direct or queue that no route reads from is told, with the nearest that is read."""
    flow = ticks().to(f"{scheme}:ordres")
    message = f"no route reads from '{scheme}:ordres'"
    assert only(flow) == (message, f"start one: from_('{scheme}:ordres')")
    assert only(flow, from_(f"{scheme}:orders")) == (message, f"did you mean '{scheme}:orders'?")


def test_two_readers_of_a_call() -> None:
    """Only one route can answer a `direct:`; two may work off one `queue:`."""
    (problem,) = checked(first=from_("direct:x"), second=from_("direct:x"))
    assert (problem.route, problem.message) == ("second", "'direct:x' is read by first already")
    assert checked(from_("queue:x"), from_("queue:x")) == []


def test_step_after_stop() -> None:
    """A step that can never be reached is told once, with where the route stops."""
    flow = ticks().stop().log("never").log("neither")
    here = line() - 1
    assert only(flow) == (
        "log('never') is never reached",
        f"the route stops before it, at {ROOT_RELATIVE}:{here}",
    )


ROOT_RELATIVE = Path(__file__).relative_to(Path.cwd()) if Path(__file__).is_relative_to(Path.cwd()) else Path(__file__)


def test_stop_in_a_branch_is_no_end() -> None:
    """What comes after a choice with a stop in one branch is reached by the others."""
    assert checked(ticks().choice().when(bool, lambda f: f.stop()).otherwise(identity).log("reached")) == []


KEEPING: dict[str, Callable[[Flow[Any]], Flow[Any]]] = {
    "aggregate": lambda f: f.aggregate("s", int, key=str, size=2),
    "batch": lambda f: f.batch("s", int, size=2),
    "debounce": lambda f: f.debounce("s", int, quiet=1),
    "delay": lambda f: f.delay("s", int, by=1),
    "hand_over": lambda f: f.hand_over("s", int),
    "resequence": lambda f: f.resequence("s", int, number=int, gap=1),
    "saga": lambda f: f.saga("s", int, [Act("a", do=identity, undo=None)]),
}
SHARED: dict[str, Callable[[Flow[Any]], Flow[Any]]] = {
    "idempotent": lambda f: f.idempotent("s", key=str),
    "claim": lambda f: f.claim("s"),
    "redeem": lambda f: f.redeem("s", int),
    "detour": lambda f: f.detour(Switch("s"), identity),
    "circuit_breaker": lambda f: f.circuit_breaker(identity, name="s"),
    "bulkhead": lambda f: f.bulkhead(identity, name="s"),
    "throttle": lambda f: f.throttle(rate=1, name="s"),
}


def test_state_with_two_owners() -> None:
    """Two steps of one route with one state name are told: the second would see its own first as done."""
    flow = ticks().idempotent("seen", key=str)
    (problem,) = checked(flow.tap(lambda f: f.idempotent("seen", key=str)))
    assert problem.message == "state 'seen' is owned by two steps of one route"
    assert "give one another name" in problem.hint


def test_state_shared_by_routes() -> None:
    """Two routes may share a state, such as the keys that either has seen; also by one fragment."""
    one = ticks().idempotent("seen", key=str)
    two = ticks().idempotent("seen", key=str)
    assert checked(one, two) == []


@pytest.mark.parametrize("word", KEEPING)
def test_state_that_is_not_shared(word: str) -> None:
    """Two routes that keep messages under one name would mix them: both are named, with their lines."""
    one, two = KEEPING[word](ticks()), KEEPING[word](ticks())
    problem = next(iter(checked(one=one, two=two)))
    assert (problem.route, problem.message) == ("two", "state 's' is owned by a step of route 'one' too")


@pytest.mark.parametrize("word", SHARED)
def test_state_that_is_shared(word: str) -> None:
    """Keys that were seen, claims, switches and what is not kept may be meant for several routes."""
    assert checked(SHARED[word](ticks()), SHARED[word](ticks())) == []


def test_state_of_two_kinds() -> None:
    """One name is one state: not the keys of one route and the groups of another."""
    keys, groups = SHARED["idempotent"](ticks()), KEEPING["aggregate"](ticks())
    assert len(checked(keys, groups)) == 1


def test_state_of_two_steps_in_one_line() -> None:
    """They cannot be told apart by their lines, but they are two."""
    message, hint = only(ticks().delay("s", int, by=1).delay("s", int, by=2))
    assert message == "state 's' is owned by two steps of one route"
    assert hint.startswith("both stand in this line")


def test_state_of_one_fragment_in_two_branches() -> None:
    """It is made twice."""
    batched = KEEPING["batch"]
    message, _ = only(ticks().choice().when(bool, batched).otherwise(batched))
    assert message == "state 's' is owned by two steps of one route"


def test_state_shared_by_routes_but_not_in_one() -> None:
    """A third step that is in the route of the second is told."""
    seen = SHARED["idempotent"]
    message, _ = only(seen(ticks()), seen(seen(ticks())))
    assert message == "state 's' is owned by two steps of one route"


def wrong(flow: Flow[Any]) -> Flow[Any]:
    return flow.to("mokc:x")


BRANCHES: dict[str, Callable[[], Flow[Any]]] = {
    "when": lambda: ticks().choice().when(bool, wrong).otherwise(identity),
    "otherwise": lambda: ticks().choice().when(bool, identity).otherwise(wrong),
    "attempt": lambda: ticks().attempt(wrong),
    "rescue": lambda: ticks().attempt(lambda f: f.log("x"), rescue={ValueError: wrong}),
    "finally": lambda: ticks().attempt(lambda f: f.log("x"), finally_=wrong),
    "tap": lambda: ticks().tap(wrong),
    "gather": lambda: ticks().gather(lambda b: [b], wrong),
    "for_each": lambda: ticks().for_each(lambda b: [b], wrong),
    "dead letters of parts": lambda: ticks().split(lambda b: [b], on_error=dead_letters(wrong)),
    "dead letters of the route": lambda: from_("timer:x", policy=Policy(dead_letter=dead_letters(wrong))),
    "branch in a branch": lambda: ticks().tap(lambda f: f.attempt(lambda g: g.gather(lambda b: [b], wrong))),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_problem_in_a_branch(branch: str) -> None:
    """A problem inside any branch is told once, at the line where it is written."""
    (problem,) = checked(BRANCHES[branch]())
    assert problem.message == "no installed plugin offers 'mokc:'"
    assert problem.place.line == wrong.__code__.co_firstlineno + 1


def test_everything_at_once() -> None:
    """All problems of all routes are told at once, in the order of the lines, and a problem hides no other."""
    first = from_("tmier:x").to("mock:x", kep=1).to("direct:nobody")
    second = from_("timer:x?evry=1").log("{bdy}").parse(int, codec="jsno").to("mokc:x")
    third = from_("mock:x")
    problems = checked(third=third, second=second, first=first)
    assert [problem.route for problem in problems] == ["first"] * 3 + ["second"] * 4 + ["third"]
    assert [problem.place.line for problem in problems] == sorted(problem.place.line for problem in problems)


def test_line_of_each_step() -> None:
    """In a chain over many lines each problem has the line of its own step."""
    start = line() + 1
    flow = (
        from_("tmier:x")
        .to("mokc:1")
        .log("fine")
        .to("mokc:2")
    )  # fmt: skip
    assert [problem.place.line for problem in checked(flow)] == [start + 1, start + 2, start + 4]


class Odd(Step[Any, Any]):
    """A stranger's step with a bug in its bind."""

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        raise KeyError("oops")


def test_step_of_a_stranger_that_breaks() -> None:
    """A step that raises anything when it is bound is a problem of its line; the others are told too."""
    problems = checked(ticks().then(Odd()).to("mokc:x"))
    assert [problem.message for problem in problems] == ["KeyError: 'oops'", "no installed plugin offers 'mokc:'"]


def test_typed_endpoints() -> None:
    """Typed endpoints are checked as URIs are, also when no plugin offers them."""
    sink = Sink()
    assert checked(from_(Feed([1])).to(sink)) == []
    assert only(from_(Feed([1])).to(sink, color="red"))[0] == "sink: has no option 'color'"


def test_nothing_runs(tmp_path: Path) -> None:
    """A check opens nothing: no file, no folder, no store."""
    flow = from_(f"file:{tmp_path}/in?after=keep").idempotent("x", key=str).to(f"file:{tmp_path}/out")
    assert checked(flow) == []
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_masked_where_a_uri_is_named() -> None:
    """The passwords of a URI that is no endpoint are not in the problem."""
    (problem,) = checked(ticks().to("Amqp://me:hunter2@host/x"))
    assert "hunter2" not in problem.message + problem.hint


def test_plain_data_of_a_problem() -> None:
    """As JSON a problem is place, route, message and hint."""
    (problem,) = checked(one=from_("mock:x"))
    data = problem.as_json()
    assert {**data, "place": ""} == {
        "place": "",
        "route": "one",
        "message": "'mock:' cannot be read from",
        "hint": "it can only be sent to",
    }
    assert data["place"].endswith(f"test_check.py:{line() - 8}")
