"""What split, gather and for_each share: places among siblings, retries of one part, parts in groups."""

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import (
    Batches,
    DefinitionError,
    Flow,
    Message,
    Policy,
    Records,
    Rejected,
    Retry,
    Tally,
    Unavailable,
    from_,
    grouped,
)
from routekit.events import Retrying
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def itself(body: Any) -> Any:
    return body


def gliding(body: Iterable[Any]) -> Iterator[Any]:
    yield from body


async def streaming(body: Iterable[Any]) -> AsyncGenerator[Any]:
    for part in body:
        await anyio.sleep(1)
        yield part


KINDS: list[Any] = [itself, gliding, streaming]


def places(sink: Sink) -> list[tuple[Any, ...]]:
    said = [(m.body, m.meta.sequence.index, m.meta.sequence.last, m.meta.sequence.size) for m in sink.messages]
    return sorted(said, key=lambda one: one[1])


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("parts", KINDS)
async def test_a_part_knows_its_place(parts: Any, parallel: int) -> None:
    """Its index, whether it is the last, and how many there are: from the start if the parts can be counted."""
    sink = Sink()
    await run_routes(
        from_(Feed(["abc", "", "d"])).transform(list).split(parts, parallel=parallel, sequence=True).to(sink)
    )
    known = 3 if parts is itself else None
    expected = [("a", 0, False, known), ("b", 1, False, known), ("c", 2, True, 3), ("d", 0, True, 1)]
    assert places(sink) == sorted(expected, key=lambda one: one[1])


async def test_nobody_who_has_not_asked_knows_it() -> None:
    """No part of a splitter inside gets the place of its parent, and the parent keeps its own."""
    inner, outer, plain = Sink(), Sink(), Sink()
    flow = from_(Feed([[[1, 2], [3]]]), list).tap(lambda f: f.split(itself).to(plain)).split(itself, sequence=True)
    await run_routes(flow.gather(itself, lambda part: part.to(inner)).to(outer))
    assert [message.meta.sequence for message in plain.messages + inner.messages] == [None] * 5
    assert places(outer) == [([1, 2], 0, False, 2), ([3], 1, True, 2)]


@pytest.mark.parametrize("word", ["gather", "for_each"])
async def test_the_other_words_tell_it_too(word: str) -> None:
    """In their branch."""
    sink = Sink()
    flow: Any = from_(Feed([[5, 6]]), list)
    await run_routes(getattr(flow, word)(itself, lambda part: part.to(sink), sequence=True))
    assert places(sink) == [(5, 0, False, 2), (6, 1, True, 2)]


@pytest.mark.real_time
@pytest.mark.parametrize("parts", [Records(int, codec="jsonl"), Batches(int, codec="jsonl", size=1)])
async def test_records_know_it_too(parts: Any) -> None:
    """Also those that are refused are counted."""
    sink = Sink()
    flow = from_(Feed([b"1\nx\n3\n"])).split(parts, sequence=True, on_error="dead_letter_items").to(sink)
    run = await run_routes(flow)
    assert sorted(place[1:] for place in places(sink)) == ([(0, False, None), (2, True, 3)])
    assert len(run.letters) == 1


async def test_what_breaks_while_reading_ahead_waits_its_turn() -> None:
    """What was read before runs, and none of it is the last; the error is that of the generator."""
    feed, sink = Feed([0]), Sink()

    def parts(_: int) -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("in the middle")

    await run_routes(from_(feed, int, policy=REFUSE).split(parts, sequence=True).to(sink))
    assert places(sink) == [(1, 0, False, None), (2, 1, False, None)]
    assert [type(error) for _, error in feed.refused] == [KeyError]


