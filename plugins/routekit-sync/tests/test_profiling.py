"""The check of remotes: on a good one all holds, and each fault that is made on purpose is found by its own case."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import anyio
import pytest

from routekit.remotes import Creating, Feed, Page, Record
from routekit.testing import virtual
from routekit.testing.remote import (
    PROFILES,
    Deletes,
    FakeRemote,
    FakeSession,
    Fault,
    FaultKind,
    Ghost,
    Knobs,
    Profile,
    Versions,
)
from routekit_sync.profiling import CLAIMS, Guarantee, Sample, Verdict, broken, check, table

pytestmark = pytest.mark.anyio

SAMPLE = Sample({"name": "Ada {marker}", "email": "{marker}@x.test", "note": "n {marker}"}, edit="name", clear="note")
GOOD = Knobs(
    granularity=0.0,
    external_key="ext",
    findable=("email",),
    archive={"active": False},
    page_size=3,
    batch=5,
)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both event loops, in virtual time: waiting for what never shows costs nothing."""
    return virtual(request.param)


@dataclass
class Here:
    """What of a runtime a check asks for."""

    random: Random


def ticking() -> Callable[[], float]:
    """A clock that is a little further each time it is read."""
    ticks = [0]

    def now() -> float:
        ticks[0] += 1
        return 1_700_000_000.0 + anyio.current_time() % 1e6 + ticks[0] * 0.0013717

    return now


def remote(**knobs: Any) -> FakeRemote:
    claims = knobs.pop("claims", {})
    return FakeRemote("toy", replace(GOOD, **knobs, claims=claims), now=ticking())


async def checked(made: Any, sample: Sample | None = SAMPLE, **options: Any) -> Sequence[Guarantee]:
    return await check(made, Here(Random(1)), sample, **options)  # type: ignore[arg-type]


async def test_all_holds_of_a_good_one() -> None:
    """Nothing is broken, and nothing of what was made is left."""
    made = remote()
    found = await checked(made)
    assert [one.name for one in found] == [*(claim.name for claim in CLAIMS), "tidy"]
    assert {one.name: one.seen for one in found if one.verdict is not Verdict.HOLDS} == {}
    assert made.system.records == {}


