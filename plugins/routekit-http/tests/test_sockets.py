"""WebSockets: served, and connected to."""

import json
from collections.abc import Callable, Generator
from threading import Thread
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from pydantic import BaseModel
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.server import ServerConnection, serve

from routekit import DefinitionError, Flow, Logged, Policy, Rejected, RouteDegraded, from_
from routekit.testing import Catalog, Inlet, Run, Sink, check, running, setup_for

pytestmark = pytest.mark.anyio
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""uvicorn needs it."""


HANDSHAKE = (
    b"GET /live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Order(BaseModel):
    id: int
    total: float = 0


async def soon(holds: Callable[[], Any]) -> None:
    with anyio.fail_after(10):
        while not holds():
            await anyio.sleep(0.002)


def figure(service: Any, name: str) -> Any:
    return next((one.value for one in service.figures() if one.name == name), 0)


class Site:
    """Routes that serve, and who connects to them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.run = Run()

    def url(self, path: str) -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def uri(self, path: str) -> str:
        return f"ws:127.0.0.1:{self.port}{path}"

    def running(self, *flows: Flow[Any], **tables: Any) -> Any:
        found = {tuple(name.split("__")): table for name, table in tables.items()}
        setup = setup_for(self.run, settings=lambda table, name: found.get((table, name)))
        return running(*flows, setup=setup)

    async def up(self, count: int = 1) -> None:
        await soon(lambda: len([one for one in self.run.of(Logged) if one.text.startswith("serving")]) >= count)


@pytest.fixture
def site(free_port: int) -> Site:
    return Site(free_port)


@ON_ASYNCIO
async def test_each_message_is_a_call(site: Site) -> None:
    """Its reply is sent back, a failure as a problem, and the next is read when the last is answered."""
    out = Sink()
    flow = from_(site.uri("/orders/{shop}?keep=x-name"), Order).to(out).transform(lambda order: {"done": order.id})
    async with site.running(flow):
        await site.up()
        async with connect(site.url("/orders/a%2Fb"), additional_headers={"x-name": "n", "x-evil": "e"}) as one:
            await one.send('{"id": 1}')
            await one.send(b'{"id": 2}')
            await one.send('{"id": "x"}')
            await one.send("{")
            answers = [json.loads(await one.recv()) for _ in range(4)]
    assert answers[:2] == [{"done": 1}, {"done": 2}]
    assert [answer["status"] for answer in answers[2:]] == [422, 400]
    headers = dict(out.messages[0].headers)
    assert len(headers.pop("ws.connection")) == 16
    assert headers == {
        "ws.path": "/orders/a/b",
        "ws.params": {"shop": "a/b"},
        "ws.client": "127.0.0.1",
        "ws.header.x-name": "n",
    }


@ON_ASYNCIO
async def test_bytes_come_back_as_bytes_and_text_as_text(site: Site) -> None:
    """With `reply=none` nothing comes back but failures."""
    quiet = from_(site.uri("/quiet?reply=none")).transform(lambda body: 1 / 0 if body == "bad" else body)
    async with site.running(from_(site.uri("/echo")), quiet):
        await site.up(2)
        async with connect(site.url("/echo")) as one:
            await one.send(b"\xff\x00")
            assert await one.recv() == b"\xff\x00"
            await one.send("ü")
            assert await one.recv() == "ü"
        async with connect(site.url("/quiet")) as one:
            await one.send("fine")
            await one.send("bad")
            assert json.loads(await one.recv()) == {
                "type": "about:blank",
                "title": "Internal Server Error",
                "status": 500,
            }


@ON_ASYNCIO
async def test_a_sink_sends_to_all_or_to_one(site: Site) -> None:
    """Source and sink of one path share who is connected; one that is gone is rejected."""
    said, push = Sink(), Inlet()
    hear = from_(site.uri("/live?reply=none"), str).to(said)
    tell = from_(push).to(site.uri("/live"), to=lambda body: body.get("to"))
    async with site.running(hear, tell, policy=None):
        await site.up()
        async with connect(site.url("/live")) as one, connect(site.url("/live")) as other:
            await one.send("one")
            await soon(lambda: said.messages)
            id_ = said.messages[0].headers["ws.connection"]
            await push.give({"n": 1})
            await push.give({"n": 2, "to": id_})
            await push.give({"n": 3})
            assert [json.loads(await one.recv())["n"] for _ in range(3)] == [1, 2, 3]
            assert [json.loads(await other.recv())["n"] for _ in range(2)] == [1, 3]
        await push.give({"n": 4, "to": id_})
    assert [letter.error for letter in site.run.letters or []] == []


