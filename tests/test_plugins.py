"""Catalog: what the installed plugins offer."""

import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import anyio
import pytest

from routekit import (
    BadOption,
    DefinitionError,
    Delivery,
    LoadError,
    Runtime,
    Send,
    UnknownName,
    UnknownScheme,
    WrongDirection,
    from_,
    hookimpl,
)
from routekit import plugins as plugins_module
from routekit.codecs.csv import Csv
from routekit.endpoint import Consumer, PathField, Producer
from routekit.endpoints.mock import Mock
from routekit.endpoints.timer import Timer
from routekit.events import Logged
from routekit.hookspecs import INTERFACE, OLDEST
from routekit.plugins import Catalog
from routekit.step import Target
from routekit.testing import Feed, Run, run_routes, setup_for


class ShelfSource(Consumer):
    scheme = "shelf"
    path: PathField

    async def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        return
        yield


class ShelfSink(Producer):
    scheme = "shelf"
    path: PathField
    deep: bool = False

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Any) -> None:
            pass

        yield send


class Shelf:
    """A plugin as an object."""

    @hookimpl
    def register_endpoints(self) -> list[Any]:
        return [ShelfSink, ShelfSource]


@pytest.fixture
def catalog() -> Catalog:
    return Catalog(modules=[Shelf()])


def test_a_uri_finds_its_endpoint(catalog: Catalog) -> None:
    """By scheme and direction."""
    assert catalog.source(Target("timer:x?every=5")) == Timer(name="x", every=5)
    assert catalog.source(Target("shelf:a")) == ShelfSource(path="a")
    assert catalog.sink(Target("shelf:a")).producer == ShelfSink(path="a")
    assert catalog.endpoints("shelf") == [ShelfSource, ShelfSink], "the source first"


def test_options_may_be_given_by_keyword(catalog: Catalog) -> None:
    """Beside a URI or a typed endpoint; not twice."""
    assert catalog.sink(Target("shelf:a", {"deep": True})).producer == ShelfSink(path="a", deep=True)
    assert catalog.sink(Target(ShelfSink(path="a"), {"deep": True})).producer == ShelfSink(path="a", deep=True)
    with pytest.raises(BadOption, match="'deep' is given twice; in the URI or by keyword"):
        catalog.sink(Target("shelf:a?deep=1", {"deep": True}))
    with pytest.raises(BadOption, match="has no option 'depe'; did you mean 'deep'"):
        catalog.sink(Target(ShelfSink(path="a"), {"depe": True}))


@pytest.mark.parametrize(
    ("target", "error", "text"),
    [
        (Target("tmier:x"), UnknownScheme, "no installed plugin offers 'tmier:'; did you mean 'timer'?"),
        (Target("sqs:x"), UnknownScheme, "pip install routekit-sqs"),
        (Target("mock:x"), WrongDirection, "'mock:' cannot be read from; it can only be sent to"),
        (Target(Mock(name="x")), WrongDirection, "'mock:' cannot be read from"),
        (Target(5), DefinitionError, "5 is no endpoint"),  # type: ignore[arg-type]
        (Target("timer:${NAME}"), UnknownName, r"no value for ${NAME}"),
        (Target("timer:x?every=0"), BadOption, "timer: 'every'"),
    ],
)
def test_a_source_that_cannot_be(catalog: Catalog, target: Target, error: type[Exception], text: str) -> None:
    """Says what was found and what to do."""
    with pytest.raises(error) as caught:
        catalog.source(target)
    assert text in str(caught.value)


def test_a_sink_that_can_only_be_read(catalog: Catalog) -> None:
    """The other direction."""
    with pytest.raises(WrongDirection, match="'timer:' cannot be sent to; it can only be read from"):
        catalog.sink(Target("timer:x"))


def test_only_marked_options_may_be_computed(catalog: Catalog) -> None:
    """With what may be instead."""
    with pytest.raises(BadOption, match="'deep' cannot be computed for each message; give it a fixed value"):
        catalog.sink(Target("shelf:a", {"deep": lambda body: True}))
    with pytest.raises(BadOption, match="has no option 'depe'"):
        catalog.sink(Target("shelf:a", {"depe": lambda body: True}))


def test_placeholders_are_values() -> None:
    """They are filled from the lookup, and cannot add options."""
    catalog = Catalog({"NAME": "a&every=5?x", "EVERY": "9"}.get)
    assert catalog.source(Target("timer:${NAME}?every=${EVERY}")) == Timer(name="a&every=5?x", every=9)
    assert catalog.source(Target("timer:${NO:x}")) == Timer(name="x")


def test_codecs_by_name_suffix_or_options(catalog: Catalog) -> None:
    """Or as they are."""
    assert catalog.codec("csv") == Csv()
    assert catalog.codec(".CSV") == Csv()
    assert catalog.codec({"name": "csv", "delimiter": ";"}) == Csv(delimiter=";")
    csv = Csv(delimiter="|")
    assert catalog.codec(csv) is csv
    assert {"csv", "json", "jsonl", "text"} <= set(catalog.codecs())
    with pytest.raises(UnknownName, match="no codec 'cvs'; did you mean 'csv'"):
        catalog.codec("cvs")
    with pytest.raises(UnknownName, match=r"no codec for files that end in '\.xyz'"):
        catalog.codec(".xyz")
    with pytest.raises(BadOption, match=r"codec.csv: has no option 'delimitre'; did you mean 'delimiter'"):
        catalog.codec({"name": "csv", "delimitre": ";"})


