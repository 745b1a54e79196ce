"""Sales, products and employees of the real Tryton: from a draft with lines to a shipment that waits."""

from typing import Any
from uuid import uuid4

import pytest

from routekit.remotes import Forbidden, Refused, Stale
from routekit_connectors import tryton

pytestmark = [pytest.mark.anyio, pytest.mark.real]

LINE = {"product": "W-1", "quantity": 2.0, "unit_price": "9.50"}


@pytest.fixture
def anyio_backend() -> str:
    """One event loop, as each call takes real time."""
    return "asyncio"


@pytest.fixture
async def buyer(host: Any, erp: str) -> str:
    """A party with an address."""
    async with tryton.parties(erp).open(host) as session:
        return (await session.create({"name": "Buyer", "street": "Main 1", "city": "Bern"}, key="k")).id


@pytest.fixture
def order(buyer: str) -> dict[str, Any]:
    return {"party": buyer, "reference": f"deal-{uuid4().hex}", "lines": [LINE]}


async def test_a_sale_is_made_with_its_lines(host: Any, erp: str, order: dict[str, Any]) -> None:
    """It is found by our reference, and has the sum of its lines, exact."""
    async with tryton.sales(erp).open(host) as session:
        made = await session.create(order, key="k")
        found = await session.find("reference", order["reference"])
        by_party = await session.find("party", order["party"])
    assert [record.id for record in found] == [record.id for record in by_party] == [made.id]
    assert order.items() <= found[0].fields.items()
    assert (found[0].fields["state"], found[0].fields["total"], found[0].fields["currency"]) == (
        "draft",
        "19.00",
        "USD",
    )


async def test_a_state_is_reached_by_its_steps(host: Any, erp: str, order: dict[str, Any]) -> None:
    """Confirmed means quoted, numbered and confirmed; Tryton makes a shipment and an invoice of it by itself."""
    async with tryton.sales(erp).open(host) as session:
        made = await session.create(order, key="k")
        await session.update(made.id, {"state": "quotation"})
        quoted = await session.get(made.id)
        await session.update(made.id, {"state": "confirmed"})
        await session.update(made.id, {"state": "confirmed"})  # as after an answer that was lost
        after = await session.get(made.id)
    assert quoted is not None
    assert after is not None
    assert quoted.fields["state"] == "quotation"
    assert quoted.fields["number"]
    states = [after.fields[name] for name in ("state", "shipment_state", "invoice_state")]
    assert states == ["processing", "waiting", "pending"]


async def test_a_write_goes_all_the_way_at_once(host: Any, erp: str, order: dict[str, Any]) -> None:
    """From a draft to a shipment that waits, with fields on the way, held against the version before."""
    async with tryton.sales(erp).open(host) as session:
        made = await session.create(order, key="k")
        read = await session.get(made.id)
        assert read is not None
        await session.update(made.id, {"description": "urgent", "state": "processing"}, version=read.version)
        after = await session.get(made.id)
    assert after is not None
    states = [after.fields[name] for name in ("description", "state", "shipment_state")]
    assert states == ["urgent", "processing", "waiting"]


async def test_lines_are_replaced_while_it_is_a_draft(host: Any, erp: str, order: dict[str, Any]) -> None:
    """A write has all lines; when it has been confirmed, Tryton refuses it, and the field is named."""
    lines = [LINE, {**LINE, "quantity": 1.0, "unit_price": "3.25"}]
    async with tryton.sales(erp).open(host) as session:
        made = await session.create(order, key="k")
        await session.update(made.id, {"lines": lines, "description": "two kinds"})
        record = await session.get(made.id)
        assert record is not None
        assert (record.fields["lines"], record.fields["total"]) == (lines, "22.25")
        await session.update(made.id, {"state": "confirmed"})
        with pytest.raises(Refused) as refused:
            await session.update(made.id, {"lines": [LINE]})
    assert list(refused.value.fields) == ["lines"], str(refused.value)


