"""The sink: what is written, under which name, and what happens when that name is taken."""
# ruff: noqa: ASYNC240 - nothing else runs in the event loop of a test

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from routekit import BadOption, BodyError, Message, Rejected, Unavailable
from routekit_file import FileSink

pytestmark = pytest.mark.anyio


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


async def test_bytes_and_text_are_written_as_they_are(bench: Any, out: Path, tree: Any) -> None:
    """Without a codec bytes stay bytes and text becomes UTF-8."""
    await bench.send(FileSink(directory=out), b"\xff", "ä", bytearray(b"y"))
    assert tree(out) == {"m1": b"\xff", "m2": "ä".encode(), "m3": b"y"}


async def test_the_answer_tells_which_file_was_written(bench: Any, out: Path) -> None:
    """The reply is the message with the name and relative path of the file; other headers stay."""
    message = Message(b"x", {"customer": 7, "file.name": "came-from.csv"}, "id")
    [reply] = await bench.send(FileSink(directory=out, name="sub/a.txt"), message)
    assert (reply.body, reply.id) == (b"x", "id")
    assert dict(reply.headers) == {"customer": 7, "file.name": "a.txt", "file.path": "sub/a.txt"}


async def test_the_name_may_be_computed_for_each_message(bench: Any, out: Path, tree: Any) -> None:
    """A name given to `send` wins over the one in the URI."""
    await bench.send(FileSink(directory=out, name="fixed"), b"x", name="2026/01/a.txt")
    assert tree(out) == {"2026/01/a.txt": b"x"}


async def test_without_a_name_the_id_makes_one(bench: Any, out: Path, tree: Any) -> None:
    """The id is made safe, different ids never share a file, and the codec gives the suffix."""
    ids = ["a/b", "a_b", "a%2Fb", "../x", ".hidden", "x" * 400, "x" * 399 + "y", "leads.csv:1:2/3"]
    replies = await bench.send(FileSink(directory=out, codec="json"), *[Message(1, {}, each) for each in ids])
    assert len(tree(out)) == len(ids)
    assert all(name.endswith(".json") and "/" not in name and not name.startswith(".") for name in tree(out))
    assert replies[0].headers["file.name"] == "a%2Fb.json"


async def test_messages_without_an_id_get_files_of_their_own(bench: Any, out: Path, tree: Any) -> None:
    """Nothing collapses for want of an id."""
    await bench.send(FileSink(directory=out), Message(b"1"), Message(b"2"))
    assert sorted(tree(out).values()) == [b"1", b"2"]


async def test_bodies_are_compressed_by_the_suffix(bench: Any, out: Path, tree: Any) -> None:
    """Rows in a name that ends in .csv.gz; bytes are taken for a file that is compressed already."""
    await bench.send(FileSink(directory=out, name="a.csv.gz"), [{"n": 1}])
    await bench.send(FileSink(directory=out, name="b.csv.gz"), b"as they are")
    files = tree(out)
    assert gzip.decompress(files["a.csv.gz"]) == b"n\r\n1\r\n"
    assert files["b.csv.gz"] == b"as they are"


async def test_bytes_and_files_are_compressed_by_a_codec_that_is_given(bench: Any, out: Path, tree: Any) -> None:
    """`codec=gzip` means what the body is now; a file that is delivered again is the very same."""
    (out.parent / "original").write_bytes(b"from disk")
    bodies = [b"bytes", "text", out.parent / "original"]
    replies = await bench.send(FileSink(directory=out, codec="gzip"), *bodies)
    await bench.send(FileSink(directory=out, codec="gzip"), *bodies)
    assert [reply.headers["file.name"] for reply in replies] == ["m1.gz", "m2.gz", "m3.gz"]
    assert [gzip.decompress(data) for _, data in sorted(tree(out).items())] == [b"bytes", b"text", b"from disk"]
    with pytest.raises(BodyError, match="which cannot be read"):
        await bench.send(FileSink(directory=out, codec="gzip"), out / "nowhere")
    with pytest.raises(BodyError, match="nothing can be appended to gzip files"):
        await bench.send(FileSink(directory=out, codec="gzip", exists="append"), b"x")


