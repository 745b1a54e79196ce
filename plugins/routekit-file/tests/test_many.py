"""Folders with more files than one look takes: nothing is held that is not needed, and no file starves."""

import os
import tracemalloc
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from routekit_file import FileSource
from routekit_file.lease import Lease

pytestmark = pytest.mark.anyio


def fill(folder: Path, count: int) -> list[str]:
    """Files in an order that is not that of their names; the later ones in the alphabet are the older ones."""
    names = [f"{number * 7919 % count:05}" for number in range(count)]
    for name in names:
        (folder / name).write_text(name)
        os.utime(folder / name, (100_000 - int(name), 100_000 - int(name)))
    return sorted(names)


@pytest.mark.parametrize("sort", ["name", "-name", "modified", "-modified", "size", "none"])
async def test_all_files_come_whatever_one_look_takes(bench: Any, inbox: Path, sort: Any) -> None:
    """Three files a look: the next look follows without a rest, and each file comes once, in its order."""
    names = fill(inbox, 20)
    source = FileSource(directory=inbox, after="delete", max_files=3, sort=sort)
    bodies = [body.decode() for body in await bench.work(source)]
    if sort != "none":
        names = names[::-1] if sort in ("-name", "modified") else names
        assert bodies == names
    assert sorted(bodies) == sorted(names)
    assert len(bench.rests) == 1


async def test_a_file_that_comes_later_is_taken_in_its_place(bench: Any, inbox: Path) -> None:
    """What sorts first is seen by the next look, however many others wait."""
    fill(inbox, 9)
    deliveries = FileSource(directory=inbox, after="keep", max_files=3).consume(bench)
    first = [(await anext(deliveries)).message.headers["file.name"] for _ in range(3)]
    (inbox / "0urgent").write_text("x")
    assert first == ["00000", "00001", "00002"]
    assert (await anext(deliveries)).message.headers["file.name"] == "00003"
    await deliveries.aclose()


@pytest.mark.parametrize("sort", ["name", "none"])
async def test_files_of_others_do_not_hide_those_behind_them(bench: Any, inbox: Path, sort: Any) -> None:
    """With more files in the hands of another process than a look takes, ours are found without a rest."""
    names = fill(inbox, 9)
    leases = [Lease.take(inbox / name) for name in names[:7]]
    source = FileSource(directory=inbox, after="delete", max_files=2, sort=sort)
    assert sorted(await bench.work(source)) == [b"00007", b"00008"]
    for lease in leases:
        assert lease is not None
        lease.release()
    assert len(await bench.work(source)) == 7


@pytest.mark.parametrize("sort", ["name", "none"])
async def test_files_that_stay_do_not_hide_those_behind_them(bench: Any, inbox: Path, sort: Any) -> None:
    """Kept files are not counted once they were handled, and neither are those that are at work."""
    names = fill(inbox, 9)
    source = FileSource(directory=inbox, after="keep", max_files=2, sort=sort)
    taken = await bench.take(source)
    assert sorted(delivery.message.body.decode() for delivery in taken) == names
    del taken
    assert len(await bench.work(source)) == 9
    assert await bench.work(source) == []


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("huge")
    fill(folder, 5000)
    return folder


@pytest.mark.parametrize("sort", ["name", "-name", "modified", "size", "none"])
async def test_a_huge_folder_is_not_held_in_memory(huge: Path, sort: Any) -> None:
    """A look for ten of five thousand files holds ten of them: less than a tenth of what all of them would take."""
    few = FileSource(directory=huge, after="delete", max_files=10, sort=sort)._selection()
    many = FileSource(directory=huge, after="delete", sort=sort)._selection()

    def peak(selection: Any) -> int:
        selection.scan(huge, 0.0, lambda found: True)
        tracemalloc.start()
        try:
            selection.scan(huge, 0.0, lambda found: True)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    one, other = await anyio.to_thread.run_sync(lambda: (peak(few), peak(many)))
    assert one < other / 10


async def test_a_look_at_a_huge_folder_can_be_given_up(huge: Path) -> None:
    """A stop does not wait until all names were read."""
    selection = FileSource(directory=huge, after="delete")._selection()
    met = 0

    def count(found: Any) -> bool:
        nonlocal met
        met += 1
        if met == 1:
            anyio.from_thread.run_sync(scope.cancel)
        return True

    with anyio.CancelScope() as scope:
        await anyio.to_thread.run_sync(selection.scan, huge, 0.0, count)
    assert met < 2000
