"""Guarantees, computed from what endpoints and steps say of themselves."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from routekit import (
    Capabilities,
    Conduct,
    Consumer,
    DefinitionError,
    Delivery,
    Flow,
    Handler,
    Listener,
    Message,
    Policy,
    Producer,
    Runtime,
    Send,
    Step,
    Switch,
    Transactions,
    Transactor,
    dead_letters,
    from_,
    rescue,
)
from routekit.check import check
from routekit.endpoint import Deliver
from routekit.guarantees import END, Guarantee, guarantees
from routekit.plugins import Catalog
from routekit.testing import routes_of


class Broker(Consumer):
    """Brings again what was not acknowledged, in order."""

    scheme = "broker"
    capabilities = Capabilities(replayable=True, ordered=True)

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        return
        yield


class Heap(Broker):
    """As a broker, in no order."""

    scheme = "heap"
    capabilities = Capabilities(replayable=True)


class Radio(Broker):
    """Says everything once."""

    scheme = "radio"
    capabilities = Capabilities(ordered=True)


class Door(Listener):
    """Tells its callers."""

    scheme = "door"
    capabilities = Capabilities(ordered=True)

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        return


class Table(Producer):
    """Holds one row of each message, in order."""

    scheme = "table"
    capabilities = Capabilities(ordered=True, idempotent=True)

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            pass

        yield send


class Bell(Table):
    """Rings each time."""

    scheme = "bell"
    capabilities = Capabilities(ordered=True)
    advice: ClassVar[Mapping[str, str]] = {"idempotent": "a bell that counts"}


class Chime(Table):
    """As a bell, elsewhere."""

    scheme = "chime"
    capabilities = Capabilities(ordered=True)


class Shelf(Table):
    """As a table, elsewhere."""

    scheme = "shelf"


class Breath(Table):
    """Nobody acknowledges it."""

    scheme = "breath"
    capabilities = Capabilities(ordered=True, idempotent=True, volatile=True)


@dataclass(frozen=True)
class Strange(Step[Any, Any]):
    """A step that says nothing of itself."""

    def bind(self, proceed: Handler[Any], runtime: Runtime) -> Handler[Any]:
        return proceed


def key(body: int) -> int:
    return body % 2


def other_key(body: int) -> int:
    return body % 3


BROKER, HEAP, RADIO, DOOR, TABLE, BELL, BREATH = Broker(), Heap(), Radio(), Door(), Table(), Bell(), Breath()


def of(*flows: Flow[Any], durable: bool = True, policy: Policy | None = None) -> Sequence[Guarantee]:
    return guarantees(routes_of(*flows), Catalog(), durable=durable, policy=policy or Policy())


def one(flow: Flow[Any], *, durable: bool = True) -> Guarantee:
    (guarantee,) = of(flow, durable=durable)
    return guarantee


def because(guarantee: Guarantee, kind: str) -> list[str]:
    """The reasons of a kind."""
    return [reason.removeprefix(f"{kind}: ") for reason in guarantee.reasons if reason.startswith(kind)]


def test_a_source_that_brings_again_and_a_sink_that_keeps_one_are_effectively_once() -> None:
    """Nothing is lost, nothing is there twice, and there is nothing to advise."""
    found = one(from_(BROKER, int).to(TABLE))
    assert (found.delivery, found.ordered, found.survives, found.stronger) == ("effectively-once", "yes", True, "")
    assert found.reasons == [
        "broker: brings again what was not acknowledged",
        "what fails becomes a dead letter in the store",
        "table: leaves the same when a message comes again",
    ]


def test_a_sink_that_does_it_again_is_at_least_once() -> None:
    """The sink is named, and its advice is the word that would make it stronger."""
    found = one(from_(BROKER, int).to(BELL))
    assert (found.delivery, found.survives, found.stronger) == ("at-least-once", True, "a bell that counts")
    assert because(found, "may be repeated") == ["bell: has its effect again when a message comes again"]


def test_a_source_that_says_things_once_loses_them() -> None:
    """Unless the route journals what arrives."""
    weak, strong = one(from_(RADIO, int).to(TABLE)), one(from_(RADIO, int, policy=Policy(durable="store")).to(TABLE))
    assert (weak.delivery, weak.survives, weak.stronger) == ("at-most-once", False, 'Policy(durable="store")')
    assert (strong.delivery, strong.survives) == ("effectively-once", True)


def test_a_journal_in_memory_keeps_nothing() -> None:
    """`durable="store"` with a store in memory promises no more than without."""
    found = one(from_(RADIO, int, policy=Policy(durable="store")).to(TABLE), durable=False)
    assert (found.delivery, found.survives) == ("at-most-once", False)


def test_a_caller_has_to_ask_again() -> None:
    """What a caller was told is safe; what is at work at a crash is his to send again, as a new message."""
    found = one(from_(DOOR, int).to(TABLE))
    assert (found.delivery, found.survives) == ("at-least-once", False)
    assert found.stronger == '.transaction(..., key=...), Policy(durable="store")'
    known = one(from_(DOOR, int).idempotent("seen", key=key).to(TABLE))
    assert known.delivery == "at-least-once", "its sink may name what it keeps by the message's id, which is a new one"


def test_dead_letters_in_memory_are_lost_with_the_process() -> None:
    """A durable store is advised; who is told of the failure does not need it."""
    found = one(from_(BROKER, int).to(TABLE), durable=False)
    assert (found.delivery, found.survives) == ("at-most-once", False)
    assert found.stronger == 'store = "sqlite:..." in routekit.toml'
    back = one(from_(BROKER, int, policy=Policy(dead_letter="refuse")).to(TABLE), durable=False)
    assert back.delivery == "effectively-once"


def test_who_refuses_what_cannot_come_again_loses_it() -> None:
    """That has nothing to do with a crash."""
    found = one(from_(RADIO, int, policy=Policy(dead_letter="refuse")).to(TABLE))
    assert 'Policy(dead_letter="store")' in found.stronger
    assert "radio: does not bring again what is refused" in because(found, "may be lost")


def test_nobody_acknowledges_at_a_volatile_sink() -> None:
    """Whatever the source does."""
    assert one(from_(BROKER, int).to(BREATH)).delivery == "at-most-once"


@pytest.mark.parametrize(
    ("policy", "ordered"),
    [
        (Policy(), "yes"),
        (Policy(concurrency=1), "yes"),
        (Policy(concurrency=8), "no"),
        (Policy(concurrency=8, order_by=key), "per key"),
        (Policy(dead_letter="refuse"), "no"),
    ],
)
def test_the_policy_decides_the_order(policy: Policy, ordered: str) -> None:
    """One at a time keeps it, several lose it, `order_by` keeps that of equal keys; refused ones come later."""
    assert one(from_(BROKER, int, policy=policy).to(TABLE)).ordered == ordered


def test_callers_have_no_order() -> None:
    """Calls that come at the same time overtake each other, also if they are handled one by one."""
    assert one(from_(DOOR, int).to(TABLE)).ordered == "no"
    assert one(from_(DOOR, int, policy=Policy(concurrency=1)).to(TABLE)).ordered == "no"


def test_a_source_without_order_has_none_to_keep() -> None:
    """Nor has a sink; a resequencer makes one."""
    assert one(from_(HEAP, int).to(TABLE)).ordered == "no"
    sorted_ = from_(HEAP, int).resequence("line", int, number=key, gap=1, late="drop").to(TABLE)
    assert one(sorted_).ordered == "yes"


@pytest.mark.parametrize(
    ("flow", "ordered"),
    [
        (from_(BROKER, int).split(lambda n: [n]).to(TABLE), "yes"),
        (from_(BROKER, int).split(lambda n: [n], parallel=2).to(TABLE), "no"),
        (from_(BROKER, int).gather(lambda n: [n], lambda part: part.to(TABLE), parallel=2), "no"),
        (from_(BROKER, int).gather(lambda n: [n], lambda part: part, parallel=2).to(TABLE), "yes"),
        (from_(BROKER, int).aggregate("g", int, key=key, size=2).to(TABLE), "per key"),
        (from_(BROKER, int).aggregate("g", int, key=key, size=2, parallel=2).to(TABLE), "no"),
        (from_(BROKER, int).batch("b", int, size=2).to(TABLE), "yes"),
        (from_(BROKER, int).delay("d", int, by=5).to(TABLE), "yes"),
        (from_(BROKER, int).delay("d", int, by=lambda n: n).to(TABLE), "no"),
        (from_(BROKER, int).hand_over("h", int, workers=2).to(TABLE), "no"),
        (from_(BROKER, int).hand_over("h", int, workers=2, order_by=key).to(TABLE), "per key"),
        (from_(BROKER, int).debounce("q", int, quiet=1).to(TABLE), "no"),
    ],
)
def test_steps_decide_the_order(flow: Flow[Any], ordered: str) -> None:
    """Of what goes on behind them, or inside their branches."""
    assert one(flow).ordered == ordered


def test_two_orders_by_different_keys_are_none() -> None:
    """By equal ones they are one."""
    policy = Policy(concurrency=8, order_by=key)
    same = from_(BROKER, int, policy=policy).hand_over("h", int, workers=2, order_by=key).to(TABLE)
    different = from_(BROKER, int, policy=policy).hand_over("h", int, workers=2, order_by=other_key).to(TABLE)
    assert (one(same).ordered, one(different).ordered) == ("per key", "no")


@pytest.mark.parametrize(
    "flow",
    [
        from_(BROKER, int).load_balance(lambda a: a.to(TABLE), lambda b: b),
        from_(BROKER, int).failover(lambda a: a.to(TABLE), lambda b: b),
        from_(BROKER, int).detour(Switch("s"), lambda a: a.to(TABLE)),
        from_(BROKER, int).then(Strange()).to(TABLE),
    ],
)
def test_what_may_take_another_way_is_not_once(flow: Flow[Any]) -> None:
    """Nor what goes through a step that says nothing of itself."""
    if flow.chain.steps[0].branches():
        flow = flow.to(TABLE)
    assert {found.delivery for found in of(flow)} == {"at-least-once"}


def test_what_the_author_drops_is_not_lost() -> None:
    """It is told, with the step that drops it."""
    found = one(from_(BROKER, int).filter(key).sample(nth=2).to(TABLE))
    assert found.delivery == "effectively-once"
    assert [reason for reason in found.reasons if "drops" in reason] == [
        "filter(key) drops those for which the predicate is false, as its author says",
        "sample(1 of 2) drops all that are not in the sample, as its author says",
    ]


def test_groups_in_memory_begin_anew() -> None:
    """So what a group has done may be done again by another one; in the store it may not."""
    flow = from_(BROKER, int, policy=Policy(dead_letter="refuse")).aggregate("g", int, key=key, size=2).to(TABLE)
    memory, store = one(flow, durable=False), one(flow)
    assert (memory.delivery, store.delivery) == ("at-least-once", "effectively-once")
    assert memory.survives
    assert memory.stronger == 'store = "sqlite:..." in routekit.toml'


def test_claimed_bodies_in_memory_are_lost() -> None:
    """Who redeems them later finds nothing."""
    assert one(from_(BROKER, int).claim("c").to(TABLE), durable=False).delivery == "at-most-once"
    assert one(from_(BROKER, int).claim("c").to(TABLE)).delivery == "effectively-once"


def test_a_branch_that_is_left_out_may_lose_what_it_was_to_do() -> None:
    """Only that branch, and only if it is left out without a dead letter."""
    lenient = from_(BROKER, int).scatter_gather({"a": lambda flow: flow.to(TABLE)}, on_error="leave_out").to(TABLE)
    strict = from_(BROKER, int).scatter_gather({"a": lambda flow: flow.to(TABLE)})
    assert [found.delivery for found in of(lenient)] == ["at-most-once"]
    assert one(strict).delivery == "effectively-once"


def test_of_several_ways_to_one_sink_the_weakest_counts() -> None:
    """A choice leads to it with and without a queue in between."""
    flow = (
        from_(BROKER, int)
        .choice()
        .when(key, lambda odd: odd.split(lambda n: [n], parallel=2).to(TABLE))
        .otherwise(lambda even: even.to(TABLE))
    )
    assert one(flow).ordered == "no"


def test_routes_that_call_each_other_are_followed_through() -> None:
    """The caller's source counts for the one that is called; a queue in memory loses what is in it."""
    caller, called = from_(BROKER, int).to("direct:next"), from_("direct:next", int).to(TABLE)
    first, second = of(caller, called)
    assert (first.route, first.sink, first.via) == ("route-1", "table:", ("route-2",))
    assert (second.route, second.sink, second.via) == ("route-2", "table:", ())
    assert {found.delivery for found in (first, second)} == {"effectively-once"}
    assert {found.ordered for found in (first, second)} == {"yes"}
    queued, _ = of(from_(BROKER, int).to("queue:next"), from_("queue:next", int).to(TABLE))
    assert (queued.delivery, queued.survives) == ("at-most-once", False)
    assert "queue:next is memory" in because(queued, "may be lost")
    assert queued.stronger == "queue:...?durable=true"