FAULTS = {
    "create": {"can_create": False, "claims": {"can_create": True}},
    "update": {"can_update": False, "claims": {"can_update": True}},
    "update, ignored": {"read_only": ("name",), "ignores_read_only": True},
    "clear": {"defaults": {"note": "none given"}},
    "answers": {"answers": False, "claims": {"answers": True}},
    "compare and set": {"compare_and_set": False, "claims": {"compare_and_set": True}},
    "compare and set, no version": {"versions": Versions.NONE},
    "compare and set, coarse": {"versions": Versions.STAMP, "granularity": 10.0},
    "delete": {"can_delete": False, "claims": {"can_delete": True}},
    "delete, still read": {"ghost": Ghost.SILENT},
    "archive": {"read_only": ("active",), "ignores_read_only": True},
    "create once, replay": {"creating": Creating.NONE, "claims": {"creating": Creating.REPLAY}},
    "create once, natural": {"creating": Creating.NONE, "claims": {"creating": Creating.NATURAL}},
    "create once, pointer": {"creating": Creating.REFUSE, "claims": {"creating": Creating.POINTER}},
    "create once, refuse": {"creating": Creating.NONE, "claims": {"creating": Creating.REFUSE}},
    "create once, twice said": {"creating": Creating.POINTER, "claims": {"creating": Creating.REPLAY}},
    "scan": {"deletes": Deletes.NEVER},
    "many": {"batch": 1, "claims": {"batch": 2}},
    "find": {"findable": (), "claims": {"findable": ("email",)}},
    "find, external": {"external_key": None, "claims": {"external_key": "ext"}},
    "feed": {"feed": Feed.NONE, "claims": {"feed": Feed.STAMP}},
    "feed, late": {"lag": 20.0, "claims": {"lag": 0.0}},
    "granularity": {"granularity": 1.0, "claims": {"granularity": 0.0}},
    "tombstones": {"deletes": Deletes.SCAN, "claims": {"tombstones": True}},
}
"""What is wrong with a system, by the case that has to find it."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_claim_that_does_not_hold_is_found_by_its_case(fault: str) -> None:
    """Each fault breaks exactly one guarantee; what cannot be tried because of it is not called broken."""
    found = await checked(remote(**FAULTS[fault]))
    assert [one.name for one in broken(found)] == [fault.partition(",")[0]], table(found)
    assert broken(found)[0].seen


UNCLAIMED = {
    "answers": {"answers": False},
    "compare and set": {"compare_and_set": False},
    "archive": {"archive": None},
    "create once": {"creating": Creating.NONE},
    "find": {"findable": (), "external_key": None},
    "tombstones": {"deletes": Deletes.SCAN},
    "clock": {"tells_time": None},
    "kept as written": {"normalise": {"email": str.upper}},
}


@pytest.mark.parametrize("ability", UNCLAIMED)
async def test_what_is_not_claimed_is_no_fault(ability: str) -> None:
    """A system that says what it cannot do breaks nothing: it cannot."""
    found = {one.name: one.verdict for one in await checked(remote(**UNCLAIMED[ability]))}
    assert found[ability] is Verdict.CANNOT
    assert Verdict.BROKEN not in found.values()


@pytest.mark.parametrize("creating", Creating)
async def test_each_contract_of_creating_holds(creating: Creating) -> None:
    """Natural, replay, pointer and refuse are each seen to hold, and none is not claimed."""
    found = {one.name: one for one in await checked(remote(creating=creating), only=["create once"])}
    expected = Verdict.CANNOT if creating is Creating.NONE else Verdict.HOLDS
    assert found["create once"].verdict is expected, found["create once"].seen


async def test_a_feed_by_token_is_checked() -> None:
    """Changes and deletions come after the token of a moment before; stamps are not asked for."""
    found = {one.name: one for one in await checked(remote(feed=Feed.TOKEN))}
    assert found["feed"].verdict is Verdict.HOLDS, found["feed"].seen
    assert found["tombstones"].verdict is Verdict.HOLDS, found["tombstones"].seen
    assert found["granularity"].verdict is Verdict.CANNOT


class Twisted(FakeSession):
    """Gives lists in another way than they are."""

    def __init__(
        self, system: Any, twist: Callable[[Sequence[Record]], Sequence[Record]], lists: Sequence[str]
    ) -> None:
        super().__init__(system)
        self._twist, self._lists = twist, lists

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        return self._twisted("scan", await super().scan(page, fields=fields))

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        return self._twisted("changes", await super().changes(since, page))

    def _twisted(self, name: str, page: Page) -> Page:
        return replace(page, records=self._twist(page.records)) if name in self._lists else page


class TwistedRemote(FakeRemote):
    """A remote whose lists are twisted."""

    def twist(self, how: Callable[[Sequence[Record]], Sequence[Record]], *lists: str) -> "TwistedRemote":
        self._how, self._lists = how, lists
        return self

    @asynccontextmanager
    async def open(self, runtime: Any = None) -> AsyncGenerator[Twisted]:
        yield Twisted(self.system, self._how, self._lists)


TWISTS: dict[str, tuple[Callable[[Sequence[Record]], Sequence[Record]], str]] = {
    "order of the feed": (lambda records: records[::-1], "changes"),
    "feed": (lambda records: [record for record in records for _ in range(2)], "changes"),
    "scan": (lambda records: [*records, *records], "scan"),
    "scan, missing": (lambda records: records[:-1], "scan"),
}


@pytest.mark.parametrize("twist", TWISTS)
async def test_lists_that_lie_are_found(twist: str) -> None:
    """Records in the wrong order, twice, or not at all."""
    how, name = TWISTS[twist]
    made = TwistedRemote("toy", replace(GOOD, page_size=50), now=ticking()).twist(how, name)
    assert [one.name for one in broken(await checked(made))] == [twist.partition(",")[0]]


WEAK = {"Salesforce": ["compare and set"]}


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
async def test_the_vendors_in_memory_keep_what_they_claim(profile: Profile) -> None:
    """What the imitations say of themselves is true of them, but for versions that are stamps of whole seconds."""
    made = FakeRemote(profile.name, profile.knobs, now=ticking())
    found = await checked(made, Sample({"name": "Ada {marker}", "email": "{marker}@x.test"}, edit="name", clear="name"))
    assert [one.name for one in broken(found)] == WEAK.get(profile.name, []), table(found)


async def test_only_its_own_records_are_touched() -> None:
    """What was there before is there after, as it was."""
    made = remote()
    for number in range(4):
        made.system.user_create({"name": f"user's {number}", "email": f"{number}@x.test"})
    before = dict(made.system.records)
    await checked(made)
    assert dict(made.system.records) == before


async def test_without_a_sample_it_only_reads() -> None:
    """Nothing is written; what can be read is tried, and the rest is said to be untried."""
    made = remote()
    for number in range(4):
        made.system.user_create({"name": f"user's {number}", "email": f"{number}@x.test", "ext": f"e{number}"})
    found = {one.name: one.verdict for one in await checked(made, None)}
    assert made.system.writes == []
    assert [found[name] for name in ("scan", "many", "find", "order of the feed", "clock")] == [Verdict.HOLDS] * 5
    assert found["create"] is Verdict.UNTRIED


async def test_what_cannot_be_removed_is_named() -> None:
    """A system that deletes nothing keeps the records, out of use if it can; without that their ids are told."""
    archived = remote(can_delete=False)
    found = await checked(archived)
    assert found[-1].verdict is Verdict.HOLDS
    assert archived.system.records
    assert all(record.fields["active"] is False for record in archived.system.records.values())
    found = await checked(remote(can_delete=False, archive=None))
    assert found[-1].verdict is Verdict.CANNOT
    assert found[-1].seen.startswith("these stay: ")


async def test_being_busy_is_waited_for() -> None:
    """A system that asks to wait breaks no guarantee by that."""
    made = remote()
    made.system.faults.plan(*(Fault(FaultKind.BUSY, op=op, after=5.0) for op in ("create", "update", "scan", "get")))
    assert broken(await checked(made)) == []


async def test_each_guarantee_is_reported_as_it_is_known() -> None:
    """A check of a slow system shows how far it is."""
    reported: list[str] = []
    found = await checked(remote(), report=lambda one: reported.append(one.name))
    assert reported == [one.name for one in found]


def test_the_table_has_a_line_for_each() -> None:
    """Names and verdicts are in columns."""
    lines = table([Guarantee("a", "says", Verdict.HOLDS), Guarantee("longer", "says", Verdict.BROKEN, "seen")])
    assert lines.splitlines() == ["a       holds   says", "longer  broken  seen"]


async def test_a_slow_system_is_not_called_late() -> None:
    """Calls that take seconds do not count as a lag: what shows in the first look shows at once."""
    made = remote(latency=7.0)
    found = await checked(made, only=["feed", "tombstones"])
    assert broken(found) == [], table(found)
    assert found[0].seen == "at once"
