"""saga"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from routekit import (
    Act,
    BodyError,
    Claim,
    CompensationFailed,
    DefinitionError,
    Flow,
    Message,
    Policy,
    Rejected,
    Retry,
    TimedOut,
    Unavailable,
    from_,
)
from routekit.check import check
from routekit.eip.saga import Saga
from routekit.events import Logged, Retrying
from routekit.journal import Journal
from routekit.plugins import Catalog
from routekit.replay import replay
from routekit.runtime.service import Setup
from routekit.show import as_mermaid
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, routes_of, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Trip:
    id: int
    booked: tuple[str, ...] = ()


class NoRoom(Exception):
    """A failure of the outside that no rule names."""


@dataclass
class World:
    """Systems outside: what they were asked, and when they fail."""

    asked: list[str] = field(default_factory=list)
    seen: dict[str, Any] = field(default_factory=dict)
    fail: dict[str, list[Exception]] = field(default_factory=dict)
    takes: float = 0.0

    async def ask(self, what: str, trip: Trip, message: Message[Trip]) -> None:
        self.asked.append(what)
        self.seen[what] = (trip, message.meta.error, message.id)
        await anyio.sleep(self.takes)
        if errors := self.fail.get(what):
            error = errors[0] if len(errors) == 1 else errors.pop(0)
            raise error

    def act(self, name: str, *, undo: Any = True, **options: Any) -> Act[Trip]:
        async def do(trip: Trip, message: Message[Trip]) -> Trip:
            await self.ask(name, trip, message)
            return replace(trip, booked=(*trip.booked, name))

        async def back(trip: Trip, message: Message[Trip]) -> Trip:
            await self.ask(f"undo {name}", trip, message)
            return trip

        if undo is True:
            options["undo"] = lambda flow: flow.transform(back)
        elif undo is None:
            options["undo"] = None
        return Act(name, do=lambda flow: flow.transform(do), **options)

    def acts(self, *names: str, **options: Any) -> list[Act[Trip]]:
        return [self.act(name, **options) for name in names]


def failing(**errors: Exception) -> World:
    return World(fail={name: [error] for name, error in errors.items()})


def memory() -> MemoryStore:
    return MemoryStore(anyio.current_time)


def on(store: Any) -> Setup:
    """A setup whose clock is that of the store, so that what is done can grow old."""
    return setup_for(Run(), store=store, now=anyio.current_time)


def saga(
    world: World, *names: str, feed: Any = None, policy: Policy | None = None, acts: Any = None, **options: Any
) -> Flow[Trip]:
    source = Feed([Message(Trip(1), id="t1")]) if feed is None else feed
    return from_(source, Trip, policy=policy).saga("trips", Trip, acts or world.acts(*names), **options)


REFUSE = Policy(dead_letter="refuse")


async def test_actions_run_in_order_and_hand_on_their_results() -> None:
    """Each action gets what the one before it gave, and the last one's result goes on."""
    world, out = World(), Sink()
    await run_routes(saga(world, "flight", "hotel", "pay").to(out))
    assert world.asked == ["flight", "hotel", "pay"]
    assert world.seen["pay"][0] == Trip(1, ("flight", "hotel"))
    assert out.bodies == [Trip(1, ("flight", "hotel", "pay"))]
    assert out.messages[0].id == "t1"


async def test_what_was_done_is_undone_in_reverse() -> None:
    """The action that failed is undone too, as nobody knows whether it had its effect."""
    world, out = failing(pay=NoRoom("no money")), Sink()
    run = await run_routes(saga(world, "flight", "hotel", "pay", "mail").to(out))
    assert world.asked == ["flight", "hotel", "pay", "undo pay", "undo hotel", "undo flight"]
    assert out.bodies == []
    assert [letter.error for letter in run.letters] == ["NoRoom"]


