"""Filesystems without hard links, such as those of USB sticks and of some network shares."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from routekit import Rejected, Unavailable
from routekit_file import FileSink, FileSource

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)


async def test_handled_files_move_and_overwrite_nothing(bench: Any, inbox: Path, tree: Any) -> None:
    """The name is taken first, then filled by renaming."""
    bench.time = 1_767_225_599.0
    for content in ("1", "2"):
        (inbox / "a").write_text(content)
        await bench.work(FileSource(directory=inbox, after="move"))
    assert tree(inbox) == {".done/a": b"1", ".done/a-20251231T235959": b"2"}


async def test_a_move_that_fails_gives_the_name_back(
    bench: Any, inbox: Path, accept: Any, tree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No empty file is left in the place of the one that could not be moved."""
    (inbox / "a").write_text("1")
    [delivery] = await bench.take(FileSource(directory=inbox, after="move"))

    def replace(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(Unavailable):
        await accept(delivery)
    assert tree(inbox) == {"a": b"1"}


async def test_the_sink_writes_and_overwrites_nothing(bench: Any, tmp_path: Path, tree: Any) -> None:
    """All ways to meet a file that exists work as elsewhere."""
    out = tmp_path / "out"
    await bench.send(FileSink(directory=out, name="a"), b"1")
    with pytest.raises(Rejected):
        await bench.send(FileSink(directory=out, name="a"), b"2")
    await bench.send(FileSink(directory=out, name="a", exists="rename"), b"3")
    await bench.send(FileSink(directory=out, name="a", exists="skip"), b"4")
    assert tree(out) == {"a": b"1", "a-1": b"3"}


async def test_a_name_that_cannot_be_filled_is_given_back(
    bench: Any, tmp_path: Path, tree: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the renaming fails, neither the unfinished file nor an empty one is left."""

    def replace(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(Unavailable):
        await bench.send(FileSink(directory=tmp_path, name="a"), b"1")
    assert tree(tmp_path) == {}
