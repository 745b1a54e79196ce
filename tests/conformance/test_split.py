"""What Camel's users rely on in a splitter, and the surprises that are none here."""

import json
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routekit import Batches, Flow, Message, PartsFailed, Policy, Records, Retry, Tally, Unavailable, from_
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes

pytestmark = pytest.mark.anyio


def itself(body: Any) -> Any:
    return body


def tenth(n: int) -> float:
    return 10 / n


REFUSE = Policy(dead_letter="refuse")


async def test_split_without_a_strategy_gives_back_the_original_message() -> None:
    """As Camel: not the parts but the message itself is the result, for who called and for who comes after."""
    feed, seen, after = Feed([[1, 2]]), Sink(), Sink()
    await run_routes(from_(feed, list).tap(lambda copy: copy.split(itself).to(seen)).to(after))
    assert (seen.bodies, after.bodies) == ([1, 2], [[1, 2]])
    called = Feed([[3]])
    await run_routes(from_(called, list).split(itself).transform(str))
    assert called.acknowledged[0][1].body == [3]


async def test_split_of_nothing_goes_on_with_the_original_message() -> None:
    """As Camel: no parts are no failure."""
    feed, after = Feed([[]]), Sink()
    await run_routes(from_(feed, list).gather(itself, lambda each: each).to(after))
    assert after.bodies == [[]]
    assert len(feed.acknowledged) == 1


async def test_each_part_is_a_message_of_its_own() -> None:
    """As Camel: an id of its own, and the headers of the parent; departure: the id tells parent and index."""
    sink = Sink()
    await run_routes(from_(Feed([Message(["a", "b"], {"h": 1}, "m")]), list).split(itself).to(sink))
    assert [(part.id, dict(part.headers)) for part in sink.messages] == [("m/0", {"h": 1}), ("m/1", {"h": 1})]


async def test_parts_do_not_share_what_can_change() -> None:
    """Departure: Camel copies shallowly and needs `onPrepare`; here no part sees what another one did to its body."""
    shared, sizes = {"tags": ["a"]}, []

    def grow(part: dict[str, list[str]]) -> None:
        part["tags"].append("b")
        sizes.append(len(part["tags"]))

    await run_routes(from_(Feed([[shared, shared]]), list).split(itself).transform(grow))
    assert sizes == [2, 2]
    assert shared == {"tags": ["a"]}


@pytest.mark.parametrize("parallel", [1, 4])
async def test_parts_are_always_read_lazily(parallel: int) -> None:
    """Departure: Camel reads all parts first unless `streaming`, and with threads reads ahead as fast as it can."""
    read, done = [], []

    def parts(_: int) -> Iterator[int]:
        for n in range(30):
            read.append(n)
            yield n

    async def work(n: int) -> None:
        await anyio.sleep(1)
        assert len(read) <= len(done) + parallel
        done.append(n)

    await run_routes(from_(Feed([0])).split(parts, parallel=parallel).transform(work))
    assert len(done) == 30


async def test_counting_parts_takes_no_memory() -> None:
    """Departure: an accumulating strategy grows also when streaming; `for_each` keeps a tally and no result."""
    alive: list[int] = [0]
    most = [0]

    class Part:
        def __init__(self) -> None:
            alive[0] += 1
            most[0] = max(most[0], alive[0])

        def __del__(self) -> None:
            alive[0] -= 1

        def __deepcopy__(self, memo: object) -> "Part":
            return self

    out = Sink()
    parts = lambda _: (Part() for _ in range(500))  # noqa: E731
    await run_routes(from_(Feed([0])).for_each(parts, lambda each: each.transform(id)).to(out))
    assert out.bodies[0].done == 500
    assert most[0] < 20


