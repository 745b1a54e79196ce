"""Encryption at rest: nothing of a message is readable in the file, keys may change, a wrong one is told."""

import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from time import time
from typing import Any

import pytest

from routekit import BadOption, Claim, Exclusive, Letter, Store, StoreError, ValueChange
from routekit.stores._cipher import Cipher, cipher_of
from routekit.testing import Catalog

pytestmark = pytest.mark.anyio

SECRET = "hunter2-Ωmega"


def key(letter: str) -> str:
    return urlsafe_b64encode(letter.encode() * 32).decode().rstrip("=")


def opened(folder: Path, keys: str | None) -> AbstractAsyncContextManager[Store]:
    lookup = {"KEY": keys or ""}.get
    option = "?key=${KEY}" if keys is not None else ""
    return Catalog(lookup).open_store(f"sqlite:{folder}/s.db{option}", time)


async def fill(store: Store) -> None:
    """Put the secret wherever a message may be."""
    owner = store.owner
    await store.marks("m").put("k", SECRET)
    await store.groups("g").add("k", "m1", SECRET, owner=owner)
    await store.journal("j").add("m1", "before", owner=owner)
    await store.journal("j").checkpoint("m1", "there", SECRET, owner=owner)
    await store.journal("j").record("m1", "to(x)", SECRET, owner=owner)
    await store.values("v").put("k", SECRET)
    await store.outbox("o").add([("p1", SECRET)])
    await store.letters.add(letter())


def letter() -> Letter:
    told = [{"by": SECRET}]
    headers = {"h": SECRET}
    return Letter(
        "1", "m1", "r", "s", "t", "p", "E", f"no {SECRET}", 1, 1.0, {"sealed": SECRET}, headers, 0, [SECRET], told, "",
        "", SECRET, headers, {"to(x)": SECRET}, told, told,
    )  # fmt: skip


async def texts(store: Store) -> Mapping[str, Any]:
    """All that `fill` has put in, read again."""
    (group,) = await store.groups("g").all()
    (entry,) = await store.journal("j").take(owner=store.owner, limit=9)
    (parcel,) = await store.outbox("o").take(owner="me", lease=0, limit=9)
    value = await store.values("v").get("k")
    assert value is not None
    return {
        "mark": await store.marks("m").get("k"),
        "marks": (await store.marks("m").items())[0][1],
        "group": (await store.groups("g").messages(group.number))[0],
        "journal": entry.message,
        "effect": (await store.journal("j").effects("m1"))["to(x)"],
        "value": value.text,
        "values": (await store.values("v").items())[0][1].text,
        "parcel": parcel.message,
    }


async def test_nothing_of_a_message_is_in_the_file(tmp_path: Path) -> None:
    """Texts come back with the key, and their bytes are nowhere in the database."""
    async with opened(tmp_path, key("a")) as store:
        assert isinstance(store, Exclusive)  # encrypted or not, it is for one service
        await fill(store)
    raw = (tmp_path / "s.db").read_bytes()
    assert SECRET.encode() not in raw
    assert b"hunter2" not in raw
    async with opened(tmp_path, key("a")) as store:
        assert set((await texts(store)).values()) == {SECRET}
        assert list(await store.letters.list()) == [letter()]
        assert await store.letters.get("1") == letter()
        (cluster,) = await store.letters.clusters()
        assert cluster.text.startswith("no ")


async def test_keys_stay_readable(tmp_path: Path) -> None:
    """Names, keys and ids are those that were given, so that another key finds what was done."""
    async with opened(tmp_path, key("a")) as store:
        await store.marks("m").put("ann@example.org", "x")
    connection = sqlite3.connect(tmp_path / "s.db")
    assert connection.execute("SELECT key FROM routekit_marks WHERE name = 'm'").fetchall() == [("ann@example.org",)]
    connection.close()


async def test_a_wrong_key_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    """Opening tells it, and no key at all; with the right one all is there."""
    async with opened(tmp_path, key("a")) as store:
        await fill(store)
    for wrong, told in ((key("b"), "encrypted with another key"), (None, "the store is encrypted")):
        with pytest.raises(StoreError, match=told):
            async with opened(tmp_path, wrong):
                pass
    async with opened(tmp_path, key("a")) as store:
        assert set((await texts(store)).values()) == {SECRET}


async def test_keys_may_change(tmp_path: Path) -> None:
    """The first of several keys seals, all of them open; what the old one sealed is refused once it is gone."""
    async with opened(tmp_path, key("a")) as store:
        await store.marks("m").put("old", "1")
    async with opened(tmp_path, f"{key('b')},{key('a')}") as store:
        await store.marks("m").put("new", "2")
        assert list(await store.marks("m").items()) == [("new", "2"), ("old", "1")]
    async with opened(tmp_path, key("b")) as store:
        assert await store.marks("m").get("new") == "2"
        with pytest.raises(StoreError, match=r"another key.*key=NEW,OLD"):
            await store.marks("m").get("old")


async def test_what_was_there_before_encryption_is_read(tmp_path: Path) -> None:
    """A store may be encrypted later: what is in it stays as it is until it is written again."""
    async with opened(tmp_path, None) as store:
        await fill(store)
    async with opened(tmp_path, key("a")) as store:
        assert set((await texts(store)).values()) == {SECRET}
        assert list(await store.letters.list()) == [letter()]