def test_a_durable_queue_keeps_what_is_in_it() -> None:
    """As far as the store does."""
    kept = "queue:next?durable=true"
    flows = from_(BROKER, int, policy=Policy(dead_letter="refuse")).to(kept), from_(kept, int).to(TABLE)
    assert {(found.delivery, found.survives) for found in of(*flows)} == {("effectively-once", True)}
    assert {(found.delivery, found.survives) for found in of(*flows, durable=False)} == {("at-most-once", False)}


def test_who_is_called_by_several_has_the_weakest_of_them() -> None:
    """Also if they call in a circle."""
    flows = from_(BROKER, int).to("direct:x"), from_(RADIO, int).to("direct:x"), from_("direct:x", int).to(TABLE)
    assert [found.delivery for found in of(*flows)] == ["effectively-once", "at-most-once", "at-most-once"]
    circle = of(from_(BROKER, int).to("direct:a"), from_("direct:a", int).to(TABLE).to("direct:a"))
    assert {found.delivery for found in circle} == {"effectively-once"}


def test_a_route_without_a_sink_has_an_end() -> None:
    """What its own functions do may happen again."""
    found = one(from_(BROKER, int).transform(key))
    assert (found.sink, found.delivery) == (END, "at-least-once")


def test_dead_letters_and_rescues_lead_to_sinks_too() -> None:
    """Those of the route's policy."""
    letters = Policy(
        dead_letter=dead_letters(lambda flow: flow.to(BELL)), rescue={ValueError: rescue(lambda flow: flow.to(BREATH))}
    )
    assert [found.sink for found in of(from_(BROKER, int, policy=letters).to(TABLE))] == ["table:", "bell:", "breath:"]


