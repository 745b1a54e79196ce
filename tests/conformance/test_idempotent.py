"""The idempotent consumer: what Camel's users rely on, and the orphan keys that cannot be here."""

from time import time
from typing import Any

import anyio
import pytest

from routekit import Policy, Retry, Unavailable, from_
from routekit.stores.memory import MemoryStore
from routekit.testing import Feed, Run, Sink, run_routes, running, setup_for

from ..fakes import Watched

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


def memory() -> MemoryStore:
    return MemoryStore(time)


async def test_a_duplicate_ends_and_is_acknowledged() -> None:
    """As `skipDuplicate`."""
    feed, out = Feed([7, 7]), Sink()
    run = await run_routes(from_(feed, int).idempotent("seen", key=lambda n: n).to(out))
    assert (out.bodies, len(feed.acknowledged), run.counts["route-1"].ended) == ([7], 2, 1)


@pytest.mark.parametrize("key", [None, ""])
async def test_a_message_without_a_key_is_refused(key: Any) -> None:
    """As NoMessageIdException: messages without a key are not twins of each other."""
    run = await run_routes(from_(Feed([1]), int).idempotent("seen", key=lambda n: key))
    assert [letter.error for letter in run.letters] == ["BodyError"]


async def test_a_failure_frees_the_key() -> None:
    """As `removeOnFailure`: the message may come again."""
    feed, out = Feed([7, 7]), Sink(fail={1: Unavailable("away")})
    await run_routes(from_(feed, int, policy=REFUSE).idempotent("seen", key=lambda n: n).to(out))
    assert out.bodies == [7]


async def test_a_failure_anywhere_behind_frees_the_key() -> None:
    """As `completionEager=false`: the key follows the whole route, not only a block of it."""
    out = Sink(fail={1: Unavailable("away")})
    inner = from_("direct:in", int).split(lambda n: [n]).to(out)
    caller = from_(Feed([7, 7]), int, policy=REFUSE).idempotent("seen", key=lambda n: n).to("direct:in")
    await run_routes(caller, inner)
    assert out.bodies == [7]


async def test_a_crash_between_seen_and_done_leaves_no_orphan() -> None:
    """Departure: the orphan key makes Camel skip the message for ever; here it is processed again."""
    store, out = memory(), Sink()
    source = Watched([7])

    async def forever(n: int) -> None:
        await anyio.sleep_forever()

    async with running(
        r=from_(source, int).idempotent("seen", key=lambda n: n).transform(forever),
        setup=setup_for(Run(), store=store, drain=1),
    ):
        await anyio.sleep(1)
    assert source.told == [], "it died at work"
    await run_routes(r=from_(Feed([7]), int).idempotent("seen", key=lambda n: n).to(out), store=store)
    assert out.bodies == [7]


async def test_a_twin_at_work_is_waited_for() -> None:
    """Departure: the twin of a message at work is a duplicate at once, so nobody is left if the first one fails."""
    first = [True]
    out = Sink()

    async def work(n: int) -> int:
        await anyio.sleep(5)
        if first[0]:
            first[0] = False
            raise Unavailable("away")
        return n

    policy = Policy(concurrency=3, dead_letter="refuse")
    feed = Feed([7, 7, 7])
    await run_routes(from_(feed, int, policy=policy).idempotent("seen", key=lambda n: n).transform(work).to(out))
    assert out.bodies == [7]
    assert (len(feed.refused), len(feed.acknowledged)) == (1, 2)


async def test_a_retry_is_not_its_own_duplicate() -> None:
    """The same message again within the policy's retries is no twin."""
    out = Sink(fail={1: Unavailable("away")})
    await run_routes(from_(Feed([7]), int, policy=Policy(retry=Retry(1))).idempotent("seen", key=lambda n: n).to(out))
    assert out.bodies == [7]


async def test_what_was_seen_is_kept_by_name_and_not_by_route() -> None:
    """Departure: a repository is shared by its bean; here the name in the route owns it, and renaming loses nothing."""
    store, out = memory(), Sink()
    for name in ("before", "after"):
        flow = from_(Feed([7]), int).idempotent("seen", key=lambda n: n).to(out)
        await run_routes(**{name: flow}, store=store)
    assert out.bodies == [7]


async def test_keys_of_different_types_are_different() -> None:
    """Departure: Camel's keys are texts, so 1 and "1" are one."""
    out = Sink()
    await run_routes(from_(Feed([1, "1"])).idempotent("seen", key=lambda n: n).to(out))
    assert out.bodies == [1, "1"]
