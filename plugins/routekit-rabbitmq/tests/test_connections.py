"""Connections: virtual hosts, TLS, full URLs, and one broker for all routes."""

from typing import Any

import anyio
import anyio.to_thread
import pytest

from routekit import from_
from routekit.testing import Feed, Run, Sink, run_routes, running

pytestmark = pytest.mark.anyio


async def through(setup: Any, queue: str, connection: Any) -> list[Any]:
    """What comes out of a queue over such a connection."""
    out = Sink()
    await run_routes(from_(Feed(["a"])).to(f"rabbitmq:{queue}?declare=true"), setup=setup(connection=connection))
    await run_routes(from_(f"rabbitmq:{queue}", str).to(out), setup=setup(connection=connection))
    return out.bodies


async def test_a_virtual_host_is_a_world_of_its_own(setup: Any, server: Any, outside: Any, queue: str) -> None:
    """A queue of another virtual host is not that of the default one; names may hold anything."""
    vhost = f"/{queue} 50%"
    await anyio.to_thread.run_sync(server.control, "add_vhost", vhost)
    await anyio.to_thread.run_sync(server.control, "set_permissions", "-p", vhost, "guest", ".*", ".*", ".*")
    assert await through(setup, queue, {"vhost": vhost}) == ["a"]
    assert not await outside.exists(queue)


async def test_tls_with_a_certificate_on_both_sides(setup: Any, server: Any, queue: str) -> None:
    """Our own authority is trusted, and we show a certificate to the broker."""
    folder = server.folder
    files = {"ca": f"{folder}/ca.pem", "certificate": f"{folder}/tls.pem", "key": f"{folder}/tls.key"}
    url = {"url": f"amqps://guest:guest@127.0.0.1:{server.tls_port}"}
    assert await through(setup, queue, {**url, **files}) == ["a"]
    assert await through(setup, queue, {**url, **files, "ca": "", "verify": False}) == ["a"]


async def test_a_broker_that_cannot_be_trusted(setup: Any, server: Any, queue: str, eventually: Any) -> None:
    """A certificate of an unknown authority is refused."""
    run = Run()
    connection = {"url": f"amqps://guest:guest@127.0.0.1:{server.tls_port}"}
    async with running(from_(f"rabbitmq:{queue}").to(Sink()), setup=setup(run=run, connection=connection)):
        await eventually(lambda: [event for event in run.events if hasattr(event, "wait")])
    assert "certificate verify failed" in str(next(event.error for event in run.events if hasattr(event, "wait")))


async def test_a_full_url_needs_no_settings(setup: Any, server: Any, outside: Any, queue: str) -> None:
    """The option url stands for a connection."""
    await outside.declare(queue)
    await outside.publish(queue, b"a")
    out = Sink()
    await run_routes(from_(f"rabbitmq:{queue}?url={server.url}", str).to(out), setup=setup())
    assert out.bodies == ["a"]


async def test_all_routes_share_two_connections(
    setup: Any, server: Any, outside: Any, queue: str, eventually: Any
) -> None:
    """One to consume and one to publish, however many routes there are: acknowledgements pass a blocked publisher."""
    out = Sink()
    flows = {
        f"r{n}": from_(f"rabbitmq:{queue}-{n}", str).to(f"rabbitmq:{queue}-{n + 1}?declare=true") for n in range(5)
    }
    last = from_(f"rabbitmq:{queue}-5", str).to(out)
    connection = {"name": queue}
    async with running(**flows, last=last, setup=setup(connection=connection)):
        await eventually(lambda: outside.exists(f"{queue}-0"))
        await outside.publish(f"{queue}-0", b"a")
        await eventually(lambda: out.bodies == ["a"])
        listed = await anyio.to_thread.run_sync(server.control, "-q", "list_connections", "client_properties")
    assert sorted(row.count(f"{queue} consuming") for row in listed.splitlines() if queue in row) == [0, 1]
    assert len([row for row in listed.splitlines() if queue in row]) == 2


async def test_connections_are_closed_with_the_service(setup: Any, server: Any, queue: str) -> None:
    """Nothing is left open at the broker."""
    await through(setup, queue, {"name": queue})
    listed = await anyio.to_thread.run_sync(server.control, "-q", "list_connections", "client_properties")
    assert queue not in listed
