"""Where URLs may lead that come with data, and redirects."""

import socket
from typing import Any

import anyio
import pytest

from routekit_http import HttpRejected
from routekit_http.guard import check_address, check_url

pytestmark = pytest.mark.anyio

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::a00:1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    """Also in the clothes of IPv6."""
    with pytest.raises(HttpRejected, match=r"not a public address"):
        check_address(address, "evil.example")


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "64:ff9b::5db8:d70e"])
def test_addresses_that_are_public(address: str) -> None:
    """May be asked."""
    check_address(address, "example.com")


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://a:b@example.com/", "http://[::1]/", "http://127.0.0.1/"])
def test_urls_that_say_it_themselves(url: str) -> None:
    """Are refused before anything is resolved."""
    import httpx

    with pytest.raises(HttpRejected):
        check_url(httpx.URL(url))


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001"])
async def test_a_url_from_data_leads_to_no_private_address(host: Any, peer: Any, name: str) -> None:
    """Whatever the address looks like, unless the author allows it."""
    send = await host.sink("http:*")
    with pytest.raises(HttpRejected, match=r"not a (public|canonical IPv4) address"):
        await send({}, url=f"http://{name}:{peer.port}/hook")
    assert (peer.asked, peer.connections) == ([], 0)
    allowed = await host.sink("http:*?allow_private=true")
    await allowed({}, url=f"http://127.0.0.1:{peer.port}/hook?a=1")
    assert peer.last.path == "/hook?a=1"


async def test_a_name_is_connected_to_the_address_that_was_checked(
    host: Any, peer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is public when it is looked at and private when it is connected to gets nowhere."""
    looks: list[str] = []
    real = socket.getaddrinfo

    def rebinding(name: Any, *args: Any, **options: Any) -> Any:
        if name not in ("rebind.example", b"rebind.example"):
            return real(name, *args, **options)
        looks.append(name)
        return real("192.0.2.1" if len(looks) == 0 else "127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    send = await host.sink("http:*?timeout=1s")
    with pytest.raises(HttpRejected, match=r"rebind.example is at 127.0.0.1"):
        await send({}, url=f"http://rebind.example:{peer.port}/")
    assert (len(looks), peer.connections) == (1, 0)


async def test_no_credentials_go_to_a_url_from_data(host: Any, peer: Any, serve: Any) -> None:
    """Unless it is of the connection's own origin."""
    host.tables["http", "crm"] = {
        "url": peer.url,
        "headers": {"x-own": "1"},
        "auth": {"kind": "bearer", "token": "s3cret"},
    }
    send = await host.sink("http:crm/x")
    everywhere = await host.sink("http:crm/x?allow_private=true")
    async with serve() as other:
        await everywhere({}, url=f"{other.url}/hook")
        await send({}, url=f"{peer.url}/hook")
    assert not {"authorization", "x-own"} & set(other.last.headers)
    assert (peer.last.headers["authorization"], peer.last.headers["x-own"]) == ("Bearer s3cret", "1")


async def test_redirects_are_not_followed_unless_asked(host: Any, peer: Any, says: Any) -> None:
    """And then not further than was asked."""
    peer.answer = lambda asked: says(302, headers={"location": "/next"})
    plain = await host.sink(f"{peer.url}/x?method=get")
    with pytest.raises(HttpRejected, match=r"answered 302"):
        await plain({})
    assert len(peer.asked) == 1
    some = await host.sink(f"{peer.url}/x?method=get&redirects=2")
    with pytest.raises(HttpRejected, match=r"answered 302"):
        await some({})
    assert len(peer.asked) == 4


async def test_a_redirect_elsewhere_is_checked_and_gets_nothing(host: Any, peer: Any, says: Any, serve: Any) -> None:
    """It leads to no private address, and if it may, without credentials and headers."""
    table = {"url": peer.url, "auth": {"kind": "bearer", "token": "s3cret"}}
    host.tables["http", "crm"] = table
    async with serve() as other:
        peer.answer = lambda asked: says(307, headers={"location": f"{other.url}/metadata"})
        send = await host.sink("http:crm/x?redirects=3&headers.x-key=k")
        with pytest.raises(HttpRejected, match=r"not a public address"):
            await send({"a": 1})
        assert other.asked == []
        host.tables["http", "open"] = {**table, "allow_private": True}
        send = await host.sink("http:open/x?redirects=3&headers.x-key=k")
        await send({"a": 1})
        assert (other.last.method, other.last.body) == ("POST", b'{"a":1}')
        assert not {"authorization", "x-key"} & set(other.last.headers)


async def test_a_redirect_changes_no_method_by_guessing(host: Any, peer: Any, says: Any) -> None:
    """303 asks for a look, 301 after a POST is anybody's guess."""
    answers = [says(303, headers={"location": "done"}), says(200, b"done"), says(301, headers={"location": "/new"})]
    peer.answer = lambda asked: answers.pop(0)
    send = await host.sink(f"{peer.url}/a/b?redirects=1")
    assert (await send({})).body == b"done"
    assert (peer.last.method, peer.last.path, peer.last.body) == ("GET", "/a/done", b"")
    with pytest.raises(HttpRejected, match=r"a changed method is not guessed"):
        await send({})


async def test_what_is_on_the_way_does_not_disturb_others(host: Any, peer: Any, says: Any) -> None:
    """A request that is cancelled gives its connection back, or closes it."""
    host.tables["http", "crm"] = {"url": peer.url, "connections": 1}

    async def slow(asked: Any) -> Any:
        await anyio.sleep(0.2 if asked.path == "/slow" else 0)
        return says(200, asked.path.encode())

    peer.answer = slow
    send = await host.sink("http:crm/slow?method=get")
    quick = await host.sink("http:crm/quick?method=get")
    with anyio.move_on_after(0.05):
        await send({})
    assert (await quick({})).body == b"/quick"
