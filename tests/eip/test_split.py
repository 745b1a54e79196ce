"""split"""

from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from routekit import DefinitionError, Message, PartsFailed, Policy, Records, Retry, Unavailable, dead_letters, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


class Row(BaseModel):
    name: str
    size: int


def itself(body: Any) -> Any:
    return body


async def stream(body: list[int]) -> AsyncGenerator[int]:
    for part in body:
        await anyio.sleep(1)
        yield part


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize(
    "parts", [itself, lambda ns: (n for n in ns), stream, lambda ns, message: list(message.body), lambda ns: iter(ns)]
)
async def test_the_rest_of_the_route_runs_for_each_part(parts: Any, parallel: int) -> None:
    """Lists, generators and asynchronous generators, of the body or the message."""
    feed, sink = Feed([[1, 2, 3], [4]]), Sink()
    run = await run_routes(from_(feed, list).split(parts, parallel=parallel).transform(lambda n: n * 10).to(sink))
    assert sorted(sink.bodies) == [10, 20, 30, 40]
    assert run.counts["route-1"].done == 2


async def test_parts_have_ids_of_their_own() -> None:
    """`parent/index`, so that parts never collapse in a store; nested parts too."""
    sink, seen = Sink(), Sink()
    flow = from_(Feed([Message([[1, 2], [3]], {"h": 1}, "m")]), list).split(itself).split(itself)
    await run_routes(flow.to(sink).idempotent("seen", key=lambda n, message: message.id).to(seen))
    assert [message.id for message in sink.messages] == ["m/0/0", "m/0/1", "m/1/0"]
    assert len(seen.messages) == 3
    assert all(message.headers == {"h": 1} for message in sink.messages)


async def test_the_message_is_its_own_reply() -> None:
    """It is acknowledged when all its parts are done."""
    feed = Feed([[1, 2]])
    await run_routes(from_(feed, list).split(itself).transform(str))
    ((_, reply),) = feed.acknowledged
    assert reply.body == [1, 2]


async def test_no_parts_are_done_at_once() -> None:
    """An empty message is done."""
    feed = Feed([[]])
    await run_routes(from_(feed, list).split(itself).to(Sink()))
    assert len(feed.acknowledged) == 1


async def test_parts_are_kept_apart() -> None:
    """Changing one shows neither in another, in the parent, nor in a retry."""
    shared = {"tags": ["a"]}
    seen: list[int] = []

    def grow(part: dict[str, list[str]]) -> None:
        part["tags"].append("b")
        seen.append(len(part["tags"]))
        if len(seen) == 4:
            raise Unavailable("away")

    flow = from_(Feed([[shared, shared]]), list, policy=Policy(retry=Retry(1)))
    await run_routes(flow.tap(lambda f: f.split(itself).transform(grow)).split(itself).transform(grow))
    assert seen == [2] * 8
    assert shared == {"tags": ["a"]}


@pytest.mark.parametrize("parallel", [1, 2, 5])
async def test_at_most_parallel_parts_are_at_work(parallel: int) -> None:
    """And as many as that."""
    now, most = [0], [0]

    async def work(n: int) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await anyio.sleep(1)
        now[0] -= 1

    await run_routes(from_(Feed([range(12)])).split(itself, parallel=parallel).transform(work))
    assert most == [parallel]


@pytest.mark.parametrize("parallel", [1, 4])
async def test_parts_are_read_lazily(parallel: int) -> None:
    """No more are read than are at work, so an endless generator costs no memory."""
    read: list[int] = []

    def endless(_: Any) -> Generator[int]:
        n = 0
        while True:
            read.append(n)
            yield n
            n += 1

    done: list[int] = []

    async def work(n: int) -> None:
        await anyio.sleep(1)
        assert len(read) <= len(done) + parallel
        done.append(n)
        if n > 50:
            raise ValueError(n)

    flow = from_(Feed([0])).split(endless, parallel=parallel, on_error="dead_letter_items", max_failed=2)
    run = await run_routes(flow.transform(work))
    assert len(read) < 60 + parallel
    assert run.letters[0].error == "ValueError"


