"""One message: checked, handled, tried again, given up."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import Delivery, Letter, Message, Policy, Rejected, Retry, Unavailable, dead_letters, from_
from routekit.events import Counts, DeadLettered, Refused, Retrying
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, setup_for

from ..fakes import Hooked, Watched

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    number: int
    lines: list[str] = []
    extra: dict[str, Any] = {}


@dataclass
class Basket:
    things: list[str] = field(default_factory=list)


def failing(*errors: Exception) -> Hooked:
    """A sink that raises these errors first, then takes everything."""
    left = list(errors)

    async def sending(message: Message[Any]) -> None:
        if left:
            raise left.pop(0)

    return Hooked(sending=sending)


def counted(counts: Counts) -> tuple[int, int, int, int, int]:
    return counts.received, counts.done, counts.ended, counts.dead, counts.refused


async def test_every_outcome_is_counted_once() -> None:
    """A message is done, ended, dead or refused, and counted as that one."""
    feed = Feed([1, 2, 3, 0])
    run = await run_routes(from_(feed, int).filter(lambda n: n != 2).transform(lambda n: 6 // n))
    assert counted(run.counts["route-1"]) == (4, 2, 1, 1, 0)
    assert [id_ for id_, _ in feed.acknowledged] == ["feed-1", "feed-2", "feed-3", "feed-4"]
    refused = await run_routes(from_(Feed([0]), int, policy=Policy(dead_letter="refuse")).transform(lambda n: 1 // n))
    assert counted(refused.counts["route-1"]) == (1, 0, 0, 0, 1)


async def test_the_reply_reaches_the_source() -> None:
    """What the last step gives is acknowledged with, and None for a message that ended early."""
    feed = Feed([1, 2])
    await run_routes(from_(feed, int).filter(lambda n: n == 1).transform(lambda n: n * 10))
    assert [(name, reply and reply.body) for name, reply in feed.acknowledged] == [("feed-1", 10), ("feed-2", None)]


async def test_the_message_knows_its_route() -> None:
    """Meta tells route, source, time of receipt and the number of the try."""
    seen: list[Message[int]] = []
    await run_routes(
        new=from_("timer:tick?every=1&repeat=1", int).transform(lambda n, message: seen.append(message)),
        setup=setup_for(Run(), now=lambda: 123.0),
    )
    meta = seen[0].meta
    assert (meta.route, meta.source, meta.received, meta.attempt) == ("new", "timer:tick?every=1&repeat=1", 123.0, 1)
    assert (meta.deadline, meta.error) == (None, None)


async def test_messages_without_id_get_distinct_ones() -> None:
    """A source that gives no ids gets ids that differ."""
    sink = Sink()
    await run_routes(from_(Feed([Message("a"), Message("b")])).to(sink))
    first, second = (message.id for message in sink.messages)
    assert first != second
    assert first
    assert second


@pytest.mark.parametrize("body", [b'{"number": "5"}', '{"number": 5}', {"number": 5}, Order(number=5)])
async def test_bodies_are_parsed_at_the_edge(body: Any) -> None:
    """Bytes, text, plain data and models all become the type that the route asks for."""
    sink = Sink()
    await run_routes(from_(Feed([body]), Order).to(sink))
    assert sink.bodies == [Order(number=5)]


async def test_a_body_that_does_not_fit_is_a_dead_letter_at_once() -> None:
    """It is not retried, names column and row, and keeps the body as it came."""
    feed = Feed([Message(b'{"number": "many"}', {"row": 7}, "m")])
    run = await run_routes(from_(feed, Order, policy=Policy(retry=Retry(5))))
    letter = run.letters[0]
    assert letter.error == "BodyError"
    assert letter.reason.startswith("row 7, column 'number': ")
    assert letter.attempts == 1
    assert letter.body == {"base64": "eyJudW1iZXIiOiAibWFueSJ9"}
    assert run.counts["route-1"].retried == 0
    assert len(feed.acknowledged) == 1


async def test_an_error_that_the_source_knows_goes_the_way_of_a_failure() -> None:
    """A delivery with an error is not handled; it becomes a dead letter with what was read."""

    class Ragged(Watched):
        def delivery(self, message: Message[Any]) -> Delivery[Any]:
            usual = super().delivery(message)
            return Delivery(message, usual.ack, usual.nack, Rejected("ragged row"))

    sink, source = Sink(), Ragged(["a;b;c"], endless=False)
    run = await run_routes(from_(source, str).to(sink))
    assert sink.bodies == []
    assert [(letter.reason, letter.body) for letter in run.letters] == [("ragged row", "a;b;c")]
    assert source.told == [("ack", "ma;b;c")]


async def test_the_retry_runs_the_route_again_from_its_start() -> None:
    """All steps run again; the message is done when a try succeeds."""
    seen: list[int] = []
    feed = Feed([1])
    flow = from_(feed, int, policy=Policy(retry=Retry(3))).transform(lambda n: seen.append(n) or n)
    run = await run_routes(flow.to(failing(Unavailable("away"), Unavailable("away"))))
    assert seen == [1, 1, 1]
    assert run.counts["route-1"].retried == 2
    assert [event.attempt for event in run.of(Retrying)] == [1, 2]
    assert len(feed.acknowledged) == 1


async def test_after_the_last_retry_the_message_is_given_up() -> None:
    """`attempts` retries follow the first try, then the letter tells how often was tried."""
    tries: list[int] = []

    def bad(n: int, message: Message[int]) -> None:
        tries.append(message.meta.attempt)
        raise Unavailable("away")

    run = await run_routes(from_(Feed([1]), int, policy=Policy(retry=Retry(3))).transform(bad))
    assert tries == [1, 2, 3, 4]
    assert run.letters[0].attempts == 4


async def test_what_is_rejected_is_not_retried() -> None:
    """An error that cannot get better goes to the dead letters at once."""
    tries: list[int] = []

    def bad(n: int) -> None:
        tries.append(n)
        raise Rejected("never")

    await run_routes(from_(Feed([1]), int, policy=Policy(retry=Retry(5))).transform(bad))
    assert tries == [1]


async def test_only_named_errors_are_retried() -> None:
    """A rule with `on` leaves other errors alone."""
    policy = Policy(retry=Retry(5, on=OSError))
    run = await run_routes(from_(Feed([1]), int, policy=policy).to(failing(ValueError("x"))))
    assert run.counts["route-1"].retried == 0
    run = await run_routes(from_(Feed([1]), int, policy=policy).to(failing(OSError("x"))))
    assert (run.counts["route-1"].retried, run.counts["route-1"].done) == (1, 1)


async def test_the_rule_for_the_nearest_class_counts() -> None:
    """Of several rules, that for the class nearest to the error's own says how often."""
    policy = Policy(retry=(Retry(4), Retry(1, on=OSError)))
    run = await run_routes(from_(Feed([1]), int, policy=policy).to(failing(*[OSError("x")] * 9)))
    assert run.counts["route-1"].retried == 1
    run = await run_routes(from_(Feed([1]), int, policy=policy).to(failing(*[KeyError("x")] * 9)))
    assert run.counts["route-1"].retried == 4