async def test_an_undo_sees_what_its_action_produced_and_the_failure() -> None:
    """The message is as it was after the action, or before the one that failed."""
    error = NoRoom("no money")
    world = failing(pay=error)
    await run_routes(saga(world, "flight", "hotel", "pay"))
    assert world.seen["undo flight"] == (Trip(1, ("flight",)), error, "t1")
    assert world.seen["undo hotel"] == (Trip(1, ("flight", "hotel")), error, "t1")
    assert world.seen["undo pay"] == (Trip(1, ("flight", "hotel")), error, "t1")


async def test_an_action_that_fails_without_effect_need_not_be_undone() -> None:
    """`undo_failed=False` is the author's word for that; when it was done, it is undone as all others."""
    for failed, undone in (("hotel", ["undo flight"]), ("pay", ["undo pay", "undo hotel", "undo flight"])):
        world = failing(**{failed: NoRoom()})
        acts = [world.act("flight"), world.act("hotel", undo_failed=False), world.act("pay")]
        await run_routes(saga(world, acts=acts))
        assert [asked for asked in world.asked if asked.startswith("undo")] == undone


async def test_the_first_failure_is_raised_and_knows_what_was_undone() -> None:
    """The error itself reaches the source, with a note."""
    error, feed = NoRoom("full"), Feed([Message(Trip(1), id="t1")])
    await run_routes(saga(failing(hotel=error), "flight", "hotel", feed=feed, policy=REFUSE))
    ((_, refused),) = feed.refused
    assert refused is error
    assert "saga trips: undone: hotel, flight" in error.__notes__


async def test_an_action_that_has_nothing_to_undo_is_skipped() -> None:
    """`undo=None` says so."""
    world = failing(pay=NoRoom())
    await run_routes(saga(world, acts=[world.act("look", undo=None), world.act("flight"), world.act("pay", undo=None)]))
    assert world.asked == ["look", "flight", "pay", "undo flight"]


async def test_an_action_is_tried_again_before_the_saga_is_undone() -> None:
    """By the saga's rule, or by its own; each try gets the message as it came."""
    world, out = World(fail={"hotel": [Unavailable("x"), Unavailable("x"), NoRoom()]}), Sink()
    acts = [world.act("flight"), world.act("hotel", retry=Retry(1, on=Unavailable))]
    await run_routes(saga(world, acts=acts, retry=Retry(9)).to(out))
    assert world.asked == ["flight", "hotel", "hotel", "undo hotel", "undo flight"]
    world = World(fail={"hotel": [Unavailable("x"), Unavailable("x"), NoRoom()]})
    await run_routes(saga(world, "flight", "hotel", retry=Retry(9, on=Unavailable)))
    assert world.asked == ["flight", "hotel", "hotel", "hotel", "undo hotel", "undo flight"]


async def test_the_policy_begins_an_undone_saga_anew_only_if_it_names_the_error() -> None:
    """A general rule is for what may pass; a saga that was undone would do and undo everything again."""
    for retry, times in ((Retry(3), 1), (Retry(3, on=NoRoom), 4), (Retry(3, on=(OSError, NoRoom)), 4)):
        world = failing(hotel=NoRoom())
        await run_routes(saga(world, "flight", "hotel", policy=Policy(retry=retry)))
        assert world.asked.count("flight") == world.asked.count("undo flight") == times


async def test_an_undo_is_tried_patiently() -> None:
    """For minutes, if nothing else was said."""
    world = World(fail={"hotel": [NoRoom()], "undo flight": [Unavailable("x")] * 9 + [NoRoom()]})
    acts = [world.act("flight"), world.act("hotel", undo=None)]
    run = await run_routes(saga(world, acts=acts))
    assert world.asked.count("undo flight") == 11
    assert [letter.error for letter in run.letters] == ["CompensationFailed"]
    assert sum(event.wait for event in run.of(Retrying)) > 60