@pytest.mark.parametrize("parallel", [1, 3])
async def test_a_failing_part_fails_the_message_after_all_parts_ran(parallel: int) -> None:
    """The first failure is raised itself, with a group as its cause that names every failed part."""
    feed, ran = Feed([Message([1, 0, 2, 0], id="m")]), []

    def work(n: int) -> float:
        ran.append(n)
        return 1 / n

    flow = from_(feed, list, policy=Policy(dead_letter="refuse")).split(itself, parallel=parallel)
    await run_routes(flow.transform(work))
    ((_, error),) = feed.refused
    assert sorted(ran) == [0, 0, 1, 2]
    assert isinstance(error, ZeroDivisionError)
    group = error.__cause__
    assert isinstance(group, PartsFailed)
    assert sorted(part for part, _ in group.failures) == ["m/1", "m/3"]
    assert (group.failed, group.total) == (2, 4)
    assert any("2 of 4 parts failed" in note for note in error.__notes__)


async def test_fail_fast_ends_with_the_first_failure() -> None:
    """Parts at work are cancelled, parts to come are not read, and the error is raised itself."""
    feed, finished, read = Feed([0]), [], []

    def parts(_: int) -> Iterator[int]:
        for n in [10, 1, 20, 30]:
            read.append(n)
            yield n

    async def work(n: int) -> None:
        await anyio.sleep(n)
        if n == 1:
            raise ValueError("first")
        finished.append(n)

    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).split(parts, parallel=2, on_error="fail_fast")
    await run_routes(flow.transform(work))
    assert finished == []
    assert read == [10, 1]
    assert [type(error) for _, error in feed.refused] == [ValueError]


