"""Archives: zip and tar, entry by entry, and what must not come out of one."""

import doctest
import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from routekit import Batches, BodyError, Record, Records, from_
from routekit.codecs import _entries
from routekit.codecs.csv import Csv
from routekit.codecs.gzip import Gzip
from routekit.codecs.jsonl import JsonLines
from routekit.codecs.tar import Tar
from routekit.codecs.zip import Zip
from routekit.plugins import Catalog
from routekit.testing import Feed, Sink, run_routes

KINDS: dict[str, Any] = {"zip": Zip, "tar": Tar}
each = pytest.mark.parametrize("kind", KINDS)

parts = some.text(some.characters(exclude_categories=["Cs"], exclude_characters="/\\\0"), min_size=1, max_size=8)
parts = parts.filter(lambda part: part not in (".", "..") and part[1:2] != ":")
names = some.lists(parts, min_size=1, max_size=3).map("/".join)
files = some.dictionaries(names, some.binary(max_size=300), max_size=6)


class Pipe(io.RawIOBase):
    """A stream that cannot be sought, as one that is unpacked."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._data.read(size)


def zipped(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def tarred(entries: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


MADE = {"zip": zipped, "tar": tarred}


def read(kind: str, data: bytes, **options: Any) -> list[Record]:
    return list(KINDS[kind](**options).records(io.BytesIO(data)))


def entries(records: list[Record]) -> list[tuple[str, Any]]:
    assert [record.error for record in records] == [None] * len(records)
    assert [record.number for record in records] == list(range(1, len(records) + 1))
    return [((record.headers or {})["entry.name"], record.body) for record in records]


def test_what_it_says() -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(_entries).failed == 0


@given(some.sampled_from(list(KINDS)), files, some.booleans())
def test_files_come_back(kind: str, written: dict[str, bytes], pipe: bool) -> None:
    """Any files by name, whole and as a stream, also from a stream that cannot be sought."""
    data = KINDS[kind](exclude="").encode(written)
    assert KINDS[kind](exclude="").decode(data) == written
    stream: Any = Pipe(data) if pipe else io.BytesIO(data)
    assert entries(list(KINDS[kind](exclude="").records(stream))) == list(written.items())


@each
def test_others_read_and_write_the_same(kind: str) -> None:
    """What is written is what the format's own library reads, and the other way round; folders are no entries."""
    data = KINDS[kind]().encode([("a.txt", "Müller"), ("sub/b.txt", b"2")])
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert [archive.read(name) for name in archive.namelist()] == ["Müller".encode(), b"2"]
    else:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            assert tar.getnames() == ["a.txt", "sub/b.txt"]
    assert entries(read("zip", zipped({"sub/": b"", "./sub/a": b"1"}))) == [("sub/a", b"1")]
    assert entries(read("tar", tarred({"./sub/a": b"1"}))) == [("sub/a", b"1")]


