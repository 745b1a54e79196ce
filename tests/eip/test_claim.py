"""claim"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_
from routekit.check import check
from routekit.eip.claim import CLAIM_ID, ClaimCheck
from routekit.plugins import Catalog
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Order:
    id: int
    text: str


def store() -> MemoryStore:
    return MemoryStore(lambda: 0.0)


async def test_the_body_rests_and_its_id_goes_on() -> None:
    """In the body and in a header; the other headers and the id of the message stay."""
    kept, sink = store(), Sink()
    feed = Feed([Message(Order(1, "long"), {"a": 1}, "m1")])
    await run_routes(from_(feed, Order).claim("orders").to(sink), store=kept)
    (ticket,) = sink.messages
    assert await kept.marks("claim:orders").items() == [(ticket.body, '{"id":1,"text":"long"}')]
    assert dict(ticket.headers) == {"a": 1, "claim.orders": ticket.body}
    assert ticket.id == "m1"


async def test_a_ticket_may_say_more() -> None:
    """It is made of the body, which others need not see."""
    sink = Sink()
    await run_routes(from_(Feed([Order(1, "long")]), Order).claim("orders", ticket=lambda o: {"id": o.id}).to(sink))
    assert sink.bodies == [{"id": 1}]
    assert len(sink.messages[0].headers["claim.orders"]) == 32


async def test_the_body_is_kept_before_the_ticket_goes_on() -> None:
    """And not at all if there is no ticket."""
    kept = store()
    seen: list[Any] = []

    async def look(ticket: str) -> None:
        seen.append(await kept.marks("claim:orders").get(ticket))

    await run_routes(from_(Feed([Order(1, "x")]), Order).claim("orders").transform(look), store=kept)
    assert seen == ['{"id":1,"text":"x"}']
    await run_routes(from_(Feed([Order(2, "y")]), Order).claim("orders", ticket=lambda o: 1 / 0), store=kept)
    assert len(await kept.marks("claim:orders").items()) == 1


async def test_a_retry_claims_the_same_again() -> None:
    """Nothing is left behind by the tries that failed."""
    kept, sink = store(), Sink(fail={1: Unavailable("x"), 2: Unavailable("x")})
    flow = from_(Feed([Order(1, "x")]), Order, policy=Policy(retry=Retry(5))).claim("orders").to(sink)
    await run_routes(flow, store=kept)
    assert len(sink.sends) == 3
    assert len({message.body for message in sink.sends}) == 1
    assert len(await kept.marks("claim:orders").items()) == 1


async def test_parts_and_messages_of_one_id_do_not_collide() -> None:
    """Each has its own claim."""
    kept, sink = store(), Sink()
    twins = Feed([Message(["a", "b"], id="m"), Message(["a", "c"], id="m")])
    await run_routes(from_(twins, list[str]).split(list).claim("parts").to(sink), store=kept)
    assert sorted(text for _, text in await kept.marks("claim:parts").items()) in (
        ['"a"', '"a"', '"b"', '"c"'],
        ['"a"', '"b"', '"c"'],
    )


async def test_a_body_that_would_not_come_back_is_rejected() -> None:
    """Unless its type is given; it is not retried, and no ticket goes on."""
    sink = Sink()
    flow = from_(Feed([[Order(1, "x")]]), policy=Policy(retry=Retry(3)))
    run = await run_routes(flow.claim("orders").to(sink))
    assert [(letter.error, letter.attempts) for letter in run.letters] == [("BodyError", 1)]
    assert sink.messages == []
    await run_routes(flow.claim("orders", body=list[Order]).to(sink))
    assert len(sink.messages) == 1


@pytest.mark.real_time
async def test_bodies_may_rest_in_a_folder(tmp_path: Path) -> None:
    """One of the data of the service, if the path is relative."""
    sink = Sink()
    setup = setup_for(Run(), data=tmp_path)
    await run_routes(from_(Feed([Order(1, "x")]), Order).claim("orders", folder="claims").to(sink), setup=setup)
    (file,) = (tmp_path / "claims").iterdir()
    assert (file.stem, file.read_text()) == (sink.bodies[0], '{"id":1,"text":"x"}')


def test_it_needs_a_name() -> None:
    """That stays when the route is renamed."""
    with pytest.raises(DefinitionError, match="claim: the name of the state"):
        from_(Feed([])).claim("")
    with pytest.raises(DefinitionError, match="redeem: the name of the state"):
        from_(Feed([])).redeem("", str)


def test_its_name_is_its_state() -> None:
    """Two steps of a route cannot share it; one that redeems can."""
    step = ClaimCheck[Any, Any]("orders")
    assert (step.state(), step.label, repr(CLAIM_ID)) == ("orders", "claim(orders)", "CLAIM_ID")
    once = from_(Feed([])).claim("a")
    twice = once.claim("a").route("r")
    assert "owned by two steps" in check([twice], Catalog())[0].message
    assert check([from_(Feed([])).claim("a").redeem("a", str).route("r")], Catalog()) == []
