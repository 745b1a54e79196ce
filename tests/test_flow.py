"""The language: flows are values."""

from dataclasses import dataclass
from typing import Any

import pytest

from routekit import DefinitionError, Flow, Letter, Message, Policy, Step, dead_letters, from_
from routekit.eip.filter import Filter
from routekit.endpoints.timer import Timer
from routekit.flow import Choosing
from routekit.step import Chain
from routekit.testing import Feed, Sink, run_routes


def double(n: int) -> int:
    return n * 2


@dataclass(frozen=True)
class Shout(Step[str, str]):
    """A stranger's step."""

    mark: str = "!"

    def bind(self, proceed: Any, runtime: Any) -> Any:
        return lambda message: proceed(message.with_body(message.body.upper() + self.mark))


def test_every_word_gives_a_new_flow() -> None:
    """The one before stays as it was, and may be gone on with twice."""
    base = from_("timer:x", int).transform(double)
    first, second = base.filter(bool), base.stop()
    assert len(base.chain.steps) == 1
    assert [type(flow.chain.steps[-1]).__name__ for flow in (first, second)] == ["Filter", "Stop"]


def test_flows_are_equal_if_they_say_the_same() -> None:
    """Typed endpoints and functions included."""
    timer = Timer(name="x", every=2)
    assert from_(timer, int).transform(double).to("mock:a") == from_(timer, int).transform(double).to("mock:a")
    assert from_(timer, int).transform(double) != from_(timer, int).transform(str)
    assert from_(timer, int) != from_(timer, str)


def test_a_flow_becomes_a_route_by_its_name() -> None:
    """With all that was said."""
    policy = Policy(concurrency=2)
    route = from_("timer:x", int, codec="json", policy=policy).transform(double).route("mine", "What it does.")
    assert (route.name, str(route.source), route.body, route.codec) == ("mine", "timer:x", int, "json")
    assert (route.policy, route.doc, len(route.chain.steps)) == (policy, "What it does.", 1)
    assert route.place.file == __file__


def test_a_fragment_is_no_route() -> None:
    """It has no source."""
    with pytest.raises(DefinitionError, match=r"'mine' has no source; start it with from_\(...\)"):
        Flow[int]().filter(bool).route("mine")


@pytest.mark.anyio
async def test_a_fragment_goes_on_with_a_flow() -> None:
    """With arguments of its own."""

    def times(flow: Flow[int], factor: int, *, plus: int = 0) -> Flow[int]:
        return flow.transform(lambda n: n * factor + plus)

    sink = Sink()
    await run_routes(from_(Feed([1, 2]), int).apply(times, 10, plus=1).to(sink))
    assert sink.bodies == [11, 21]


@pytest.mark.anyio
async def test_any_step_may_follow() -> None:
    """The door for strangers' patterns."""
    sink = Sink()
    await run_routes(from_(Feed(["a"]), str).then(Shout("?")).then(Shout()).to(sink))
    assert sink.bodies == ["A?!"]
    assert Shout().label == "shout"
    assert (Shout().branches(), Shout().targets(), Shout().state()) == ((), (), None)


@pytest.mark.parametrize(
    "word",
    [
        lambda flow, branch: flow.tap(branch),
        lambda flow, branch: flow.attempt(branch),
        lambda flow, branch: flow.attempt(lambda f: f, rescue={ValueError: branch}),
        lambda flow, branch: flow.attempt(lambda f: f, finally_=branch),
        lambda flow, branch: flow.gather(list, branch),
        lambda flow, branch: flow.for_each(list, branch),
        lambda flow, branch: flow.choice().when(bool, branch),
        lambda flow, branch: flow.choice().when(bool, lambda f: f).otherwise(branch),
        lambda flow, branch: dead_letters(branch),
    ],
)
@pytest.mark.parametrize("branch", [lambda flow: None, lambda flow: flow.choice(), lambda flow: from_("timer:y")])
def test_a_branch_is_a_function_from_flow_to_flow(word: Any, branch: Any) -> None:
    """What gives something else, or a source of its own, is refused when it is written."""
    with pytest.raises(DefinitionError):
        word(from_("timer:x"), branch)


@pytest.mark.parametrize("word", ["filter", "transform", "validate"])
def test_a_function_is_looked_at_when_it_is_written(word: str) -> None:
    """Not at three in the morning."""
    for wrong in (5, lambda: 1, lambda a, b, c: 1):
        with pytest.raises(DefinitionError):
            getattr(from_("timer:x"), word)(wrong)


def test_an_open_choice_is_no_flow() -> None:
    """It has no word but `when`; closed by `otherwise` it is one."""
    choosing = from_("timer:x", int).choice()
    assert isinstance(choosing, Choosing)
    assert not hasattr(choosing, "to")
    chosen = choosing.when(bool, lambda f: f)
    assert not hasattr(chosen, "to")
    assert isinstance(chosen.otherwise(lambda f: f), Flow)


def test_a_choice_begun_can_be_closed_twice() -> None:
    """It is a value, too."""
    chosen = from_("timer:x", int).choice().when(bool, lambda f: f)
    assert len(chosen.when(bool, lambda f: f).cases) == 2
    assert len(chosen.cases) == 1


def test_dead_letters_are_a_branch_of_letters() -> None:
    """For a policy."""
    chain = dead_letters(lambda letters: letters.filter(lambda letter: isinstance(letter, Letter)).to("mock:x"))
    assert isinstance(chain, Chain)
    assert [step.label.partition("(")[0] for step in chain.steps] == ["filter", "to mock:x"]


def test_steps_are_values() -> None:
    """Frozen, printed with what they hold."""
    step = Filter(bool)
    assert step == Filter(bool)
    assert repr(step) == "Filter(predicate=<class 'bool'>)"
    with pytest.raises(AttributeError):
        step.predicate = str  # type: ignore[misc]


@pytest.mark.anyio
async def test_a_route_without_steps_acknowledges() -> None:
    """The message is its own reply."""
    feed = Feed([Message(1, id="m")])
    await run_routes(from_(feed))
    assert [(name, reply.body) for name, reply in feed.acknowledged] == [("m", 1)]
