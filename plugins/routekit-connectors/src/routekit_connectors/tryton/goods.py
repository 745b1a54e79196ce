"""Products and employees of Tryton: only read, and found by what people call them."""

from dataclasses import replace
from datetime import date
from typing import Final

from routekit.remotes import Abilities, Creating, Feed

from ..fields import Field
from .described import Described
from .feeding import Table
from .objects import TrytonRemote

READ: Final = Abilities(
    feed=Feed.NONE,
    creating=Creating.NONE,
    can_create=False,
    can_update=False,
    can_delete=False,
    batch=200,
    verified=date(2026, 11, 21),
)
"""What can only be read has no feed either: the name of a product is kept elsewhere, with a stamp of its own."""


def products(connection: str, *, name: str = "tryton products", page: int = 200) -> TrytonRemote:
    """The products of the Tryton at `[http.CONNECTION]`, found by `code`.

    Fields: code, name, price (exact, as text), salable, active, type, available and forecast (numbers, of all
    warehouses together). Stock moves change no stamp of a product: who needs availability reads it when it is needed.
    """
    fields = (
        Field("code"),
        Field("name", at="template./name"),
        Field("price", at="list_price"),
        Field("salable", read=bool),
        Field("active", read=bool),
        Field("type"),
        Field("available", at="quantity"),
        Field("forecast", at="forecast_quantity"),
    )
    return _read_only(connection, name, "product.product", fields, {"code": "code"}, page, stock=True)


def employees(connection: str, *, name: str = "tryton employees", page: int = 200) -> TrytonRemote:
    """The employees of the company, found by `party`: name, email, party (its id), start and end (dates)."""
    fields = (
        Field("name", at="party./name"),
        Field("email", at="party./email", empty=""),
        Field("party", at="party./id", read=str),
        Field("start", at="start_date"),
        Field("end", at="end_date"),
    )
    return _read_only(connection, name, "company.employee", fields, {"party": "party"}, page)


def _read_only(
    connection: str,
    name: str,
    model: str,
    fields: tuple[Field, ...],
    finds: dict[str, str],
    page: int,
    *,
    stock: bool = False,
) -> TrytonRemote:
    described = Described(
        name=name,
        model=model,
        fields=tuple(replace(field, writable=False) for field in fields),
        abilities=replace(READ, findable=tuple(finds)),
        tables=(Table(model),),
        reads=[field.place.replace("./", ".") for field in fields],
        finds=finds,
        references=("party",),
        company=True,
        stock=stock,
        size=page,
    )
    return TrytonRemote(described, connection)
