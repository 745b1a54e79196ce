"""`sync:` in routes: cycles as messages, troubles told once, hints that wake, and a side that is away."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import anyio
import pytest

from routekit import (
    BadOption,
    BodyError,
    Flow,
    Logged,
    Policy,
    Route,
    RouteDegraded,
    Store,
    Target,
    from_,
)
from routekit.remotes import Unclear
from routekit.testing import Catalog, Clock, Inlet, Run, Sink, check, routes_of, running, setup_for, virtual
from routekit.testing.remote import FakeRemote, Fault, FaultKind
from routekit_sync import Retrying, Rule, Summary, SyncPair, SyncSink, SyncSource, Trouble, Unit
from routekit_sync.ledger import Ledger

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return virtual(request.param)


NAME = Unit("name", ["name"], ["title"], lambda a: {"title": a.get("name")}, lambda b: {"name": b.get("title")})
PHONE = Unit(
    "phone", ["phone"], ["tel"], lambda a: {"tel": a.get("phone")}, lambda b: {"phone": b.get("tel")}, rule=Rule.MANUAL
)


REFUSING = Policy(dead_letter="refuse")


class World:
    """Two systems in memory, a store that stays, and routes over them; time is that of the loop."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store, self.clock, self.run = store, clock, Run()
        self.crm = FakeRemote("crm", now=clock.now)
        self.erp = FakeRemote("erp", now=clock.now)
        self.pair = SyncPair("people", self.crm, self.erp, [NAME, PHONE], every=60.0)

    @asynccontextmanager
    async def running(self, *flows: Flow[Any] | Route) -> AsyncGenerator[Any]:
        setup = setup_for(self.run, store=self.store, now=self.clock.now, catalog=Catalog())
        async with running(*flows, setup=setup) as service:
            yield service

    @property
    def titles(self) -> list[Any]:
        return sorted(str(record.fields.get("title")) for record in self.erp.system.records.values())

    @property
    def lines(self) -> list[str]:
        return [event.text for event in self.run.of(Logged)]


@pytest.fixture
async def world() -> AsyncGenerator[World]:
    clock = Clock()
    async with Catalog().open_store("memory:", clock.now) as store:
        yield World(store, clock)


async def until(done: Callable[[], bool], seconds: float = 1000.0) -> None:
    """Wait in virtual time."""
    with anyio.fail_after(seconds):
        while not done():
            await anyio.sleep(0.5)


async def test_each_cycle_is_a_message(world: World) -> None:
    """Edits of either side are on the other after the next cycle, whose Summary comes with the name of the pair."""
    sink = Sink()
    own = world.crm.system.user_create({"name": "Ada"})
    async with world.running(from_(SyncSource(pair=world.pair), Summary).to(sink)):
        await until(lambda: len(sink.messages) == 1)
        assert world.titles == ["Ada"]
        world.crm.system.user_edit(own, {"name": "Eve"})
        await until(lambda: len(sink.messages) == 2)
        assert world.titles == ["Eve"]
    first, second = sink.messages
    assert (first.body.created_b, second.body.updated_b) == (1, 1)
    assert first.headers == {"sync.pair": "people", "sync.kind": "cycle"}
    assert first.id != second.id
    assert world.lines[0].startswith("people  A→B 1 created  conflicts 0  quarantined 0")


async def test_cycles_come_as_often_as_is_said(world: World) -> None:
    """`every` of the endpoint counts before that of the pair; a cycle that had nothing to do is left out if quiet."""
    loud, quiet = Sink(), Sink()
    async with world.running(from_(SyncSource(pair=world.pair, every=10.0)).to(loud)):
        await anyio.sleep(95.0)
    async with world.running(from_(SyncSource(pair=world.pair, quiet=True)).to(quiet)):
        await anyio.sleep(95.0)
        world.crm.system.user_create({"name": "Ada"})
        await anyio.sleep(95.0)
    assert len(loud.messages) == 10
    assert [message.body.writes for message in quiet.messages] == [1]


async def conflicted(world: World) -> None:
    """A pair that was in step, and a unit that both sides have changed since."""
    own = world.crm.system.user_create({"name": "Ada", "phone": "1"})
    async with world.running(from_(SyncSource(pair=world.pair))):
        await until(lambda: world.titles == ["Ada"])
    (there,) = world.erp.system.records
    await world.clock.advance(60.0)
    world.crm.system.user_edit(own, {"phone": "2"})
    world.erp.system.user_edit(there, {"tel": "3"})


async def test_a_trouble_is_told_once(world: World) -> None:
    """A conflict that waits for a person is one message with the command that shows it, also over a restart."""
    await conflicted(world)
    sink = Sink()
    flow = from_(SyncSource(pair=world.pair, gives="troubles"), Trouble).to(sink)
    for _ in range(2):
        async with world.running(flow):
            await anyio.sleep(200.0)
    (message,) = sink.messages
    trouble = message.body
    assert (trouble.kind, trouble.pair, trouble.unit) == ("conflict", "people", "phone")
    assert trouble.hint == f"routekit sync conflicts show {trouble.id}"
    assert message.headers["sync.kind"] == "conflict"
    assert "2" not in trouble.why, "it has no values of records"