async def test_a_text_that_was_changed_or_moved_is_refused(tmp_path: Path) -> None:
    """Who can write to the file cannot give one message the text of another."""
    async with opened(tmp_path, key("a")) as store:
        await store.marks("m").put("one", "1")
        await store.marks("m").put("two", "2")
    connection = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    connection.execute(
        "UPDATE routekit_marks SET value = (SELECT value FROM routekit_marks WHERE key = 'one') WHERE key = 'two'"
    )
    connection.close()
    async with opened(tmp_path, key("a")) as store:
        assert await store.marks("m").get("one") == "1"
        with pytest.raises(StoreError, match="changed, or belongs elsewhere: marks m two"):
            await store.marks("m").get("two")


async def test_every_store_can_be_encrypted() -> None:
    """Also the one in memory, and a service may still be the only one of a file."""
    async with Catalog().open_store(f"memory:?key={key('a')}", time) as store:
        await store.values("v").put("k", SECRET)
        found = await store.values("v").get("k")
        assert found is not None
        assert (found.text, found.version) == (SECRET, 1)


@pytest.mark.parametrize("wrong", ["", "hunter2", "é", f"{key('a')},hunter2", "a" * 100])
def test_what_is_no_key_is_refused_without_being_shown(wrong: str) -> None:
    """The error says how long it is, and what makes a key."""
    with pytest.raises(BadOption, match="routekit store key") as error:
        cipher_of(wrong)
    assert "hunter2" not in str(error.value)


def test_a_text_of_a_later_release_is_refused() -> None:
    """With what to do."""
    cipher = Cipher([b"a" * 32])
    later = cipher.seal("x", "p").replace("sealed:1:", "sealed:2:")
    with pytest.raises(StoreError, match="sealed in version 2"):
        cipher.open(later, "p")


def test_the_same_text_is_sealed_differently_each_time() -> None:
    """So that nobody sees which messages are equal."""
    cipher = Cipher([b"a" * 32])
    assert cipher.seal("x", "p") != cipher.seal("x", "p")
    assert cipher.open(cipher.seal("\ud83d é", "p"), "p") == "\ud83d é"


ADDRESS = "ada.lovelace@example.org"


async def seen(store: Store) -> Claim:
    """What becomes of a claim on the address, which is done then."""
    keys = store.keys("leads")
    claim = await keys.claim(ADDRESS, owner=store.owner, lease=60)
    await keys.complete(ADDRESS, owner=store.owner)
    return claim


async def test_keys_that_were_seen_are_hashed(tmp_path: Path) -> None:
    """No address is in the file; it is found again, also with a new key, and is not that of another name."""
    async with opened(tmp_path, key("a")) as store:
        assert await seen(store) is Claim.MINE
        assert await store.keys("others").claim(ADDRESS, owner="me", lease=60) is Claim.MINE
        assert await store.keys("others").claim(ADDRESS, owner="you", lease=60) is Claim.HELD
        await store.keys("others").release(ADDRESS, owner="me")
        assert await store.keys("others").claim(ADDRESS, owner="you", lease=60) is Claim.MINE
    assert ADDRESS.encode() not in (tmp_path / "s.db").read_bytes()
    async with opened(tmp_path, f"{key('b')},{key('a')}") as store:
        assert await seen(store) is Claim.DONE
    async with opened(tmp_path, key("b")) as store:
        assert await seen(store) is Claim.DONE
        assert await store.keys("leads").prune(before=time() + 1) == 1
        assert await seen(store) is Claim.MINE


async def test_keys_of_a_store_that_is_encrypted_later_are_found(tmp_path: Path) -> None:
    """What was done before its encryption is not done again, by whichever key."""
    async with opened(tmp_path, None) as store:
        assert await seen(store) is Claim.MINE
    for keys in (key("a"), key("a"), f"{key('b')},{key('a')}"):
        async with opened(tmp_path, keys) as store:
            assert await seen(store) is Claim.DONE


async def test_what_a_pair_of_systems_remembers_is_sealed(tmp_path: Path) -> None:
    """Values that are written together, such as a link with its shadows, its intents and a conflict."""
    texts = {f"{kind}/1": f'{{"email": "{ADDRESS}", "of": "{kind}"}}' for kind in ("link", "conflict", "quarantine")}
    async with opened(tmp_path, key("a")) as store:
        values = store.values("sync:customers")
        assert await values.write([ValueChange(name, text, 0) for name, text in texts.items()])
    async with opened(tmp_path, f"{key('b')},{key('a')}") as store:
        values = store.values("sync:customers")
        found = await values.many(list(texts))
        assert {name: value.text for name, value in found.items()} == texts
        assert await values.write([ValueChange("link/1", texts["link/1"], found["link/1"].version)])
    assert ADDRESS.encode() not in (tmp_path / "s.db").read_bytes()
    async with opened(tmp_path, key("b")) as store:
        values = store.values("sync:customers")
        assert (await values.many(["link/1"]))["link/1"].text == texts["link/1"]
        with pytest.raises(StoreError, match="another key"):
            await values.many(["conflict/1"])
