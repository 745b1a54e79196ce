"""Which files the source takes, in which order, and as what."""
# ruff: noqa: ASYNC240 - nothing else runs in the event loop of a test

import os
from pathlib import Path
from typing import Any

import pytest

from routekit import Unavailable
from routekit_file import FileSource

pytestmark = pytest.mark.anyio


def names(deliveries: Any) -> list[str]:
    return [delivery.message.headers["file.path"] for delivery in deliveries]


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


async def test_a_file_is_a_message_of_its_bytes(bench: Any, inbox: Path) -> None:
    """The body is the whole file, the headers are plain values about it."""
    write(inbox, "a.txt")
    os.utime(inbox / "a.txt", (1000, 1000))
    [delivery] = await bench.take(FileSource(directory=inbox, after="keep"))
    assert delivery.message.body == b"a.txt"
    assert dict(delivery.message.headers) == {
        "file.name": "a.txt",
        "file.path": "a.txt",
        "file.size": 5,
        "file.modified": 1000.0,
    }


async def test_the_id_is_the_same_when_a_file_is_taken_again(bench: Any, inbox: Path) -> None:
    """Path, size and time make the id, so that a redelivery is known as one."""
    write(inbox, "a.txt")
    source = FileSource(directory=inbox, after="move")
    [first] = await bench.take(source)
    known = first.message.id
    del first  # as a crash would: neither acknowledged nor refused
    [again] = await bench.take(source)
    assert again.message.id == known
    stat = (inbox / "a.txt").stat()
    assert known == f"a.txt:5:{stat.st_mtime_ns}"


async def test_globs_choose_by_name_and_by_path(bench: Any, inbox: Path) -> None:
    """A glob without a slash is about the name, one with a slash about the relative path; exclude wins."""
    write(inbox, "a.csv", "b.txt", "sub/c.csv", "sub/d.json", "old/e.json", "a-draft.csv")
    source = FileSource(
        directory=inbox, after="keep", recursive=True, include="*.csv, sub/*.json", exclude="*-draft.csv"
    )
    assert names(await bench.take(source)) == ["a.csv", "sub/c.csv", "sub/d.json"]


async def test_folders_are_left_alone_unless_asked(bench: Any, inbox: Path) -> None:
    """Without `recursive` only the files of the directory itself are taken."""
    write(inbox, "a.csv", "sub/c.csv")
    assert names(await bench.take(FileSource(directory=inbox, after="keep"))) == ["a.csv"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["a", "b", "c"]),
        ("-name", ["c", "b", "a"]),
        ("modified", ["c", "a", "b"]),
        ("-modified", ["b", "a", "c"]),
        ("size", ["b", "c", "a"]),
        ("-size", ["a", "c", "b"]),
    ],
)
async def test_files_come_in_the_order_that_was_asked(bench: Any, inbox: Path, sort: Any, expected: list[str]) -> None:
    """`sort` orders by name, time or size, and a minus turns it round."""
    for name, size, modified in [("a", 3, 200), ("b", 1, 300), ("c", 2, 100)]:
        (inbox / name).write_bytes(b"x" * size)
        os.utime(inbox / name, (modified, modified))
    assert names(await bench.take(FileSource(directory=inbox, after="keep", sort=sort))) == expected


async def test_hidden_files_and_work_folders_are_never_taken(bench: Any, inbox: Path) -> None:
    """Names with a dot in front are invisible, and so are the folders of done and failed files."""
    write(
        inbox, ".hidden", ".routekit-123", "sub/.x", ".git/config", "archive/2026-01-31/old", "bad/old", "archive/new"
    )
    source = FileSource(directory=inbox, after="move", recursive=True, done_to="archive/{date}", failed_to="bad")
    assert names(await bench.take(source)) == ["archive/new"]


async def test_a_work_folder_given_as_an_absolute_path_is_known_too(bench: Any, inbox: Path) -> None:
    """A done folder inside the directory is not read, however it was written."""
    write(inbox, "done/old", "new")
    source = FileSource(directory=inbox, after="move", recursive=True, done_to=str(inbox / "done"))
    assert names(await bench.take(source)) == ["new"]


