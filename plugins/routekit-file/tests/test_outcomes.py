"""What becomes of a file once it was handled, or refused."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from routekit import Unavailable
from routekit_file import FileSource

pytestmark = pytest.mark.anyio


async def test_a_handled_file_moves_only_when_it_is_acknowledged(
    bench: Any, inbox: Path, accept: Any, tree: Any
) -> None:
    """The file stays where it is until everything that it caused is done."""
    (inbox / "a").write_text("x")
    [delivery] = await bench.take(FileSource(directory=inbox, after="move"))
    assert (inbox / "a").exists()
    await accept(delivery)
    assert tree(inbox) == {".done/a": b"x"}


async def test_done_files_keep_their_folders_and_may_be_sorted_by_day(bench: Any, inbox: Path, tree: Any) -> None:
    """`{date}` is the day in UTC, and a file of a sub-folder goes to the like sub-folder."""
    (inbox / "sub").mkdir()
    (inbox / "sub" / "a").write_text("x")
    bench.time = 1_767_225_599.0
    await bench.work(FileSource(directory=inbox, after="move", recursive=True, done_to="archive/{date}"))
    assert tree(inbox) == {"archive/2025-12-31/sub/a": b"x"}


async def test_delete_leaves_nothing(bench: Any, inbox: Path, tree: Any) -> None:
    """After delete, neither the file nor its lease is left."""
    (inbox / "a").write_text("x")
    await bench.work(FileSource(directory=inbox, after="delete"))
    assert tree(inbox) == {}


async def test_a_refused_file_is_put_aside_with_the_reason(bench: Any, inbox: Path, refuse: Any, tree: Any) -> None:
    """The failed file has a file beside it that tells error, reason, time, message and route; all of `after` alike."""
    for after in ("move", "delete", "keep"):
        (inbox / after).write_text("x")
        bench.time = 1_767_225_599.5
        [delivery] = await bench.take(FileSource(directory=inbox, after=after))
        await refuse(delivery, ValueError("no such customer"))
        files = tree(inbox)
        assert json.loads(files.pop(f".failed/{after}.error.json")) == {
            "error": "ValueError",
            "reason": "no such customer",
            "time": "2025-12-31T23:59:59.500+00:00",
            "message_id": delivery.message.id,
            "route": "leads",
            "file": after,
        }
        assert files.pop(f".failed/{after}") == b"x"


async def test_no_file_is_ever_overwritten(bench: Any, inbox: Path, tree: Any) -> None:
    """A name that is taken in the target gets the time, then a number."""
    bench.time = 1_767_225_599.0
    for content in ("1", "2", "3"):
        (inbox / "a.csv").write_text(content)
        await bench.work(FileSource(directory=inbox, after="move"))
    assert tree(inbox) == {
        ".done/a.csv": b"1",
        ".done/a-20251231T235959.csv": b"2",
        ".done/a-20251231T235959-2.csv": b"3",
    }


async def test_failed_files_and_reasons_stay_together(bench: Any, inbox: Path, refuse: Any, tree: Any) -> None:
    """A second failure of the same name has a reason of its own; neither file nor reason is overwritten."""
    bench.time = 1_767_225_599.0
    (inbox / ".failed").mkdir()
    (inbox / ".failed" / "a.csv.error.json").write_text("a reason without its file")
    for content in ("1", "2"):
        (inbox / "a.csv").write_text(content)
        [delivery] = await bench.take(FileSource(directory=inbox, after="move"))
        await refuse(delivery, ValueError(content))
    files = tree(inbox)
    assert files[".failed/a.csv.error.json"] == b"a reason without its file"
    assert files[".failed/a-20251231T235959.csv"] == b"1"
    assert json.loads(files[".failed/a-20251231T235959.csv.error.json"])["reason"] == "1"
    assert json.loads(files[".failed/a-20251231T235959-2.csv.error.json"])["reason"] == "2"


async def test_the_longest_names_can_fail_too(bench: Any, inbox: Path, refuse: Any, tree: Any) -> None:
    """A name of 255 bytes is shortened where the name of its reason would not fit, between two characters."""
    (inbox / ("é" * 125 + ".json")).write_text("x")
    [delivery] = await bench.take(FileSource(directory=inbox, after="move"))
    await refuse(delivery, ValueError("no"))
    name = "é" * 119 + ".json"
    assert set(tree(inbox)) == {f".failed/{name}", f".failed/{name}.error.json"}


async def test_a_file_that_was_replaced_meanwhile_is_not_lost(bench: Any, inbox: Path, accept: Any) -> None:
    """Who writes a new file over one in flight loses nothing: it stays, and is taken as the new file that it is."""
    (inbox / "a").write_text("old")
    source = FileSource(directory=inbox, after="delete")
    [delivery] = await bench.take(source)
    (inbox / "b").write_text("newer")
    (inbox / "b").replace(inbox / "a")
    await accept(delivery)
    assert await bench.work(source) == [b"newer"]


async def test_a_file_that_is_gone_when_it_is_acknowledged_is_no_error(bench: Any, inbox: Path, accept: Any) -> None:
    """A route that moved or removed the file by itself has done what was to be done."""
    (inbox / "a").write_text("x")
    [delivery] = await bench.take(FileSource(directory=inbox, after="move", read="path"))
    delivery.message.body.unlink()
    await accept(delivery)
    assert not (inbox / ".done").exists()


async def test_a_move_that_fails_is_told_and_loses_nothing(
    bench: Any, inbox: Path, accept: Any, tmp_path: Path
) -> None:
    """Where the done folder cannot be made the acknowledgement raises Unavailable, and the file stays."""
    (tmp_path / "wall").touch()
    (inbox / "a").write_text("x")
    [delivery] = await bench.take(FileSource(directory=inbox, after="move", done_to=str(tmp_path / "wall" / "done")))
    with pytest.raises(Unavailable, match="handled but cannot be moved"):
        await accept(delivery)
    assert (inbox / "a").read_text() == "x"


async def test_a_handled_file_that_could_not_be_moved_is_not_handled_again(
    bench: Any, inbox: Path, accept: Any, tmp_path: Path, tree: Any
) -> None:
    """When the route starts again only the moving is tried again, and the other files are taken meanwhile."""
    (tmp_path / "wall").touch()
    (inbox / "a").write_text("x")
    source = FileSource(directory=inbox, after="move", done_to=str(tmp_path / "wall" / "done"))
    [delivery] = await bench.take(source)
    with pytest.raises(Unavailable):
        await accept(delivery)
    (inbox / "b").write_text("y")
    [other] = await bench.take(source)
    assert other.message.body == b"y"
    (tmp_path / "wall").unlink()
    await accept(other)
    assert await bench.take(source) == []
    assert tree(tmp_path / "wall") == {"done/a": b"x", "done/b": b"y"}


async def test_done_files_may_move_to_another_disk(bench: Any, inbox: Path, small_disk: Path, tree: Any) -> None:
    """Across filesystems the file is copied and synced under a hidden name before the original goes."""
    (inbox / "a").write_bytes(b"x" * 1000)
    os.utime(inbox / "a", (1000, 1000))
    await bench.work(FileSource(directory=inbox, after="move", done_to=str(small_disk)))
    assert (small_disk / "a").stat().st_mtime == 1000
    assert tree(small_disk) == {"a": b"x" * 1000}
    assert tree(inbox) == {}


async def test_another_disk_that_is_full_leaves_the_file_where_it_is(
    bench: Any, inbox: Path, small_disk: Path, accept: Any, tree: Any
) -> None:
    """A copy that does not fit leaves nothing over there."""
    (inbox / "a").write_bytes(b"x" * 2_000_000)
    [delivery] = await bench.take(FileSource(directory=inbox, after="move", done_to=str(small_disk)))
    with pytest.raises(Unavailable, match="No space left"):
        await accept(delivery)
    assert tree(small_disk) == {}
    assert (inbox / "a").stat().st_size == 2_000_000
