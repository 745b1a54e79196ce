"""Orders: `routes/erp_orders.py` between systems in memory, which forget answers, refuse, and are edited."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

import anyio
import pytest

from routekit import BodyError
from routekit.remotes import Creating, Feed
from routekit.testing import Run, run_routes, running, setup_for
from routekit.testing.remote import FakeRemote, Fault, FaultKind, Knobs
from routes.erp_orders import Deal, as_order, orders, states

pytestmark = pytest.mark.anyio

KNOWN = {"W-1", "W-2"}


def unknown(fields: Any) -> dict[str, str]:
    """What an ERP says of lines with products that it does not have."""
    codes = {line["product"] for line in fields.get("lines", ())}
    return {"lines": f"there is no product {', '.join(codes - KNOWN)}"} if codes - KNOWN else {}


@dataclass
class Shop:
    """A CRM and an ERP."""

    now: float = 1_800_000_000.0
    remotes: dict[str, FakeRemote] = field(default_factory=dict[str, FakeRemote])

    def __post_init__(self) -> None:
        crm = Knobs(feed=Feed.NONE, compare_and_set=False, creating=Creating.NONE)
        erp = Knobs(creating=Creating.NONE, findable=["email"])
        sales = Knobs(
            creating=Creating.NONE,
            external_key="reference",
            refuses=unknown,
            defaults={"state": "draft"},
            computed={"number": lambda fields: f"S-{fields.get('reference')}"},
        )
        for name, knobs in {"deals": crm, "contacts": crm, "parties": erp, "sales": sales}.items():
            self.remotes[name] = FakeRemote(name, knobs, now=lambda: self.now, random=Random(1))

    def __getattr__(self, name: str) -> Any:
        return self.remotes[name].system

    def win(self, sku: str = "W-1", **more: Any) -> str:
        """A deal that is won."""
        contact = self.contacts.user_create({"email": "ada@example.org", "first_name": "Ada", "last_name": "King"})
        fields = {"name": "Big", "stage": "CLOSED_WON", "amount": "20.00", "quantity": "2", "sku": sku}
        return self.deals.user_create({**fields, "contacts": [contact], **more})

    async def run(self) -> Run:
        """What there is to do, until nothing is left."""
        return await run_routes(orders(*self.remotes.values(), every=3600.0))

    def sold(self) -> list[Any]:
        return [record.fields for record in self.sales.records.values()]


async def test_a_won_deal_becomes_one_confirmed_sale() -> None:
    """Its customer is made, the sale confirmed, and the deal is told the number and the state."""
    shop = Shop()
    deal = shop.win()
    await shop.run()
    (sale,) = shop.sold()
    assert (sale["reference"], sale["state"]) == (deal, "confirmed")
    assert sale["lines"] == [{"product": "W-1", "quantity": 2.0, "unit_price": "10.00"}]
    (party,) = shop.parties.records.values()
    assert sale["party"] == party.id
    told = shop.deals.records[deal].fields
    assert (told["order"], told["order_state"]) == (f"S-{deal}", "ordered")


async def test_a_deal_that_is_open_is_left_alone() -> None:
    """Only what is won is sold."""
    shop = Shop()
    shop.win(stage="PROPOSAL")
    await shop.run()
    assert shop.sold() == []


async def test_a_customer_that_is_known_is_not_made_again() -> None:
    """He is known by his address."""
    shop = Shop()
    party = shop.parties.user_create({"email": "ada@example.org", "name": "Ada King"})
    shop.win()
    await shop.run()
    assert [record.id for record in shop.parties.records.values()] == [party]
    assert shop.sold()[0]["party"] == party


async def test_an_order_with_an_unknown_product_is_refused_whole() -> None:
    """There is no sale, the deal says nothing of one, and the dead letter says why."""
    shop = Shop()
    deal = shop.win(sku="X-9")
    run = await shop.run()
    assert shop.sold() == []
    assert "order" not in shop.deals.records[deal].fields
    assert "there is no product X-9" in run.letters[0].reason


@pytest.mark.parametrize("call", ["create", "update"])
async def test_a_lost_answer_makes_no_second_sale(call: str) -> None:
    """The call was carried out, and nobody knows: the sale is found by the deal's id, and the rest goes on."""
    shop = Shop()
    shop.win()
    shop.sales.faults.plan(Fault(FaultKind.LOST, op=call))
    await shop.run()
    assert [sale["state"] for sale in shop.sold()] == ["confirmed"]


async def test_the_same_deal_again_is_no_second_sale() -> None:
    """A deal that somebody edits after it was won is the same order."""
    shop = Shop()
    deal = shop.win()
    async with running(orders(*shop.remotes.values(), every=10.0), setup=setup_for(Run())):
        await anyio.sleep(5)
        shop.deals.user_edit(deal, {"name": "Bigger"})
        await anyio.sleep(30)
    assert len(shop.sold()) == 1


async def test_what_becomes_of_a_sale_is_told() -> None:
    """The deal has the state of its sale in the words of the CRM; a sale without a deal bothers nobody."""
    shop = Shop()
    deal = shop.win()
    await shop.run()
    shop.sales.user_edit(next(iter(shop.sales.records)), {"state": "done"})
    shop.sales.user_create({"state": "done"})
    await run_routes(states(shop.remotes["sales"], shop.remotes["deals"], every=3600.0))
    assert shop.deals.records[deal].fields["order_state"] == "delivered"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": None}, "is won without amount"),
        ({"contacts": [], "sku": None}, "is won without sku and contacts"),
        ({"quantity": "0"}, "0 is no number of pieces"),
        ({"quantity": "many"}, "many is no number of pieces"),
        ({"quantity": "1.5"}, "1.5 is no number of pieces"),
        ({"amount": "10", "quantity": "3"}, "10 is not 3 times a price"),
    ],
)
def test_a_deal_that_nobody_could_deliver_says_why(changes: dict[str, Any], reason: str) -> None:
    """What is missing, or does not add up, in words for who works at the deal."""
    deal = {"id": "1", "name": "Big", "stage": "CLOSED_WON", "amount": "20", "quantity": "2", "sku": "W-1"}
    with pytest.raises(BodyError, match=reason):
        as_order(Deal.model_validate({**deal, "contacts": ["c"], **changes}))
