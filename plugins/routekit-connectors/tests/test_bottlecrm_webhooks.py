"""Webhooks of a real BottleCRM, which a route of ours takes: they say where to look, and only they are believed."""

import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import anyio
import pytest

from routekit import from_
from routekit.remotes import Forbidden, Refused, Session
from routekit.testing import Run, Sink, running, setup_for
from routekit_connectors import bottlecrm
from routekit_connectors.bottlecrm_webhooks import SCHEME, Changed, changed, subscribe, unsubscribe
from routekit_connectors.testing import BottleCRM

pytestmark = [pytest.mark.anyio, pytest.mark.real]


@pytest.fixture
def anyio_backend() -> str:
    """One event loop, as each call takes real time; the server is tested on both."""
    return "asyncio"


@pytest.fixture
async def contacts(host: Any, bottlecrm_server: BottleCRM) -> AsyncGenerator[Session]:
    """The contacts by the token; `crm-admin` is the connection of the administrator's session."""
    for name, token in (("bottlecrm", bottlecrm_server.token), ("crm-admin", bottlecrm_server.session)):
        host.tables["http", name] = {"url": bottlecrm_server.api, "auth": {"kind": "bearer", "token": token}}
    async with bottlecrm.contacts().open(host) as session:
        yield session


@pytest.fixture
def url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/hook"


@asynccontextmanager
async def taken(url: str, *secrets: str) -> AsyncGenerator[Sink]:
    """What a route takes at that URL from who has signed by one of the secrets."""
    tables: Mapping[Any, Any] = {("http_signature", "crm"): {"scheme": SCHEME, "secrets": list(secrets)}}
    out, run = Sink(), Run()
    source = f"http:{url.removeprefix('http://')}?signature=crm&status=202&reply=none"
    setup = setup_for(run, settings=lambda table, name: tables.get((table, name)))
    async with running(from_(source, dict).to(out), setup=setup):
        yield out


async def told(out: Sink, count: int) -> list[Changed | None]:
    with anyio.fail_after(60):
        while len(out.bodies) < count:
            await anyio.sleep(0.02)
    return [changed(body) for body in out.bodies]


def person() -> dict[str, Any]:
    return {"first_name": "Ada", "last_name": uuid4().hex}


async def test_a_change_is_told_at_once(host: Any, contacts: Session, url: str) -> None:
    """One event for what is made, changed and deleted, each with the record's id; none once nobody wants them."""
    made = await subscribe(host, "crm-admin", url, ["contacts", "cases"])
    assert str(made.secret) == "**********"
    async with taken(url, made.secret.get_secret_value()) as out:
        one = await contacts.create(person(), key="k")
        await contacts.update(one.id, {"notes": "Tea"})
        await contacts.delete(one.id)
        events = await told(out, 3)
        assert [(each.kind, each.id, each.event) for each in events if each] == [
            ("contacts", one.id, f"contact.{what}") for what in ("created", "updated", "deleted")
        ]
        assert [each.deleted for each in events if each] == [False, False, True]
        assert len({each.delivery for each in events if each}) == 3
        assert await unsubscribe(host, "crm-admin", url)
        await contacts.create(person(), key="k")
        assert len(out.bodies) == 3
    assert not await unsubscribe(host, "crm-admin", url)


async def test_a_secret_is_replaced_without_a_gap(host: Any, contacts: Session, url: str) -> None:
    """To subscribe again makes a new secret for the same webhook; while both count, nothing is turned away."""
    first = await subscribe(host, "crm-admin", url, ["accounts"])
    second = await subscribe(host, "crm-admin", url, ["contacts"])
    assert first.id == second.id
    assert first.secret != second.secret
    async with taken(url, first.secret.get_secret_value(), second.secret.get_secret_value()) as out:
        one = await contacts.create(person(), key="k")
        (event,) = await told(out, 1)
        assert event is not None
        assert event.id == one.id
    async with taken(url, first.secret.get_secret_value()) as out:  # the old one is not believed any more
        await contacts.update(one.id, {"notes": "x"})
        assert out.bodies == []
    await unsubscribe(host, "crm-admin", url)


async def test_only_an_administrator_manages_webhooks(host: Any, contacts: Session, url: str) -> None:
    """A token may not, and a URL that is none is refused with the reason."""
    with pytest.raises(Forbidden):
        await subscribe(host, "bottlecrm", url, ["contacts"])
    with pytest.raises(Refused) as refused:
        await subscribe(host, "crm-admin", "ftp://127.0.0.1/hook", ["contacts"])
    assert "url" in refused.value.fields
