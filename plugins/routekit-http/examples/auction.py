"""An auction over WebSockets: who bids hears what became of it, and all hear of the best bid.

    python examples/auction.py

    ann bids 10: {"accepted":true}
    bob bids 5: {"accepted":false}
    bob bids ten: 422
    ann hears: 10
    bob hears: 10

What to learn: the reply of a route goes back to who spoke; a sink of the same path speaks to all who are connected.
"""
# ruff: noqa: T201 - an example shows what it does

import json
import socket

import anyio
import httpx
from pydantic import BaseModel
from websockets.asyncio.client import ClientConnection, connect

from routekit import from_
from routekit.testing import Run, running, setup_for


class Bid(BaseModel):
    """What somebody offers."""

    amount: int


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]
best: list[int] = [0]


def judged(bid: Bid) -> dict[str, bool]:
    """Whether it is the best."""
    accepted = bid.amount > best[0]
    best[0] = max(best[0], bid.amount)
    return {"accepted": accepted}


bids = from_(f"ws:127.0.0.1:{PORT}/auction", Bid).transform(judged)
news = (
    from_(f"http:127.0.0.1:{PORT}/close?reply=none")
    .transform(lambda _: str(best[0]))
    .to(f"ws:127.0.0.1:{PORT}/auction")
)


async def bid(who: str, connection: ClientConnection, amount: object) -> None:
    """Offer something, and say what the auction says."""
    await connection.send(json.dumps({"amount": amount}))
    answer = json.loads(await connection.recv())
    print(f"{who} bids {amount}: {answer.get('status') or json.dumps(answer, separators=(',', ':'))}")


async def joined() -> ClientConnection:
    """A connection, as soon as there is an auction."""
    while True:
        try:
            return await connect(f"ws://127.0.0.1:{PORT}/auction")
        except Exception:  # not yet: refused, or nothing there
            await anyio.sleep(0.01)


async def main() -> None:
    """Two people bid; then the auction is closed over HTTP."""
    async with (
        running(bids=bids, news=news, setup=setup_for(Run())),
        await joined() as ann,
        await joined() as bob,
        httpx.AsyncClient(trust_env=False) as hammer,
    ):
        await bid("ann", ann, 10)
        await bid("bob", bob, 5)
        await bid("bob", bob, "ten")
        while (await hammer.post(f"http://127.0.0.1:{PORT}/close")).status_code != 204:
            await anyio.sleep(0.01)
        print(f"ann hears: {await ann.recv()}")
        print(f"bob hears: {await bob.recv()}")


if __name__ == "__main__":
    anyio.run(main)
