"""recipients"""

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import DefinitionError, Flow, Message, PartsFailed, Policy, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def itself(flow: Flow[Any]) -> Flow[Any]:
    return flow


def to(sink: Sink) -> Any:
    return lambda flow: flow.to(sink)


def named(body: dict[str, Any]) -> Any:
    return body["to"]


async def later(body: dict[str, Any], message: Message[Any]) -> Any:
    await anyio.sleep(1)
    return message.body["to"]


@pytest.mark.parametrize("choose", [named, later])
async def test_only_the_chosen_branches_get_a_copy(choose: Any) -> None:
    """One name, several of any kind, or none; the message itself goes on."""
    crm, erp, out = Sink(), Sink(), Sink()
    bodies = [{"to": to} for to in ("crm", ["erp", "crm"], ("erp",), [], {"crm": 1})]
    flow = from_(Feed(bodies), dict).recipients(choose, {"crm": to(crm), "erp": to(erp)}).to(out)
    await run_routes(flow)
    assert [message.id for message in crm.messages] == ["feed-1/crm", "feed-2/crm", "feed-5/crm"]
    assert [message.id for message in erp.messages] == ["feed-2/erp", "feed-3/erp"]
    assert out.bodies == bodies


async def test_branches_run_in_the_order_in_which_they_are_chosen() -> None:
    """A name that is given twice counts once."""
    order: list[str] = []
    branches: Any = {
        name: lambda f, name=name: f.transform(lambda body: order.append(name)) for name in ("a", "b", "c")
    }
    await run_routes(from_(Feed([{"to": ["c", "a", "c", "a"]}]), dict).recipients(named, branches))
    assert order == ["c", "a"]


async def test_a_generator_of_names_will_do() -> None:
    """Any iterable."""
    crm = Sink()
    flow = from_(Feed([1]), int).recipients(lambda n: (name for name in ["crm"]), {"crm": to(crm)})
    await run_routes(flow)
    assert crm.bodies == [1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("crn", "no branch is named 'crn'; did you mean 'crm'?"),
        (["crm", "https://evil.example"], "no branch is named 'https://evil.example'; known: crm, erp"),
        ([7], "no branch is named 7; give the name of a branch"),
        (None, "branches are chosen by name, found None; give a name, several, or an empty list"),
        (5, "branches are chosen by name, found 5; give a name, several, or an empty list"),
    ],
)
async def test_a_name_that_is_not_declared_rejects_the_message(given: Any, said: str) -> None:
    """Before any branch has run: data picks among declared branches and names no others."""
    crm, out = Sink(), Sink()
    flow = from_(Feed([{"to": given}]), dict).recipients(named, {"crm": to(crm), "erp": itself}).to(out)
    run = await run_routes(flow)
    assert [(letter.error, letter.reason) for letter in run.letters] == [("Rejected", said)]
    assert (crm.bodies, out.bodies) == ([], [])


async def test_options_are_those_of_multicast() -> None:
    """All chosen branches run before the message fails, side by side if asked, within a timeout."""
    feed, done = Feed([{"to": ["a", "b", "c"]}]), []

    async def work(body: Any) -> None:
        await anyio.sleep(1)
        done.append(1)

    async def slow(body: Any) -> None:
        await anyio.sleep(9)

    branches: Any = {
        "a": lambda f: f.transform(lambda body: 1 // 0),
        "b": lambda f: f.transform(work),
        "c": lambda f: f.transform(slow),
    }
    started = anyio.current_time()
    flow = from_(feed, dict, policy=Policy(dead_letter="refuse"))
    await run_routes(flow.recipients(named, branches, parallel=3, timeout=2))
    assert anyio.current_time() - started == pytest.approx(2)
    ((_, error),) = feed.refused
    assert (type(error), done) == (ZeroDivisionError, [1])
    assert isinstance(error.__cause__, PartsFailed)
    assert [name for name, _ in error.__cause__.failures] == ["a", "c"]
    run = await run_routes(from_(Feed([{"to": ["a", "b"]}]), dict).recipients(named, branches, on_error="dead_letter"))
    assert [(letter.message_id, letter.error) for letter in run.letters] == [("feed-1/a", "ZeroDivisionError")]


def test_wrong_options_are_refused_when_written() -> None:
    """Names, functions."""
    flow: Any = from_("timer:x")
    for branches in ({}, {"": itself}, {"a/b": itself}, {5: itself}):
        with pytest.raises(DefinitionError):
            flow.recipients(named, branches)
    with pytest.raises(DefinitionError):
        flow.recipients("crm", {"crm": itself})


def test_it_can_be_drawn() -> None:
    """Each branch under its name."""
    (step,) = from_("timer:x", dict).recipients(named, {"crm": itself, "erp": itself}, parallel=2).chain.steps
    assert step.label == "recipients(named, parallel=2)"
    assert [name for name, _ in step.branches()] == ["crm", "erp"]


@settings(max_examples=40)
@given(chosen=st.lists(st.lists(st.sampled_from("abcd")), max_size=6), parallel=st.integers(1, 4))
async def test_each_recipient_gets_exactly_the_messages_that_name_it(chosen: list[list[str]], parallel: int) -> None:
    """Once each, in the order in which the messages came."""
    sinks = {name: Sink() for name in "abcd"}
    flow = from_(Feed([{"to": names} for names in chosen]), dict)
    await run_routes(flow.recipients(named, {name: to(sink) for name, sink in sinks.items()}, parallel=parallel))
    for name, sink in sinks.items():
        assert [body["to"] for body in sink.bodies] == [names for names in chosen if name in names]
