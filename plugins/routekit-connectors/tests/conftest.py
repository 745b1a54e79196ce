"""A runtime that opens what sessions share, and an API in memory that is asked over real sockets."""

import json
import urllib.request
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from time import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import anyio
import h11
import pytest
from anyio.abc import SocketAttribute, SocketStream

from routekit_connectors.testing import bottlecrm_server as bottlecrm_server
from routekit_connectors.testing import roundup_server as roundup_server
from routekit_connectors.testing import tryton_server as tryton_server


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops, by the real clock: sockets take real time."""
    return request.param


@dataclass
class Asked:
    """One request; `document` is its JSON, None without any."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    document: Any


@dataclass
class Says:
    """One answer."""

    status: int = 200
    document: Any = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None


@dataclass
class Peer:
    """A server whose `answer` gives what it says to a request; None breaks the connection."""

    answer: Callable[[Asked], Says | None] = lambda asked: Says()
    asked: list[Asked] = field(default_factory=list[Asked])
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    async def serve(self, stream: SocketStream) -> None:
        async with stream:
            connection = h11.Connection(h11.SERVER)
            try:
                while await self._turn(connection, stream):
                    connection.start_next_cycle()
            except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, h11.ProtocolError):
                return

    async def _turn(self, connection: h11.Connection, stream: SocketStream) -> bool:
        request, body = None, bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
        if request is None:
            return False
        parts = urlsplit(request.target.decode())
        headers = {name.decode(): value.decode() for name, value in request.headers}
        document = json.loads(body) if body else None
        asked = Asked(request.method.decode(), parts.path, dict(parse_qsl(parts.query)), headers, document)
        self.asked.append(asked)
        says = self.answer(asked)
        if says is None:
            return False
        given = (
            says.body if says.body is not None else b"" if says.document is None else json.dumps(says.document).encode()
        )
        head = [*says.headers.items(), ("content-length", str(len(given)))]
        await stream.send(connection.send(h11.Response(status_code=says.status, headers=head)) or b"")
        await stream.send(connection.send(h11.Data(data=given)) or b"")
        await stream.send(connection.send(h11.EndOfMessage()) or b"")
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


@asynccontextmanager
async def serving(answer: Callable[[Asked], Says | None] | None = None) -> AsyncGenerator[Peer]:
    peer = Peer() if answer is None else Peer(answer)
    listener: Any = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    peer.port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, peer.serve)
        yield peer
        tasks.cancel_scope.cancel()


@pytest.fixture
def says() -> type[Says]:
    return Says


@pytest.fixture
async def peer() -> AsyncGenerator[Peer]:
    """A server that answers 200 with nothing, until a test says what else."""
    async with serving() as made:
        yield made