@pytest.mark.parametrize(
    ("kind", "body", "change", "kept"),
    [
        (Order, {"number": 1, "extra": {"tags": ["a"]}}, lambda o: o.extra["tags"].append("b"), {"tags": ["a"]}),
        (Order, Order(number=1, lines=["a"]), lambda o: o.lines.append("b"), ["a"]),
        (Basket, Basket(["a"]), lambda b: b.things.append("b"), ["a"]),
        (None, {"rows": [["a"]]}, lambda d: d["rows"][0].append("b"), [["a"]]),
        (list, [["a"]], lambda rows: rows[0].append("b"), [["a"]]),
        (dict, b'{"rows": ["a"]}', lambda d: d["rows"].append("b"), ["a"]),
    ],
)
async def test_each_try_gets_the_body_as_it_came(kind: Any, body: Any, change: Any, kept: Any) -> None:
    """What a failed try did to the body shows neither in the next try nor in the letter."""
    seen: list[str] = []

    def spoil(it: Any) -> None:
        seen.append(repr(it))
        change(it)
        raise Unavailable("away")

    run = await run_routes(from_(Feed([body]), kind, policy=Policy(retry=Retry(2))).transform(spoil))
    assert len(set(seen)) == 1
    assert len(seen) == 3
    if not isinstance(body, bytes):
        assert repr(kept) in repr(run.letters[0].body)


async def test_the_letter_tells_all() -> None:
    """A dead letter keeps original body and headers, the failing step with its line, the error and the time."""
    feed = Feed([Message({"n": 0}, {"file.name": "a.csv"}, "m-1")])

    def divide(row: dict[str, int]) -> float:
        return 1 / row["n"]

    setup = setup_for(Run(), now=lambda: 99.0)
    run = await run_routes(
        bad=from_(feed, dict).transform(lambda row: {**row, "x": 1}).set_header("h", 1).transform(divide), setup=setup
    )
    letter = run.letters[0]
    assert (letter.message_id, letter.route, letter.source) == ("m-1", "bad", "feed:")
    assert (letter.error, letter.reason) == ("ZeroDivisionError", "division by zero")
    assert (letter.step, letter.attempts, letter.when) == ("transform(divide)", 1, 99.0)
    assert letter.place.endswith(f"test_processing.py:{divide.__code__.co_firstlineno + 5}")
    assert (letter.body, letter.headers) == ({"n": 0}, {"file.name": "a.csv"})
    assert [event.message_id for event in run.of(DeadLettered)] == ["m-1"]