async def test_links_are_not_followed(bench: Any, inbox: Path, tmp_path: Path) -> None:
    """A symbolic link never brings in what it points to: no secrets, no loops, no pipes."""
    write(tmp_path, "secret", "away/file")
    write(inbox, "real")
    (inbox / "link").symlink_to(tmp_path / "secret")
    (inbox / "folder").symlink_to(tmp_path / "away")
    (inbox / "broken").symlink_to(tmp_path / "nothing")
    (inbox / "loop").symlink_to(inbox)
    os.mkfifo(inbox / "pipe")
    assert names(await bench.take(FileSource(directory=inbox, after="keep", recursive=True))) == ["real"]


async def test_young_files_wait(bench: Any, inbox: Path) -> None:
    """A file younger than `min_age` is taken once it has that age."""
    write(inbox, "a")
    os.utime(inbox / "a", (1000, 1000))
    bench.time = 1059.0
    source = FileSource(directory=inbox, after="keep", min_age=60)
    assert await bench.take(source) == []
    bench.time = 1060.0
    assert names(await bench.take(source)) == ["a"]


async def test_a_marker_releases_its_file_and_goes_with_it(bench: Any, inbox: Path, tree: Any) -> None:
    """With `done_file` only files whose marker is there are taken; markers are no files, and vanish in the end."""
    write(inbox, "a.csv", "b.csv", "b.csv.done", "orphan.done")
    source = FileSource(directory=inbox, after="delete", done_file="{name}.done")
    assert await bench.work(source) == [b"b.csv"]
    assert set(tree(inbox)) == {"a.csv", "orphan.done"}


async def test_a_marker_may_share_the_stem(bench: Any, inbox: Path) -> None:
    """`{stem}.ok` belongs to the file with another suffix."""
    write(inbox, "a.csv", "a.ok", "b.csv")
    assert await bench.work(FileSource(directory=inbox, after="delete", done_file="{stem}.ok")) == [b"a.csv"]
    assert sorted(path.name for path in inbox.iterdir() if path.is_file()) == ["b.csv"]


async def test_a_file_that_vanished_since_the_look_is_passed_over(bench: Any, inbox: Path) -> None:
    """Another process, or its owner, may take a file between the look and its turn: the next one follows."""
    write(inbox, "a", "b", "c")
    source = FileSource(directory=inbox, after="delete")
    deliveries = source.consume(bench)
    first = await anext(deliveries)
    (inbox / "b").unlink()
    second = await anext(deliveries)
    assert names([first, second]) == ["a", "c"]
    await deliveries.aclose()


async def test_a_file_that_changed_since_the_look_is_looked_at_again(bench: Any, inbox: Path) -> None:
    """What the look promised is checked under the lease; a file that was replaced comes with its new content."""
    write(inbox, "a", "b")
    source = FileSource(directory=inbox, after="delete")
    deliveries = source.consume(bench)
    await anext(deliveries)
    (inbox / "b").write_text("new content")
    second = await anext(deliveries)
    assert (second.message.body, second.message.headers["file.size"]) == (b"new content", 11)
    await deliveries.aclose()


async def test_several_files_are_in_flight_each_with_its_own_outcome(bench: Any, inbox: Path, accept: Any) -> None:
    """Acknowledging one of many open deliveries settles its file and no other: the trap of a lambda in a loop."""
    write(inbox, "a", "b", "c")
    taken = await bench.take(FileSource(directory=inbox, after="delete"))
    await accept(taken[1])
    assert sorted(path.name for path in inbox.iterdir() if path.is_file()) == ["a", "c"]


async def test_files_in_flight_are_not_taken_twice(bench: Any, inbox: Path) -> None:
    """A new look passes over the files whose messages are still open."""
    write(inbox, "a")
    bench.between = [lambda: write(inbox, "b")]
    taken = await bench.take(FileSource(directory=inbox, after="delete"))
    assert names(taken) == ["a", "b"]


