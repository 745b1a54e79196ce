"""`onException` and the error handlers around it: what Camel's users rely on, and the surprises that are none here."""

from dataclasses import replace
from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_, rescue
from routekit.route import Route
from routekit.testing import Feed, Sink, run_routes, running

from ..fakes import Calls

pytestmark = pytest.mark.anyio


class Special(ValueError):
    pass


def saying(text: str) -> Any:
    return lambda flow: flow.transform(lambda body: text)


def raising(error: Exception) -> Any:
    def function(body: Any) -> Any:
        raise error

    return lambda flow: flow.transform(function)


def said(feed: Feed) -> list[Any]:
    return [reply and reply.body for _, reply in feed.acknowledged]


async def test_a_rescued_message_is_done_and_the_branch_gives_the_reply() -> None:
    """As `handled(true)`: the exception is gone, the route ends there, the caller gets what the block makes."""
    calls, after = Calls([0, 2]), Sink()
    policy = Policy(rescue={ArithmeticError: rescue(saying("sorry"))})
    async with running(from_(calls, int, policy=policy).transform(lambda n: 4 // n).to(after)):
        await anyio.sleep(1)
    assert calls.answers == {0: "sorry", 2: 2}
    assert after.bodies == [2]


async def test_a_rescued_message_may_go_on_behind_the_step_that_failed() -> None:
    """As `continued(true)`: the route resumes at the node after the failing one, with the exception cleared."""
    out = Sink()
    policy = Policy(rescue={ArithmeticError: rescue(saying("none"), then="go_on")})
    flow = from_(Feed([0, 2]), int, policy=policy).transform(lambda n: n + 0).transform(lambda n: 4 // n)
    await run_routes(flow.transform(lambda n: f"result {n}").to(out))
    assert out.bodies == ["result none", "result 2"]
    assert out.messages[0].meta.error is None


@pytest.mark.parametrize(
    ("error", "text"), [(Special("x"), "special"), (ValueError("x"), "value"), (KeyError("x"), "any")]
)
async def test_the_nearest_class_counts_whatever_the_order(error: Exception, text: str) -> None:
    """As Camel: exact class first, then the nearest superclass."""
    feed = Feed([1])
    clauses = {Exception: "any", ValueError: "value", Special: "special"}
    policy = Policy(rescue={kind: rescue(saying(text)) for kind, text in clauses.items()})
    await run_routes(from_(feed, int, policy=policy).apply(raising(error)))
    assert said(feed) == [text]


async def test_causes_are_not_searched() -> None:
    """Departure: Camel searches the chain of causes from the deepest one up; here the error itself is what failed."""
    feed = Feed([1])

    def fail(n: int) -> None:
        raise RuntimeError("outer") from ValueError("inner")

    policy = Policy(rescue={ValueError: rescue(saying("inner")), RuntimeError: rescue(saying("outer"))})
    await run_routes(from_(feed, int, policy=policy).transform(fail))
    assert said(feed) == ["outer"]


async def test_a_clause_whose_predicate_does_not_hold_is_passed_over() -> None:
    """As `onWhen`: the next candidate is asked."""
    feed = Feed([1, 2])
    policy = Policy(
        rescue={
            ValueError: rescue(saying("one"), when=lambda error, message: message.body == 1),
            Exception: rescue(saying("other")),
        }
    )
    await run_routes(from_(feed, int, policy=policy).apply(raising(ValueError("x"))))
    assert said(feed) == ["one", "other"]


async def test_scopes_are_asked_from_the_inner_one_outwards() -> None:
    """Departure: "global" is a RouteBuilder in Camel; here attempt, route, module and settings are one order."""
    feeds = [Feed([1]), Feed([1]), Feed([1])]
    settings = Policy(rescue={ValueError: rescue(saying("settings"))})
    module = Policy(rescue={Exception: rescue(saying("module"))})
    mine = Policy(rescue={Exception: rescue(saying("route"))})

    def route(feed: Feed, name: str, policy: Policy | None, module: Policy | None) -> Route:
        return replace(from_(feed, int, policy=policy).apply(raising(ValueError("x"))).route(name), module=module)

    routes = [
        route(feeds[0], "a", None, None),
        route(feeds[1], "b", None, module),
        route(feeds[2], "c", mine, module),
    ]
    await run_routes(*routes, policy=settings)
    assert [said(feed) for feed in feeds] == [["settings"], ["module"], ["route"]]


async def test_the_retries_of_the_policy_come_before_the_rescue() -> None:
    """As Camel: redelivery first; departure: a clause inherits it, an onException has none of its own by default."""
    feed, out = Feed([1]), Sink(fail={n: Unavailable("away") for n in range(9)})
    policy = Policy(retry=Retry(2), rescue={Unavailable: rescue(saying("gave up"))})
    await run_routes(from_(feed, int, policy=policy).to(out))
    assert (len(out.sends), said(feed)) == (3, ["gave up"])


async def test_the_branch_gets_the_message_as_it_entered_the_route() -> None:
    """As `useOriginalMessage`, without allowing it in the context; the error is with the message, not in a property."""
    seen: list[Any] = []

    def spoil(row: dict[str, int]) -> dict[str, int]:
        row["n"] = 99
        return row

    def look(row: dict[str, int], message: Message[Any]) -> None:
        seen.append((row, dict(message.headers), type(message.meta.error)))

    policy = Policy(rescue={ZeroDivisionError: rescue(lambda flow: flow.transform(look))})
    flow = from_(Feed([Message({"n": 1}, {"h": 1})]), dict, policy=policy).transform(spoil).set_header("h", 2)
    await run_routes(flow.transform(lambda row: 1 // 0))
    assert seen == [({"n": 1}, {"h": 1}, ZeroDivisionError)]


async def test_an_error_in_a_clause_is_not_rescued_again() -> None:
    """As Camel: fatal, and replaces the original; departure: the original is its cause, and both are in the letter."""
    others = Sink()
    policy = Policy(
        rescue={ZeroDivisionError: rescue(raising(KeyError("worse"))), KeyError: rescue(lambda f: f.to(others))}
    )
    run = await run_routes(from_(Feed([0]), int, policy=policy).transform(lambda n: 1 // n))
    (letter,) = run.letters
    assert others.bodies == []
    assert letter.error == "KeyError"
    assert "ZeroDivisionError" in str(letter)


async def test_the_rescue_of_a_route_fires_once_for_a_split() -> None:
    """Departure: onException has fired for each part and for the parent, or not at all."""
    fired: list[Any] = []
    policy = Policy(rescue={ZeroDivisionError: rescue(lambda flow: flow.transform(fired.append))})
    feed = Feed([[1, 0, 0]])
    await run_routes(from_(feed, list, policy=policy).split(lambda ns: ns).transform(lambda n: 1 // n))
    assert fired == [[1, 0, 0]]
    assert len(feed.acknowledged) == 1


async def test_an_attempt_that_does_not_fit_leaves_it_to_the_policy() -> None:
    """Departure: a nested `doTry` disables onException for all that it contains."""
    feed = Feed([1])
    policy = Policy(rescue={ValueError: rescue(saying("policy"))})
    flow = from_(feed, int, policy=policy).attempt(raising(ValueError("x")), rescue={KeyError: lambda flow: flow})
    await run_routes(flow)
    assert said(feed) == ["policy"]


async def test_a_rescued_letter_is_none() -> None:
    """What is handled is no dead letter."""
    run = await run_routes(
        from_(Feed([0]), int, policy=Policy(rescue={Exception: rescue(saying("ok"))})).transform(lambda n: 1 // n)
    )
    assert run.letters == []


async def test_every_failed_try_can_be_watched() -> None:
    """As onExceptionOccurred and onRedelivery; departure: a hook that fails is told, and not ignored."""
    tries: list[int] = []
    policy = Policy(retry=Retry(2), on_failure=lambda error, message: tries.append(message.meta.attempt))
    await run_routes(from_(Feed([1]), int, policy=policy).apply(raising(Unavailable("away"))))
    assert tries == [1, 2, 3]

    def broken(error: Exception) -> None:
        raise KeyError("hook")

    run = await run_routes(from_(Feed([0]), int, policy=Policy(on_failure=broken)).transform(lambda n: 1 // n))
    assert [letter.error for letter in run.letters] == ["ZeroDivisionError"]
    assert any("KeyError" in getattr(event, "text", "") for event in run.events)


async def test_a_letter_may_be_changed_before_it_is_kept() -> None:
    """As onPrepareFailure."""
    policy = Policy(before_letter=lambda letter: replace(letter, body="masked"))
    run = await run_routes(from_(Feed([0]), int, policy=policy).transform(lambda n: 1 // n))
    assert [letter.body for letter in run.letters] == ["masked"]


async def test_the_history_of_a_message_is_kept_on_request() -> None:
    """As `messageHistory` with logExhaustedMessageHistory: off by default, and in the letter when it is on."""
    for wanted in (False, True):
        policy = Policy(history=wanted)
        run = await run_routes(from_(Feed([0]), int, policy=policy).log("x").transform(lambda n: 1 // n))
        assert bool(run.letters[0].history) is wanted


def test_two_clauses_for_one_class_are_a_mistake() -> None:
    """Departure: the order of declaration breaks ties; here ties cannot be written."""
    with pytest.raises(DefinitionError, match="two clauses rescue ValueError"):
        Policy(rescue={ValueError: (rescue(saying("a")), rescue(saying("b")))})
