"""Files of many messages: each record or line is one, and the file is settled with the last of them."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import pytest
from pydantic import Field

from routekit import BodyError, Codec, Progress, Record, Refused
from routekit_file import FileSource


class Named(Codec):
    """Lines, each large and with a header."""

    name: ClassVar[str] = "named"
    read: list[int] = Field(default_factory=list)

    @property
    def ahead(self) -> int:
        return 2

    def decode(self, data: bytes) -> Any: ...

    def encode(self, body: Any) -> bytes: ...

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        for number, line in enumerate(stream, 1):
            self.read.append(number)
            yield Record(number, line, headers={"entry.name": "inside"})


def csv(folder: Path, name: str, *rows: str) -> None:
    (folder / name).write_text("\n".join(["n,m", *rows, ""]))


@pytest.mark.anyio
async def test_each_record_is_a_message(bench: Any, inbox: Path) -> None:
    """The codec follows from the suffix; the header `row` counts from 1, and the id ends in it."""
    csv(inbox, "a.csv", "1,2", "3,4")
    first, second = await bench.take(FileSource(directory=inbox, after="move", read="records"))
    assert (first.message.body, second.message.body) == ({"n": "1", "m": "2"}, {"n": "3", "m": "4"})
    assert [d.message.headers["row"] for d in (first, second)] == [1, 2]
    assert second.message.headers["file.name"] == "a.csv"
    mtime = (inbox / "a.csv").stat().st_mtime_ns
    assert [d.message.id for d in (first, second)] == [f"a.csv:12:{mtime}/1", f"a.csv:12:{mtime}/2"]


@pytest.mark.anyio
async def test_the_codec_can_be_given_with_options(bench: Any, inbox: Path) -> None:
    """A codec by name and options, as a URI with `codec.delimiter=;` gives it."""
    (inbox / "a.dat").write_text("n;m\n1;2\n")
    source = FileSource.of(str(inbox), {"after": "keep", "read": "records", "codec": {"name": "csv", "delimiter": ";"}})
    [delivery] = await bench.take(source)
    assert delivery.message.body == {"n": "1", "m": "2"}


@pytest.mark.anyio
async def test_compressed_files_are_read_by_both_suffixes(bench: Any, inbox: Path) -> None:
    """`leads.csv.gz` is CSV in gzip, read as it is unpacked; `.gz` alone is one message of bytes."""
    rows = "".join(f"{n},{n * n}\n" for n in range(5000))
    (inbox / "a.v2.csv.gz").write_bytes(gzip.compress(f"n,m\n{rows}".encode()))
    (inbox / "dump.gz").write_bytes(gzip.compress(b"whole"))
    bodies = await bench.work(FileSource(directory=inbox, after="delete", read="records"))
    assert [int(body["m"]) for body in bodies[:5000]] == [n * n for n in range(5000)]
    assert bodies[5000:] == [b"whole"]


@pytest.mark.anyio
async def test_what_a_codec_says_of_a_record_is_in_its_headers(bench: Any, inbox: Path) -> None:
    """Beside those of the file."""
    (inbox / "a.txt").write_text("x")
    source = FileSource(directory=inbox, after="keep", read="records", codec=Named())
    [delivery] = await bench.take(source)
    headers = delivery.message.headers
    assert (headers["entry.name"], headers["file.name"], headers["row"]) == ("inside", "a.txt", 1)


@pytest.mark.anyio
async def test_no_more_records_are_read_ahead_than_the_codec_allows(bench: Any, inbox: Path) -> None:
    """Where each may be large, one is read beside the one that was given."""
    (inbox / "a.txt").write_text("x\n" * 100)
    codec = Named()
    await bench.take(FileSource(directory=inbox, after="keep", read="records", codec=codec), most=3)
    assert len(codec.read) <= 5


@pytest.mark.anyio
async def test_each_line_is_a_message(bench: Any, inbox: Path) -> None:
    """With read=lines bodies are text without line ends, whatever the suffix."""
    (inbox / "a.csv").write_bytes("ä\r\n\nlast".encode())
    assert await bench.work(FileSource(directory=inbox, after="delete", read="lines")) == ["ä", "", "last"]


@pytest.mark.anyio
async def test_the_file_is_settled_with_its_last_message(bench: Any, inbox: Path, accept: Any, tree: Any) -> None:
    """In whichever order the messages are acknowledged, the file goes with the last one and not before."""
    csv(inbox, "a.csv", "1,2", "3,4", "5,6")
    one, two, three = await bench.take(FileSource(directory=inbox, after="move", read="records"))
    await accept(three)
    await accept(one)
    assert (inbox / "a.csv").exists()
    await accept(two)
    assert set(tree(inbox)) == {".done/a.csv"}


@pytest.mark.anyio
async def test_the_last_acknowledgement_settles_the_file_before_the_source_is_asked_again(
    bench: Any, inbox: Path, accept: Any, tree: Any
) -> None:
    """A route that stops after the last record leaves no file that would be handled a second time."""
    csv(inbox, "a.csv", "1,2")
    async with aclosing(FileSource(directory=inbox, after="move", read="records").consume(bench)) as deliveries:
        await accept(await anext(deliveries))
        assert set(tree(inbox)) == {".done/a.csv"}


@pytest.mark.anyio
async def test_one_refused_record_fails_the_file_after_all_others(
    bench: Any, inbox: Path, accept: Any, refuse: Any, tree: Any
) -> None:
    """All records are worked on; then the file goes to the failed ones with the first reason."""
    csv(inbox, "a.csv", "1,2", "3,4", "5,6")
    one, two, three = await bench.take(FileSource(directory=inbox, after="delete", read="records"))
    await refuse(two, ValueError("first"))
    await refuse(one, ValueError("second"))
    assert (inbox / "a.csv").exists()
    await accept(three)
    assert json.loads(tree(inbox)[".failed/a.csv.error.json"])["reason"] == "first"


@pytest.mark.anyio
async def test_a_record_that_cannot_be_read_is_delivered_with_its_error(bench: Any, inbox: Path) -> None:
    """A ragged row is a message that is known to be wrong: row and reason are named, the rows after it follow."""
    csv(inbox, "a.csv", "1,2", "3", "5,6")
    one, two, three = await bench.take(FileSource(directory=inbox, after="keep", read="records"))
    assert (one.error, three.error) == (None, None)
    assert three.message.headers["row"] == 3
    assert (two.error.row, two.message.headers["row"]) == (2, 2)
    assert two.message.body


@pytest.mark.anyio
async def test_an_unreadable_file_fails_and_the_next_one_follows(bench: Any, inbox: Path, tree: Any) -> None:
    """A file that the codec cannot read at all is put aside with the reason, and told as refused."""
    (inbox / "a.csv").write_bytes(b"\x00\x01\x02\xff\xfe" * 1000)
    csv(inbox, "b.csv", "1,2")
    assert await bench.work(FileSource(directory=inbox, after="delete", read="records")) == [{"n": "1", "m": "2"}]
    files = tree(inbox)
    assert set(files) == {".failed/a.csv", ".failed/a.csv.error.json"}
    assert json.loads(files[".failed/a.csv.error.json"])["error"] == "BodyError"
    [event] = [event for event in bench.events if isinstance(event, Refused)]
    assert event.message_id.startswith("a.csv:5000:")


class Breaking(Codec):
    """Two good records, then the end of its wits."""

    name: ClassVar[str] = "breaking"
    kind: str

    def decode(self, data: bytes) -> Any:
        raise NotImplementedError

    def encode(self, body: Any) -> bytes:
        raise NotImplementedError

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        raise NotImplementedError

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        yield Record(1, "one")
        yield Record(2, "two")
        raise BodyError("it ends in the middle") if self.kind == "told" else KeyError("a bug")


@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "reason"), [("told", "it ends in the middle"), ("untold", "KeyError: 'a bug'")])
async def test_a_file_that_breaks_in_the_middle_fails_once_its_good_records_are_done(
    bench: Any, inbox: Path, accept: Any, tree: Any, kind: str, reason: str
) -> None:
    """What could be read is delivered; the last of it fails the file, also for a codec with a bug."""
    (inbox / "a").write_text("x")
    source = FileSource(directory=inbox, after="delete", read="records", codec=Breaking(kind=kind))
    taken = await bench.take(source)
    assert [(delivery.message.body, delivery.error) for delivery in taken] == [("one", None), ("two", None)]
    await accept(taken[0])
    assert (inbox / "a").exists()
    await accept(taken[1])
    assert reason in json.loads(tree(inbox)[".failed/a.error.json"])["reason"]


@pytest.mark.anyio
async def test_a_file_without_a_known_suffix_fails_with_advice(bench: Any, inbox: Path, tree: Any) -> None:
    """No codec for the suffix is the file's trouble, not the route's: the reason says what to write."""
    (inbox / "a.what").write_text("x")
    assert await bench.take(FileSource(directory=inbox, after="move", read="records")) == []
    assert "codec=" in json.loads(tree(inbox)[".failed/a.what.error.json"])["reason"]


@pytest.mark.anyio
async def test_a_file_without_any_suffix_fails_with_advice(bench: Any, inbox: Path, tree: Any) -> None:
    """Nothing is guessed."""
    (inbox / "orders").write_text("x")
    assert await bench.take(FileSource(directory=inbox, after="move", read="records")) == []
    reason = json.loads(tree(inbox)[".failed/orders.error.json"])["reason"]
    assert reason == "the name has no suffix that would say what is in it; give a codec, or choose by include"


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
async def test_an_empty_file_of_records_is_done_at_once(bench: Any, inbox: Path, tree: Any, name: str) -> None:
    """Without any record there is nothing to wait for."""
    (inbox / name).touch()
    assert await bench.take(FileSource(directory=inbox, after="move", read="records")) == []
    assert set(tree(inbox)) == {f".done/{name}"}


@pytest.mark.anyio
async def test_a_file_that_was_not_read_to_its_end_is_taken_again_from_the_start(
    bench: Any, inbox: Path, accept: Any
) -> None:
    """When the route stops in the middle, the file is free once the records in flight are settled."""
    csv(inbox, "a.csv", "1,2", "3,4", "5,6")
    source = FileSource(directory=inbox, after="delete", read="records")
    one, two = await bench.take(source, most=2)
    assert await bench.take(source) == []
    await accept(one)
    await accept(two)
    again = await bench.take(source)
    assert [delivery.message.id for delivery in again][:2] == [one.message.id, two.message.id]
    assert len(again) == 3


@pytest.mark.anyio
async def test_records_come_in_batches_and_in_order(bench: Any, inbox: Path) -> None:
    """More records than one trip to the worker thread brings: none is lost or doubled at the seams."""
    csv(inbox, "a.csv", *(f"{n},x" for n in range(2500)))
    taken = await bench.work(FileSource(directory=inbox, after="delete", read="records"))
    assert [body["n"] for body in taken] == [str(n) for n in range(2500)]


@pytest.mark.anyio
async def test_progress_is_told_in_bytes_now_and_then(bench: Any, inbox: Path) -> None:
    """At most every half second one word about the file, and one at its end."""
    (inbox / "a.txt").write_text("line\n" * 100_000)
    await bench.work(FileSource(directory=inbox, after="delete", read="lines"))
    told = [event for event in bench.events if isinstance(event, Progress)]
    assert told[-1] == Progress("leads", "a.txt", 500_000, 500_000, "bytes", finished=True)
    assert [event.finished for event in told].count(True) == 1
    assert [event.done for event in told] == sorted(event.done for event in told)


FLAT = """
import resource, sys, anyio
from routekit import from_
from routekit.testing import run_routes, Sink
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
count = 0
def seen(body):
    global count
    count += 1
async def main():
    inbox = sys.argv[1]
    flow = from_(f"file:{inbox}?after=delete&read=records&include=small.csv").transform(seen)
    await run_routes(flow)
    before = peak()
    flow = from_(f"file:{inbox}?after=delete&read=records").transform(seen)
    await run_routes(flow)
    print(count, peak() - before)
anyio.run(main)
"""


def test_memory_is_flat_for_large_files(inbox: Path) -> None:
    """A file of 300 MB, record by record, takes a few megabytes of memory."""
    row = f"1,{'x' * 3000}\n".encode()
    (inbox / "small.csv").write_bytes(b"n,m\n" + row * 3000)
    with (inbox / "large.csv").open("wb") as file:
        file.write(b"n,m\n")
        for _ in range(100):
            file.write(row * 1000)
    assert (inbox / "large.csv").stat().st_size > 300_000_000
    result = subprocess.run([sys.executable, "-c", FLAT, inbox], capture_output=True, check=True)
    count, growth = map(int, result.stdout.split())
    assert count == 103_000
    assert growth < 30, f"{growth} MB"
