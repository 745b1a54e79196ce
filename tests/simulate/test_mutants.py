"""Planted defects: the machine is broken in one place, and the simulation has to find it, with a short schedule.

Each mutant replaces one method by what somebody might write by mistake. The routes are the same with which the sound
machine passes.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pytest

from routekit import Act, Flow, Message, Policy, Retry, from_
from routekit.branching import BranchRunner
from routekit.claims import Claims
from routekit.eip import aggregate
from routekit.eip import to as to_step
from routekit.eip.resequence import Resequence
from routekit.endpoints.direct import DirectSink, exchange
from routekit.endpoints.queue import QueueSink, queues
from routekit.grouping import Grouped, Grouping
from routekit.message import Delivery
from routekit.parts import PartRunner
from routekit.runtime.intake import Intake
from routekit.runtime.journaling import Journaling
from routekit.runtime.lanes import Lanes
from routekit.runtime.processing import Processing
from routekit.sagas import SagaRunner
from routekit.simulate.report import Report
from routekit.testing import Feed, simulate
from routekit.waiting import Waiting

MOST_FAULTS = 3
MOST_MESSAGES = 3
SEEDS = 40

Plant = Callable[[pytest.MonkeyPatch], None]
Routes = Callable[[], Flow[Any] | list[Flow[Any]]]


@dataclass(frozen=True)
class Mutant:
    """A defect, a route that suffers from it, and the invariants of which one has to be violated."""

    plant: Plant
    routes: Routes
    shown_by: tuple[str, ...]


LOST, TOLD = "nothing is lost", "acknowledged when done"
REPEATED, ORDER, BOUNDED, REST = "no effect repeated", "order kept", "nothing unbounded", "comes to rest"


def numbers(policy: Policy | None = None) -> Flow[int]:
    return from_(Feed(range(1, 7)), int, policy=policy)


def sent() -> Flow[int]:
    return numbers().to("mock:erp")


def refusing() -> Flow[int]:
    return numbers(Policy(dead_letter="refuse")).to("mock:erp")


def grouped() -> Flow[Any]:
    return numbers().aggregate("pairs", int, key=lambda n: n % 2, size=2, timeout=30).transform(sum).to("mock:erp")


def once() -> Flow[int]:
    return numbers(Policy(dead_letter="refuse")).idempotent("seen", key=lambda n: n).to("mock:erp")


def branched() -> Flow[int]:
    return numbers().multicast(lambda a: a.to("mock:a"), lambda b: b.to("mock:b"), lambda c: c.to("mock:c"))


def split() -> Flow[int]:
    return numbers().split(lambda n: [n, n + 10, n + 20]).to("mock:erp")


def picky(number: int) -> int:
    if number == 3:
        raise ValueError("three is refused")
    return number


def poisoned() -> Flow[int]:
    return numbers().transform(picky).to("mock:erp")


def delayed() -> Flow[int]:
    return numbers().delay("later", int, by=20).to("mock:erp")


def sequenced() -> Flow[int]:
    return numbers().resequence("row", int, number=lambda n: n, start=1, gap=3600).to("mock:erp")


def retried() -> Flow[int]:
    return numbers(Policy(retry=Retry(3))).to("mock:erp")


def trip() -> Flow[int]:
    acts: list[Act[int]] = [
        Act("hotel", do=lambda m: m.to("mock:hotel"), undo=lambda m: m.to("mock:hotel-off")),
        Act("flight", do=lambda m: m.to("mock:flight"), undo=lambda m: m.to("mock:flight-off")),
        Act("car", do=lambda m: m.to("mock:car"), undo=lambda m: m.to("mock:car-off")),
    ]
    return numbers().saga("trips", int, acts, key=lambda n: n)


def queued() -> list[Flow[Any]]:
    return [
        numbers(Policy(concurrency=6)).to("queue:work?size=1"),
        from_("queue:work", int).to("mock:erp"),
    ]


def called() -> list[Flow[Any]]:
    return [numbers().to("direct:book"), from_("direct:book", int).to("mock:erp")]


def laned() -> Flow[int]:
    return numbers(Policy(concurrency=6, order_by=lambda n: n % 2)).to("mock:erp")


def two_at_once() -> Flow[int]:
    return numbers(Policy(concurrency=2)).to("mock:erp")


def served() -> Flow[int]:
    return from_("http:127.0.0.1:8080/orders", int).to("mock:erp").transform(lambda n: n + 1)


def durable() -> Flow[int]:
    return numbers(Policy(durable="store")).to("mock:a").to("mock:b").to("mock:c")


# The defects


def acknowledged_before(planting: pytest.MonkeyPatch) -> None:
    async def settle(self: Any, delivery: Delivery[Any]) -> None:
        if delivery.ack is not None:
            await delivery.ack(None)
        await self._processing.process(delivery.message, delivery.error)
        self._free()

    planting.setattr(Intake, "_settle", settle)


def acknowledged_when_cancelled(planting: pytest.MonkeyPatch) -> None:
    async def settle(self: Any, delivery: Delivery[Any]) -> None:
        try:
            await self._processing.process(delivery.message, delivery.error)
        finally:
            if delivery.ack is not None:
                with anyio.CancelScope(shield=True):
                    await delivery.ack(None)
            self._free()

    planting.setattr(Intake, "_settle", settle)


def refusal_swallowed(planting: pytest.MonkeyPatch) -> None:
    async def settle(self: Any, delivery: Delivery[Any]) -> None:
        try:
            reply = await self._processing.process(delivery.message, delivery.error)
        except Exception:
            self._free()
            return
        if delivery.ack is not None:
            await delivery.ack(reply)
        self._free()

    planting.setattr(Intake, "_settle", settle)


def slots_not_counted(planting: pytest.MonkeyPatch) -> None:
    async def slot(self: Any) -> bool:
        return True

    planting.setattr(Intake, "_slot", slot)


def forgotten_before_release(planting: pytest.MonkeyPatch) -> None:
    async def release(self: Any, number: int, key: str, by: str, done: anyio.Event, worked: Callable[[], None]) -> None:
        messages = [self._keeping.raw(text) for text in await self._groups.messages(number)]
        await self._groups.remove(number, remember=self._remember)
        group = self._rules.joined(Grouped(self._name, number, key, by, messages))
        await self._runtime.release(group, entry=self._entry, held=[])
        self._closed.pop(number, None)
        done.set()
        worked()

    planting.setattr(Grouping, "_release", release)


def timer_lost_at_restart(planting: pytest.MonkeyPatch) -> None:
    async def load(self: Any) -> None:
        for group in await self._groups.all():
            if not group.closed:
                self._opened(group.number, group.key)
        self._loaded.set()

    planting.setattr(Grouping, "_load", load)


def kept_in_the_background(planting: pytest.MonkeyPatch) -> None:
    kind: Any = vars(aggregate)["_Aggregating"]
    honest = kind.handle

    async def handle(self: Any, message: Message[Any]) -> None:
        self._grouping._runtime.spawn(partial(honest, self, message))

    planting.setattr(kind, "handle", handle)


def delay_forgotten_at_restart(planting: pytest.MonkeyPatch) -> None:
    async def load(self: Any) -> None:
        if self._loaded is not None:
            self._loaded.set()
            self._loaded = None

    planting.setattr(Waiting, "_load_all", load)


def out_of_sequence(planting: pytest.MonkeyPatch) -> None:
    def bind(self: Any, proceed: Any, runtime: Any) -> Any:
        return proceed

    planting.setattr(Resequence, "bind", bind)


def seen_too_early(planting: pytest.MonkeyPatch) -> None:
    async def owned(self: Any, key: str, work: Callable[[], Awaitable[Any]], after: Any) -> Any:
        await self._complete(key, after)
        return await work()

    planting.setattr(Claims, "_owned", owned)


def seen_though_failed(planting: pytest.MonkeyPatch) -> None:
    async def owned(self: Any, key: str, work: Callable[[], Awaitable[Any]], after: Any) -> Any:
        try:
            return await work()
        finally:
            await self._complete(key, after)

    planting.setattr(Claims, "_owned", owned)


def branch_dropped(planting: pytest.MonkeyPatch) -> None:
    honest = BranchRunner.run

    async def run(self: Any, message: Message[Any], names: Sequence[str]) -> None:
        await honest(self, message, names[:-1])

    planting.setattr(BranchRunner, "run", run)


def branch_forgotten_when_another_fails(planting: pytest.MonkeyPatch) -> None:
    async def settle(self: Any, message: Message[Any], failures: Any, names: Sequence[str]) -> None:
        return

    planting.setattr(BranchRunner, "settle", settle)


def part_lost(planting: pytest.MonkeyPatch) -> None:
    honest = vars(PartRunner)["_work"]

    async def work(self: Any, parts: Any, run: Any, meter: Any, collect: Any) -> None:
        await parts.pull()
        await honest(self, parts, run, meter, collect)

    planting.setattr(PartRunner, "_work", work)


def part_failure_lost(planting: pytest.MonkeyPatch) -> None:
    async def failed(self: Any, part: Any, error: Exception, run: Any) -> None:
        run.ended += 1

    planting.setattr(PartRunner, "_failed", failed)


def letter_not_kept(planting: pytest.MonkeyPatch) -> None:
    async def failed(self: Any, message: Message[Any], error: Exception, *, again: bool) -> None:
        self.counts.dead += 1

    planting.setattr(Processing, "_failed", failed)


def retry_lost(planting: pytest.MonkeyPatch) -> None:
    async def again(self: Any, message: Message[Any], failed: Exception, tried: list[int]) -> None:
        self.counts.retried += 1

    planting.setattr(Processing, "_again", again)


def saga_not_written(planting: pytest.MonkeyPatch) -> None:
    async def write(self: Any, key: str, journal: Any) -> None:
        await self._claims.still_mine(key)

    planting.setattr(SagaRunner, "_write", write)


def saga_not_undone(planting: pytest.MonkeyPatch) -> None:
    async def undo(self: Any, saga: Any, error: Exception) -> Exception:
        return error

    planting.setattr(SagaRunner, "_undo", undo)


def queue_overflows(planting: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(self: Any, runtime: Any) -> AsyncGenerator[Any]:
        queue = (await runtime.shared(queues))[self.name]

        async def send(message: Message[Any], priority: int = 0) -> None:
            if len(queue) < self.size:
                queue.put(message, priority)

        yield send

    planting.setattr(QueueSink, "open", opened)


def call_not_awaited(planting: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(self: Any, runtime: Any) -> AsyncGenerator[Any]:
        routes = await runtime.shared(exchange)

        async def send(message: Message[Any]) -> None:
            deliver = await routes.find(self.name)
            runtime.spawn(partial(deliver, message))

        yield send

    planting.setattr(DirectSink, "open", opened)


def lanes_ignored(planting: pytest.MonkeyPatch) -> None:
    def start(self: Any, delivery: Any, flight: Any, settle: Any) -> None:
        flight.start_soon(settle, delivery)

    planting.setattr(Lanes, "start", start)


def reply_lost(planting: pytest.MonkeyPatch) -> None:
    honest = Processing.process

    async def process(self: Any, message: Message[Any], error: Exception | None = None) -> None:
        await honest(self, message, error)

    planting.setattr(Processing, "process", process)


def journal_finished_early(planting: pytest.MonkeyPatch) -> None:
    async def handled(self: Any, known: Any, processing: Any, message: Any, error: Any) -> None:
        await self._finish(known)
        await processing.process(message, error)
        self._here.discard(known.id)

    planting.setattr(Journaling, "_handled", handled)


def journal_not_read_at_start(planting: pytest.MonkeyPatch) -> None:
    async def left(self: Any, most: int | None = None) -> AsyncGenerator[Any]:
        for nothing in ():
            yield nothing

    planting.setattr(Journaling, "left", left)


def effect_not_recorded(planting: pytest.MonkeyPatch) -> None:
    async def record(self: Any, known: Any, key: str) -> None:
        known.effects.pop(key, None)

    planting.setattr(Journaling, "_record", record)


def sent_twice_when_retried(planting: pytest.MonkeyPatch) -> None:
    honest = to_step.retrying

    async def twice(failed: Exception, attempt: Any, rules: Any, runtime: Any, message_id: str) -> Any:
        await honest(failed, attempt, rules, runtime, message_id)
        return await attempt(2)

    planting.setattr(to_step, "retrying", twice)


def patient() -> Flow[int]:
    return numbers().to("mock:erp", retry=Retry(3))


MUTANTS: dict[str, Mutant] = {
    "acknowledged before the send": Mutant(acknowledged_before, sent, (TOLD, LOST)),
    "acknowledged when cancelled": Mutant(acknowledged_when_cancelled, refusing, (TOLD, LOST)),
    "a refusal is swallowed": Mutant(refusal_swallowed, refusing, (REST, BOUNDED)),
    "slots are not counted": Mutant(slots_not_counted, two_at_once, (BOUNDED,)),
    "a group is forgotten before its release": Mutant(forgotten_before_release, grouped, (TOLD, LOST)),
    "a group's timer is lost at a restart": Mutant(timer_lost_at_restart, grouped, (REST,)),
    "a group is kept in the background": Mutant(kept_in_the_background, grouped, (TOLD, LOST)),
    "a delay is forgotten at a restart": Mutant(delay_forgotten_at_restart, delayed, (REST,)),
    "a resequence lets all pass": Mutant(out_of_sequence, sequenced, (ORDER,)),
    "a key is marked seen too early": Mutant(seen_too_early, once, (LOST,)),
    "a key is marked seen though it failed": Mutant(seen_though_failed, once, (LOST, TOLD)),
    "a branch of a multicast is dropped": Mutant(branch_dropped, branched, (TOLD, LOST)),
    "a failed branch is forgotten": Mutant(branch_forgotten_when_another_fails, branched, (TOLD, LOST)),
    "a part of a split is lost": Mutant(part_lost, split, (TOLD, LOST)),
    "a failed part is forgotten": Mutant(part_failure_lost, split, (TOLD, LOST)),
    "a dead letter is not kept": Mutant(letter_not_kept, poisoned, (LOST,)),
    "a retry is lost": Mutant(retry_lost, retried, (TOLD, LOST)),
    "a retry is done twice": Mutant(sent_twice_when_retried, patient, (REPEATED,)),
    "a saga writes nothing": Mutant(saga_not_written, trip, (REPEATED,)),
    "a queue that is full drops": Mutant(queue_overflows, queued, (LOST,)),
    "a call is not awaited": Mutant(call_not_awaited, called, (TOLD, LOST)),
    "lanes are ignored": Mutant(lanes_ignored, laned, (ORDER,)),
    "a reply is lost": Mutant(reply_lost, served, (LOST, TOLD)),
    "a journal is finished too early": Mutant(journal_finished_early, durable, (TOLD, LOST)),
    "a journal is not read at the start": Mutant(journal_not_read_at_start, durable, (REST,)),
    "effects are not recorded": Mutant(effect_not_recorded, durable, (REPEATED,)),
}

ROUTES = {mutant.routes.__name__: mutant.routes for mutant in MUTANTS.values()}


def simulated(routes: Routes, *, fail_fast: bool) -> Report:
    inputs = list(range(1, 7)) if routes is served else None
    return simulate(routes(), seeds=SEEDS, inputs=inputs, fail_fast=fail_fast)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_defect_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The defect is found by an invariant that it breaks, and shown by few faults and few messages."""
    mutant = MUTANTS[name]
    mutant.plant(monkeypatch)
    report = simulated(mutant.routes, fail_fast=True)
    found = [one for one in report.violations if one.invariant in mutant.shown_by]
    assert found, str(report)
    smallest = min(found, key=lambda one: one.schedule.size)
    assert len(smallest.schedule.faults) <= MOST_FAULTS, str(smallest)
    assert len(smallest.schedule.inputs or ()) <= MOST_MESSAGES, str(smallest)
    assert smallest.story


@pytest.mark.parametrize("name", ROUTES)
def test_the_sound_machine_passes_the_same(name: str) -> None:
    """Without a defect the same routes pass the same seeds."""
    simulated(ROUTES[name], fail_fast=False).expect()
