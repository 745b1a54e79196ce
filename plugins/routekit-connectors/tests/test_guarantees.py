"""Each connector keeps on the real system what its abilities claim, by the check that everybody can run."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from time import time
from typing import Any

import pytest

from routekit import Store
from routekit.remotes import Remote
from routekit.testing import Catalog
from routekit_connectors import bottlecrm, roundup, tryton
from routekit_sync.profiling import Sample, Verdict, broken, check, table

pytestmark = [pytest.mark.anyio, pytest.mark.real]


@pytest.fixture
def anyio_backend() -> str:
    """One event loop, as each call takes real time."""
    return "asyncio"


@dataclass(frozen=True)
class Tried:
    """A remote, the records that may be made of it, and what its system cannot give."""

    remote: Remote
    sample: Sample
    cannot: frozenset[str]
    """Names of guarantees that are not claimed; what is wished for and not there is among them."""


PARTY = Sample(
    {"name": "Ada {marker}", "email": "{marker}@example.test", "city": "Bern", "external": "{marker}"},
    edit="name",
    clear="city",
)
_BLIND = frozenset({"feed", "order of the feed", "granularity"})
ISSUE = Sample({"title": "Printer {marker}"}, edit="title")
PERSON = {"first_name": "Ada {marker}", "last_name": "Lovelace", "email": "{marker}@example.test", "notes": "{marker}"}
TRIED = {
    "tryton parties": Tried(tryton.parties("erp"), PARTY, frozenset({"answers", "create once", "tombstones"})),
    "roundup issues": Tried(roundup.issues(), ISSUE, frozenset({"answers", "tombstones"})),
    "bottlecrm contacts": Tried(
        bottlecrm.contacts(),
        Sample(PERSON, edit="first_name", clear="notes"),
        _BLIND | {"answers", "compare and set", "create once", "tombstones"},
    ),
}


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    async with Catalog().open_store("memory:", time) as made:
        yield made


@pytest.mark.parametrize("name", TRIED)
async def test_what_is_claimed_holds_on_the_real_system(
    name: str, host: Any, store: Store, request: pytest.FixtureRequest
) -> None:
    """Nothing is broken, nothing could not be tried, and what the system cannot is just what is known of it."""
    host.store = store
    request.getfixturevalue({"tryton parties": "erp"}.get(name, name.split()[0]))
    tried = TRIED[name]
    found = await check(tried.remote, host, tried.sample, patience=5.0)
    verdicts = {one.name: one.verdict for one in found}
    assert broken(found) == [], table(found)
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.CANNOT} == tried.cannot, table(found)
    untried = {name for name, verdict in verdicts.items() if verdict is Verdict.UNTRIED}
    assert untried == (set() if tried.sample.clear else {"clear"}), table(found)


async def test_what_sales_claim_holds_on_the_real_system(host: Any, erp: str) -> None:
    """Sales are made for a party; nothing that is claimed of them is broken, and drafts are all removed."""
    async with tryton.parties(erp).open(host) as session:
        party = (await session.create({"name": "Buyer", "street": "Main 1"}, key="k")).id
    fields = {"party": party, "reference": "{marker}", "description": "{marker}", "comment": "{marker}"}
    lines = [{"product": "W-1", "quantity": 1.0, "unit_price": "9.50"}]
    sample = Sample({**fields, "lines": lines}, edit="description", clear="comment")
    found = await check(tryton.sales(erp), host, sample, patience=5.0)
    assert {one.name for one in found if one.verdict is not Verdict.HOLDS} == {"answers", "create once", "tombstones"}
    assert broken(found) == [], table(found)


async def test_what_can_only_be_read_is_only_read(host: Any, erp: str) -> None:
    """Products are tried without a sample: lists, searches and several at once hold, and no write is claimed."""
    verdicts = {one.name: one.verdict for one in await check(tryton.products(erp), host)}
    assert {name for name, verdict in verdicts.items() if verdict is Verdict.HOLDS} == {
        "scan",
        "many",
        "find",
        "clock",
        "tidy",
    }
    assert set(verdicts.values()) == {Verdict.HOLDS, Verdict.CANNOT}
