"""Commands that ask and steer a running daemon: `ps`, `get`, `log`, `start`, `stop`, `pause`, `resume` and others.

The daemon is a real one, started once; the commands run in this process, but for those that a person sees whole.
"""

import json
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from routekit.cli import app

PATIENCE = 30.0
SHOP = '''"""A shop."""

from pathlib import Path

import anyio

from routekit import from_

TRIED = []


def odd(number):
    if number % 2 == 0:
        raise ValueError("an even number")
    return number


async def patiently(number):
    while not Path("go").exists():
        await anyio.sleep(0.01)
    return number


slow = from_("timer:s?every=20ms&repeat=1", int).transform(patiently)
ticks = from_("timer:t?every=20ms", int).transform(odd).log("ticked {body}")
orders = (
    from_("timer:o?every=20ms", int)
    .filter(lambda number: number <= 6)
    .aggregate("baskets", int, key=lambda number: str(number % 2), size=1000, timeout=3600)
    .log("a basket of {body}")
)
guarded = from_("timer:g?every=1h").circuit_breaker(lambda calls: calls.log("called"), name="crm").log("{body}")
idle = from_("timer:i?every=1h").to("log:x")
'''
SETTINGS = '[control]\ntoken = "open sesame, please"\nreader_token = "only looking around"\n'


@pytest.fixture(scope="module")
def shop(routekit_of_module: Any) -> Any:
    """The folder of a daemon that runs."""
    routekit_of_module.write("routes/shop.py", SHOP)
    routekit_of_module.write("routekit.toml", SETTINGS)
    running = routekit_of_module.start("serve")
    running.until("shop.idle: running")
    until(lambda: (routekit_of_module.folder / "data/daemon.json").exists())
    return routekit_of_module


