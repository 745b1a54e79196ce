"""attempt"""

from typing import Any

import anyio
import pytest

from routekit import DefinitionError, Message, Policy, Retry, Unavailable, from_, rescue
from routekit.events import Logged, Rescued
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


def raising(error: Exception) -> Any:
    def function(body: Any) -> Any:
        raise error

    return lambda flow: flow.transform(function)


def saying(text: str) -> Any:
    return lambda flow: flow.transform(lambda body: text)


class Special(ValueError):
    pass


async def result(flow: Any) -> list[Any]:
    sink = Sink()
    await run_routes(flow.to(sink))
    return sink.bodies


async def test_what_succeeds_goes_on() -> None:
    """No rescue is asked for."""
    flow = from_(Feed([1]), int).attempt(saying("done"), rescue={Exception: saying("rescued")})
    assert await result(flow) == ["done"]


@pytest.mark.parametrize(
    ("error", "by"),
    [
        (Special(), "special"),
        (ValueError(), "value"),
        (UnicodeError(), "value"),
        (KeyError(), "lookup"),
        (OSError(), ""),
    ],
)
async def test_the_nearest_class_rescues(error: Exception, by: str) -> None:
    """Whatever the order in which they are written, the class nearest to the error's own counts."""
    rescue = {
        ValueError: saying("value"),
        LookupError: saying("lookup"),
        Special: saying("special"),
    }
    assert await result(from_(Feed([1]), int).attempt(raising(error), rescue=rescue)) == ([by] if by else [])


async def test_a_rescue_sees_message_and_error() -> None:
    """It gets the message as it came to the attempt, with the error; what follows no longer has the error."""
    seen: list[Any] = []

    def spoil(row: dict[str, int]) -> None:
        row["n"] = 99
        raise Special("why")

    def look(row: dict[str, int], message: Message[Any]) -> str:
        seen.extend([dict(row), repr(message.meta.error), dict(message.headers)])
        return "rescued"

    flow = from_(Feed([Message({"n": 1}, {"h": 1})]), dict).attempt(
        lambda f: f.set_header("inside", 1).transform(spoil), rescue={ValueError: lambda f: f.transform(look)}
    )
    flow = flow.transform(lambda body, message: seen.append(message.meta.error) or body)
    assert await result(flow) == ["rescued"]
    assert seen == [{"n": 1}, "Special('why')", {"h": 1}, None]


