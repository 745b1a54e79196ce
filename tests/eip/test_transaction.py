"""Transaction: effects, the mark of the message and what it sends elsewhere are committed as one."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import BodyError, Flow, Message, Policy, Rejected, Retry, Unavailable, dead_letters, from_
from routekit.testing import Catalog, Feed, Inlet, Ledger, Sink, check, routes_of, run_routes, running, setup_for
from routekit.testing import Run as Ran

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    id: int
    note: str = ""


ORDERS = [Order(id=1), Order(id=2), Order(id=3)]


def feed(*items: Any) -> Feed:
    return Feed([item if isinstance(item, Message) else Message(item, id=f"m{item.id}") for item in items or ORDERS])


async def test_effects_and_messages_are_committed_and_sent() -> None:
    """What joins is in the database, what does not is sent by the outbox, and the message goes on."""
    rows, sent, after = Sink(), Sink(), Sink()
    ledger = Ledger(sinks=[rows])
    await run_routes(from_(feed()).transaction(ledger, lambda t: t.to(rows).to(sent), name="o").to(after))
    assert rows.bodies == sent.bodies == after.bodies == ORDERS
    assert ledger.book.marks == {"o": ["m1", "m2", "m3"]}
    assert ledger.book.outbox == {"o": []}


async def test_a_message_that_comes_again_changes_nothing_and_goes_on() -> None:
    """Its id is marked: neither the effect nor the message is there twice, and it is acknowledged."""
    rows, sent, after = Sink(), Sink(), Sink()
    ledger = Ledger(sinks=[rows])
    again = feed(ORDERS[0], ORDERS[0])
    run = await run_routes(again=from_(again).transaction(ledger, lambda t: t.to(rows).to(sent), name="o").to(after))
    assert (rows.bodies, sent.bodies, after.bodies) == ([ORDERS[0]], [ORDERS[0]], [ORDERS[0], ORDERS[0]])
    assert run.counts["again"].done == len(again.acknowledged) == 2


async def test_a_key_may_say_what_has_been_done() -> None:
    """With `key` it is not the id that counts."""
    rows = Sink()
    flow = from_(feed(*ORDERS, Message(Order(id=2), id="other")))
    await run_routes(flow.transaction(Ledger(sinks=[rows]), lambda t: t.to(rows), name="o", key=lambda order: order.id))
    assert [order.id for order in rows.bodies] == [1, 2, 3]


async def test_the_branch_fails_as_a_whole() -> None:
    """What the branch had sent before it failed is not done, neither here nor elsewhere."""

    def refuse(order: Order) -> Order:
        if order.id == 2:
            raise Rejected("not this one")
        return order

    rows, sent = Sink(), Sink()
    flow = from_(feed()).transaction(
        Ledger(sinks=[rows]), lambda t: t.to(rows).to(sent).transform(refuse).to(rows), name="o"
    )
    run = await run_routes(flow)
    assert [order.id for order in rows.bodies] == [1, 1, 3, 3]
    assert [order.id for order in sent.bodies] == [1, 3]
    assert [letter.message_id for letter in run.letters] == ["m2"]


async def test_what_the_branch_gives_goes_on() -> None:
    """The rest of the route gets the reply of the branch; a message that ends in the branch is committed and ends."""
    rows, after = Sink(), Sink()

    def inside(t: Flow[Order]) -> Flow[int]:
        return t.to(rows).filter(lambda order: order.id != 2).transform(lambda order: order.id * 10)

    await run_routes(from_(feed(), Order).transaction(Ledger(sinks=[rows]), inside, name="o").to(after))
    assert (len(rows.bodies), after.bodies) == (3, [10, 30])


async def test_parts_are_in_one_transaction() -> None:
    """What a split sends belongs to its message: if one part fails, no part is there."""
    rows = Sink()
    flow = from_(Feed([[1, 2], [3, 0], [4]])).transaction(
        Ledger(sinks=[rows]), lambda t: t.split(lambda body: body).transform(lambda n: 12 // n).to(rows), name="o"
    )
    run = await run_routes(flow)
    assert rows.bodies == [12, 6, 3]
    assert len(run.letters) == 1


async def test_a_sink_that_is_away_does_not_hold_up_the_message() -> None:
    """The message is done once it is committed; what is to be sent waits until the other side is there again."""
    sent = Sink(fail={1: Unavailable("away"), 2: Unavailable("away")})
    source = feed(ORDERS[0])
    run = await run_routes(from_(source).transaction(Ledger(), lambda t: t.to(sent), name="o", retry=NOW))
    assert sent.bodies == [ORDERS[0]]
    assert not run.letters


NOW = (Retry(2, first=0, most=0), Retry(100, first=0, most=0, on=Unavailable))


async def test_what_cannot_be_sent_becomes_a_dead_letter_that_can_be_replayed() -> None:
    """After the retries it is a letter of the outgoing message, at an entry of its own; what is behind it goes out."""
    sent = Sink(fail={number: ValueError("broken") for number in (1, 2, 3)})
    run = await run_routes(from_(feed()).transaction(Ledger(), lambda t: t.to(sent), name="o", retry=NOW))
    assert [order.id for order in sent.bodies] == [2, 3]
    [letter] = run.letters
    assert (letter.message_id, letter.attempts, letter.error, letter.entry) == ("m1", 3, "ValueError", 1)
    assert letter.body == {"id": 1, "note": ""}


async def test_what_is_rejected_is_not_tried_again() -> None:
    """Waiting makes a bad message no better."""
    sent = Sink(fail={1: BodyError("bad")})
    run = await run_routes(from_(feed()).transaction(Ledger(), lambda t: t.to(sent), name="o"))
    assert len(sent.sends) == 3
    assert [letter.attempts for letter in run.letters] == [1]


async def test_dead_letters_go_where_the_policy_says() -> None:
    """The letter of an outgoing message takes the way of all letters of the route."""
    letters = Sink()
    policy = Policy(dead_letter=dead_letters(lambda flow: flow.to(letters)))
    sent = Sink(fail={1: BodyError("bad")})
    await run_routes(from_(feed(ORDERS[0]), policy=policy).transaction(Ledger(), lambda t: t.to(sent), name="o"))
    assert [letter.message_id for letter in letters.bodies] == ["m1"]


async def test_what_fails_holds_up_its_own_lane_only() -> None:
    """Messages of one key stay in order behind the one that failed; those of other keys, and other sinks, go on."""
    sent, other = Sink(fail={1: Unavailable("busy")}), Sink()
    flow = from_(feed(*(Order(id=n, note="ab"[n % 2]) for n in range(1, 7))))
    ledger = Ledger()
    run = await run_routes(
        flow.transaction(ledger, lambda t: t.to(sent).to(other), name="o", order_by=lambda o: o.note, retry=NOW)
    )
    assert [order.id for order in sent.bodies if order.note == "a"] == [2, 4, 6]
    assert [order.id for order in sent.bodies if order.note == "b"] == [1, 3, 5]
    assert len(other.bodies) == 6
    assert not run.letters


async def test_without_a_key_each_sink_gets_its_messages_in_order() -> None:
    """One that fails holds up all behind it that go to the same sink."""
    sent, other = Sink(fail={n: Unavailable("busy") for n in (1, 3, 4)}), Sink()
    await run_routes(from_(feed()).transaction(Ledger(), lambda t: t.to(sent).to(other), name="o", retry=NOW))
    assert sent.bodies == ORDERS
    assert other.bodies == ORDERS


async def test_what_an_earlier_run_has_left_is_sent() -> None:
    """The outbox outlives the route; so do the marks."""
    sent = Sink()
    ledger = Ledger()
    away = Sink(fail={n: Unavailable("away") for n in range(1, 100)})
    await run_routes(
        from_(feed()).transaction(ledger, lambda t: t.to(away), name="o"), setup=setup_for(Ran(), drain=0.1)
    )
    assert len(ledger.book.outbox["o"]) == 3
    await run_routes(from_(Feed([])).transaction(ledger, lambda t: t.to(sent), name="o"))
    assert [order.id for order in sent.bodies] == [1, 2, 3]


async def test_a_stop_tries_once_more() -> None:
    """What waits for another try is not left for the next start without one."""
    sent = Sink(fail={1: Unavailable("busy")})
    slow = Retry(9, first=1e6, most=1e6, on=Unavailable)
    await run_routes(from_(feed()).transaction(Ledger(), lambda t: t.to(sent), name="o", retry=slow), most=3)
    assert sent.bodies == ORDERS


async def test_its_figures_tell_what_waits() -> None:
    """How much, for how long, and what has become of the rest."""
    inlet, sent = Inlet(), Sink(fail={2: Unavailable("busy"), 3: BodyError("bad")})
    flow = from_(inlet).transaction(
        Ledger(),
        lambda t: t.to(sent),
        name="o",
        order_by=lambda n: n,
        retry=Retry(9, first=1e6, most=1e6, on=Unavailable),
    )
    async with running(flow) as service:
        for number in (1, 2, 3):
            await inlet.give(number)
        await anyio.sleep(10)
        shown = {figure.name: figure.value for figure in service.figures() if figure.endpoint == "outbox:o"}
    assert shown.pop("oldest_seconds") >= 0
    assert shown == {"waiting": 1, "blocked_lanes": 1, "sent_total": 1, "failed_total": 2, "dead_total": 1}


async def test_what_was_meant_for_a_sink_that_is_gone_stays() -> None:
    """A route that sends elsewhere now says that the outbox has messages for a sink that it does not know."""
    ledger = Ledger()
    away = Sink(fail={n: Unavailable("away") for n in range(1, 100)})
    await run_routes(
        from_(feed()).transaction(ledger, lambda t: t.to(away), name="o"), setup=setup_for(Ran(), drain=0.1)
    )
    run = await run_routes(from_(Feed([])).transaction(ledger, lambda t: t.to("queue:elsewhere"), name="o"))
    assert len(ledger.book.outbox["o"]) == 3
    assert any("to which this transaction does not send any more" in str(event) for event in run.events)


async def test_a_body_that_would_not_come_back_is_refused() -> None:
    """What waits in the outbox has to survive as it is; the message fails before anything is committed."""
    rows, sent = Sink(), Sink()
    run = await run_routes(
        from_(Feed([{"at": object()}])).transaction(Ledger(sinks=[rows]), lambda t: t.to(rows).to(sent), name="o")
    )
    assert not rows.bodies
    assert "would not come back as it is" in run.letters[0].reason


async def test_a_transaction_has_a_limit() -> None:
    """A message that sends without end is rejected, rather than filling the memory."""
    rows = Sink()
    run = await run_routes(
        from_(Feed([[1, 2, 3]])).transaction(
            Ledger(sinks=[rows]), lambda t: t.split(lambda body: body).to(rows), name="o", most=2
        )
    )
    assert not rows.bodies
    assert "more than 2 sends in one transaction" in run.letters[0].reason


async def test_an_answer_is_asked_for_at_once() -> None:
    """`enrich` needs what the other side says now, also inside."""
    rows = Sink()
    flow = from_(Feed([1]))
    answers = from_("direct:double").transform(lambda n: n * 2)
    await run_routes(
        flow.transaction(Ledger(sinks=[rows]), lambda t: t.enrich("direct:double", answer=int).to(rows), name="o"),
        answers,
    )
    assert rows.bodies == [2]


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        (lambda t: t, "the body of this transaction is empty"),
        (lambda t: t.idempotent("k", key=str), "it notes messages as done before they are committed"),
        (
            lambda t: t.split(list, on_error="dead_letter_items").to("queue:a"),
            "what a part has sent before it failed would be committed all the same",
        ),
        (lambda t: t.delay("d", int, by=1), "it keeps messages, and they go on after the commit"),
        (lambda t: t.transaction(Ledger(), lambda u: u.to("queue:a"), name="x"), "it is one itself"),
        (
            lambda t: t.attempt(lambda body: body.to("queue:a"), rescue={ValueError: lambda flow: flow}),
            "what 'attempt' has sent before it failed would be committed all the same",
        ),
    ],
)
async def test_what_would_break_the_promise_is_refused_by_check(
    inside: Callable[[Flow[Any]], Flow[Any]], why: str
) -> None:
    """A step that could commit half of something, or something twice, has no place inside."""
    flow = from_("queue:in").transaction(Ledger(), inside, name="o")
    problems = check(routes_of(flow, from_("queue:a").to("log:x")), Catalog())
    assert any(why in problem.message for problem in problems), problems


async def test_a_place_without_transactions_is_refused() -> None:
    """Whatever cannot commit is told so, with what it can be used for."""
    flow = from_("queue:in").transaction("log:x", lambda t: t.to("log:x"), name="o")
    [problem] = check(routes_of(flow), Catalog())
    assert (problem.message, problem.hint) == ("'log:' cannot be committed to", "it can only be sent to")
