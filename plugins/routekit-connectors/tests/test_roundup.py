"""Roundup as a remote, on a real tracker: what the profile says is what the tracker does."""

from collections.abc import AsyncGenerator
from time import time
from typing import Any
from uuid import uuid4

import pytest

from routekit import Store
from routekit.remotes import Busy, Creating, Forbidden, Gone, Record, Refused, Remote, Session, Stale, Taken
from routekit.testing import Catalog
from routekit_connectors import roundup
from routekit_connectors.testing import Roundup

pytestmark = [pytest.mark.anyio, pytest.mark.real]


@pytest.fixture
def anyio_backend() -> str:
    """One event loop, as each call takes real time; the base is tested on both."""
    return "trio"


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    async with Catalog().open_store("memory:", time) as store:
        yield store


def connect(host: Any, server: Roundup, name: str = "roundup", user: str = "", password: str = "") -> None:
    auth = {"kind": "basic", "user": user or server.user, "password": password or server.password}
    host.tables["http", name] = {"url": server.url, "auth": auth}


@pytest.fixture
async def issues(host: Any, store: Store, roundup_server: Roundup) -> AsyncGenerator[Session]:
    connect(host, roundup_server)
    host.store = store
    async with roundup.issues().open(host) as session:
        yield session


def new() -> str:
    return f"Printer {uuid4().hex}"


def key() -> str:
    return uuid4().hex


async def got(session: Session, id: str) -> Record:
    found = await session.get(id)
    assert found is not None
    return found


async def everything(session: Session, *, fields: bool = True) -> dict[str, Record]:
    page = await session.scan(fields=fields)
    found = list(page.records)
    while page.next is not None:
        page = await session.scan(page.next, fields=fields)
        found += page.records
    return {record.id: record for record in found}


async def many_times(session: Session) -> None:
    for _ in range(20):
        await session.scan()


async def test_what_is_written_is_read(issues: Session) -> None:
    """Names of states and people go in and come out; what is cleared is None, and an empty list is an empty list."""
    title = new()
    fields = {"title": title, "status": "chatting", "priority": "bug", "assigned_to": "agent", "nosy": ["admin"]}
    made = await issues.create(fields, key=key())
    found = await got(issues, made.id)
    assert dict(found.fields) | {"created": "", "nosy": []} == {
        "title": title,
        "status": "chatting",
        "priority": "bug",
        "assigned_to": "agent",
        "nosy": [],
        "keywords": [],
        "superseded_by": [],
        "messages": [],
        "created": "",
        "created_by": "admin",
        "changed_by": "admin",
    }
    assert found.fields["nosy"] == ["admin", "agent"]  # who is assigned is told of it: the tracker's own rule
    await issues.update(made.id, {"assigned_to": None, "priority": None, "nosy": []}, version=found.version)
    cleared = await got(issues, made.id)
    await issues.update(made.id, {"nosy": []})  # once more: there is nothing to be taken out
    assert (cleared.fields["assigned_to"], cleared.fields["priority"]) == (None, None)
    assert cleared.fields["nosy"] == []
    assert cleared.fields["status"] == "chatting"


async def test_a_title_that_is_cleared_is_none(issues: Session) -> None:
    """The tracker knows no empty texts."""
    made = await issues.create({"title": new()}, key=key())
    await issues.update(made.id, {"title": ""})
    assert (await got(issues, made.id)).fields["title"] is None


async def test_a_write_holds_on_to_a_version(issues: Session) -> None:
    """A write that rests on an old version is refused, and changes nothing; one that names none reads it first."""
    made = await issues.create({"title": new()}, key=key())
    old = await got(issues, made.id)
    assert old.version
    await issues.update(made.id, {"status": "chatting"})
    with pytest.raises(Stale):
        await issues.update(made.id, {"status": "resolved"}, version=old.version)
    assert (await got(issues, made.id)).fields["status"] == "chatting"
    with pytest.raises(Stale):
        await issues.delete(made.id, version=old.version)


async def test_the_same_create_is_carried_out_once(host: Any, issues: Session) -> None:
    """Its second attempt is refused, also by another session on the same store: one issue, found by its title."""
    once, title = key(), new()
    assert roundup.issues().abilities.creating is Creating.REFUSE
    made = await issues.create({"title": title}, key=once)
    with pytest.raises(Taken):
        await issues.create({"title": title}, key=once)
    async with roundup.issues().open(host) as other:
        with pytest.raises(Taken):
            await other.create({"title": title}, key=once)
    assert [record.id for record in await issues.find("title", title)] == [made.id]


async def test_a_create_that_was_refused_can_be_mended(issues: Session) -> None:
    """A refusal uses up the URL that works once, and yet the same create may be tried again."""
    once, title = key(), new()
    with pytest.raises(Refused, match="is not a status"):
        await issues.create({"title": title, "status": "nonsense"}, key=once)
    await issues.create({"title": title, "status": "chatting"}, key=once)
    assert len(await issues.find("title", title)) == 1


