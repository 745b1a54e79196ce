"""What a health check tells of a directory, and what can be read of an endpoint that runs."""
# ruff: noqa: ASYNC240 - nothing else runs in the event loop of a test

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from routekit import Unavailable
from routekit_file import FileSink, FileSource

pytestmark = pytest.mark.anyio


async def test_a_probe_tells_what_waits(bench: Any, inbox: Path, tree: Any) -> None:
    """Only files that would be taken are counted, none is, and nothing is made."""
    for name in ("a.csv", "b.csv", "c.txt"):
        (inbox / name).write_text("x")
    probe = FileSource(directory=inbox, after="move", include="*.csv").probe
    assert await probe(bench) == f"{inbox}: 2 files"
    assert await FileSource(directory=inbox, after="keep", max_files=1).probe(bench) == f"{inbox}: 1 or more file"
    assert set(tree(inbox)) == {"a.csv", "b.csv", "c.txt"}
    assert sorted(path.name for path in inbox.iterdir()) == ["a.csv", "b.csv", "c.txt"]


async def test_a_probe_of_a_sink_tells_the_room(bench: Any, inbox: Path) -> None:
    """The free space is told in units, also of a folder that is still to be made."""
    assert re.fullmatch(rf"{inbox}: [\d.]+ [KMGT]B free", await FileSink(directory=inbox).probe(bench))
    told = await FileSink(directory=inbox / "new" / "one").probe(bench)
    assert re.fullmatch(rf"{inbox}/new/one is made at the start: [\d.]+ [KMGT]B free", told)
    assert list(inbox.iterdir()) == []


async def test_a_missing_directory_is_no_trouble_if_it_will_be_made(bench: Any, inbox: Path) -> None:
    """With create=false it is one, and so is a file in its place."""
    (inbox / "file").touch()
    assert "is made at the start" in await FileSource(directory=inbox / "new", after="keep").probe(bench)
    for endpoint in (
        FileSource(directory=inbox / "new", after="keep", create=False),
        FileSink(directory=inbox / "new", create=False),
    ):
        with pytest.raises(Unavailable, match="is not there; make it, or let create=true make it"):
            await endpoint.probe(bench)
    with pytest.raises(Unavailable, match="file is no directory"):
        await FileSink(directory=inbox / "file").probe(bench)
    with pytest.raises(Unavailable, match="cannot be made in"):
        await FileSink(directory=inbox / "file" / "sub").probe(bench)


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become somebody else")
async def test_a_directory_of_somebody_else_is_found(bench: Any, open_folder: Path) -> None:
    """What may not be read or written is told with what it is needed for, before a route meets it."""
    other = open_folder / "other"
    other.mkdir()
    other.chmod(0o755)
    hidden = open_folder / "hidden"
    hidden.mkdir()
    hidden.chmod(0o700)
    os.seteuid(65534)
    cases = [
        (FileSource(directory=other, after="keep"), "cannot be written, where leases are written"),
        (FileSource(directory=open_folder, after="move", done_to=f"{other}/{{date}}"), "where handled files go"),
        (FileSource(directory=open_folder, after="delete", failed_to=f"{other}"), "where refused files go"),
        (FileSource(directory=hidden, after="keep"), "cannot be read; see its permissions"),
        (FileSink(directory=other), "where messages are written"),
        (FileSink(directory=other / "new"), "cannot be made in"),
    ]
    for endpoint, words in cases:
        with pytest.raises(Unavailable) as refused:
            await endpoint.probe(bench)
        assert words in str(refused.value)


def fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


async def test_a_full_disk_is_found(bench: Any, small_disk: Path) -> None:
    """Without any room a sink cannot be used now."""
    fill(small_disk / "ballast")
    with pytest.raises(Unavailable, match="is full; make room on it"):
        await FileSink(directory=small_disk).probe(bench)


async def test_the_figures_of_a_source(bench: Any, inbox: Path, accept: Any, refuse: Any) -> None:
    """Files are counted as they are found, taken, handled and refused."""
    for name in "abc":
        (inbox / name).write_text(name)
    (inbox / "x").write_text("x")
    deliveries = FileSource(directory=inbox, after="keep", max_files=3).consume(bench)

    def read(*names: str) -> list[float]:
        return [bench.figures[name]() for name in names]

    first, second = await anext(deliveries), await anext(deliveries)
    assert read("waiting", "open", "taken_total") == [1, 2, 2]
    await accept(first)
    await refuse(second, ValueError("no"))
    assert read("open", "done_total", "failed_total") == [0, 1, 1]
    await deliveries.aclose()


async def test_the_figures_of_ripening_files(bench: Any, inbox: Path) -> None:
    """Files that may still grow are told apart from those that wait for their turn."""
    (inbox / "a").write_text("x")
    assert await bench.work(FileSource(directory=inbox, after="keep", stable=60)) == []
    assert (bench.figures["ripening"](), bench.figures["waiting"]()) == (1, 0)


async def test_the_figures_of_a_sink(bench: Any, tmp_path: Path) -> None:
    """Only what was written is counted."""
    with pytest.raises(Exception, match="cannot be the name"):
        await bench.send(FileSink(directory=tmp_path), b"1", name="../x")
    assert (bench.figures["open"](), bench.figures["written_total"]()) == (0, 0)
    await bench.send(FileSink(directory=tmp_path), b"1", b"2")
    assert (bench.figures["open"](), bench.figures["written_total"]()) == (0, 2)
