"""The claim check: what Camel's stack within one exchange is not, and the book's pattern is."""

from dataclasses import dataclass
from typing import Any

import pytest

from routekit import Message, Policy, Retry, Unavailable, from_
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

from ..crashing import DurableStore, wall

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


@dataclass(frozen=True)
class Order:
    id: int
    note: str


def setup(store: DurableStore) -> Any:
    return setup_for(Run(), store=store, now=wall)


async def test_the_body_rests_and_a_ticket_goes_on() -> None:
    """As the book; departure: Camel's claim check is a stack within one exchange, in memory."""
    out, done = Sink(), Sink()
    flow = from_(Feed([Order(1, "long")]), Order).claim("orders", ticket=lambda order: order.id).to(out)
    await run_routes(flow.redeem("orders", Order).to(done))
    assert (out.bodies, done.bodies) == ([1], [Order(1, "long")])


async def test_a_ticket_is_redeemed_by_another_route_after_a_restart() -> None:
    """Departure: what was pushed is gone with its exchange; here the store has it, in the type that it had."""
    store, tickets, done = DurableStore(), Sink(), Sink()
    await run_routes(from_(Feed([Order(1, "long")]), Order).claim("orders").to(tickets), setup=setup(store))
    later = from_(Feed(tickets.messages), str).redeem("orders", Order).to(done)
    await run_routes(later, setup=setup(store))
    assert done.bodies == [Order(1, "long")]


async def test_a_claim_is_forgotten_only_when_the_rest_has_succeeded() -> None:
    """As GetAndRemove; departure: a failure keeps the body, so that the message can come again."""
    done, feed = Sink(fail={1: Unavailable("away")}), Feed([Order(1, "long")])
    flow = from_(feed, Order, policy=Policy(retry=Retry(2))).claim("orders").redeem("orders", Order)
    await run_routes(flow.to(done))
    assert done.bodies == [Order(1, "long")]


async def test_what_was_redeemed_is_gone_unless_it_is_kept() -> None:
    """As GetAndRemove and Get; departure: a claim that is not there is an error, and no null body."""
    for keep, refused in ((False, 1), (True, 0)):
        store, tickets, done = DurableStore(), Sink(), Sink()
        await run_routes(from_(Feed([Order(1, "x")]), Order).claim("orders").to(tickets), setup=setup(store))
        (ticket,) = tickets.messages
        feed = Feed([ticket, Message(ticket.body, ticket.headers, "another")])
        flow = from_(feed, str, policy=REFUSE).redeem("orders", Order, keep=keep).to(done)
        await run_routes(flow, setup=setup(store))
        assert (len(done.bodies), len(feed.refused)) == (2 - refused, refused)


async def test_body_and_ticket_may_be_merged() -> None:
    """As the `filter` of what is brought back; here a function of both."""
    done = Sink()
    flow = from_(Feed([Order(1, "long")]), Order).claim("orders", ticket=lambda order: order.id)
    await run_routes(flow.redeem("orders", Order, merge=lambda ticket, order: (ticket, order.note)).to(done))
    assert done.bodies == [(1, "long")]