def test_the_policy_of_the_settings_counts_where_the_route_says_nothing() -> None:
    """Field by field."""
    (found,) = of(from_(BROKER, int).to(TABLE), policy=Policy(concurrency=4))
    assert found.ordered == "no"


def test_conduct_of_a_step_may_be_given_by_strangers() -> None:
    """A class variable is enough."""

    @dataclass(frozen=True)
    class Told(Strange):
        conduct = Conduct(order="no", drops="what it dislikes")

    found = one(from_(BROKER, int).then(Told()).to(TABLE))
    assert (found.delivery, found.ordered) == ("effectively-once", "no")


class Base(Transactor):
    """A place of transactions, whose tables are bells."""

    scheme = "base"
    name: str = ""

    def joins(self, sink: Producer) -> bool:
        return isinstance(sink, Bell)

    def open(self, runtime: Runtime, name: str, sinks: Sequence[Producer]) -> AbstractAsyncContextManager[Transactions]:
        raise NotImplementedError


BASE = Base()


def test_a_transaction_commits_the_effect_with_a_mark() -> None:
    """So a sink that does it again does not; what goes elsewhere leaves the outbox again after a crash."""
    flow = from_(BROKER, int).transaction(BASE, lambda t: t.to(BELL).to(Chime()), name="orders")
    inside, outside = of(flow)
    assert (inside.sink, inside.delivery) == ("bell:", "effectively-once")
    assert (outside.sink, outside.delivery) == ("chime:", "at-least-once")


