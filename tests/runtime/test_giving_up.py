"""Where a message goes back to, and where it is kept."""

from itertools import count, pairwise
from typing import Any

import pytest

from routekit import Message, Policy, dead_letters, from_
from routekit.route import REFUSE, STORE
from routekit.runtime.giving_up import takes_back
from routekit.testing import Feed, Sink, run_routes

from ..fakes import Calls, Watched

pytestmark = pytest.mark.anyio


class Folder(Watched):
    """A source that has a place for what failed."""

    def takes_back(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("dead_letter", "source", "back"),
    [
        (None, Feed(), False),
        (None, Folder(), True),
        (None, Calls(), True),
        (STORE, Folder(), False),
        (STORE, Calls(), False),
        (REFUSE, Feed(), True),
        (dead_letters(lambda letter: letter), Calls(), False),
    ],
)
def test_who_gets_a_failed_message(dead_letter: Any, source: Any, back: bool) -> None:
    """The policy decides; unset, the source takes back what it knows what to do with."""
    assert takes_back(Policy(dead_letter=dead_letter), source) is back


async def test_a_source_that_takes_back_is_told() -> None:
    """A folder for failed files gets the message, and the store gets no letter."""
    source = Folder([0], endless=False)
    run = await run_routes(from_(source, int).transform(lambda n: 1 // n))
    assert source.told == [("nack", "m0")]
    assert run.letters == []


async def test_a_part_becomes_a_letter_even_where_messages_go_back() -> None:
    """`dead_letter_items` keeps the part in the store although the route refuses whole messages."""
    feed, sink = Feed([[1, 0, 2]]), Sink()
    policy = Policy(dead_letter="refuse")
    flow = from_(feed, list, policy=policy).split(lambda ns: ns, on_error="dead_letter_items")
    run = await run_routes(flow.transform(lambda n: 6 // n).to(sink))
    assert sink.bodies == [6, 3]
    assert [(letter.message_id, letter.body) for letter in run.letters] == [("feed-1/1", 0)]
    assert len(feed.acknowledged) == 1


async def test_headers_of_any_kind_are_kept() -> None:
    """Headers that JSON does not know are kept as text or base64."""
    feed = Feed([Message(0, {"raw": b"\xff", "ok": 1})])
    run = await run_routes(from_(feed, int).transform(lambda n: 1 // n))
    assert run.letters[0].headers == {"raw": {"base64": "/w=="}, "ok": 1}


async def test_letters_have_ids_of_their_own() -> None:
    """Two letters about messages with one id do not replace each other."""
    feed = Feed([Message(0, id="same"), Message(0, id="same")])
    run = await run_routes(from_(feed, int).transform(lambda n: 1 // n))
    assert len({letter.id for letter in run.letters}) == 2


async def test_what_prevents_a_letter_keeps_the_failure_as_its_cause() -> None:
    """For a part as for a whole message: the source hears of both."""
    full = dead_letters(lambda letters: letters.transform(lambda letter: {}["full"]))
    feed = Feed([[1, 0]])
    flow = from_(feed, list, policy=Policy(dead_letter="refuse")).split(lambda ns: ns, on_error=full)
    await run_routes(flow.transform(lambda n: 1 // n))
    ((_, error),) = feed.refused
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, ZeroDivisionError)


async def test_a_letter_names_the_errors_behind_its_error() -> None:
    """The nearest first, ten at most; a body that does not fit is not told twice."""

    errors = [ValueError(number) for number in range(20)]
    for cause, error in pairwise(errors):
        error.__cause__ = cause

    def deep(n: int) -> None:
        raise errors[-1]

    run = await run_routes(from_(Feed([1, "x"]), int).transform(deep))
    causes = {letter.error: letter.causes for letter in run.letters}
    assert causes == {"ValueError": [f"ValueError: {number}" for number in range(18, 8, -1)], "BodyError": []}


async def _double(n: int) -> int:
    return 2 * n


async def _fail_later(n: int) -> int:
    raise ValueError(f"bad {n}")


def _fail(n: int) -> int:
    raise ValueError(f"bad {n}")


@pytest.mark.parametrize("fail", [_fail, _fail_later])
async def test_a_letter_has_what_the_failing_step_got(fail: Any) -> None:
    """Beside what came to the route, which stays as it was; also if the step had to wait for its function."""
    feed = Feed([Message(1, {"from": "outside"})])
    flow = from_(feed, int).transform(_double).set_header("seen", lambda n: "yes").transform(fail)
    (letter,) = (await run_routes(flow)).letters
    assert (letter.body, letter.headers) == (1, {"from": "outside"})
    assert (letter.current, letter.current_headers) == (2, {"from": "outside", "seen": "yes"})


async def test_a_letter_says_once_what_did_not_change() -> None:
    """A body that came so to the failing step is not kept twice."""
    (letter,) = (await run_routes(from_(Feed([1]), int).transform(_fail))).letters
    assert (letter.body, letter.current, letter.current_headers) == (1, None, None)


async def test_what_cannot_be_kept_keeps_no_letter_away() -> None:
    """A body on its way that is a circle, or has no end, is left out of the letter."""

    def circle(n: int) -> list[Any]:
        made: list[Any] = [n]
        made.append(made)
        return made

    for odd in (circle, lambda _: count()):
        flow = from_(Feed([1]), int).transform(odd).transform(lambda _: 1 // 0)
        (letter,) = (await run_routes(flow)).letters
        assert (letter.body, letter.current_headers, letter.error) == (1, None, "ZeroDivisionError")


async def test_a_huge_body_is_kept_whole() -> None:
    """A letter has no bound of its own: nothing of a message is lost for being large."""
    body = "x" * 30_000_000
    (letter,) = (await run_routes(from_(Feed([body]), str).transform(lambda _: 1 // 0))).letters
    assert letter.body == body