async def test_an_undo_that_keeps_failing_is_told_and_gone_on_with() -> None:
    """The error names what was undone and what was not; a replay of the letter goes on there."""
    world, store = failing(pay=NoRoom("no"), **{"undo hotel": Unavailable("away")}), memory()
    flow = saga(world, "flight", "hotel", "pay", undo_retry=())
    setup = on(store)
    run = await run_routes(flow, setup=setup)
    (letter,) = run.letters
    assert letter.error == "CompensationFailed"
    assert letter.reason == (
        "saga trips could not be undone: Unavailable: away; undone: pay; not undone: hotel, flight"
    )
    assert world.asked == ["flight", "hotel", "pay", "undo pay", "undo hotel"]

    again = await replay(letter, [flow.route("route-1")], setup)
    assert isinstance(again, CompensationFailed)
    assert (again.undone, again.left) == (("pay",), ("hotel", "flight"))
    world.fail.clear()
    done = await replay(letter, [flow.route("route-1")], setup)
    assert str(done) == "action 'pay' failed before a restart: NoRoom: no"
    assert world.asked[5:] == ["undo hotel", "undo hotel", "undo flight"]
    assert await store.marks("trips").items() == []


async def test_the_cause_of_a_failed_undoing_is_the_first_failure() -> None:
    """Both errors are there: why it was undone, and why it could not be."""
    error, worse, feed = NoRoom(), Unavailable("away"), Feed([Trip(1)])
    world = failing(hotel=error, **{"undo flight": worse})
    await run_routes(saga(world, "flight", "hotel", feed=feed, policy=REFUSE, undo_retry=()))
    ((_, raised),) = feed.refused
    assert isinstance(raised, CompensationFailed)
    assert (raised.__cause__, raised.error, raised.saga) == (error, worse, "trips")
    assert (raised.undone, raised.left) == (("hotel",), ("flight",))


async def test_the_retry_of_the_policy_goes_on_with_a_failed_undoing() -> None:
    """What was undone is not undone again, and what is left is."""
    world = failing(hotel=NoRoom())
    acts, sent = world.acts("flight", "hotel"), Sink(fail={1: Unavailable("x"), 2: Unavailable("x")})
    acts[0] = replace(acts[0], undo=lambda flow: flow.to(sent))
    await run_routes(saga(world, acts=acts, policy=Policy(retry=Retry(5)), undo_retry=()))
    assert world.asked == ["flight", "hotel", "undo hotel"]
    assert [trip.booked for trip in sent.bodies] == [("flight",)]


async def test_after_the_pivot_there_is_no_way_back() -> None:
    """What follows is tried for minutes; then the message fails, and nothing is undone."""
    world, store = failing(mail=Unavailable("away")), memory()
    acts = [world.act("flight"), world.act("pay", undo=None, pivot=True), world.act("mail", undo="unsaid")]
    flow, out = saga(world, acts=acts), Sink()
    setup = on(store)
    run = await run_routes(flow.to(out), setup=setup)
    assert world.asked == ["flight", "pay"] + ["mail"] * 11
    (letter,) = run.letters
    assert letter.error == "Unavailable"

    world.fail.clear()
    assert await replay(letter, [flow.to(out).route("route-1")], setup) is None
    assert world.asked[13:] == ["mail"]
    assert out.bodies == [Trip(1, ("flight", "pay", "mail"))]


async def test_an_action_after_the_pivot_has_a_rule_of_its_own() -> None:
    """If it wants."""
    world = failing(mail=Unavailable("away"))
    acts = [world.act("pay", undo=None, pivot=True), world.act("mail", undo="unsaid", retry=Retry(2))]
    await run_routes(saga(world, acts=acts, retry=Retry(7)))
    assert world.asked == ["pay", "mail", "mail", "mail"]


async def test_a_pivot_that_fails_is_undone_with_what_was_before_it() -> None:
    """There is a way back until it is done."""
    world = failing(pay=NoRoom())
    acts = [world.act("flight"), world.act("pay", pivot=True), world.act("mail", undo=None)]
    await run_routes(saga(world, acts=acts))
    assert world.asked == ["flight", "pay", "undo pay", "undo flight"]


async def test_a_failure_in_the_rest_of_the_route_does_nothing_again() -> None:
    """The saga is done: a retry goes straight to the rest, with the same body."""
    world, out = World(), Sink(fail={1: Unavailable("x"), 2: Unavailable("x")})
    await run_routes(saga(world, "flight", "hotel", policy=Policy(retry=Retry(3))).to(out))
    assert world.asked == ["flight", "hotel"]
    assert out.bodies == [Trip(1, ("flight", "hotel"))]


