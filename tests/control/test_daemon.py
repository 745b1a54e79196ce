"""A daemon as its neighbours find it: daemon.json, its port, and what it says to who comes second."""

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from routekit import DefinitionError, Unavailable, UnknownName
from routekit.control.client import Client
from routekit.settings import load_settings

from ..cli.conftest import Command
from .daemons import ROUTES, daemon


@pytest.fixture
def shop(routekit: Command) -> Command:
    routekit.write("routes/shop.py", ROUTES)
    return routekit


def test_tools_find_the_daemon_of_their_folder(shop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """By daemon.json, which only its user can read, and which is gone when the daemon is."""
    monkeypatch.chdir(shop.folder)
    file = shop.folder / "data/daemon.json"
    with daemon(shop) as one:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert set(one.file) == {"pid", "url", "token", "started"}
        assert one.file["pid"] == one.running.process.pid
        with Client.found(load_settings(None)) as client:
            assert client.about().pid == one.running.process.pid
            assert [route.name for route in client.routes()] == ["shop.book", "shop.idle", "shop.orders"]
    assert not file.exists()
    with pytest.raises(Unavailable, match="no daemon runs here"):
        Client.found(load_settings(None))


def test_a_file_that_a_dead_daemon_left_finds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither if its process is gone, nor if another one has its number now; nor does nonsense in it."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "data/daemon.json"
    file.parent.mkdir()
    left = {"pid": os.getpid(), "url": "http://127.0.0.1:1", "token": "t", "started": 1.0}
    for text in (json.dumps(left), json.dumps({**left, "pid": 2**22 + 1}), "{", "[]", ""):
        file.write_text(text)
        with pytest.raises(Unavailable, match="no daemon runs here"):
            Client.found(load_settings(None))


def test_a_taken_default_port_moves_and_one_that_was_asked_for_does_not(shop: Command) -> None:
    """Several daemons of one machine need no settings; who asks for a port gets it, or is told who has it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        done = shop("--set", f"control.listen={where}", "serve", "routes")
        assert (done.code, done.out) == (1, "")
        assert f"cannot listen on {where}: it is taken" in done.err
    with socket.socket() as default:
        default.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            default.bind(("127.0.0.1", 7180))
            default.listen()
        except OSError:
            pass  # somebody has it: as good
        with daemon(shop) as one:
            assert not one.file["url"].endswith(":7180")
            assert one.client.health().ready


@pytest.mark.parametrize(
    ("set_", "said"),
    [
        ("listen=0.0.0.0:0", "is open to others, and no token is set"),
        ("listen=nowhere", "[control] 'listen': write an address and a port"),
        ("token=short", "[control] 'token': it has less than 16 characters"),
        ("lissten=x", "did you mean 'listen'?"),
        ("rate=0", "[control] 'rate': input should be greater than or equal to 1"),
    ],
)
def test_wrong_settings_start_nothing(shop: Command, set_: str, said: str) -> None:
    """They are wrong use, with what is wrong and what to do, and without the secret."""
    done = shop("--set", f"control.{set_}", "serve", "routes")
    assert done.code == 2
    assert said in done.err
    assert "short" not in done.err.replace("shortest", "")
    assert not (shop.folder / "data/daemon.json").exists()


def test_a_second_daemon_on_the_same_store_is_told_who_has_it(shop: Command) -> None:
    """It ends with exit code 1, and the first one is found as before."""
    with daemon(shop) as one:
        before = one.file
        done = shop("serve", "routes")
        assert done.code == 1
        assert f"process {one.running.process.pid}" in done.err
        assert one.file == before


def test_no_server_where_none_is_wanted(shop: Command) -> None:
    """An empty `listen` means that nothing listens, and that there is no file."""
    running = shop.start("--set", "control.listen=", "serve", "routes")
    running.until("idle: running")
    assert "console and control API" not in running.log
    assert not (shop.folder / "data/daemon.json").exists()


def test_errors_of_the_desk_come_back_as_they_were(shop: Command) -> None:
    """Their class, what was found, and what to do."""
    with daemon(shop) as one:
        with pytest.raises(UnknownName, match=r"there is no route 'shop\.order'") as unknown:
            one.client.route("shop.order")
        assert unknown.value.hint == "did you mean 'shop.orders'?"
        with pytest.raises(DefinitionError, match="value"):
            one.client.concurrency("shop.orders", 0)
        with Client("http://127.0.0.1:1") as nobody, pytest.raises(Unavailable, match="no daemon answers"):
            nobody.about()


def test_prometheus_reads_the_figures_of_its_routes(shop: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those of the process, as text that needs no more than a reader's token."""
    monkeypatch.chdir(shop.folder)
    with daemon(shop), Client.found(load_settings(None)) as client:
        text = client.metrics()
    assert 'routekit_route_state{route="shop.idle",state="running"} 1.0' in text
    assert 'routekit_messages_received_total{from="source",route="shop.book"}' in text
