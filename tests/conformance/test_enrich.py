"""Enrichment and request-reply: what Camel's users rely on, and the waits without end that are none here."""

import inspect
from typing import Any

import anyio
import pytest

from routekit import Flow, Message, Policy, Retry, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def priced(order: dict[str, Any], price: float) -> dict[str, Any]:
    return {**order, "price": price}


def pricing() -> Flow[Any]:
    return from_("direct:prices", dict).transform(lambda order: order["id"] * 1.5)


async def test_an_answer_becomes_the_body_or_is_merged() -> None:
    """As `enrich`: the reply replaces the message, or a strategy merges; departure: it is checked into a type."""
    out = Sink()
    order = {"id": 2}
    await run_routes(from_(Feed([order]), dict).enrich("direct:prices", answer=float).to(out), pricing())
    await run_routes(from_(Feed([order]), dict).enrich("direct:prices", answer=float, merge=priced).to(out), pricing())
    assert out.bodies == [3.0, {"id": 2, "price": 3.0}]


async def test_the_answer_does_not_replace_headers_and_id() -> None:
    """Departure: the default strategy copies the whole reply, headers too."""
    out = Sink()
    answering = pricing().set_header("secret", "of the other side")
    feed = Feed([Message({"id": 2}, {"mine": 1}, "m")])
    await run_routes(from_(feed, dict).enrich("direct:prices", answer=float).to(out), answering)
    assert out.messages == [Message(3.0, {"mine": 1}, "m")]


async def test_a_failing_enrichment_fails_the_message() -> None:
    """As `aggregateOnException=false`; departure: there is no other way to hide it than to rescue it by class."""
    feed, out = Feed([1]), Sink()
    broken = from_("direct:broken", int).transform(lambda n: 1 // 0)
    await run_routes(from_(feed, int, policy=REFUSE).enrich("direct:broken", answer=int).to(out), broken)
    assert (out.bodies, len(feed.refused)) == ([], 1)


async def test_an_answer_that_does_not_fit_is_refused_where_it_comes() -> None:
    """Departure: an answer of another kind goes on, and fails wherever its body is used."""
    feed, out = Feed([1]), Sink()
    odd = from_("direct:odd", int).transform(lambda n: "much")
    await run_routes(from_(feed, int, policy=REFUSE).enrich("direct:odd", answer=float).to(out), odd)
    assert (out.bodies, len(feed.refused)) == ([], 1)


async def test_an_endpoint_that_answers_nothing_is_an_error() -> None:
    """Departure: null goes to the strategy; here one says what stands for it, or it is an error."""
    feed, out = Feed([1]), Sink()
    await run_routes(from_(feed, int, policy=REFUSE).enrich(Hooked(), answer=int).to(out))
    assert (out.bodies, len(feed.refused)) == ([], 1)
    await run_routes(from_(Feed([1]), int).enrich(Hooked(), answer=int, missing=-1).to(out))
    assert out.bodies == [-1]


def test_a_poll_without_a_timeout_cannot_be_written() -> None:
    """Departure: `pollEnrich` waits for ever by default."""
    timeout = inspect.signature(Flow[Any].poll_enrich).parameters["timeout"]
    assert timeout.default is timeout.empty


async def test_a_poll_that_brings_nothing_ends_at_its_timeout() -> None:
    """As a positive timeout, where the strategy gets null; here `missing` stands for it, or it is an error."""
    feed, out = Feed([1]), Sink()
    begin = anyio.current_time()
    await run_routes(from_(feed, int, policy=REFUSE).poll_enrich(Watched([]), timeout=7, answer=int).to(out))
    assert (anyio.current_time() - begin, len(feed.refused)) == (pytest.approx(7), 1)
    await run_routes(from_(Feed([1]), int).poll_enrich(Watched([]), timeout=7, answer=int, missing=-1).to(out))
    assert out.bodies == [-1]


@pytest.mark.parametrize(("fails", "told"), [(False, "ack"), (True, "nack")])
async def test_what_was_polled_is_settled_with_the_message(fails: bool, told: str) -> None:
    """As the completion that is handed over to the unit of work: moved or acknowledged when the route has succeeded."""
    polled, at_work = Watched([5]), []

    def work(n: int) -> int:
        at_work.append(list(polled.told))
        return 1 // 0 if fails else n

    flow = from_(Feed([1]), int, policy=REFUSE).poll_enrich(polled, timeout=5, answer=int).transform(work)
    await run_routes(flow)
    assert at_work == [[]], "not before the rest has run"
    assert [kind for kind, _ in polled.told] == [told]


async def test_a_request_is_answered_by_correlation() -> None:
    """As InOut over a broker: many requests may wait at once, and each gets its own reply."""
    out = Sink()

    async def slowly(n: int) -> int:
        await anyio.sleep(10 - n)
        return n * n

    asking = from_(Feed([1, 2, 3]), int, policy=Policy(concurrency=3)).ask(
        "queue:requests", replies="queue:answers", timeout=60, answer=int, merge=lambda n, square: (n, square)
    )
    answering = from_("queue:requests", int, policy=Policy(concurrency=3)).transform(slowly).to("queue:answers")
    await run_routes(asking.to(out), answering)
    assert sorted(out.bodies) == [(1, 1), (2, 4), (3, 9)]


async def test_a_request_that_nobody_answers_fails_in_time() -> None:
    """As `requestTimeout`, 20 s by default; here it has to be said."""
    feed = Feed([1])
    flow = from_(feed, int, policy=REFUSE).ask("queue:requests", replies="queue:answers", timeout=9, answer=int)
    silent = from_("queue:requests", int)
    begin = anyio.current_time()
    await run_routes(flow, silent)
    assert (anyio.current_time() - begin, len(feed.refused)) == (pytest.approx(9), 1)


async def test_a_return_address_only_chooses_among_known_ones() -> None:
    """Departure: JMSReplyTo and its kin send wherever the request says."""
    shop = Sink()
    requests = Feed([Message(3, {"reply-to": "queue:shop"}), Message(4, {"reply-to": "file:/etc"})])
    answering = from_(requests, int).transform(lambda n: n * n).reply_to("queue:shop", "log:others")
    run = await run_routes(answering, from_("queue:shop").to(shop))
    assert (shop.bodies, [letter.error for letter in run.letters]) == ([9], ["Rejected"])


async def test_an_enrichment_is_retried_alone() -> None:
    """As a redelivery of the failing node."""
    out, before = Sink(), Sink()
    tries: list[int] = []

    async def sending(message: Message[Any]) -> Message[Any]:
        tries.append(1)
        if len(tries) < 3:
            raise Unavailable("away")
        return message.with_body(7)

    flow = from_(Feed([1]), int).to(before).enrich(Hooked(sending=sending), answer=int, retry=Retry(3))
    await run_routes(flow.to(out))
    assert (out.bodies, len(before.sends), len(tries)) == ([7], 1, 3)
