"""The client against a real daemon: every method of a desk, and what happens under a flood."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGKILL
from threading import Event, Thread
from time import monotonic, sleep

import pytest

from routekit import BadOption, Unavailable
from routekit.control.client import Client
from routekit.lettering.selecting import Selection

from ..cli.conftest import PATIENCE, Command
from .daemons import ROUTES, Daemon, daemon


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all tests of this module."""
    folder = tmp_path_factory.mktemp("shop")
    command = Command(folder, _environ())
    command.write("routes/shop.py", ROUTES)
    try:
        with daemon(command) as running:
            yield running
    finally:
        for started in command.started:
            started.process.kill()
            started.process.wait()


def _environ() -> dict[str, str]:
    mine = ("ROUTEKIT_", "PYTHON", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_")
    return {name: value for name, value in os.environ.items() if not name.startswith(mine)}


def drop(one: Daemon, *numbers: int) -> None:
    """Let orders come in, whole at once."""
    for number in numbers:
        file = one.folder / f"in/.{number}"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"n": number}))
        file.rename(one.folder / f"in/{number}.json")


def until(one: Daemon, holds: object, what: str) -> None:
    """Wait until something holds, which is asked again and again."""
    end = monotonic() + PATIENCE
    assert callable(holds)
    while not holds():
        assert monotonic() < end, f"{what}\n{one.running.log}"
        sleep(0.05)


def test_what_a_desk_shows(one: Daemon) -> None:
    """Each look gives the sights of the desk."""
    client = one.client
    assert client.about().routes == "routes"
    assert client.health().ready
    assert [route.name for route in client.routes()] == ["shop.book", "shop.idle", "shop.orders"]
    assert client.route("shop.orders").route.feeds == ["shop.book"]
    assert "orders = from_" in client.route("shop.orders").code
    assert {end.scheme for end in client.endpoints()} == {"direct", "file", "log", "timer"}
    assert [breaker.state for breaker in client.breakers()] == ["closed"]
    assert any(setting.name.endswith("drain") for setting in client.settings())
    lines = client.log()
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert client.log(after=len(lines)) == [] or client.log(after=len(lines))[0].number > len(lines)
    assert (client.traces(), client.groups("shop.idle"), client.flights()) == ([], [], [])
    assert len(client.log(limit=1)) == 1


def test_what_a_desk_is_told(one: Daemon) -> None:
    """Orders, groups and letters; the audit says who."""
    client = one.client
    drop(one, 1, 2, -1)
    until(one, lambda: client.letters.list().count == 1, "there is no letter")
    until(one, lambda: [group.size for group in client.groups("shop.book")] == [2], "there is no group of two")
    assert [group.name for group in client.groups()] == ["month"]
    assert client.store()
    assert client.flush("month") == 1
    until(one, lambda: (one.folder / "out/1.json").exists(), "the group was not released")
    (cluster,) = client.letters.clusters(route="shop.orders")
    (letter,) = client.letters.list(Selection(cluster=cluster.id)).letters
    assert client.letters.try_(letter.id).result == "failed"
    edited = client.letters.edit(letter.id, why="sign", body={"n": 3})
    assert (edited.body, edited.came_body) == ({"n": 3}, {"n": -1})
    assert client.letters.discard(Selection(ids=(letter.id,)), why="test") == 1
    assert [gone.id for gone in client.letters.discarded()] == [letter.id]
    assert client.letters.restore(letter.id, why="test").letter.id == letter.id
    replayed = client.letters.replay(Selection(), rate=10, patience=PATIENCE)
    assert (replayed.running, replayed.done, replayed.failed) == (False, 1, 0)
    assert [replay.id for replay in client.letters.replays()] == [replayed.id]
    assert [group.size for group in client.groups("shop.book")] == [1]
    assert client.flush("month") == 1
    assert client.letters.discard(Selection(), why="all of them") == 0
    assert [route.state for route in client.order("pause", "shop.idle")] == ["paused"]
    assert [route.name for route in client.order("resume", "shop.*")] == ["shop.book", "shop.idle", "shop.orders"]
    assert client.concurrency("shop.orders", 2).concurrency == 2
    client.breaker("open", "erp")
    client.breaker("close", "erp")
    audit = client.audit(limit=3)
    assert [(deed.who, deed.action) for deed in audit] == [
        ("ada", "breakers.close"), ("ada", "breakers.open"), ("ada", "routes.concurrency"),
    ]  # fmt: skip
    with pytest.raises(BadOption, match="value"):
        client.concurrency("shop.orders", 0)


def test_messages_flow_under_a_flood(one: Daemon) -> None:
    """Who asks without end gets 429, who connects without end gets nothing, and messages go on all the same."""
    stop, statuses, where = Event(), set[int](), one.client.url.removeprefix("http://").split(":")
    address = (where[0], int(where[1]))

    def flood() -> None:
        request = b"GET /api/routes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        while not stop.is_set():
            try:
                with socket.create_connection(address, timeout=PATIENCE) as asked:
                    asked.sendall(request)
                    answer = asked.recv(64)
                    statuses.update([int(answer.split()[1])] if answer.startswith(b"HTTP") else [])
                    while asked.recv(1 << 16):
                        pass
            except OSError:
                continue

    threads = [Thread(target=flood, daemon=True) for _ in range(4)]
    with ExitStack() as held:
        for thread in threads:
            thread.start()
        try:
            until(one, lambda: 429 in statuses, "nobody was told to wait")
            for _ in range(150):  # which say nothing
                held.enter_context(socket.create_connection(address, timeout=PATIENCE))
            drop(one, 101, 102, 103)
            until(one, lambda: (one.folder / "out/101.json").exists(), "messages stand still")
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
    until(one, lambda: _answers(one.client), "it does not answer any more")


def _answers(client: Client) -> bool:
    try:
        return client.about().pid > 0
    except (Unavailable, ValueError):
        return False


def test_a_daemon_that_was_killed_leaves_nothing_in_the_way(routekit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file finds nobody, and the next daemon writes its own."""
    routekit.write("routes/shop.py", ROUTES)
    running = routekit.start("serve", "routes")
    running.until("console and control API: ")
    file = routekit.folder / "data/daemon.json"
    dead = json.loads(file.read_text())
    running.signal(SIGKILL)
    running.ended()
    assert json.loads(file.read_text()) == dead
    with daemon(routekit) as next_:
        assert next_.file["pid"] != dead["pid"]
        assert next_.client.health().ready


def test_the_daemon_can_be_asked_until_its_routes_have_ended(routekit: Command) -> None:
    """Who stops it sees what it waits for."""
    routekit.write("routes/shop.py", ROUTES)
    with daemon(routekit) as one:
        drop(one, 99)
        until(one, lambda: one.client.flights(), "nothing is at work")
        one.stop()
        one.running.until("waiting up to")
        (flight,) = [flight for flight in one.client.flights() if flight.route == "shop.orders"]
        assert flight.step == "transform(booked)"
        assert {route.name: route.state for route in one.client.routes()}["shop.orders"] == "stopping"
        Path(one.folder / "go").touch()