async def test_what_follows_parallel_parts_runs_once_when_all_are_done() -> None:
    """Departure: Camel goes on in the thread that ended last unless `synchronous`; there is nothing to choose here."""
    order: list[Any] = []

    async def work(n: int) -> int:
        await anyio.sleep(n)
        order.append(n)
        return n

    flow = from_(Feed([[3, 1, 2]]), list).gather(itself, lambda each: each.transform(work), parallel=3)
    await run_routes(flow.transform(order.append))
    assert order == [1, 2, 3, [3, 1, 2]]


async def test_parallel_parts_are_bounded() -> None:
    """Departure: Camel submits without limit unless its pool runs tasks in the caller; here `parallel` is the limit."""
    now, most = [0], [0]

    async def work(_: int) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await anyio.sleep(1)
        now[0] -= 1

    await run_routes(from_(Feed([range(30)])).split(itself, parallel=5).transform(work))
    assert most == [5]


async def test_results_are_in_order_whatever_ends_first() -> None:
    """As Camel without `streaming`: the order of the parts, and not that of their ends."""
    out = Sink()

    async def work(n: int) -> int:
        await anyio.sleep(10 - n)
        return n

    flow = from_(Feed([list(range(8))]), list)
    await run_routes(flow.gather(itself, lambda each: each.transform(work), parallel=8).to(out))
    assert out.bodies == [list(range(8))]


async def test_a_failing_part_lets_the_others_run_and_then_fails_the_message() -> None:
    """As Camel without a strategy. The error names every part that failed, not only one."""
    feed, ran = Feed([[1, 0, 2, 0]]), Sink()
    await run_routes(from_(feed, list, policy=REFUSE).split(itself).tap(lambda f: f.to(ran)).transform(tenth))
    ((_, error),) = feed.refused
    assert ran.bodies == [1, 0, 2, 0]
    assert isinstance(error, ZeroDivisionError)
    assert isinstance(error.__cause__, PartsFailed)
    assert [part for part, _ in error.__cause__.failures] == ["feed-1/1", "feed-1/3"]


@pytest.mark.parametrize("word", ["split", "gather", "for_each"])
async def test_a_failing_part_cannot_vanish(word: str) -> None:
    """Departure: a custom aggregation strategy that returns the old exchange loses the failure; nothing can here."""
    feed, after = Feed([[1, 0]]), Sink()
    flow: Flow[Any] = from_(feed, list, policy=REFUSE)
    each = lambda one: one.transform(tenth)  # noqa: E731
    flow = {
        "split": lambda: flow.split(itself).transform(tenth),
        "gather": lambda: flow.gather(itself, each).to(after),
        "for_each": lambda: flow.for_each(itself, each).to(after),
    }[word]()
    await run_routes(flow)
    assert after.bodies == []
    assert len(feed.refused) == 1


async def test_fail_fast_ends_with_the_first_failure_and_cancels_the_others() -> None:
    """As `stopOnException`; departure: Camel lets tasks that were submitted run on, here they are cancelled."""
    feed, done = Feed([[1, 0, 5, 6]]), []

    async def work(n: int) -> None:
        await anyio.sleep(n)
        done.append(tenth(n))

    await run_routes(from_(feed, list, policy=REFUSE).split(itself, parallel=4, on_error="fail_fast").transform(work))
    assert done == []
    assert [type(error) for _, error in feed.refused] == [ZeroDivisionError]


async def test_a_failure_that_was_rescued_within_a_part_stops_nothing() -> None:
    """Departure: `stopOnException` also stops when a nested handler has handled the exception."""
    out = Sink()
    flow = from_(Feed([[1, 0, 2]]), list).split(itself, on_error="fail_fast")
    flow = flow.attempt(lambda f: f.transform(tenth), rescue={ArithmeticError: lambda f: f.transform(float)})
    await run_routes(flow.to(out))
    assert out.bodies == [10, 0, 5]


async def test_failed_parts_may_become_letters_while_the_message_succeeds() -> None:
    """A named policy in the place of a strategy that has to look for exceptions: each letter is about its part."""
    feed, out = Feed([[1, 0, 5]]), Sink()
    run = await run_routes(from_(feed, list).split(itself, on_error="dead_letter_items").transform(tenth).to(out))
    assert out.bodies == [10, 2]
    assert [(letter.message_id, letter.body) for letter in run.letters] == [("feed-1/1", 0)]
    assert len(feed.acknowledged) == 1