async def test_odd_names_are_files_like_all_others(bench: Any, inbox: Path, tree: Any) -> None:
    """Line ends, other alphabets, bytes that are no UTF-8 and names as long as they can be go their way."""
    odd = [b"line\nend", "ключ-客户".encode(), b"not\xffutf8", b"x" * 255, b" ", b"a'\"\\b"]
    for name in odd:
        (inbox / os.fsdecode(name)).write_bytes(name)
    taken = await bench.work(FileSource(directory=inbox, after="move"))
    assert sorted(taken) == sorted(odd)
    assert sorted(os.fsencode(name) for name in tree(inbox)) == sorted(b".done/" + name for name in odd)


async def test_headers_of_odd_names_are_text(bench: Any, inbox: Path) -> None:
    """A name that is no UTF-8 still makes headers, ids and marks that every store can keep."""
    (inbox / os.fsdecode(b"not\xff")).write_bytes(b"")
    [delivery] = await bench.take(FileSource(directory=inbox, after="keep"))
    assert delivery.message.headers["file.name"] == "not\\xff"
    assert delivery.message.id.encode()


async def test_an_empty_file_is_a_message_too(bench: Any, inbox: Path, tree: Any) -> None:
    """Nothing to read is no error: the body is empty, and the file goes where handled files go."""
    (inbox / "a").touch()
    assert await bench.work(FileSource(directory=inbox, after="move")) == [b""]
    assert tree(inbox) == {".done/a": b""}


async def test_a_path_stays_there_while_it_is_worked_on(bench: Any, inbox: Path, accept: Any) -> None:
    """With read=path the body is the file's path, which can be read until the message is acknowledged."""
    write(inbox, "a")
    [delivery] = await bench.take(FileSource(directory=inbox, after="move", read="path"))
    assert delivery.message.body == inbox / "a"
    assert delivery.message.body.read_text() == "a"
    await accept(delivery)
    assert not (inbox / "a").exists()


async def test_a_file_that_is_too_large_fails_with_advice(bench: Any, inbox: Path, tree: Any) -> None:
    """A whole file over `max_bytes` never enters memory; it goes to the failed files, and the next one follows."""
    write(inbox, "b")
    (inbox / "a").write_bytes(b"x" * 11)
    assert await bench.work(FileSource(directory=inbox, after="delete", max_bytes=10)) == [b"b"]
    note = tree(inbox)[".failed/a.error.json"].decode()
    assert "11 bytes" in note
    assert "read=path" in note
    [event] = bench.events
    assert event.message_id.startswith("a:11:")


async def test_whole_files_are_decoded_by_a_codec_if_there_is_one(bench: Any, inbox: Path) -> None:
    """With a codec the body is plain data; a file that cannot be decoded is delivered as a failure with its bytes."""
    (inbox / "a.json").write_text('{"n": 1}')
    (inbox / "b.json").write_text("{")
    good, bad = await bench.take(FileSource(directory=inbox, after="move", codec="json"))
    assert (good.message.body, good.error) == ({"n": 1}, None)
    assert bad.message.body == b"{"
    assert type(bad.error).__name__ == "BodyError"


async def test_a_missing_directory_is_made(bench: Any, tmp_path: Path) -> None:
    """By default the directory is made with all folders above it."""
    assert await bench.take(FileSource(directory=tmp_path / "x" / "y", after="keep")) == []
    assert (tmp_path / "x" / "y").is_dir()


async def test_a_missing_directory_is_worth_waiting_for(bench: Any, tmp_path: Path) -> None:
    """With create=false a directory that is away raises Unavailable: the route is degraded and tries again."""
    with pytest.raises(Unavailable, match="create=true"):
        await bench.take(FileSource(directory=tmp_path / "x", after="keep", create=False))


async def test_a_file_in_the_place_of_the_directory_is_told(bench: Any, tmp_path: Path) -> None:
    """What is no directory raises Unavailable as well, not an error of the operating system."""
    write(tmp_path, "x")
    with pytest.raises(Unavailable, match="cannot be read"):
        await bench.take(FileSource(directory=tmp_path / "x", after="keep"))


async def test_the_source_rests_between_looks_that_find_nothing(bench: Any, inbox: Path) -> None:
    """The time of a poll is rested through the runtime, and only when nothing was taken."""
    write(inbox, "a")
    await bench.work(FileSource(directory=inbox, after="delete", poll=7))
    assert bench.rests == [7]