async def test_other_bodies_are_written_by_the_suffix(bench: Any, out: Path, tree: Any) -> None:
    """A dict in a name that ends in .json is JSON; an explicit codec wins over the suffix."""
    await bench.send(FileSink(directory=out, name="a.json"), {"n": 1})
    await bench.send(FileSink(directory=out, name="b.json", codec={"name": "csv", "delimiter": ";"}), {"n": 1, "m": 2})
    files = tree(out)
    assert files["a.json"].split() == [b'{"n":1}'] or files["a.json"].replace(b" ", b"").strip() == b'{"n":1}'
    assert files["b.json"].splitlines() == [b"n;m", b"1;2"]


@pytest.mark.parametrize("name", ["a.unknown", "a"])
async def test_a_body_that_nobody_can_write_is_refused_with_advice(bench: Any, out: Path, name: str, tree: Any) -> None:
    """A dict without a known suffix is no guess: the error says to give a codec."""
    with pytest.raises(BodyError, match='codec="json"'):
        await bench.send(FileSink(directory=out, name=name), {"n": 1})
    assert tree(out) == {}


async def test_a_path_is_copied(bench: Any, out: Path, tmp_path: Path, tree: Any) -> None:
    """A body that is a Path, as read=path gives it, means the content of that file."""
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    await bench.send(FileSink(directory=out, name="b"), tmp_path / "a")
    assert tree(out) == {"b": b"x" * 3_000_000}
    with pytest.raises(BodyError, match="cannot be read"):
        await bench.send(FileSink(directory=out, name="c"), tmp_path / "gone")
    assert set(tree(out)) == {"b"}


async def test_a_taken_name_is_refused_by_default(bench: Any, out: Path, tree: Any) -> None:
    """The file that exists stays as it is, and the error lists the choices."""
    with pytest.raises(Rejected, match="exists=replace, rename, skip or append"):
        await bench.send(FileSink(directory=out, name="a"), b"old", b"new")
    assert tree(out) == {"a": b"old"}


async def test_a_message_that_comes_again_is_no_conflict(bench: Any, out: Path, tree: Any) -> None:
    """With exists=fail the very same content counts as written: redelivery after a crash does no harm."""
    replies = await bench.send(FileSink(directory=out, name="a"), b"same", b"same")
    assert [reply.headers["file.name"] for reply in replies] == ["a", "a"]
    assert tree(out) == {"a": b"same"}


async def test_replace_puts_the_new_file_in_the_place_of_the_old(bench: Any, out: Path, tree: Any) -> None:
    """The last one wins, and readers of the old file keep what they have opened."""
    sink = FileSink(directory=out, name="a", exists="replace")
    await bench.send(sink, b"old")
    with (out / "a").open("rb") as reader:
        await bench.send(sink, b"new")
        assert reader.read() == b"old"
    assert tree(out) == {"a": b"new"}


async def test_rename_gives_the_new_file_a_number(bench: Any, out: Path, tree: Any) -> None:
    """The answer tells the name that it got."""
    replies = await bench.send(FileSink(directory=out, name="s/a.csv", exists="rename"), b"1", b"2", b"3")
    assert tree(out) == {"s/a.csv": b"1", "s/a-1.csv": b"2", "s/a-2.csv": b"3"}
    assert [reply.headers["file.path"] for reply in replies] == ["s/a.csv", "s/a-1.csv", "s/a-2.csv"]


async def test_skip_leaves_the_file_as_it_is(bench: Any, out: Path, tree: Any) -> None:
    """The message goes on as if it had been written."""
    replies = await bench.send(FileSink(directory=out, name="a", exists="skip"), b"old", b"new")
    assert tree(out) == {"a": b"old"}
    assert replies[1].headers["file.name"] == "a"