async def test_a_message_whose_saga_is_done_ends() -> None:
    """Redelivered or sent twice: it is acknowledged and nothing is booked again, until it is forgotten."""
    world, out, store = World(), Sink(), memory()
    for _ in range(2):
        feed = Feed([Message(Trip(1), id="t1")])
        await run_routes(saga(world, "flight", feed=feed).to(out), setup=on(store))
        assert len(feed.acknowledged) == 1
    assert (world.asked, len(out.bodies)) == (["flight"], 1)
    assert await store.marks("trips").items() == []


async def test_a_done_saga_is_forgotten_after_a_while() -> None:
    """The memory does not grow for ever."""
    world, store, begin = World(), memory(), anyio.current_time()

    async def play() -> None:
        setup = on(store)
        await run_routes(saga(world, "flight", remember=7200), setup=setup)

    for after in (0, 7000, 7300):
        await anyio.sleep_until(begin + after)
        await play()
    assert world.asked == ["flight", "flight"]


async def test_the_same_message_at_once_is_one_saga() -> None:
    """A twin in flight is waited for."""
    world, out = World(takes=10), Sink()
    feed = Feed([Message(Trip(1), id="t1"), Message(Trip(1), id="t1"), Message(Trip(2), id="t2")])
    flow = saga(world, "flight", "hotel", feed=feed, policy=Policy(concurrency=3)).to(out)
    await run_routes(flow)
    assert world.asked.count("flight") == 2
    assert sorted(trip.id for trip in out.bodies) == [1, 2]
    assert len(feed.acknowledged) == 3


async def test_a_saga_may_have_a_key_of_its_own() -> None:
    """Where the same order comes with a new id, such as from a caller who tries again."""
    world, out = World(), Sink()
    feed = Feed([Message(Trip(7), id="a"), Message(Trip(7), id="b"), Message(Trip(8), id="c")])
    await run_routes(saga(world, "flight", feed=feed, key=lambda trip: trip.id).to(out))
    assert [trip.id for trip in out.bodies] == [7, 8]


async def test_another_process_does_not_run_the_same_saga() -> None:
    """While a living one holds it; when its lease has run out, it is taken over from where it stood."""
    store, world = memory(), World()
    begin = anyio.current_time()
    assert await store.keys("trips").claim("t1", owner="other", lease=60) is Claim.MINE
    kept = '["t1",{"id":1,"booked":["flight"]},{}]'
    await store.marks("trips").put("t1", Journal(0.0, [kept, kept], ["flight"]).text())
    await run_routes(saga(world, "flight", "hotel"), setup=on(store))
    assert world.asked == ["hotel"]
    assert 60 <= anyio.current_time() - begin <= 66


async def test_a_saga_that_takes_longer_than_its_lease_keeps_it() -> None:
    """The lease is prolonged while the saga is at work."""
    store, world, claims = memory(), World(takes=500), []

    async def stranger() -> None:
        while len(world.asked) < 2:
            await anyio.sleep(20)
            claims.append(await store.keys("trips").claim("t1", owner="other", lease=1))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stranger)
        await run_routes(saga(world, "flight", "hotel", lease=60), setup=on(store))
    assert set(claims) == {Claim.HELD}
    assert await store.keys("trips").claim("t1", owner="other", lease=1) is Claim.DONE


async def test_who_has_lost_its_saga_stops() -> None:
    """A process that stood still for longer than the lease does not go on beside the one that took over."""
    store, world, feed = memory(), World(), Feed([Message(Trip(1), id="t1")])
    flow = saga(world, "flight", "hotel", feed=feed, policy=REFUSE)

    async def stolen(trip: Trip) -> Trip:
        store.keys("trips")._rows["t1"].owner = "other"  # as if the process had slept here
        return trip

    world_acts = [Act("flight", do=lambda flow: flow.transform(stolen), undo=None), *world.acts("hotel")]
    flow = saga(world, feed=feed, policy=REFUSE, acts=world_acts)
    await run_routes(flow, setup=on(store))
    ((_, error),) = feed.refused
    assert isinstance(error, Unavailable)
    assert "another process has taken over 't1'" in str(error)
    assert world.asked == []


