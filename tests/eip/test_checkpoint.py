"""checkpoint"""

from dataclasses import dataclass
from typing import Any

import pytest

from routekit import DefinitionError, Flow, Message, Policy, Retry, Unavailable, from_
from routekit.replay import replay
from routekit.testing import Feed, Run, Sink, run_routes, setup_for
from routekit.written import written
from tests.crashing import DEATHS, Crash, DurableStore, Outside, every_crash, live

pytestmark = pytest.mark.anyio

DURABLE = Policy(durable="store")


@dataclass(frozen=True)
class Paid:
    n: int
    by: str


def paid(n: int) -> Paid:
    return Paid(n, "card")


def flow(outside: Outside) -> Flow[Any]:
    made = from_(outside.source, int, policy=DURABLE).transform(paid).to(outside.sink)
    return made.checkpoint("paid", Paid).to(outside.sink).to(outside.sink)


async def test_after_a_crash_a_message_goes_on_at_its_checkpoint() -> None:
    """Whatever the operation: typed, with its id, and nothing before it is done again."""

    async def check(outside: Outside) -> None:
        ids = [message.id for message in outside.sent]
        assert ids.count("m1") == 3 or (outside.crashed and ids.count("m1") == 4)
        assert all(message.body == Paid(1, "card") for message in outside.sent)
        assert await outside.store.journal("route-1").count() == 0

    assert await every_crash(flow, lambda: Outside([1]), check, kinds=DEATHS, patience=100.0) > 10


async def test_what_is_before_a_checkpoint_is_not_run_again() -> None:
    """Neither a function nor a send, after the crash at the first operation behind it."""
    outside, runs = Outside([1]), list[int]()

    def counting(outside: Outside) -> Flow[Any]:
        made = from_(outside.source, int, policy=DURABLE).transform(lambda n: runs.append(n) or n)
        return made.checkpoint("counted", int).to(outside.sink)

    for at in range(1, 20):
        runs.clear()
        outside = Outside([1])
        await live(counting, outside, Crash(at, "dies before"), patience=1.0)
        if outside.crashed == ["dies before sink.send"]:
            break
    assert runs == [1]
    await live(counting, outside, patience=1.0)
    assert (outside.bodies, runs) == ([1], [1])


async def test_a_retry_begins_at_the_checkpoint() -> None:
    """With the body as it was there, also if a step has changed it meanwhile."""
    runs: list[list[int]] = []
    sink = Sink(fail={1: Unavailable("away")})
    policy = Policy(durable="store", retry=Retry(2, first=0.0))

    def grown(rows: list[int]) -> list[int]:
        rows.append(2)
        return rows

    def seen(rows: list[int]) -> list[int]:
        runs.append(list(rows))
        return rows

    await run_routes(
        from_(Feed([[1]]), list[int], policy=policy)
        .transform(seen)
        .checkpoint("c", list[int])
        .transform(grown)
        .to(sink)
    )
    assert (runs, sink.bodies) == ([[1]], [[1, 2]])


async def test_a_letter_from_behind_a_checkpoint_is_replayed_there() -> None:
    """With the body as it was there."""
    before, behind = Sink(), Sink(fail={1: Unavailable("away")})
    store = DurableStore()
    made = from_(Feed([1]), int, policy=DURABLE).transform(paid).to(before).checkpoint("paid", Paid).to(behind)
    run = await run_routes(made, store=store)
    (letter,) = run.letters
    assert (letter.entry, letter.body) == (1, {"n": 1, "by": "card"})
    assert await replay(letter, [made.route("route-1")], setup_for(Run(), store=store)) is None
    assert (before.bodies, behind.bodies) == ([Paid(1, "card")], [Paid(1, "card")])


async def test_a_checkpoint_that_is_gone_is_a_dead_letter() -> None:
    """So is a body that does not fit there any more; both say so."""
    store = DurableStore()
    journal = store.journal("route-1")
    for place, body in (("gone", 1), ("paid", {"m": 1})):
        text = written(Message(body, {}, place), 1.0)
        await journal.add(place, text, owner=store.owner)
        await journal.checkpoint(place, place, text, owner=store.owner)
    made = from_(Feed([]), int, policy=DURABLE).transform(paid).checkpoint("paid", Paid).log("x")
    run = await run_routes(made, store=store)
    letters = {letter.message_id: letter for letter in run.letters}
    assert "the route has no checkpoint 'gone' any more" in letters["gone"].reason
    assert "was kept at checkpoint 'paid', and cannot be read any more" in letters["paid"].reason
    assert letters["paid"].body == {"m": 1}
    assert await journal.count() == 0


async def test_a_route_without_a_journal_passes_it() -> None:
    """Such as one that replays a letter; check refuses it elsewhere."""
    sink = Sink()
    await run_routes(from_(Feed([1]), int).log("x").checkpoint("c", int).to(sink))
    assert sink.bodies == [1]


@pytest.mark.parametrize(("name", "body"), [("", int), ("c", None), ("c", 7)])
def test_name_and_type_are_needed(name: str, body: Any) -> None:
    """Both are in the journal."""
    with pytest.raises(DefinitionError, match="checkpoint"):
        from_(Feed(), int).checkpoint(name, body)
