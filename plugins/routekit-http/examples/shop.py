"""A shop's signed webhook: orders are kept, answered 202, sent to an API with a key each, and shown to who listens.

    python examples/shop.py

    unsigned: 401
    signed: 202
    wrong: 422
    the API got order 7 with a key of 32 characters
    on screen: {"id":7,"total":12.5}
    described: POST /api/orders, POST /hooks/orders

What to learn: a 202 that is kept by `hand_over` first; a key by which the other side knows a message again.
"""
# ruff: noqa: T201 - an example shows what it does

import socket
from collections.abc import Mapping
from hashlib import sha256
from hmac import new as hmac
from tempfile import TemporaryDirectory
from time import time
from typing import Any

import anyio
import httpx
from pydantic import BaseModel

from routekit import Message, Policy, Retry, from_
from routekit.testing import Run, running, setup_for

SECRET = "s" * 16


class Order(BaseModel):
    """What the shop sends."""

    id: int
    total: float


def free_port() -> int:
    """Where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT = free_port()
HERE = f"127.0.0.1:{PORT}"
SETTINGS: dict[
    tuple[str, str], Mapping[str, Any]
] = {  # as in routekit.toml: [http.crm], [http_signature.shop], [http_server.default]
    ("http", "crm"): {"url": f"http://{HERE}/api"},
    ("http_signature", "shop"): {"scheme": "github", "secrets": [SECRET]},
    ("http_server", "default"): {"openapi": "/openapi.json"},
}

hook = (
    from_(f"http:{HERE}/hooks/orders?signature=shop&status=202&reply=none", Order, policy=Policy(retry=Retry(5)))
    .hand_over("orders", body=Order, workers=2)
    .to("http:crm/orders?idempotency_key=message")
    .to(f"sse:{HERE}/screen")
)

got: list[str] = []


def book(order: Order, message: Message[Order]) -> None:
    """What the API does."""
    key = message.headers["http.header.idempotency-key"]
    got.append(f"the API got order {order.id} with a key of {len(key)} characters")


api = from_(f"http:{HERE}/api/orders?keep=idempotency-key", Order).transform(book)


def table_of(table: str, name: str) -> Mapping[str, Any] | None:
    """What the settings say."""
    return SETTINGS.get((table, name))


async def main() -> None:
    """Be the shop, and somebody in front of a screen."""
    folder = TemporaryDirectory()  # of a store that is durable: else a 202 would have to wait for the API
    setup = setup_for(Run(), settings=table_of, store=f"sqlite:{folder.name}/shop.db", now=time)
    async with (
        running(hook=hook, api=api, setup=setup),
        httpx.AsyncClient(base_url=f"http://{HERE}", trust_env=False, timeout=10) as client,
    ):
        await up(client)
        async with client.stream("GET", "/screen") as screen:
            await shop(client)
            async for line in screen.aiter_lines():
                if line.startswith("data: "):
                    print(*got, sep="\n")
                    print(f"on screen: {line.removeprefix('data: ')}")
                    break
        paths = (await client.get("/openapi.json")).json()["paths"]
        print(f"described: {', '.join(f'POST {path}' for path in paths)}")
    folder.cleanup()


async def up(client: httpx.AsyncClient) -> None:
    """Wait until all is served."""
    while True:
        try:
            if all([(await client.options(path)).status_code == 204 for path in ("/hooks/orders", "/api/orders")]):
                return
        except httpx.TransportError:
            pass
        await anyio.sleep(0.01)


async def shop(client: httpx.AsyncClient) -> None:
    """Send an order without a signature, with one, and one that is none."""
    for name, body, signed in (
        ("unsigned", b'{"id": 7, "total": 12.5}', False),
        ("signed", b'{"id": 7, "total": 12.5}', True),
        ("wrong", b'{"id": "seven"}', True),
    ):
        signature = "sha256=" + hmac(SECRET.encode(), body, sha256).hexdigest()
        headers = {"x-hub-signature-256": signature} if signed else {}
        answer = await client.post("/hooks/orders", content=body, headers=headers)
        print(f"{name}: {answer.status_code}")


if __name__ == "__main__":
    anyio.run(main)
