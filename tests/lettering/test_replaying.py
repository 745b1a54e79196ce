"""Replay of many letters."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from routekit import Flow, Policy, Retry, StoreError, Unavailable, from_
from routekit.lettering.editing import edit
from routekit.lettering.recording import NAME
from routekit.lettering.replaying import Outcome, Replay
from routekit.lettering.selecting import Selection
from routekit.stores.sqlite import open_sqlite
from routekit.testing import Feed, Sink, routes_of, run_routes

from .letters import audited, ids, letter, stored

pytestmark = pytest.mark.anyio

MANY = [letter(number) for number in (3, 1, 2)]


async def test_all_in_their_order() -> None:
    """The oldest goes first, whatever the order in which they were kept; those that are done are gone."""
    sink = Sink()
    async with stored(*MANY) as (store, setup):
        routes = routes_of(r=from_(Feed(), int).to(sink))
        report = await Replay(store, routes, setup, "ada").run(Selection())
        assert (report.done, report.failed, report.skipped, report.stopped) == (3, 0, 0, "")
        assert [(one.body, one.id) for one in sink.messages] == [(1, "m1"), (2, "m2"), (3, "m3")]
        assert await ids(store) == []


async def test_what_is_not_meant_stays() -> None:
    """Also letters of other routes, of the same one, and those that are given up meanwhile."""
    sink = Sink()
    async with stored(*MANY, letter(4, route="other"), letter(5, "many")) as (store, setup):
        routes = routes_of(r=from_(Feed(), int).to(sink))
        await Replay(store, routes, setup, "ada").run(Selection(route="r", before=3.0))
        assert (sink.bodies, await ids(store)) == ([1, 2], ["l3", "l4", "l5"])


async def test_of_several_routes_and_entries() -> None:
    """Each goes in where it did: those of one place after the other, the place of the oldest first."""
    first, second, parts = Sink(), Sink(), Sink()
    routes = routes_of(
        r=from_(Feed(), int).to(first),
        s=from_(Feed(), int).to(second),
        p=from_(Feed(), list[int]).split(lambda ns: ns, on_error="dead_letter_items").to(parts),
    )
    those = [letter(1), letter(2, route="s"), letter(3), letter(4, route="p", entry=1), letter(5, [6], route="p")]
    async with stored(*those) as (store, setup):
        report = await Replay(store, routes, setup, "ada").run(Selection())
        assert (report.done, first.bodies, second.bodies, parts.bodies) == (5, [1, 3], [2], [4, 6])


async def test_failing_again_keeps_the_letter() -> None:
    """With what it failed with now and how often that was tried, beside what it failed with first."""
    sink = Sink(fail={2: KeyError("new"), 3: KeyError("new")})
    async with stored(*MANY) as (store, setup):
        setup = replace(setup, policy=Policy(retry=()))
        report = await Replay(store, routes_of(r=from_(Feed(), int).to(sink)), setup, "ada").run(Selection())
        assert (report.done, report.failed) == (1, 2)
        assert report.outcomes[0] == Outcome(
            letter="l2", message_id="m2", route="r", result="failed", error="KeyError", reason="'new'", step="to sink:"
        )
        kept = await store.letters.get("l2")
        assert kept is not None
        assert (kept.error, kept.reason, kept.attempts, kept.body) == ("ValueError", "bad 2", 1, 2)
        tried = {"who": "ada", "when": 100.0, "attempts": 1, "error": "KeyError", "reason": "'new'", "step": "to sink:"}
        assert kept.replays == [tried]
        await Replay(store, routes_of(r=from_(Feed(), int).to(Sink(fail={1: OSError("x")}))), setup, "bob").run(
            Selection(ids=("l2",))
        )
        again = await store.letters.get("l2")
        assert again is not None
        assert [one["who"] for one in again.replays] == ["ada", "bob"]


async def test_it_stops_after_so_many_failures() -> None:
    """The others were not tried, and stay as they are."""
    sink = Sink(fail={number: ValueError("no") for number in range(1, 9)})
    async with stored(*MANY) as (store, setup):
        replay = Replay(store, routes_of(r=from_(Feed(), int).to(sink)), setup, "ada", failures=2)
        report = await replay.run(Selection())
        assert (report.failed, report.stopped, len(sink.sends)) == (2, "stopped after 2 failures", 2)
        left = await store.letters.get("l3")
        assert left == MANY[0]


async def test_at_a_rate() -> None:
    """One after the other with the time between them that the rate says."""
    times: list[float] = []
    async with stored(*MANY) as (store, setup):
        routes = routes_of(r=from_(Feed(), int).transform(lambda n: times.append(anyio.current_time())))
        await Replay(store, routes, setup, "ada", rate=0.5).run(Selection())
        assert [round(time - times[0], 3) for time in times] == [0, 2, 4]


async def test_all_of_it_is_in_the_audit() -> None:
    """That it was begun, what became of each, and how it ended."""
    async with stored(*MANY) as (store, setup):
        sink = Sink(fail={2: ValueError("no")})
        await Replay(store, routes_of(r=from_(Feed(), int).to(sink)), setup, "ada").run(Selection(route="r"))
        what = '{"route":"r"}'
        assert await audited(store) == [("ada", "letters.replay", one) for one in (what, "l1", "l2", "l3", what)]
        said = [deed.details for deed in reversed(await store.audit.list())]
        assert said == [
            "begun: 3 letters",
            "done: message m1 of r",
            "failed again: message m2 of r: ValueError: no",
            "done: message m3 of r",
            "ended: 2 done, 1 failed again, 0 skipped",
        ]


async def test_what_another_process_replays_is_skipped() -> None:
    """It is neither sent twice nor lost; what it has released can be replayed at once."""
    sink = Sink()
    async with stored(*MANY) as (store, setup):
        keys = store.keys(NAME)
        await keys.claim("l2", owner="another", lease=600)
        replay = Replay(store, routes_of(r=from_(Feed(), int).to(sink)), setup, "ada")
        report = await replay.run(Selection())
        assert (report.done, report.skipped, sink.bodies) == (2, 1, [1, 3])
        assert "another process works at letter l2" in report.outcomes[0].reason
        await keys.release("l2", owner="another")
        assert (await replay.run(Selection())).done == 1


async def test_a_letter_that_is_done_elsewhere_is_skipped() -> None:
    """A letter that goes away after it was listed is not replayed from the list."""
    sink = Sink()
    async with stored(*MANY) as (store, setup):

        async def forget(n: int) -> int:
            await store.letters.remove("l2")
            return n

        routes = routes_of(r=from_(Feed(), int).transform(forget).to(sink))
        report = await Replay(store, routes, setup, "ada").run(Selection())
        assert (report.done, report.skipped, sink.bodies) == (2, 1, [1, 3])


async def test_a_letter_that_goes_away_while_it_fails() -> None:
    """It does not come back."""
    async with stored(letter(1)) as (store, setup):

        async def forget(n: int) -> int:
            await store.letters.remove("l1")
            raise ValueError("no")

        report = await Replay(store, routes_of(r=from_(Feed(), int).transform(forget)), setup, "ada").run(Selection())
        assert (report.failed, await ids(store)) == (1, [])


class _Forgetful:
    """Letters that cannot be removed."""

    def __init__(self, letters: Any) -> None:
        self._letters = letters

    async def remove(self, id: str) -> bool:
        raise Unavailable("the disk is away")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._letters, name)


async def test_a_store_that_does_not_forget() -> None:
    """A letter that cannot be removed has failed, says why, and stays: it is better sent twice than lost."""
    async with stored(letter(1)) as (store, setup):
        store.letters = _Forgetful(store.letters)  # type: ignore[misc]
        report = await Replay(store, routes_of(r=from_(Feed(), int)), setup, "ada").run(Selection())
        assert (report.failed, report.outcomes[0].reason) == (1, "the disk is away")
        assert await ids(store) == ["l1"]


async def test_routes_that_are_gone_or_wrong() -> None:
    """Their letters fail with the reason; those of the others are replayed."""
    sink = Sink()
    routes = routes_of(r=from_(Feed(), int).to(sink))
    async with stored(letter(1, route="rr"), letter(2), letter(3, entry=4)) as (store, setup):
        report = await Replay(store, routes, setup, "ada").run(Selection())
        assert (report.done, report.failed, sink.bodies) == (1, 2, [2])
        assert [one.reason for one in report.outcomes] == [
            "letter l1 is of route 'rr'; did you mean 'r'?",
            "route 'r' has 0 places where parts enter, asked for 4; the route has changed since the letter was written",
        ]


async def test_a_sink_that_is_away_comes_back() -> None:
    """Each letter fails as long as it is away; once it is there the next ones are done."""
    sink = Sink()
    opened: list[int] = []

    class Away(Sink):
        def open(self, runtime: Any) -> Any:
            opened.append(1)
            if len(opened) == 1:
                raise Unavailable("away")
            return sink.open(runtime)

    async with stored(*MANY) as (store, setup):
        report = await Replay(store, routes_of(r=from_(Feed(), int).to(Away())), setup, "ada").run(Selection())
        assert (report.done, report.failed, sink.bodies) == (2, 1, [2, 3])
        assert report.outcomes[0].reason == "away"


async def test_progress_is_told() -> None:
    """One outcome for each letter, when it is known."""
    told: list[str] = []
    async with stored(*MANY) as (store, setup):
        replay = Replay(store, routes_of(r=from_(Feed(), int)), setup, "ada", tell=lambda one: told.append(one.letter))
        await replay.run(Selection())
        assert told == ["l1", "l2", "l3"]


async def test_beside_a_service(tmp_path: Path) -> None:
    """A route that keeps what waits is refused while a service runs on the store; the others are not."""
    waits = from_(Feed(), int).aggregate("pairs", int, key=lambda n: 1, size=2, timeout=5).to(Sink())
    sink = Sink()
    routes = routes_of(w=waits, r=from_(Feed(), int).idempotent("seen", key=str).to(sink))
    async with (
        stored() as (_, setup),
        replace(setup, store=f"sqlite:{tmp_path / 'x.db'}").opened_store(),
        open_sqlite(str(tmp_path / "x.db"), {}, lambda: 100.0) as store,
    ):
        await store.letters.add(letter(1, route="w"))
        await store.letters.add(letter(2))
        report = await Replay(store, routes, replace(setup, store=store), "ada").run(Selection())
        assert (report.done, report.failed, sink.bodies) == (1, 1, [2])
        reason = report.outcomes[0].reason
        assert reason.startswith(
            "the route keeps messages that wait (aggregate, delay, resequence and their like), nam"
        )
        assert reason.endswith("letters of other routes need not wait for that")


async def test_no_service_starts_beside_such_a_replay(tmp_path: Path) -> None:
    """As long as a tool keeps what waits, it is the only one; it may be followed by another."""
    uri = f"sqlite:{tmp_path / 'x.db'}"
    refused: list[Exception] = []
    async with stored() as (_, setup), open_sqlite(str(tmp_path / "x.db"), {}, lambda: 100.0) as store:

        async def look(n: int) -> int:
            try:
                async with replace(setup, store=uri).opened_store():
                    pass
            except StoreError as error:
                refused.append(error)
            return n

        routes = routes_of(
            w=from_(Feed(), int).transform(look).aggregate("pairs", int, key=lambda n: 1, size=2, timeout=5).to(Sink())
        )
        await store.letters.add(letter(1, route="w"))
        report = await Replay(store, routes, replace(setup, store=store), "ada").run(Selection())
        assert (report.done, len(refused)) == (1, 1)
        async with replace(setup, store=uri).opened_store() as following:
            assert len(await following.groups("pairs").all()) == 1


async def test_a_durable_route() -> None:
    """Its journal knows the message as one that is finished; its letter is replayed nevertheless."""
    sink = Sink()
    policy = Policy(durable="store")
    async with stored() as (store, setup):
        broken = from_(Feed([1]), int, policy=policy).transform(lambda n: n // 0)
        run = await run_routes(r=broken, setup=setup)
        assert len(run.letters) == 1
        routes = routes_of(r=from_(Feed(), int, policy=policy).to(sink))
        report = await Replay(store, routes, setup, "ada").run(Selection())
        assert (report.done, sink.bodies, await ids(store)) == (1, [1], [])


async def test_a_durable_route_does_not_repeat_its_effects() -> None:
    """What it had done for the message is not done again, nor by the replay's own retries; what is left is."""
    first, second = Sink(), Sink(fail={2: OSError("busy")})
    policy = Policy(durable="store", retry=Retry(1))

    def flow(broken: bool) -> Flow[Any]:
        def check(n: int) -> int:
            return n // 0 if broken else n

        return from_(Feed([1]), int, policy=policy).to(first).transform(check).to(second).to(Sink())

    async with stored() as (store, setup):
        await run_routes(r=flow(True), setup=setup)
        assert (first.bodies, second.bodies) == ([1], [])
        second.sends.append(None)  # the next one is the second, which fails
        report = await Replay(store, routes_of(r=flow(False)), setup, "ada").run(Selection())
        assert (report.done, first.bodies, second.bodies) == (1, [1], [1])


async def test_an_edited_letter_does_all_again() -> None:
    """What was done was done with another body."""
    first = Sink()
    policy = Policy(durable="store")

    def flow(broken: bool) -> Flow[Any]:
        return from_(Feed([1]), int, policy=policy).to(first).transform(lambda n: n // 0 if broken else n).to(Sink())

    async with stored() as (store, setup):
        run = await run_routes(r=flow(True), setup=setup)
        routes = routes_of(r=flow(False))
        await edit(store, routes, setup, run.letters[0].id, body=2, who="ada", why="")
        report = await Replay(store, routes, setup, "ada").run(Selection())
        assert (report.done, first.bodies) == (1, [1, 2])


async def test_a_letter_remembers_the_latest_replays() -> None:
    """However often it is tried, it does not grow without end; all letters are called so in the audit."""
    async with stored(letter(1, replays=[{"who": str(number)} for number in range(100)])) as (store, setup):
        await Replay(store, routes_of(r=from_(Feed(), int).transform(lambda n: n // 0)), setup, "ada").run(Selection())
        (kept,) = await store.letters.list()
        assert [one["who"] for one in kept.replays] == [*(str(number) for number in range(1, 100)), "ada"]
        assert (await store.audit.list())[0].what == "all"
