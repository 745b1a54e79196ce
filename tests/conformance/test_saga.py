"""Sagas: Camel's promises, kept over a crash."""

from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from routekit import Act, CompensationFailed, DefinitionError, Flow, Message, Policy, Retry, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes

from ..crashing import DEATHS, Outside, every_crash

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


@dataclass
class World:
    """Systems outside that remember what they were asked, and fail at some of it."""

    fail: dict[str, Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def ask(self, what: str) -> Any:
        def asking(n: int) -> int:
            self.asked.append(what)
            if what in self.fail:
                raise self.fail[what]
            return n

        return lambda flow: flow.transform(asking)

    def acts(self, *names: str, **options: Any) -> list[Act[int]]:
        return [Act(name, do=self.ask(name), undo=self.ask(f"undo {name}"), **options) for name in names]


async def test_all_actions_are_done_and_the_message_goes_on() -> None:
    """As AUTO completion."""
    world, out = World(), Sink()
    await run_routes(from_(Feed([1]), int).saga("trips", int, world.acts("hotel", "flight")).to(out))
    assert (world.asked, out.bodies) == (["hotel", "flight"], [1])


async def test_a_failure_undoes_what_was_done_last_first() -> None:
    """Departure: the order of compensations is not guaranteed; here it is the reverse of the actions."""
    world, feed = World({"car": ValueError("none left")}), Feed([1])
    await run_routes(from_(feed, int, policy=REFUSE).saga("trips", int, world.acts("hotel", "flight", "car")))
    assert world.asked == ["hotel", "flight", "car", "undo car", "undo flight", "undo hotel"]
    assert [str(error) for _, error in feed.refused] == ["none left"]


async def test_what_undoes_an_action_must_be_said() -> None:
    """Departure: a route without a compensation takes part in a saga, and nobody notices."""
    with pytest.raises(DefinitionError):
        from_("timer:t", int).saga("trips", int, [Act("hotel", do=lambda flow: flow)])


async def test_undoing_is_tried_again() -> None:
    """As the coordinator's retries; what cannot be undone is an error that says so, not a line in a log."""
    world, feed = World({"flight": ValueError("full"), "undo hotel": Unavailable("away")}), Feed([1])
    flow = from_(feed, int, policy=REFUSE).saga("trips", int, world.acts("hotel", "flight"), undo_retry=Retry(3))
    await run_routes(flow)
    assert world.asked.count("undo hotel") == 4
    ((_, error),) = feed.refused
    assert isinstance(error, CompensationFailed)


async def test_a_saga_goes_on_where_it_stood_when_the_process_died() -> None:
    """Departure: the built-in saga service is memory; the durable one is another server."""
    at = lambda name: lambda f: f.set_header("at", name)  # noqa: E731

    def flow(outside: Outside) -> Flow[Any]:
        acts = [Act(n, do=lambda f, n=n: f.apply(at(n)).to(outside.sink), undo=None) for n in ("hotel", "flight")]
        return from_(outside.source, int).saga("trips", int, acts)

    def check(outside: Outside) -> None:
        assert not outside.waiting
        assert [m.headers["at"] for m in outside.sent] in (
            ["hotel", "flight"],
            ["hotel", "hotel", "flight"],
            ["hotel", "flight", "flight"],
        ), "what was done and noted is not done again"

    await every_crash(flow, lambda: Outside([1]), check, kinds=DEATHS)


async def test_a_message_that_comes_again_does_not_do_it_twice() -> None:
    """As Long-Running-Action headers correlate; here it is the id of the message."""
    world, feed = World(), Feed([Message(1, id="m"), Message(1, id="m")])
    await run_routes(from_(feed, int).saga("trips", int, world.acts("hotel")))
    assert world.asked == ["hotel"]


async def test_a_saga_that_takes_too_long_is_undone() -> None:
    """As `timeout`."""
    world, feed = World(), Feed([1])

    async def slow(n: int) -> int:
        await anyio.sleep(600)
        return n

    late = Act("flight", do=lambda f: f.transform(slow), undo=world.ask("undo flight"))
    flow = from_(feed, int, policy=REFUSE).saga("trips", int, [*world.acts("hotel"), late], timeout=60)
    await run_routes(flow)
    assert world.asked == ["hotel", "undo flight", "undo hotel"]
    assert len(feed.refused) == 1
