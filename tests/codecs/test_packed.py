"""Compression: gzip, bzip2 and xz around another codec."""

import bz2
import gzip
import io
import lzma
import tracemalloc
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from routekit import BodyError, Record, UnknownName
from routekit.codecs.bz2 import Bzip2
from routekit.codecs.csv import Csv
from routekit.codecs.gzip import Gzip
from routekit.codecs.json import Json
from routekit.codecs.jsonl import JsonLines
from routekit.codecs.tar import Tar
from routekit.codecs.xz import Xz
from routekit.codecs.zstd import Zstd, _library
from routekit.plugins import Catalog

KINDS: dict[str, Any] = {"gzip": Gzip, "bz2": Bzip2, "xz": Xz, "zstd": Zstd}
PACK: dict[str, Any] = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zstd": Zstd().packed}
each = pytest.mark.parametrize("kind", KINDS)


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, however many are asked for."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._step) if size >= 0 else self._step)


@given(some.sampled_from(list(KINDS)), some.binary(max_size=5000), some.binary(max_size=50), some.integers(1, 700))
def test_what_is_packed_comes_back(kind: str, data: bytes, more: bytes, step: int) -> None:
    """Any bytes, whole and as a stream, wherever it is cut, and files that were put together."""
    codec = KINDS[kind]()
    assert codec.decode(codec.encode(data)) == data
    together = codec.encode(data) + codec.encode(more) + b"\0" * 8
    assert list(codec.records(Trickle(together, step))) == [Record(1, data + more)]


@each
def test_others_read_and_write_the_same(kind: str) -> None:
    """What is written is what the format's own library reads, and the other way round."""
    zstd = _library()
    unpack = {"gzip": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress, "zstd": zstd.decompress}[kind]
    assert unpack(KINDS[kind]().encode("Müller")) == "Müller".encode()
    assert Zstd().decode(zstd.compress(b"without a checksum")) == b"without a checksum"
    assert KINDS[kind]().decode(PACK[kind](b"other")) == b"other"


@each
def test_the_same_body_gives_the_same_bytes(kind: str) -> None:
    """A message that is delivered again writes the very same file."""
    assert KINDS[kind]().encode(b"x" * 1000) == KINDS[kind]().encode(b"x" * 1000)


@each
def test_the_records_are_those_inside(kind: str) -> None:
    """With their errors, after which the others go on."""
    codec = KINDS[kind](inner=Csv())
    first, bad, last = codec.records(io.BytesIO(PACK[kind](b"a,b\n1,2\n3\n5,6\n")))
    assert (first, last) == (Record(1, {"a": "1", "b": "2"}), Record(3, {"a": "5", "b": "6"}))
    assert bad.error == "expected 2 columns, found 1"


def test_what_is_inside_is_encoded_and_decoded() -> None:
    """A codec inside writes the body; bytes are a document that it has written already."""
    codec = Gzip(inner=Csv())
    rows = [{"a": "1", "b": "2"}]
    assert codec.decode(codec.encode(rows)) == rows
    assert codec.decode(codec.encode(b"a,b\r\n1,2\r\n")) == rows
    twice = Gzip(inner=Xz())
    assert twice.decode(twice.encode(b"x")) == b"x"


@given(some.sampled_from(list(KINDS)), some.binary(max_size=300))
def test_any_bytes_are_read_or_refused(kind: str, data: bytes) -> None:
    """Whatever bytes come, there is a record or a BodyError."""
    for tried in (data, PACK[kind](b"x" * 500)[: len(data)], PACK[kind](b"x") + data.lstrip(b"\0")):
        with suppress(BodyError):
            assert all(isinstance(record.body, bytes) for record in KINDS[kind]().records(io.BytesIO(tried)))


@each
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: b"", "the .* data ends in the middle"),
        (lambda data: data[:-5], "ends in the middle; was it copied whole"),
        (lambda data: b"id,name\n", "the data is not "),
        (lambda data: data + b"id,name\n", "the data is broken after 2,000 bytes"),
        (lambda data: data[:30] + bytes([data[30] ^ 255]) + data[31:], "broken|not|middle"),
    ],
)
def test_broken_data_is_refused(kind: str, spoil: Any, message: str) -> None:
    """Data that is cut, damaged, another format, or followed by something else is a BodyError, never less data."""
    data = PACK[kind](bytes(n * n % 251 for n in range(2000)))
    with pytest.raises(BodyError, match=message):
        KINDS[kind]().decode(spoil(data))


