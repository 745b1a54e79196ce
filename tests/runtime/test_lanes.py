"""Lanes: messages with equal keys, one after the other. That they are free again after a failure is in test_intake."""

from typing import Any

import anyio
import pytest

from routekit import Message, Policy, from_
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio


async def test_equal_keys_keep_their_order() -> None:
    """Messages with equal `order_by` keys are handled one after the other, in order, whatever they take."""
    done: list[tuple[str, int]] = []
    feed = [(key, number) for number in range(10) for key in "ab"]

    async def work(item: tuple[str, int], message: Message[Any]) -> tuple[str, int]:
        await anyio.sleep((item[1] * 7919) % 5 + (0.5 if item[0] == "a" else 0.1))
        done.append(item)
        return item

    policy = Policy(concurrency=6, order_by=lambda item: item[0])
    await run_routes(from_(Feed(feed), policy=policy).transform(work))
    assert [number for key, number in done if key == "a"] == list(range(10))
    assert [number for key, number in done if key == "b"] == list(range(10))


async def test_different_keys_overtake() -> None:
    """A slow key does not hold up another."""
    done: list[str] = []

    async def work(key: str) -> str:
        await anyio.sleep({"slow": 100, "a": 1, "b": 2}[key])
        done.append(key)
        return key

    policy = Policy(concurrency=3, order_by=lambda key: key)
    await run_routes(from_(Feed(["slow", "a", "b"]), str, policy=policy).transform(work))
    assert done == ["a", "b", "slow"]


async def test_order_by_sees_the_parsed_body() -> None:
    """The key is computed from the body as the route's type, not from the bytes that came."""
    done: list[int] = []

    async def work(row: dict[str, int]) -> None:
        await anyio.sleep(5 - row["n"])
        done.append(row["n"])

    feed = Feed([b'{"n": 1, "k": 1}', b'{"n": 2, "k": 1}', b'{"n": 3, "k": 1}'])
    policy = Policy(concurrency=3, order_by=lambda row: row["k"])
    run = await run_routes(from_(feed, dict, policy=policy).transform(work))
    assert run.letters == []
    assert done == [1, 2, 3]


async def test_a_failing_order_key_is_a_failed_message() -> None:
    """A message whose key cannot be computed becomes a dead letter, and the others go on."""
    feed, sink = Feed([1, 0, 2]), Sink()
    policy = Policy(concurrency=2, order_by=lambda n: 1 // n)
    run = await run_routes(from_(feed, int, policy=policy).to(sink))
    assert sorted(sink.bodies) == [1, 2]
    assert [letter.error for letter in run.letters] == ["ZeroDivisionError"]
    assert len(feed.acknowledged) == 3


async def test_a_body_that_does_not_fit_needs_no_order_key() -> None:
    """With `order_by`, a body that does not fit is still a dead letter with the reason."""
    policy = Policy(concurrency=2, order_by=lambda n: n)
    run = await run_routes(from_(Feed([b"x", b"5"]), int, policy=policy))
    assert [letter.error for letter in run.letters] == ["BodyError"]
