"""The lists of a remote in memory: feed, scan and pages, and what they show of deleted and hidden records."""

from random import Random

import pytest

from routekit.remotes import Feed, FeedExpired, Forbidden, Page, Record, Refused, Session
from routekit.testing.remote import Deletes, FakeRemote, FakeSystem, Ghost, Hidden, Knobs, Paging

pytestmark = pytest.mark.anyio


class Hand:
    """A clock that a test turns by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def made(*, seed: int = 0, **knobs: object) -> tuple[FakeSystem, Session, Hand]:
    """A system with a session, and its clock."""
    clock = Hand()
    remote = FakeRemote("crm", Knobs(**knobs), now=clock, random=Random(seed))  # pyright: ignore[reportArgumentType]  # each test names its own knobs
    return remote.system, remote.session(), clock


async def whole(session: Session, since: float | str | None = None) -> tuple[list[Record], Page]:
    """All pages of the feed, and the last one."""
    page = await session.changes(since)
    found = list(page.records)
    while page.next is not None:
        page = await session.changes(since, page.next)
        found += page.records
    return found, page


async def scanned(session: Session) -> list[str]:
    page = await session.scan()
    found = [record.id for record in page.records]
    while page.next is not None:
        page = await session.scan(page.next)
        found += [record.id for record in page.records]
    return found


async def test_a_feed_by_stamp_has_what_changed_at_or_after_a_time() -> None:
    """Ordered by stamp and id, each record once, also where many share one stamp and a page is smaller than that."""
    system, session, clock = made(granularity=1.0, page_size=3)
    for number in range(10):
        system.user_create({"n": number})
    clock.at += 5.4
    system.user_edit("000004", {"n": 40})
    records, page = await whole(session)
    assert [record.id for record in records] == [f"{n:06d}" for n in (1, 2, 3, 5, 6, 7, 8, 9, 10, 4)]
    assert records[-1].stamp == 1005.0
    assert page.now == 1005.4
    assert [record.id for record in (await session.changes(1005.0)).records] == ["000004"]


async def test_the_clock_of_a_system_is_its_own() -> None:
    """Stamps and the time that is told are ahead of ours by the skew."""
    system, session, _ = made(skew=600.0, tells_time=1.0)
    system.user_create({})
    page = await session.changes(None)
    assert (page.records[0].stamp, page.now) == (1600.0, 1600.0)


async def test_the_index_shows_a_change_late_and_the_record_as_it_was_until_then() -> None:
    """No later than the lag says, while `get` and the scan have it at once."""
    system, session, clock = made(lag=10.0)
    made_id = system.user_create({"n": 1})
    assert (await session.changes(None)).records == []
    assert await scanned(session) == [made_id]
    clock.at += 10.0
    system.user_edit(made_id, {"n": 2})
    assert [record.fields for record in (await session.changes(None)).records] == [{"n": 1}]
    found = await session.get(made_id)
    assert found is not None
    assert found.fields == {"n": 2}
    clock.at += 10.0
    assert [record.fields for record in (await session.changes(None)).records] == [{"n": 2}]


async def test_a_lag_lets_later_changes_be_seen_earlier() -> None:
    """Who goes on behind the newest stamp that was seen misses some: that is what an overlap is for."""
    system, session, clock = made(lag=10.0)
    early = set[str]()
    for _ in range(20):
        system.user_create({})
        clock.at += 1.0
    newest = -1.0
    for record in (await session.changes(None)).records:
        early.add(record.id)
        newest = max(newest, record.stamp or 0.0)
    clock.at += 10.0
    late = {record.id for record in (await session.changes(newest)).records}
    assert set(system.records) - early - late
    behind = {record.id for record in (await session.changes(newest - 10.0)).records}
    assert early | behind == set(system.records)


async def test_pages_by_offset_shift_while_records_change() -> None:
    """A record that was there all the time is missed by offset, and not by keyset."""
    missed: dict[Paging, int] = {}
    for paging in Paging:
        system, session, clock = made(paging=paging, page_size=2)
        for _ in range(6):
            system.user_create({})
            clock.at += 1.0
        first = await session.changes(None)
        system.user_edit(first.records[0].id, {"n": 1})
        seen = {record.id for record in first.records}
        page = first
        while page.next is not None:
            page = await session.changes(None, page.next)
            seen |= {record.id for record in page.records}
        missed[paging] = len(set(system.records) - seen)
    assert missed == {Paging.KEYSET: 0, Paging.OFFSET: 1}


async def test_a_scan_by_offset_repeats_records_when_new_ones_come() -> None:
    """The newest is first, so each new one moves all others on."""
    system, session, _ = made(paging=Paging.OFFSET, page_size=2)
    for _ in range(4):
        system.user_create({})
    first = await session.scan()
    system.user_create({})
    second = await session.scan(first.next)
    assert [record.id for record in first.records] == ["000004", "000003"]
    assert [record.id for record in second.records] == ["000003", "000002"]


async def test_a_scan_for_ids_has_no_fields() -> None:
    """It has stamp and version all the same, and pages by id."""
    system, session, _ = made(page_size=2)
    for number in range(5):
        system.user_create({"n": number})
    page = await session.scan(fields=False)
    assert [(record.fields, record.version is not None) for record in page.records] == [({}, True)] * 2
    assert await scanned(session) == list(system.records)


async def test_a_feed_by_token_gives_each_changed_record_once() -> None:
    """From the beginning all there are, and then what changed since, with tombstones."""
    system, session, _ = made(feed=Feed.TOKEN, page_size=2)
    for number in range(5):
        system.user_create({"n": number})
    records, page = await whole(session)
    assert len(records) == 5
    system.user_edit("000002", {"n": 20})
    system.user_edit("000002", {"n": 21})
    system.user_edit("000001", {"n": 10})
    system.user_delete("000005")
    changed, page = await whole(session, page.token)
    assert [(record.id, record.deleted) for record in changed] == [
        ("000002", False),
        ("000001", False),
        ("000005", True),
    ]
    assert changed[0].fields == {"n": 21}
    assert (await whole(session, page.token))[0] == []


async def test_a_feed_by_token_misses_nothing_though_the_index_is_late() -> None:
    """Its token does not go on behind a change that is not shown yet."""
    system, session, clock = made(feed=Feed.TOKEN, lag=10.0, seed=3)
    _, page = await whole(session)
    token = page.token
    seen = set[str]()
    for _ in range(30):
        system.user_create({})
        clock.at += 1.0
        records, page = await whole(session, token)
        token = page.token
        seen |= {record.id for record in records}
    clock.at += 10.0
    records, _ = await whole(session, token)
    assert seen | {record.id for record in records} == set(system.records)
    assert seen


async def test_a_token_is_known_for_its_life_alone() -> None:
    """After that, and for a text that is none, all has to be read again."""
    system, session, clock = made(feed=Feed.TOKEN, token_life=60.0)
    _, page = await whole(session)
    clock.at += 60.0
    system.user_create({})
    assert len((await whole(session, page.token))[0]) == 1
    clock.at += 0.5
    with pytest.raises(FeedExpired):
        await session.changes(page.token)
    with pytest.raises(FeedExpired):
        await session.changes("yesterday")


async def test_a_system_without_a_feed_says_so() -> None:
    """It is refused, as is a stamp where a token belongs."""
    _, session, _ = made(feed=Feed.NONE)
    with pytest.raises(Refused, match="no feed"):
        await session.changes(None)
    _, session, _ = made(feed=Feed.TOKEN)
    with pytest.raises(Refused, match="token"):
        await session.changes(5.0)


@pytest.mark.parametrize(
    ("deletes", "feed", "scan"),
    [(Deletes.FEED, [True], []), (Deletes.SCAN, [], []), (Deletes.NEVER, [False], ["000001"])],
)
async def test_a_deleted_record_is_noticed_where_the_knob_says(
    deletes: Deletes, feed: list[bool], scan: list[str]
) -> None:
    """In the feed, by its absence in a scan, or nowhere; `get` has none in each case."""
    system, session, clock = made(deletes=deletes)
    system.user_create({"n": 1})
    clock.at += 1.0
    system.user_delete("000001")
    assert [record.deleted for record in (await session.changes(None)).records] == feed
    assert await scanned(session) == scan
    assert await session.get("000001") is None


@pytest.mark.parametrize(
    ("ghost", "answer"), [(Ghost.TOLD, (True, dict[str, int]())), (Ghost.SILENT, (False, {"n": 1}))]
)
async def test_a_retired_record_can_be_got_still(ghost: Ghost, answer: tuple[bool, dict[str, int]]) -> None:
    """As a tombstone, or as if nothing had happened; it can be written by neither."""
    system, session, _ = made(ghost=ghost)
    system.user_create({"n": 1})
    system.user_delete("000001")
    found = await session.get("000001")
    assert found is not None
    assert (found.deleted, found.fields) == answer


async def test_a_deleted_record_can_be_brought_back() -> None:
    """It has its id and its fields again, and a new stamp."""
    system, session, clock = made()
    system.user_create({"n": 1})
    system.user_delete("000001")
    clock.at += 1.0
    system.user_restore("000001")
    found = await session.get("000001")
    assert found is not None
    assert (found.fields, found.stamp) == ({"n": 1}, 1001.0)


async def test_a_record_that_may_not_be_seen_is_in_no_list() -> None:
    """Asked for, it is forbidden, or said not to be there; what the user has is unchanged."""
    system, session, _ = made(findable=["n"])
    system.user_create({"n": 1})
    system.user_hide("000001")
    assert await scanned(session) == []
    assert (await session.changes(None)).records == []
    assert await session.find("n", 1) == []
    assert await session.many(["000001"]) == []
    with pytest.raises(Forbidden):
        await session.get("000001")
    assert list(system.records) == ["000001"]
    system.user_show("000001")
    assert await scanned(session) == ["000001"]

    system, session, _ = made(hidden=Hidden.MISSING)
    system.user_create({"n": 1})
    system.user_hide("000001")
    assert await session.get("000001") is None


async def test_a_page_that_is_none_is_refused() -> None:
    """What somebody made up is no way to go on."""
    _, session, _ = made()
    with pytest.raises(Refused, match="no page"):
        await session.scan("seven")
