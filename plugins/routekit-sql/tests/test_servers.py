"""What only a server does: it dies, comes back, and is used by several daemons at once."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import make_url

from routekit import DefinitionError, Message, Policy, Retry, RouteDegraded, Unavailable, from_
from routekit.testing import Feed, Sink, run_routes, running
from routekit_sql.testing import PASSWORD

pytestmark = pytest.mark.anyio

KINDS = ("postgresql", "mariadb")
SERVERS = pytest.mark.parametrize(
    "backing", [(kind, loop) for kind in KINDS for loop in ("asyncio", "trio")], ids="-".join
)
ONCE = pytest.mark.parametrize("backing", [(kind, "asyncio") for kind in KINDS], ids="-".join)
UPSERT = "sql:crm/contacts?mode=upsert&key=email"
PATIENT = Retry(30, first=0.02, most=0.2)


@SERVERS
async def test_a_server_that_is_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    host: Any, setup: Any
) -> None:
    """Rows that are being written when the server dies are written again once it is back, by the route's policy."""
    server, begun = host.place.server, list[int]()

    def row(number: int) -> Any:
        begun.append(number)
        if len(begun) == 700:
            server.kill()
        return {"email": f"{number}@x", "name": str(number)}

    def watch(event: Any) -> None:
        if isinstance(getattr(event, "error", None), Unavailable) and not server.running:
            server.start()

    flow = from_(Feed(range(2000)), policy=Policy(concurrency=64, retry=PATIENT)).transform(row).to(UPSERT)
    run = await run_routes(flow, setup=setup(watch=watch))
    assert (run.counts["route-1"].done, len(run.letters)) == (2000, 0)
    assert run.counts["route-1"].retried > 0
    assert host.rows("SELECT count(*), count(DISTINCT name) FROM contacts") == [(2000, 2000)]


@SERVERS
async def test_a_table_is_read_to_its_end_although_the_server_dies_meanwhile(host: Any, setup: Any) -> None:
    """A source whose server dies is away, then goes on from the last row that was done: none is left out."""
    host.orders(300)
    server, done = host.place.server, Sink()

    def killing(order: Any) -> Any:
        if order["id"] == 100:
            server.kill()
        return order

    def watch(event: Any) -> None:
        if isinstance(event, RouteDegraded):
            degraded.append(event)
            server.start()

    degraded: list[RouteDegraded] = []
    source = "sql:crm/orders?cursor=number&name=read&batch=20&poll=5ms"
    flow = from_(source).transform(killing).to(done)
    async with running(flow, setup=setup(watch=watch)):
        while len({order["id"] for order in done.bodies}) < 300:
            await anyio.sleep(0.01)
    assert isinstance(degraded[0].error, Unavailable)
    assert len(done.bodies) < 330  # a page at most comes twice


@SERVERS
async def test_connections_that_died_in_the_pool_do_no_harm(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that was lost while it rested is found out before it is used, and replaced."""
    monkeypatch.setattr("routekit_sql.drivers._IDLE", 0.0)
    send = await host.sink()
    await send(Message({"email": "a", "name": "A"}))
    host.place.server.kill()
    host.place.server.start()
    await send(Message({"email": "b", "name": "B"}))
    assert host.rows("SELECT count(*) FROM contacts") == [(2,)]


@SERVERS
async def test_a_server_that_is_away_is_unavailable_and_no_bad_row(host: Any) -> None:
    """While the server is down each send raises Unavailable at once; when it is back the same send succeeds."""
    send = await host.sink()
    server = host.place.server
    server.kill()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable):
                await send(Message({"email": "a", "name": "A"}))
    finally:
        server.start()
    await send(Message({"email": "a", "name": "A"}))


ROUTE = '''
"""Work that several daemons share."""

import json
from routekit import Policy, from_

def told(order):
    with open({file!r}, "a") as out:
        out.write(json.dumps(order["id"]) + "\\n")
    return order

shared = from_(
    "sql:crm/orders?key=id&after=mark&set=state:done&claim=taken_until&lease=1s&batch=5&poll=20ms",
    policy=Policy(concurrency=4),
).transform(told)
'''


@ONCE
async def test_two_daemons_share_a_queue_and_one_of_them_is_killed(host: Any, tmp_path: Path) -> None:
    """Two daemons work on one table: no row is done by both but those that a killed one had in its hands."""
    host.orders(400)
    folders = [tmp_path / name for name in ("one", "two")]
    daemons = [_daemon(folder, host.place.url) for folder in folders]
    try:
        with anyio.fail_after(60):
            while min(len(_done(folder)) for folder in folders) < 20:
                await anyio.sleep(0.02)
            daemons[0].send_signal(signal.SIGKILL)
            while host.rows("SELECT count(*) FROM orders WHERE state = 'done'") != [(400,)]:
                await anyio.sleep(0.05)
    finally:
        for daemon in daemons:
            daemon.kill()
            daemon.wait()
    one, two = map(_done, folders)
    assert set(one) | set(two) == set(range(1, 401))
    assert len(one) == len(set(one))
    assert len(two) == len(set(two))
    assert len(set(one) & set(two)) <= 5  # no more than one claim


def _daemon(folder: Path, url: str) -> subprocess.Popen[bytes]:
    (folder / "routes").mkdir(parents=True)
    (folder / "routes" / "work.py").write_text(ROUTE.format(file=str(folder / "done")))
    (folder / "routekit.toml").write_text(f'[sql.crm]\nurl = "{url}"\n')
    command = [Path(sys.executable).with_name("routekit"), "serve", "routes"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _done(folder: Path) -> list[int]:
    file = folder / "done"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@ONCE
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"password": "wrong"}, "password authentication failed|Access denied"),
        ({"database": "nothing"}, 'database "nothing" does not exist|Unknown database .nothing.'),
        ({"port": 1}, "Connection refused"),
    ],
    ids=["password", "database", "port"],
)
async def test_a_url_that_does_not_lead_there_says_why(hosted: Any, place: Any, change: Any, why: str) -> None:
    """The text says what the server refused, without the password; what was wrong there may be mended there."""
    url = make_url(place.url).set(**change).render_as_string(hide_password=False)
    host = hosted(place, url=url)
    async with host.stack:
        with pytest.raises(Unavailable, match=why) as caught:
            await host.sink()
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("module", "extra", "url"),
    [("psycopg", "postgresql", "postgresql://me@host/db"), ("pymysql", "mariadb", "mysql://me@host/db")],
)
def test_the_driver_is_named_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, module: str, extra: str, url: str
) -> None:
    """Without the extra, the error says what to install."""
    from routekit_sql.dialect import parsed
    from routekit_sql.settings import ConnectionSettings

    monkeypatch.setitem(sys.modules, module, None)
    settings = ConnectionSettings.model_validate({"url": url})
    found, dialect = parsed(settings, "[sql.crm]")
    with pytest.raises(DefinitionError, match=rf"pip install 'routekit-sql\[{extra}\]'"):
        dialect.engine(found, settings)
