"""What is recorded of messages on their way, and kept."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import anyio
import pytest

from routekit import DefinitionError, Flow, Message, Policy, Retry, Route, Sensitive, Tracing, from_, rescue
from routekit.operating.sights import HopSight, TraceSight
from routekit.operating.traces import trace, traces
from routekit.store import Store
from routekit.stores.memory import MemoryStore
from routekit.testing import Clock, Feed, Run, Sink, routes_of, run_routes, setup_for
from routekit.traced import CHANCES, chance
from routekit.tracing.tracer import BURST

pytestmark = pytest.mark.anyio

CANARY = "c4n4ry-of-the-mine"


@dataclass(frozen=True)
class Lead:
    """What comes in by most of these routes."""

    email: Annotated[str, Sensitive("email")]
    total: int = 0
    lines: tuple[int, ...] = ()


async def traced(*flows: Flow[Any] | Route, store: Store | None = None, **named: Flow[Any]) -> list[TraceSight]:
    """All traces of a run of these routes, whole, in the order in which the messages came."""
    store = store or a_store()
    routes = routes_of(*flows, **named)
    await run_routes(*routes, setup=setup_for(Run(), store=store))
    listed = await traces(store)
    found = [one for message in sorted({one.message for one in listed}) for one in await trace(store, message)]
    return sorted(found, key=lambda one: (one.began, one.parent))


def a_store(clock: Clock | None = None) -> Store:
    """An empty store."""
    return MemoryStore((clock or Clock()).now)


def words(hops: Sequence[HopSight]) -> list[str]:
    """Step, outcome and decision of each hop, in a line."""
    return [" | ".join(filter(None, (hop.step, hop.outcome, hop.decision))) for hop in hops]


def all_of(trace: Any = True, **options: Any) -> Policy:
    """A policy that traces."""
    return Policy(trace=trace, **options)


async def test_the_hops_are_the_steps_that_the_message_passed() -> None:
    """Each step is there once, in order, with the message in front of it and behind it, and where it ended."""
    flow = (
        from_(Feed([Lead("ada@example.org", 3), Lead("nobody", 4)]), Lead, policy=all_of())
        .filter(lambda lead: "@" in lead.email)
        .transform(lambda lead: replace(lead, total=lead.total + 1))
        .to(Sink())
    )
    first, second = await traced(leads=flow)
    assert (first.message, first.route, first.ended, second.ended) == ("feed-1", "leads", "done", "ended early")
    assert words(first.hops) == [
        """filter("@" in lead.email) | on | true: lead.email = 'a***@example.org'""",
        "transform(replace(lead, total=lead.total + 1)) | on",
        "to sink: | sent",
    ]
    assert words(second.hops) == ["""filter("@" in lead.email) | ended | false: lead.email = '***'"""]
    body: dict[str, Any] = {"email": "a***@example.org", "total": 3, "lines": []}
    more = body | {"total": 4}
    assert [(hop.before, hop.after) for hop in first.hops] == [(body, body), (body, more), (more, more)]
    assert second.hops[0].after is None


@pytest.mark.parametrize("trace", [None, False, 0, Tracing(share=0)])
async def test_nothing_is_traced_unless_it_is_asked_for(trace: Any) -> None:
    """Without a word in the policy, and with a share of nothing, there is no trace and nothing in the store."""
    store = a_store()
    assert await traced(from_(Feed([1]), int, policy=all_of(trace)).to(Sink()), store=store) == []
    assert await store.contents() == []


@pytest.mark.parametrize("trace", [1.5, -1, "often", Tracing])
def test_a_trace_that_cannot_be_is_refused(trace: Any) -> None:
    """A share above 1, a word that nobody knows: the definition is wrong, and says what would be right."""
    with pytest.raises(DefinitionError, match="trace"):
        Policy(trace=trace)


async def test_each_step_has_the_time_that_was_spent_in_it_alone() -> None:
    """What is inside a step and behind it is not counted again: the own times of all steps are those of the message."""

    def slow(seconds: float) -> Callable[[Any], Coroutine[Any, Any, Any]]:
        async def wait(body: Any) -> Any:
            await anyio.sleep(seconds)
            return body

        return wait

    flow = from_(Feed([[1, 2]]), list[int], policy=all_of()).transform(slow(1)).attempt(lambda f: f.transform(slow(2)))
    (found,) = await traced(flow.split(lambda body: body).transform(slow(4)).to(Sink()))
    assert [round(hop.seconds) for hop in found.hops] == [1, 0, 2, 0, 4, 0, 4, 0]
    assert found.seconds is not None
    assert round(found.seconds) == 11
    assert sum(hop.seconds for hop in found.hops) <= found.seconds + 1e-6


async def test_parts_are_followed_with_their_parent() -> None:
    """The steps behind a split are passed by each part, under its own id."""
    flow = from_(Feed([[1, 2, 3]]), list[int], policy=all_of()).split(lambda body: body).filter(lambda n: n != 2)
    found = await traced(flow.to(Sink()))
    assert [(hop.id, hop.step) for hop in found[0].hops] == [
        ("feed-1", "split()"),
        ("feed-1/0", "filter(n != 2)"),
        ("feed-1/0", "to sink:"),
        ("feed-1/1", "filter(n != 2)"),
        ("feed-1/2", "filter(n != 2)"),
        ("feed-1/2", "to sink:"),
    ]
    assert found[0].hops[0].decision == "3 parts"


async def test_choice_says_why_it_took_a_branch() -> None:
    """Which of the predicates held, with the values that they read and the constants they compare with."""
    limit = 100
    flow = (
        from_(Feed([{"total": 500}, {"total": 5}]), dict[str, int], policy=all_of())
        .choice()
        .when(lambda order: order["total"] > limit, lambda big: big.to(Sink()))
        .otherwise(lambda rest: rest)
        .to(Sink())
    )
    first, second = await traced(flow)
    assert (
        words(first.hops)[0]
        == """choice | on | when 1 of 1: order["total"] > limit: order['total'] = 500, limit = 100"""
    )
    assert second.hops[0].decision == "otherwise: order['total'] = 5, limit = 100"
    assert [hop.step for hop in first.hops] == ["choice", """when(order["total"] > limit) > to sink:""", "to sink:"]


async def test_a_second_message_of_a_key_says_so() -> None:
    """An idempotent step names the key by the values that it is made of."""
    flow = from_(Feed(["a", "a"]), str, policy=all_of()).idempotent("seen", key=lambda text: text).to(Sink())
    first, second = await traced(flow)
    assert first.hops[0].decision == "a new key: text = 'a'"
    assert second.hops[0].decision == "its key was done before: text = 'a'"
    assert second.hops[0].outcome == "ended"


async def test_retries_and_the_dead_letter_are_seen() -> None:
    """Each try passes the steps again; the last failure is the end."""

    def bad(n: int) -> int:
        raise OSError(f"no {n}")

    retry = Retry(2, first=0.0)
    flow = from_(Feed([7]), int, policy=all_of(retry=retry)).transform(lambda n: n).transform(bad).to(Sink())
    (found,) = await traced(flow)
    assert (found.ended, found.attempt, found.error) == ("dead letter", 3, "OSError: no 7")
    assert [(hop.attempt, hop.outcome) for hop in found.hops] == [
        (1, "on"), (1, "retried"), (2, "on"), (2, "retried"), (3, "on"), (3, "failed"),
    ]  # fmt: skip
    assert found.hops[1].error == "OSError: no 7"


async def test_an_attempt_tells_what_it_was_rescued_from() -> None:
    """An error inside it is that of the inner step, and the attempt says what became of it."""

    def bad(n: int) -> int:
        raise OSError("away")

    flow = from_(Feed([7]), int, policy=all_of()).attempt(
        lambda body: body.transform(bad), rescue={OSError: rescue(lambda branch: branch)}
    )
    (found,) = await traced(flow.to(Sink()))
    assert words(found.hops) == [
        "attempt | on | rescued from OSError",
        "attempt > transform(bad) | rescued",
        "to sink: | sent",
    ]
    assert found.ended == "done"


async def test_a_direct_call_is_a_trace_of_its_own_that_knows_its_parent() -> None:
    """The called route's trace names the one that called; so it is followed whatever its own share is."""
    outer = from_(Feed([1]), int, policy=all_of()).to("direct:inner").to(Sink())
    inner = from_("direct:inner", int, policy=all_of(0.000001)).transform(lambda n: n + 1)
    first, second = await traced(outer=outer, inner=inner)
    assert (first.route, second.route, second.parent) == ("outer", "inner", "outer/feed-1")
    assert first.hops[0].sends[0].to == "direct:inner"
    assert first.hops[0].sends[0].answer == 2


