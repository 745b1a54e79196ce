"""Records and batches of what a codec reads."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from pydantic import BaseModel, Field

from routekit import Batches, BodyError, Codec, DefinitionError, Message, Policy, Record, Records, Retry, from_
from routekit.testing import Feed, Run, Sink, run_routes

pytestmark = [pytest.mark.anyio, pytest.mark.real_time]


class Row(BaseModel):
    n: int


class Lines(Codec):
    """A number on each line; a line of `!` breaks the stream, `?` is a record that cannot be read."""

    name = "lines"
    read: list[int] = Field(default_factory=list)

    def decode(self, data: bytes) -> Any:
        raise NotImplementedError

    def encode(self, body: Any) -> bytes:
        raise NotImplementedError

    def records(self, stream: BinaryIO) -> Iterator[Record]:
        for number, line in enumerate(stream, 1):
            self.read.append(number)
            text = line.decode().strip()
            if text == "!":
                raise BodyError("the stream is broken", row=number)
            yield Record(number, text, "unreadable", "n") if text == "?" else Record(number, {"n": text})

    def lines(self, bodies: Iterable[Any], *, first: bool) -> bytes:
        raise NotImplementedError


def lines(*texts: object) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()


async def parts(body: Any, how: Any, sink: Sink, feed_headers: Any = None, **options: Any) -> Run:
    message = Message(body, feed_headers or {}, "m")
    flow: Any = from_(Feed([message]))
    return await run_routes(flow.split(how, on_error="dead_letter_items", **options).to(sink))


@pytest.mark.parametrize("kind", ["bytes", "text", "path"])
@pytest.mark.parametrize("parallel", [1, 4])
async def test_records_are_read_from_bytes_text_and_files(kind: str, parallel: int, tmp_path: Path) -> None:
    """Each once, in order for one worker, with its row as header and in its id."""
    data = lines(*range(2500))
    (tmp_path / "a.txt").write_bytes(data)
    body = {"bytes": data, "text": data.decode(), "path": tmp_path / "a.txt"}[kind]
    sink = Sink()
    await parts(body, Records(Row, codec=Lines()), sink, {"h": 1}, parallel=parallel)
    found = [(message.body.n, message.headers["row"], message.id, message.headers["h"]) for message in sink.messages]
    expected = [(n, n + 1, f"m/{n + 1}", 1) for n in range(2500)]
    assert (found if parallel == 1 else sorted(found)) == expected


async def test_the_suffix_of_a_path_says_the_codec(tmp_path: Path) -> None:
    """Where none is given."""
    (tmp_path / "a.csv").write_bytes(b"n\n1\n2\n")
    sink = Sink()
    await parts(tmp_path / "a.csv", Records(Row), sink)
    assert [row.n for row in sink.bodies] == [1, 2]
    run = await parts(b"n\n1\n", Records(Row), sink)
    assert [letter.error for letter in run.letters] == ["DefinitionError"]
    assert 'write Records(..., codec="csv")' in run.letters[0].reason


async def test_what_cannot_be_read_or_does_not_fit_is_a_failed_part() -> None:
    """It keeps what was found and names row and column; the records after it go on."""
    sink = Sink()
    run = await parts(lines(1, "x", "?", 4), Records(Row, codec=Lines()), sink)
    assert [row.n for row in sink.bodies] == [1, 4]
    letters = sorted(run.letters, key=lambda letter: letter.message_id)
    assert [(letter.message_id, letter.body) for letter in letters] == [("m/2", {"n": "x"}), ("m/3", "?")]
    assert letters[0].reason.startswith("row 2, column 'n': input should be a valid integer")
    assert letters[1].reason == "row 3, column 'n': unreadable"


async def test_a_stream_that_breaks_fails_the_message_after_its_good_records() -> None:
    """What was read before the break is done."""
    sink, feed = Sink(), Feed([lines(1, 2, "!", 4)])
    run = await run_routes(from_(feed).split(Records(Row, codec=Lines())).to(sink))
    assert [row.n for row in sink.bodies] == [1, 2]
    assert [letter.reason for letter in run.letters] == ["row 3: the stream is broken"]


async def test_records_are_read_lazily() -> None:
    """A message that fails early does not read its file to the end."""
    codec = Lines()
    run = await parts(lines(*range(50_000)), Records(Row, codec=codec), Sink(fail={1: ValueError("x")}), max_failed=0)
    assert run.counts["route-1"].done == 0
    assert len(codec.read) <= 1000


async def test_a_file_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    """It may come back."""
    path, sink = tmp_path / "late.csv", Sink()

    def appears(body: Path, message: Message[Path]) -> Path:
        if message.meta.attempt == 2:
            path.write_text("n\n1\n")
        return body

    flow = from_(Feed([path]), Path, policy=Policy(retry=Retry(3, first=0.001)))
    run = await run_routes(flow.transform(appears).split(Records(Row)).to(sink))
    assert len(sink.bodies) == 1
    assert run.counts["route-1"].retried == 1


async def test_the_file_is_closed_whatever_happens(tmp_path: Path) -> None:
    """Also when a part fails at once."""
    path = tmp_path / "a.csv"
    path.write_text("n\n1\n2\n")
    flow = from_(Feed([path]), Path).split(Records(Row), on_error="fail_fast").transform(lambda row: 1 // 0)
    await run_routes(flow)
    assert path not in [descriptor.resolve() for descriptor in Path("/proc/self/fd").iterdir()]


@pytest.mark.parametrize("body", [5, None, ["a"]])
async def test_other_bodies_have_no_records(body: Any) -> None:
    """With what would have."""
    run = await parts(body, Records(Row, codec=Lines()), Sink())
    assert [letter.error for letter in run.letters] == ["BodyError"]
    assert "a Path, bytes or text" in run.letters[0].reason


@pytest.mark.parametrize("parallel", [1, 3])
async def test_batches_are_lists_of_records(parallel: int) -> None:
    """Of at most `size`, with the rows of the first and the last; what is refused is in none of them."""
    sink = Sink()
    data = lines(*[n if n % 5 else "x" for n in range(1, 13)])
    run = await parts(data, Batches(Row, codec=Lines(), size=4), sink, parallel=parallel)
    batches = sorted(([row.n for row in message.body], dict(message.headers), message.id) for message in sink.messages)
    assert [numbers for numbers, _, _ in batches] == [[1, 2, 3, 4], [6, 7, 8, 9], [11, 12]]
    assert batches[0][1:] == ({"row": 1, "row.last": 4}, "m/1")
    assert batches[2][1:] == ({"row": 11, "row.last": 12}, "m/11")
    assert sorted(letter.message_id for letter in run.letters) == ["m/10", "m/5"]


async def test_a_batch_succeeds_or_fails_as_one() -> None:
    """Its letter keeps what was read, all of it."""
    sink = Sink(fail={1: ValueError("x")})
    run = await parts(lines(1, 2, 3), Batches(Row, codec=Lines(), size=2), sink)
    assert [[row.n for row in batch] for batch in sink.bodies] == [[3]]
    assert [letter.body for letter in run.letters] == [[{"n": "1"}, {"n": "2"}]]


async def test_a_file_of_nothing_but_bad_records_makes_no_batch() -> None:
    """Each bad record is still told."""
    sink = Sink()
    run = await parts(lines(*["x"] * 7), Batches(Row, codec=Lines(), size=3), sink)
    assert sink.bodies == []
    assert len(run.letters) == 7


def test_a_batch_holds_at_least_one() -> None:
    """Said when it is written."""
    with pytest.raises(DefinitionError, match="size of a batch is 0"):
        Batches(Row, size=0)