@ON_ASYNCIO
async def test_who_is_not_connected_cannot_be_sent_to(site: Site) -> None:
    """And who is told nothing is connected to nobody: that is no failure."""
    push = Inlet()
    tell = from_(push, policy=Policy(dead_letter="refuse")).to(site.uri("/live"), to=lambda body: body)
    async with site.running(tell):
        await push.give(None)
        with pytest.raises(Rejected, match="'x' is not connected"):
            await push.give("x")


@ON_ASYNCIO
async def test_who_is_too_slow_is_disconnected(site: Site) -> None:
    """The route does not wait, and a figure tells."""
    push = Inlet()
    async with site.running(from_(push, bytes).to(site.uri("/live?buffer=2"))) as service:
        await push.give(b"-")
        async with await anyio.connect_tcp("127.0.0.1", site.port) as slow:
            await slow.send(HANDSHAKE)
            await soon(lambda: figure(service, "connections") == 1)
            for _ in range(1000):
                await push.give(b"x" * 100_000)
                await anyio.lowlevel.checkpoint()
                if figure(service, "dropped_total"):
                    break
            assert figure(service, "dropped_total") == 1
            await soon(lambda: figure(service, "connections") == 0)


@ON_ASYNCIO
async def test_nobody_listens(site: Site) -> None:
    """Where there is a sink only, who says something is disconnected."""
    push = Inlet()
    async with site.running(from_(push).to(site.uri("/live"))):
        await push.give("-")
        async with connect(site.url("/live")) as one:
            await one.send("hello?")
            with pytest.raises(ConnectionClosed) as caught:
                await one.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1008


@ON_ASYNCIO
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "https://shop.example"}, None),
        ({"origin": "http://127.0.0.1:{port}"}, None),
        ({}, None),
    ],
)
async def test_pages_of_other_sites_may_not_connect(site: Site, headers: dict[str, str], status: int | None) -> None:
    """But those of `cors_origins`, and those of this host."""
    tables: Any = {"http_server__default": {"cors_origins": ["https://shop.example"]}}
    given = {name: value.format(port=site.port) for name, value in headers.items()}
    async with site.running(from_(site.uri("/live")), **tables):
        await site.up()
        if status is None:
            async with connect(site.url("/live"), additional_headers=given):
                pass
        else:
            with pytest.raises(InvalidStatus) as caught:
                await connect(site.url("/live"), additional_headers=given)
            assert caught.value.response.status_code == status


@ON_ASYNCIO
async def test_who_may_not_connect(site: Site) -> None:
    """Without a token, to what is not there, and when there are too many."""
    jwt: Any = {"http_jwt__own": {"issuer": "i", "audience": "a", "secret": "s" * 32, "algorithms": ["HS256"]}}
    flows = [from_(site.uri("/jwt?jwt=own")), from_(site.uri("/few?most=1"))]
    async with site.running(*flows, **jwt):
        await site.up(2)
        async with connect(site.url("/few")):
            for path, status in (("/jwt", 401), ("/few", 503), ("/none", 404)):
                with pytest.raises(InvalidStatus) as caught:
                    await connect(site.url(path))
                assert caught.value.response.status_code == status


@ON_ASYNCIO
async def test_a_stop_says_goodbye(site: Site) -> None:
    """What is at work is answered first."""
    async with site.running(from_(site.uri("/live"))):
        await site.up()
        one = await connect(site.url("/live"))
        await one.send("1")
        assert await one.recv() == "1"
    with pytest.raises(ConnectionClosed) as caught:
        await one.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code in (1001, 1012)


@ON_ASYNCIO
async def test_a_message_that_is_too_long(site: Site) -> None:
    """Closes its connection and nothing else."""
    tables: Any = {"http_server__default": {"max_message": "1KB"}}
    async with site.running(from_(site.uri("/live")), **tables):
        await site.up()
        async with connect(site.url("/live")) as one, connect(site.url("/live")) as other:
            await one.send("x" * 2000)
            with pytest.raises(ConnectionClosed) as caught:
                await one.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009
            await other.send("fine")
            assert await other.recv() == "fine"


def test_two_routes_that_take_what_is_said_on_one_path() -> None:
    """Are found by a check."""
    one, other = from_("ws:h:1/a/{id}"), from_("ws:h:1/a/{name}")
    (problem,) = check([one.route("one"), other.route("other")], Catalog())
    assert problem.message == "it clashes with route 'one': both take what is said on h:1/a/{name}"