async def test_a_trouble_that_was_not_taken_is_told_again(world: World) -> None:
    """A message that goes back to the source is no alarm that was heard."""
    await conflicted(world)

    def refuse(trouble: Trouble) -> Trouble:
        raise ValueError("nobody is there")

    refusing = from_(SyncSource(pair=world.pair, gives="troubles"), Trouble, policy=REFUSING)
    async with world.running(refusing.transform(refuse)):
        await anyio.sleep(30.0)
    sink = Sink()
    async with world.running(from_(SyncSource(pair=world.pair, gives="both")).to(sink)):
        await anyio.sleep(30.0)
    assert [message.headers["sync.kind"] for message in sink.messages] == ["cycle", "conflict"]


async def test_a_hint_is_looked_at_at_once(world: World) -> None:
    """A webhook's event brings the record over long before the next cycle is due."""
    own = world.crm.system.user_create({"name": "Ada"})
    seldom = replace(world.pair, every=1e6)
    hooks = Inlet()
    hint = from_(hooks, dict).to(SyncSink(pair=seldom, side="a"), id=lambda event: event["record"])
    async with world.running(from_(SyncSource(pair=seldom)), hint):
        await until(lambda: world.titles == ["Ada"])
        world.crm.system.user_edit(own, {"name": "Eve"})
        await anyio.sleep(100.0)
        assert world.titles == ["Ada"], "nobody has said anything"
        await hooks.give({"record": own})
        await until(lambda: world.titles == ["Eve"], 10.0)


async def test_a_hint_outlives_a_restart(world: World) -> None:
    """It is in the store once its message is done, also if no source runs."""
    hooks = Inlet()
    async with world.running(from_(hooks, dict, policy=REFUSING).to(SyncSink(pair=world.pair))):
        await hooks.give({"side": "b", "id": 77})
        with pytest.raises(BodyError, match="of which side"):
            await hooks.give({"id": 77})
        with pytest.raises(BodyError, match="which record it is"):
            await hooks.give({"side": "b"})
    assert [key for key, _ in await world.store.values("sync-hints:people").items()] == ["0/b/77"]
    async with world.running(from_(SyncSource(pair=world.pair))):
        await anyio.sleep(5.0)
    assert await world.store.values("sync-hints:people").items() == []


@pytest.mark.parametrize("apart", [False, True])
async def test_all_parts_of_a_pair_are_worked_at(world: World, apart: bool) -> None:
    """By one source in turn, told as one cycle, or each by a source of its own; hints reach the right one."""
    parted = replace(world.pair, partitions=3, every=60.0 if apart else 1e6)
    owns = [world.crm.system.user_create({"name": f"n{number}"}) for number in range(12)]
    hooks, sink = Inlet(), Sink()
    sources = [SyncSource(pair=parted, part=part) for part in range(3)] if apart else [SyncSource(pair=parted)]
    flows = [from_(source).to(sink) for source in sources]
    hint = from_(hooks, dict).to(SyncSink(pair=parted, side="a"), id=lambda event: event["id"])
    async with world.running(*flows, hint):
        await until(lambda: len(world.titles) == 12)
        if not apart:
            assert [message.body.created_b for message in sink.messages] == [12]
        for own in owns:
            world.crm.system.user_edit(own, {"name": "Eve"})
            await hooks.give({"id": own})
        await until(lambda: world.titles == ["Eve"] * 12)
    assert await world.store.values("sync-hints:people").items() == []


async def test_parts_are_named_rightly(world: World) -> None:
    """One that there is not is refused, and no part is run twice."""
    parted = replace(world.pair, partitions=2)
    with pytest.raises(BadOption, match="has 2 parts, numbered from 0"):
        Catalog().source(Target(SyncSource(pair=parted), {"part": 2}))
    first, second, whole = SyncSource(pair=parted, part=0), SyncSource(pair=parted, part=1), SyncSource(pair=parted)
    assert first.clashes(second) is None
    assert first.clashes(first) == second.clashes(whole) == "both run the pair 'people'"


