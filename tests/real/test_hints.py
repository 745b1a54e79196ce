"""A webhook of the real CRM leads to the record at once: nobody waits for the next cycle."""

import socket
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from routekit import from_
from routekit.testing import Run, Sink, running, setup_for
from routekit_connectors import bottlecrm, tryton
from routekit_connectors.bottlecrm_webhooks import changed
from routekit_connectors.testing import BottleCRM, Tryton
from routekit_sync import Match, SyncPair, SyncSink, SyncSource, Unit

pytestmark = [pytest.mark.anyio, pytest.mark.real]

people = SyncPair(
    name="hinted",
    a=bottlecrm.contacts("crm", link="routekit_id"),
    b=tryton.parties("erp"),
    units=[
        Unit("name", ["last_name"], ["name"], lambda a: {"name": a["last_name"]}, lambda b: {"last_name": b["name"]}),
        Unit("email", ["email"], ["email"], lambda a: {"email": a["email"]}, lambda b: {"email": b["email"]}),
    ],
    match=[Match("email", ["email"], ["email"])],
    scope_a=lambda contact: bool(contact.fields.get("email")),
    scope_b=lambda party: bool(party.fields.get("email")),
    creates="b",
)


@pytest.fixture
def anyio_backend() -> str:
    """The real clock, as real servers have it."""
    return "asyncio"


async def until(holds: Any) -> None:
    with anyio.fail_after(60):
        while not await anyio.to_thread.run_sync(holds):
            await anyio.sleep(0.05)


async def test_a_webhook_brings_a_change_over(
    tmp_path: Path, crm: Any, erp: Any, bottlecrm_server: BottleCRM, tryton_server: Tryton
) -> None:
    """A contact that is made and edited in the CRM is in the ERP though the next cycle is an hour away."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{probe.getsockname()[1]}/crm"
    admin = {"Authorization": f"Bearer {bottlecrm_server.session}"}
    hook = crm.ask(
        "POST", "webhooks/", {"url": f"http://{place}", "events": ["contact.created", "contact.updated"]}, **admin
    )
    login = {"kind": "basic", "user": tryton_server.user, "password": tryton_server.password}
    tables: dict[Any, Any] = {
        ("http", "crm"): {"url": bottlecrm_server.api, "auth": {"kind": "bearer", "token": bottlecrm_server.token}},
        ("http", "erp"): {"url": f"{tryton_server.url}/{tryton_server.database}", "auth": login},
        ("http_signature", "crm"): {"scheme": "bottlecrm", "secrets": [hook["secret"]]},
    }
    cycles = Sink()
    setup = setup_for(
        Run(),
        settings=lambda table, name: tables.get((table, name)),
        store=f"sqlite:{tmp_path}/state.db",
        data=tmp_path,
    )
    email, last = f"{uuid4().hex}@example.test", f"L{uuid4().hex[:8]}"
    kept = from_(SyncSource(pair=people, every=3600.0)).to(cycles)
    told = (
        from_(f"http:{place}?signature=crm&status=202&reply=none", dict)
        .transform(changed)
        .to(SyncSink(pair=people, side="a"), id=lambda event: event.id)
    )
    try:
        async with running(kept=kept, told=told, setup=setup):
            await until(lambda: cycles.bodies)
            contact = await anyio.to_thread.run_sync(
                lambda: crm.make("contacts", first_name="Ada", last_name=last, email=email)
            )
            await until(lambda: [party["name"] for party in erp.parties() if party["email"] == email] == [last])
            await anyio.to_thread.run_sync(lambda: crm.edit("contacts", contact, last_name="King"))
            await until(lambda: [party["name"] for party in erp.parties() if party["email"] == email] == ["King"])
    finally:
        crm.ask("DELETE", f"webhooks/{hook['id']}/", **admin)