async def test_stop_within_a_part_ends_that_part_only() -> None:
    """As Camel."""
    out = Sink()
    flow = from_(Feed([[1, 2, 3]]), list).split(itself).choice().when(lambda n: n == 2, lambda f: f.stop())
    run = await run_routes(flow.otherwise(lambda f: f).to(out))
    assert out.bodies == [1, 3]
    assert run.counts["route-1"].done == 1


async def test_a_function_that_breaks_while_it_splits_fails_the_message() -> None:
    """As Camel: the error handler of the parent gets it. The parts that were read before have run."""
    feed, out = Feed([0]), Sink()

    def parts(_: int) -> Iterator[int]:
        yield 1
        raise KeyError("in the middle")

    await run_routes(from_(feed, int, policy=REFUSE).split(parts).to(out))
    assert out.bodies == [1]
    assert [type(error) for _, error in feed.refused] == [KeyError]


async def test_what_is_no_collection_is_refused() -> None:
    """Departure: Camel takes any other object as its own only part, so a mistake passes for a split."""
    out = Sink()
    run = await run_routes(from_(Feed([7]), int).split(itself).to(out))
    assert out.bodies == []
    assert len(run.letters) == 1


async def test_text_is_not_split_at_commas() -> None:
    """Departure: Camel splits a text at commas by itself; here a function says what the parts are."""
    out = Sink()
    await run_routes(from_(Feed(["a,b;c"]), str).split(lambda text: text.split(";")).to(out))
    assert out.bodies == ["a,b", "c"]


async def test_the_pairs_of_a_mapping_are_parts() -> None:
    """As Camel splits a Map by its entries; here one asks for them."""
    out = Sink()
    await run_routes(from_(Feed([{"a": 1, "b": 2}]), dict).split(lambda body: body.items()).to(out))
    assert out.bodies == [("a", 1), ("b", 2)]


async def test_parts_are_retried_alone_and_the_whole_message_becomes_the_letter() -> None:
    """As `shareUnitOfWork`, without asking: a send is repeated for its part, the letter holds the whole message."""
    out = Sink(fail={1: Unavailable("away"), 3: ValueError("never")})
    flow = from_(Feed([[1, 2]]), list).split(itself).to(out, retry=Retry(3, on=Unavailable))
    run = await run_routes(flow)
    assert out.bodies == [1]
    assert [(letter.message_id, letter.body) for letter in run.letters] == [("feed-1", [1, 2])]


async def test_a_part_may_be_tried_again_before_it_fails() -> None:
    """As the redelivery of a split exchange: the steps behind the split are done again for that part alone."""
    out, tries = Sink(), []

    def work(n: int) -> int:
        tries.append(n)
        if n == 2 and tries.count(2) == 1:
            raise ValueError("once")
        return n

    await run_routes(from_(Feed([[1, 2, 3]]), list).split(itself, retry=Retry(2)).transform(work).to(out))
    assert (out.bodies, tries) == ([1, 2, 3], [1, 2, 2, 3])


@pytest.mark.parametrize("lazy", [False, True])
async def test_a_part_may_know_its_place(lazy: bool) -> None:
    """As `CamelSplitIndex`, ...Complete and ...Size, known with the last; departure: where it is asked."""
    seen: list[Any] = []

    def parts(ns: list[int]) -> Any:
        return iter(ns) if lazy else ns

    def look(_: int, message: Message[int]) -> None:
        place = message.meta.sequence
        assert place is not None
        seen.append((place.index, place.last))
        if place.last:
            assert place.size == 3

    await run_routes(from_(Feed([[7, 8, 9]]), list).split(parts, sequence=True).transform(look))
    assert seen == [(0, False), (1, False), (2, True)]


