"""Parties of the real Tryton: flat fields over parts, versions, the feed, merges, and errors in answers of 200."""

import json
import urllib.error
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from routekit.remotes import Forbidden, Gone, Refused, Session, Stale, Taken, Unclear
from routekit_connectors import tryton

pytestmark = [pytest.mark.anyio, pytest.mark.real]

EVERYTHING = {
    "name": "Ada Lovelace",
    "email": "ada@x.test",
    "phone": "+41 44 668 18 00",
    "mobile": "+41 79 123 45 67",
    "website": "https://ada.example.test",
    "street": "Main 1",
    "postal_code": "3000",
    "city": "Bern",
    "tax_id": "BE0897290877",
}


@pytest.fixture
def anyio_backend() -> str:
    """One event loop: that the calls run on both is held by the tests of the base."""
    return "asyncio"


@pytest.fixture
def marker() -> str:
    return uuid4().hex


async def changed(session: Session, since: float) -> dict[str, Mapping[str, Any]]:
    """All that the feed tells from a time on, and that each comes once, in the order of time."""
    page = await session.changes(since)
    records = list(page.records)
    while page.next is not None:
        page = await session.changes(since, page.next)
        records += page.records
    assert len({record.id for record in records}) == len(records)
    assert [record.stamp for record in records] == sorted(record.stamp or 0.0 for record in records)
    return {record.id: record.fields for record in records}


async def test_a_record_has_what_was_written(host: Any, erp: str, marker: str) -> None:
    """Plain fields, ways to be reached, the address and the identifiers come back as they were given."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create({**EVERYTHING, "external": marker}, key="k")
        record = await session.get(made.id)
        assert record is not None
        assert {name: record.fields[name] for name in EVERYTHING} == EVERYTHING
        assert record.fields["external"] == marker
        assert (record.fields["active"], record.fields["fax"], record.fields["country"]) == (True, None, None)
        assert [found.id for found in await session.find("external", marker)] == [made.id]
        assert [found.id for found in await session.find("code", record.fields["code"])] == [made.id]


async def test_only_what_is_named_is_changed(host: Any, erp: str, hands: Any) -> None:
    """One field changes; the others, and the parts that records do not show, stay."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create(EVERYTHING, key="k")
        hands.do("party.contact_mechanism", "create", [{"party": int(made.id), "type": "email", "value": "2@x.test"}])
        await session.update(made.id, {"email": "new@x.test", "city": "Basel"})
        record = await session.get(made.id)
        assert record is not None
        assert {**EVERYTHING, "email": "new@x.test", "city": "Basel"}.items() <= record.fields.items()
    kept = hands.do(
        "party.contact_mechanism", "search_read", [["party", "=", int(made.id)], ["type", "=", "email"]], 0, None,
        [["id", "ASC"]], ["value"],
    )  # fmt: skip
    assert [row["value"] for row in kept] == ["new@x.test", "2@x.test"]


async def test_cleared_is_not_absent(host: Any, erp: str) -> None:
    """None removes a telephone and empties the town; names that are not there are left alone."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create(EVERYTHING, key="k")
        await session.update(made.id, {"phone": None, "city": None, "tax_id": None, "fax": None})
        record = await session.get(made.id)
    assert record is not None
    assert [record.fields[name] for name in ("phone", "city", "tax_id", "fax")] == [None] * 4
    assert record.fields["street"] == "Main 1"


async def test_a_new_party_may_have_nothing_but_a_name(host: Any, erp: str) -> None:
    """Fields that are None make no empty parts, and Tryton gives a number."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create({"name": "Ada", "email": None, "city": None, "country": None}, key="k")
        record = await session.get(made.id)
    assert record is not None
    assert record.fields["code"]
    assert [record.fields[name] for name in ("email", "city", "country")] == [None] * 3


async def test_a_country_is_a_code_that_the_server_knows(host: Any, erp: str, hands: Any) -> None:
    """A known one is written and read; for another the field is named that is to blame."""
    if not hands.do("country.country", "search", [["code", "=", "CH"]], 0, 1, None):
        hands.do("country.country", "create", [{"name": "Switzerland", "code": "CH"}])
    async with tryton.parties(erp).open(host) as session:
        made = await session.create({"name": "Ada", "country": "CH"}, key="k")
        record = await session.get(made.id)
        assert record is not None
        assert record.fields["country"] == "CH"
        with pytest.raises(Refused) as refused:
            await session.update(made.id, {"country": "XX"})
    assert list(refused.value.fields) == ["country"]


