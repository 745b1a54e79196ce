"""One route, run with given messages in place of its source."""

from pathlib import Path

import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, UnknownName, dead_letters, from_
from routekit.events import Retrying
from routekit.stores.memory import MemoryStore
from routekit.testing import Clock, Feed, a_message, having, replace_endpoints, run_route

pytestmark = pytest.mark.anyio

MODULE = '''"""Orders go to the warehouse, and big ones to sales."""
from pydantic import BaseModel
from routekit import from_, Policy

policy = Policy(dead_letter="refuse")

class Order(BaseModel):
    id: int
    amount: int

incoming = (
    from_("rabbitmq:orders?prefetch=10", Order)
    .filter(lambda order: order.amount > 0)
    .to("sql:erp/orders?mode=upsert&key=id")
    .choice()
    .when(lambda order: order.amount > 100, lambda big: big.to("http:crm/deals?method=POST"))
    .otherwise(lambda rest: rest.to("file:archive", name=lambda order: f"{order.id}.json"))
)
nightly = from_("cron:0 3 * * *?zone=UTC").to("http:erp/reports")
'''


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of route modules, in the current folder."""
    folder = tmp_path / f"routes_{tmp_path.name.replace('-', '_')}" / "routes"
    folder.mkdir(parents=True)
    (folder / "orders.py").write_text(MODULE)
    monkeypatch.chdir(folder.parent)
    return folder


async def test_a_route_of_a_module_is_run_by_its_name(routes: Path) -> None:
    """As it stands, with its URIs and the policy of its module, without any server."""
    orders = [{"id": 1, "amount": 500}, {"id": 2, "amount": 7}, {"id": 3, "amount": 0}, {"id": "x"}]
    run = await run_route("orders.incoming", orders)
    assert {address: len(bodies) for address, bodies in run.sent.items()} == {
        "sql:erp/orders": 2,
        "http:crm/deals": 1,
        "file:archive": 1,
    }
    run["http:crm/deals"].expect([{"id": 1, "amount": 500}])
    run["file:archive"].expect([having(id=2)], options={"name": "2.json"})
    run["sql:*"].expect([having(id=1), having(id=2)])
    assert [reply.id for reply in run.replies] == [1, 2]
    assert run.filtered == [{"id": 3, "amount": 0}]
    assert [came.state for came in run.outcomes] == ["done", "done", "ended", "refused"]
    assert [type(error).__name__ for error in run.errors] == ["BodyError"]
    assert (run.count.received, run.count.done, run.count.ended, run.count.refused) == (4, 2, 1, 1)
    nightly = await run_route("orders.nightly", ["tonight"], folder=routes)
    assert nightly.sent == {"http:erp/reports": ["tonight"]}


async def test_a_name_that_is_no_route_is_told(routes: Path) -> None:
    """With the nearest one, or with what is wrong with its module."""
    with pytest.raises(UnknownName, match=r"did you mean 'orders\.incoming'"):
        await run_route("orders.incomming", [])
    (routes / "broken.py").write_text("import nowhere_at_all\n")
    with pytest.raises(DefinitionError, match=r"module 'broken' cannot be imported.*nowhere_at_all.*broken\.py"):
        await run_route("broken.route", [])


async def test_what_has_no_path_is_called_by_its_uri() -> None:
    """Two exchanges are told apart, and one that is misspelt is offered the other."""
    flow = from_("timer:t").to("rabbitmq:?exchange=orders&key=new").to("rabbitmq:?exchange=audit")
    run = await run_route(flow, [1])
    assert run.sent == {"rabbitmq:?exchange=orders&key=new": [1], "rabbitmq:?exchange=audit": [1]}
    run["rabbitmq:?exchange=orders"].expect([1])
    with pytest.raises(UnknownName, match=r"did you mean 'rabbitmq:\?exchange=audit'"):
        run["rabbitmq:?exchange=audits"].expect([1])


async def test_messages_keep_their_headers_and_ids() -> None:
    """Others get ids."""
    flow = from_("rabbitmq:in", int).transform(lambda n, message: (n, message.id, message.headers.get("h")))
    run = await run_route(flow, [a_message(1, {"h": "x"}, id="own"), Message(2), 3])
    assert run.replies == [(1, "own", "x"), (2, "message-2", None), (3, "message-3", None)]


async def test_dead_letters_are_there_with_their_errors() -> None:
    """Of messages and of parts, in the order in which they were given up."""
    flow = from_("rabbitmq:in", list).split(lambda numbers: numbers, on_error="dead_letter_items")
    run = await run_route(flow.transform(lambda n: 10 // n), [[1, 0], "no list"])
    assert [(letter.error, letter.message_id) for letter in reversed(run.letters)] == [
        ("ZeroDivisionError", "message-1/1"),
        ("BodyError", "message-2"),
    ]
    assert [type(error) for error in run.errors][:1] == [ZeroDivisionError]
    assert [came.state for came in run.outcomes] == ["done", "dead"]
    assert run.outcomes[1].error is run.errors[1]


async def test_a_dead_letter_branch_is_part_of_the_route() -> None:
    """What it sends is what was sent."""
    policy = Policy(dead_letter=dead_letters(lambda letters: letters.transform(lambda one: one.reason).to("mock:bad")))
    run = await run_route(from_("rabbitmq:in", int, policy=policy).transform(lambda n: 1 // n), [0])
    assert run.sent == {"mock:bad": ["integer division or modulo by zero"]}


async def test_every_kind_of_source_can_be_stood_in_for() -> None:
    """Pulled, called, of the calendar, inside, or a feed that a world has put there."""
    for uri in ("direct:x", "queue:x", "cron:0 3 * * *", "timer:t", "http:127.0.0.1:8080/x", "file:in?after=move"):
        run = await run_route(from_(uri).to("mock:out"), ["a", "b"])
        assert (run.sent, run.replies) == ({"mock:out": ["a", "b"]}, ["a", "b"]), uri
    with replace_endpoints({"rabbitmq:in": Feed(["feed"])}):
        assert (await run_route(from_("rabbitmq:in"), ["mine"])).replies == ["mine"]
        run = await run_route(from_("rabbitmq:in").to("mock:out"))
        assert (run.sent, run.outcomes) == ({"mock:out": ["feed"]}, [])


async def test_runs_of_one_world_are_told_apart() -> None:
    """Each has what it sent itself; the world has all."""
    flow = from_("rabbitmq:in", int).to("mock:out")
    with replace_endpoints() as world:
        first, second = await run_route(flow, [1]), await run_route(flow, [2])
        assert (first.replies, second.replies) == ([1], [2])
        second["mock:out"].expect([2])
        world["mock:out"].expect([1, 2])
        assert second.sent == {"mock:out": [2]}


async def test_retries_take_no_time_and_chance_is_seeded() -> None:
    """An hour of waiting in virtual time; store and policy as for run_routes."""
    store = MemoryStore(lambda: 0.0)
    with replace_endpoints({"http:crm/*": Unavailable("away")}):
        policy = Policy(retry=Retry(5, first=3600, most=3600))
        run = await run_route(from_("rabbitmq:in").to("http:crm/x"), ["a"], store=store, policy=policy)
    assert len(run.of(Retrying)) == 5
    assert await store.letters.count() == 1


async def test_the_clock_of_the_world_is_that_of_the_route() -> None:
    """A message is received when the test says."""
    with replace_endpoints(clock=Clock("2026-03-29T01:00+01:00")):
        flow = from_("rabbitmq:in").transform(lambda _, message: message.meta.received)
        assert (await run_route(flow, [1])).replies == [pytest.approx(1774742400)]


async def test_an_endless_source_ends_with_most() -> None:
    """Where the source stays real."""
    with replace_endpoints(keep=["timer:*"]):
        assert (await run_route(from_("timer:t?every=60").to("mock:out"), most=3)).sent == {"mock:out": [1, 2, 3]}
    assert (await run_route(from_("queue:q").to("mock:out"), [1, 2, 3], most=2)).sent == {"mock:out": [1, 2]}