def test_a_transaction_knows_what_a_caller_sends_again_by_a_key_only() -> None:
    """The id of a new message is a new one."""
    plain = from_(DOOR, int).transaction(BASE, lambda t: t.to(BELL), name="orders")
    keyed = from_(DOOR, int).transaction(BASE, lambda t: t.to(BELL), name="orders", key=key)
    assert [one(flow).delivery for flow in (plain, keyed)] == ["at-least-once", "effectively-once"]


def test_what_varies_before_a_transaction_does_not_matter_in_it() -> None:
    """What was committed first counts; behind it, it matters again."""
    flow = from_(BROKER, int).then(Strange())
    flow = flow.transaction(BASE, lambda t: t.to(BELL).to(TABLE), name="orders").to(Shelf())
    assert [(found.sink, found.delivery) for found in of(flow)] == [
        ("bell:", "effectively-once"),
        ("table:", "effectively-once"),
        ("shelf:", "at-least-once"),
    ]


def test_a_durable_route_that_is_called_is_left_at_once() -> None:
    """Its callers wait no longer, so that their order is lost; nothing else is."""
    flows = from_(BROKER, int).to("direct:next"), from_("direct:next", int, policy=Policy(durable="store")).to(TABLE)
    found = of(*flows)[0]
    assert (found.delivery, found.ordered, found.survives) == ("effectively-once", "no", True)