async def test_a_part_is_tried_again_by_itself() -> None:
    """The others are not; each try gets the part as it was read, also when one has changed it."""
    tried: list[tuple[str, Any]] = []
    feed, sink = Feed([Message([{"n": 0}, {"n": 1}, {"n": 2}], id="m")]), Sink()

    def work(row: dict[str, Any], message: Message[Any]) -> dict[str, Any]:
        tried.append((message.id, deepcopy(row)))
        row["n"] += 100
        if row["n"] == 101 and len(tried) < 4:
            raise OSError("away")
        return row

    run = await run_routes(from_(feed, list).split(itself, retry=Retry(3, on=OSError)).transform(work).to(sink))
    assert tried == [("m/0", {"n": 0}), ("m/1", {"n": 1}), ("m/1", {"n": 1}), ("m/1", {"n": 1}), ("m/2", {"n": 2})]
    assert [row["n"] for row in sink.bodies] == [100, 101, 102]
    assert [event.message_id for event in run.of(Retrying)] == ["m/1", "m/1"]
    assert run.counts["route-1"].retried == 0


@pytest.mark.real_time
async def test_a_record_is_tried_again_as_it_was_read() -> None:
    """Though nobody else has it, a try may have changed it."""
    seen: list[Any] = []

    def work(row: dict[str, int]) -> None:
        seen.append(dict(row))
        row["n"] = 99
        if len(seen) < 3:
            raise OSError("away")

    flow = from_(Feed([b'{"n": 1}'])).split(Records(dict[str, int], codec="jsonl"), retry=Retry(2, first=0))
    await run_routes(flow.transform(work))
    assert seen == [{"n": 1}] * 3


@pytest.mark.parametrize("word", ["split", "gather", "for_each"])
async def test_a_part_that_stays_bad_is_a_failed_part(word: str) -> None:
    """Its letter says how often it was tried; what no rule handles is not tried again."""
    tried: list[int] = []

    def work(n: int) -> int:
        tried.append(n)
        if n == 2:
            raise Rejected("never")
        return 6 // n

    flow: Any = from_(Feed([[1, 0, 2]]), list)
    options: Any = {"retry": (Retry(2, on=ArithmeticError),), "on_error": "dead_letter_items"}
    if word == "split":
        flow = flow.split(itself, **options).transform(work)
    else:
        flow = getattr(flow, word)(itself, lambda part: part.transform(work), **options)
    run = await run_routes(flow)
    assert tried == [1, 0, 0, 0, 2]
    assert sorted((letter.message_id, letter.attempts) for letter in run.letters) == [("feed-1/1", 3), ("feed-1/2", 1)]


async def test_what_is_no_parts_fault_fails_the_message_after_its_retries() -> None:
    """`Unavailable` is first tried again for the part, then it is the whole message's."""
    sink = Sink(fail=dict.fromkeys([2, 3], Unavailable("away")))
    flow = from_(Feed([[1, 2]]), list, policy=REFUSE).split(itself, on_error="dead_letter_items", retry=Retry(1))
    run = await run_routes(flow.to(sink))
    assert (len(sink.sends), run.letters, run.counts["route-1"].refused) == (3, [], 1)


async def test_parts_wait_for_their_retries_apart() -> None:
    """While one waits, another worker goes on."""
    order: list[int] = []

    def work(n: int) -> None:
        order.append(n)
        if n == 0 and len(order) == 1:
            raise OSError("away")

    flow = from_(Feed([range(4)])).split(itself, parallel=2, retry=Retry(1, first=50))
    await run_routes(flow.transform(work))
    assert sorted(order) == [0, 0, 1, 2, 3]
    assert order[-1] == 0


@pytest.mark.parametrize("parts", [*KINDS, lambda body, message: message.body])
async def test_parts_in_groups(parts: Any) -> None:
    """Lists of at most so many, with ids of their own; they succeed or fail as one."""
    sink = Sink()
    flow = from_(Feed([Message(range(7), id="m"), Message([], id="n")])).split(grouped(parts, 3)).to(sink)
    await run_routes(flow)
    assert [(message.id, message.body) for message in sink.messages] == [
        ("m/0", [0, 1, 2]),
        ("m/1", [3, 4, 5]),
        ("m/2", [6]),
    ]