async def test_failed_parts_may_become_dead_letters() -> None:
    """Each with its own id, body and reason; the message succeeds."""
    feed, sink = Feed([Message([1, 0, 2], {"h": 1}, "m")]), Sink()
    flow = from_(feed, list).split(itself, on_error="dead_letter_items").transform(lambda n: 6 // n).to(sink)
    run = await run_routes(flow)
    assert sink.bodies == [6, 3]
    assert [(letter.message_id, letter.body, letter.headers) for letter in run.letters] == [("m/1", 0, {"h": 1})]
    assert run.counts["route-1"].done == 1
    assert len(feed.acknowledged) == 1


async def test_failed_parts_may_go_to_a_branch() -> None:
    """`dead_letters(...)` takes the letters, and the store stays empty."""
    letters = Sink()
    flow = from_(Feed([[1, 0]]), list).split(itself, on_error=dead_letters(lambda f: f.to(letters)))
    run = await run_routes(flow.transform(lambda n: 1 // n))
    assert [letter.body for letter in letters.bodies] == [0]
    assert run.letters == []


async def test_a_sink_that_is_away_is_no_parts_fault() -> None:
    """`Unavailable` fails the whole message at once, to be tried again, instead of a letter for each part."""
    sink = Sink(fail=dict.fromkeys([2, 3], Unavailable("away")))
    flow = from_(Feed([[1, 2, 3]]), list, policy=Policy(retry=Retry(3)))
    run = await run_routes(flow.split(itself, on_error="dead_letter_items").to(sink))
    assert run.letters == []
    assert run.counts["route-1"].retried == 2
    assert sink.bodies == [1, 1, 2, 3]


@pytest.mark.parametrize(("most", "dead"), [(0, 2), (1, 3), (2, 3), (5, 3)])
async def test_too_many_failed_parts_fail_the_message(most: int, dead: int) -> None:
    """More than `max_failed` end it at once; up to that it succeeds."""
    feed, ran = Feed([[0, 1, 0, 2]]), []
    flow = from_(feed, list).split(itself, on_error="dead_letter_items", max_failed=most)
    run = await run_routes(flow.transform(lambda n: ran.append(n) or 1 // n))
    failed = most < 2
    assert run.counts["route-1"].done == (not failed)
    assert len(run.letters) == (most + 1 + 1 if failed else 2)
    assert len(ran) == (4 if not failed else [1, 3][most])


@pytest.mark.parametrize(
    ("numbers", "ratio", "fails"),
    [([0] + [1] * 9, 0.1, False), ([1] * 9 + [0], 0.1, False), ([0, 0] + [1] * 8, 0.1, True), ([0], 0.5, True)],
)
async def test_too_great_a_share_fails_the_message(numbers: list[int], ratio: float, fails: bool) -> None:
    """The share is that of all parts: a failure among the first is not judged before the others ran."""
    ran: list[int] = []
    flow = from_(Feed([numbers]), list).split(itself, on_error="dead_letter_items", max_ratio=ratio)
    run = await run_routes(flow.transform(lambda n: ran.append(n) or 1 // n))
    assert len(ran) == len(numbers)
    assert run.counts["route-1"].done == (not fails)


async def test_a_generator_that_breaks_fails_the_message() -> None:
    """What was read before runs; the error is that of the generator."""
    feed, sink = Feed([0]), Sink()

    def parts(_: int) -> Iterator[int]:
        yield 1
        raise KeyError("in the middle")

    await run_routes(from_(feed, int, policy=Policy(dead_letter="refuse")).split(parts).to(sink))
    assert sink.bodies == [1]
    assert [type(error) for _, error in feed.refused] == [KeyError]


@pytest.mark.parametrize("sequence", [False, True])
async def test_a_generator_is_closed_whatever_happens(sequence: bool) -> None:
    """Also when the message fails in the middle."""
    closed: list[str] = []

    async def parts(_: int) -> AsyncGenerator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("yes")

    flow = from_(Feed([0]), int).split(parts, sequence=sequence, on_error="fail_fast")
    await run_routes(flow.transform(lambda n: 1 // 0))
    assert closed == ["yes"]


@pytest.mark.real_time
async def test_records_are_parts_with_row_numbers() -> None:
    """A codec reads the rows; one that does not fit is a failed part that names row and column."""
    sink = Sink()
    flow = from_(Feed([Message(b"name,size\na,1\nb,many\nc,3\n", id="m")]))
    run = await run_routes(flow.split(Records(Row, codec="csv"), on_error="dead_letter_items").to(sink))
    assert [(message.body.name, message.headers["row"], message.id) for message in sink.messages] == [
        ("a", 1, "m/1"),
        ("c", 3, "m/3"),
    ]
    (letter,) = run.letters
    assert letter.reason.startswith("row 2, column 'size': ")
    assert letter.body == {"name": "b", "size": "many"}


@pytest.mark.parametrize("body", ["text", b"bytes", 5, None])
async def test_what_has_no_parts_is_rejected(body: Any) -> None:
    """A text is not split into its letters."""
    run = await run_routes(from_(Feed([body])).split(itself))
    assert [letter.error for letter in run.letters] == ["BodyError"]


def test_wrong_options_are_refused_when_written() -> None:
    """Numbers, parts that are no function."""
    flow: Any = from_("timer:x")

    def nothing() -> list[int]:
        return []

    for options in ({"parallel": 0}, {"parts": [1, 2]}, {"parts": nothing}):
        with pytest.raises(DefinitionError):
            flow.split(**{"parts": itself, **options})


def test_its_label_shows_what_was_changed() -> None:
    """And its branch of dead letters can be drawn."""
    flow: Any = from_("timer:x")
    assert flow.split(itself).chain.steps[0].label == "split()"
    assert flow.split(itself, parallel=2, on_error="fail_fast").chain.steps[0].label == (
        "split(parallel=2, on_error=fail_fast)"
    )
    step = flow.split(itself, on_error=dead_letters(lambda f: f)).chain.steps[0]
    assert [name for name, _ in step.branches()] == ["dead letters"]


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 12), max_size=4),
    parallel=st.integers(1, 8),
    lazy=st.booleans(),
    naps=st.lists(st.floats(0, 2), min_size=1, max_size=7),
)
async def test_every_part_runs_exactly_once(sizes: list[int], parallel: int, lazy: bool, naps: list[float]) -> None:
    """Whatever the number of parts and workers and their durations."""
    ran: list[str] = []

    async def work(n: int, message: Message[int]) -> None:
        await anyio.sleep(naps[n % len(naps)])
        ran.append(message.id)

    flow = from_(Feed([range(size) for size in sizes]), policy=Policy(concurrency=3))
    await run_routes(flow.split(stream if lazy else itself, parallel=parallel).transform(work))
    expected = [f"feed-{number}/{part}" for number, size in enumerate(sizes, 1) for part in range(size)]
    assert sorted(ran) == sorted(expected)