async def test_a_saga_that_takes_too_long_is_undone() -> None:
    """The action at work is cancelled, and undone as one that failed."""
    world, feed = World(takes=40), Feed([Trip(1)])
    await run_routes(saga(world, "flight", "hotel", feed=feed, timeout=60, policy=REFUSE))
    assert world.asked == ["flight", "hotel", "undo hotel", "undo flight"]
    ((_, error),) = feed.refused
    assert isinstance(error, TimedOut)
    assert "'hotel' was not done 60 s after the beginning" in str(error)


async def test_the_time_of_a_saga_ends_at_its_pivot() -> None:
    """What follows takes as long as it takes."""
    world, out = World(takes=40), Sink()
    acts = [world.act("flight"), world.act("pay", pivot=True), world.act("mail", undo=None)]
    await run_routes(saga(world, acts=acts, timeout=90).to(out))
    assert world.asked == ["flight", "pay", "mail"]
    assert len(out.bodies) == 1


async def test_the_time_of_a_saga_goes_on_over_a_restart() -> None:
    """It counts from the first beginning."""
    store, world = memory(), World(takes=40)
    setup = on(store)
    async with running(
        saga(world, "flight", "hotel", feed=Watched([Message(Trip(1), id="t1")]), timeout=60), setup=setup
    ) as service:
        await anyio.sleep(10)
        service.force()
    assert world.asked == ["flight"]
    await anyio.sleep(55)
    await run_routes(saga(world, "flight", "hotel", timeout=60), setup=setup)
    assert world.asked == ["flight", "undo flight"]


async def test_an_action_that_ends_the_message_is_done() -> None:
    """A filter in it means that there was nothing to do; the message goes on as it was."""
    world, out = World(), Sink()
    skip: Act[Trip] = Act("skip", do=lambda flow: flow.filter(lambda trip: False), undo=None)
    await run_routes(saga(world, acts=[world.act("flight"), skip, world.act("hotel")]).to(out))
    assert out.bodies == [Trip(1, ("flight", "hotel"))]


async def test_an_undo_that_ends_the_message_is_finished() -> None:
    """A filter in it means that there was nothing to undo."""
    world = failing(hotel=NoRoom())
    acts = [replace(world.act("flight"), undo=lambda flow: flow.filter(lambda trip: False)), world.act("hotel")]
    run = await run_routes(saga(world, acts=acts))
    assert [letter.error for letter in run.letters] == ["NoRoom"]


async def test_a_result_of_another_type_fails_its_action() -> None:
    """What the journal cannot keep would be lost in a crash."""
    world = World()
    wrong: Act[Any] = Act("wrong", do=lambda flow: flow.transform(lambda trip: {"id": "x"}), undo=None)
    run = await run_routes(saga(world, acts=[world.act("flight"), wrong]))
    assert world.asked == ["flight", "undo flight"]
    (letter,) = run.letters
    assert (letter.error, "cannot be kept as Trip" in letter.reason) == ("BodyError", True)


async def test_a_message_of_another_type_is_refused_before_anything_is_done() -> None:
    """The body that comes to the saga is the first that is kept."""
    world, feed = World(), Feed([object()])
    flow = from_(feed, policy=REFUSE).saga("trips", Trip, world.acts("flight"))
    await run_routes(flow)
    assert world.asked == []
    assert isinstance(feed.refused[0][1], BodyError)


async def test_headers_are_part_of_what_is_kept() -> None:
    """An action may note something beside the body."""
    world, out = World(), Sink()
    noting: Act[Trip] = Act("note", do=lambda flow: flow.set_header("seat", "12A"), undo=None)
    await run_routes(saga(world, acts=[noting, world.act("flight")]).to(out))
    assert out.messages[0].headers["seat"] == "12A"