@pytest.fixture
def asked(shop: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Ask the daemon: a command in this process, in the folder of the daemon."""
    monkeypatch.chdir(shop.folder)
    for name in [name for name in os.environ if name.startswith("ROUTEKIT_")]:
        monkeypatch.delenv(name)

    def ask(*arguments: str, code: int = 0, **environ: str) -> Any:
        done = CliRunner().invoke(app, list(arguments), env=environ)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in arguments else done.output

    return ask


def until(done: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def state(asked: Callable[..., Any], route: str) -> str:
    (found,) = asked("ps", route, "--json")
    return found["state"]


def url(shop: Any) -> str:
    return json.loads((shop.folder / "data/daemon.json").read_text())["url"]


def test_ps(shop: Any) -> None:
    """A line for each route says its state and what flows; nothing but the table is printed."""
    done = shop("ps")
    assert (done.code, done.err) == (0, "")
    head, *rows = [line.split() for line in done.out.splitlines()]
    assert " ".join(head) == "route state rate in flight done dead p95 since why"
    assert {row[0]: row[1] for row in rows if row[0] != "shop.slow"} == {
        "shop.guarded": "running",
        "shop.idle": "running",
        "shop.orders": "running",
        "shop.ticks": "running",
    }


def test_ps_of_some(asked: Callable[..., Any]) -> None:
    """A pattern chooses routes; --json has the sights whole, with figures that grow."""
    assert [one["name"] for one in asked("ps", "shop.*d*", "--json")] == ["shop.guarded", "shop.idle", "shop.orders"]
    assert asked("ps", "nothing") == "no route\n"
    (before,) = asked("ps", "shop.ticks", "--json")
    until(lambda: asked("ps", "shop.ticks", "--json")[0]["done"] > before["done"])
    (after,) = asked("ps", "shop.ticks", "--json")
    assert after["dead"] > 0
    assert set(before) == set(after) >= {"name", "state", "why", "rate", "p95", "since"}


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("routes", {"name": "shop.ticks", "module": "shop"}),
        ("endpoints", {"route": "shop.idle", "uri": "log:x", "role": "sink"}),
        ("groups", {"name": "baskets", "route": "shop.orders", "key": "1", "closed": False}),
        ("breakers", {"name": "crm", "route": "shop.guarded"}),
        ("store", {"kind": "letters", "name": "shop.ticks"}),
        ("health", {"kind": "route", "name": "shop.idle", "ok": True}),
        ("settings", {"name": "routekit.drain"}),
    ],
)
def test_get(asked: Callable[..., Any], what: str, expected: dict[str, Any]) -> None:
    """Each kind of thing is a table for people, and the sights as they are for programs."""
    until(lambda: any(expected.items() <= one.items() for one in asked("get", what, "--json")))
    head, *rows = asked("get", what).splitlines()
    assert head
    name = expected["name"] if "name" in expected else expected["uri"]
    assert any(name in row for row in rows)


def test_get_of_one_route(asked: Callable[..., Any]) -> None:
    """--route leaves only what is of that route, or of those that fit."""
    assert {one["route"] for one in asked("get", "endpoints", "--route", "shop.i*", "--json")} == {"shop.idle"}
    assert [one["name"] for one in asked("get", "routes", "--route", "shop.idle", "--json")] == ["shop.idle"]
    assert asked("get", "groups", "--route", "shop.idle") == "no groups\n"
    assert asked("get", "inflight", "--route", "shop.idle") == "nothing in flight\n"


def test_pause_and_resume(asked: Callable[..., Any]) -> None:
    """A route that is paused says so, and why; it goes on when it is resumed."""
    assert asked("pause", "shop.ticks", "--wait", "20").startswith("shop.ticks: paused")
    assert state(asked, "shop.ticks") == "paused"
    assert asked("resume", "shop.ticks", "--wait", "20") == "shop.ticks: running\n"


def test_stop_and_start_by_pattern(asked: Callable[..., Any]) -> None:
    """A pattern means all routes that fit; --json gives each as it is then."""
    stopped = asked("stop", "shop.i*", "--wait", "20", "--json")
    assert [(one["name"], one["state"]) for one in stopped] == [("shop.idle", "stopped")]
    assert asked("start", "shop.idle", "--wait", "20") == "shop.idle: running\n"
    assert "no route fits 'crm.*'" in asked("stop", "crm.*", code=2)


def test_order_that_takes_longer(shop: Any, asked: Callable[..., Any]) -> None:
    """A route stops when its messages are done: with --wait it is exit code 1 if that is not so in time."""
    until(lambda: bool(asked("get", "inflight", "--route", "shop.slow", "--json")))
    (flight,) = asked("get", "inflight", "--json", "--route", "shop.slow")
    assert flight["step"] == "transform(patiently)"
    assert flight["message"] in asked("get", "inflight", "--route", "shop.slow")
    said = asked("stop", "shop.slow", "--wait", "0.3", code=1)
    assert said.startswith("shop.slow: stopping, 1 in flight\n")
    assert "not stopped within 0.3 s: shop.slow" in said
    shop.write("go", "")
    until(lambda: state(asked, "shop.slow") == "stopped")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pause", "shop.tick"), "did you mean 'shop.ticks'?"),
        (("concurrency", "shop.tick", "2"), "did you mean 'shop.ticks'?"),
        (("flush", "basket"), "did you mean 'baskets'?"),
        (("breaker", "open", "cmr"), "did you mean 'crm'?"),
        (("get", "rutes"), "is not one of"),
        (("concurrency", "shop.ticks", "0"), "greater than or equal to 1"),
        (("ps", "--url", "nonsense"), "'nonsense' is no URL of a daemon"),
        (("log", "--level", "loud"), "is not one of"),
    ],
)
def test_wrong_use(asked: Callable[..., Any], arguments: tuple[str, ...], said: str) -> None:
    """What is asked in a way that cannot work is exit code 2, with what to do."""
    assert said in asked(*arguments, code=2)


def test_concurrency(asked: Callable[..., Any]) -> None:
    """The slots of a route are as many as was said, until it stops."""
    assert asked("concurrency", "shop.ticks", "3") == "shop.ticks: 3 in flight at most\n"
    assert asked("get", "routes", "--route", "shop.ticks", "--json")[0]["concurrency"] == 3
    assert asked("concurrency", "shop.ticks", "1", "--json")["concurrency"] == 1


def test_flush(asked: Callable[..., Any]) -> None:
    """The group of a key goes on, or all of them; how many is told."""
    until(lambda: [one["size"] for one in asked("get", "groups", "--json")] == [3, 3])
    assert asked("flush", "baskets", "--key", "1") == "baskets: 1 group let go\n"
    until(lambda: "a basket of [1, 3, 5]" in asked("log", "--lines", "5000"))
    assert asked("flush", "baskets", "--json") == {"groups": 1}


def test_breaker(asked: Callable[..., Any]) -> None:
    """A circuit breaker is open or closed, as was said."""
    assert asked("breaker", "open", "crm") == "crm of shop.guarded: open\n"
    assert [one["state"] for one in asked("breaker", "close", "crm", "--json")] == ["closed"]


def test_what_was_done_is_written_down(asked: Callable[..., Any]) -> None:
    """The audit of the daemon names who did what: the user, or whom --as names."""
    asked("pause", "shop.idle", "--as", "Ada", "--wait", "20")
    asked("resume", "shop.idle", "--wait", "20")
    last, before = [one for one in asked("get", "audit", "--json") if one["action"].startswith("routes.")][:2]
    assert (before["who"], before["action"], before["what"]) == ("Ada", "routes.pause", "shop.idle")
    assert (last["action"], last["who"] not in ("", "Ada")) == ("routes.resume", True)


def test_log(asked: Callable[..., Any]) -> None:
    """The last lines, of a route, of a level and what is worse; as JSON a line each."""
    until(lambda: "an even number" in asked("log"))
    assert len(asked("log", "--lines", "3").splitlines()) == 3
    assert asked("log", "--lines", "0") == ""
    worse = asked("log", "--level", "warning", "--lines", "5000").splitlines()
    assert worse
    assert not any(" INFO " in line for line in worse)
    of_one = CliRunner().invoke(app, ["log", "--route", "shop.ticks", "--json", "--lines", "2"])
    assert of_one.exit_code == 0
    first, second = (json.loads(line) for line in of_one.stdout.splitlines())
    assert first["number"] < second["number"]
    assert {first["route"], second["route"]} == {"shop.ticks"}


def test_reload(asked: Callable[..., Any]) -> None:
    """What was done about changed modules is told, or why nothing can be."""
    done = CliRunner().invoke(app, ["reload"])
    assert done.output.strip()
    assert done.exit_code in (0, 1)


def test_another_daemon_by_url(shop: Any, asked: Callable[..., Any]) -> None:
    """With --url and the right token any daemon can be asked, from the environment too; a wrong one is exit code 1."""
    where = url(shop)
    assert asked("ps", "--url", where, "--token", "open sesame, please", "--json")
    assert asked("ps", "--json", ROUTEKIT_URL=where, ROUTEKIT_TOKEN="open sesame, please")
    assert asked("ps", "--url", where, "--token", "only looking around", "--json")
    said = asked("ps", "--url", where, "--token", "wrong", code=1)
    assert "that is not the right token" in said
    assert "--token or ROUTEKIT_TOKEN" in said
    refused = asked("pause", "shop.idle", "--url", where, "--token", "only looking around", code=1)
    assert "error: " in refused
    assert state(asked, "shop.idle") == "running"


def test_names_for_shells(shop: Any) -> None:
    """What a shell offers are the names of what runs."""
    pausing = shop(_ROUTEKIT_COMPLETE="complete_bash", COMP_WORDS="routekit pause shop.i", COMP_CWORD="2")
    assert (pausing.out, pausing.err) == ("shop.idle\n", "")
    closing = shop(_ROUTEKIT_COMPLETE="complete_bash", COMP_WORDS="routekit breaker close ", COMP_CWORD="3")
    assert (closing.out, closing.err) == ("crm\n", "")


def test_no_daemon(routekit: Any) -> None:
    """Without a daemon each command says so in one line and what to do, with exit code 4."""
    done = routekit("ps")
    assert (done.code, done.out) == (4, "")
    assert done.err.splitlines() == [
        "error: no daemon runs here",
        "  start one: routekit serve routes/ (looked for data/daemon.json)",
    ]


def test_nobody_at_the_url(asked: Callable[..., Any]) -> None:
    """Nobody at the URL, or somebody else, is exit code 4 too."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    assert "no daemon answers at" in asked("top", "--url", f"http://127.0.0.1:{free}", code=4)

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    serving = Thread(target=partial(server.serve_forever, poll_interval=0.02))
    serving.start()
    try:
        said = asked("ps", "--url", f"http://127.0.0.1:{server.server_port}", code=4)
        assert "answers 404, as no daemon of RouteKit does" in said
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
