"""A server that goes away in the middle: nothing is lost, nothing is done twice, and nobody is told of what was not."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import anyio
import psycopg
import pytest

from routekit import Adding, Arrival, Claim, Deed, Letter, Store, StoreError
from routekit.testing import fault_proxy
from routekit.testing.conformance import StoreContract
from routekit_postgresql.testing import PostgreSQL

pytestmark = pytest.mark.anyio

_TERMINATE = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name LIKE 'routekit process%%' AND query NOT LIKE '%%pg_terminate%%'
"""


@contextmanager
def terminating(server: PostgreSQL) -> Generator[None]:
    """All connections of the stores at work are terminated, whatever they are doing, again and again.

    More and more rarely, so that a test on a slow machine, whose connections take long to make, comes to its end.
    """
    over = Event()

    def terminate() -> None:
        pause = 0.02
        with psycopg.connect(server.url, autocommit=True) as connection:
            while not over.wait(pause):
                connection.execute(_TERMINATE.encode())
                pause = min(pause * 1.1, 1.0)

    thread = Thread(target=terminate)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Cut:
    """Ends the connection of a lane at its statement of some number.

    It ends `before` that is sent, `after` it was answered, or so that it was done and the answer is lost: `unanswered`.
    """

    def __init__(self, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = self.count = 0
        self.how = "before"
        self._server = server
        execute = psycopg.Connection.execute
        ended = self._ended

        def cutting(connection: Any, query: Any, *args: Any, **options: Any) -> Any:
            if b" lane " not in connection.pgconn.parameter_status(b"application_name") or not self.at:
                return execute(connection, query, *args, **options)
            self.count += 1
            here = self.count == self.at
            if here and self.how == "before":
                ended(connection)
            found = execute(connection, query, *args, **options)
            if here and self.how == "after":
                ended(connection)
            if here and self.how == "unanswered":
                connection.close()
                raise psycopg.OperationalError("the answer was lost")
            return found

        monkeypatch.setattr(psycopg.Connection, "execute", cutting)

    def _ended(self, connection: Any) -> None:
        self._server.rows("SELECT pg_terminate_backend(%s, 10000)", connection.info.backend_pid)


BEGIN, MARK, CALL, COMMIT = 1, 2, 3, 4
ENDS = (
    ("before", BEGIN), ("before", CALL), ("before", COMMIT), ("after", MARK), ("after", CALL), ("after", COMMIT),
    ("unanswered", COMMIT),
)  # fmt: skip
LETTER = Letter("l1", "m1", "r", "s", "t", "p", "E", "no", 1, 1.0, {"n": 1})

Work = Callable[[Store], Any]
WORKS: Sequence[tuple[Work, Any]] = (
    (lambda store: store.keys("k").claim("a", owner="me", lease=60), Claim.MINE),
    (lambda store: store.keys("k").complete("a", owner="me"), None),
    (lambda store: store.marks("m").put("a", "1"), None),
    (lambda store: store.journal("j").add("m1", "one", owner="me"), Arrival.NEW),
    (lambda store: store.journal("j").record("m1", "e", "r", owner="me"), None),
    (lambda store: store.journal("j").checkpoint("m1", "here", "two", owner="me"), None),
    (lambda store: store.journal("j").finish("m1", owner="me", remember=60), None),
    (lambda store: _adding(store, "m1"), (Adding.NEW, 1)),
    (lambda store: _adding(store, "m2"), (Adding.NEW, 2)),
    (lambda store: _version(store), 1),
    (lambda store: _version(store), 2),
    (lambda store: store.outbox("o").add([("a", "1"), ("b", "2")]), None),
    (lambda store: _taken(store), ["a", "b"]),
    (lambda store: store.letters.add(LETTER), None),
    (lambda store: store.letters.remove("l1"), True),
    (lambda store: store.audit.add(Deed(1.0, "ann", "x", "y")), None),
)
"""Calls, and what each answers the first time; all but a few answer otherwise if they are done twice."""
HELD = [("audit", 1), ("finished", 1), ("groups", 2), ("keys", 1), ("marks", 1), ("outbox", 2), ("values", 1)]
"""What is there after them."""


async def _adding(store: Store, id: str) -> Any:
    adding, group = await store.groups("g").add("k", id, "text", owner="me")
    return adding, group.size


async def _version(store: Store) -> int | None:
    written = await store.values("v").put("k", "text")
    return written and written.version


async def _taken(store: Store) -> list[str]:
    return [parcel.id for parcel in await store.outbox("o").take(owner="me", lease=60, limit=9)]


async def _held(store: Store) -> Any:
    return [(held.kind, held.count) for held in await store.contents()]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_call_whose_connection_ends_at_any_statement_is_done_once(
    opened: Any, server: PostgreSQL, schema: str, monkeypatch: pytest.MonkeyPatch
):
    """Ended at any statement, the commit too, each call answers as if nothing had been, and is done once."""
    cut = Cut(server, monkeypatch)
    for number, (how, at) in enumerate(ENDS):
        async with opened(connections=1, timeout=60, schema=f"{schema}_{number}") as store:
            for work, expected in WORKS:
                cut.how, cut.at, cut.count = how, at, 0
                found = await work(store)
                assert found == expected, (how, at, expected)
                assert cut.count >= at
            cut.at = 0
            assert await _held(store) == HELD


async def test_a_server_that_is_killed_and_comes_back_is_waited_for(opened: Any):
    """Calls that are at work while the server is killed are done once when it is there again, and none fails."""
    with PostgreSQL() as own:
        async with opened(server=own, timeout=100, lease=3600) as store:
            done: list[str] = []

            async def write(caller: int) -> None:
                for number in range(60):
                    known = f"{caller}-{number}"
                    assert await store.journal("j").add(known, "text", owner=store.owner) is Arrival.NEW
                    done.append(known)

            async with anyio.create_task_group() as tasks:
                for caller in range(8):
                    tasks.start_soon(write, caller)
                for _ in range(2):
                    count = len(done)
                    while len(done) < count + 60:
                        await anyio.sleep(0.001)
                    await anyio.to_thread.run_sync(own.kill)
                    await anyio.to_thread.run_sync(own.start)
            entries = await store.journal("j").take(owner=store.owner, limit=1000)
            assert sorted(entry.id for entry in entries) == sorted(done)
            assert len(done) == 480


async def test_a_server_that_stays_away_is_told(opened: Any):
    """A call fails with a StoreError that names the database, not the password, and works again when it is back."""
    with PostgreSQL() as own:
        async with opened(server=own, timeout=0.2, lease=3600) as store:
            await store.marks("m").put("k", "1")
            await anyio.to_thread.run_sync(own.kill)
            with pytest.raises(StoreError) as caught:
                await store.marks("m").put("k", "2")
            assert f"postgresql://127.0.0.1:{own.port}/postgres" in str(caught.value)
            assert "s3cret" not in str(caught.value)
            await anyio.to_thread.run_sync(own.start)
            with anyio.fail_after(60):
                while True:
                    try:
                        await store.marks("m").put("k", "3")
                        break
                    except StoreError:
                        await anyio.sleep(0.05)
            assert await store.marks("m").get("k") == "3"


async def test_a_connection_that_is_cut_by_the_network_is_made_anew(opened: Any, server: PostgreSQL, schema: str):
    """Cut by a proxy again and again, every call is done once."""
    async with fault_proxy("127.0.0.1", server.port) as proxy:
        host, port = proxy.address
        uri = server.store(schema, timeout=60).replace(f"127.0.0.1:{server.port}", f"{host}:{port}")
        async with opened(uri=uri) as store:
            for number in range(100):
                if number % 10 == 9:
                    proxy.cut()
                written = await store.values("v").put("k", str(number))
                assert written is not None
                assert written.version == number + 1


async def test_a_server_that_hangs_is_given_up(opened: Any, server: PostgreSQL, schema: str):
    """A connection on which nothing comes any more, though it is open, fails after `patience`, and is made anew."""
    async with fault_proxy("127.0.0.1", server.port) as proxy:
        host, port = proxy.address
        uri = server.store(schema, timeout=0.1, patience=1, lease=3600, connections=1)
        async with opened(uri=uri.replace(f"127.0.0.1:{server.port}", f"{host}:{port}")) as store:
            await store.marks("m").put("k", "1")
            proxy.stall()
            with pytest.raises(StoreError, match="has not answered"):
                await store.marks("m").get("k")
            proxy.heal()
            with anyio.fail_after(60):
                while True:
                    try:
                        assert await store.marks("m").get("k") == "1"
                        break
                    except StoreError:
                        await anyio.sleep(0.05)


async def test_one_call_that_is_refused_does_not_fail_the_others(opened: Any):
    """Of calls that share a transaction, only the one that cannot be stored fails."""
    async with opened(connections=1) as store:
        outcomes: dict[int, str] = {}

        async def put(number: int) -> None:
            try:
                await store.marks("m").put(f"k{number}", "\0" if number == 7 else "fine")
                outcomes[number] = "stored"
            except StoreError:
                outcomes[number] = "refused"

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(put, number)
        assert [number for number, outcome in outcomes.items() if outcome == "refused"] == [7]
        assert len(await store.marks("m").items()) == 19


class TestTerminatedAllTheTime(StoreContract):
    """The whole contract, while all connections are terminated again and again."""

    loops = ("trio",)
    scripts = 3
    kills = 1

    @pytest.fixture(autouse=True)
    def _open_here(self, opened: Any, server: PostgreSQL) -> Generator[None]:
        self._opened = opened
        with terminating(server):
            yield

    def opened(self, clock: Any) -> Any:
        return self._opened(clock, timeout=60)
