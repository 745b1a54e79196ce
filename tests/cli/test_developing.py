"""`routekit dev`: reload, console, stubs and a folder of its own."""

import json
import signal

from .conftest import Command

LEADS = """
from pydantic import BaseModel
from routekit import from_

class Lead(BaseModel):
    name: str

leads = from_("http:crm/leads?poll=1h&name=leads", Lead).to("http:crm/people")
tick = from_("timer:t?every=1h&delay=0", int)
shop = tick.transform(str).idempotent("seen", key=lambda n: n).to("file:out?codec=text", name="n.txt")
"""


def test_a_developer_is_up_at_once(routekit: Command) -> None:
    """Without any server: what is away is stubbed and fed from samples, what is there is used, and all is reloaded."""
    routekit.write("routes/crm.py", LEADS)
    routekit.write(
        "routekit.toml",
        '[routekit]\nstore = "sqlite:real.db"\ndata = "real"\n[http.crm]\nurl = "http://127.0.0.1:1"\n',
    )
    running = routekit.start("dev", "--stub")
    running.until("console and control API: http://127.0.0.1:")
    running.until("crm.leads: running")
    assert "routes: 3 routes, state in .routekit/" in running.log
    assert "save samples/crm.leads.json to feed it" in running.log
    assert "stub: crm.leads: http:crm/people" in running.log
    assert "stub: crm.shop" not in running.log
    assert [route["name"] for route in routekit("ps", "--json").json] == ["crm.leads", "crm.shop", "crm.tick"]
    routekit.write("samples/crm.leads.json", json.dumps([{"name": "Ada"}]))
    running.until('{"name": "Ada"}')
    routekit.write("routes/crm.py", LEADS.replace("/people", "/sales"))
    running.until("reloaded crm.leads: exchanged")
    assert "stub: crm.leads: http:crm/sales" in running.log
    routekit.write("samples/crm.leads.json", json.dumps([{"name": "Bob"}]))
    running.until('{"name": "Bob"}')
    running.signal(signal.SIGINT)
    assert running.ended() == 0
    there = routekit.folder / ".routekit"
    assert (there / ".gitignore").read_text() == "*\n"
    assert (there / "routekit.db").exists()
    assert not (routekit.folder / "real").exists()
    assert not (routekit.folder / "real.db").exists()
    assert (routekit.folder / "out" / "n.txt").read_text() == "1"