async def test_a_replay_goes_on_where_the_saga_stood() -> None:
    """The letter has the original body; what was done since is in the journal."""
    store, world, out = memory(), World(), Sink(fail={1: Unavailable("x")})
    flow = saga(world, "flight", "hotel").to(out)
    setup = on(store)
    run = await run_routes(flow, setup=setup)
    assert await replay(run.letters[0], [flow.route("route-1")], setup) is None
    assert world.asked == ["flight", "hotel"]
    assert out.bodies == [Trip(1, ("flight", "hotel"))]


async def test_after_an_undone_saga_a_replay_begins_anew() -> None:
    """Everything was undone, so nothing is left of it in the store."""
    store, world, out = memory(), failing(hotel=NoRoom()), Sink()
    flow = saga(world, "flight", "hotel").to(out)
    setup = on(store)
    run = await run_routes(flow, setup=setup)
    assert await store.marks("trips").items() == []
    world.fail.clear()
    assert await replay(run.letters[0], [flow.route("route-1")], setup) is None
    assert world.asked == ["flight", "hotel", "undo hotel", "undo flight", "flight", "hotel"]
    assert out.bodies == [Trip(1, ("flight", "hotel"))]


async def test_a_saga_that_was_begun_with_other_actions_is_refused() -> None:
    """A changed route does not guess; what was done stays in the journal."""
    store, world = memory(), World()
    sink = Sink(fail={1: Unavailable("x")})
    await run_routes(saga(world, "flight", "hotel").to(sink), setup=on(store))
    feed = Feed([Message(Trip(1), id="t1")])
    await run_routes(saga(world, "train", "hotel", feed=feed, policy=REFUSE), setup=on(store))
    ((_, error),) = feed.refused
    assert isinstance(error, Rejected)
    assert "was begun as flight, hotel, and is train, hotel now" in str(error)
    assert world.asked == ["flight", "hotel"]


async def test_a_message_cut_off_by_its_deadline_goes_on_when_it_comes_again() -> None:
    """A deadline is no time of the saga: it leaves it where it stands, and a replay goes on."""
    store, world, out = memory(), World(takes=40), Sink()
    flow = saga(world, "flight", "hotel", policy=Policy(deadline=60)).to(out)
    setup = on(store)
    run = await run_routes(flow, setup=setup)
    assert [letter.error for letter in run.letters] == ["Expired"]
    assert world.asked == ["flight", "hotel"]
    assert await replay(run.letters[0], [flow.route("route-1")], setup) is None
    assert world.asked == ["flight", "hotel", "hotel"]


async def test_it_tells_when_it_begins_to_undo() -> None:
    """One line in the log, with the reason."""
    run = await run_routes(saga(failing(hotel=NoRoom("full")), "flight", "hotel"))
    (line,) = run.of(Logged)
    assert (line.level, line.text) == (
        "warning",
        "saga trips: 'hotel' failed for message t1, actions to undo: 2 (NoRoom: full)",
    )


def nothing(flow: Flow[Any]) -> Flow[Any]:
    return flow


@pytest.mark.parametrize(
    ("acts", "found"),
    [
        ([], "a saga has no action"),
        ([Act("", do=nothing, undo=None)], "an action is named ''"),
        ([Act("a", do=nothing, undo=None), Act("a", do=nothing, undo=None)], "two actions are named 'a'"),
        (
            [Act("a", do=nothing, pivot=True), Act("b", do=nothing, pivot=True)],
            "'a' and 'b' are both the pivot",
        ),
        ([Act("a", do=nothing, pivot=True), Act("b", do=nothing, undo=nothing)], "the undo of 'b' never runs"),
        ([Act("a", do=nothing)], "'a' has no undo"),
        ([Act("a", do=nothing), Act("b", do=nothing, pivot=True)], "'a' has no undo"),
    ],
)
def test_actions_that_cannot_work_are_found_at_once(acts: Sequence[Act[Any]], found: str) -> None:
    """Where the route is written."""
    with pytest.raises(DefinitionError) as caught:
        from_("timer:x", int).saga("trips", int, acts)
    assert caught.value.message == found