def test_a_store_of_an_unknown_kind(catalog: Catalog) -> None:
    """Lists what there is."""
    with pytest.raises(UnknownName, match="no store of kind 'sqllite'; did you mean 'sqlite'"):
        catalog.open_store("sqllite:x.db", lambda: 0.0)


def test_offers_are_listed_without_an_import(catalog: Catalog) -> None:
    """Kind, module and distribution of each entry point; schemes include what is not installed but given."""
    offers = {offer.name: offer for offer in catalog.offers()}
    assert (offers["timer"].kind, offers["timer"].module) == ("endpoint", "routekit.endpoints.timer")
    assert (offers["codec.csv"].kind, offers["store.memory"].kind) == ("codec", "store")
    assert offers["timer"].distribution == "routekit-eip"
    assert {"shelf", "timer", "direct"} <= set(catalog.schemes())


def installed(monkeypatch: pytest.MonkeyPatch, *points: EntryPoint) -> Catalog:
    monkeypatch.setattr(plugins_module, "entry_points", lambda group: list(points))
    return Catalog()


def test_a_broken_plugin_stops_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named when it is asked for."""
    good = EntryPoint("timer", "routekit.endpoints.timer", "routekit")
    bad = EntryPoint("bad", "no_such_module", "routekit")
    empty = EntryPoint("empty", "routekit.units", "routekit")
    catalog = installed(monkeypatch, bad, good, empty)
    assert catalog.source(Target("timer:x")) == Timer(name="x")
    with pytest.raises(LoadError, match=r"plugin 'bad' \(.*\) cannot be imported: ModuleNotFoundError"):
        catalog.source(Target("bad:x"))
    with pytest.raises(LoadError, match=r"plugin 'empty' .* offers 'empty' but registers no endpoint of it"):
        catalog.source(Target("empty:x"))


def test_two_plugins_for_one_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is taken by chance."""
    points = [EntryPoint("timer", f"routekit.endpoints.{name}", "routekit") for name in ("timer", "cron")]
    with pytest.raises(LoadError, match=r"'timer' is offered by .* and .*; uninstall one of them"):
        installed(monkeypatch, *points).source(Target("timer:x"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (INTERFACE + 1, r"is written for interface \d+ of RouteKit, and this one has \d+; upgrade routekit-eip"),
        (OLDEST - 1, r"is written for interface \d+ of RouteKit, and \d+ is the oldest held; upgrade the plugin"),
        ("1.0", r"says routekit_interface = '1\.0'; write a number"),
    ],
)
def test_a_plugin_for_another_interface_is_told_so(monkeypatch: pytest.MonkeyPatch, said: Any, why: str) -> None:
    """When it is asked for, with its name and version, and before anything of it is used; others are not touched."""
    other = ModuleType("other_plugin")
    other.routekit_interface = said
    other.register_endpoints = hookimpl(lambda: [ShelfSource])
    monkeypatch.setitem(sys.modules, other.__name__, other)
    points = [
        EntryPoint("shelf", other.__name__, "routekit"),
        EntryPoint("timer", "routekit.endpoints.timer", "routekit"),
    ]
    catalog = installed(monkeypatch, *points)
    with pytest.raises(LoadError, match=rf"plugin 'shelf' \(.*\) {why}"):
        catalog.source(Target("shelf:x"))
    assert catalog.schemes() == ["shelf", "timer"]
    assert catalog.source(Target("timer:x")) == Timer(name="x")
    with pytest.raises(LoadError, match=f"other_plugin {why}"):
        Catalog(modules=[other])


@pytest.mark.parametrize("said", [INTERFACE, OLDEST, None])
def test_a_plugin_of_this_interface_is_taken(said: int | None) -> None:
    """Also one that says nothing."""
    plugin = Shelf()
    if said is not None:
        plugin.routekit_interface = said
    assert "shelf" in Catalog(modules=[plugin]).schemes()


class Auditing:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl
    def route_event(self, event: Any) -> None:
        self.seen.append(event)


class Failing:
    @hookimpl
    def route_event(self) -> None:
        raise RuntimeError("watcher broke")


@pytest.mark.anyio
async def test_a_watching_plugin_sees_every_event() -> None:
    """By the hook, beside whoever runs the service."""
    audit, run = Auditing(), Run()
    await run_routes(from_(Feed([1])).log("x"), setup=setup_for(run, catalog=Catalog(modules=[audit])))
    assert audit.seen == run.events
    assert [event.text for event in audit.seen if isinstance(event, Logged)] == ["x"]


@pytest.mark.anyio
async def test_a_failing_watcher_does_not_stop_the_route(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the message is done."""
    feed = Feed([1])
    with caplog.at_level(logging.ERROR, "routekit.plugins"):
        await run_routes(from_(feed).log("x"), setup=setup_for(Run(), catalog=Catalog(modules=[Failing()])))
    assert len(feed.acknowledged) == 1
    assert "a route_event hook failed on Logged" in caplog.text


@pytest.mark.anyio
async def test_a_hook_point_is_always_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin that watches is named `hook.*`, and loaded although nobody asks for it."""
    import sys

    module = ModuleType("hook_module_for_test")
    seen: list[Any] = []

    @hookimpl
    def route_event(event: Any) -> None:
        seen.append(event)

    module.route_event = route_event  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "hook_module_for_test", module)
    catalog = installed(
        monkeypatch,
        EntryPoint("hook.audit", "hook_module_for_test", "routekit"),
        EntryPoint("store.memory", "routekit.stores.memory", "routekit"),
    )
    await run_routes(from_(Feed([1])), setup=setup_for(Run(), catalog=catalog))
    assert len(seen) == 2
    await anyio.lowlevel.checkpoint()
