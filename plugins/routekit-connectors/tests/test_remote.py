"""HttpRemote: records over HTTP by a profile, against an API that is asked over real sockets."""

from dataclasses import replace
from typing import Any

import pytest

from routekit import DefinitionError
from routekit.remotes import (
    Abilities,
    Busy,
    Creating,
    Feed,
    FeedExpired,
    Refused,
    Remote,
    Session,
    Stale,
    Taken,
)
from routekit_connectors import (
    Cursor,
    Etag,
    Field,
    Find,
    HttpRemote,
    Marked,
    Offset,
    Outcomes,
    Profile,
    Sign,
    Since,
    Tokens,
)
from routekit_sync.profiling import Sample, broken, check

pytestmark = pytest.mark.anyio

PROFILE = Profile(
    name="toy contacts",
    path="contacts",
    fields=[
        Field("name"),
        Field("email", empty=""),
        Field("street", at="address/street"),
        Field("code", fixed=True),
        Field("score", writable=False),
        Field("amount", read=str, write=float),
    ],
    abilities=Abilities(
        feed=Feed.STAMP, findable=("email",), compare_and_set=True, answers=True, granularity=1.0, archive=None
    ),
    rows="results",
    row="contact",
    made="contact",
    stamp="changed",
    stamp_of=float,
    version=Etag(),
    scan=Offset(size=3, total="count"),
    feed=Since("since", Offset(size=3, total="count"), write=str),
    finds={"email": Find("email", exact=False)},
    outcomes=Outcomes(signs=[Sign(Taken, at="errors/email", says="already exists")], errors=["errors"]),
)


def remote(**changes: Any) -> HttpRemote:
    return HttpRemote(replace(PROFILE, **changes), "crm")


async def everything(session: Session) -> list[Any]:
    page = await session.scan()
    found = list(page.records)
    while page.next is not None:
        page = await session.scan(page.next)
        found += page.records
    return found


async def test_it_is_a_remote(host: Any, contacts: Any) -> None:
    """It has the shape of the contract, and asks nothing before it is asked."""
    made = remote()
    assert isinstance(made, Remote)
    assert (made.name, made.abilities) == ("toy contacts", PROFILE.abilities)
    async with made.open(host):
        pass


async def test_all_records_come_page_by_page(host: Any, contacts: Any, peer: Any) -> None:
    """Seven rows in pages of three cost three calls; ids, stamps and the server's clock are there."""
    for number in range(7):
        contacts.add(name=f"n{number}", email=f"{number}@x.test")
    async with remote().open(host) as session:
        found = await everything(session)
        page = await session.scan()
    assert [record.id for record in found] == ["1", "2", "3", "4", "5", "6", "7"]
    assert len(peer.asked) == 4
    assert found[0].stamp == 1_700_000_001.0
    assert page.now == 1_795_262_400.0


async def test_the_feed_begins_where_it_is_told(host: Any, contacts: Any) -> None:
    """What was changed at a time is in it, what was changed before is not."""
    for number in range(3):
        contacts.add(name=f"n{number}", email=f"{number}@x.test")
    async with remote().open(host) as session:
        page = await session.changes(1_700_000_002.0)
    assert [record.id for record in page.records] == ["2", "3"]


async def test_absent_cleared_and_empty_are_three_things(host: Any, contacts: Any, peer: Any) -> None:
    """A field that the row has not is absent; `""` is cleared where the system writes it so, and a value elsewhere."""
    contacts.add(name="", email="")
    async with remote().open(host) as session:
        record = await session.get("1")
        assert record is not None
        assert record.fields == {"name": "", "email": None}
        await session.update("1", {"email": None, "street": "Main 1"})
    assert peer.last.document == {"email": "", "address": {"street": "Main 1"}}


async def test_what_cannot_be_written_is_refused_before_it_is_sent(host: Any, contacts: Any, peer: Any) -> None:
    """Unknown fields, those that are only read, and values that do not fit are named with the reason."""
    contacts.add(name="Ada", email="ada@x.test")
    async with remote().open(host) as session:
        with pytest.raises(Refused) as wrong:
            await session.update("1", {"mail": "x", "score": 1, "code": "c"})
        with pytest.raises(Refused) as unfit:
            await session.update("1", {"amount": "much"})
    assert wrong.value.fields == {
        "mail": "there is no such field; did you mean 'email'?",
        "score": "it can only be read",
        "code": "it is written only when a record is made",
    }
    assert list(unfit.value.fields) == ["amount"]
    assert peer.asked == []