def test_a_file_that_breaks_in_the_middle_names_the_row() -> None:
    """The records before the place are given."""
    data = gzip.compress(b"a\n" + b"".join(b"%d\n" % (n * n) for n in range(100_000)))
    records = Gzip(inner=Csv()).records(io.BytesIO(data[: len(data) // 2]))
    seen = count()
    with pytest.raises(BodyError, match=r"row \d+: the gzip data ends in the middle"):
        all(next(seen) >= 0 for _ in records)
    assert 40_000 < next(seen) < 60_000


@each
def test_what_grows_too_much_is_refused(kind: str) -> None:
    """A bomb is found after a megabyte, by its ratio; what is just large by `max_bytes`."""
    bomb = PACK[kind](bytes(30 << 20))
    with pytest.raises(BodyError, match="more than max_ratio=200 times its size"):
        KINDS[kind]().decode(bomb)
    assert len(KINDS[kind](max_ratio=1_000_000).decode(bomb)) == 30 << 20
    with pytest.raises(BodyError, match="more than max_bytes=1,048,576"):
        KINDS[kind](max_bytes="1MB", max_ratio=1_000_000).decode(bomb)


@each
def test_a_large_document_is_not_read_into_memory(kind: str) -> None:
    """Read whole, it may have `max_document` bytes; a codec inside reads it bit by bit, however large it is."""
    data = PACK[kind](b"".join(b"%d\n" % n for n in range(100_000)))
    small = KINDS[kind](max_document=1000)
    with pytest.raises(BodyError, match="more than max_document=1,000 bytes; read it as records"):
        small.decode(data)
    with pytest.raises(BodyError, match="more than max_document=1,000 bytes"):
        list(small.records(io.BytesIO(data)))
    lines = KINDS[kind](max_document=1000, inner=JsonLines())
    assert sum(1 for _ in lines.records(io.BytesIO(data))) == 100_000


def test_a_file_cannot_claim_gigabytes_for_its_dictionary() -> None:
    """The memory that xz may take is bounded."""
    data = bytearray(lzma.compress(b"x", format=lzma.FORMAT_ALONE))
    data[1:5] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(BodyError, match=r"[Mm]emory"):
        Xz().decode(bytes(data))


def test_a_file_cannot_claim_gigabytes_for_its_window() -> None:
    """The memory that zstd may take is bounded: this frame asks for 2 GB."""
    with pytest.raises(BodyError, match=r"too much memory|[Ww]indow"):
        Zstd().decode(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")


@each
def test_memory_does_not_grow_with_the_file(kind: str) -> None:
    """Of 7 MB of records only a few blocks are held."""
    data = PACK[kind](b"".join(b'{"n": %d, "text": "%s"}\n' % (n, b"x" * 40) for n in range(100_000)))
    records = KINDS[kind](inner=JsonLines()).records(io.BytesIO(data))
    next(records)
    tracemalloc.start()
    found = sum(1 for _ in records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 99_999
    assert peak < 2 << 20


def test_nothing_can_be_appended() -> None:
    """Half of a member, left by a process that died, would spoil what follows it."""
    with pytest.raises(BodyError, match="nothing can be appended to gzip files"):
        Gzip().lines([b"x"], first=True)


def test_what_is_neither_bytes_nor_text_needs_a_codec() -> None:
    """The error says how to give it."""
    with pytest.raises(BodyError, match="a dict cannot be packed"):
        Gzip().encode({"a": 1})


@pytest.mark.parametrize(
    ("suffixes", "codec"),
    [
        (".csv.gz", Gzip(inner=Csv())),
        (".CSV.GZ", Gzip(inner=Csv())),
        (".v2.json.xz", Xz(inner=Json())),
        (".gz", Gzip()),
        (".dump.gz", Gzip()),
        (".jsonl.bz2", Bzip2(inner=JsonLines())),
        (".2026.11.csv", Csv()),
        (".gz.csv", Csv()),
        (".csv.zst", Zstd(inner=Csv())),
        (".tzst", Zstd(inner=Tar())),
    ],
)
def test_the_suffixes_say_what_is_inside(suffixes: str, codec: Any) -> None:
    """The last one is the compression, the one before it what was compressed, if that is known."""
    assert Catalog().codec(suffixes) == codec


def test_what_is_inside_is_given_as_any_codec() -> None:
    """By name, with options, or as it is; a mistake in it is found where it is made."""
    semicolons = {"name": "csv", "delimiter": ";"}
    catalog = Catalog()
    for inner in (semicolons, Csv(delimiter=";")):
        assert catalog.codec({"name": "gzip", "inner": inner}) == Gzip(inner=Csv(delimiter=";"))
    assert catalog.codec({"name": "gzip", "inner": "json", "level": "9"}) == Gzip(inner=Json(), level=9)
    with pytest.raises(UnknownName, match="no codec 'cvs'"):
        catalog.codec({"name": "gzip", "inner": "cvs"})


def test_the_names_of_files_end_in_both() -> None:
    """For sinks that name files themselves."""
    assert (Gzip().suffix, Gzip(inner=Csv()).suffix) == (".gz", ".csv.gz")


@pytest.mark.parametrize("options", [{"level": 10}, {"max_ratio": 0}, {"max_bytes": 0}, {"inner": 5}, {"innr": None}])
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """Wrong options are found when the codec is made."""
    with pytest.raises(ValidationError):
        Gzip(**options)
