"""Orders through a broker that dies in the middle: none is lost, and each is booked once.

Needs the program rabbitmq-server; starts one of its own in a temporary folder.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from routekit import Policy, Retry, from_
from routekit.testing import Feed, Run, running, setup_for
from routekit_rabbitmq.testing import Server, installed

PATIENT = Policy(concurrency=10, retry=Retry(50, first=0.1, most=1.0))


@dataclass(frozen=True)
class Order:
    number: int
    country: str


booked: list[Order] = []

shop = from_(Feed([Order(n, "DE" if n % 3 else "FR") for n in range(300)]), Order, policy=PATIENT).to(
    "rabbitmq:?exchange=orders&exchange_type=topic&declare=true", key=lambda order: f"order.{order.country}"
)
books = (
    from_("rabbitmq:books?exchange=orders&exchange_type=topic&bind=order.*&queue_type=classic", Order, policy=PATIENT)
    .idempotent("booked", key=lambda order: str(order.number))
    .transform(booked.append)
)


async def main(server: Server) -> None:
    """Run both routes, kill the broker, start it again, and wait until all orders are booked."""

    def settings(table: str, name: str) -> dict[str, str] | None:
        return {"url": server.url} if table == "rabbitmq" else None

    setup = setup_for(Run(), settings=settings)
    async with running(shop=shop, books=books, setup=setup):
        while len(booked) < 50:
            await anyio.sleep(0.01)
        await anyio.to_thread.run_sync(server.kill)
        print(f"the broker dies after {len(booked)} orders")  # noqa: T201 - an example tells
        await anyio.to_thread.run_sync(server.start)
        while len(booked) < 300:
            await anyio.sleep(0.01)
    assert sorted(order.number for order in booked) == list(range(300))
    print("300 orders are booked, each once")  # noqa: T201


if __name__ == "__main__":
    if installed() is None:
        sys.exit("rabbitmq-server is not installed")
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as started:
        anyio.run(main, started)
