"""A real daemon of `routekit serve`, and a client of it."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

from routekit.control.client import Client

from ..cli.conftest import Command, Running

ROUTES = '''
"""Orders of the shop."""
from pathlib import Path

import anyio

from routekit import Policy, Rejected, Unavailable, from_


async def booked(order: dict) -> dict:
    if order["n"] < 0:
        raise Rejected(f"order {order['n']} is below zero")
    if order["n"] == 99:
        while not Path("go").exists():
            await anyio.sleep(0.01)
    return order


letters = Policy(dead_letter="store")
orders = from_("file:in?after=delete", dict, codec="json", policy=letters).transform(booked).to("direct:book")
book = (
    from_("direct:book", dict)
    .aggregate("month", dict, key=lambda order: "k", size=3)
    .to("file:out", codec="json", name=lambda orders: f"{orders[0]['n']}.json")
)
idle = from_("timer:never?every=1h", int).circuit_breaker(lambda flow: flow.to("log:idle"), name="erp")
'''


@dataclass
class Daemon:
    """A daemon that runs in a folder."""

    folder: Path
    running: Running
    client: Client
    told: bool = False

    def stop(self) -> None:
        """Tell it to stop orderly."""
        self.told = True
        self.running.signal(SIGTERM)

    @property
    def file(self) -> dict[str, Any]:
        """Its daemon.json."""
        return json.loads((self.folder / "data/daemon.json").read_text())


@contextmanager
def daemon(command: Command, *options: str, **environ: str) -> Generator[Daemon]:
    """A daemon whose routes run; it is stopped orderly at the end of the block, and must end well."""
    running = command.start("serve", "routes", *options, **environ)
    running.until("console and control API: ")
    told = json.loads((command.folder / "data/daemon.json").read_text())
    with Client(told["url"], told["token"], name="ada") as client:
        for name in ("orders", "book", "idle"):
            running.until(f"{name}: running")
        one = Daemon(command.folder, running, client)
        yield one
    if not one.told:
        one.stop()
    assert running.ended() == 0, running.log