@each
def test_the_same_files_give_the_same_bytes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever they are written: a message that is delivered again writes the very same archive."""
    first = KINDS[kind]().encode({"a": b"1"})
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert KINDS[kind]().encode({"a": b"1"}) == first


@each
def test_the_records_inside_all_entries_are_read(kind: str) -> None:
    """With a codec inside: counted through, with the entry and the row in it as headers, and errors of their own."""
    data = MADE[kind]({"a.csv": b"n\n1\n2\n", "b.csv": b"n\n3\n4,5\n", "c.csv": b"", "d.csv": b"n\n6\n"})
    records = read(kind, data, inner=Csv())
    assert [record.number for record in records] == [1, 2, 3, 4, 5, 6]
    assert [record.body for record in records if record.error is None] == [{"n": n} for n in "1236"]
    assert records[1].headers == {"entry.name": "a.csv", "entry.row": 2}
    assert records[3].error == "entry 'b.csv', row 2: expected 1 columns, found 2"
    assert (records[4].body, records[4].error) == (
        "c.csv",
        "entry 'c.csv': the file is empty: expected a header with columns",
    )


@each
def test_entries_are_chosen_by_their_names(kind: str) -> None:
    """Globs with a slash are held against the whole name, the others against its last part."""
    data = MADE[kind]({"a.csv": b"1", "sub/b.csv": b"2", "sub/c.txt": b"3", "__MACOSX/a.csv": b"4"})
    assert [name for name, _ in entries(read(kind, data))] == ["a.csv", "sub/b.csv", "sub/c.txt"]
    assert [name for name, _ in entries(read(kind, data, include="*.csv"))] == ["a.csv", "sub/b.csv"]
    assert [name for name, _ in entries(read(kind, data, include="sub/*", exclude="b.*, x"))] == ["sub/c.txt"]


@each
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/passwd", "..\\evil", "C:\\evil", "C:evil"])
def test_a_name_that_leads_out_costs_only_its_entry(kind: str, name: str) -> None:
    """Its content is not read; the entries after it are. Such a name cannot be written either."""
    bad, good = read(kind, MADE[kind]({name: b"1", "good": b"2"}))
    assert "its name " in (bad.error or "")
    assert bad.body == name
    assert good.body == b"2"
    with pytest.raises(BodyError, match="cannot be the name of an entry"):
        KINDS[kind]().encode({name: b"1"})


def test_links_and_devices_are_no_files() -> None:
    """Each is a record with the reason."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind in {
            "s": tarfile.SYMTYPE,
            "h": tarfile.LNKTYPE,
            "d": tarfile.BLKTYPE,
            "p": tarfile.FIFOTYPE,
        }.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    reasons = [record.error for record in read("tar", file.getvalue())]
    assert reasons == [
        "entry 's': it is a link",
        "entry 'h': it is a link",
        "entry 'd': it is no file, but a device or a pipe",
        "entry 'p': it is no file, but a device or a pipe",
    ]
    with zipfile.ZipFile(file := io.BytesIO(), "w") as zipper:
        link = zipfile.ZipInfo("s")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipper.writestr(link, "/etc/passwd")
    assert [record.error for record in read("zip", file.getvalue())] == ["entry 's': it is a symbolic link"]


def test_what_is_not_unpacked_says_so() -> None:
    """Encrypted entries, and methods whose memory the library does not bound in every version."""
    data = bytearray(zipped({"a": b"1" * 100}))
    for at in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[at] |= 1
    assert [record.error for record in read("zip", bytes(data))] == ["entry 'a': it is encrypted"]
    [record] = read("zip", zipped({"a": b"1"}, zipfile.ZIP_LZMA))
    assert "by method 14; only stored and deflated" in (record.error or "")


def test_a_damaged_entry_of_a_zip_costs_only_itself() -> None:
    """Its checksum is wrong; the entries after it are read."""
    data = bytearray(zipped({"a": b"first", "b": b"second"}, zipfile.ZIP_STORED))
    data[data.index(b"first")] ^= 1
    bad, good = read("zip", bytes(data))
    assert "entry 'a': it is damaged: Bad CRC-32" in (bad.error or "")
    assert good.body == b"second"
    bad, good = read("zip", bytes(data), inner=JsonLines())
    assert "entry 'a': it is damaged" in (bad.error or "")


