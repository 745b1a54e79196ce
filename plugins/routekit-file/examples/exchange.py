"""Two partners exchange files through a folder: complete, unspoilt, and each taken once.

The shop writes a file for each order, with its checksum; the office takes it when that is there, books it and files it
under its day. One file is cut on its way: it is put aside with the reason, and the others are booked all the same.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import anyio

from routekit import from_
from routekit.testing import Feed, Sink, run_routes


@dataclass(frozen=True)
class Order:
    number: int
    item: str


ORDERS = [Order(1, "lamp"), Order(2, "chair"), Order(3, "table")]


def spoil(file: Path) -> None:
    """What a broken connection does."""
    file.write_bytes(file.read_bytes()[:-5])


async def main(folder: Path) -> None:
    """Send, spoil one file on its way, and take what is whole."""
    shop = from_(Feed(ORDERS), Order).to(
        f"file:{folder}?checksum=sha256&mode=640", name=lambda order: f"{order.number:04}.json"
    )
    await run_routes(shop)
    spoil(folder / "0002.json")

    booked = Sink()
    office = from_(
        f"file:{folder}?checksum=sha256&include=*.json&after=move&done_to=booked/{{date}}/{{name}}&failed_to=spoilt",
        Order,
    ).to(booked)
    await run_routes(office)

    assert booked.bodies == [Order(1, "lamp"), Order(3, "table")]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        anyio.run(main, Path(temporary))
        for path in sorted(Path(temporary).rglob("*.json")):
            print(path.relative_to(temporary))  # noqa: T201 - an example tells
