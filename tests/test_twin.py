"""How endpoints behave in memory, where no plugin says more; with whole routes it is tried in tests/testing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from routekit import BodyError, Message, Twin, hookimpl
from routekit.endpoints.log import Log
from routekit.endpoints.queue import QueueSink, QueueSource
from routekit.endpoints.timer import Timer
from routekit.plugins import Catalog


@dataclass
class Row:
    n: int


class Lines(QueueSink):
    """A sink that can be told a codec."""

    codec: Any = None


class Parsed(QueueSource):
    """A source that can be told one."""

    codec: Any = None


@pytest.fixture
def twin() -> Twin:
    return Twin(Catalog().codec)


def test_what_is_sent_to_an_address_is_read_from_it(twin: Twin) -> None:
    """Whatever the options are."""
    assert twin.sends(QueueSink(name="q", size=5), Message(1), {}) == ("queue:q",)
    assert twin.reads(QueueSource(name="q")) == "queue:q"
    assert twin.answer(QueueSink(name="q"), Message(1), {}) is None


@pytest.mark.parametrize(
    ("codec", "body", "written"),
    [
        (None, b"x", b"x"),
        (None, "ü", "ü".encode()),
        (None, Row(1), b'{"n":1}'),
        ("csv", [{"n": 1}], b"n\r\n1\r\n"),
        ("csv", bytearray(b"as it is"), b"as it is"),
    ],
)
def test_an_endpoint_with_a_codec_writes_bytes(twin: Twin, codec: Any, body: Any, written: bytes) -> None:
    """By the codec that it was told, or as most do without one."""
    message = Message(body, {"h": 1}, "id")
    assert twin.written(Lines(name="q", codec=codec), message, {}) == Message(written, {"h": 1}, "id")


def test_what_has_no_bytes_is_left_as_it_is(twin: Twin) -> None:
    """A path or a stream is not JSON; but a codec that was named has to write what it gets."""
    assert twin.written(Lines(name="q"), Message(Path("a")), {}).body == Path("a")
    with pytest.raises(BodyError):
        twin.written(Lines(name="q", codec="csv"), Message(Path("a")), {})


def test_an_endpoint_without_a_codec_takes_plain_data(twin: Twin) -> None:
    """Such as a row."""
    assert twin.written(Log(name="x"), Message(Row(1)), {}).body == {"n": 1}


def test_a_source_reads_bytes_by_its_codec(twin: Twin) -> None:
    """And nothing else; what cannot be read is an error."""
    assert twin.read(Parsed(name="q", codec="json"), Message(b"[1]")).body == [1]
    assert twin.read(Parsed(name="q", codec="json"), Message([1])).body == [1]
    assert twin.read(Parsed(name="q"), Message(b"[1]")).body == b"[1]"
    assert twin.read(Timer(name="t"), Message(b"[1]")).body == b"[1]"
    with pytest.raises(BodyError):
        twin.read(Parsed(name="q", codec="json"), Message(b"["))


def test_a_plugin_offers_a_twin_by_scheme() -> None:
    """Others have the general one."""

    class Own(Twin):
        pass

    class Plugin:
        @hookimpl
        def register_twins(self) -> dict[str, type[Twin]]:
            return {"queue": Own}

    catalog = Catalog(modules=[Plugin()])
    assert catalog.twin("queue") is Own
    assert catalog.twin("timer") is Twin
    assert catalog.twin("nobody") is Twin