@pytest.mark.parametrize(
    "required", ["at_least_once", "effectively_once", "ordered", "ordered_per_key", "survives_a_crash"]
)
def test_what_is_required_is_refused_with_reasons_and_advice(required: Any) -> None:
    """By the name of the sink, the verdict, and what decides it; a route that promises it is not refused."""
    weak = one(from_(RADIO, int, policy=Policy(concurrency=4)).to(BELL))
    error = weak.refusal(required)
    assert error is not None
    assert error.message.startswith(f"{required} is required at bell:, and that is at-most-once, in any order, ")
    assert error.hint == ("write Policy(order_by=...)" if "ordered" in required else 'write Policy(durable="store")')
    assert one(from_(BROKER, int).to(TABLE)).refusal(required) is None


def test_require_takes_words_that_there_are() -> None:
    """One, or several; a wrong one is refused when the policy is made."""
    assert Policy(require="ordered").requires == ("ordered",)
    assert Policy(require=("ordered", "at_least_once")).requires == ("ordered", "at_least_once")
    assert Policy().requires == ()
    with pytest.raises(DefinitionError, match="require is 'exactly_once'"):
        Policy(require="exactly_once")  # pyright: ignore[reportArgumentType]  # as a person may write it


def test_check_asks_for_what_is_required() -> None:
    """Also where the module or the settings require it; routes that promise enough are left alone."""
    routes = routes_of(from_(BROKER, int).to(BELL), from_(BROKER, int).to(TABLE))
    catalog = Catalog()
    assert check(routes, catalog) == []
    (problem,) = check(routes, catalog, policy=Policy(require="effectively_once"))
    assert (problem.route, problem.hint) == ("route-1", "write a bell that counts")
    assert len(check(routes, catalog, policy=Policy(require="at_least_once"), durable=False)) == 2


@pytest.mark.parametrize(
    ("uri", "ordered", "said"),
    [
        ("timer:t", "yes", "one of 3 workers runs timer:t"),
        ("cron:0 2 * * *", "yes", "one of 3 workers runs cron:0 2 * * *"),
        ("file:in?after=delete", "no", "file:in?after=delete promises no order"),
    ],
)
def test_several_processes_count_for_what_is_promised(uri: str, ordered: str, said: str) -> None:
    """A source that one of them runs keeps its order; with one process nothing is said of it."""
    route = from_(uri, object).log("{body}").route("work")
    (one,) = guarantees([route], Catalog())
    (several,) = guarantees([route], Catalog(), workers=3)
    assert several.ordered == one.ordered == ordered
    assert any(said in reason for reason in several.reasons)
    assert not any("workers" in reason for reason in one.reasons)


def test_what_processes_share_comes_in_no_order() -> None:
    """A source in order that all of them read is in order no more."""
    route = from_(Broker(), int).log("{body}").route("work")
    (one,) = guarantees([route], Catalog())
    (several,) = guarantees([route], Catalog(), workers=2)
    assert (one.ordered, several.ordered) == ("yes", "no")
    assert any("2 workers share what" in reason for reason in several.reasons)
    assert several.order_words == "workers = 1"
