"""Multicast, recipient list and scatter-gather: what Camel's users rely on, and the surprises that are none here."""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Flow, PartsFailed, Policy, TimedOut, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def broken(flow: Flow[Any]) -> Flow[Any]:
    return flow.transform(lambda body: 1 // 0)


async def test_every_branch_gets_the_message_and_the_message_goes_on() -> None:
    """As Camel's children; departure: the result is the message, not the last branch's reply."""
    one, two, after = Sink(), Sink(), Sink()
    flow = from_(Feed([1]), int).multicast(
        lambda f: f.transform(lambda n: n + 1).to(one), lambda f: f.transform(str).to(two)
    )
    await run_routes(flow.to(after))
    assert (one.bodies, two.bodies, after.bodies) == ([2], ["1"], [1])


async def test_branches_share_nothing_that_can_change() -> None:
    """Departure: branches share the body unless `onPrepare` copies it."""
    out = Sink()

    def grow(row: dict[str, list[int]]) -> dict[str, list[int]]:
        row["n"].append(1)
        return row

    branch = lambda f: f.transform(grow).to(out)  # noqa: E731
    await run_routes(from_(Feed([{"n": []}]), dict).multicast(branch, branch).transform(grow).to(out))
    assert out.bodies == [{"n": [1]}] * 3


async def test_branches_have_ids_of_their_own() -> None:
    """As Camel's exchanges; departure: the id tells parent and branch, so copies never collapse in a store."""
    out = Sink()
    await run_routes(from_(Feed([1]), int).multicast(lambda f: f.to(out), lambda f: f.to(out)).to(out))
    assert [message.id for message in out.messages] == ["feed-1/branch-1", "feed-1/branch-2", "feed-1"]


@pytest.mark.parametrize("parallel", [1, 3])
async def test_a_failing_branch_lets_the_others_run_and_then_fails_the_message(parallel: int) -> None:
    """As Camel with its own strategies; departure: the error names every branch, and no strategy can lose it."""
    feed, out = Feed([1]), Sink()
    flow = from_(feed, int, policy=REFUSE).multicast(broken, lambda f: f.to(out), broken, parallel=parallel)
    await run_routes(flow)
    ((_, error),) = feed.refused
    assert out.bodies == [1]
    assert isinstance(error.__cause__, PartsFailed)
    assert [name for name, _ in error.__cause__.failures] == ["branch-1", "branch-3"]


async def test_fail_fast_cancels_the_branches_at_work() -> None:
    """As `stopOnException`; departure: what is at work is cancelled, Camel lets it run on."""
    feed, late = Feed([1]), Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(60)
        return n

    flow = from_(feed, int, policy=REFUSE)
    await run_routes(flow.multicast(lambda f: f.transform(slow).to(late), broken, parallel=2, on_error="fail_fast"))
    await anyio.sleep(100)
    assert (late.bodies, len(feed.refused)) == ([], 1)


async def test_late_branches_are_cancelled_at_the_timeout() -> None:
    """Departure: late work is not cancelled in Camel but ignored, and the timeout fails nothing."""
    feed, late, out = Feed([1]), Sink(), Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(60)
        return n

    flow = from_(feed, int, policy=REFUSE)
    await run_routes(flow.multicast(lambda f: f.transform(slow).to(late), lambda f: f.to(out), parallel=2, timeout=5))
    await anyio.sleep(100)
    assert (late.bodies, out.bodies) == ([], [1])
    assert [type(error) for _, error in feed.refused] == [TimedOut]


async def test_a_timeout_holds_without_parallel_too() -> None:
    """Departure: `timeout` works only with parallelProcessing."""

    async def slow(n: int) -> None:
        await anyio.sleep(60)

    feed = Feed([1])
    flow = from_(feed, int, policy=REFUSE).multicast(lambda f: f.transform(slow), timeout=5)
    begin = anyio.current_time()
    await run_routes(flow)
    assert (anyio.current_time() - begin, len(feed.refused)) == (5, 1)


async def test_a_failed_branch_may_become_a_letter_while_the_message_goes_on() -> None:
    """A named policy in the place of a strategy."""
    out = Sink()
    flow = from_(Feed([1]), int).multicast(broken, lambda f: f.to(out), on_error="dead_letter").to(out)
    run = await run_routes(flow)
    assert out.bodies == [1, 1]
    assert [letter.message_id for letter in run.letters] == ["feed-1/branch-1"]


async def test_a_stop_within_a_branch_ends_that_branch_only() -> None:
    """As Camel."""
    out = Sink()
    flow = from_(Feed([1]), int).multicast(lambda f: f.stop(), lambda f: f.to(out)).to(out)
    await run_routes(flow)
    assert out.bodies == [1, 1]


async def test_recipients_are_chosen_by_name_and_never_by_address() -> None:
    """Departure: a recipient list is URIs made of the message; here data only picks among declared branches."""
    out = Sink()
    flow = from_(Feed([["crm"], ["crm", "erp"], [], ["file:/etc"]]), list).recipients(
        lambda names: names,
        {"crm": lambda f: f.transform(lambda _: "crm").to(out), "erp": lambda f: f.transform(lambda _: "erp").to(out)},
    )
    run = await run_routes(flow)
    assert out.bodies == ["crm", "crm", "erp"]
    assert [letter.error for letter in run.letters] == ["Rejected"]
    assert run.letters[0].attempts == 1


async def test_an_unknown_recipient_is_found_before_any_branch_has_run() -> None:
    """Departure: Camel sends to those before it in the list, unless `ignoreInvalidEndpoints` drops it in silence."""
    out = Sink()
    flow = from_(Feed([0]), int).recipients(lambda _: ["crm", "crmm"], {"crm": lambda f: f.to(out)})
    run = await run_routes(flow)
    assert out.bodies == []
    assert "did you mean 'crm'?" in run.letters[0].reason


async def test_answers_come_by_name_whatever_ends_first() -> None:
    """Departure: the strategy of a scatter-gather sees answers in the order of their ends; here they have names."""
    out = Sink()

    async def slow(n: int) -> str:
        await anyio.sleep(9)
        return f"slow {n}"

    flow = from_(Feed([1]), int).scatter_gather(
        {"slow": lambda f: f.transform(slow), "quick": lambda f: f.transform(lambda n: f"quick {n}")}
    )
    await run_routes(flow.to(out))
    assert out.bodies == [{"slow": "slow 1", "quick": "quick 1"}]


async def test_answers_that_come_too_late_are_missing_and_told() -> None:
    """As a strategy that is told by `timeout(old, index, total, timeout)` which are missing; nothing is silent."""
    out = Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(60)
        return n

    flow = from_(Feed([1]), int).scatter_gather({"slow": lambda f: f.transform(slow), "ok": lambda f: f}, timeout=5)
    run = await run_routes(flow.to(out))
    assert out.bodies == [{"ok": 1}]
    assert any("without 'slow'" in event.text for event in run.events if type(event).__name__ == "Logged")


async def test_too_few_answers_fail_the_message() -> None:
    """Departure: without an answer Camel goes on with the old exchange; here `enough` answers are needed."""
    feed = Feed([1])
    flow = from_(feed, int, policy=REFUSE).scatter_gather(
        {"a": broken, "b": lambda f: f.transform(str)}, enough=2, on_error="leave_out"
    )
    await run_routes(flow)
    assert len(feed.refused) == 1


def test_a_multicast_to_nobody_is_a_mistake() -> None:
    """Found when it is written."""
    with pytest.raises(DefinitionError):
        from_("timer:t", int).multicast()
