"""Durable routes of the real daemon, killed with SIGKILL again and again: what was accepted is done, and not twice."""

import json
import signal
import socket
from collections import Counter
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from threading import Event, Thread
from time import monotonic, sleep, time

import anyio
import pytest

from routekit.stores.sqlite import open_sqlite

from .conftest import PATIENCE, Command

KILLS = 4
FILES = 60
SLOTS = 8

ROUTES = '''
"""Whatever comes is written down twice."""

from typing import Any

from routekit import Flow, Message, Policy, from_

policy = Policy(durable="store", concurrency=8)


def known(body: Any, message: Message[Any]) -> dict[str, Any]:
    return {"id": message.id}


def twice(flow: Flow[Any]) -> Flow[Any]:
    return flow.transform(known).to(ledger("one")).to(ledger("two"))


def ledger(name: str) -> str:
    return f"file:out?name={name}.jsonl&exists=append&fsync=false"


ticks = from_("timer:tick?every=20ms", int).apply(twice)
calls = from_("http:127.0.0.1:${PORT}/calls?id_header=X-Event-Id", dict).apply(twice)
files = from_("file:in?after=move&poll=50ms", bytes).apply(twice)
'''

WAITING = '''
"""Files wait in a queue, then for their time, then for each other, and are written down."""

from typing import Any

from routekit import Flow, Message, from_


def known(body: Any, message: Message[Any]) -> dict[str, Any]:
    return {"id": message.id}


def one(body: Any) -> int:
    return 1


QUEUE = "queue:work?durable=true"
files = from_("file:in?after=move&poll=50ms", bytes).transform(known).to(QUEUE)
work = (
    from_(QUEUE, dict[str, Any])
    .delay("later", dict[str, Any], by=0.3)
    .aggregate("pairs", dict[str, Any], key=one, size=2, timeout=2.0)
    .split(lambda pair: pair)
    .to("file:out?name=one.jsonl&exists=append&fsync=false")
)
'''


class Client:
    """Posts numbered events until it is stopped; keeps the ids of those that were accepted."""

    def __init__(self, port: int) -> None:
        self.accepted: list[str] = []
        self._port = port
        self._stop = Event()
        self._thread = Thread(target=self._post, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)

    def _post(self) -> None:
        number = 0
        while not self._stop.wait(0.005):
            number += 1
            connection = HTTPConnection("127.0.0.1", self._port, timeout=5.0)
            try:
                headers = {"X-Event-Id": f"event-{number}", "content-type": "application/json"}
                connection.request("POST", "/calls", b"{}", headers)
                if connection.getresponse().status in (202, 204):
                    self.accepted.append(f"event-{number}")
            except (OSError, HTTPException):
                continue  # the daemon is down, or was killed before it answered
            finally:
                connection.close()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def ids(folder: Path, name: str) -> Counter[str]:
    """The ids in a ledger; a line that was torn by a kill is none."""
    file = folder / "out" / f"{name}.jsonl"
    found: Counter[str] = Counter()
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
        try:
            found[json.loads(line)["id"]] += 1
        except ValueError:
            continue
    return found


def drop(folder: Path, turn: int) -> None:
    """Some files more; each appears whole."""
    for number in range(FILES // KILLS):
        hidden = folder / "in" / f".{turn}-{number}"
        hidden.write_bytes(b"x")
        hidden.rename(folder / "in" / f"{turn}-{number}.txt")


def wait_for(true: Callable[[], bool], what: str) -> None:
    end = monotonic() + 2 * PATIENCE
    while not true():
        assert monotonic() < end, what
        sleep(0.05)


async def left(folder: Path) -> int:
    """How many messages are in the journals."""
    async with open_sqlite(str(folder / "data" / "routekit.db"), {}, time) as store:
        return sum(held.count for held in await store.contents() if held.kind == "journal" and held.count)


def test_what_a_durable_route_has_accepted_is_done_whatever_is_killed(
    routekit: Command, tmp_path: Path, port: int
) -> None:
    """From a timer, over HTTP and from a folder. An effect that was recorded before a kill is not repeated."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "kept.py").write_text(ROUTES, encoding="utf-8")
    (tmp_path / "in").mkdir()
    chance, seen = Random(7), list[tuple[set[str], Counter[str]]]()
    arguments = ["--set", f"values.PORT={port}", "serve", "routes"]
    client = Client(port)
    for kill in range(KILLS + 1):
        drop(tmp_path, kill)
        before = sum(ids(tmp_path, "two").values())
        daemon = routekit.start(*arguments)
        try:
            wait_for(lambda: sum(ids(tmp_path, "two").values()) > before + 40, daemon.log)  # noqa: B023 - called here
            if kill < KILLS:
                sleep(chance.random() / 4)
                daemon.process.kill()
                daemon.process.wait()
                seen.append((set(ids(tmp_path, "two")), ids(tmp_path, "one")))
            else:
                client.stop()
                wait_for(lambda: set(client.accepted) <= set(ids(tmp_path, "two")), "an accepted call is lost")
                wait_for(lambda: not list((tmp_path / "in").glob("*.txt")), "a file is not taken")
                daemon.process.send_signal(signal.SIGTERM)
                assert daemon.process.wait(PATIENCE) == 0, daemon.log
        finally:
            daemon.process.kill()
            daemon.process.wait()
    one, two = ids(tmp_path, "one"), ids(tmp_path, "two")
    assert set(one) == set(two)
    assert len(client.accepted) > 20
    assert set(client.accepted) <= set(two)
    assert anyio.run(left, tmp_path) == 0
    for ledger in (one, two):  # of each route as many may be repeated at each kill as it had in flight
        assert (ledger - Counter(set(ledger))).total() <= 3 * SLOTS * KILLS
    for begun, written in seen:  # who had begun the second effect had the first one recorded
        assert all(one[known] == written[known] for known in begun)


def test_what_waits_in_the_store_is_there_after_every_kill(routekit: Command, tmp_path: Path) -> None:
    """In a durable queue, in a delay and in an aggregate: each file goes on in the end, whatever is killed."""
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "waiting.py").write_text(WAITING, encoding="utf-8")
    (tmp_path / "in").mkdir()
    chance = Random(11)
    for kill in range(KILLS):
        drop(tmp_path, kill)
        daemon = routekit.start("serve", "routes")
        wait_for(lambda: len(list((tmp_path / "in").glob("*.txt"))) < FILES // KILLS, daemon.log)
        sleep(chance.random())
        daemon.process.kill()
        daemon.process.wait()
    drop(tmp_path, KILLS)
    daemon = routekit.start("serve", "routes")
    total = FILES // KILLS * (KILLS + 1)
    wait_for(lambda: len(ids(tmp_path, "one")) == total, "a file is lost")
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(PATIENCE) == 0, daemon.log
    assert anyio.run(left, tmp_path) == 0
