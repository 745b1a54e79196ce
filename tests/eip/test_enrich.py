"""enrich"""

from dataclasses import dataclass
from typing import Any

import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_
from routekit.answers import Answer
from routekit.check import check
from routekit.eip.enrich import Enrich
from routekit.events import Retrying
from routekit.plugins import Catalog
from routekit.step import Target
from routekit.testing import Feed, Sink, run_routes

from ..fakes import Hooked

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Price:
    amount: float


prices = from_("direct:price", dict[str, Any]).transform(lambda order: {"amount": order["n"] * 2})


async def test_the_answer_of_another_route_becomes_the_body() -> None:
    """Checked into its type; the message keeps its headers and its id."""
    sink = Sink()
    asked = from_(Feed([Message({"n": 2}, {"a": 1}, "m1")])).enrich("direct:price", answer=Price).to(sink)
    await run_routes(asked, prices.set_header("b", 2))
    assert sink.messages == [Message(Price(4), {"a": 1}, "m1")]


async def test_a_merge_makes_a_body_of_both() -> None:
    """Of the body before, and the answer."""
    sink = Sink()
    flow = from_(Feed([{"n": 2}])).enrich("direct:price", answer=Price, merge=lambda o, p: {**o, "price": p.amount})
    await run_routes(flow.to(sink), prices)
    assert sink.bodies == [{"n": 2, "price": 4}]


async def test_what_the_other_route_does_with_the_body_does_not_show() -> None:
    """It works on its own copy."""
    sink = Sink()

    def spoil(order: dict[str, Any]) -> int:
        order.clear()
        return 1

    spoiling = from_("direct:spoil", dict[str, Any]).transform(spoil)
    flow = from_(Feed([{"n": 2}])).enrich("direct:spoil", answer=int, merge=lambda order, n: (order, n)).to(sink)
    await run_routes(flow, spoiling)
    assert sink.bodies == [({"n": 2}, 1)]


async def test_an_answer_that_does_not_fit_rejects_the_message() -> None:
    """It is not retried."""
    flow = from_(Feed([1]), policy=Policy(retry=Retry(3))).enrich("direct:x", answer=Price)
    run = await run_routes(flow, from_("direct:x").transform(lambda n: "no price"))
    (letter,) = run.letters
    assert (letter.error, letter.attempts, letter.route) == ("BodyError", 1, "route-1")
    assert letter.reason.startswith("the answer does not fit: ")


@pytest.mark.parametrize("other", [from_("direct:x").filter(lambda n: False), None])
async def test_no_answer_rejects_the_message(other: Any) -> None:
    """As of a route that ended the message, or of a sink that answers nothing."""
    uri = "direct:x" if other is not None else Sink()
    flow = from_(Feed([1]), policy=Policy(retry=Retry(3))).enrich(uri, answer=int)
    run = await run_routes(*(one for one in (flow, other) if one is not None))
    (letter,) = run.letters
    assert (letter.error, letter.attempts) == ("NoAnswer", 1)
    assert "gave no answer; give missing=" in letter.reason


async def test_something_may_stand_for_no_answer() -> None:
    """None too; a merge sees it."""
    sink = Sink()
    silent = from_("direct:x").stop()
    flow = from_(Feed([1])).enrich("direct:x", answer=int, missing=None, merge=lambda n, answer: (n, answer)).to(sink)
    await run_routes(flow, silent)
    assert sink.bodies == [(1, None)]


async def test_a_failure_over_there_is_the_messages_failure() -> None:
    """It goes on nowhere, and `missing` does not hide it."""
    sink = Sink()
    flow = from_(Feed([0])).enrich("direct:x", answer=float, missing=None).to(sink)
    run = await run_routes(flow, from_("direct:x").transform(lambda n: 1 / n))
    assert sink.bodies == []
    assert [letter.error for letter in run.letters] == ["ZeroDivisionError"]


async def test_retry_repeats_just_the_question() -> None:
    """What came before runs once, and so does what follows."""
    sent: list[Any] = []
    before: list[Any] = []

    async def answer(message: Message[Any]) -> Message[Any]:
        sent.append(message)
        if len(sent) < 3:
            raise Unavailable("away")
        return message.with_body(b'{"amount": 1}')

    sink = Sink()
    flow = from_(Feed([1])).transform(lambda n: before.append(n) or n)
    run = await run_routes(flow.enrich(Hooked(sending=answer), answer=Price, retry=Retry(5)).to(sink))
    assert (len(sent), before, sink.bodies) == (3, [1], [Price(1)])
    assert len(run.of(Retrying)) == 2


async def test_a_codec_writes_the_question_and_reads_the_answer() -> None:
    """Bytes there and back."""

    async def answer(message: Message[Any]) -> Message[Any]:
        assert message.body == b"n\r\n2\r\n"
        return message.with_body(b"amount\r\n4\r\n")

    sink = Sink()
    flow = from_(Feed([[{"n": 2}]])).enrich(Hooked(sending=answer), answer=list[Price], codec="csv").to(sink)
    run = await run_routes(flow)
    assert run.letters == []
    assert sink.bodies == [[Price(4)]]


def test_what_cannot_work_is_found_by_check() -> None:
    """A route that nobody reads; a source; a merge that does not take two."""
    (problem,) = check([from_(Feed([])).enrich("direct:nobody", answer=int).route("r")], Catalog())
    assert problem.message == "no route reads from 'direct:nobody'"
    with pytest.raises(DefinitionError, match="give `enrich` a sink"):
        from_(Feed([])).enrich(Feed([]), answer=int)
    with pytest.raises(DefinitionError, match=r"\(body, answer\)"):
        from_(Feed([])).enrich("direct:x", answer=int, merge=lambda a: a)  # type: ignore[misc]


def test_its_label_and_where_it_sends() -> None:
    """For drawings."""
    step = Enrich[Any, Any](Target("direct:x"), Answer(int))
    assert (step.label, [str(target) for target in step.targets()]) == ("enrich direct:x", ["direct:x"])