@pytest.mark.parametrize("model", ["party.party", "party.contact_mechanism", "party.address", "party.identifier"])
async def test_a_newer_version_is_not_overwritten(host: Any, erp: str, hands: Any, model: str) -> None:
    """Whichever part of a party somebody has changed, a write and a delete that name the version before are refused."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create(EVERYTHING, key="k")
        read = await session.get(made.id)
        assert read is not None
        number = int(made.id) if model == "party.party" else hands.part(made.id, model)
        hands.do(model, "write", [number], {})
        with pytest.raises(Stale):
            await session.update(made.id, {"city": "Basel"}, version=read.version)
        with pytest.raises(Stale):
            await session.delete(made.id, version=read.version)
        again = await session.get(made.id)
        assert again is not None
        assert again.fields["city"] == "Bern"
        await session.update(made.id, {"city": "Basel"}, version=again.version)


async def test_what_changes_between_the_read_and_the_write_is_seen(
    host: Any, erp: str, hands: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tryton holds the write against what was read: with a version it is refused, without one it is read anew."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create(EVERYTHING, key="k")
        read = await session.get(made.id)
        assert read is not None
        left, values = [2], session.values

        async def interfering(*arguments: Any) -> Any:
            if left[0]:
                left[0] -= 1
                hands.do("party.party", "write", [int(made.id)], {"name": f"other {left[0]}"})
            return await values(*arguments)

        monkeypatch.setattr(session, "values", interfering)
        with pytest.raises(Stale):
            await session.update(made.id, {"city": "Basel"}, version=read.version)
        await session.update(made.id, {"city": "Chur"})
        monkeypatch.undo()
        after = await session.get(made.id)
    assert after is not None
    assert (after.fields["city"], after.fields["name"], left[0]) == ("Chur", "other 0", 0)


async def test_the_feed_tells_of_changes_of_any_part(host: Any, erp: str, hands: Any) -> None:
    """A new e-mail address by itself does not change the party, and is told all the same; what is older is not."""
    async with tryton.parties(erp).open(host) as session:
        first, second = [await session.create(EVERYTHING, key="k") for _ in range(2)]
        read = await session.get(second.id)
        assert read is not None
        assert read.stamp is not None
        hands.do("party.contact_mechanism", "write", [hands.part(second.id, "party.contact_mechanism")], {"value": "q"})
        found = await changed(session, read.stamp + 0.000001)
        assert second.id in found
        assert first.id not in found
        assert found[second.id]["email"] == "q"
        assert second.id in await changed(session, read.stamp)


@pytest.mark.parametrize("page", [2, 5])
async def test_many_changes_come_in_order_each_once(host: Any, erp: str, hands: Any, page: int) -> None:
    """However small the pages, and though all parts of a transaction have one stamp."""
    async with tryton.parties(erp).open(host) as session:
        start = await session.create({"name": "start"}, key="k")
        begun = await session.get(start.id)
        assert begun is not None
        assert begun.stamp is not None
    made = hands.do("party.party", "create", [{"name": f"n{number}"} for number in range(7)])
    hands.do(
        "party.address", "create", [{"party": number, "city": f"c{number}"} for number in made for _ in range(3)]
    )  # fmt: skip
    hands.do("party.party", "write", [made[3]], {"name": "late"})
    async with tryton.parties(erp, page=page).open(host) as session:
        found = await changed(session, begun.stamp)
    assert [*found] == [start.id, *(str(one) for one in made if one != made[3]), str(made[3])]


async def test_all_come_once_by_a_scan(host: Any, erp: str, hands: Any) -> None:
    """With and without fields, also those out of use; without fields there are ids, stamps and versions."""
    made = hands.do("party.party", "create", [{"name": "n"} for _ in range(5)])
    hands.do("party.party", "write", made, {"active": False})
    for fields in (True, False):
        async with tryton.parties(erp, page=3).open(host) as session:
            page = await session.scan(fields=fields)
            records = list(page.records)
            while page.next is not None:
                page = await session.scan(page.next, fields=fields)
                records += page.records
            one = await session.get(records[0].id)
        assert one is not None
        assert {str(number) for number in made} <= {record.id for record in records}
        assert len({record.id for record in records}) == len(records)
        assert (records[0].stamp, records[0].version) == (one.stamp, one.version)
        assert dict(records[0].fields) == (one.fields if fields else {})


async def test_a_merged_party_tells_into_which(host: Any, erp: str, hands: Any) -> None:
    """In the feed, read by its id, and when somebody writes to it."""
    async with tryton.parties(erp).open(host) as session:
        loser, winner = [await session.create({"name": "Ada"}, key="k") for _ in range(2)]
        before = await session.get(loser.id)
        assert before is not None
        hands.merge(int(loser.id), int(winner.id))
        after = await session.get(loser.id)
        assert after is not None
        assert (after.deleted, after.merged_into, after.fields) == (True, winner.id, {})
        page = await session.changes(before.stamp)
        assert winner.id in [record.merged_into for record in page.records]
        with pytest.raises(Gone) as gone:
            await session.update(loser.id, {"name": "x"})
    assert gone.value.merged_into == winner.id


async def test_what_is_deleted_is_gone(host: Any, erp: str) -> None:
    """Reading gives None, deleting again is fine, and writing says so."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create(EVERYTHING, key="k")
        await session.delete(made.id)
        await session.delete(made.id)
        assert await session.get(made.id) is None
        assert await session.get("no-id-at-all") is None
        with pytest.raises(Gone):
            await session.update(made.id, {"name": "x"})


