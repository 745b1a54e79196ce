"""Rewriting definitions, and the word that does it: intercept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import Chain, DefinitionError, Flow, Handler, Message, Policy, Runtime, Step, dead_letters, from_, rescue
from routekit.eip.to import To
from routekit.place import NOWHERE
from routekit.rewriting import intercepted, matches, rewritten
from routekit.show import as_text
from routekit.step import Target
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


def to(uri: str) -> Any:
    return lambda flow: flow.to(uri)


def itself(flow: Flow[Any]) -> Flow[Any]:
    return flow


def noted(flow: Flow[Any]) -> Flow[Any]:
    return flow.log("intercepted")


def shown(flow: Flow[Any]) -> list[str]:
    """The steps as text, without indentation."""
    return [line.strip("│├└─ ") for line in as_text(flow.route("r")).splitlines()[2:]]


EVERYWHERE: Flow[Any] = (
    from_(
        "timer:x", int, policy=Policy(dead_letter=dead_letters(to("mock:a")), rescue={ValueError: rescue(to("mock:a"))})
    )
    .tap(to("mock:a"))
    .attempt(to("mock:a"), rescue={ValueError: to("mock:a")}, finally_=to("mock:a"))
    .choice()
    .when(bool, to("mock:a"))
    .otherwise(to("mock:a"))
    .gather(lambda n: [n], to("mock:a"), on_error=dead_letters(to("mock:a")))
    .multicast(to("mock:a"), to("mock:a"), on_error=dead_letters(to("mock:a")))
    .scatter_gather({"x": to("mock:a")})
    .recipients(lambda n: "x", {"x": to("mock:a")})
    .routing_slip(lambda n: "x", {"x": lambda f: f.tap(to("mock:a"))})
    .dynamic_router(lambda n: None, {"x": to("mock:a")})
    .load_balance(to("mock:a"), to("mock:b"))
    .failover(to("mock:a"), to("mock:a"))
    .loop(to("mock:a"), times=2)
    .detour(bool, to("mock:a"))
    .to("mock:a")
)
"""A flow with a `to` in every kind of branch."""


async def test_the_branch_runs_before_each_send_that_matches() -> None:
    """What it gives is what is sent, and goes on."""
    one, two = Sink(), Sink()
    flow = from_(Feed([1]), int).to(one).transform(lambda n: n + 1).to(two).transform(str)
    seen: list[Any] = []
    changed = flow.intercept("sink:", lambda f: f.transform(lambda n: n * 10)).transform(seen.append)
    await run_routes(changed)
    assert (one.bodies, two.bodies, seen) == ([10], [110], ["110"])


async def test_with_skip_the_branch_takes_the_place_of_the_send() -> None:
    """Nothing is sent."""
    one, instead = Sink(), Sink()
    flow = from_(Feed([1, 2]), int).to(one).transform(str)
    await run_routes(flow.intercept("sink*", lambda f: f.to(instead), skip=True))
    assert (one.bodies, instead.bodies) == ([], [1, 2])


async def test_a_branch_that_ends_the_message_ends_it() -> None:
    """So it guards what is sent."""
    one = Sink()
    flow = from_(Feed([1, 2, 3]), int).to(one).intercept("sink:", lambda f: f.filter(lambda n: n != 2))
    await run_routes(flow)
    assert one.bodies == [1, 3]


def test_it_finds_steps_in_every_branch() -> None:
    """Those of the policy too; what does not match stays, and so does everything else."""
    changed = EVERYWHERE.intercept("mock:a", noted)
    lines = shown(changed)
    assert lines.count("to mock:a") == 23
    assert all(lines[number - 1] == "log('intercepted')" for number, line in enumerate(lines) if line == "to mock:a")
    assert [line for line in lines if "intercepted" not in line] == shown(EVERYWHERE)
    skipped = shown(EVERYWHERE.intercept("mock:a", noted, skip=True))
    assert (skipped.count("to mock:a"), skipped.count("log('intercepted')"), skipped.count("to mock:b")) == (0, 23, 1)


def test_the_flow_before_is_not_changed() -> None:
    """A definition is a value."""
    before = shown(EVERYWHERE)
    EVERYWHERE.intercept("mock:*", noted, skip=True)
    assert shown(EVERYWHERE) == before


def test_only_steps_so_far_are_found() -> None:
    """What is added later is not intercepted."""
    flow = from_("timer:x").to("mock:a").intercept("mock:*", noted).to("mock:b")
    assert shown(flow) == ["log('intercepted')", "to mock:a", "to mock:b"]


def test_the_branch_itself_is_not_intercepted() -> None:
    """Even if it sends to such a URI."""
    flow = from_("timer:x").to("mock:a").intercept("mock:*", to("mock:b"))
    assert shown(flow) == ["to mock:b", "to mock:a"]


def test_steps_keep_their_places() -> None:
    """Those of the branch have the places where they were written."""
    flow = from_("timer:x").to("mock:a")
    changed = flow.intercept(
        "mock:*",
        noted,
    )
    log, send = changed.chain.places
    assert send == flow.chain.places[0]
    assert log.line < send.line


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("file:out", True),
        ("file:out?name=a", True),
        ("file:*", True),
        ("*", True),
        ("f?le:out", True),
        ("file:o", False),
        ("file", False),
        ("FILE:out", False),
    ],
)
def test_patterns(pattern: str, found: bool) -> None:
    """With or without the options of the URI."""
    assert matches(pattern, "file:out?name=a") is found


def test_a_pattern_that_matches_nothing_is_a_mistake() -> None:
    """With what there is."""
    with pytest.raises(DefinitionError, match=r"nothing is sent to 'mock:aa'; did you mean 'mock:a'\?"):
        EVERYWHERE.intercept("mock:aa", noted)
    with pytest.raises(DefinitionError, match="none is known"):
        from_("timer:x").intercept("*", noted)


def test_secrets_are_masked() -> None:
    """In what is told, too."""
    with pytest.raises(DefinitionError) as raised:
        from_("timer:x").to("amqp://me:hunter2@host/out").intercept("amqp://me:hunter@*", noted)
    assert "hunter2" not in str(raised.value)


class Opaque(Step[Any, Any]):
    """A stranger's step that is no dataclass but has a branch."""

    def __init__(self, branch: Chain) -> None:
        self.branch = branch

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        return proceed

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return (("inside", self.branch),)


