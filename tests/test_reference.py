"""Reference: whatever can be written in a route describes itself, from its own code."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from routekit import (
    PER_MESSAGE,
    About,
    Bytes,
    Capabilities,
    Endpoint,
    Flow,
    Listener,
    Producer,
    Rejected,
    Runtime,
    Seconds,
    Send,
    Unavailable,
    UnknownName,
    hookimpl,
)
from routekit.endpoint import Deliver
from routekit.plugins import Catalog
from routekit.reference import Meaning, Option, describe, steps, table_entry
from routekit.settings import Options

CATALOG = Catalog()


def option(name: str, of: str, catalog: Catalog = CATALOG, entry: int = 0) -> Option:
    return next(option for option in describe(of, catalog)[entry].options if option.name == name)


class Pigeons(Listener):
    """Pigeons that come in."""

    scheme = "pigeon"
    loft: str

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None: ...


class Loft(BaseModel):
    """Where pigeons live."""

    key: SecretStr = Field(description="opens the door")


class Pigeon(Producer):
    """Sends a pigeon.

    It flies by day.
    """

    scheme = "pigeon"
    capabilities = Capabilities(ordered=True, largest=20)
    raises = (Rejected, Unavailable)
    about = About(
        headers={"pigeon.ring": "number of the ring"},
        reads={"weather": "rain or sun"},
        raises={Unavailable: "at night"},
        figures={"fed_total": "pigeons that were fed"},
        settings={"pigeon.NAME": Loft},
        example="""
        from routekit import from_

        mail = from_("timer:tick").to("pigeon:home")
        """,
    )
    loft: str = Field(description="where it starts")
    name: Annotated[str | None, PER_MESSAGE] = Field(default=None, description="which one")
    wait: Seconds = 2.5
    rest: Seconds | None = None
    load: Bytes = Field(default=4096, description="weight")
    speed: Literal["slow", "fast"] = "fast"
    tame: bool = True
    tags: list[str] = Field(default_factory=list[str])
    colours: tuple[str, ...] = ("grey", "white")
    stops: tuple[str, ...] = ()
    winds: frozenset[str] = frozenset({"west", "east", "north", "south"})
    count: int = Field(default=1, ge=1, le=9, description="how many")
    password: SecretStr = SecretStr("hunter2")

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        raise NotImplementedError
        yield


class Plugin:
    @hookimpl
    def register_endpoints(self) -> Sequence[type[Endpoint]]:
        return [Pigeon, Pigeons]


@pytest.mark.parametrize("scheme", CATALOG.schemes())
def test_every_scheme_describes_itself(scheme: str) -> None:
    """Each installed scheme says what it is, how it is written, and what each option means."""
    entries = [entry for entry in describe(scheme, CATALOG) if entry.kind != "step"]
    assert entries
    for entry in entries:
        assert entry.name == scheme
        assert entry.kind in ("source", "source (event-driven)", "sink", "place of transactions")
        assert entry.usage.startswith(f"{scheme}:")
        assert entry.doc.splitlines()[0].endswith((".", ":"))
        for one in entry.options:
            assert one.doc, f"{scheme}: option {one.name} says nothing"


@pytest.mark.parametrize("word", steps())
def test_every_step_describes_itself(word: str) -> None:
    """Each word of the language says what it does in one sentence, and has the parameters of its method."""
    (entry,) = (entry for entry in describe(word, CATALOG) if entry.kind == "step")
    assert entry.usage == f".{word}(...)"
    assert entry.doc.partition("\n\n")[0].rstrip().endswith((".", ":", "!")), "its first paragraph is no sentence"
    assert not any("~" in one.type for one in entry.options)


def test_words_are_the_methods_of_a_flow() -> None:
    """The words are all public methods of Flow but the one that ends a definition."""
    methods = {name for name, value in vars(Flow).items() if callable(value) and not name.startswith("_")}
    assert set(steps()) == methods - {"route"}


@pytest.mark.parametrize("name", CATALOG.codecs())
def test_every_codec_describes_itself(name: str) -> None:
    """Each installed codec says what it reads and writes, and what each option means."""
    (entry,) = describe(f"codec.{name}", CATALOG)
    assert (entry.kind, entry.usage) == ("codec", f"codec={name}")
    assert entry.doc
    assert all(one.doc for one in entry.options)


def test_an_endpoint_tells_its_promises() -> None:
    """What it promises whatever its options are, each with its meaning; an endpoint without any tells none."""
    source, sink = describe("pigeon", Catalog(modules=[Plugin()]))
    assert source.promises == ()
    assert [promise.partition(":")[0] for promise in sink.promises] == ["ordered", "largest 20"]


def test_source_comes_before_sink() -> None:
    """A scheme with both directions has both entries, the source first, and says what kind of source it is."""
    kinds = [entry.kind for entry in describe("pigeon", Catalog(modules=[Plugin()]))]
    assert kinds == ["source (event-driven)", "sink"]


def test_name_that_is_scheme_and_step() -> None:
    """A name that is a step and a scheme, such as log, gives both."""
    assert [entry.kind for entry in describe("log", CATALOG)] == ["step", "sink"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loft", Option("loft", "str", "", "where it starts (the path of the URI)", True)),
        ("name", Option("name", "str | None", "None", "which one (may be computed for each message)", False, True)),
        ("wait", Option("wait", "duration", "2.5", "")),
        ("rest", Option("rest", "duration | None", "None", "")),
        ("load", Option("load", "size", "4KB", "weight")),
        ("count", Option("count", "int", "1", "how many", limits=">= 1, <= 9")),
        ("speed", Option("speed", "'slow' | 'fast'", "fast", "")),
        ("tame", Option("tame", "bool", "true", "")),
        ("tags", Option("tags", "list[str]", "[]", "")),
        ("colours", Option("colours", "tuple[str, ...]", "grey,white", "")),
        ("winds", Option("winds", "frozenset[str]", "east,north,south,west", "")),
        ("stops", Option("stops", "tuple[str, ...]", "", "")),
    ],
)
def test_options_as_people_write_them(name: str, expected: Option) -> None:
    """Type, default and meaning of an option are given as they are written in a URI."""
    assert option(name, "pigeon", Catalog(modules=[Plugin()]), 1) == expected


def test_secret_defaults_are_not_shown() -> None:
    """The default of a secret is not printed."""
    assert "hunter2" not in option("password", "pigeon", Catalog(modules=[Plugin()]), 1).default


def test_a_secret_is_told_as_such() -> None:
    """What is masked wherever it is printed says so, also in the tables of settings."""
    sink = describe("pigeon", Catalog(modules=[Plugin()]))[1]
    (key,) = sink.settings[0].options
    assert [one.name for one in (*sink.options, key) if one.secret] == ["password", "key"]
    assert (key.type, key.doc) == ("secret", "opens the door (secret: masked wherever it is printed)")


def test_what_the_fields_cannot_say_is_told() -> None:
    """Headers, errors with their reasons, figures, settings and an example come from `about`."""
    sink = describe("pigeon", Catalog(modules=[Plugin()]))[1]
    assert sink.headers == (Meaning("pigeon.ring", "number of the ring"),)
    assert sink.reads == (Meaning("weather", "rain or sun"),)
    assert sink.figures == (Meaning("fed_total", "pigeons that were fed"),)
    assert sink.raises[0] == Meaning("Unavailable", "at night")
    assert sink.raises[1].name == "Rejected"
    assert (sink.settings[0].name, sink.settings[0].usage) == ("pigeon.NAME", "[pigeon.NAME]")
    assert sink.example.startswith("from routekit import from_\n\nmail = ")


def test_what_depends_on_options_is_told() -> None:
    """An endpoint that promises more or less by its options, or takes back, says when."""
    source, sink = describe("file", CATALOG)
    assert any("failed_to" in remark for remark in source.remarks)
    assert sink.remarks
    assert describe("timer", CATALOG)[0].remarks == ()


def test_docstring_is_whole() -> None:
    """The documentation is the whole docstring, without its indentation."""
    entry = describe("pigeon", Catalog(modules=[Plugin()]))[1]
    assert entry.doc == "Sends a pigeon.\n\nIt flies by day."


def test_functions_of_steps() -> None:
    """A parameter that takes a function says so, instead of the four shapes that one may have."""
    assert option("predicate", "filter").type == "function"
    assert option("key", "idempotent").required
    assert option("lease", "idempotent").default == "300.0"


@pytest.mark.parametrize(
    ("name", "hint"),
    [("tmier", "did you mean 'timer'?"), ("spilt", "did you mean 'split'?"), ("codec.cvs", "did you mean 'csv'?")],
)
def test_unknown_name(name: str, hint: str) -> None:
    """A name that is nothing is an error that offers the nearest."""
    with pytest.raises(UnknownName) as caught:
        describe(name, CATALOG)
    assert caught.value.hint == hint


def test_settings_describe_themselves() -> None:
    """The table [routekit] is described as endpoints are: every option with its meaning."""
    entry = table_entry("routekit", Options)
    assert (entry.kind, entry.usage) == ("table of settings", "[routekit]")
    assert {one.name for one in entry.options} == set(Options.model_fields)
    assert all(one.doc for one in entry.options)


def test_entries_are_plain_data() -> None:
    """Entries hold nothing but texts and truth, so that they can be printed as JSON."""
    for name in (*CATALOG.schemes(), *steps()):
        for entry in describe(name, CATALOG):
            fields: list[Any] = [entry.name, entry.kind, entry.usage, entry.doc]
            for one in entry.options:
                fields += [one.name, one.type, one.default, one.doc]
            assert all(type(value) is str for value in fields)