async def test_a_title_is_found_as_it_is(issues: Session) -> None:
    """Not by a part of it, and not in other letters."""
    title = new()
    made = await issues.create({"title": title}, key=key())
    assert [record.id for record in await issues.find("title", title)] == [made.id]
    assert not await issues.find("title", title[:-1])
    assert not await issues.find("title", title.upper())


async def test_the_feed_tells_changes_from_a_time_on(issues: Session) -> None:
    """Whole seconds: what changed in the second that is asked for is told, in order, with the clock of the answer."""
    first = await issues.create({"title": new()}, key=key())
    stamp = (await got(issues, first.id)).stamp
    assert stamp is not None
    assert abs(stamp - time()) < 60
    assert stamp == int(stamp)
    second = await issues.create({"title": new()}, key=key())
    page = await issues.changes(stamp)
    told = [record.id for record in page.records]
    assert {first.id, second.id} <= set(told)
    assert [record.stamp for record in page.records] == sorted(record.stamp or 0 for record in page.records)
    assert page.now is not None
    assert abs(page.now - time()) < 60
    later = await issues.changes(stamp + 3600)
    assert later.records == []


async def test_a_retired_issue_is_gone(issues: Session) -> None:
    """It is in no list, cannot be read or changed, and may be deleted again, though the tracker shows it by id."""
    made = await issues.create({"title": new()}, key=key())
    await issues.delete(made.id)
    assert await issues.get(made.id) is None
    assert made.id not in await everything(issues)
    with pytest.raises(Gone):
        await issues.update(made.id, {"title": "x"})
    await issues.delete(made.id)
    assert await issues.get("999999999") is None
    await issues.delete("999999999")


async def test_a_scan_without_fields_has_ids_and_stamps(issues: Session) -> None:
    """That is what costs nothing."""
    made = await issues.create({"title": new()}, key=key())
    found = (await everything(issues, fields=False))[made.id]
    assert found.stamp is not None
    assert not found.fields


async def test_what_the_tracker_will_not_take_is_refused(host: Any, issues: Session, roundup_server: Roundup) -> None:
    """A value that is none, a field that is none, a user that is none, and one who may not."""
    made = await issues.create({"title": new()}, key=key())
    with pytest.raises(Refused, match="is not a status"):
        await issues.update(made.id, {"status": "nonsense"})
    with pytest.raises(Refused):
        await issues.update(made.id, {"colour": "red"})
    connect(host, roundup_server, "stranger", password="wrong")
    async with roundup.issues("stranger").open(host) as session:
        with pytest.raises(Forbidden):
            await session.get(made.id)
    connect(host, roundup_server, "agent", user=roundup_server.agent)
    async with roundup.users("agent").open(host) as session:
        with pytest.raises(Forbidden):
            await session.update("1", {"name": "Somebody"})


async def test_messages_hold_texts_and_issues_name_them(host: Any, issues: Session) -> None:
    """A message is made by itself, and belongs to an issue once that names it."""
    async with roundup.messages().open(host) as messages:
        date = "2026-11-21T10:00:00+00:00"
        said = await messages.create({"content": "It burns.\n", "author": "agent", "date": date}, key=key())
        made = await issues.create({"title": new(), "messages": [said.id]}, key=key())
        found = await got(messages, said.id)
    assert (found.fields["content"].strip(), found.fields["author"], found.fields["date"]) == (
        *("It burns.", "agent"),
        date,
    )
    assert (await got(issues, made.id)).fields["messages"] == [said.id]


async def test_a_user_is_there_once(host: Any, issues: Session) -> None:
    """A second one of the same name is taken, and it is found by name and address."""
    async with roundup.users().open(host) as users:
        name = f"u{uuid4().hex[:12]}"
        made = await users.create({"username": name, "email": f"{name}@example.test", "roles": "User"}, key=key())
        with pytest.raises(Taken):
            await users.create({"username": name, "email": "other@example.test"}, key=key())
        assert [found.id for found in await users.find("username", name)] == [made.id]
        assert [found.id for found in await users.find("email", f"{name}@example.test")] == [made.id]


async def test_too_many_calls_are_told_with_the_time_to_wait(host: Any, store: Store) -> None:
    """Nothing was done, and nothing has failed: it says when to call again."""
    host.store = store
    with Roundup(calls=4) as server:
        connect(host, server, "busy")
        async with roundup.issues("busy").open(host) as session:
            with pytest.raises(Busy) as busy:
                await many_times(session)
    assert 0 < busy.value.after <= 60


def test_what_puts_an_issue_out_of_use_can_be_said() -> None:
    """Trackers have names of their own for it."""
    assert roundup.issues().abilities.archive == {"status": "resolved"}
    assert roundup.issues(closed=None).abilities.archive is None


def test_a_property_of_the_tracker_takes_our_id() -> None:
    """Then it is the external key, and a field like others."""
    made: Remote = roundup.issues(link="routekit_id")
    assert made.abilities.external_key == "routekit_id"
    assert made.name == "roundup issues"