async def test_a_write_gives_the_record_as_it_is_kept(host: Any, contacts: Any) -> None:
    """With its id, its version and its stamp."""
    async with remote().open(host) as session:
        made = await session.create({"name": "Ada", "email": "ada@x.test", "code": "A1"}, key="k")
        changed = await session.update(made.id, {"name": "Grace"}, version=made.version)
    assert (made.id, made.version, changed.version) == ("1", '"1"', '"2"')
    assert changed.fields == {"name": "Grace", "email": "ada@x.test", "code": "A1"}


async def test_a_write_holds_on_to_a_version(host: Any, contacts: Any) -> None:
    """Of two writers that have read the same version, the second is refused, and so is a delete."""
    contacts.add(name="Ada", email="ada@x.test")
    async with remote().open(host) as session:
        read = await session.get("1")
        assert read is not None
        await session.update("1", {"name": "first"}, version=read.version)
        with pytest.raises(Stale):
            await session.update("1", {"name": "second"}, version=read.version)
        with pytest.raises(Stale):
            await session.delete("1", version=read.version)
    assert contacts.rows["1"]["name"] == "first"


async def test_a_system_that_wants_a_version_gets_the_one_that_is_read(host: Any, contacts: Any, peer: Any) -> None:
    """Where a write must name one, and who asks has none, it is read first."""
    contacts.add(name="Ada", email="ada@x.test")
    async with remote(version=Etag(always=True)).open(host) as session:
        await session.update("1", {"name": "Grace"})
    assert [asked.method for asked in peer.asked] == ["GET", "PATCH"]
    assert peer.last.headers["if-match"] == '"1"'


async def test_a_version_in_a_field_is_sent_back(host: Any, contacts: Any, peer: Any) -> None:
    """In the document of the write."""
    contacts.add(name="Ada", email="ada@x.test")
    async with remote(version=Marked("version", "if_version")).open(host) as session:
        read = await session.get("1")
        assert read is not None
        await session.update("1", {"name": "Grace"}, version=read.version)
    assert read.version == "1"
    assert peer.last.document == {"name": "Grace", "if_version": "1"}


async def test_what_is_not_there_is_none_and_what_is_wrong_is_told(host: Any, contacts: Any, peer: Any) -> None:
    """Reading gives None, deleting is fine; an address that is taken is not refused as something else."""
    contacts.add(name="Ada", email="ada@x.test")
    async with remote().open(host) as session:
        assert await session.get("77") is None
        await session.delete("77")
        with pytest.raises(Taken):
            await session.create({"email": "ada@x.test"}, key="k")
        with pytest.raises(Refused, match="cannot be a part of a path"):
            await session.get("..")


async def test_found_is_what_has_the_value(host: Any, contacts: Any) -> None:
    """A search that gives more than that is made exact here; a field that is not searched is an error."""
    contacts.add(name="Ada", email="ada@x.test")
    contacts.add(name="Amanda", email="amanda@x.test, ada@x.test")
    async with remote().open(host) as session:
        assert [record.id for record in await session.find("email", "ada@x.test")] == ["1"]
        assert await session.find("email", "ADA@x.test") == []
        with pytest.raises(DefinitionError, match="does not find by 'name'"):
            await session.find("name", "Ada")


async def test_several_are_read_one_by_one_or_at_once(host: Any, contacts: Any) -> None:
    """Those that are not there are left out."""
    for number in range(3):
        contacts.add(name=f"n{number}", email=f"{number}@x.test")
    async with remote().open(host) as session:
        assert [record.id for record in await session.many(["1", "9", "3"])] == ["1", "3"]