@dataclass(frozen=True)
class Clear(Step[Any, Any]):
    """A stranger's step that is one, with a field of its own making."""

    branch: list[tuple[str, Chain]]
    size: int = field(init=False, default=3)

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        async def handle(message: Message[Any]) -> Message[Any] | None:
            return await proceed(message)

        return handle

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return self.branch


def test_a_strangers_step_is_rewritten_if_it_can_be() -> None:
    """What cannot be reached is not silently left as it was."""
    inside = Flow[Any]().to("mock:a").chain
    assert shown(from_("timer:x").then(Clear([("b", inside)])).intercept("mock:a", noted)) == [
        "clear",
        "b:",
        "log('intercepted')",
        "to mock:a",
    ]
    with pytest.raises(DefinitionError, match="what sends to 'mock:a' cannot be rewritten"):
        from_("timer:x").then(Opaque(inside)).to("mock:a").intercept("mock:a", noted)
    assert len(from_("timer:x").then(Opaque(inside)).to("mock:b").intercept("mock:b", noted).chain.steps) == 3


def send(uri: str) -> To[Any]:
    return To[Any](Target(uri))


chains = st.recursive(
    st.lists(st.sampled_from(["mock:a", "mock:b"]), max_size=3).map(
        lambda uris: Chain(tuple(send(uri) for uri in uris), (NOWHERE,) * len(uris))
    ),
    lambda inner: st.lists(st.tuples(st.just("x"), inner), min_size=1, max_size=3).map(
        lambda those: Chain((Clear(those), send("mock:b")), (NOWHERE, NOWHERE))
    ),
    max_leaves=6,
)


def flat(chain: Chain) -> list[str]:
    """All URIs of a chain, in order."""
    found: list[str] = []
    for step in chain.steps:
        found += [uri for _, branch in step.branches() for uri in flat(branch)]
        found += [str(target) for target in step.targets()]
    return found


@given(chains)
def test_rewriting_touches_nothing_else(chain: Chain) -> None:
    """What is not replaced is the very same value; what is, is replaced everywhere."""
    assert rewritten(chain, lambda step, place: None) is chain
    branch = Chain((send("mock:c"),), (NOWHERE,))
    if "mock:a" not in flat(chain):
        with pytest.raises(DefinitionError):
            intercepted((chain,), "mock:a", branch, skip=True)
        return
    (skipped,) = intercepted((chain,), "mock:a", branch, skip=True)
    assert flat(skipped) == [{"mock:a": "mock:c"}.get(uri, uri) for uri in flat(chain)]
    (before,) = intercepted((chain,), "mock:a", branch, skip=False)
    assert flat(before) == [one for uri in flat(chain) for one in (["mock:c", uri] if uri == "mock:a" else [uri])]
