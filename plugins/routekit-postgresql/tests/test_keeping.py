"""What the tables hold: letters of any version, and texts that are encrypted."""

import json
from typing import Any

import anyio
import pytest

from routekit import Arrival, Letter, StoreError
from routekit_postgresql.testing import PostgreSQL

pytestmark = pytest.mark.anyio


def letter(**changes: Any) -> Letter:
    """A letter."""
    values: dict[str, Any] = {"id": "l1", "body": {"n": 1}, "when": 1.0, "reason": "no", **changes}
    return Letter(message_id="m", route="r", source="s", step="t", place="p", error="E", attempts=1, **values)


async def test_a_letter_of_a_later_version_is_not_read(opened: Any, server: PostgreSQL, schema: str):
    """It is told apart by its version, and stays where it is."""
    async with opened() as store:
        await store.letters.add(letter())
        [(text,)] = server.rows(f"SELECT letter FROM {schema}.letters")
        assert json.loads(text)["version"] == 1
        server.rows(f"UPDATE {schema}.letters SET letter = %s", json.dumps({**json.loads(text), "version": 2}))
        with pytest.raises(StoreError, match="kept in version 2"):
            await store.letters.get("l1")
        assert await store.letters.count() == 1


async def test_odd_characters_of_a_letter_come_back(opened: Any):
    """Half characters, zero bytes and numbers that JSON has no way to write are kept in a letter as they were."""
    async with opened() as store:
        body = {"name": "\udcff.csv", "zero": "a\0b", "é": "☃"}
        await store.letters.add(letter(body=body))
        await store.letters.add(letter(id="l2", body=float("inf")))
        kept = await store.letters.get("l1")
        assert kept is not None
        assert kept.body == body
        assert (await store.letters.list(limit=5))[0].id == "l2"


async def test_a_body_that_is_not_json_is_refused(opened: Any):
    """A letter that cannot be written is a StoreError, and others are kept."""
    async with opened() as store:
        with pytest.raises(StoreError, match="cannot be kept"):
            await store.letters.add(letter(body=object()))
        await store.letters.add(letter())
        assert await store.letters.count() == 1


async def test_what_is_kept_can_be_encrypted(opened: Any, server: PostgreSQL, schema: str):
    """With a key no text of a message is in the tables; a wrong key, or none, is refused."""
    key, other = "A" * 43 + "=", "B" * 42 + "A="
    async with opened(key=key) as store:
        assert await store.journal("j").add("m1", "secret text", owner=store.owner) is Arrival.NEW
        await store.values("v").put("k", "secret text")
        await store.outbox("o").add([("p1", "secret text")])
        await store.letters.add(letter(body="secret text"))
        (entry,) = await store.journal("j").take(owner=store.owner, limit=9)
        assert entry.message == "secret text"
    for table in ("journal", "user_values", "outbox", "letters"):
        assert "secret text" not in str(server.rows(f"SELECT * FROM {schema}.{table}"))
    for wrong in ({}, {"key": other}):
        with pytest.raises(StoreError):
            async with opened(**wrong):
                pass


async def test_large_messages_are_kept(opened: Any):
    """Messages of megabytes that come at once are stored, each in full."""
    async with opened() as store:
        texts = [chr(97 + number) * 3_000_000 for number in range(8)]
        async with anyio.create_task_group() as tasks:
            for number, text in enumerate(texts):
                tasks.start_soon(
                    lambda known, text: store.journal("j").add(known, text, owner=store.owner), str(number), text
                )
        entries = await store.journal("j").take(owner=store.owner, limit=9)
        assert sorted(entry.message for entry in entries) == texts