class Elsewhere:
    """Somebody's server, in a thread of its own: it says what a test wants, and keeps what is said to it."""

    def __init__(self) -> None:
        self.says: list[str | bytes] = []
        self.heard: list[str | bytes] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.after: Callable[[ServerConnection], None] = self.listen
        self.connections: list[ServerConnection] = []
        self.server = serve(self.talk, "127.0.0.1", 0)
        self.port = self.server.socket.getsockname()[1]
        self.thread = Thread(target=self.server.serve_forever)

    def talk(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        self.headers.append({name.lower(): value for name, value in connection.request.headers.raw_items()})
        self.connections.append(connection)
        for text in self.says:
            connection.send(text)
        self.after(connection)

    def listen(self, connection: ServerConnection) -> None:
        for message in connection:
            self.heard.append(message)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.server.shutdown()
        self.thread.join()


@pytest.fixture
def elsewhere() -> Generator[Elsewhere]:
    made = Elsewhere()
    made.thread.start()
    yield made
    made.close()


async def test_a_source_takes_what_a_server_sends(elsewhere: Elsewhere, setup_with: Any) -> None:
    """With the login of the connection; it says hello, and connects again when the connection is over."""
    elsewhere.says = ["1", b"2"]
    elsewhere.after = lambda connection: elsewhere.heard.append(connection.recv())
    crm = {"url": f"http://127.0.0.1:{elsewhere.port}/v1", "auth": {"kind": "bearer", "token": "t"}}
    out = Sink()
    flow = from_("ws:crm/feed?hello=subscribe&retry=1ms&query.a=b").to(out)
    async with running(flow, setup=setup_with(http__crm=crm)) as service:
        await soon(lambda: len(out.bodies) >= 6)
        assert figure(service, "opened_total") >= 3
    assert out.bodies[:4] == ["1", b"2", "1", b"2"]
    assert elsewhere.heard[:2] == ["subscribe", "subscribe"]
    assert elsewhere.paths[0] == "/v1/feed?a=b"
    assert elsewhere.headers[0]["authorization"] == "Bearer t"


async def test_a_busy_route_reads_no_more_than_it_says(elsewhere: Elsewhere, setup_with: Any) -> None:
    """The server has to wait: nothing piles up here."""
    elsewhere.after = lambda connection: [connection.send("x" * 100_000) for _ in range(200)] and None
    busy = anyio.Event()
    taken: list[int] = []

    async def hold(body: str) -> None:
        taken.append(len(body))
        await busy.wait()

    flow = from_(f"ws://127.0.0.1:{elsewhere.port}/?ahead=3&retry=1h", str).transform(hold)
    async with running(flow, setup=setup_with()) as service:
        await soon(lambda: figure(service, "waiting") == 3)
        assert taken == [100_000]
        busy.set()
        await soon(lambda: len(taken) == 200)


async def test_a_server_that_is_away_degrades_the_route(free_port: int) -> None:
    """As does one that refuses."""
    run = Run()
    async with running(from_(f"ws://127.0.0.1:{free_port}/"), setup=setup_for(run)):
        await soon(lambda: run.of(RouteDegraded))
    assert "127.0.0.1" in str(run.of(RouteDegraded)[0].error)


async def test_a_sink_sends_to_a_server(elsewhere: Elsewhere, setup_with: Any) -> None:
    """Text as text, bytes as bytes, others as JSON; a connection that is over is opened again."""
    inlet = Inlet()
    flow = from_(inlet).to(f"ws://127.0.0.1:{elsewhere.port}/in?hello=hi")
    elsewhere.says = ["welcome"]
    async with running(flow, setup=setup_with()) as service:
        for body in ("a", b"b", {"c": 1}):
            await inlet.give(body)
        await soon(lambda: len(elsewhere.heard) == 4 and figure(service, "ignored_total"))
        assert elsewhere.heard == ["hi", "a", b"b", '{"c":1}']
        await anyio.to_thread.run_sync(elsewhere.connections[0].close)
        await soon(lambda: not figure(service, "connected"))
        await inlet.give("again")
        await soon(lambda: elsewhere.heard[-1] == "again")
        assert figure(service, "opened_total") == 2


async def test_a_websocket_goes_by_no_proxy(host: Any) -> None:
    """It says so, instead of going past it."""
    host.tables["http", "far"] = {"url": "http://far.example", "proxy": "http://127.0.0.1:1"}
    with pytest.raises(DefinitionError, match="a WebSocket goes by no proxy"):
        await host.sink("ws:far/x")


@ON_ASYNCIO
async def test_source_and_sink_meet(site: Site) -> None:
    """A sink that connects sends to a source that serves."""
    inlet, out = Inlet(), Sink()
    async with site.running(from_(site.uri("/in?reply=none"), Order).to(out)):
        await site.up()
        async with running(from_(inlet).to(f"ws://127.0.0.1:{site.port}/in"), setup=setup_for(Run())):
            for number in range(50):
                await inlet.give({"id": number})
            await soon(lambda: len(out.bodies) == 50)
    assert [order.id for order in out.bodies] == [*range(50)]
