"""An address service is down for a while: it is left in peace, and orders go on with the address that was known before.

    python examples/breaker.py

    minute 0: looked up
    minute 1: looked up
    minute 2: as known before
    minute 3: as known before
    minute 4: as known before
    minute 5: as known before
    minute 6: looked up
    minute 7: looked up
    minute 8: looked up
    calls: 7 for 9 orders

What to learn: after some failures a `circuit_breaker` makes no more calls for a time, and its `fallback` answers.
"""

from dataclasses import dataclass, replace

import anyio
from trio.testing import MockClock

from routekit import from_
from routekit.testing import Sink, run_routes


@dataclass(frozen=True)
class Order:
    minute: int
    address: str = ""


@dataclass
class AddressService:
    """Down from the second minute to the sixth."""

    calls: int = 0

    def look_up(self, order: Order) -> Order:
        """The order with its address."""
        self.calls += 1
        if 2 <= order.minute < 6:
            raise ConnectionError("the service is down")
        return replace(order, address="looked up")


def known(order: Order) -> Order:
    return replace(order, address="as known before")


async def main() -> None:
    """Nine orders, one each minute."""
    service, out = AddressService(), Sink()
    orders = (
        from_("timer:orders?every=60s&repeat=9", int)
        .transform(lambda tick: Order(tick - 1))
        .circuit_breaker(
            lambda order: order.transform(service.look_up),
            name="addresses",
            window=4,
            minimum=2,
            failures=0.5,
            open_for=150,
            probes=1,
            fallback=lambda order: order.transform(known),
        )
        .to(out)
    )
    await run_routes(orders)
    for order in out.bodies:
        print(f"minute {order.minute}: {order.address}")
    print(f"calls: {service.calls} for {len(out.bodies)} orders")


if __name__ == "__main__":
    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