async def test_groups_are_read_lazily_and_closed() -> None:
    """No more is read than is asked for; the generator is closed whatever happens."""
    read: list[Any] = []

    async def parts(_: int) -> AsyncGenerator[int]:
        try:
            for n in range(1000):
                read.append(n)
                yield n
        finally:
            read.append("closed")

    flow = from_(Feed([0]), int).split(grouped(parts, 5), on_error="fail_fast").transform(lambda group: 1 // 0)
    await run_routes(flow)
    assert read == [0, 1, 2, 3, 4, "closed"]


async def test_groups_of_what_has_no_parts() -> None:
    """A text is not taken for its letters."""
    run = await run_routes(from_(Feed(["text"])).split(grouped(itself, 3)))
    assert [letter.error for letter in run.letters] == ["BodyError"]


def test_wrong_options_are_refused_when_written() -> None:
    """Sizes, words, rules."""
    flow: Any = from_("timer:x")
    wrong: list[Callable[[], object]] = [
        lambda: grouped(itself, 0),
        lambda: grouped([1, 2], 2),  # type: ignore
        lambda: grouped(Records(int), 2),  # type: ignore
        lambda: flow.split(itself, on_error="dead_letter"),
        lambda: flow.gather(itself, lambda f: f, on_error="ignore"),
    ]
    for make in wrong:
        with pytest.raises(DefinitionError):
            make()


@settings(max_examples=60)
@given(
    parts=st.lists(st.lists(st.integers(), max_size=4), max_size=12),
    kind=st.sampled_from(KINDS),
    parallel=st.integers(1, 5),
    sequence=st.booleans(),
    size=st.none() | st.integers(1, 5),
    naps=st.lists(st.floats(0, 2), min_size=1, max_size=5),
)
async def test_taking_apart_and_gathering_is_the_identity(
    parts: Any, kind: Any, parallel: int, sequence: bool, size: int | None, naps: list[float]
) -> None:
    """Whatever changes the parts in between, however many are at work; the message itself is not changed."""
    before, seen, sink = deepcopy(parts), Sink(), Sink()

    async def vandal(part: Any, message: Message[Any]) -> None:
        await anyio.sleep(naps[int(message.id.rpartition("/")[2]) % len(naps)])
        part.append("changed")

    def each(flow: Flow[Any]) -> Flow[Any]:
        return flow.tap(lambda copy: copy.transform(vandal)).transform(lambda part: list(part))

    how = kind if size is None else grouped(kind, size)
    flow = from_(Feed([parts]), list).tap(lambda copy: copy.gather(how, lambda f: f.transform(vandal)).to(seen))
    await run_routes(flow.gather(how, each, parallel=parallel, sequence=sequence).to(sink))
    (gathered,) = sink.bodies
    assert gathered == (before if size is None else [before[n : n + size] for n in range(0, len(before), size)])
    assert parts == before


@settings(max_examples=60)
@given(
    fails=st.lists(st.integers(0, 4), max_size=10),
    retries=st.integers(0, 3),
    parallel=st.integers(1, 4),
)
async def test_a_tally_adds_up_with_retries(fails: list[int], retries: int, parallel: int) -> None:
    """Each part is tried until it succeeds, or one time more than there are retries."""
    left, tries = list(fails), [0] * len(fails)
    sink = Sink()

    def work(n: int) -> None:
        tries[n] += 1
        if left[n]:
            left[n] -= 1
            raise OSError("again")

    flow = from_(Feed([range(len(fails))])).for_each(
        itself,
        lambda part: part.transform(work),
        parallel=parallel,
        retry=Retry(retries, first=1),
        on_error="dead_letter_items",
    )
    run = await run_routes(flow.to(sink))
    tally: Tally = sink.bodies[0]
    failed = sum(fail > retries for fail in fails)
    assert (tally.total, tally.done, tally.failed) == (len(fails), len(fails) - failed, failed)
    assert tries == [min(fail, retries) + 1 for fail in fails]
    assert all(letter.attempts == retries + 1 for letter in run.letters)
