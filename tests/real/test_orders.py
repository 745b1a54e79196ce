"""Won deals of the real CRM become sales of the real ERP."""

from typing import Any
from uuid import uuid4

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def won(crm: Any, sku: str = "W-1", **more: Any) -> str:
    """A deal that is won, of somebody who is new."""
    someone = uuid4().hex[:10]
    named = {"first_name": "Ada", "last_name": "King", "email": f"{someone}@example.test"}
    contact = crm.make("contacts", **named, address_line="Main 1", city="Bern")
    ordered = {"custom_fields": {"sku": sku, "quantity": "2"}, "contacts": [contact]}
    return crm.make(
        "opportunities",
        name=f"deal {someone}",
        stage="CLOSED_WON",
        closed_on="2026-11-21",
        amount="19.00",
        **ordered,
        **more,
    )


def sales(erp: Any, deal: str) -> list[dict[str, Any]]:
    return [row for row in erp.sales() if row["reference"] == deal]


def test_a_deal_becomes_one_sale(project: Any, crm: Any, erp: Any) -> None:
    """Confirmed, and told to the deal; a second run, and an edit of the deal, make no other one."""
    deal = won(crm)
    project.routes("erp_orders.won")
    (sale,) = sales(erp, deal)
    assert sale["state"] in ("confirmed", "processing")
    told = crm.deal(deal)["custom_fields"]
    assert (told["order"], told["order_state"]) == (sale["number"], "ordered")
    crm.edit("opportunities", deal, description="call them")
    project.routes("erp_orders.*")
    assert len(sales(erp, deal)) == 1
    assert crm.deal(deal)["custom_fields"]["sku"] == "W-1"


def test_a_product_that_the_erp_does_not_have(project: Any, crm: Any, erp: Any) -> None:
    """There is no sale, and the dead letter says which product it is."""
    deal = won(crm, sku="X-9")
    said = project.routes("erp_orders.won")
    assert sales(erp, deal) == []
    assert "X-9" in said
