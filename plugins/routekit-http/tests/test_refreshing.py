"""Refresh tokens in several processes: the authority gives one token, and each refresh token counts once."""

import os
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream

from routekit_http import HttpUnavailable

pytestmark = pytest.mark.anyio

WORKER = """
import sys
from time import time

import anyio
import httpx

from routekit.testing import Catalog
from routekit_http.auth import Desk, RefreshTokenAuth

url, store, tasks, lease = sys.argv[1:]
auth = RefreshTokenAuth(
    token_url=f"{url}/token", client_id="me", refresh_token="first", store_key="a secret of sixteen", lease=float(lease)
)


async def ask(client, signer):
    request = httpx.Request("GET", f"{url}/x")
    await signer.sign(request)
    answer = await client.send(request)
    if answer.status_code == 401:
        await signer.renew(request)
        await signer.sign(request)
        answer = await client.send(request)
    assert answer.status_code == 200, answer


async def main():
    async with Catalog().open_store(f"sqlite:{store}", time) as opened, httpx.AsyncClient(timeout=60) as client:
        signer = auth.signer(Desk("crm", client, time, opened))
        print("ready", flush=True)
        while await anyio.to_thread.run_sync(sys.stdin.readline):
            async with anyio.create_task_group() as group:
                for _ in range(int(tasks)):
                    group.start_soon(ask, client, signer)
            print("done", flush=True)


anyio.run(main)
"""


class Strict:
    """Gives a token for the newest refresh token only; an older one ends the grant, as it may have been stolen."""

    def __init__(self, peer: Any, says: Any) -> None:
        self.says = says
        self.forms: list[str] = []
        self.refresh = "first"
        self.token = ""
        self.stolen = False
        self.silent: set[int] = set()
        """The numbers of the requests that are not answered before `enough` is set."""
        self.enough = anyio.Event()
        peer.answer = self.answer

    async def answer(self, asked: Any) -> Any:
        if asked.path != "/token":
            return self.says(200 if asked.headers.get("authorization") == f"Bearer {self.token}" else 401)
        used = parse_qs(asked.body.decode())["refresh_token"][0]
        self.forms.append(used)
        if len(self.forms) in self.silent:
            await self.enough.wait()
        await anyio.sleep(0.05)
        if used != self.refresh:
            self.stolen = True
            return self.says(400, b'{"error": "invalid_grant"}')
        number = len(self.forms)
        self.refresh, self.token = f"refresh-{number}", f"token-{number}"
        body = f'{{"access_token": "{self.token}", "expires_in": 3600, "refresh_token": "{self.refresh}"}}'
        return self.says(200, body.encode(), {"content-type": "application/json"})


@pytest.fixture
def strict(peer: Any, says: Any) -> Strict:
    return Strict(peer, says)