@pytest.mark.parametrize("option", ["timeout", "lease", "remember"])
def test_times_are_more_than_nothing(option: str) -> None:
    """And wrong ones are found at once."""
    options: dict[str, Any] = {option: 0.0}
    with pytest.raises(DefinitionError, match=option):
        from_("timer:x", int).saga("trips", int, [Act("a", do=nothing, undo=None)], **options)


def test_a_saga_needs_a_name() -> None:
    """Its state is found by it."""
    with pytest.raises(DefinitionError, match="the name of the state is ''"):
        from_("timer:x", int).saga("", int, [Act("a", do=nothing, undo=None)])


def test_it_owns_its_state_and_shows_its_branches() -> None:
    """Tools see the name and all branches, and check what is in them."""
    flow = from_("timer:x", int).saga(
        "trips",
        int,
        [Act("a", do=lambda f: f.to("mock:a"), undo=lambda f: f.to("mokc:b")), Act("c", do=nothing, pivot=True)],
    )
    (step,) = flow.chain.steps
    assert isinstance(step, Saga)
    assert (step.state(), step.label) == ("trips", "saga(trips)")
    assert [label for label, _ in step.branches()] == ["a", "undo a", "c"]
    (problem,) = check(routes_of(flow), Catalog())
    assert "mokc" in problem.message


async def test_an_action_may_be_named_like_an_undoing() -> None:
    """Their branches are told apart."""
    world = failing(pay=NoRoom())
    await run_routes(saga(world, "flight", "undo flight", "pay"))
    assert world.asked == ["flight", "undo flight", "pay", "undo pay", "undo undo flight", "undo flight"]


def test_its_drawing_goes_through_the_actions() -> None:
    """One after the other; what undoes one hangs where that ends, and nothing leads on from it."""

    def to(name: str) -> Any:
        return lambda flow: flow.to(f"mock:{name}")

    acts = [Act("a", do=to("a"), undo=to("x")), Act("b", do=nothing, undo=to("y")), Act("c", do=to("c"), pivot=True)]
    flow = from_("timer:t", int).saga("trips", int, acts).to("mock:end")
    lines = [line.strip() for line in as_mermaid([flow.route("r")]).splitlines()]
    names = {line[:2]: line[line.index('"') + 1 : line.rindex('"')] for line in lines if re.match(r"n\d[\[(]", line)}
    edges = [re.sub(r"n\d", lambda found: names[found[0]], line) for line in lines if "-->" in line]
    assert edges == [
        "timer:t --> saga(trips)",
        'saga(trips) -- "a" --> to mock:a',
        'to mock:a -- "undo a" --> to mock:x',
        'to mock:a -- "b, undo b" --> to mock:y',
        'to mock:a -- "b, c" --> to mock:c',
        "to mock:c --> to mock:end",
    ]


async def test_a_saga_that_is_held_in_memory_is_not_done() -> None:
    """What is behind it is refused later: the message comes again, no action is done again, and the rest is."""
    store, sink, acted = MemoryStore(anyio.current_time), Sink(fail={1: Unavailable("away")}), Sink()
    acts = [Act[int]("a", do=lambda f: f.to(acted), undo=None)]
    flow = from_(Feed([1, 2]), int, policy=Policy(dead_letter="refuse")).saga("s", int, acts)
    for _ in range(3):
        setup = setup_for(Run(), store=store, now=anyio.current_time)
        await run_routes(flow.batch("pairs", int, size=2).to(sink), setup=setup)
    assert (acted.bodies, sink.bodies) == ([1, 2], [[1, 2]])
    assert await store.marks("s").items() == []


@pytest.mark.parametrize("key", [None, lambda body: body])
async def test_a_failure_of_the_saga_itself_is_its_own(key: Any) -> None:
    """A letter names its step and its line, also when no action was begun."""
    acts = [Act[Any]("a", do=lambda f: f, undo=None)]
    run = await run_routes(from_(Feed([1])).saga("s", Trip, acts, key=key))
    (letter,) = run.letters
    assert (letter.error, letter.step) == ("BodyError", "saga(s)")
