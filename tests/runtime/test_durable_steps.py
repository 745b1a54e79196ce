"""Steps that keep state of their own, in a durable route: whatever crashes, nothing is lost, and nothing is done twice.

The sink stands in the middle: what was recorded before the crash is not repeated, and at most the effect at which the
process died is.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from routekit import Act, Flow, Policy, from_
from tests.crashing import DEATHS, Outside, every_crash

pytestmark = pytest.mark.anyio

DURABLE = Policy(durable="store")
Route = Callable[[Flow[int], Any], Flow[Any]]


def same(n: int) -> int:
    return n


STEPS: dict[str, tuple[Route, list[Any]]] = {
    "idempotent": (lambda flow, sink: flow.idempotent("seen", key=lambda n: n).to(sink).log("x"), [1, 2]),
    "aggregate": (lambda flow, sink: flow.aggregate("pairs", int, key=lambda n: 0, size=2).to(sink).log("x"), [[1, 2]]),
    "delay": (lambda flow, sink: flow.delay("later", int, by=5.0).to(sink).log("x"), [1, 2]),
    "hand_over": (lambda flow, sink: flow.hand_over("aside", int).to(sink).log("x"), [1, 2]),
    "resequence": (
        lambda flow, sink: flow.resequence("order", int, number=same, gap=5.0, start=1).to(sink).log("x"),
        [1, 2],
    ),
    "debounce": (lambda flow, sink: flow.debounce("calm", int, key=same, quiet=2.0).to(sink).log("x"), [1, 2]),
    "split": (lambda flow, sink: flow.split(lambda n: [n, n + 10]).to(sink).log("x"), [1, 11, 2, 12]),
    "multicast": (lambda flow, sink: flow.multicast(lambda one: one.to(sink), lambda two: two.to(sink)), [1, 1, 2, 2]),
    "loop": (lambda flow, sink: flow.loop(lambda body: body.to(sink), times=2).log("x"), [1, 1, 2, 2]),
    "claim": (
        lambda flow, sink: flow.claim("kept", ticket=lambda n: n).to(sink).redeem("kept", int).log("x"),
        [1, 2],
    ),
    "saga": (
        lambda flow, sink: flow.saga("book", int, [Act("a", do=lambda do: do.to(sink), undo=None)]).log("x"),
        [1, 2],
    ),
}


@pytest.mark.parametrize("word", STEPS)
async def test_no_crash_loses_or_doubles_what_a_step_keeps(word: str) -> None:
    """At whatever operation the process dies; afterwards journal and groups are empty."""
    made, wanted = STEPS[word]

    def flow(outside: Outside) -> Flow[Any]:
        return made(from_(outside.source, int, policy=DURABLE), outside.sink)

    async def check(outside: Outside) -> None:
        sent = Counter(map(repr, outside.bodies))
        due = Counter(map(repr, wanted))
        assert not due - sent, f"lost: {due - sent}"
        at_once = 2 if word in ("debounce", "delay", "hand_over") else 1  # messages that the step lets go on together
        assert (sent - due).total() <= at_once * len(outside.crashed), f"doubled: {sent - due}"
        assert not outside.letters
        assert not outside.waiting
        assert await outside.store.journal("route-1").count() == 0

    assert await every_crash(flow, lambda: Outside([1, 2]), check, kinds=DEATHS, patience=100.0) > 10