@each
@pytest.mark.parametrize("cut", [lambda data: b"", lambda data: b"id,name\n1,2\n", lambda data: data[: len(data) // 2]])
def test_what_is_no_archive_is_refused(kind: str, cut: Any) -> None:
    """An archive that was cut is not taken for a small one."""
    with pytest.raises(BodyError, match=f"this is no {kind} file"):
        read(kind, cut(MADE[kind]({"a": b"1" * 3000, "b": b"2" * 30_000})))


@pytest.mark.parametrize("at", [512 * 2, 512 * 2 + 100])
def test_a_tar_that_ends_between_its_entries_is_refused(at: int) -> None:
    """At the end of an entry, or with a broken header there: both are silence to the library."""
    data = tarred({"a": b"1" * 500, "b": b"2" * 500})
    with pytest.raises(BodyError, match="only a piece of one"):
        read("tar", data[:at])
    with pytest.raises(BodyError, match="only a piece of one"):
        read("tar", data[:at] + b"\xff" * 5000)


@given(
    some.sampled_from(list(KINDS)), some.lists(some.tuples(some.integers(0, 3000), some.integers(0, 255)), max_size=6)
)
def test_any_damage_is_read_or_refused(kind: str, damage: list[tuple[int, int]]) -> None:
    """Whatever bytes come, there are records or a BodyError."""
    data = bytearray(MADE[kind]({"a.csv": b"n\n1\n", "b/c": b"x" * 600, "d": bytes(range(256))}))
    for at, value in damage:
        data[at % len(data)] = value
    for options in ({}, {"inner": Csv()}):
        with suppress(BodyError):
            assert all(record.number for record in read(kind, bytes(data), **options))
    with suppress(BodyError):
        KINDS[kind]().decode(bytes(data))


@each
def test_an_archive_may_not_grow_too_much(kind: str) -> None:
    """What all entries unpack to is bounded together, with and without a codec inside."""
    data = MADE[kind]({name: bytes(range(256)) * 2000 for name in "abcd"})
    for options in ({}, {"inner": JsonLines(max_record="10MB")}):
        with pytest.raises(BodyError, match="the archive unpacks to more than max_bytes=1,048,576"):
            read(kind, data, max_bytes="1MB", **options)
    assert len(read(kind, data)) == 4


def test_a_zip_bomb_is_refused_by_its_ratio() -> None:
    """What comes out of all entries is held against the size of the whole archive."""
    data = zipped({"a": bytes(20 << 20)})
    with pytest.raises(BodyError, match="more than max_ratio=200 times its size"):
        read("zip", data)
    assert len(read("zip", data, max_ratio=2000)[0].body) == 20 << 20


@each
def test_an_archive_may_not_have_too_many_entries(kind: str) -> None:
    """The entries are counted, wanted or not."""
    with pytest.raises(BodyError, match="more than max_entries=10"):
        read(kind, MADE[kind]({str(n): b"" for n in range(11)}), max_entries=10, include="0")
    assert len(read(kind, MADE[kind]({str(n): b"" for n in range(10)}), max_entries=10)) == 10


@pytest.mark.parametrize("large", [False, True])
def test_the_table_of_a_zip_is_not_read_when_it_is_far_too_long(large: bool) -> None:
    """The library would make objects of all of it before the first could be counted."""
    entry = b"PK\x01\x02" + bytes(42)
    table = entry * 2_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2000, 2000, 0xFFFFFFFF if large else len(table), 0, 0)
    if large:
        end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2000, 2000, len(table), 0)
        end = end64 + struct.pack("<4sLQL", b"PK\x06\x07", 0, len(table), 1) + end
    with pytest.raises(BodyError, match="the table of the archive has 92,000 bytes, too many for max_entries=10"):
        read("zip", table + end, max_entries=10)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_what_a_tar_says_of_an_entry_is_bounded(kind: bytes) -> None:
    """A name or list of attributes of many megabytes is not read into memory."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 50 << 20
    data = info.tobuf(tarfile.GNU_FORMAT) + bytes(50 << 20)
    tracemalloc.start()
    with pytest.raises(BodyError, match="a name or list of attributes has 52,428,800 bytes"):
        list(Tar().records(io.BytesIO(data)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@each
def test_a_large_entry_needs_a_codec(kind: str) -> None:
    """Without one it would be held in memory: it is refused, the others are read."""
    large, small = read(kind, MADE[kind]({"large": b"1\n" * 100, "small": b"2"}), max_entry=100)
    assert "entry 'large': it has more than max_entry=100 bytes" in (large.error or "")
    assert small.body == b"2"
    assert len(read(kind, MADE[kind]({"large": b"1\n" * 100}), max_entry=100, inner=JsonLines())) == 100


@each
def test_memory_does_not_grow_with_the_archive(kind: str) -> None:
    """Neither with the size of an entry that has a codec, nor with the number of entries."""
    line = b'{"text": "%s"}\n' % (b"x" * 50)
    data = MADE[kind]({"large": line * 50_000, **{f"small{n}": line * 10 for n in range(1000)}})
    records = (
        KINDS[kind](inner=JsonLines(), max_ratio=1000).records(io.BytesIO(data))
        if kind == "zip"
        else Tar(inner=JsonLines()).records(io.BytesIO(data))
    )
    next(records)
    tracemalloc.start()
    found = sum(1 for _ in records)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 60_000 - 1
    assert peak < 2 << 20


@each
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"x", "a bytes is no archive"),
        (["ab", "cd"], None),
        ([1], "a int is no archive"),
        ({1: b"x"}, "the name of an entry is a text, found 1"),
        ({"": b"x"}, "it has no name"),
        ([("a", b"1"), ("./a", b"2")], "there are two entries 'a'"),
        ({"a": {"n": 1}}, "a dict cannot be packed"),
    ],
)
def test_what_is_no_archive_is_not_written(kind: str, body: Any, message: str | None) -> None:
    """Pairs or a mapping of contents by name are."""
    if message is None:
        assert KINDS[kind]().decode(KINDS[kind]().encode(body)) == {"a": b"b", "c": b"d"}
        return
    with pytest.raises(BodyError, match=message):
        KINDS[kind]().encode(body)


@each
def test_a_document_is_all_entries_by_name(kind: str) -> None:
    """Decoded by the codec inside; two of one name, or one that cannot be read, fail it."""
    codec = KINDS[kind](inner=Csv())
    assert codec.decode(codec.encode({"a": [{"n": "1"}]})) == {"a": [{"n": "1"}]}
    with pytest.raises(BodyError, match="entry 'a': row 1: expected 1 columns, found 2"):
        codec.decode(codec.encode({"a": b"n\n1,2\n"}))
    with pytest.raises(BodyError, match=r"entry '\.\./a': its name has '\.\.' in it"):
        codec.decode(MADE[kind]({"../a": b""}))


def test_the_suffixes_say_how_an_archive_is_compressed() -> None:
    """`.tar.gz` and its short names are a tar in gzip; `.csv.zip` a zip of CSV files."""
    catalog = Catalog()
    assert catalog.codec(".tar.gz") == catalog.codec(".tgz") == catalog.codec(".2026.TGZ") == Gzip(inner=Tar())
    assert catalog.codec(".csv.zip") == Zip(inner=Csv())
    assert catalog.codec(".tar.xz") == catalog.codec(".txz")
    codec = Gzip(inner=Tar(inner=Csv()))
    assert entries(list(codec.records(io.BytesIO(codec.encode({"a": [{"n": "1"}]})))))[0][1] == {"n": "1"}


def test_an_archive_in_an_archive_is_read() -> None:
    """The one inside is copied to where it can be sought, if it has to be."""
    inside = zipped({"a": b"1", "b": b"2"})
    assert [body for _, body in entries(read("tar", tarred({"x.zip": inside}), inner=Zip()))] == [b"1", b"2"]
    assert [body for _, body in entries(read("zip", zipped({"x.zip": inside}), inner=Zip()))] == [b"1", b"2"]
    assert list(Gzip(inner=Zip()).decode(Gzip().encode(inside))) == ["a", "b"]


@pytest.mark.anyio
@pytest.mark.real_time
async def test_a_route_takes_an_archive_apart() -> None:
    """One part for each entry with its name, and the records of each; a large one never holds two entries."""
    data = zipped({"a.csv": b"n\n1\n2\n", "../b.csv": b"n\n3\n", "c.csv": b"n\nx\n"})
    names, rows, lists = Sink(), Sink(), Sink()
    entry = Records(bytes, codec="zip")
    row = Records(dict[str, int], codec={"name": "zip", "inner": "csv"})
    batch = Batches(dict[str, int], codec={"name": "zip", "inner": "csv"}, size=10)
    run = await run_routes(
        from_(Feed([data]), bytes).split(entry, on_error="dead_letter_items").to(names),
        from_(Feed([data]), bytes).split(row, on_error="dead_letter_items").to(rows),
        from_(Feed([data]), bytes).split(batch, on_error="dead_letter_items").to(lists),
    )
    assert [message.headers["entry.name"] for message in names.messages] == ["a.csv", "c.csv"]
    assert rows.bodies == [{"n": 1}, {"n": 2}]
    assert lists.bodies == [[{"n": 1}, {"n": 2}]]
    assert rows.messages[1].headers["entry.row"] == 2
    assert {letter.reason for letter in run.letters} >= {"row 2: entry '../b.csv': its name has '..' in it"}


@pytest.mark.parametrize("options", [{"max_entries": 0}, {"include": ""}, {"inner": "csv"}, {"max_bites": 1}])
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    """Wrong options are found when the codec is made."""
    with pytest.raises(ValidationError):
        Zip(**options)