async def test_a_letter_that_cannot_be_kept_leaves_the_message_unacknowledged() -> None:
    """When the store fails too, the message is refused with the reason."""

    class Full(MemoryStore):
        def __init__(self) -> None:
            super().__init__(lambda: 0.0)
            self.letters.add = self.full  # type: ignore[method-assign]

        async def full(self, letter: Letter) -> None:
            raise OSError("disk full")

    feed, run = Feed([0]), Run()
    after = await run_routes(from_(feed, int).transform(lambda n: 1 // n), setup=setup_for(run, store=Full()))
    assert feed.acknowledged == []
    assert len(feed.refused) == 1
    error = feed.refused[0][1]
    assert isinstance(error, Unavailable)
    assert "disk full" in str(error)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert counted(after.counts["route-1"]) == (1, 0, 0, 0, 1)
    assert [type(event.error) for event in after.of(Refused)] == [ZeroDivisionError]


async def test_a_branch_of_dead_letters_that_fails_leaves_the_message_unacknowledged() -> None:
    """The same for letters that a policy sends elsewhere."""
    feed, letters = Feed([0, 1]), Sink(fail={1: Unavailable("away")})
    policy = Policy(dead_letter=dead_letters(lambda letter: letter.to(letters)))
    run = await run_routes(from_(feed, int, policy=policy).transform(lambda n: 1 // n))
    assert [name for name, _ in feed.refused] == ["feed-1"]
    assert [name for name, _ in feed.acknowledged] == ["feed-2"]
    assert run.counts["route-1"].refused == 1


async def test_letters_go_where_the_policy_says() -> None:
    """A branch gets the letter, with the message's headers and id; the store stays empty."""
    feed, letters = Feed([Message(0, {"h": 1}, "m")]), Sink()
    policy = Policy(dead_letter=dead_letters(lambda letter: letter.filter(lambda one: one.attempts == 1).to(letters)))
    run = await run_routes(from_(feed, int, policy=policy).transform(lambda n: 1 // n))
    assert run.letters == []
    message = letters.messages[0]
    assert isinstance(message.body, Letter)
    assert message.body.error == "ZeroDivisionError"
    assert (message.id, message.headers["h"]) == ("m", 1)
    assert isinstance(message.meta.error, ZeroDivisionError)
    assert len(feed.acknowledged) == 1


async def test_refusal_hands_the_error_back() -> None:
    """With `refuse` the source is told the error itself, and no letter is kept."""
    feed = Feed([0])
    run = await run_routes(from_(feed, int, policy=Policy(dead_letter="refuse")).transform(lambda n: 1 // n))
    assert [(name, type(error)) for name, error in feed.refused] == [("feed-1", ZeroDivisionError)]
    assert feed.acknowledged == []
    assert run.letters == []


async def test_a_message_over_its_deadline_expires() -> None:
    """A message that takes longer than its deadline is cancelled and becomes a dead letter."""
    ended: list[float] = []

    async def slow(n: int) -> int:
        await anyio.sleep(n)
        ended.append(n)
        return n

    start = anyio.current_time()
    run = await run_routes(from_(Feed([100, 20]), int, policy=Policy(deadline=30)).transform(slow))
    assert ended == [20]
    assert [(letter.error, letter.body) for letter in run.letters] == [("Expired", 100)]
    assert anyio.current_time() - start == pytest.approx(50)


async def test_the_deadline_counts_retries() -> None:
    """Waiting for retries counts as well; the letter says how often was tried, and no try starts after the end."""
    tries: list[float] = []

    def away(n: int) -> None:
        tries.append(anyio.current_time())
        raise Unavailable("away")

    start = anyio.current_time()
    policy = Policy(deadline=60, retry=Retry(1000, first=5, most=5))
    run = await run_routes(from_(Feed([1]), int, policy=policy).transform(away))
    assert [letter.error for letter in run.letters] == ["Expired"]
    assert run.letters[0].attempts == len(tries) > 10
    assert max(tries) <= start + 60
    assert anyio.current_time() - start == pytest.approx(60)


async def test_an_expired_message_is_not_retried() -> None:
    """What did not make it in time is not tried again."""
    slow = from_(Feed([1]), int, policy=Policy(deadline=1, retry=Retry(9))).transform(lambda n: anyio.sleep(50))
    run = await run_routes(slow)
    assert (run.counts["route-1"].retried, run.counts["route-1"].dead) == (0, 1)


async def test_the_deadline_is_seen_by_the_author() -> None:
    """`meta.deadline` is the time of anyio's clock at which the message expires."""
    seen: list[float | None] = []
    start = anyio.current_time()
    flow = from_(Feed([1]), int, policy=Policy(deadline=30)).transform(lambda n, m: seen.append(m.meta.deadline))
    await run_routes(flow)
    assert seen == [pytest.approx(start + 30)]


async def test_waits_are_those_of_the_policy() -> None:
    """Between two tries passes just the time that is told, within the bounds of full jitter."""
    times: list[float] = []

    def away(n: int) -> None:
        times.append(anyio.current_time())
        raise Unavailable("away")

    policy = Policy(retry=Retry(6, first=2, factor=3, most=30))
    run = await run_routes(from_(Feed([1]), int, policy=policy).transform(away))
    waits = [event.wait for event in run.of(Retrying)]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == [pytest.approx(wait, abs=1e-3) for wait in waits]
    assert all(wait <= ceiling for wait, ceiling in zip(waits, [2, 6, 18, 30, 30, 30], strict=True))