async def test_a_record_or_a_cycle_can_be_asked_for(world: World) -> None:
    """The answer is the Summary of what was done; one record costs one look at that record."""
    own = world.crm.system.user_create({"name": "Ada"})
    other = world.crm.system.user_create({"name": "Bob"})
    whole, one = Inlet(), Inlet()
    answers: list[Summary] = []

    def keep(body: Any, summary: Summary) -> Any:
        answers.append(summary)
        return body

    flows = [
        from_(whole, dict).enrich(SyncSink(pair=world.pair, mode="cycle"), answer=Summary, merge=keep),
        from_(one, dict).enrich(SyncSink(pair=world.pair, mode="record", side="a"), answer=Summary, merge=keep),
    ]
    async with world.running(*flows):
        await whole.give({})
        assert world.titles == ["Ada", "Bob"]
        world.crm.system.user_edit(own, {"name": "Eve"})
        world.crm.system.user_edit(other, {"name": "Rob"})
        await one.give({"id": own})
        assert world.titles == ["Bob", "Eve"], "the other one was not asked for"
    assert [summary.writes for summary in answers] == [2, 1]


async def test_a_side_that_is_away_degrades_the_route(world: World) -> None:
    """Nothing is lost: the next cycle that reaches it goes on."""
    world.crm.system.user_create({"name": "Ada"})
    world.erp.system.before = lambda call: (_ for _ in ()).throw(Unclear("erp does not answer"))
    async with world.running(from_(SyncSource(pair=world.pair))):
        await until(lambda: bool(world.run.of(RouteDegraded)))
        assert "erp does not answer" in str(world.run.of(RouteDegraded)[0].error)
        world.erp.system.before = None
        await until(lambda: world.titles == ["Ada"])


async def test_a_pair_that_somebody_else_works_at_is_waited_for(world: World) -> None:
    """Such as a command of an operator: that is no failure, and the cycle runs once he is done."""
    world.crm.system.user_create({"name": "Ada"})
    operator = Ledger(world.store.values("sync:people"), world.clock.now, owner="an operator")
    assert await operator.acquire(seconds=1e6)
    async with world.running(from_(SyncSource(pair=world.pair))):
        await anyio.sleep(100.0)
        assert (world.titles, world.run.of(RouteDegraded)) == ([], [])
        await operator.release()
        await until(lambda: world.titles == ["Ada"], 30.0)
        assert await operator.acquire(), "the source has it for its cycles only"


async def test_what_is_given_up_is_told_with_the_reason(world: World) -> None:
    """In the line of the log by its kind, and as a trouble with the command that shows it; it is over once it is."""
    world.pair = replace(world.pair, retry=Retrying(attempts=1, first=0.0))
    world.erp.system.faults.plan(Fault(FaultKind.REFUSED, op="create"))
    own = world.crm.system.user_create({"name": "Ada"})
    sink = Sink()
    async with world.running(from_(SyncSource(pair=world.pair, gives="troubles"), Trouble).to(sink)):
        await until(lambda: bool(sink.messages))
        assert any("quarantined 1 (refused)" in line for line in world.lines), world.lines
        trouble = sink.messages[0].body
        assert (trouble.kind, trouble.record_a) == ("quarantine", own)
        assert trouble.hint == f"routekit sync quarantine show {trouble.id}"
        assert world.titles == []
        world.crm.system.user_edit(own, {"name": "Eve"})
        await until(lambda: world.titles == ["Eve"])
        await anyio.sleep(200.0)
    assert len(sink.messages) == 1


async def test_figures_are_counted(world: World) -> None:
    """What all cycles did, and how it is now, by the names that the reference has."""
    await conflicted(world)
    async with world.running(from_(SyncSource(pair=world.pair))) as service:
        await anyio.sleep(130.0)
        figures = {figure.name: figure.value for figure in service.figures()}
    assert set(figures) == set(SyncSource.about.figures)
    assert figures["sync_cycles_total"] == 3
    assert (figures["sync_conflicts_total"], figures["sync_conflicts_waiting"]) == (1, 1)
    assert figures["sync_budget_remaining"] == -1
    assert 0 <= figures["sync_age_seconds"] < 60


async def test_check_finds_wrong_names(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of modules, pairs and options, and two sources of one pair; a right one is found by its name."""
    module = ModuleType("endpoint_pairs")
    module.people = world.pair  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "endpoint_pairs", module)

    def problems(*flows: Flow[Any]) -> str:
        return "\n".join(str(problem) for problem in check(routes_of(*flows), Catalog()))

    assert problems(from_("sync:endpoint_pairs:people?every=5m")) == ""
    assert "did you mean 'people'" in problems(from_("sync:endpoint_pairs:poeple"))
    assert "there is no module 'endpoint_piars'" in problems(from_("direct:x").to("sync:endpoint_piars:people"))
    assert "did you mean 'every'" in problems(from_("sync:endpoint_pairs:people?evry=5"))
    twice = problems(from_(SyncSource(pair=world.pair)), from_(SyncSource(pair=world.pair)))
    assert "both run the pair 'people'" in twice


async def test_it_is_shown_by_the_name_of_its_pair(world: World) -> None:
    """And nothing else of the pair, whatever is in it."""
    assert SyncSource(pair=world.pair, every=5.0).uri() == "sync:people?every=5.0"
    assert SyncSink(pair=world.pair, mode="cycle").uri() == "sync:people?mode=cycle"
