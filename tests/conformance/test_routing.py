"""Routers, filters, taps and sends: what Camel's users rely on, and the surprises that are none here."""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Flow, Message, Policy, Unavailable, from_
from routekit.check import check
from routekit.flow import Chosen
from routekit.plugins import Catalog
from routekit.testing import Feed, Sink, run_routes, running

from ..fakes import Hooked

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


async def test_the_first_predicate_that_holds_decides() -> None:
    """As Camel: later branches are not asked."""
    out, asked = Sink(), []
    flow = from_(Feed([5]), int).choice().when(lambda n: n > 1, lambda f: f.transform(lambda n: "first"))
    flow = flow.when(lambda n: bool(asked.append(n)), lambda f: f.transform(lambda n: "second"))
    await run_routes(flow.otherwise(lambda f: f.transform(str)).to(out))
    assert (out.bodies, asked) == (["first"], [])


def test_a_choice_without_otherwise_is_no_flow() -> None:
    """Departure: in Camel a message that matches nothing just goes on; here the hole cannot be written."""
    open_ended = from_("timer:t", int).choice().when(lambda n: n > 1, lambda f: f)
    assert isinstance(open_ended, Chosen)
    assert not isinstance(open_ended, Flow)
    with pytest.raises(DefinitionError, match="a branch gives back the flow"):
        from_("timer:t", int).tap(lambda f: f.choice().when(lambda n: n > 1, lambda g: g))  # type: ignore[arg-type]


async def test_a_message_that_does_not_match_a_filter_is_over() -> None:
    """Departure: in Camel it skips the filter's block and goes on behind it."""
    feed, out = Feed([1, 9]), Sink()
    run = await run_routes(from_(feed, int).filter(lambda n: n > 3).transform(str).to(out))
    assert out.bodies == ["9"]
    assert (len(feed.acknowledged), run.counts["route-1"].ended) == (2, 1)


async def test_a_predicate_that_raises_is_no_no() -> None:
    """As Camel: the error handler gets it, the message is not quietly dropped."""
    feed = Feed([0])
    await run_routes(from_(feed, int, policy=REFUSE).filter(lambda n: 1 / n > 0))
    assert [type(error) for _, error in feed.refused] == [ZeroDivisionError]


async def test_stop_ends_the_message_successfully() -> None:
    """As Camel: the source is told that all went well, and its file is moved or its message acknowledged."""
    feed, out = Feed([1]), Sink()
    flow = from_(feed, int).choice().when(lambda n: True, lambda f: f.stop()).otherwise(lambda f: f)
    await run_routes(flow.to(out))
    assert (out.bodies, feed.acknowledged) == ([], [("feed-1", None)])


async def test_a_tapped_copy_shares_nothing_that_can_change() -> None:
    """Departure: the copy of `wireTap` is shallow, and its branch can change the body that the route goes on with."""
    out = Sink()
    body = {"tags": ["a"]}
    flow = from_(Feed([body]), dict).tap(lambda copy: copy.transform(lambda row: row["tags"].append("b")))
    await run_routes(flow.to(out))
    assert out.bodies == [{"tags": ["a"]}]
    assert body == {"tags": ["a"]}


async def test_a_failing_tap_fails_the_message() -> None:
    """Departure: a failure in `wireTap` reaches nobody; here that has to be asked for, and leaves a letter."""
    feed, out = Feed([1]), Sink()
    await run_routes(from_(feed, int, policy=REFUSE).tap(lambda copy: copy.transform(lambda n: 1 // 0)).to(out))
    assert (out.bodies, len(feed.refused)) == ([], 1)
    lenient = from_(Feed([1]), int).tap(lambda copy: copy.transform(lambda n: 1 // 0), on_error="dead_letter")
    run = await run_routes(lenient.to(out))
    assert (out.bodies, [letter.error for letter in run.letters]) == ([1], ["ZeroDivisionError"])


async def test_a_stop_of_the_service_waits_for_taps() -> None:
    """Departure: Camel counts pending taps at shutdown; here the tap is part of its message, so there is none."""
    seen, feed = Sink(), Feed([1])

    async def slow(n: int) -> int:
        await anyio.sleep(10)
        return n

    async with running(from_(feed, int).tap(lambda copy: copy.transform(slow).to(seen))):
        await anyio.sleep(1)
        assert seen.bodies == []
    assert seen.bodies == [1]
    assert len(feed.acknowledged) == 1


async def test_a_send_does_not_change_the_message() -> None:
    """Departure: in an InOut exchange the answer of `to` replaces the message."""
    out = Sink()
    answering = from_("direct:answering", int).transform(lambda n: "an answer")
    await run_routes(from_(Feed([1]), int).to("direct:answering").to(out), answering)
    assert out.bodies == [1]


async def test_headers_steer_no_endpoint() -> None:
    """Departure: Camel's endpoints obey headers such as `CamelFileName`, also those that came from outside."""
    seen: list[dict[str, Any]] = []

    async def sending(message: Message[Any]) -> None:
        seen.append(dict(message.headers))

    evil = {"CamelFileName": "../../etc/passwd", "CamelHttpUri": "http://evil", "level": "error", "name": "evil"}
    run = await run_routes(
        from_(Feed([Message("x", evil)]), str).to("log:lines?level=debug").to(Hooked(sending=sending))
    )
    assert seen == [evil], "they are data, and arrive as data"
    assert [event.level for event in run.events if type(event).__name__ == "Logged"] == ["debug"]


async def test_computed_options_open_no_endpoint_for_each_value() -> None:
    """Departure: every distinct URI of `toD` is an endpoint and a producer, kept in caches that have leaked."""
    opened: list[int] = []

    async def opening() -> None:
        opened.append(1)

    await run_routes(from_(Feed(range(50)), int).to(Hooked(opening=opening)))
    assert opened == [1]


async def test_one_route_reads_a_direct_channel() -> None:
    """As Camel: a second consumer of a `direct:` name is refused; here before anything runs."""
    routes = [from_("direct:a", int).to(Sink()).route(name) for name in ("one", "two")]
    assert [problem.message for problem in check(routes, Catalog())] == ["'direct:a' is read by one already"]


async def test_routes_of_one_template_share_nothing() -> None:
    """Departure: headers and variables flow through a Kamelet and back; here a template gives routes of their own."""

    def template(numbers: list[int], sink: Sink) -> Flow[int]:
        return from_(Feed(numbers), int).set_header("seen", len(numbers)).to(sink)

    one, two = Sink(), Sink()
    await run_routes(template([1], one), template([2, 3], two))
    assert [m.headers["seen"] for m in (*one.messages, *two.messages)] == [1, 2, 2]


async def test_branches_of_a_choice_do_not_try_each_others_messages() -> None:
    """A branch that fails is no reason for `otherwise`."""
    out, feed = Sink(), Feed([1])
    flow = (
        from_(feed, int, policy=REFUSE).choice().when(lambda n: True, lambda f: f.to(Sink(fail={1: Unavailable("x")})))
    )
    await run_routes(flow.otherwise(lambda f: f.to(out)))
    assert (out.bodies, len(feed.refused)) == ([], 1)
