"""Sales of Tryton: made with their lines, moved on by writing the state, and told of with their shipments and invoices.

A state is reached by the steps that people press in Tryton: writing `confirmed` to a draft asks for a quotation and
confirms it. A sale that is further already stays as it is, so that a write whose answer was lost may be repeated.
Tryton itself goes on: what is confirmed is processed at once, unless the company has set a delay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from routekit.remotes import Abilities, Creating, Feed, Fields, Refused

from ..fields import Field, document_of, fields_of
from .calling import Rpc, day, decimal
from .described import Described
from .feeding import Table
from .objects import TrytonRemote, TrytonSession

STEPS: Final = {"quotation": "quote", "confirmed": "confirm", "processing": "process"}
"""The states on the way, in order, each with the step that leads there from the one before."""
_WAY: Final = ("draft", *STEPS, "done")
_BACK: Final = {"cancelled": "cancel", "draft": "draft"}

ABILITIES: Final = Abilities(
    feed=Feed.STAMP,
    granularity=0.00001,
    lag=10.0,
    creating=Creating.NONE,
    external_key="reference",
    findable=("number", "party"),
    compare_and_set=True,
    archive={"state": "cancelled"},
    batch=200,
    verified=date(2026, 11, 21),
)
"""Of sales, as seen with Tryton 8.2."""

FIELDS: Final = (
    Field("number", writable=False, says="Tryton gives it with the quotation"),
    Field("reference", says="an id of ours, such as that of a deal"),
    Field("description"),
    Field("comment"),
    Field("party", read=str, write=int, fixed=True, says="the id of the party that buys"),
    Field("date", at="sale_date", write=day),
    Field("currency", at="currency./code", writable=False),
    Field("shipment_state", writable=False, says="none, waiting, partially shipped, sent, exception"),
    Field("invoice_state", writable=False, says="none, pending, awaiting payment, partially paid, paid, exception"),
    Field("untaxed", at="untaxed_amount", writable=False, says="exact, as text"),
    Field("total", at="total_amount", writable=False, says="exact, as text"),
)
_MOVING: Final = (
    Field("state", says="draft, quotation, confirmed, processing, done, cancelled; written to a sale that is there"),
    Field("lines", says="a list of `product` (its code), `quantity` and `unit_price`; a write has all of them"),
)
_LINES: Final = ("product.code", "quantity", "unit_price", "type")


def sales(connection: str, *, name: str = "tryton sales", page: int = 100) -> TrytonRemote:
    """The sales of the Tryton at `[http.CONNECTION]`, in the company of the user.

    Beside plain fields: `state` (draft, quotation, confirmed, processing, done, cancelled), written to a sale that is
    there; `lines`, a list of `{"product": CODE, "quantity": 2, "unit_price": "9.50"}`, of which a write replaces all.
    A new sale goes to the first address of its party.
    """
    described = Described(
        name=name,
        model="sale.sale",
        fields=FIELDS,
        abilities=ABILITIES,
        tables=(Table("sale.sale"), Table("sale.line", "sale", "lines")),
        reads=[
            *(field.place.replace("./", ".") for field in FIELDS),
            *("state", "party"),
            *(f"lines.{place}" for place in _LINES),
        ],
        finds={"reference": "reference", "number": "number", "party": "party"},
        labels={"Party": "party", "Product": "lines", "Quantity": "lines", "Unit Price": "lines", " line ": "lines"},
        references=("party",),
        company=True,
        size=page,
    )
    return Sales(described, connection)


@dataclass(frozen=True)
class Sales(TrytonRemote):
    """Sales over one connection."""

    @property
    def fields(self) -> Sequence[Field]:
        """Plain fields, the state and the lines."""
        return [*self.described.fields, *_MOVING]

    def session(self, rpc: Rpc) -> "SalesSession":
        """The session of sales."""
        return SalesSession(self.described, rpc)


class SalesSession(TrytonSession):
    """Sales, with their lines and their states."""

    def fields(self, row: Mapping[str, Any]) -> Fields:
        """Plain fields, the state, and the lines that sell something."""
        lines = [line for line in _lines(row) if line.get("type") == "line"]
        plain = fields_of(row, self.described.fields)
        return {**plain, "state": row["state"], "lines": [_line(line) for line in lines]}

    async def values(self, fields: Fields, row: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Plain fields and lines; a new sale gets the addresses that Tryton asks for."""
        name = self.described.name
        rest = {one: value for one, value in fields.items() if one not in ("state", "lines")}
        if row is None and fields.get("state", "draft") != "draft":
            raise Refused(f"{name}: a new sale is a draft", fields={"state": "it is written to a sale that is there"})
        found = document_of(rest, self.described.fields, name, new=row is None)
        lines = fields.get("lines")
        if lines is not None and (row is None or [_line(one) for one in _lines(row)] != lines):
            gone = [["delete", [line["id"] for line in _lines(row)]]] if row is not None and _lines(row) else []
            found["lines"] = [*gone, ["create", await self._made(cast("Sequence[Mapping[str, Any]]", lines))]]
        if row is None and "party" in found:
            address = await self._address(found["party"])
            found |= {"invoice_address": address, "shipment_address": address}
        return found

    async def write(self, id: str, fields: Fields, row: Mapping[str, Any]) -> None:
        """Write the fields, and then take the steps to the state; see `TrytonSession.write`."""
        values = await self.values(fields, row)
        steps = self._steps(str(row["state"]), str(fields["state"])) if "state" in fields else ()
        calls = [*([("write", values)] if values else []), *((step, None) for step in steps)]
        context: Mapping[str, Any] | None = self.holding(row)
        for method, given in calls:
            arguments = [[int(id)]] if given is None else [[int(id)], given]
            await self.ask(method, *arguments, doing="update", record=id, context=context)
            context = None  # the first one has changed the record, so what was read does not hold any more

    def _steps(self, now: str, then: str) -> Sequence[str]:
        """What leads from one state to another; raises Refused if nothing does."""
        if now == then:
            return ()
        if then in _BACK:
            return [_BACK[then]]
        if now in _WAY and then in STEPS:
            return [STEPS[state] for state in _WAY[_WAY.index(now) + 1 : _WAY.index(then) + 1]]
        why = f"nothing leads from '{now}' to '{then}'"
        raise Refused(f"{self.described.name}: {why}", fields={"state": why})

    async def _made(self, lines: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        codes = [line.get("product") for line in lines]
        rows = await self.rpc.search_read(
            "product.product", [["code", "in", codes]], ["code", "sale_uom", "list_price"]
        )
        known = {str(row["code"]): row for row in rows}
        return [self._new_line(line, known.get(str(line.get("product")))) for line in lines]

    def _new_line(self, line: Mapping[str, Any], product: Mapping[str, Any] | None) -> Mapping[str, Any]:
        name = self.described.name
        if product is None:
            why = f"there is no product '{line.get('product')}'"
            raise Refused(f"{name}: {why}", fields={"lines": why})
        price = line.get("unit_price", product["list_price"])
        try:
            numbers = {"quantity": float(line["quantity"]), "unit_price": decimal(price)}
        except (KeyError, TypeError, ValueError) as error:
            why = f"the line of '{line.get('product')}' needs a quantity and a unit_price that are numbers"
            raise Refused(f"{name}: {why}", fields={"lines": why}) from error
        return {"product": product["id"], "unit": product["sale_uom"], **numbers}

    async def _address(self, party: int) -> int | None:
        rows = await self.rpc.search_read(
            "party.address", [["party", "=", party], ["active", "=", True]], ["id"], "sequence", 1
        )
        return rows[0]["id"] if rows else None


def _lines(row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return cast("Sequence[Mapping[str, Any]]", row.get("lines.") or ())


def _line(line: Mapping[str, Any]) -> Mapping[str, Any]:
    product = cast("Mapping[str, Any]", line.get("product.") or {})
    return {"product": product.get("code"), "quantity": line["quantity"], "unit_price": line["unit_price"]}
