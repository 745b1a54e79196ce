"""What tests of routes and plugins stand on."""

import anyio
import pytest

from routekit import Message, Policy, Runtime, Unavailable, from_
from routekit.events import RouteStarted
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, probed, routes_of, run_routes, running, setup_for

pytestmark = pytest.mark.anyio


async def test_a_feed_remembers_what_became_of_its_messages() -> None:
    """In the order in which it was told, with replies and errors."""
    feed = Feed([1, 0, Message(5, id="own")])
    flow = from_(feed, int, policy=Policy(dead_letter="refuse"))
    await run_routes(flow.transform(lambda n: 10 // n))
    assert [(name, reply.body) for name, reply in feed.acknowledged] == [("feed-1", 10), ("own", 2)]
    assert [(name, type(error)) for name, error in feed.refused] == [("feed-2", ZeroDivisionError)]


async def test_a_feed_may_wait_for_its_gate() -> None:
    """Nothing comes before."""
    gate, sink = anyio.Event(), Sink()
    async with running(from_(Feed([1], gate=gate)).to(sink)):
        await anyio.sleep(5)
        assert sink.bodies == []
        gate.set()
        await anyio.sleep(1)
        assert sink.bodies == [1]


async def test_a_sink_collects_and_fails_on_request() -> None:
    """By the number of the send, from 1; `sends` counts the failed ones too."""
    sink = Sink(fail={2: ValueError("x")})
    await run_routes(from_(Feed("abc"), str).to(sink))
    assert sink.bodies == ["a", "c"]
    assert [message.body for message in sink.sends] == ["a", "b", "c"]


async def test_two_sinks_are_never_the_same() -> None:
    """Equal or not, each collects its own."""
    first, second = Sink(), Sink()
    assert first != second
    await run_routes(from_(Feed([1])).to(first).to(second))
    assert (first.bodies, second.bodies) == ([1], [1])


def test_routes_are_named_by_number_or_keyword() -> None:
    """A route keeps its own name."""
    flow = from_("timer:x")
    assert [route.name for route in routes_of(flow, flow.route("own"), named=flow)] == ["route-1", "own", "named"]


async def test_a_run_tells_counts_letters_and_events() -> None:
    """Of the whole run."""
    run = await run_routes(mine=from_(Feed([1, 0]), int).transform(lambda n: 1 // n))
    assert (run.counts["mine"].done, run.counts["mine"].dead) == (1, 1)
    assert [letter.body for letter in run.letters] == [0]
    assert [event.route for event in run.of(RouteStarted)] == ["mine"]


async def test_store_and_policy_may_be_given() -> None:
    """The policy counts where the route has none."""
    store = MemoryStore(lambda: 0.0)
    feed = Feed([0])
    await run_routes(from_(feed, int).transform(lambda n: 1 // n), store=store)
    assert await store.letters.count() == 1
    await run_routes(from_(feed, int).transform(lambda n: 1 // n), store=store, policy=Policy(dead_letter="refuse"))
    assert len(feed.refused) == 1


async def test_most_ends_an_endless_run() -> None:
    """After so many messages."""
    sink = Sink()
    await run_routes(from_("timer:t?every=1").to(sink), most=3)
    assert sink.bodies == [1, 2, 3]


async def test_what_fails_a_test_while_routes_run_is_raised_itself() -> None:
    """An error as well as what pytest raises, which is none; several at once are a group."""
    with pytest.raises(ZeroDivisionError):
        async with running(from_("timer:t")):
            raise ZeroDivisionError
    with pytest.raises(pytest.fail.Exception, match="so it is"):
        async with running(from_("timer:t")):
            pytest.fail("so it is")


async def test_wall_time_follows_the_clock_of_the_test() -> None:
    """An hour of sleep is an hour of wall time."""
    setup = setup_for(Run())
    before = setup.now()
    await anyio.sleep(3600)
    assert setup.now() - before == pytest.approx(3600)


async def test_chance_is_the_same_in_each_run() -> None:
    """A test that fails fails again."""
    assert setup_for(Run()).random.random() == setup_for(Run()).random.random()


class Distant(Sink):
    """A sink whose other side is there, or is not."""

    scheme = "distant"
    there: bool = True

    async def probe(self, runtime: Runtime) -> str:
        if not self.there:
            raise Unavailable("nobody answers")
        return "it is there"


async def test_endpoints_can_be_asked_for_their_other_side() -> None:
    """Each that has one, as `check --connect` does; nothing is taken and nothing is sent."""
    near, far, feed = Distant(), Distant(there=False), Feed([1])
    found = await probed(from_(feed, int).to(near), from_(Feed([2]), int).to(far))
    assert [(one.route, one.found) for one in found] == [("route-1", "it is there"), ("route-2", "nobody answers")]
    assert [one.there for one in found] == [True, False]
    assert feed.acknowledged == near.bodies == []