class Host:
    """A runtime that has settings and opens what is shared, and nothing else."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.stack = AsyncExitStack()
        self.open: dict[Any, Any] = {}
        self.store: Any = None
        self.random = Random(1)
        self.now: Callable[[], float] = time

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        return self.tables.get((table, name))

    async def shared(self, factory: Callable[..., AbstractAsyncContextManager[Any]], *args: Any) -> Any:
        key = (factory, args)
        if key not in self.open:
            self.open[key] = await self.stack.enter_async_context(factory(*args))
        return self.open[key]


@pytest.fixture
def erp(host: Host, tryton_server: Any) -> str:
    """The real Tryton, as the connection `[http.erp]`."""
    auth = {"kind": "basic", "user": tryton_server.user, "password": tryton_server.password}
    host.tables["http", "erp"] = {"url": f"{tryton_server.url}/{tryton_server.database}", "auth": auth}
    return "erp"


@pytest.fixture
def roundup(host: Host, roundup_server: Any) -> str:
    """The real Roundup, as the connection `[http.roundup]`."""
    auth = {"kind": "basic", "user": roundup_server.user, "password": roundup_server.password}
    host.tables["http", "roundup"] = {"url": roundup_server.url, "auth": auth}
    return "roundup"


@pytest.fixture
def bottlecrm(host: Host, bottlecrm_server: Any) -> str:
    """The real BottleCRM, as the connection `[http.bottlecrm]`."""
    auth = {"kind": "bearer", "token": bottlecrm_server.token}
    host.tables["http", "bottlecrm"] = {"url": bottlecrm_server.api, "auth": auth}
    return "bottlecrm"


@pytest.fixture
async def host() -> AsyncGenerator[Host]:
    """A runtime without settings yet."""
    made = Host()
    async with made.stack:
        yield made


class Contacts:
    """A REST API of contacts: ETags, a feed by time, offsets, unique addresses."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.clock = 1_700_000_000.0
        self.page = 3
        self.checks = True

    def add(self, **fields: Any) -> str:
        row_id = str(len(self.rows) + 1)
        self.rows[row_id] = {"id": row_id, "version": 0, **fields}
        self._touch(row_id)
        return row_id

    def _touch(self, row_id: str) -> None:
        self.clock += 1
        row = self.rows[row_id]
        row |= {"version": row["version"] + 1, "changed": self.clock}

    def answer(self, asked: Asked) -> Says:
        parts = asked.path.strip("/").split("/")
        if len(parts) == 1:
            return self._list(asked) if asked.method == "GET" else self._create(asked)
        row = self.rows.get(parts[1])
        return Says(404, {"detail": "Not found."}) if row is None else self._one(asked, row)

    def _list(self, asked: Asked) -> Says:
        rows = [row for row in self.rows.values() if row["changed"] >= float(asked.query.get("since", 0))]
        if "email" in asked.query:
            rows = [row for row in rows if asked.query["email"] in (row.get("email") or "")]
        rows.sort(key=lambda row: (row["changed"], row["id"]))
        first = int(asked.query.get("offset", 0))
        size = min(self.page, int(asked.query.get("limit", self.page)))
        return Says(
            200, {"results": rows[first : first + size], "count": len(rows)}, {"date": "Sat, 21 Nov 2026 12:00:00 GMT"}
        )

    def _create(self, asked: Asked) -> Says:
        if any(row.get("email") == asked.document.get("email") for row in self.rows.values()):
            return Says(400, {"errors": {"email": ["already exists"]}})
        row = self.rows[self.add(**asked.document)]
        return Says(201, {"contact": row}, {"etag": f'"{row["version"]}"'})

    def _one(self, asked: Asked, row: dict[str, Any]) -> Says:
        held = asked.headers.get("if-match")
        if self.checks and held is not None and held != f'"{row["version"]}"':
            return Says(412, {"detail": "changed"})
        if asked.method == "DELETE":
            del self.rows[row["id"]]
            return Says(204)
        if asked.method == "PATCH":
            row |= asked.document
            self._touch(row["id"])
        return Says(200, {"contact": row}, {"etag": f'"{row["version"]}"'})


@pytest.fixture
def contacts(peer: Peer, host: Host) -> Contacts:
    """The API of contacts, as the connection `[http.crm]`."""
    made = Contacts()
    peer.answer = made.answer
    host.tables["http", "crm"] = {"url": peer.url}
    return made


class Hands:
    """What people do in Tryton, by its own interface."""

    def __init__(self, server: Any) -> None:
        self._url = f"{server.url}/{server.database}/rpc/"
        self.user, session = self._ask("common.db.login", ["admin", {"password": server.password}, "en"], "")[:2]
        self._session = "Session " + b64encode(f"admin:{self.user}:{session}".encode()).decode()

    def do(self, model: str, method: str, *arguments: Any, **context: Any) -> Any:
        """Call a method of a model."""
        return self._ask(f"model.{model}.{method}", [*arguments, context], self._session)

    def part(self, party: str, model: str) -> int:
        """The first part of a party."""
        return self.do(model, "search", [["party", "=", int(party)]], 0, 1, None)[0]

    def merge(self, loser: int, winner: int) -> None:
        """Replace one party by another."""
        wizard = self._ask("wizard.party.replace.create", [{}], self._session)[0]
        form = {"ask": {"source": loser, "destination": winner}}
        context = {"active_model": "party.party", "active_id": loser, "active_ids": [loser]}
        self._ask("wizard.party.replace.execute", [wizard, form, "replace", context], self._session)

    def _ask(self, method: str, params: list[Any], session: str) -> Any:
        data = json.dumps({"id": 1, "method": method, "params": params}).encode()
        headers = {"content-type": "application/json", "authorization": session}
        with urllib.request.urlopen(urllib.request.Request(self._url, data, headers), timeout=60) as answer:
            found = json.load(answer)
        assert "error" not in found, found
        return found["result"]


@pytest.fixture
def hands(tryton_server: Any) -> Hands:
    """Somebody who works with the real Tryton."""
    return Hands(tryton_server)