async def test_multicast_and_tap_are_followed_into_their_branches() -> None:
    """A branch's steps carry its name, and its copy of the message its own id."""
    flow = (
        from_(Feed([1]), int, policy=all_of())
        .multicast(lambda crm: crm.to(Sink()), lambda erp: erp.transform(str).to(Sink()))
        .tap(lambda f: f.to(Sink()))
        .to(Sink())
    )
    (found,) = await traced(flow)
    assert [(hop.id, hop.step, hop.outcome) for hop in found.hops] == [
        ("feed-1", "multicast()", "on"),
        ("feed-1/branch-1", "branch-1 > to sink:", "sent"),
        ("feed-1/branch-2", "branch-2 > transform(str)", "on"),
        ("feed-1/branch-2", "branch-2 > to sink:", "sent"),
        ("feed-1", "tap", "on"),
        ("feed-1", "tap > to sink:", "sent"),
        ("feed-1", "to sink:", "sent"),
    ]


async def test_an_aggregate_keeps_and_goes_on_later() -> None:
    """The message ends in its group, which goes on as a message of its own."""
    flow = from_(Feed([1, 2]), int, policy=all_of()).aggregate("all", int, key=lambda n: "one", size=2).to(Sink())
    found = await traced(flow)
    assert [one.ended for one in found].count("ended early") >= 1
    kept = next(one for one in found if one.message == "feed-1")
    assert kept.hops[0].outcome in ("ended", "kept")
    assert kept.hops[0].decision.startswith("kept in its group")


