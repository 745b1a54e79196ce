"""Probes: whether the other side is there, without taking or sending anything."""

import socket
from typing import Any

import pytest

from routekit import DefinitionError, Target, Unavailable

pytestmark = pytest.mark.anyio


async def probed(host: Any, uri: str, *, sink: bool = False) -> str:
    target = Target(uri)
    endpoint = host.catalog.sink(target).producer if sink else host.catalog.source(target)
    return await endpoint.probe(host)


@pytest.mark.parametrize(
    ("uri", "sink"),
    [("http:crm/x", True), ("http:crm/x?name=p", False), ("sse:crm/x?name=p", False)],
)
async def test_an_api_is_asked_for_the_head_of_its_beginning(
    host: Any, peer: Any, says: Any, uri: str, sink: bool
) -> None:
    """With its login; what is not found there proves that somebody is."""
    host.tables["http", "crm"] = {"url": f"{peer.url}/v1", "auth": {"kind": "bearer", "token": "hunter2"}}
    peer.answer = says(404, headers={"server": "crm/7"})
    assert await probed(host, uri, sink=sink) == f"{peer.url}/v1 answers 404, crm/7"
    assert (peer.last.method, peer.last.path, peer.last.body) == ("HEAD", "/v1", b"")
    assert peer.last.headers["authorization"] == "Bearer hunter2"
    for status in (401, 403, 500, 503):
        peer.answer = says(status)
        with pytest.raises(Unavailable, match=f"answered {status}") as caught:
            await probed(host, uri, sink=sink)
        assert "hunter2" not in str(caught.value)


async def test_an_api_that_is_away(host: Any, free_port: int) -> None:
    """Is not available; a sink whose messages bring their URLs has no other side to ask."""
    with pytest.raises(Unavailable):
        await probed(host, f"http://127.0.0.1:{free_port}/x", sink=True)
    assert await probed(host, "http:*", sink=True) == "wherever a message leads"


@pytest.mark.parametrize(
    ("uri", "sink"), [("http:{}/x", False), ("sse:{}/x", True), ("ws:{}/x", False), ("ws:{}/x", True)]
)
async def test_an_address_that_can_be_served(host: Any, free_port: int, uri: str, sink: bool) -> None:
    """Is free, and one that somebody has is not."""
    where = uri.format(f"127.0.0.1:{free_port}")
    for _ in range(2):
        assert await probed(host, where, sink=sink) == f"http:127.0.0.1:{free_port} is free"
    with socket.create_server(("127.0.0.1", free_port)), pytest.raises(Unavailable, match="cannot serve"):
        await probed(host, where, sink=sink)


async def test_a_server_without_a_certificate(host: Any, free_port: int) -> None:
    """Is found before it is to serve."""
    with pytest.raises(DefinitionError, match="has no certificate"):
        await probed(host, f"wss:127.0.0.1:{free_port}/x")


@pytest.mark.parametrize("sink", [False, True])
async def test_a_websocket_is_connected_to(host: Any, peer: Any, says: Any, free_port: int, sink: bool) -> None:
    """What is none, or away, is told."""
    peer.answer = says(404)
    with pytest.raises(Exception, match="answered 404, asked for a WebSocket"):
        await probed(host, f"ws://127.0.0.1:{peer.port}/x", sink=sink)
    with pytest.raises(Unavailable):
        await probed(host, f"ws://127.0.0.1:{free_port}/x", sink=sink)
