"""Hooks of a policy: they hear of every failed try, shape letters, and hide nothing when they fail."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from routekit import (
    DefinitionError,
    Delivery,
    Letter,
    Message,
    Policy,
    Rejected,
    Retry,
    Unavailable,
    dead_letters,
    from_,
    rescue,
)
from routekit.events import Logged
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio

Seen = list[tuple[str, Any, int]]


def watching(seen: Seen) -> Any:
    """A hook that notes class of the error, body and number of the try."""

    async def on_failure(error: Exception, message: Message[Any]) -> None:
        await anyio.sleep(1)
        seen.append((type(error).__name__, message.body, message.meta.attempt))

    return on_failure


def nothing(letter: Letter) -> None:
    """A hook that forgets to give the letter back."""


def warnings(run: Run) -> list[str]:
    return [event.text for event in run.of(Logged) if event.level == "warning"]


@pytest.mark.parametrize("deadline", [None, 1000.0])
async def test_every_failed_try_is_told(deadline: float | None) -> None:
    """With the message as it entered and the number of the try; a try that succeeds is not."""
    seen: Seen = []

    def spoil(row: dict[str, int], message: Message[Any]) -> None:
        row["n"] += 1
        if message.meta.attempt < 4:
            raise Unavailable("away") if message.meta.attempt < 3 else ValueError("x")

    policy = Policy(retry=Retry(5, first=1), on_failure=watching(seen), deadline=deadline)
    run = await run_routes(from_(Feed([b'{"n": 1}']), dict, policy=policy).transform(spoil))
    assert seen == [("Unavailable", {"n": 1}, 1), ("Unavailable", {"n": 1}, 2), ("ValueError", {"n": 1}, 3)]
    assert run.counts["route-1"].done == 1


async def test_what_no_step_raised_is_told_too() -> None:
    """What does not fit, what has expired, and what the source knows to be wrong."""
    seen: Seen = []
    policy = Policy(on_failure=watching(seen), deadline=5)
    flow = from_(Feed(["x", 1]), int, policy=policy).transform(lambda n: anyio.sleep(9))

    class Ragged(Watched):
        def delivery(self, message: Message[Any]) -> Delivery[Any]:
            usual = super().delivery(message)
            return Delivery(message, usual.ack, usual.nack, Rejected("ragged"))

    await run_routes(flow)
    await run_routes(from_(Ragged(["a;b"], endless=False), policy=policy))
    assert seen == [("BodyError", "x", 1), ("Expired", 1, 1), ("Rejected", "a;b", 1)]


async def test_a_hook_of_the_error_alone() -> None:
    """It may be plain, and of one parameter; what is rescued was a failed try as well."""
    seen: list[Exception] = []
    policy = Policy(on_failure=seen.append, rescue={ZeroDivisionError: rescue(lambda flow: flow)})
    await run_routes(from_(Feed([0, 1]), int, policy=policy).transform(lambda n: 1 // n))
    assert [type(error) for error in seen] == [ZeroDivisionError]


async def test_a_hook_that_fails_hides_nothing() -> None:
    """The first error is the one of the letter; that of the hook is a note on it, and a line in the log."""

    def on_failure(error: Exception) -> None:
        raise OSError("no pager")

    feed = Feed([0])
    run = await run_routes(
        from_(feed, int, policy=Policy(on_failure=on_failure, dead_letter="refuse")).transform(lambda n: 1 // n)
    )
    ((_, error),) = feed.refused
    assert isinstance(error, ZeroDivisionError)
    assert "on_failure failed too: OSError: no pager" in error.__notes__
    assert warnings(run) == ["on_failure failed too: OSError: no pager"]


async def test_a_message_that_is_cancelled_in_a_hook_stays_unacknowledged() -> None:
    """A stop that runs out of time there is one like any other."""
    reached = anyio.Event()

    async def on_failure(error: Exception) -> None:
        reached.set()
        await anyio.sleep(10_000)

    source = Watched([0])
    flow = from_(source, int, policy=Policy(on_failure=on_failure)).transform(lambda n: 1 // n)
    async with running(flow, setup=setup_for(Run(), drain=5)):
        await reached.wait()
    assert source.told == []


async def test_a_letter_is_kept_as_the_hook_makes_it() -> None:
    """In the store, in a channel, and for a part."""

    async def masked(letter: Letter) -> Letter:
        await anyio.sleep(1)
        return replace(letter, body="***")

    def marked(letter: Letter) -> Letter:
        return replace(letter, headers={**letter.headers, "team": "crm"})

    kept = await run_routes(
        from_(Feed([0]), int, policy=Policy(before_letter=masked)).transform(lambda n: 1 // n),
        from_(Feed([[0]]), list, policy=Policy(before_letter=marked))
        .split(lambda ns: ns, on_error="dead_letter_items")
        .transform(lambda n: 1 // n),
    )
    assert sorted((letter.route, letter.body, letter.headers.get("team")) for letter in kept.letters) == [
        ("route-1", "***", None),
        ("route-2", 0, "crm"),
    ]
    letters = Sink()
    policy = Policy(before_letter=masked, dead_letter=dead_letters(lambda flow: flow.to(letters)))
    await run_routes(from_(Feed([0]), int, policy=policy).transform(lambda n: 1 // n))
    assert [letter.body for letter in letters.bodies] == ["***"]


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (lambda letter: 1 // 0, "ZeroDivisionError: integer division or modulo by zero"),
        (nothing, "TypeError: nothing gave NoneType, no letter"),
    ],
)
async def test_a_letter_is_kept_although_the_hook_fails(hook: Any, said: str) -> None:
    """As it would have been without the hook; the failure is told."""
    run = await run_routes(from_(Feed(["x"]), int, policy=Policy(before_letter=hook)))
    assert [(letter.error, letter.body) for letter in run.letters] == [("BodyError", "x")]
    (line,) = warnings(run)
    assert line == f"before_letter failed too: {said}"


@pytest.mark.parametrize(
    "options",
    [
        {"on_failure": lambda: None},
        {"on_failure": lambda a, b, c: None},
        {"on_failure": "log"},
        {"before_letter": lambda letter, message: letter},
        {"before_letter": "mask"},
    ],
)
def test_hooks_that_cannot_be_called(options: Any) -> None:
    """Are refused when written."""
    with pytest.raises(DefinitionError, match=r"on_failure|before_letter"):
        Policy(**options)
