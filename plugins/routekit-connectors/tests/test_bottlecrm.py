"""BottleCRM as a remote, on a real one: what the profiles say is what it does."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from routekit.remotes import Feed, Forbidden, Gone, Record, Refused, Session, Taken
from routekit_connectors import HttpRemote, bottlecrm
from routekit_connectors.testing import BottleCRM

pytestmark = [pytest.mark.anyio, pytest.mark.real]

LINK = BottleCRM.link_field
ABSENT = "00000000-0000-0000-0000-000000000000"
KINDS: Mapping[str, Mapping[str, Any]] = {
    "contacts": {"first_name": "Ada", "last_name": "Lovelace"},
    "accounts": {"name": "{}"},
    "leads": {"title": "{}", "first_name": "Grace", "last_name": "Hopper", "status": "assigned"},
    "deals": {"name": "{}", "stage": "PROSPECTING", "amount": "100.50", "currency": "EUR"},
    "cases": {"name": "{}", "status": "New", "priority": "High"},
}


def connect(host: Any, server: BottleCRM, name: str = "bottlecrm", token: str = "") -> None:
    auth = {"kind": "bearer", "token": token or server.token}
    host.tables["http", name] = {"url": server.api, "auth": auth}


@pytest.fixture
def anyio_backend() -> str:
    """One event loop, as each call takes real time; the base is tested on both."""
    return "asyncio"


@pytest.fixture
async def contacts(host: Any, bottlecrm_server: BottleCRM) -> AsyncGenerator[Session]:
    connect(host, bottlecrm_server)
    async with bottlecrm.contacts(link=LINK).open(host) as session:
        yield session


def remote(kind: str) -> HttpRemote:
    return getattr(bottlecrm, kind)(link=LINK)


def fresh(kind: str, **more: Any) -> dict[str, Any]:
    name = f"n{uuid4().hex}"
    return {field: value.format(name) for field, value in KINDS[kind].items()} | {LINK: name} | more


async def got(session: Session, id: str) -> Record:
    found = await session.get(id)
    assert found is not None
    return found


async def everything(session: Session) -> dict[str, Record]:
    page = await session.scan()
    found = list(page.records)
    while page.next is not None:
        page = await session.scan(page.next)
        found += page.records
    return {record.id: record for record in found}


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_written_read_found_and_deleted(host: Any, bottlecrm_server: BottleCRM, kind: str) -> None:
    """What is read by id is what is listed; it is found by our id; a deleted one is gone, and may be deleted again."""
    connect(host, bottlecrm_server)
    async with remote(kind).open(host) as session:
        fields = fresh(kind, notes="Likes tea.")
        made = await session.create(fields, key="k")
        found = await got(session, made.id)
        assert {name: found.fields[name] for name in fields} == fields
        assert (await everything(session))[made.id] == found
        assert [record.id for record in await session.find(LINK, fields[LINK])] == [made.id]
        await session.update(made.id, {"notes": None})
        assert (await got(session, made.id)).fields["notes"] is None
        assert (await got(session, made.id)).fields[LINK] == fields[LINK]
        await session.delete(made.id)
        assert await session.get(made.id) is None
        assert made.id not in await everything(session)
        with pytest.raises(Gone):
            await session.update(made.id, {"notes": "x"})
        await session.delete(made.id)
        assert await session.get(ABSENT) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_each_field_that_can_be_written_is_kept(host: Any, bottlecrm_server: BottleCRM, kind: str) -> None:
    """What the system does not know it leaves out in silence: of our fields it is to leave out none."""
    connect(host, bottlecrm_server)
    given: dict[str, Any] = {
        "email": f"x{uuid4().hex}@example.test",
        "phone": "+49 30 123456",
        "company": "Acme",
        "job_title": "CTO",
        "department": "IT",
        "street": "Main St 1",
        "city": "Berlin",
        "state": "BE",
        "postcode": "10115",
        "country": "DE",
        "do_not_call": True,
        "linkedin": "https://example.test/ada",
        "notes": "Tea",
        "active": False,
        "website": "https://example.test",
        "industry": "SOFTWARE",
        "employees": 7,
        "revenue": "10.50",
        "currency": "EUR",
        "source": "call",
        "rating": "HOT",
        "amount": "12.50",
        "probability": 20,
        "close_date": "2026-12-01",
        "closed_on": "2026-12-01",
        "type": "Incident",
    }
    table = remote(kind).profile.fields
    names = [field.name for field in table if field.writable and field.name not in ("account", "contacts")]
    async with remote(kind).open(host) as session:
        made = await session.create(fresh(kind), key="k")
        before = await got(session, made.id)
        wanted = {name: given[name] for name in names if name in given}
        await session.update(made.id, wanted)
        after = await got(session, made.id)
        assert {name: after.fields[name] for name in wanted} == wanted
        rest = set(names) - set(wanted)
        assert rest <= {*KINDS[kind], "assigned_to", LINK}
        assert {name: after.fields[name] for name in rest} == {name: before.fields[name] for name in rest}
        await session.delete(made.id)


async def test_what_belongs_together_is_named_by_id(host: Any, bottlecrm_server: BottleCRM, contacts: Session) -> None:
    """A case names its account and its people, in lists as by itself."""
    async with remote("accounts").open(host) as accounts, remote("cases").open(host) as cases:
        account = await accounts.create(fresh("accounts"), key="k")
        person = await contacts.create(fresh("contacts", account=account.id), key="k")
        case = await cases.create(fresh("cases", account=account.id, contacts=[person.id]), key="k")
        found = await got(cases, case.id)
        assert (found.fields["account"], found.fields["contacts"]) == (account.id, [person.id])
        assert (await everything(cases))[case.id].fields["contacts"] == [person.id]
        assert (await got(contacts, person.id)).fields["account"] == account.id


async def test_an_address_is_there_once_in_any_letters(contacts: Session) -> None:
    """A second contact with it is taken, as is an update to it; it is found in any letter case, not by a part."""
    address = f"Ada.{uuid4().hex}@Example.test"
    made = await contacts.create(fresh("contacts", email=address), key="k")
    other = await contacts.create(fresh("contacts"), key="k")
    with pytest.raises(Taken):
        await contacts.create(fresh("contacts", email=address.lower()), key="k")
    with pytest.raises(Taken):
        await contacts.update(other.id, {"email": address.upper()})
    assert [record.id for record in await contacts.find("email", address.lower())] == [made.id]
    assert not await contacts.find("email", address[1:])


async def test_what_is_refused_says_why_by_field(contacts: Session) -> None:
    """Each field with its reason."""
    with pytest.raises(Refused) as refused:
        await contacts.create({"first_name": "Ada", "country": "Germany", "phone": "x"}, key="k")
    assert set(refused.value.fields) >= {"last_name", "phone"}
    made = await contacts.create(fresh("contacts"), key="k")
    with pytest.raises(Refused) as refused:
        await contacts.update(made.id, {"last_name": None})
    assert set(refused.value.fields) == {"last_name"}


async def test_who_is_not_known_may_not(host: Any, bottlecrm_server: BottleCRM) -> None:
    """A token that is none is answered 403, of which nobody may take that a record is gone."""
    connect(host, bottlecrm_server, "stranger", token="bcrm_pat_nobody")
    async with bottlecrm.contacts("stranger").open(host) as session:
        with pytest.raises(Forbidden):
            await session.get(ABSENT)


async def test_blanks_around_texts_are_cut(contacts: Session) -> None:
    """What comes back is what is kept: so a write has to be read back."""
    made = await contacts.create(fresh("contacts", city="  Berlin "), key="k")
    assert (await got(contacts, made.id)).fields["city"] == "Berlin"
    assert not bottlecrm.contacts().abilities.answers


async def test_other_custom_fields_are_kept(host: Any, contacts: Session) -> None:
    """A write of one leaves the others as they are, and without a link there is none to find by."""
    made = await contacts.create(fresh("contacts"), key="k")
    link = (await got(contacts, made.id)).fields[LINK]
    await contacts.update(made.id, {"notes": "x"})
    assert (await got(contacts, made.id)).fields[LINK] == link
    await contacts.update(made.id, {LINK: None})
    assert LINK not in (await got(contacts, made.id)).fields
    assert bottlecrm.contacts().abilities.external_key is None


async def test_stamps_move_with_changes(contacts: Session) -> None:
    """There is no feed, but a stamp, so that what is unchanged can be told."""
    assert bottlecrm.contacts().abilities.feed is Feed.NONE
    made = await contacts.create(fresh("contacts"), key="k")
    before = (await got(contacts, made.id)).stamp
    await contacts.update(made.id, {"notes": "x"})
    after = (await got(contacts, made.id)).stamp
    assert before is not None
    assert after is not None
    assert after > before