async def test_a_draft_can_be_cancelled_and_deleted(host: Any, erp: str, order: dict[str, Any]) -> None:
    """What was confirmed cannot: nothing leads back from a shipment that waits."""
    async with tryton.sales(erp).open(host) as session:
        first, second = [await session.create(order, key="k") for _ in range(2)]
        await session.update(first.id, {"state": "cancelled"})
        cancelled = await session.get(first.id)
        assert cancelled is not None
        assert cancelled.fields["state"] == "cancelled"
        await session.delete(first.id)
        assert await session.get(first.id) is None
        await session.update(second.id, {"state": "confirmed"})
        with pytest.raises(Refused):
            await session.update(second.id, {"state": "cancelled"})


async def test_a_step_is_not_taken_on_what_has_changed(host: Any, erp: str, order: dict[str, Any]) -> None:
    """Who has read an older version does not confirm what it has become."""
    async with tryton.sales(erp).open(host) as session:
        made = await session.create(order, key="k")
        read = await session.get(made.id)
        assert read is not None
        await session.update(made.id, {"lines": [{**LINE, "quantity": 50.0}]})
        with pytest.raises(Stale):
            await session.update(made.id, {"state": "confirmed"}, version=read.version)
        after = await session.get(made.id)
    assert after is not None
    assert after.fields["state"] == "draft"


@pytest.mark.parametrize(
    ("change", "field", "why"),
    [
        ({"lines": [{**LINE, "product": "no such"}]}, "lines", "there is no product 'no such'"),
        ({"lines": [{**LINE, "unit_price": "much"}]}, "lines", "numbers"),
        ({"lines": [{"product": "W-1", "unit_price": "1"}]}, "lines", "needs a quantity"),
        ({"state": "confirmed"}, "state", "written to a sale that is there"),
        ({"total": "3"}, "total", "only be read"),
    ],
)
async def test_what_cannot_be_sold_is_refused_by_its_field(
    host: Any, erp: str, order: dict[str, Any], change: dict[str, Any], field: str, why: str
) -> None:
    """Nothing of it is made."""
    async with tryton.sales(erp).open(host) as session:
        with pytest.raises(Refused) as refused:
            await session.create({**order, **change}, key="k")
        assert await session.find("reference", order["reference"]) == []
    assert why in refused.value.fields[field]


async def test_the_feed_tells_that_a_sale_has_moved_on(host: Any, erp: str, order: dict[str, Any]) -> None:
    """Its new state, and those of shipment and invoice."""
    async with tryton.sales(erp).open(host) as session:
        made = await session.create(order, key="k")
        read = await session.get(made.id)
        assert read is not None
        assert read.stamp is not None
        await session.update(made.id, {"state": "processing"})
        page = await session.changes(read.stamp + 0.00001)
    assert [(record.id, record.fields["shipment_state"]) for record in page.records] == [(made.id, "waiting")]


async def test_products_are_found_by_code_and_only_read(host: Any, erp: str) -> None:
    """With their availability; a write says that there are none."""
    async with tryton.products(erp).open(host) as session:
        found = await session.find("code", "W-1")
        assert [record.fields["name"] for record in found] == ["Widget"]
        assert (found[0].fields["salable"], found[0].fields["available"]) == (True, 0.0)
        assert found[0].id in [record.id for record in (await session.scan()).records]
        with pytest.raises(Forbidden):
            await session.create({"code": "W-2"}, key="k")
        with pytest.raises(Forbidden):
            await session.update(found[0].id, {"code": "W-2"})


async def test_employees_are_parties_of_the_company(host: Any, erp: str, hands: Any) -> None:
    """Their name and address are those of the party."""
    async with tryton.parties(erp).open(host) as session:
        party = (await session.create({"name": "Pam", "email": "pam@x.test"}, key="k")).id
    hands.do("company.employee", "create", [{"party": int(party), "company": 1}], company=1, companies=[1])
    async with tryton.employees(erp).open(host) as session:
        found = await session.find("party", party)
    assert [(record.fields["name"], record.fields["email"]) for record in found] == [("Pam", "pam@x.test")]
