"""The steps that a message has passed, where its policy asks for them."""

from itertools import pairwise
from typing import Any

import anyio
import pytest

from routekit import Message, Policy, Retry, Unavailable, from_
from routekit.message import Meta, Passed
from routekit.runtime.history import MOST, recorded, told
from routekit.testing import Feed, run_routes

pytestmark = pytest.mark.anyio

KEPT = Policy(history=True)


def steps(letter: Any) -> list[tuple[str, str]]:
    return [(passed["id"], passed["step"].partition("(")[0]) for passed in letter.history]


async def test_a_letter_tells_the_steps_and_when() -> None:
    """In order, inside of branches too, up to the one that failed; times count from the first."""
    flow = from_(Feed([0]), int, policy=KEPT).transform(lambda n: anyio.sleep(2)).tap(lambda copy: copy.log("x"))
    run = await run_routes(flow.transform(lambda n: 1 // 0).log("never"))
    (letter,) = run.letters
    assert steps(letter) == [
        ("feed-1", "transform"),
        ("feed-1", "tap"),
        ("feed-1", "tap > log"),
        ("feed-1", "transform"),
    ]
    assert [passed["after"] for passed in letter.history] == [0, pytest.approx(2), pytest.approx(2), pytest.approx(2)]


async def test_all_tries_are_told() -> None:
    """One after the other."""

    def away(n: int) -> None:
        raise Unavailable("away")

    policy = Policy(history=True, retry=Retry(2, first=10))
    run = await run_routes(from_(Feed([1]), int, policy=policy).log("x").transform(away))
    assert [step for _, step in steps(run.letters[0])] == ["log", "transform"] * 3
    after = [passed["after"] for passed in run.letters[0].history]
    assert all(first <= second for first, second in pairwise(after))
    assert after[-1] > 0


async def test_a_part_tells_its_own_steps_and_those_before_it_was_one() -> None:
    """Not those of the other parts."""
    flow = from_(Feed([[1, 0, 2]]), list, policy=KEPT).log("x").split(lambda ns: ns, on_error="dead_letter_items")
    run = await run_routes(flow.transform(lambda n: 1 // n))
    assert steps(run.letters[0]) == [("feed-1", "log"), ("feed-1", "split"), ("feed-1/1", "transform")]


async def test_without_the_word_nothing_is_kept() -> None:
    """A letter's history is empty, and its message has none."""
    seen: list[Any] = []
    flow = from_(Feed([0]), int).transform(lambda n, message: seen.append(message.meta.history))
    run = await run_routes(flow.transform(lambda n: 1 // 0))
    assert (seen, run.letters[0].history) == ([None], [])


async def test_a_long_history_is_cut_in_its_middle() -> None:
    """How it began and what came last are known, and memory stays bounded."""

    async def handler(message: Message[Any]) -> None:
        return None

    handlers = [recorded(handler, f"step-{number}", lambda: 1.0) for number in range(5 * MOST)]
    message = Message(1, id="m", meta=Meta(history=[]))
    for each in handlers:
        await each(message)
    kept = told(message)
    assert MOST // 2 <= len(kept) <= MOST
    assert [passed["step"] for passed in kept[:100]] == [f"step-{number}" for number in range(100)]
    assert kept[-1]["step"] == f"step-{5 * MOST - 1}"


def test_ids_that_only_look_alike() -> None:
    """`m-10` is no part of `m-1`."""
    history = [Passed(name, "s", 1.0) for name in ("m-1", "m-1/2", "m-1/2/3", "m-1/20", "m-10", "m")]
    meta = Meta(history=history)
    assert [passed["id"] for passed in told(Message(1, id="m-1/2", meta=meta))] == ["m-1", "m-1/2", "m-1/2/3"]