async def test_only_failed_messages_are_kept_if_that_is_asked_for() -> None:
    """All are followed in memory; those that end well leave nothing."""

    def bad(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n

    flow = from_(Feed([1, 2, 3]), int, policy=all_of("failed")).transform(bad).to(Sink())
    found = await traced(flow)
    assert [(one.message, one.ended) for one in found] == [("feed-2", "dead letter")]


async def test_a_message_whose_part_failed_is_kept_too() -> None:
    """A part that became a dead letter of its own is a failure of the message."""

    def bad(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n

    flow = from_(Feed([[1, 2], [3]]), list[int], policy=all_of("failed"))
    found = await traced(flow.split(lambda body: body, on_error="dead_letter_items").transform(bad).to(Sink()))
    assert [one.message for one in found] == ["feed-1"]


async def test_the_share_is_decided_by_the_id_alone() -> None:
    """Two routes that trace the same share trace the same messages, and their parts."""
    bodies = [Message(n, id=f"order-{n}") for n in range(200)]
    store = a_store()
    half = all_of(Tracing(share=0.02))
    await traced(from_(Feed(list(bodies)), int, policy=half).to(Sink()), store=store)
    await traced(other=from_(Feed(list(bodies)), int, policy=half).to(Sink()), store=store)
    listed = await traces(store)
    one, other = ({each.message for each in listed if each.route == name} for name in ("route-1", "other"))
    assert one == other == {body.id for body in bodies if chance(body.id) < 0.02 * CHANCES}
    assert 0 < len(one) <= BURST


async def test_traces_are_forgotten_when_their_time_is_over() -> None:
    """The policy says for how long each is kept."""
    clock = Clock()
    store = a_store(clock)
    flow = from_(Feed([1]), int, policy=all_of(Tracing(keep="1h"))).to(Sink())
    await run_routes(flow, setup=setup_for(Run(), store=store, now=clock.now))
    assert len(await traces(store)) == 1
    await clock.advance(3599)
    assert len(await traces(store)) == 1
    await clock.advance(2)
    assert await traces(store) == []
    assert await trace(store, "feed-1") == []


async def test_nothing_sensitive_is_stored() -> None:
    """A canary in a marked field, under a sensitive name, in headers and in an error is nowhere in the store."""

    @dataclass
    class Login:
        user: str
        mail: Annotated[str, Sensitive()]
        password: str

    def refuse(login: Any) -> Any:
        raise ValueError(f"cannot use {login}")

    login = Login("ada", f"{CANARY}@example.org", CANARY)
    flow = (
        from_(Feed([Message(login, {"authorization": CANARY})]), Login, policy=all_of())
        .filter(lambda login, message: login.password and message.headers["authorization"])
        .attempt(lambda body: body.transform(refuse), rescue={ValueError: rescue(lambda b: b)})
        .transform(lambda login: {"token": login.password, "lines": [{"secret": login.password}], "user": login.user})
        .to(Sink())
        .transform(lambda body: f"password={body['token']}")
        .transform(refuse)
    )
    store = a_store()
    (found,) = await traced(flow, store=store)
    kept = [
        value.text
        for name in ("routekit.traces", "routekit.traces.newest")
        for _, value in await store.values(name).items()
    ]
    assert CANARY not in "".join(kept)
    assert "ada" in "".join(kept)
    assert CANARY not in found.model_dump_json()


async def test_without_bodies_there_are_none() -> None:
    """Where it went is told, and by which values; the bodies are not."""
    flow = from_(Feed([{"n": 1, "note": "hello"}]), dict[str, Any], policy=all_of(Tracing(bodies=False)))
    (found,) = await traced(flow.filter(lambda body: body["n"] == 1).to(Sink()))
    assert found.hops[0].before is None
    assert found.hops[0].decision == "true: body['n'] = 1"
    assert "hello" not in found.model_dump_json()


async def test_a_trace_has_an_end() -> None:
    """A message of very many parts is recorded up to a bound, which the trace says."""
    flow = from_(Feed([list(range(2000))]), list[int], policy=all_of()).split(lambda body: body).to(Sink())
    (found,) = await traced(flow)
    assert len(found.hops) == 500
    assert "1,501 more steps were not recorded" in found.note
    assert len(found.model_dump_json()) < 500_000


async def test_a_body_that_changes_is_seen_as_it_was() -> None:
    """What a later step does to a body in place does not change what an earlier one saw, nor by what it decided."""

    def spoil(body: dict[str, int]) -> dict[str, int]:
        body["n"] = 99
        return body

    flow = from_(Feed([{"n": 1}]), dict[str, int], policy=all_of()).filter(lambda body: body["n"] == 1).transform(spoil)
    (found,) = await traced(flow.to(Sink()))
    assert found.hops[0].before == {"n": 1}
    assert found.hops[0].decision == "true: body['n'] = 1"
    assert found.hops[1].after == {"n": 99}
