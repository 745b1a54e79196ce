"""The rescue clauses of a policy: the message as it entered, the reply, and what becomes of failures in them."""

from dataclasses import replace
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import (
    BodyError,
    Delivery,
    Expired,
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
from routekit.events import Counts, DeadLettered, Logged, Rescued
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..crashing import Outside, every_crash
from ..fakes import Calls, Watched

pytestmark = pytest.mark.anyio


class Order(BaseModel):
    number: int
    lines: list[str] = []


class Special(ValueError):
    pass


def saying(text: str) -> Any:
    return lambda flow: flow.transform(lambda body: text)


def raising(error: Exception) -> Any:
    def function(body: Any) -> Any:
        raise error

    return lambda flow: flow.transform(function)


def outcomes(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in ("done", "ended", "dead", "refused") if getattr(counts, name)}


async def replies(policy: Policy, *bodies: Any, kind: Any = int, fail: Any = None) -> list[Any]:
    """What the source hears of each message of a route that divides by it; None for no reply."""
    feed = Feed(bodies)
    run = await run_routes(from_(feed, kind, policy=policy).transform(fail or (lambda n: 6 // n)))
    assert not feed.refused
    assert not run.letters
    return [reply and reply.body for _, reply in feed.acknowledged]


async def test_what_the_branch_gives_is_the_reply() -> None:
    """The message is done: acknowledged, counted, and no dead letter."""
    feed = Feed([3, 0])
    policy = Policy(rescue={ZeroDivisionError: rescue(saying("rescued"))})
    run = await run_routes(from_(feed, int, policy=policy).transform(lambda n: 6 // n))
    assert [(id_, reply.body) for id_, reply in feed.acknowledged] == [("feed-1", 2), ("feed-2", "rescued")]
    assert outcomes(run.counts["route-1"]) == {"done": 2}
    assert run.letters == []
    (told,) = run.of(Rescued)
    assert (told.message_id, told.by) == ("feed-2", "rescue ZeroDivisionError of the route")
    assert isinstance(told.error, ZeroDivisionError)


async def test_a_caller_gets_the_reply_of_the_branch() -> None:
    """A server's client and a calling route see a success."""
    source = Calls([0])
    policy = Policy(rescue={ArithmeticError: rescue(saying("sorry"))})
    async with running(from_(source, int, policy=policy).transform(lambda n: 1 // n)):
        await anyio.sleep(1)
    assert source.answers == {0: "sorry"}


async def test_a_branch_that_ends_the_message_ends_it() -> None:
    """It is acknowledged, and counted as ended."""
    feed = Feed([0])
    policy = Policy(rescue={ZeroDivisionError: rescue(lambda flow: flow.stop())})
    run = await run_routes(from_(feed, int, policy=policy).transform(lambda n: 1 // n))
    assert feed.acknowledged == [("feed-1", None)]
    assert outcomes(run.counts["route-1"]) == {"ended": 1}


async def test_the_branch_gets_the_message_as_it_entered() -> None:
    """As the type of the route, with headers and id, nothing of what the steps did to it, and the error."""
    seen: list[Any] = []

    def spoil(order: Order) -> None:
        order.lines.append("spoilt")
        raise Special("why")

    def look(order: Order, message: Message[Any]) -> None:
        meta = message.meta
        seen.extend([order, dict(message.headers), message.id, repr(meta.error), meta.attempt, meta.route])

    feed = Feed([Message(b'{"number": 1, "lines": ["a"]}', {"h": 1}, "m")])
    policy = Policy(rescue={ValueError: rescue(lambda flow: flow.transform(look))}, retry=Retry(2, on=Special))
    await run_routes(from_(feed, Order, policy=policy).set_header("h", 2).transform(spoil))
    assert seen == [Order(number=1, lines=["a"]), {"h": 1}, "m", "Special('why')", 3, "route-1"]


async def test_a_body_that_does_not_fit_comes_as_it_is() -> None:
    """A branch for BodyError gets what the source brought."""
    seen: list[Any] = []
    policy = Policy(rescue={BodyError: rescue(lambda flow: flow.transform(lambda body: seen.append(body) or "bad"))})
    feed = Feed([b'{"number": "x"}'])
    await run_routes(from_(feed, Order, policy=policy))
    assert seen == [b'{"number": "x"}']
    assert [reply.body for _, reply in feed.acknowledged] == ["bad"]


async def test_an_expired_message_can_be_rescued() -> None:
    """The branch has its time: the deadline was that of the route."""
    policy = Policy(
        deadline=5,
        rescue={Expired: rescue(lambda flow: flow.transform(lambda n: anyio.sleep(60)).transform(lambda _: "late"))},
    )
    assert await replies(policy, 1, fail=lambda n: anyio.sleep(9)) == ["late"]


async def test_the_route_is_tried_again_first() -> None:
    """The clause is for the last failure, after all retries of the policy."""
    tries: list[int] = []

    def bad(n: int) -> None:
        tries.append(n)
        raise Unavailable("away") if len(tries) < 3 else Rejected("no")

    policy = Policy(
        retry=Retry(5, on=Unavailable),
        rescue={Unavailable: rescue(saying("away")), Rejected: rescue(saying("rejected"))},
    )
    assert await replies(policy, 1, fail=bad) == ["rejected"]
    assert tries == [1, 1, 1]


@pytest.mark.parametrize(("order", "reply"), [(1, "vip"), (2, "special"), (3, "value")])
async def test_predicates_of_error_and_message(order: int, reply: str) -> None:
    """A clause whose predicate does not hold is passed over; it gets the error, and the message as it entered."""

    async def vip(error: Exception, message: Message[Any]) -> bool:
        await anyio.sleep(1)
        return message.body == 1

    policy = Policy(
        rescue={
            Special: (
                rescue(saying("special"), when=lambda error: error.args == (2,)),
                rescue(saying("vip"), when=vip),
            ),
            ValueError: rescue(saying("value")),
        }
    )

    def bad(n: int) -> None:
        raise Special(n)

    assert await replies(policy, order, fail=bad) == [reply]


async def test_a_predicate_that_fails_is_logged() -> None:
    """The next clause is asked, and the failure is not lost."""
    policy = Policy(
        rescue={
            ZeroDivisionError: rescue(saying("special"), when=lambda error, message: message.headers["none"]),
            Exception: rescue(saying("general")),
        }
    )
    feed = Feed([0])
    run = await run_routes(from_(feed, int, policy=policy).transform(lambda n: 1 // n))
    assert [reply.body for _, reply in feed.acknowledged] == ["general"]
    (line,) = run.of(Logged)
    assert line.level == "warning"
    assert line.text.endswith("of rescue ZeroDivisionError failed too: KeyError: 'none'")


@pytest.mark.parametrize("dead_letter", ["store", "refuse"])
async def test_a_branch_that_fails_is_not_rescued_again(dead_letter: str) -> None:
    """Its error has the first one as its cause; no other clause is asked about it."""
    feed, others = Feed([0]), Sink()
    policy = Policy(
        retry=Retry(2),
        dead_letter=dead_letter,
        rescue={ZeroDivisionError: rescue(raising(Special("second"))), Exception: rescue(lambda flow: flow.to(others))},
    )
    run = await run_routes(from_(feed, int, policy=policy).transform(lambda n: 1 // n))
    assert others.bodies == []
    if dead_letter == "refuse":
        ((_, error),) = feed.refused
    else:
        ((_, reply),) = feed.acknowledged
        assert reply is None
        (letter,) = run.letters
        assert (letter.error, letter.reason, letter.attempts, letter.body) == ("Special", "second", 3, 0)
        assert letter.step.startswith("rescue ZeroDivisionError > transform(")
        assert letter.causes == ["ZeroDivisionError: integer division or modulo by zero"]
        (dead,) = run.of(DeadLettered)
        error = dead.error
    assert isinstance(error, Special)
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert run.of(Rescued) == []


async def test_a_branch_may_have_retries_and_attempts_of_its_own() -> None:
    """It is a branch like any other."""
    sink = Sink(fail={1: Unavailable("away"), 2: Unavailable("away")})
    branch = rescue(
        lambda flow: flow.attempt(raising(Special()), rescue={Special: saying("x")}).to(sink, retry=Retry(3))
    )
    assert await replies(Policy(rescue={ZeroDivisionError: branch}), 0) == ["x"]
    assert sink.bodies == ["x"]


async def test_an_inner_scope_with_a_fitting_clause_wins() -> None:
    """Attempt before route, route before module, module before settings; in each the nearest class."""

    def clauses(text: str, *kinds: type[Exception]) -> dict[type[Exception], Any]:
        return {kind: rescue(saying(f"{text} {kind.__name__}")) for kind in kinds}

    feed = Feed([Special(), ValueError(), KeyError(), IndexError(), OSError(), RuntimeError()])
    flow = from_(feed, policy=Policy(rescue=clauses("route", ValueError, LookupError))).attempt(
        lambda f: f.transform(reraise), rescue={Special: saying("attempt Special")}
    )
    route = replace(flow.route("r"), module=Policy(rescue=clauses("module", KeyError, OSError)))
    await run_routes(route, policy=Policy(rescue=clauses("settings", Exception, OSError)))
    assert [reply.body for _, reply in feed.acknowledged] == [
        "attempt Special",
        "route ValueError",
        "route LookupError",
        "route LookupError",
        "module OSError",
        "settings Exception",
    ]


def reraise(error: Exception) -> None:
    raise error


async def test_what_is_released_or_read_is_rescued_as_well() -> None:
    """A delivery that its source knows to be wrong goes the same way."""

    class Ragged(Watched):
        def delivery(self, message: Message[Any]) -> Delivery[Any]:
            usual = super().delivery(message)
            return Delivery(message, usual.ack, usual.nack, Rejected("ragged row"))

    source, bad = Ragged(["a;b"], endless=False), Sink()
    await run_routes(from_(source, str, policy=Policy(rescue={Rejected: rescue(lambda flow: flow.to(bad))})))
    assert bad.bodies == ["a;b"]
    assert source.told == [("ack", "ma;b")]


async def test_parts_that_become_letters_are_not_asked() -> None:
    """What a split decides about its parts is not decided again by the policy."""
    sink = Sink()
    policy = Policy(rescue={ZeroDivisionError: rescue(lambda flow: flow.to(sink))})
    flow = from_(Feed([[1, 0]]), list, policy=policy).split(lambda ns: ns, on_error="dead_letter_items")
    run = await run_routes(flow.transform(lambda n: 1 // n))
    assert sink.bodies == []
    assert len(run.letters) == 1


@pytest.mark.parametrize("where", ["rescue", "dead letters", "attempt's rescue", "finally of a rescue"])
async def test_cancelled_while_a_failure_is_dealt_with(where: str) -> None:
    """A stop that runs out of time there leaves the message unacknowledged: its source brings it again."""
    reached = anyio.Event()

    async def wait(body: Any) -> None:
        reached.set()
        await anyio.sleep(10_000)

    def slow(flow: Any) -> Any:
        return flow.transform(wait)

    policies = {
        "rescue": Policy(rescue={ZeroDivisionError: rescue(slow)}),
        "dead letters": Policy(dead_letter=dead_letters(slow)),
        "finally of a rescue": Policy(
            rescue={ZeroDivisionError: rescue(lambda flow: flow.attempt(slow, finally_=lambda f: f.log("x")))}
        ),
    }
    source, run = Watched([0]), Run()
    flow = from_(source, int, policy=policies.get(where)).attempt(
        lambda f: f.transform(lambda n: 1 // n),
        rescue={ZeroDivisionError: slow} if where == "attempt's rescue" else {},
    )
    async with running(flow, setup=setup_for(run, drain=5)) as service:
        await reached.wait()
        counts = service.counts()["route-1"]
    assert source.told == []
    assert outcomes(counts) == {}
    assert counts.in_flight == 1


async def test_no_message_is_lost_wherever_it_crashes() -> None:
    """Dead or failing at any operation of a rescue, with `go_on` too, or a letter: each ends where it belongs."""

    def check(n: int) -> str:
        raise {1: KeyError, 2: ValueError, 3: OSError, 4: TypeError}[n](n)

    def worse(flow: Any) -> Any:
        return flow.transform(lambda n: f"worse {n}").transform(lambda text: int(text))

    def flow(outside: Outside) -> Any:
        policy = Policy(
            rescue={
                KeyError: rescue(lambda f: f.transform(lambda n: f"reply {n}").to(outside.sink)),
                ValueError: rescue(lambda f: f.transform(lambda n: f"on {n}"), then="go_on"),
                OSError: rescue(worse),
            }
        )
        return from_(outside.source, int, policy=policy).transform(check).to(outside.sink)

    def sound(outside: Outside) -> None:
        assert set(outside.bodies) == {"reply 1", "on 2"}
        assert {(letter.body, letter.error) for letter in outside.letters} == {(3, "ValueError"), (4, "TypeError")}
        assert not outside.waiting

    assert await every_crash(flow, lambda: Outside([1, 2, 3, 4]), sound, patience=100.0) > 15


async def test_a_channel_that_fails_after_a_branch_that_failed() -> None:
    """The message goes back; all three errors can be read."""
    feed = Feed([0])
    policy = Policy(
        rescue={ZeroDivisionError: rescue(raising(KeyError("second")))},
        dead_letter=dead_letters(raising(OSError("third"))),
    )
    await run_routes(from_(feed, int, policy=policy).transform(lambda n: 1 // n))
    assert feed.acknowledged == []
    ((_, error),) = feed.refused
    assert isinstance(error, Unavailable)
    assert "could not be kept: third" in str(error)
    assert isinstance(error.__cause__, KeyError)
    assert isinstance(error.__cause__.__cause__, ZeroDivisionError)


async def test_the_letter_names_what_failed_in_a_branch_of_letters() -> None:
    """A channel of dead letters gets the letter with its causes."""
    letters: list[Letter] = []
    policy = Policy(
        rescue={ZeroDivisionError: rescue(raising(KeyError("second")))},
        dead_letter=dead_letters(lambda flow: flow.transform(lambda letter: letters.append(letter))),
    )
    await run_routes(from_(Feed([0]), int, policy=policy).transform(lambda n: 1 // n))
    assert [(letter.error, len(letter.causes)) for letter in letters] == [("KeyError", 1)]