async def test_what_follows_is_not_part_of_it() -> None:
    """A later failure is neither rescued nor retried here."""
    tries: list[int] = []
    flow = from_(Feed([1]), int).attempt(
        lambda f: f.transform(lambda n: tries.append(n) or n), rescue={Exception: saying("rescued")}, retry=Retry(5)
    )
    run = await run_routes(flow.transform(lambda n: 1 // 0))
    assert tries == [1]
    assert [letter.error for letter in run.letters] == ["ZeroDivisionError"]


async def test_its_retry_repeats_the_branch_with_the_body_as_it_came() -> None:
    """The whole branch, and nothing before it."""
    before: list[int] = []
    seen: list[int] = []

    def spoil(row: dict[str, int]) -> dict[str, int]:
        seen.append(row["n"])
        row["n"] += 1
        if len(seen) < 3:
            raise Unavailable("away")
        return row

    flow = from_(Feed([{"n": 1}]), dict).transform(lambda row: before.append(1) or row)
    flow = flow.attempt(lambda f: f.transform(spoil), retry=Retry(5), rescue={Exception: saying("rescued")})
    assert await result(flow) == [{"n": 2}]
    assert (before, seen) == ([1], [1, 1, 1])


async def test_retries_come_before_rescue() -> None:
    """Only the last failure is rescued."""
    flow = from_(Feed([1]), int).attempt(raising(Unavailable("x")), retry=Retry(2), rescue={Unavailable: saying("r")})
    sink = Sink()
    run = await run_routes(flow.to(sink))
    assert sink.bodies == ["r"]
    assert len([event for event in run.events if type(event).__name__ == "Retrying"]) == 2


async def test_a_failing_rescue_fails_the_message() -> None:
    """With its own error, and the first one as its cause."""
    feed = Feed([1])
    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).attempt(
        raising(KeyError("first")), rescue={KeyError: raising(OSError("second"))}
    )
    await run_routes(flow)
    ((_, error),) = feed.refused
    assert isinstance(error, OSError)
    assert isinstance(error.__cause__, KeyError)


async def test_a_branch_that_ends_the_message_ends_it() -> None:
    """What follows does not run, and no rescue either."""
    flow = from_(Feed([1]), int).attempt(lambda f: f.filter(lambda n: False), rescue={Exception: saying("r")})
    assert await result(flow) == []


@pytest.mark.parametrize(
    ("body", "rescue", "letters"),
    [
        (saying("done"), {}, 0),
        (raising(KeyError()), {}, 1),
        (raising(KeyError()), {KeyError: saying("rescued")}, 0),
        (raising(KeyError()), {KeyError: raising(OSError())}, 1),
        (lambda f: f.filter(lambda n: False), {}, 0),
    ],
)
async def test_finally_runs_whatever_happened(body: Any, rescue: Any, letters: int) -> None:
    """After success, failure, rescue, a failed rescue and an early end, just once."""
    ran: list[Any] = []
    flow = from_(Feed([7]), int).attempt(body, rescue=rescue, finally_=lambda f: f.transform(lambda n: ran.append(n)))
    run = await run_routes(flow)
    assert ran == [7]
    assert len(run.letters) == letters


async def test_finally_gets_the_message_as_it_came() -> None:
    """Not what body or rescue made of it."""
    ran: list[Any] = []

    def spoil(row: dict[str, int]) -> None:
        row["n"] += 1
        raise KeyError

    def rescue(row: dict[str, int]) -> None:
        row["n"] += 10

    flow = from_(Feed([{"n": 1}]), dict).attempt(
        lambda f: f.transform(spoil),
        rescue={KeyError: lambda f: f.transform(rescue)},
        finally_=lambda f: f.transform(lambda row: ran.append(dict(row))),
    )
    await run_routes(flow)
    assert ran == [{"n": 1}]


async def test_finally_runs_when_the_message_is_cancelled() -> None:
    """A stop that runs out of time, or a deadline, still runs it, also where it waits."""
    ran: list[int] = []

    async def clean(n: int) -> None:
        await anyio.sleep(1)
        ran.append(n)

    flow = from_(Watched([1]), int).attempt(
        lambda f: f.transform(lambda n: anyio.sleep(1000)), finally_=lambda f: f.transform(clean)
    )
    async with running(flow, setup=setup_for(Run(), drain=5)):
        await anyio.sleep(5)
    assert ran == [1]
    late = from_(Feed([2]), int, policy=Policy(deadline=3)).attempt(
        lambda f: f.transform(lambda n: anyio.sleep(1000)), finally_=lambda f: f.transform(clean)
    )
    run = await run_routes(late)
    assert ran == [1, 2]
    assert [letter.error for letter in run.letters] == ["Expired"]


async def test_rescue_sees_what_parallel_parts_raise() -> None:
    """A failing part is raised as itself, not hidden in a group, whatever the number of workers."""
    for parallel in (1, 4):
        flow = from_(Feed([[1, 2, 3]]), list).attempt(
            lambda f, p=parallel: f.gather(lambda ns: ns, raising(Special("part")), parallel=p).transform(str),
            rescue={ValueError: saying("rescued")},
        )
        assert await result(flow) == ["rescued"]


async def test_predicates_choose_between_clauses_of_one_class() -> None:
    """One whose predicate does not hold is passed over, and so is one that fails: the next nearest class is asked."""
    rescues: Any = {
        Special: (
            rescue(saying("broken"), when=lambda error: error.args[1]),
            rescue(saying("big"), when=lambda error, message: message.body > 5),
        ),
        ValueError: rescue(saying("value")),
    }
    run, sink = Run(), Sink()
    flow = from_(Feed([9, 1]), int).attempt(raising(Special("only one")), rescue=rescues)
    await run_routes(flow.to(sink), setup=setup_for(run))
    assert sink.bodies == ["big", "value"]
    assert [event.text for event in run.of(Logged)] == [
        "when=error.args[1] of rescue Special failed too: IndexError: tuple index out of range"
    ] * 2


async def test_a_rescue_is_told() -> None:
    """As an event, with the message, the clause and the error."""
    run = await run_routes(from_(Feed([1]), int).attempt(raising(Special()), rescue={ValueError: saying("x")}))
    (event,) = run.of(Rescued)
    assert (event.route, event.message_id, event.by) == ("route-1", "feed-1", "rescue ValueError of the attempt")
    assert isinstance(event.error, Special)


def test_after_a_rescue_the_route_goes_on_behind_the_attempt() -> None:
    """There is no other way to go on, so there is no word for it."""
    with pytest.raises(DefinitionError, match="the route goes on behind the attempt"):
        from_("timer:x").attempt(saying("a"), rescue={KeyError: rescue(saying("b"), then="go_on")})


@pytest.mark.parametrize("kind", [KeyboardInterrupt, "KeyError", (KeyError, OSError)])
def test_rescues_of_what_is_no_class_of_error(kind: Any) -> None:
    """Are refused when written."""
    with pytest.raises(DefinitionError, match="rescue is by class of Exception"):
        from_("timer:x").attempt(saying("a"), rescue={kind: saying("b")})


@pytest.mark.parametrize("rescues", [{}, {KeyError: raising(OSError("second"))}])
async def test_a_failing_finally_does_not_hide_the_first_failure(rescues: Any) -> None:
    """The first is raised, so that rescues and retries outside see it; the second is a note on it, and logged."""
    feed, run = Feed([1]), Run()
    flow = from_(feed, int, policy=Policy(dead_letter="refuse")).attempt(
        raising(KeyError("first")), rescue=rescues, finally_=raising(RuntimeError("last"))
    )
    await run_routes(flow, setup=setup_for(run))
    ((_, error),) = feed.refused
    assert isinstance(error, OSError if rescues else KeyError)
    assert "finally failed too: RuntimeError: last" in error.__notes__
    assert [event.text for event in run.of(Logged)] == ["finally failed too: RuntimeError: last"]


async def test_a_finally_that_alone_fails_fails_the_message() -> None:
    """Nothing else would tell of it; what follows does not run."""
    after = Sink()
    flow = from_(Feed([1, 2]), int).attempt(saying("done"), finally_=raising(RuntimeError("last"))).to(after)
    run = await run_routes(flow)
    assert after.bodies == []
    assert [letter.reason for letter in run.letters] == ["last", "last"]


async def test_a_failing_finally_does_not_hide_a_stop() -> None:
    """A message that is cancelled stays unacknowledged, and what failed then is logged."""
    source, run, reached = Watched([1]), Run(), anyio.Event()

    async def wait(n: int) -> None:
        reached.set()
        await anyio.sleep(10_000)

    flow = from_(source, int).attempt(lambda f: f.transform(wait), finally_=raising(RuntimeError("last")))
    async with running(flow, setup=setup_for(run, drain=1)):
        await reached.wait()
    assert source.told == []
    assert [event.text for event in run.of(Logged)] == ["finally failed too: RuntimeError: last"]


def test_its_branches_can_be_drawn() -> None:
    """Body, rescues and finally, each with its name."""
    flow = from_("timer:x").attempt(saying("a"), rescue={KeyError: saying("b")}, finally_=saying("c"))
    (step,) = flow.chain.steps
    assert [name for name, _ in step.branches()] == ["attempt", "rescue KeyError", "finally"]
    assert step.label == "attempt"
