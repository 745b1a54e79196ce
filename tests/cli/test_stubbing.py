"""Stubs of endpoints that are away: what is sent there is shown, what sample files hold is taken."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import Flow, Policy, Sensitive, from_
from routekit.cli.stubbing import Stubs
from routekit.events import Logged
from routekit.testing import Run, Sink, routes_of, running, setup_for

pytestmark = pytest.mark.anyio

IN, OUT = "file:in?after=delete", "file:out?codec=json"


class Lead(BaseModel):
    name: str
    email: Annotated[str, Sensitive("email")] = "ada@example.org"


class Dev:
    """Routes with stubs; `save` writes a sample file, as if some time had passed."""

    def __init__(self, samples: Path, *away: str) -> None:
        self.run = Run()
        self.stubs = Stubs(lambda name: None, samples)
        self.stubs.away |= {*away}
        self.setup = setup_for(self.run, catalog=self.stubs)
        self._samples = samples
        self._saved = 0

    def save(self, name: str, body: object) -> None:
        self._saved += 1
        file = self._samples / name
        file.write_text(body if isinstance(body, str) else json.dumps(body))
        os.utime(file, (self._saved, self._saved))

    @property
    def lines(self) -> list[str]:
        return [event.text for event in self.run.of(Logged)]


async def test_what_is_sent_to_a_stub_is_shown(tmp_path: Path) -> None:
    """With its options, and what is sensitive masked; nothing is written anywhere."""
    dev = Dev(tmp_path, IN, OUT)
    flow = from_(IN, Lead).to(OUT, name=lambda lead: f"{lead.name}.json")
    async with running(leads=flow, setup=dev.setup):
        dev.save("leads.json", {"name": "Ada"})
        await anyio.sleep(2)
    [line] = dev.lines
    assert line.startswith(f"to the stub of {OUT}")
    assert "Ada.json" in line
    assert line.endswith(': {"name": "Ada", "email": "a***@example.org"}')


async def test_a_sample_file_is_taken_each_time_that_it_is_saved(tmp_path: Path) -> None:
    """A list is several messages; each has an id of its own, also the second time."""
    dev, sink = Dev(tmp_path, IN), Sink()
    async with running(leads=from_(IN, Lead).to(sink), setup=dev.setup):
        await anyio.sleep(2)
        dev.save("leads.json", [{"name": "Ada"}, {"name": "Bob"}])
        await anyio.sleep(2)
        assert [lead.name for lead in sink.bodies] == ["Ada", "Bob"]
        await anyio.sleep(60)
        dev.save("leads.json", {"name": "Ada"})
        dev.save("leads.txt", '{"name": "Cy"}')
        dev.save("others.json", {"name": "Dan"})
        await anyio.sleep(2)
    assert [lead.name for lead in sink.bodies] == ["Ada", "Bob", "Ada", "Cy"]
    assert len({message.id for message in sink.messages}) == 4


async def test_a_sample_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Once, until it is saved again; the route runs on."""
    dev, sink = Dev(tmp_path, IN), Sink()
    async with running(leads=from_(IN, Lead).to(sink), setup=dev.setup) as service:
        dev.save("leads.json", "{")
        await anyio.sleep(5)
        assert len(dev.lines) == 1
        assert "leads.json is no JSON" in dev.lines[0]
        dev.save("leads.json", {"name": "Ada"})
        await anyio.sleep(2)
        assert len(sink.bodies) == 1
        assert service.runners[0].state == "running"


async def test_what_is_sent_to_a_stub_is_read_from_it(tmp_path: Path) -> None:
    """As it would be on the other side: as bytes, decoded by the codec of the reader."""
    dev, sink = Dev(tmp_path, IN, "file:shelf?codec=json", "file:shelf?after=delete&codec=json"), Sink()
    routes: dict[str, Flow[Any]] = {
        "a": from_(IN, Lead).to("file:shelf?codec=json"),
        "b": from_("file:shelf?after=delete&codec=json", Lead).to(sink),
    }
    async with running(*routes_of(**routes), setup=dev.setup):
        dev.save("a.json", {"name": "Ada"})
        await anyio.sleep(2)
    assert sink.bodies == [Lead(name="Ada")]


async def test_what_a_route_refuses_is_told(tmp_path: Path) -> None:
    """A stub brings nothing again."""
    dev = Dev(tmp_path, IN)
    flow = from_(IN, Lead, policy=Policy(dead_letter="refuse"))
    async with running(leads=flow, setup=dev.setup):
        dev.save("leads.json", {"email": "x"})
        await anyio.sleep(2)
    assert len(dev.lines) == 1
    assert dev.lines[0].startswith("refused ")
    assert "column 'name': field required" in dev.lines[0]


async def test_a_stubbed_listener_tells_its_answer(tmp_path: Path) -> None:
    """Nobody waits for it: it is in the log, and so is a failure."""
    source = "http:127.0.0.1:9/leads"
    dev = Dev(tmp_path, source)
    flow = from_(source, Lead).filter(lambda lead: lead.name != "").transform(lambda lead: lead.name)
    async with running(leads=flow, setup=dev.setup):
        dev.save("leads.json", [{"name": "Ada"}, {"name": 1}])
        await anyio.sleep(2)
    assert dev.lines[0] == 'answers "Ada"'
    assert dev.lines[1].startswith("refused ")


@pytest.mark.real_time
async def test_only_what_cannot_be_reached_is_stubbed(tmp_path: Path) -> None:
    """Each endpoint is tried once; what is there stays what it is."""
    dev = Dev(tmp_path)
    (tmp_path / "there").mkdir()
    there, away = f"file:{tmp_path}/there?after=delete", f"file:{tmp_path}/away?after=delete&create=false"
    routes = routes_of(a=from_(there, str).to("log:a"), b=from_(away, str).to("log:b"))
    found = await dev.stubs.look(routes, dev.setup)
    assert [(one.route, one.endpoint, one.is_source) for one in found] == [("b", away, True)]
    assert dev.stubs.away == {away}
    assert await dev.stubs.look(routes, dev.setup) == []
    assert type(dev.stubs.source(routes[0].source)).__module__ == "routekit_file.source"
    both = await dev.stubs.look([*routes, *routes_of(c=from_(away, str))], dev.setup)
    assert [one.route for one in both] == ["c"]
