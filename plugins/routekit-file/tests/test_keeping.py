"""Files that stay where they are: each version of a file is taken once."""

import os
from pathlib import Path
from typing import Any

import pytest

from routekit import StoreError
from routekit_file import FileSource

pytestmark = pytest.mark.anyio


async def test_a_kept_file_is_taken_once(bench: Any, inbox: Path, tree: Any) -> None:
    """An unchanged file is not taken again, neither at the next look nor after a restart."""
    (inbox / "a").write_text("x")
    bench.between = [lambda: None, lambda: None]
    source = FileSource(directory=inbox, after="keep")
    assert await bench.work(source) == [b"x"]
    assert await bench.work(source) == []
    assert tree(inbox) == {"a": b"x"}


async def test_a_changed_file_is_taken_again(bench: Any, inbox: Path) -> None:
    """Another size or time of modification makes it a new file."""
    source = FileSource(directory=inbox, after="keep")
    (inbox / "a").write_text("1")
    assert await bench.work(source) == [b"1"]
    os.utime(inbox / "a", (1000, 1000))
    assert await bench.work(source) == [b"1"]
    (inbox / "a").write_text("12")
    os.utime(inbox / "a", (1000, 1000))
    assert await bench.work(source) == [b"12"]
    assert await bench.work(source) == []


async def test_what_was_seen_is_remembered_by_route(bench: Any, inbox: Path) -> None:
    """The marks are named after route and folder, keyed by the relative path; another route takes the file as well."""
    (inbox / "a").write_text("x")
    source = FileSource(directory=inbox, after="keep")
    await bench.work(source)
    [(key, value)] = await bench.store.marks(f"file-seen:leads:{inbox}").items()
    assert (key, value) == ("a", f"1:{(inbox / 'a').stat().st_mtime_ns}")
    bench.route = "other"
    assert await bench.work(source) == [b"x"]


async def test_two_folders_of_a_route_are_remembered_apart(bench: Any, inbox: Path, tmp_path: Path) -> None:
    """A file of the same name, size and time in another folder that the route reads is another file."""
    (tmp_path / "other").mkdir()
    for folder in (inbox, tmp_path / "other"):
        (folder / "a").write_text("x")
        os.utime(folder / "a", (1000, 1000))
    one, other = (FileSource(directory=folder, after="keep") for folder in (inbox, tmp_path / "other"))
    assert await bench.work(one) == [b"x"]
    assert await bench.work(other) == [b"x"]
    (inbox / "a").write_text("changed")
    assert await bench.work(one) == [b"changed"]
    assert await bench.work(other) == []


async def test_what_was_remembered_for_the_whole_route_is_still_known(bench: Any, inbox: Path) -> None:
    """A store that was written when a route had one memory for all its folders: nothing in it is taken again."""
    for name in ("a", "b"):
        (inbox / name).write_text(name)
    stat = (inbox / "a").stat()
    await bench.store.marks("file-seen:leads").put("a", f"1:{stat.st_mtime_ns}")
    source = FileSource(directory=inbox, after="keep")
    assert await bench.work(source) == [b"b"]
    (inbox / "a").write_text("new")
    assert await bench.work(source) == [b"new"]
    assert await bench.work(source) == []


async def test_a_file_that_another_process_has_seen_meanwhile_is_passed_over(bench: Any, inbox: Path) -> None:
    """What was seen is asked again under the lease: a memory of the start is not enough among several processes."""
    (inbox / "a").write_text("1")
    (inbox / "b").write_text("2")
    deliveries = FileSource(directory=inbox, after="keep").consume(bench)
    await anext(deliveries)
    stat = (inbox / "b").stat()
    await bench.store.marks(f"file-seen:leads:{inbox}").put("b", f"{stat.st_size}:{stat.st_mtime_ns}")
    bench.between = [lambda: (inbox / "c").write_text("3")]
    last = await anext(deliveries)
    assert last.message.body == b"3"
    await deliveries.aclose()


async def test_a_file_that_was_not_remembered_is_taken_again(bench: Any, inbox: Path, accept: Any) -> None:
    """A store that cannot be written makes the acknowledgement fail, and the file comes again."""
    (inbox / "a").write_text("x")
    source = FileSource(directory=inbox, after="keep")
    marks = bench.store.marks

    class Broken:
        def __init__(self, name: str) -> None:
            self.real = marks(name)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        async def put(self, key: str, value: str) -> None:
            raise StoreError("the disk of the store is full")

    bench.store.marks = Broken
    [delivery] = await bench.take(source)
    with pytest.raises(StoreError):
        await accept(delivery)
    bench.store.marks = marks
    assert await bench.work(source) == [b"x"]


async def test_a_file_known_by_content_may_be_touched(bench: Any, inbox: Path) -> None:
    """A new time with the old content is no new file, also after a restart; a new content is one."""
    source = FileSource(directory=inbox, after="keep", known_by="content")
    (inbox / "a").write_text("1")
    assert await bench.work(source) == [b"1"]
    os.utime(inbox / "a", (1000, 1000))
    bench.between = [lambda: os.utime(inbox / "a", (2000, 2000))]
    assert await bench.work(source) == []
    (inbox / "a").write_text("2")
    os.utime(inbox / "a", (3000, 3000))
    assert await bench.work(source) == [b"2"]


async def test_a_file_known_by_content_is_read_once_for_each_version(bench: Any, inbox: Path) -> None:
    """What was found to be the same content under a new time is not even opened at the next look."""
    source = FileSource(directory=inbox, after="keep", known_by="content")
    (inbox / "a").write_text("1")
    await bench.work(source)
    os.utime(inbox / "a", (1000, 1000))
    assert await bench.work(source) == []
    (inbox / "a").write_text("2")  # which nobody sees who does not read it: size and time are the same
    os.utime(inbox / "a", (1000, 1000))
    assert await bench.work(source) == []


async def test_a_file_known_by_name_comes_once(bench: Any, inbox: Path) -> None:
    """Whatever becomes of it later."""
    source = FileSource(directory=inbox, after="keep", known_by="name")
    (inbox / "a").write_text("1")
    assert await bench.work(source) == [b"1"]
    (inbox / "a").write_text("22")
    assert await bench.work(source) == []


async def test_what_is_known_outlives_a_change_of_what_it_is_known_by(bench: Any, inbox: Path) -> None:
    """A source that is told to look at contents, or no more, takes nothing again for that reason."""
    (inbox / "a").write_text("1")
    taken: list[bytes] = []
    for known_by in ("version", "content", "name", "content", "version"):
        taken += await bench.work(FileSource(directory=inbox, after="keep", known_by=known_by))
    assert taken == [b"1"]