async def test_parts_come_in_groups() -> None:
    """As `group=N` of 4.22: lists of records, the last one shorter."""
    out = Sink()
    flow = from_(Feed([b"1\n2\n3\n"]), bytes).split(Batches(int, codec="jsonl", size=2))
    await run_routes(flow.to(out))
    assert out.bodies == [[1, 2], [3]]


async def test_too_many_failed_parts_abort_the_message() -> None:
    """As `maxFailedRecords`; departure: up to so many are allowed, Camel aborts when so many have failed."""
    for most, done in ((1, 1), (0, 0)):
        run = await run_routes(
            from_(Feed([[1, 0]]), list).split(itself, on_error="dead_letter_items", max_failed=most).transform(tenth)
        )
        assert run.counts["route-1"].done == done


@pytest.mark.parametrize("parts", [[0, 1, 1, 1], [1, 1, 1, 0]])
async def test_a_share_of_failed_parts_does_not_depend_on_their_order(parts: list[int]) -> None:
    """Departure: `errorThreshold` is judged after each failure, so an early one is a great share; here at the end."""
    flow = from_(Feed([parts]), list).split(itself, on_error="dead_letter_items", max_ratio=0.25)
    run = await run_routes(flow.transform(tenth))
    assert run.counts["route-1"].done == 1


async def test_thresholds_of_nested_splits_do_not_leak() -> None:
    """Departure: in Camel the inner one's state leaked into the outer one and swallowed failures."""
    flow = (
        from_(Feed([[[0, 1], [1, 1], [0, 0]]]), list)
        .split(itself, on_error="dead_letter_items", max_failed=1)
        .split(itself, on_error="dead_letter_items", max_failed=1)
        .transform(tenth)
    )
    run = await run_routes(flow)
    assert run.counts["route-1"].done == 1
    assert sorted(letter.message_id for letter in run.letters) == ["feed-1/0/0", "feed-1/2", "feed-1/2/0", "feed-1/2/1"]


async def test_a_tally_tells_what_became_of_the_parts() -> None:
    """As `CamelSplitResult`, without a threshold; parts that ended early are told apart from those that were done."""
    out = Sink()
    each = lambda one: one.filter(lambda n: n < 9).transform(tenth)  # noqa: E731
    await run_routes(from_(Feed([[1, 0, 9]]), list).for_each(itself, each, on_error="dead_letter_items").to(out))
    tally: Tally = out.bodies[0]
    assert (tally.total, tally.done, tally.ended, tally.failed) == (3, 1, 1, 1)


async def test_a_broken_record_costs_only_itself() -> None:
    """Departure: `tokenize` cuts text, and a broken record is found wherever its body is first used."""
    out = Sink()
    flow = from_(Feed([b'{"n": 1}\n{"n": \n{"n": 3}\n']), bytes)
    run = await run_routes(flow.split(Records(dict[str, int], codec="jsonl"), on_error="dead_letter_items").to(out))
    assert out.bodies == [{"n": 1}, {"n": 3}]
    assert run.letters[0].headers["row"] == 2


@settings(max_examples=25)
@given(st.lists(st.integers(0, 3), max_size=12), st.integers(1, 4))
def test_every_part_is_done_or_failed_and_never_both(parts: list[int], parallel: int) -> None:
    """Whatever fails: the parts that are delivered and those that are letters are together all parts, once each."""
    out, run = Sink(), Run()

    async def main() -> None:
        flow = from_(Feed([parts]), list).split(
            lambda ns: enumerate(ns), parallel=parallel, on_error="dead_letter_items"
        )
        found = await run_routes(flow.filter(lambda pair: tenth(pair[1]) > 0).to(out), store=MemoryStore(lambda: 0.0))
        run.letters = found.letters

    anyio.run(main)
    given_up = [tuple(json.loads(json.dumps(letter.body))) for letter in run.letters]
    assert sorted([*out.bodies, *given_up]) == sorted(enumerate(parts))