class Worker:
    """A process with some tasks that all need a token."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self.process = process
        self._told = TextReceiveStream(process.stdout)
        self._text = ""

    async def until(self, word: str) -> None:
        while word not in self._text:
            self._text += await self._told.receive()
        self._text = self._text.partition(word)[2]

    async def go(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(b"go\n")


async def started(peer: Any, folder: Path, tasks: int, lease: float = 40) -> Worker:
    command = [sys.executable, "-c", WORKER, peer.url, f"{folder}/state.db", str(tasks), str(lease)]
    worker = Worker(await anyio.open_process(command, stderr=None))
    await worker.until("ready")
    return worker


async def ended(workers: list[Worker]) -> None:
    for worker in workers:
        if worker.process.returncode is None:
            os.kill(worker.process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await worker.process.wait()
            await worker.process.aclose()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_twenty_tasks_in_three_processes_fetch_one_token(peer: Any, strict: Strict, tmp_path: Path) -> None:
    """At first, and again when it was taken back: one of them asks, and the others use what it got."""
    workers = [await started(peer, tmp_path, tasks) for tasks in (7, 7, 6)]
    try:
        with anyio.fail_after(60):
            for number in (1, 2):
                for worker in workers:
                    await worker.go()
                for worker in workers:
                    await worker.until("done")
                assert len(strict.forms) == number
                strict.token = "taken back"
    finally:
        await ended(workers)
    assert not strict.stolen
    assert strict.forms == ["first", "refresh-1"]
    files = b"".join([await file.read_bytes() async for file in anyio.Path(tmp_path).glob("state.db*")])
    assert b"refresh-1" not in files
    assert b"token-1" not in files


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_process_that_dies_while_it_fetches_locks_nobody_out(peer: Any, strict: Strict, tmp_path: Path) -> None:
    """When its lease is over, another one fetches."""
    strict.silent = {1}
    first = await started(peer, tmp_path, 1, lease=1)
    second = await started(peer, tmp_path, 3, lease=1)
    try:
        with anyio.fail_after(60):
            await first.go()
            while not strict.forms:
                await anyio.sleep(0.01)
            os.kill(first.process.pid, signal.SIGKILL)
            await second.go()
            await second.until("done")
    finally:
        await ended([first, second])
    assert strict.forms == ["first", "first"]


async def test_who_was_slower_than_its_lease_takes_what_others_got(
    host: Any, host_of: Any, peer: Any, strict: Strict, says: Any
) -> None:
    """A refresh token that was used meanwhile is refused: the store is asked once more before the grant is given up."""
    clock, others = [1000.0], [host_of()]
    host.now = others[0].now = lambda: clock[0]
    auth = {
        "kind": "refresh_token",
        "token_url": f"{peer.url}/token",
        "client_id": "me",
        "refresh_token": "first",
        "store_key": "a secret of sixteen",
    }
    host.tables["http", "crm"] = {"url": peer.url, "auth": auth}
    others[0].store, others[0].tables = host.store, host.tables
    send = await host.sink("http:crm/x?method=get")

    async def slow(asked: Any) -> Any:
        if asked.path == "/token":
            peer.answer = strict.answer
            clock[0] += 100
            await (await others[0].sink("http:crm/x?method=get"))()
        return await strict.answer(asked)

    peer.answer = slow
    async with others[0].stack:
        await send()
    assert strict.forms == ["first", "first"]
    assert strict.stolen
    assert peer.last.headers["authorization"] == "Bearer token-1"


async def test_a_grant_that_has_ended_is_asked_for_once(host: Any, peer: Any, strict: Strict) -> None:
    """Nobody has written anything else: it is over, and says so."""
    strict.refresh = "somebody else's"
    auth = {
        "kind": "refresh_token",
        "token_url": f"{peer.url}/token",
        "client_id": "me",
        "refresh_token": "first",
        "store_key": "a secret of sixteen",
    }
    host.tables["http", "crm"] = {"url": peer.url, "auth": auth}
    send = await host.sink("http:crm/x?method=get")
    with pytest.raises(HttpUnavailable, match="the grant has ended"):
        await send()
    assert strict.forms == ["first"]


async def test_the_others_go_on_with_a_token_that_holds(host: Any, peer: Any, strict: Strict) -> None:
    """While one fetches the next, ahead of the end of the old one, nobody else waits."""
    clock = [1000.0]
    host.now = lambda: clock[0]
    auth = {
        "kind": "client_credentials",
        "token_url": f"{peer.url}/token",
        "client_id": "me",
        "client_secret": "hidden",
        "extra": {"refresh_token": "first"},
    }
    host.tables["http", "crm"] = {"url": peer.url, "auth": auth}
    send = await host.sink("http:crm/x?method=get")
    await send()
    clock[0] += 3580
    strict.silent = {2}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        while len(strict.forms) < 2:
            await anyio.sleep(0.01)
        with anyio.fail_after(30):
            await send()
        strict.enough.set()
    assert len(strict.forms) == 2