async def test_a_marker_follows_the_file(bench: Any, out: Path, tree: Any) -> None:
    """With `done_file` an empty marker is there once the file is, named after the name that it got."""
    sink = FileSink(directory=out, name="a.csv", exists="rename", done_file="{name}.done")
    await bench.send(sink, b"1", b"2")
    assert tree(out) == {"a.csv": b"1", "a.csv.done": b"", "a-1.csv": b"2", "a-1.csv.done": b""}


async def test_a_marker_that_cannot_be_is_refused_before_the_file_is_there(bench: Any, out: Path, tree: Any) -> None:
    """A file whose marker's name is too long would stay unseen for ever."""
    with pytest.raises(BodyError, match="259 bytes"):
        await bench.send(FileSink(directory=out, name="x" * 255, done_file="{name}.ok!"), b"x")
    assert tree(out) == {}


async def test_folders_are_made_unless_forbidden(bench: Any, out: Path) -> None:
    """With create=false a missing directory makes the sink unavailable, and so does a missing folder in it."""
    with pytest.raises(Unavailable, match="create=true"):
        await bench.send(FileSink(directory=out, create=False), b"x")
    out.mkdir()
    with pytest.raises(Unavailable, match="create=true"):
        await bench.send(FileSink(directory=out, create=False, name="sub/a"), b"x")


async def test_a_directory_that_was_removed_is_made_again(bench: Any, out: Path, tree: Any) -> None:
    """Who clears the directory while the route runs loses none of the messages that follow."""
    async with FileSink(directory=out).open(bench) as send:
        out.rmdir()
        await send(Message(b"x", id="a"))
    assert tree(out) == {"a": b"x"}


async def test_without_fsync_the_file_is_the_same(bench: Any, out: Path, tree: Any) -> None:
    """`fsync=false` changes what survives a power cut, nothing else."""
    await bench.send(FileSink(directory=out, fsync=False, name="s/a", done_file="{name}.ok"), b"x")
    assert tree(out) == {"s/a": b"x", "s/a.ok": b""}


async def test_a_folder_in_the_place_of_the_file_is_refused(bench: Any, out: Path, tree: Any) -> None:
    """No retry turns a folder into a file."""
    (out / "a").mkdir(parents=True)
    for exists in ("replace", "fail", "append"):
        with pytest.raises(Rejected):
            await bench.send(FileSink(directory=out, name="a", exists=exists), b"x")
    assert tree(out) == {}


async def test_a_full_disk_is_told_and_leaves_nothing(bench: Any, small_disk: Path, tree: Any) -> None:
    """Unavailable names the full disk; the unfinished file is gone, and smaller ones still fit."""
    with pytest.raises(Unavailable, match="make room"):
        await bench.send(FileSink(directory=small_disk, name="a"), b"x" * 2_000_000)
    assert tree(small_disk) == {}
    await bench.send(FileSink(directory=small_disk, name="b"), b"fits")
    assert tree(small_disk) == {"b": b"fits"}


async def test_rubbish_of_dead_writers_is_swept(bench: Any, out: Path, tree: Any) -> None:
    """Unfinished files that nobody writes any more are removed at start, young ones and strangers' files never."""
    out.mkdir()
    for name, age in [(".routekit-old", 7200), (".routekit-young", 60), (".mine", 7200)]:
        (out / name).touch()
        then = (out / name).stat().st_mtime - age
        os.utime(out / name, (then, then))
    await bench.send(FileSink(directory=out), b"x")
    assert sorted(path.name for path in out.iterdir()) == [".mine", ".routekit-young", "m1"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "../x"}, "begins with a dot"),
        ({"name": "/x"}, "relative path"),
        ({"exists": "overwrite"}, "'fail', 'replace'"),
        ({"exists": "append", "done_file": "{name}.ok"}, "exists=append adds to it"),
        ({"done_file": "READY"}, "named after its file"),
        ({"nam": "x"}, "did you mean 'name'"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, str], words: str) -> None:
    """What is wrong with a sink is found when the route is written."""
    with pytest.raises(BadOption) as refused:
        FileSink.of("out", options)
    assert words in str(refused.value)
