"""What each pattern adds to a message: the route with the pattern beside the same route without it, in the same run.

Patterns that keep messages do so in memory here; what a durable store costs is measured for `aggregate`.
"""

import gc
import tempfile
import tracemalloc
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter, process_time, time
from typing import Any

import anyio

from routekit import (
    Act,
    Consumer,
    Delivery,
    Flow,
    JsonSchema,
    Message,
    Policy,
    Runtime,
    from_,
    jmespath,
    jsonpath,
    template,
)
from routekit.endpoints.direct import DirectSource
from routekit.stores.memory import MemoryStore
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Run, run_routes, running, setup_for

from .engine import MESSAGES, MICRO, Kept, Numbers
from .figures import Figure, alternately

COUNT = MESSAGES // 10
ROUNDS = 3
GROUPS = 10_000

Pattern = Callable[[Flow[Any]], Flow[Any]]


def same(body: Any) -> Any:
    return body


def on(flow: Flow[Any]) -> Flow[Any]:
    """A branch that does nothing."""
    return flow


def yes(body: Any) -> bool:
    return True


ONE = {"a": on}
BOTH = {"a": on, "b": on}
ACTS = [Act("a", do=on, undo=on), Act("b", do=on, undo=on)]

PATTERNS: dict[str, Pattern] = {
    "filter": lambda flow: flow.filter(yes),
    "transform": lambda flow: flow.transform(same),
    "choice": lambda flow: flow.choice().when(yes, on).otherwise(on),
    "set_header": lambda flow: flow.set_header("a", 1),
    "remove_header": lambda flow: flow.remove_header("a*"),
    "validate, a rule": lambda flow: flow.validate(yes),
    "validate, a JSON schema": lambda flow: flow.validate(JsonSchema({"type": "integer"})),
    "parse": lambda flow: flow.parse(int),
    "serialize": lambda flow: flow.serialize("json"),
    "content_filter": lambda flow: flow.transform(lambda n: {"n": n, "m": n}).content_filter(keep=["n"]),
    "sort of 3": lambda flow: flow.transform(lambda n: [3, 1, 2]).sort(),
    "normalize": lambda flow: flow.normalize(int, (int, same)),
    "transform by jsonpath": lambda flow: flow.transform(lambda n: {"n": n}).transform(jsonpath("$.n")),
    "transform by jmespath": lambda flow: flow.transform(lambda n: {"n": n}).transform(jmespath("n")),
    "transform by a template": lambda flow: flow.transform(template("number {{ body }}")),
    "split of 1": lambda flow: flow.split(lambda n: [n]),
    "gather of 1": lambda flow: flow.gather(lambda n: [n], on),
    "for_each of 1": lambda flow: flow.for_each(lambda n: [n], on),
    "tap": lambda flow: flow.tap(on),
    "multicast to 2": lambda flow: flow.multicast(on, on),
    "multicast to 2 in parallel": lambda flow: flow.multicast(on, on, parallel=2),
    "recipients, 1 of 2": lambda flow: flow.recipients(lambda n: "a", BOTH),
    "scatter_gather of 2": lambda flow: flow.scatter_gather(BOTH),
    "routing_slip of 2": lambda flow: flow.routing_slip(lambda n: ["a", "b"], BOTH),
    "dynamic_router, 0 hops": lambda flow: flow.dynamic_router(lambda n: None, ONE),
    "detour": lambda flow: flow.detour(yes, on),
    "loop, 2 turns": lambda flow: flow.loop(on, times=2),
    "load_balance": lambda flow: flow.load_balance(on, on),
    "load_balance by key": lambda flow: flow.load_balance(on, on, by=same),
    "failover": lambda flow: flow.failover(on, on),
    "attempt": lambda flow: flow.attempt(on, rescue={ValueError: on}),
    "throttle, never waiting": lambda flow: flow.throttle(rate=1e9),
    "sample": lambda flow: flow.sample(nth=1),
    "expire, no time": lambda flow: flow.expire(at=lambda n: None),
    "circuit_breaker": lambda flow: flow.circuit_breaker(on, name="b"),
    "bulkhead": lambda flow: flow.bulkhead(on, name="b"),
    "timeout": lambda flow: flow.timeout(on, seconds=60),
    "idempotent": lambda flow: flow.idempotent("seen", key=same),
    "aggregate of 10": lambda flow: flow.aggregate("groups", int, key=lambda n: n // 10, size=10),
    "batch of 10": lambda flow: flow.batch("lists", int, size=10),
    "debounce of 10": lambda flow: flow.debounce("last", int, key=lambda n: n // 10, quiet=0.01),
    "resequence": lambda flow: flow.resequence("order", int, number=same, gap=1, start=0),
    "delay": lambda flow: flow.delay("later", int, by=0.01),
    "hand_over": lambda flow: flow.hand_over("aside", int, workers=4),
    "saga of 2": lambda flow: flow.saga("acts", int, ACTS),
    "claim and redeem": lambda flow: flow.claim("big", ticket=same).redeem("big", body=int),
    "reply_to": lambda flow: flow.set_header("reply-to", "mock:a").reply_to("mock:a"),
    "enrich through direct:": lambda flow: flow.enrich("direct:other", answer=int),
}


class Rows(Consumer):
    """Rows with keys of their own, whose source does not want to know what became of them."""

    scheme = "rows"
    count: int = GROUPS

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[dict[str, Any]]]:
        for number in range(self.count):
            yield Delivery(Message({"id": number, "name": f"customer {number}", "total": number * 1.5}))


def seconds(pattern: Pattern) -> float:
    """How long a route with this pattern takes for all messages, the start of the service left out."""
    return _run(pattern, COUNT) - _run(pattern, 1)


def _run(pattern: Pattern, count: int) -> float:
    flow = pattern(from_(Numbers(count=count), int)).to(Kept())
    other = from_(DirectSource(name="other"), int)
    start = perf_counter()
    run = anyio.run(partial(run_routes, flow, other, setup=setup_for(Run(), now=time)))
    assert not run.letters, run.letters[0].reason
    return perf_counter() - start


def durably() -> float:
    """The same with groups in SQLite, 64 messages in flight."""

    async def run(path: Path) -> None:
        async with open_sqlite(str(path), {}, time) as store:
            flow = from_(Numbers(count=COUNT), int, policy=Policy(concurrency=64))
            flow = PATTERNS["aggregate of 10"](flow).to(Kept())
            await run_routes(flow, setup=setup_for(Run(), store=store, now=time))

    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        anyio.run(run, Path(folder) / "store.db")
        return perf_counter() - start


async def open_groups(store: Any) -> tuple[float, float]:
    """Megabytes of 10,000 open groups with timers, and the processor's seconds in a second of waiting."""
    flow = from_(Rows(), dict[str, Any], policy=Policy(concurrency=256))
    flow = flow.aggregate("rows", dict[str, Any], key=lambda row: row["id"], timeout=3600)
    async with running(from_(Rows(count=0)).to(Kept()), setup=setup_for(Run(), store=store, now=time)):
        gc.collect()
        tracemalloc.start()
        try:
            async with running(flow, setup=setup_for(Run(), store=store, now=time)) as service:
                counts = service.counts()["route-1"]
                while counts.received < GROUPS or counts.in_flight:
                    await anyio.sleep(0.05)
                gc.collect()
                megabytes = tracemalloc.get_traced_memory()[0] / 1e6
                start = process_time()
                await anyio.sleep(1)
                busy = process_time() - start
                service.force()
        finally:
            tracemalloc.stop()
    return megabytes, busy


def memory() -> Sequence[Figure]:
    async def durable(path: Path) -> tuple[float, float]:
        async with open_sqlite(str(path), {}, time) as store:
            return await open_groups(store)

    kept, busy = anyio.run(open_groups, MemoryStore(time))
    with tempfile.TemporaryDirectory() as folder:
        stored, _ = anyio.run(durable, Path(folder) / "store.db")
    beside = f"messages held in memory; with SQLite {stored:.1f} MB"
    return [
        Figure("patterns: 10,000 open groups with timers", kept, "MB", beside, 20.0),
        Figure("patterns: the same, processor while waiting", busy * 1000, "ms/s", "no polling", 10.0),
    ]


def figures() -> list[Figure]:
    """Microseconds that each pattern adds to a message."""
    bare, *each = alternately(
        ROUNDS, lambda: seconds(on), *[partial(seconds, pattern) for pattern in PATTERNS.values()]
    )
    base = bare / COUNT * MICRO
    beside = f"the route without it {base:.2f} us"
    lines = [
        Figure(f"patterns: {name}", max(taken / COUNT * MICRO - base, 0.0), "us/message", beside)
        for name, taken in zip(PATTERNS, each, strict=True)
    ]
    stored = durably() / COUNT * MICRO - base
    lines.append(Figure("patterns: aggregate of 10 in SQLite", stored, "us/message", beside))
    return [*lines, *memory()]
