"""Encryption at rest in PostgreSQL: what a pair of systems remembers cannot be read in the database."""

from base64 import urlsafe_b64encode
from time import time
from typing import Any

import pytest

from routekit import Claim, ValueChange
from routekit.testing import Catalog
from routekit_postgresql.testing import PostgreSQL

pytestmark = pytest.mark.anyio

ADDRESS = "ada.lovelace@example.org"
TEXT = f'{{"a": {{"fields": {{"email": "{ADDRESS}", "note": "wants nobody to know"}}}}}}'


def key(letter: str) -> str:
    return urlsafe_b64encode(letter.encode() * 32).decode().rstrip("=")


def dump(server: PostgreSQL, schema: str) -> str:
    """All rows of all tables of a schema, as text."""
    tables = server.rows("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)
    return "\n".join(row[0] for (table,) in tables for row in server.rows(f"SELECT t::text FROM {schema}.{table} t"))


async def test_nothing_that_is_remembered_can_be_read(server: PostgreSQL, schema: str) -> None:
    """Links with shadows and intents, conflicts, quarantine, tokens and keys that were seen; also with another key."""
    texts = {f"{kind}/1": TEXT for kind in ("link", "conflict", "quarantine")}

    def opened(keys: str) -> Any:
        return Catalog({"KEY": keys}.get).open_store(server.store(schema, key="${KEY}"), time)

    async with opened(key("a")) as store:
        assert await store.values("sync:customers").write([ValueChange(name, text, 0) for name, text in texts.items()])
        await store.values("http-tokens").put("crm", "the-refresh-token")
        assert await store.keys("leads").claim(ADDRESS, owner="me", lease=60) is Claim.MINE
        await store.keys("leads").complete(ADDRESS, owner="me")
    async with opened(f"{key('b')},{key('a')}") as store:
        found = await store.values("sync:customers").many(list(texts))
        assert {name: value.text for name, value in found.items()} == texts
        assert await store.values("sync:customers").write(
            [ValueChange(name, text, found[name].version) for name, text in texts.items()]
        )
        assert await store.keys("leads").claim(ADDRESS, owner="you", lease=60) is Claim.DONE
    async with opened(key("b")) as store:
        assert len(await store.values("sync:customers").many(list(texts))) == 3
        assert await store.keys("leads").claim(ADDRESS, owner="you", lease=60) is Claim.DONE
    rows = dump(server, schema)
    assert "link/1" in rows
    for secret in (ADDRESS, "wants nobody to know", "the-refresh-token"):
        assert secret not in rows