async def test_what_we_may_not_see_is_not_gone(host: Any, erp: str, hands: Any, marker: str) -> None:
    """A rule hides a party: lists leave it out, but asked for it says that it is forbidden, as does a write to it."""
    async with tryton.parties(erp).open(host) as session:
        made = await session.create({"name": f"Ada {marker}"}, key="k")
        domain = json.dumps([["name", "!=", f"Ada {marker}"]])
        rules = [["create", [{"domain": domain}]]]
        rule = hands.do(
            "ir.rule.group", "create",
            [{"name": marker, "model": "party.party", "global_p": True, "perm_read": True, "rules": rules}],
        )  # fmt: skip
        try:
            assert await session.find("name", f"Ada {marker}") == []
            with pytest.raises(Forbidden):
                await session.get(made.id)
            with pytest.raises(Forbidden):
                await session.update(made.id, {"city": "Bern"})
        finally:
            hands.do("ir.rule.group", "delete", rule)
        assert await session.get(made.id) is not None


async def test_errors_with_status_200_are_errors(host: Any, erp: str) -> None:
    """A number that is taken, a tax id that is none, a field that there is not: each is told as what it is."""
    code = uuid4().hex[:8]
    async with tryton.parties(erp).open(host) as session:
        await session.create({"name": "Ada", "code": code}, key="k")
        with pytest.raises(Taken):
            await session.create({"name": "Bob", "code": code}, key="k")
        with pytest.raises(Refused) as wrong:
            await session.create({"name": "Bob", "tax_id": "BE1"}, key="k")
        with pytest.raises(Refused, match="does not take nmae") as unknown:
            await session.create({"nmae": "Bob"}, key="k")
    assert list(wrong.value.fields) == ["tax_id"]
    assert unknown.value.fields == {"nmae": "there is no such field; did you mean 'name'?"}


async def test_it_logs_in_again_when_its_session_has_ended(host: Any, erp: str, tryton_server: Any, hands: Any) -> None:
    """Tryton ends all sessions of a user whose password is set; the next call works, as it is the same one."""
    async with tryton.parties(erp).open(host) as session:
        await session.scan()
        hands.do("res.user", "write", [hands.user], {"password": tryton_server.password})
        with pytest.raises(urllib.error.HTTPError, match="401"):
            hands.do("party.party", "search", [], 0, 1, None)
        assert (await session.scan()).records


async def test_a_wrong_password_is_said_without_it(host: Any, erp: str, tryton_server: Any) -> None:
    """Nobody may do anything then, and the password is in no text."""
    auth = {"kind": "basic", "user": "admin", "password": "not-the-one"}
    host.tables["http", "wrong"] = {**host.tables["http", "erp"], "auth": auth}
    async with tryton.parties("wrong").open(host) as session:
        with pytest.raises(Forbidden, match="does not let 'admin' log in") as refused:
            await session.scan()
    assert "not-the-one" not in f"{refused.value}{refused.value.__cause__!r}{session.rpc!r}"


async def test_a_create_without_an_answer_is_unclear_and_found_by_our_id(host: Any, erp: str, marker: str) -> None:
    """It is carried out, and its answer is too long to be taken: nobody knows, and looking it up tells that it is."""
    host.tables["http", "deaf"] = {**host.tables["http", "erp"], "max_answer": 8}
    async with tryton.parties("deaf").open(host) as session:
        with pytest.raises(Unclear):
            await session.create({"name": "Ada", "external": marker}, key="k")
    async with tryton.parties(erp).open(host) as session:
        assert len(await session.find("external", marker)) == 1
