"""TLS, client certificates and proxies."""

import gc
import socket
import ssl
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme

from routekit import DefinitionError
from routekit_http import HttpUnavailable

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Path:
    """The authority, and a client's certificate."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client = authority.issue_cert("client@example.com")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    return tmp_path


def context_of(authority: trustme.CA, name: str = "127.0.0.1", *, clients: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    if clients:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_an_authority_of_ones_own_is_trusted(host: Any, serve: Any, authority: trustme.CA, files: Path) -> None:
    """And only where the settings say so."""
    async with serve(tls=context_of(authority)) as peer:
        url = f"https://127.0.0.1:{peer.port}"
        host.tables["http", "own"] = {"url": url, "ca": str(files / "ca.pem")}
        host.tables["http", "usual"] = {"url": url}
        send = await host.sink("http:own/x")
        await send({"a": 1})
        assert peer.last.body == b'{"a":1}'
        usual = await host.sink("http:usual/x")
        with pytest.raises(HttpUnavailable) as caught:
            await usual({})
        assert caught.value.sent is False
        assert len(peer.asked) == 1


async def test_a_certificate_of_another_host_is_refused(
    host: Any, serve: Any, authority: trustme.CA, files: Path
) -> None:
    """However trusted its authority is."""
    async with serve(tls=context_of(authority, "other.example")) as peer:
        host.tables["http", "own"] = {"url": f"https://127.0.0.1:{peer.port}", "ca": str(files / "ca.pem")}
        send = await host.sink("http:own/x")
        with pytest.raises(HttpUnavailable):
            await send({})
        assert peer.asked == []


async def test_a_client_shows_its_certificate(host: Any, serve: Any, authority: trustme.CA, files: Path) -> None:
    """To a server that wants one (mTLS)."""
    async with serve(tls=context_of(authority, clients=True)) as peer:
        table = {"url": f"https://127.0.0.1:{peer.port}", "ca": str(files / "ca.pem")}
        host.tables["http", "me"] = {**table, "cert": str(files / "client.pem")}
        host.tables["http", "nobody"] = table
        send = await host.sink("http:me/x")
        await send({})
        nobody = await host.sink("http:nobody/x")
        with pytest.raises(HttpUnavailable):
            await nobody({})
        assert len(peer.asked) == 1


async def test_files_that_are_not_there(host: Any, tmp_path: Path) -> None:
    """Are found when the route starts."""
    host.tables["http", "own"] = {"url": "https://x", "ca": str(tmp_path / "none.pem")}
    with pytest.raises(DefinitionError, match="own: certificates cannot be loaded"):
        await host.sink("http:own/x")


async def test_a_proxy_of_the_settings(host: Any, peer: Any, serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked with its own credentials; a proxy of the environment is not used."""
    async with serve() as proxy:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        host.tables["http", "far"] = {
            "url": "http://far.example/v1",
            "proxy": f"http://me:hunter2@127.0.0.1:{proxy.port}",
        }
        send = await host.sink("http:far/x")
        await send({})
        assert proxy.last.path == "http://far.example/v1/x"
        assert proxy.last.headers["proxy-authorization"] == "Basic bWU6aHVudGVyMg=="
        direct = await host.sink(f"{peer.url}/x")
        await direct({})
        assert len(peer.asked) == 1


async def test_a_proxy_that_is_away_is_told_without_its_password(host: Any, free_port: int) -> None:
    """The connection is not available."""
    host.tables["http", "far"] = {"url": "http://far.example", "proxy": f"http://me:hunter2@127.0.0.1:{free_port}"}
    send = await host.sink("http:far/x")
    with pytest.raises(HttpUnavailable) as caught:
        await send({})
    assert "hunter2" not in str(caught.value)
    assert caught.value.sent is False


async def test_connecting_has_a_time_of_its_own(host: Any) -> None:
    """A host that does not answer is given up before the whole time of the request."""
    with socket.socket() as full:  # whose queue is full: it answers no more
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        host.tables["http", "far"] = {"url": url, "connect_timeout": "50ms", "timeout": "20s"}
        send = await host.sink("http:far/x")
        begun = anyio.current_time()
        with pytest.raises(HttpUnavailable) as caught:
            await send({})
        for one in waiting:
            one.close()
    assert caught.value.sent is False
    assert anyio.current_time() - begun < 5


async def test_a_connection_that_breaks_in_the_middle_of_a_long_body(host: Any, free_port: int) -> None:
    """Leaves nothing behind that was not read to its end: on trio that would be a warning."""

    async def shut(stream: Any) -> None:
        async with stream:
            await stream.receive(1)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=free_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, shut)
        send = await host.sink(f"http://127.0.0.1:{free_port}/x")
        for body in (b"x" * (32 << 20), b"x"):
            with pytest.raises(HttpUnavailable):
                await send(body)
        gc.collect()
        tasks.cancel_scope.cancel()
