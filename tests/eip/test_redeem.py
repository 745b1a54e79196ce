"""redeem"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import ConfigDict

from routekit import Consumer, Delivery, Flow, Message, Policy, Producer, Retry, Runtime, Send, Unavailable, from_
from routekit.answers import Answer
from routekit.eip.redeem import Redeem
from routekit.route import REFUSE
from routekit.stores.memory import MemoryStore
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

from ..crashing import Crash, Outside, every_crash, lives, wall

pytestmark = pytest.mark.anyio

PATIENT = Policy(dead_letter=REFUSE)


@dataclass(frozen=True)
class Order:
    id: int
    text: str = "long"


def store() -> MemoryStore:
    return MemoryStore(anyio.current_time)


async def claimed(*bodies: Any, kept: MemoryStore, **options: Any) -> list[Message[Any]]:
    """The tickets of these bodies."""
    sink = Sink()
    await run_routes(from_(Feed(bodies)).claim("orders", **options).to(sink), store=kept)
    return sink.messages


async def test_the_body_comes_back() -> None:
    """Parsed into its type; the message keeps its id and its headers."""
    kept, sink = store(), Sink()
    (ticket,) = await claimed(Message(Order(1), {"a": 1}, "m1"), kept=kept)
    await run_routes(from_(Feed([ticket])).redeem("orders", Order).to(sink), store=kept)
    assert sink.messages == [Message(Order(1), ticket.headers, "m1")]


@pytest.mark.parametrize("body", [b"\xff\x00", "text", '{"id": 1}', [1, {"a": None}], {"a": 1.5}, None, 7])
async def test_any_plain_body_comes_back(body: Any) -> None:
    """As it was."""
    kept, sink = store(), Sink()
    tickets = await claimed(body, kept=kept)
    await run_routes(from_(Feed(tickets)).redeem("orders", type(body)).to(sink), store=kept)
    assert sink.bodies == [body]


async def test_ticket_and_body_can_be_merged() -> None:
    """What the ticket has become on its way, and what it stands for."""
    kept, sink = store(), Sink()
    tickets = await claimed(Order(1), kept=kept, ticket=lambda order: order.id)
    flow = from_(Feed(tickets)).transform(lambda n: n + 1).redeem("orders", Order, merge=lambda n, o: (n, o.text))
    await run_routes(flow.to(sink), store=kept)
    assert sink.bodies == [(2, "long")]


async def test_in_one_route_it_brings_back_what_was_there_before() -> None:
    """What comes between sees only the ticket."""
    seen, sink = Sink(), Sink()
    flow = from_(Feed([Order(1)]), Order).claim("orders", ticket=lambda order: order.id).to(seen)
    await run_routes(flow.redeem("orders", Order).to(sink))
    assert (seen.bodies, sink.bodies) == ([1], [Order(1)])


async def test_the_claim_is_forgotten_when_the_rest_has_returned() -> None:
    """And stays where that failed."""
    kept, sink = store(), Sink(fail={1: Unavailable("x")})
    (ticket,) = await claimed(Order(1), kept=kept)
    for left in (1, 0):
        await run_routes(from_(Feed([ticket])).redeem("orders", Order).to(sink), store=kept)
        assert len(await kept.marks("claim:orders").items()) == left
    assert sink.bodies == [Order(1)]


async def test_the_same_ticket_delivered_again_ends() -> None:
    """It was redeemed, and all that followed was done; this is how a crash before its acknowledgement looks."""
    kept, sink = store(), Sink()
    (ticket,) = await claimed(Order(1), kept=kept)
    run = await run_routes(from_(Feed([ticket, ticket])).redeem("orders", Order).to(sink), store=kept)
    assert (sink.bodies, run.letters) == ([Order(1)], [])
    assert run.counts["route-1"].ended == 1


async def test_another_message_with_the_same_claim_is_rejected() -> None:
    """It is not known to be done, so it does not just end; it is not retried."""
    kept, sink = store(), Sink()
    (ticket,) = await claimed(Order(1), kept=kept)
    other = Message(ticket.body, ticket.headers, "another")
    flow = from_(Feed([ticket, other]), policy=Policy(retry=Retry(3))).redeem("orders", Order).to(sink)
    run = await run_routes(flow, store=kept)
    (letter,) = run.letters
    assert (letter.error, letter.attempts, letter.message_id) == ("ClaimGone", 1, "another")
    assert f"the claim '{ticket.body}' of 'orders' is not there; it was redeemed before" in letter.reason
    assert sink.bodies == [Order(1)]


async def test_a_claim_may_be_kept() -> None:
    """For any number of messages, at once too, such as the parts of a ticket."""
    kept, sink = store(), Sink()
    tickets = await claimed(Order(1), kept=kept)
    flow = from_(Feed(tickets)).split(lambda ticket: [1, 2, 3], parallel=3).redeem("orders", Order, keep=True).to(sink)
    run = await run_routes(flow, store=kept)
    assert (sink.bodies, run.letters) == ([Order(1)] * 3, [])
    assert len(await kept.marks("claim:orders").items()) == 1


async def test_parts_that_share_a_claim_do_not_vanish() -> None:
    """Those that come after it is gone are refused, and say so."""
    kept, sink = store(), Sink()
    tickets = await claimed(Order(1), kept=kept)
    flow = from_(Feed(tickets)).split(lambda ticket: [1, 2, 3]).redeem("orders", Order).to(sink)
    run = await run_routes(flow, store=kept)
    assert sink.bodies == [Order(1)]
    assert [letter.error for letter in run.letters] == ["ClaimGone"]


async def test_something_may_stand_for_a_claim_that_is_gone() -> None:
    """Then it is no error."""
    sink = Sink()
    stranger = Message("t", {"claim.orders": "0" * 32}, "m1")
    await run_routes(from_(Feed([stranger])).redeem("orders", Order, missing=None).to(sink))
    assert sink.bodies == [None]


@pytest.mark.parametrize("headers", [{}, {"claim.orders": "../../etc/passwd"}, {"claim.others": "0" * 32}])
async def test_what_is_no_ticket_is_rejected(headers: Any) -> None:
    """Without an id, or with a path for one."""
    run = await run_routes(from_(Feed([Message("t", headers)])).redeem("orders", Order, missing=None))
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert "is no id of a claim" in run.letters[0].reason


async def test_the_id_may_stand_elsewhere() -> None:
    """Where headers do not travel."""
    kept, sink = store(), Sink()
    (ticket,) = await claimed(Order(1), kept=kept)
    sent = {"claim": ticket.body}
    await run_routes(from_(Feed([sent])).redeem("orders", Order, key=lambda row: row["claim"]).to(sink), store=kept)
    assert sink.bodies == [Order(1)]


async def test_a_body_that_does_not_fit_is_rejected() -> None:
    """It is kept for one who knows its type."""
    kept, sink = store(), Sink()
    (ticket,) = await claimed({"id": "x"}, kept=kept)
    run = await run_routes(from_(Feed([ticket])).redeem("orders", Order), store=kept)
    assert [letter.error for letter in run.letters] == ["BodyError"]
    await run_routes(from_(Feed([ticket])).redeem("orders", dict).to(sink), store=kept)
    assert sink.bodies == [{"id": "x"}]


@pytest.mark.real_time
async def test_bodies_come_back_from_a_folder(tmp_path: Path) -> None:
    """And their files are gone then."""
    setup, sink = setup_for(Run(), data=tmp_path), Sink()
    flow = from_(Feed([Order(1), Order(2)]), Order).claim("orders", folder="claims").to("queue:tickets")
    back = from_("queue:tickets").redeem("orders", Order, folder="claims").to(sink)
    run = await run_routes(flow, back, setup=setup)
    assert (sorted(order.id for order in sink.bodies), run.letters) == ([1, 2], [])
    assert list((tmp_path / "claims").iterdir()) == []


class Queue:
    """A durable queue between two routes, which outlives them; what was not acknowledged comes again."""

    def __init__(self) -> None:
        self.waiting: list[Message[Any]] = []
        self.refused = 0


class Put(Producer):
    """Puts tickets there, in an operation that may be the last of a life."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "put"
    queue: Any
    life: Any

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            await self.life.operation("tickets.send", lambda: self.queue.waiting.append(message))

        yield send


