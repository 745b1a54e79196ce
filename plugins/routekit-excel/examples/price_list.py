"""A supplier's price list: a workbook with a title above the header, of which each good row becomes a record.

A row that does not fit is told with its cell, and costs only itself; what was taken goes back as a workbook.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import anyio

from routekit import Records, from_
from routekit.testing import Feed, Sink, run_routes
from routekit_excel import Xlsx


@dataclass(frozen=True)
class Price:
    sku: str
    price: float


TITLE = ("Prices of the week", "as of Monday")
ROWS = [("sku", "price"), ("A1", 9.5), ("B2", "on request"), ("C3", 12)]


def supplied(folder: Path) -> Path:
    """The workbook as the supplier sends it: a title, then the header, then the rows."""
    path = folder / "prices.xlsx"
    path.write_bytes(Xlsx(sheet="Prices").encode([dict(zip(TITLE, row, strict=True)) for row in ROWS]))
    return path


async def main(folder: Path) -> None:
    """Read the list, and write what was taken."""
    prices = Sink()
    codec = {"name": "xlsx", "sheet": "Prices", "skip": 1}
    flow = from_(Feed([supplied(folder)]), Path).split(Records(Price, codec=codec), on_error="dead_letter_items")
    run = await run_routes(flow.to(prices))
    assert prices.bodies == [Price("A1", 9.5), Price("C3", 12.0)]
    for letter in run.letters:
        print(letter.reason)  # noqa: T201 - an example tells
    (folder / "taken.xlsx").write_bytes(Xlsx(sheet="Taken").encode([vars(price) for price in prices.bodies]))
    print(Xlsx().decode((folder / "taken.xlsx").read_bytes()))  # noqa: T201


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        anyio.run(main, Path(temporary))