async def test_a_key_goes_where_the_system_wants_it(host: Any, says: Any, peer: Any) -> None:
    """As a header with a create, the same for each attempt; or in the path of an upsert."""
    host.tables["http", "crm"] = {"url": peer.url}
    peer.answer = lambda asked: says(201, {"contact": {"id": 5}})
    keyed = replace(PROFILE.abilities, creating=Creating.REPLAY)
    async with remote(idempotency="Idempotency-Key", abilities=keyed).open(host) as session:
        await session.create({"name": "Ada"}, key="k-1")
        assert peer.last.headers["idempotency-key"] == "k-1"
    natural = replace(PROFILE.abilities, creating=Creating.NATURAL, external_key="email")
    async with remote(natural="contacts/by-email/{key}", abilities=natural).open(host) as session:
        await session.create({"name": "Ada", "email": "a/b@x.test"}, key="k-1")
    assert (peer.last.method, peer.last.path) == ("PUT", "/contacts/by-email/a%2Fb@x.test")


async def test_a_feed_by_token_goes_on_where_it_ended(host: Any, says: Any, peer: Any) -> None:
    """The last page gives the token for the next look; one that has expired says so."""
    feed = Tokens("sync", "sync_token", Cursor("page", "next_page"))
    abilities = replace(PROFILE.abilities, feed=Feed.TOKEN, tombstones=True)
    host.tables["http", "crm"] = {"url": peer.url}
    pages = {
        None: {"results": [{"id": 1, "gone": True}], "next_page": "p2"},
        "p2": {"results": [{"id": 2, "into": 3}], "sync_token": "t2"},
    }
    peer.answer = lambda asked: (
        says(410) if asked.query.get("sync") == "old" else says(200, pages[asked.query.get("page")])
    )
    async with remote(feed=feed, abilities=abilities, dead="gone", merged="into", stamp="").open(host) as session:
        first = await session.changes("t1")
        assert (first.records[0].deleted, first.token) == (True, None)
        second = await session.changes("t1", first.next)
        assert (second.next, second.token, second.records[0].merged_into) == (None, "t2", "3")
        with pytest.raises(FeedExpired):
            await session.changes("old")


async def test_a_record_that_is_shown_though_it_is_deleted_is_none(host: Any, says: Any, peer: Any) -> None:
    """A system that keeps what it has retired does not make it live."""
    host.tables["http", "crm"] = {"url": peer.url}
    peer.answer = lambda asked: says(200, {"contact": {"id": "1", "retired": True}})
    async with remote(dead="retired").open(host) as session:
        assert await session.get("1") is None


async def test_a_wait_is_no_failure(host: Any, says: Any, peer: Any) -> None:
    """429 says how long."""
    host.tables["http", "crm"] = {"url": peer.url}
    peer.answer = lambda asked: says(429, None, {"retry-after": "3"})
    async with remote().open(host) as session:
        with pytest.raises(Busy) as busy:
            await session.get("1")
    assert busy.value.after == 3.0


async def test_the_check_of_guarantees_runs_against_a_fake_server(host: Any, contacts: Any) -> None:
    """Nothing is broken; when the server stops looking at versions, that is found, and nothing else."""
    sample = Sample({"name": "Ada {marker}", "email": "{marker}@x.test"}, edit="name", clear="email")
    assert broken(await check(remote(), host, sample, patience=0.1)) == []
    contacts.checks = False
    assert [one.name for one in broken(await check(remote(), host, sample, patience=0.1))] == ["compare and set"]
    assert contacts.rows == {}


@pytest.mark.parametrize(
    ("changes", "says_why"),
    [
        ({"feed": None}, "name a feed by stamp"),
        ({"version": None}, "compare_and_set"),
        ({"natural": "x/{key}"}, "natural create"),
        ({"many": "ids"}, "batch"),
        ({"finds": {}}, "'email' is to be found by"),
        ({"stamp": ""}, "the place of the stamp"),
        ({"abilities": replace(PROFILE.abilities, archive={"active": False})}, "'active' archives"),
    ],
)
def test_a_profile_that_contradicts_itself_is_refused(changes: Any, says_why: str) -> None:
    """What the abilities promise has to be there, and what is there has to be promised."""
    with pytest.raises(DefinitionError, match=says_why):
        remote(**changes)
