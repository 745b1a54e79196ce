"""What a person decides is in the ledger, and the next cycle finds it; a cycle that runs meanwhile loses nothing."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from routekit import UnknownName
from routekit.testing import Catalog
from routekit_sync.deciding import decide, decisions, discard, release, replay, unpark
from routekit_sync.kept import Conflict, Held, Quarantined
from routekit_sync.ledger import Known, Ledger, Saving, document
from routekit_sync.state import Link, Shadow
from routekit_sync.units import Decision

pytestmark = pytest.mark.anyio

NOW = 1_000_000.0
LINK = Link(id="l1", a=Shadow(id="7", fields={"name": "Ada"}), b=Shadow(id="70", fields={"title": "Eve"}))
CONFLICT = Conflict(
    id="c1",
    link="l1",
    unit="name",
    value_a={"name": "Ada"},
    value_b={"title": "Eve"},
    outcome="manual",
    why="both",
    at=5.0,
)
GIVEN = Quarantined(link="l1", side="b", code="refused", why="no", first=1.0, last=2.0, attempts=5)


@asynccontextmanager
async def ledger_with(link: Link, *extra: Any) -> AsyncGenerator[Ledger]:
    async with Catalog().open_store("memory:", lambda: NOW) as store:
        ledger = Ledger(store.values("sync:pair"), lambda: NOW, owner="me")
        await ledger.save(Saving(None, link), extra=extra)
        yield ledger


async def kept(ledger: Ledger) -> Link:
    known = await ledger.link("l1")
    assert known is not None
    return known.link


async def test_a_side_is_taken() -> None:
    """The conflict is closed with who decided it, and the link is due at once, with that decision to plan with."""
    waiting = LINK.model_copy(update={"conflicts": {"name": "c1"}})
    async with ledger_with(waiting, document("conflict/c1", CONFLICT)) as ledger:
        assert await decisions(ledger, waiting) == {}, "nobody has decided yet"
        await decide(ledger, CONFLICT, "b", None, "ada", "the desk knows")
        conflict = await ledger.conflict("c1")
        assert conflict is not None
        assert (conflict.open, conflict.outcome, conflict.decided_by, conflict.decided) == (False, "b", "ada", NOW)
        assert conflict.value_a == {"name": "Ada"}, "the loser is kept"
        assert await decisions(ledger, await kept(ledger)) == {"name": "b"}
        assert [each async for each in ledger.todo()] == [("l1", NOW)]


async def test_a_value_is_taken() -> None:
    """What is neither side's value is kept as side a has it."""
    waiting = LINK.model_copy(update={"conflicts": {"name": "c1"}})
    async with ledger_with(waiting, document("conflict/c1", CONFLICT)) as ledger:
        await decide(ledger, CONFLICT, "merged", {"name": "Ada Eve"}, "ada")
        assert await decisions(ledger, await kept(ledger)) == {"name": Decision({"name": "Ada Eve"}, "by ada")}


async def test_what_a_rule_decided_can_be_decided_anew() -> None:
    """The loser of a rule is in the ledger whole, so that a person may take it after all."""
    lost = CONFLICT.model_copy(update={"outcome": "a"})
    async with ledger_with(LINK, document("conflict/c1", lost)) as ledger:
        await decide(ledger, lost, "b", None, "ada")
        assert await decisions(ledger, await kept(ledger)) == {"name": "b"}


async def test_a_replay_forgets_all_failures() -> None:
    """The link is due at once, with all its tries, and out of quarantine."""
    failed = LINK.model_copy(
        update={"attempts": 5, "given_up": "x", "blocked": {"name": "no"}, "refused": {"name": {"name": "Ada"}}}
    )
    async with ledger_with(failed, document("quarantine/l1", GIVEN)) as ledger:
        await replay(ledger, GIVEN)
        link = await kept(ledger)
        assert (link.attempts, link.given_up, link.blocked, link.refused, link.due) == (0, "", {}, {}, NOW)
        assert await ledger.quarantined("l1") is None


async def test_a_discarded_one_is_left_alone() -> None:
    """It is out of the list, and stays given up until its record changes."""
    failed = LINK.model_copy(update={"given_up": "x"})
    async with ledger_with(failed, document("quarantine/l1", GIVEN)) as ledger:
        await discard(ledger, GIVEN)
        assert await ledger.quarantined("l1") is None
        assert (await kept(ledger)).given_up == "x"
        assert [each async for each in ledger.todo()] == []


async def test_a_link_is_unparked() -> None:
    """It takes part again, and what was counted against it is forgotten."""
    parked = LINK.model_copy(update={"state": "parked", "why": "ping-pong", "writes": [1.0, 2.0], "written": ["x"]})
    async with ledger_with(parked) as ledger:
        known = await ledger.link("l1")
        assert known is not None
        await unpark(ledger, known)
        link = await kept(ledger)
        assert (link.state, link.why, link.writes, link.written, link.due) == ("linked", "", [], [], NOW)


async def test_a_cycle_that_writes_the_link_meanwhile_loses_nothing() -> None:
    """What is written between reading the link and writing the decision stays written."""
    waiting = LINK.model_copy(update={"conflicts": {"name": "c1"}})
    async with ledger_with(waiting, document("conflict/c1", CONFLICT)) as ledger:
        read, first = ledger.link, True

        async def interrupted(id: str) -> Known | None:
            nonlocal first
            known = await read(id)
            if first and known is not None:
                first = False
                await ledger.save(Saving(known, known.link.model_copy(update={"drift": ["phone"]})))
            return known

        ledger.link = interrupted  # type: ignore[method-assign]
        await decide(ledger, CONFLICT, "a", None, "ada")
        link = await kept(ledger)
        assert (link.drift, link.due) == (["phone"], NOW)


async def test_held_deletions_are_let_go_once() -> None:
    """As many as are held now; without any that is an error that says so."""
    async with ledger_with(LINK) as ledger:
        with pytest.raises(UnknownName, match="no deletions are held"):
            await release(ledger)
        await ledger.write([document("held", Held(count=40, since=3.0))])
        assert (await release(ledger)).allowed == 40
        held = await ledger.held()
        assert held is not None
        assert (held.count, held.allowed) == (40, 40)
