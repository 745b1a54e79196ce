"""poll_enrich"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routekit import DefinitionError, Delivery, Message, Policy, Retry, Runtime, Unanswered, Unavailable, from_
from routekit.answers import Answer
from routekit.check import check
from routekit.eip.poll_enrich import PollEnrich
from routekit.plugins import Catalog
from routekit.step import Target
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for, virtual

from ..fakes import Watched

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Price:
    amount: float


def both(body: Any, answer: Any) -> tuple[Any, Any]:
    return body, answer


class Shelf(Watched):
    """Brings again what was refused."""

    state: dict[str, Any]
    wait: float = 0.0

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        self.state["opened"] += 1
        self.state["open"] = self.state.get("open", 0) + 1
        assert self.state["open"] == 1, "it is read once at a time"
        try:
            await anyio.sleep(self.wait)
            while True:
                while not self.items:
                    with runtime.resting():
                        await anyio.sleep(1)
                yield self.delivery(Message(self.items.pop(0), id="shelf"))
        finally:
            self.state["open"] -= 1

    def delivery(self, message: Message[Any]) -> Delivery[Any]:
        async def ack(reply: Message[Any] | None) -> None:
            await anyio.lowlevel.checkpoint()
            self.told.append(("ack", message.body))

        async def nack(error: Exception) -> None:
            await anyio.lowlevel.checkpoint()
            self.told.append(("nack", message.body))
            self.items.append(message.body)

        return Delivery(message, ack, nack)


async def test_one_message_of_the_source_goes_into_the_body() -> None:
    """Checked into its type, merged as asked; headers and id stay; it is acknowledged afterwards."""
    shelf, sink = Shelf([{"amount": 1}, {"amount": 2}]), Sink()
    feed = Feed([Message("a", {"h": 1}, "m1")])
    run = await run_routes(from_(feed).poll_enrich(shelf, timeout=5, answer=Price, merge=both).to(sink))
    assert sink.messages == [Message(("a", Price(1)), {"h": 1}, "m1")]
    assert shelf.told == [("ack", {"amount": 1})]
    assert shelf.items == [{"amount": 2}]
    assert run.letters == []


async def test_it_is_acknowledged_when_the_rest_of_the_route_has_returned() -> None:
    """Not before; and refused when that failed."""
    told: list[Any] = []
    shelf, sink = Shelf([1, 2]), Sink(fail={1: ValueError("x")})
    flow = (
        from_(Feed(["a", "b"]))
        .poll_enrich(shelf, timeout=5, answer=int)
        .tap(lambda copy: copy.transform(lambda n: told.append((n, list(shelf.told)))))
    )
    run = await run_routes(flow.to(sink))
    assert told == [(1, []), (2, [("nack", 1)])]
    assert shelf.told == [("nack", 1), ("ack", 2)]
    assert (sink.bodies, shelf.items) == ([2], [1])
    assert [letter.error for letter in run.letters] == ["ValueError"]


async def test_an_answer_that_does_not_fit_is_refused() -> None:
    """The message is too, and not retried; the source is told why."""
    shelf = Shelf(["much"])
    run = await run_routes(from_(Feed([1]), policy=Policy(retry=Retry(3))).poll_enrich(shelf, timeout=5, answer=Price))
    assert [(letter.error, letter.attempts) for letter in run.letters] == [("BodyError", 1)]
    assert shelf.told == [("nack", "much")]


async def test_what_the_source_knows_to_be_wrong_fails_the_message() -> None:
    """It goes back to its source."""

    class Broken(Shelf):
        def delivery(self, message: Message[Any]) -> Delivery[Any]:
            whole = super().delivery(message)
            return Delivery(message, whole.ack, whole.nack, ValueError("ragged"))

    shelf = Broken([1])
    run = await run_routes(from_(Feed(["a"])).poll_enrich(shelf, timeout=5, answer=int))
    assert [(letter.error, letter.reason) for letter in run.letters] == [("ValueError", "ragged")]
    assert shelf.told == [("nack", 1)]


async def test_nothing_in_time_is_worth_another_try() -> None:
    """It is Unavailable, after exactly that time, unless something stands for it."""
    start = anyio.current_time()
    run = await run_routes(from_(Feed([1])).poll_enrich(Shelf([]), timeout=7, answer=int))
    assert anyio.current_time() - start == pytest.approx(7)
    (letter,) = run.letters
    assert (letter.error, issubclass(Unanswered, Unavailable)) == ("Unanswered", True)
    assert "had nothing within 7 s" in letter.reason
    sink = Sink()
    await run_routes(from_(Feed([1])).poll_enrich(Shelf([]), timeout=7, answer=int, missing=None, merge=both).to(sink))
    assert sink.bodies == [(1, None)]


async def test_a_source_that_ends_has_nothing() -> None:
    """Nobody waits for it."""
    start = anyio.current_time()
    run = await run_routes(from_(Feed([1])).poll_enrich(Feed([]), timeout=7, answer=int))
    assert [letter.error for letter in run.letters] == ["Unanswered"]
    assert anyio.current_time() == start


@pytest.mark.parametrize("items", [[], [5]])
async def test_without_time_only_what_is_there_is_taken(items: list[int]) -> None:
    """Not a moment is waited once the source says that it has nothing; but it may look first."""
    sink, start = Sink(), anyio.current_time()
    shelf = Shelf(items, wait=3)
    await run_routes(from_(Feed([1])).poll_enrich(shelf, timeout=0, answer=int, missing=None).to(sink))
    assert sink.bodies == (items or [None])
    assert anyio.current_time() - start == pytest.approx(3)


async def test_a_source_that_does_not_say_that_it_has_nothing_is_left() -> None:
    """It cannot hold the route for ever."""

    class Mute(Shelf):
        async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
            await anyio.sleep_forever()
            yield self.delivery(Message(1))

    start = anyio.current_time()
    run = await run_routes(from_(Feed([1])).poll_enrich(Mute([]), timeout=0, answer=int))
    assert [letter.error for letter in run.letters] == ["Unanswered"]
    assert anyio.current_time() - start == pytest.approx(30)


async def test_a_source_that_is_away_fails_the_message() -> None:
    """And is opened again for the next one."""
    source, sink = Watched([Unavailable("away"), 2]), Sink()
    run = await run_routes(from_(Feed(["a", "b"])).poll_enrich(source, timeout=5, answer=int).to(sink))
    assert [letter.error for letter in run.letters] == ["Unavailable"]
    assert (sink.bodies, source.state["opened"]) == ([2], 2)


async def test_messages_poll_one_after_the_other() -> None:
    """A source is read once at a time, until what it gave is settled."""
    shelf, sink = Shelf([1, 2, 3]), Sink()

    async def slow(n: int) -> int:
        await anyio.sleep(10)
        return n

    start = anyio.current_time()
    policy = Policy(concurrency=3)
    flow = from_(Feed("abc"), policy=policy).poll_enrich(shelf, timeout=5, answer=int).transform(slow).to(sink)
    run = await run_routes(flow)
    assert (sorted(sink.bodies), run.letters) == ([1, 2, 3], [])
    assert anyio.current_time() - start == pytest.approx(30)
    assert shelf.state["opened"] == 3


async def test_a_retry_polls_again() -> None:
    """What was refused comes back."""
    shelf, sink = Shelf([1]), Sink(fail={1: Unavailable("x")})
    flow = from_(Feed(["a"]), policy=Policy(retry=Retry(2))).poll_enrich(shelf, timeout=5, answer=int).to(sink)
    await run_routes(flow)
    assert sink.bodies == [1]
    assert shelf.told == [("nack", 1), ("ack", 1)]


async def test_a_source_that_cannot_be_told_hides_no_failure() -> None:
    """The failure of the route is what counts; the source will bring the message again."""

    class Deaf(Shelf):
        def delivery(self, message: Message[Any]) -> Delivery[Any]:
            async def nack(error: Exception) -> None:
                raise Unavailable("gone")

            return Delivery(message, None, nack)

    sink = Sink(fail={1: ValueError("x")})
    run = await run_routes(from_(Feed(["a"])).poll_enrich(Deaf([1]), timeout=5, answer=int).to(sink))
    assert [letter.error for letter in run.letters] == ["ValueError"]


async def test_a_codec_reads_what_was_polled() -> None:
    """Bytes into the type."""
    sink = Sink()
    source = Feed([b"amount\n1\n2\n"])
    await run_routes(from_(Feed(["a"])).poll_enrich(source, timeout=1, answer=list[Price], codec="csv").to(sink))
    assert sink.bodies == [[Price(1), Price(2)]]


async def test_a_queue_can_be_polled() -> None:
    """What another route has put there, in its order."""
    sink = Sink()
    feeding = from_(Feed([10, 20])).to("queue:jobs")
    slow = from_("timer:t?every=5s&repeat=3")
    flow = slow.poll_enrich("queue:jobs", timeout=0, answer=int, missing=None).to(sink)
    await run_routes(flow, feeding)
    assert sink.bodies == [10, 20, None]


@given(
    moments=st.lists(st.floats(0, 4).map(lambda x: round(x, 1)), max_size=6),
    timeout=st.sampled_from([0.0, 0.5, 1.0, 2.5]),
    stop=st.floats(0, 8),
)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_whenever_a_message_comes_it_is_not_lost(
    moments: list[float], timeout: float, stop: float, backend: str
) -> None:
    """Taken and settled once, or still there: with each time limit, and when the service is forced to stop."""
    lost: list[int] = []

    class Taking(Shelf):
        def delivery(self, message: Message[Any]) -> Delivery[Any]:
            lost.append(message.body)
            whole = super().delivery(message)

            async def ack(reply: Message[Any] | None) -> None:
                lost.remove(message.body)
                assert whole.ack is not None
                await whole.ack(reply)

            return Delivery(message, ack, whole.nack)

    shelf = Taking([])
    used: list[int] = []
    arrived: list[int] = []

    async def use(n: int) -> int:
        await anyio.sleep(0.3)
        used.append(n)
        return n

    async def scene() -> None:
        flow = from_("timer:t?every=1s&repeat=4", policy=Policy(concurrency=2))
        flow = flow.poll_enrich(shelf, timeout=timeout, answer=int, missing=-1).filter(lambda n: n >= 0).transform(use)
        async with running(flow, setup=setup_for(Run())) as service, anyio.create_task_group() as tasks:
            for number, moment in enumerate(moments):
                tasks.start_soon(put, number, moment)
            await anyio.sleep(stop)
            service.force()

    async def put(number: int, moment: float) -> None:
        await anyio.sleep(moment)
        arrived.append(number)
        shelf.items.append(number)

    _, options = virtual(backend)
    anyio.run(scene, backend=backend, backend_options=options)
    acknowledged = [number for what, number in shelf.told if what == "ack"]
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) <= set(used)
    assert len(lost) <= 1  # in flight when it was forced to stop: unsettled, its source brings it again
    assert sorted([*acknowledged, *lost, *shelf.items]) == sorted(arrived)


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf")])
def test_a_time_limit_is_needed(timeout: float) -> None:
    """For ever is none."""
    with pytest.raises(DefinitionError, match="timeout is"):
        from_(Feed([])).poll_enrich("queue:x", timeout=timeout, answer=int)


def test_what_cannot_be_polled_is_found_by_check() -> None:
    """A listener, an unknown scheme, an unknown option."""
    for uri, said in [
        ("direct:x", "hands its messages over by itself"),
        ("nowhere:x", "no installed plugin offers"),
        ("queue:x?sise=1", "has no option 'sise'"),
    ]:
        (problem,) = check([from_(Feed([])).poll_enrich(uri, timeout=1, answer=int).route("r")], Catalog())
        assert said in problem.message


def test_its_label_names_the_source() -> None:
    """For drawings; it sends nowhere."""
    step = PollEnrich[Any, Any](Target("queue:x"), 1, Answer(int))
    assert (step.label, step.targets()) == ("poll_enrich queue:x", ())