class Get(Consumer):
    """Takes tickets from there."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    scheme = "get"
    pause: float = 2.0
    queue: Any
    life: Any

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        taken: list[Message[Any]] = []
        while True:
            for ticket in [one for one in self.queue.waiting if not any(one is other for other in taken)]:
                taken.append(ticket)
                yield self._delivery(ticket, taken)
            await runtime.rest(self.pause)

    def _delivery(self, ticket: Message[Any], taken: list[Message[Any]]) -> Delivery[Any]:
        def gone() -> None:
            self.queue.waiting = [one for one in self.queue.waiting if one is not ticket]

        def back() -> None:
            self.queue.refused += 1
            taken[:] = [one for one in taken if one is not ticket]

        async def ack(reply: Message[Any] | None) -> None:
            await self.life.operation("tickets.ack", gone)

        async def nack(error: Exception) -> None:
            await self.life.operation("tickets.nack", back)

        return Delivery(ticket, ack, nack)


def checked_in(outside: Outside) -> list[Flow[Any]]:
    """Orders are claimed, their tickets queued; tickets are redeemed, their orders sent."""
    between = outside.__dict__.setdefault("between", Queue())
    claiming = from_(outside.source, dict[str, Any], policy=PATIENT).claim("orders", ticket=lambda order: order["n"])
    redeeming = from_(Get(queue=between, life=outside.life, pause=outside.again / 5), int, policy=PATIENT)
    return [
        claiming.to(Put(queue=between, life=outside.life)),
        redeeming.redeem("orders", dict, merge=lambda n, order: (n, order)).to(outside.sink),
    ]


def nothing_left(outside: Outside) -> bool:
    return not outside.waiting and not outside.__dict__["between"].waiting


async def test_nothing_is_lost_wherever_it_crashes() -> None:
    """Dead or failing at any operation and started again: each order comes through, and no ticket is refused."""

    async def sound(outside: Outside) -> None:
        assert {n for n, _ in outside.bodies} == {1, 2}
        assert all(order == {"n": n, "text": "x" * n} for n, order in outside.bodies)
        assert nothing_left(outside)
        assert not outside.letters
        assert not outside.__dict__["between"].refused or "fails" in outside.crashed[0]
        left = await outside.store.marks("claim:orders").items()
        assert len(left) <= 1  # of the delivery that the crash broke off

    def world() -> Outside:
        return Outside([Message({"n": n, "text": "x" * n}, id=f"m{n}") for n in (1, 2)])

    assert await every_crash(checked_in, world, sound, patience=20.0) > 30


@pytest.mark.real_time
async def test_crashes_with_a_real_store(tmp_path: Path) -> None:
    """The same with a file."""
    for at in range(1, 15):
        async with open_sqlite(str(tmp_path / f"{at}.db"), {}, wall) as kept:
            outside = Outside([Message({"n": 1, "text": "x"}, id="m1")], store=kept, again=0.05)
            await lives(checked_in, outside, [Crash(at)], until=partial(nothing_left, outside))
            assert {n for n, _ in outside.bodies} == {1}
            assert not outside.letters


def test_its_label() -> None:
    """It names the claims."""
    assert Redeem[Any, Any]("orders", Answer(Order)).label == "redeem(orders)"


async def test_a_claim_stays_while_its_message_is_held_in_memory() -> None:
    """What is behind it is refused later: the ticket comes again and finds its body; in the end it is forgotten."""
    kept, sink = store(), Sink(fail={1: Unavailable("away")})
    tickets = await claimed(1, 2, kept=kept)
    flow = from_(Feed(tickets), policy=PATIENT).redeem("orders", int).batch("pairs", int, size=2).to(sink)
    await run_routes(flow, store=kept)
    assert len(await kept.marks("claim:orders").items()) == 2
    await run_routes(flow, store=kept)
    assert sink.bodies == [[1, 2]]
    assert await kept.marks("claim:orders").items() == []
