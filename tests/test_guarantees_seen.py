"""Guarantees, held against what is seen when routes run: under crashes, cut connections and late or repeated messages.

Random routes of real words are simulated: whatever goes wrong, nothing is seen that is weaker than what was computed.
The other way round, for each weak verdict there is a route in which the weakness is seen.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import anyio
import pytest

from routekit import Capabilities, Flow, Policy, Retry, from_
from routekit.guarantees import guarantees
from routekit.plugins import Catalog
from routekit.testing import routes_of, simulate

from .test_guarantees import BELL, BROKER, DOOR, HEAP, RADIO, TABLE, Table, key, other_key

SEEDS = 6
"""Runs of each drawn route."""

SOURCES = (BROKER, BROKER, HEAP, RADIO, DOOR)
Word = Callable[[Flow[int], Random, str], Flow[int]]
"""Adds a word to a route; the text is a name that no other step has."""


class Place(Table):
    """A table with a name: each send of a route has one of its own, so that what is there is told apart."""

    name: str = ""


class Ringing(Place):
    """A place where a message that comes again has its effect again."""

    scheme = "bell"
    capabilities = Capabilities(ordered=True)


def sink(chance: Random) -> Place:
    return chance.choice((Place, Ringing))(name=f"{chance.getrandbits(32):x}")


def twice(body: int) -> list[int]:
    return [body, body + 100]


def seven(group: list[int]) -> int:
    """What is in a group depends on the time; so nothing that follows may depend on it."""
    return 7


async def slowly(body: int) -> int:
    """Longer for some than for others."""
    await anyio.sleep(body % 3 * 100.0)
    return body


def wide(chance: Random) -> int:
    return chance.choice((1, 1, 2, 4))


WORDS: dict[str, Word] = {
    "filter": lambda flow, chance, name: flow.filter(lambda n: n % 3 != 0),
    "transform": lambda flow, chance, name: flow.transform(lambda n: n + 1),
    "log": lambda flow, chance, name: flow.log("{body}"),
    "tap": lambda flow, chance, name: flow.tap(lambda copy: copy.to(sink(chance))),
    "to": lambda flow, chance, name: flow.to(sink(chance), retry=Retry(2, first=0.5)),
    "split": lambda flow, chance, name: flow.split(twice, parallel=wide(chance)),
    "gather": lambda flow, chance, name: flow.gather(
        twice, lambda part: part.to(sink(chance)), parallel=wide(chance)
    ).transform(sum),
    "for_each": lambda flow, chance, name: flow.for_each(
        twice, lambda part: part.to(sink(chance)), parallel=wide(chance)
    ).transform(lambda tally: tally.total),
    "choice": lambda flow, chance, name: (
        flow.choice().when(key, lambda odd: odd.to(sink(chance))).otherwise(lambda even: even)
    ),
    "multicast": lambda flow, chance, name: flow.multicast(lambda a: a.to(sink(chance)), lambda b: b.to(sink(chance))),
    "load_balance": lambda flow, chance, name: flow.load_balance(
        lambda a: a.to(sink(chance)), lambda b: b.transform(lambda n: n), by=key
    ),
    "failover": lambda flow, chance, name: flow.failover(lambda a: a.to(sink(chance)), lambda b: b.to(sink(chance))),
    "attempt": lambda flow, chance, name: flow.attempt(lambda body: body.to(sink(chance)), retry=Retry(2, first=0.5)),
    "throttle": lambda flow, chance, name: flow.throttle(rate=2, per=1.0),
    "idempotent": lambda flow, chance, name: flow.idempotent(name, key=lambda n: n),
    "aggregate": lambda flow, chance, name: flow.aggregate(
        name, int, key=chance.choice((key, other_key)), size=2, timeout=5.0, parallel=wide(chance)
    ).transform(seven),
    "batch": lambda flow, chance, name: flow.batch(name, int, size=2, wait=5.0, parallel=wide(chance)).transform(seven),
    "delay": lambda flow, chance, name: flow.delay(
        name, int, by=chance.choice((2.0, lambda n: n % 5)), workers=wide(chance)
    ),
    "hand_over": lambda flow, chance, name: flow.hand_over(
        name, int, workers=wide(chance), order_by=chance.choice((None, key, other_key))
    ),
    "checkpoint": lambda flow, chance, name: flow.checkpoint(name, int),
}

KEEPERS = ("aggregate", "batch", "delay", "hand_over")

FIRST = ("idempotent", "checkpoint")
"""Only in front: elsewhere it depends on times and groups what they end or keep, and nobody knows what has to come."""


def drawn(seed: int) -> list[Flow[Any]]:
    """One to two routes of up to four words."""
    chance = Random(seed)
    source, concurrency = chance.choice(SOURCES), chance.choice((None, 1, 2, 4))
    policy = Policy(
        concurrency=concurrency,
        order_by=chance.choice((None, key, other_key)) if concurrency else None,
        durable=chance.choice((None, None, "store")) if source is not DOOR else None,
        retry=chance.choice(((), Retry(3, first=1.0))),
    )
    flow: Flow[Any] = from_(source, int, policy=policy)
    flow = _words(flow, chance, "a", source)
    between = chance.choice(("", "", "direct:next", "queue:next"))
    if not between:
        return [flow.to(sink(chance))]
    second = _words(from_(between, int), chance, "b", source)
    return [flow.to(between), second.to(sink(chance))]


def _words(flow: Flow[Any], chance: Random, prefix: str, source: object) -> Flow[Any]:
    kept = False
    for number in range(chance.randrange(5)):
        word = chance.choice([name for name in WORDS if not (kept and name in KEEPERS)])
        if word in FIRST and (number or prefix == "b" or source is DOOR):
            continue
        kept = kept or word in KEEPERS
        flow = WORDS[word](flow, chance, f"{prefix}{number}")
    return flow


@pytest.mark.parametrize("seed", range(16))
def test_nothing_weaker_is_seen_than_was_computed(seed: int) -> None:
    """Of a random route under random faults: no loss, repetition or disorder that `check` does not tell of."""
    routes = routes_of(*drawn(seed))
    report = simulate(routes, seeds=SEEDS, messages=5, time=900.0)
    told = "\n".join(f"{one.route} {one.sink}: {one}" for one in guarantees(routes, Catalog()))
    assert report.ok, f"{told}\n{report}"


WEAK: dict[str, tuple[list[Flow[Any]], str]] = {
    "a source that says things once": ([from_(RADIO, int).to(TABLE)], "lost"),
    "a queue in memory": ([from_(BROKER, int).to("queue:x"), from_("queue:x", int).to(TABLE)], "lost"),
    "a sink that does it again": ([from_(BROKER, int).to(BELL)], "repeated"),
    "a sink that does it again, behind a journal": (
        [from_(RADIO, int, policy=Policy(durable="store")).to(BELL).transform(key).to(TABLE)],
        "repeated",
    ),
    "a caller that sends again": ([from_(DOOR, int).to(TABLE)], "repeated"),
    "a caller that sends again, and a key": (
        [from_(DOOR, int).idempotent("seen", key=lambda n: n).to(TABLE)],
        "repeated",
    ),
    "several at a time": ([from_(BROKER, int, policy=Policy(concurrency=4)).transform(slowly).to(TABLE)], "reordered"),
    "calls": ([from_(DOOR, int).transform(slowly).to(TABLE)], "reordered"),
    "workers": ([from_(BROKER, int).hand_over("h", int, workers=4).transform(slowly).to(TABLE)], "reordered"),
    "times": ([from_(BROKER, int).delay("d", int, by=lambda n: n % 3 * 100.0).to(TABLE)], "reordered"),
}


@pytest.mark.parametrize("name", WEAK)
def test_a_weak_verdict_is_not_weaker_than_what_is_seen(name: str) -> None:
    """The route promises no more than that, and the weakness is really seen."""
    flows, weakness = WEAK[name]
    routes = routes_of(*flows)
    found = guarantees(routes, Catalog())[0]
    match weakness:
        case "lost":
            assert found.delivery == "at-most-once"
        case "repeated":
            assert found.delivery == "at-least-once"
        case _:
            assert found.ordered == "no"
    observed = simulate(routes, seeds=25, messages=5, time=900.0).observed
    assert sum(getattr(seen, weakness) for seen in observed.values()) > 0
