"""What the user that runs the process may not read or write."""
# ruff: noqa: ASYNC240 - nothing else runs in the event loop of a test

import json
import os
from pathlib import Path
from typing import Any

import pytest

from routekit import Unavailable
from routekit_file import FileSink, FileSource

pytestmark = pytest.mark.anyio

NOBODY = 65534


async def test_a_file_that_may_not_be_read_fails_and_the_next_one_follows(bench: Any, open_folder: Path) -> None:
    """One file with wrong permissions neither stops the source nor is it lost."""
    (open_folder / "a").write_text("secret")
    (open_folder / "a").chmod(0o600)
    (open_folder / "b").write_text("x")
    os.seteuid(NOBODY)
    assert await bench.work(FileSource(directory=open_folder, after="delete")) == [b"x"]
    note = json.loads((open_folder / ".failed" / "a.error.json").read_text())
    assert note["reason"].startswith("a cannot be read: Permission denied; see its permissions")
    assert (open_folder / ".failed" / "a").exists()


async def test_a_folder_that_may_not_be_written_makes_the_source_unavailable(bench: Any, open_folder: Path) -> None:
    """Without a place for leases no file is taken, and the error says which folder must be writable."""
    os.chown(open_folder, 0, 0)
    (open_folder / "a").write_text("x")
    os.seteuid(NOBODY)
    with pytest.raises(Unavailable, match=r"cannot be leased.*writable \.routekit/"):
        await bench.take(FileSource(directory=open_folder, after="keep"))


async def test_a_directory_that_may_not_be_written_makes_the_sink_unavailable(bench: Any, open_folder: Path) -> None:
    """The error says who must be allowed to write, for new files as for appended ones."""
    os.chown(open_folder, 0, 0)
    os.seteuid(NOBODY)
    for exists in ("fail", "append"):
        with pytest.raises(Unavailable, match="make it writable for the user"):
            await bench.send(FileSink(directory=open_folder, name="a", exists=exists), b"x")
    assert list(open_folder.iterdir()) == []
