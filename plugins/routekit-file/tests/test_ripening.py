"""Files that are still being written: taken once they have not changed for a while."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio.testing

from routekit_file import FileSource

pytestmark = pytest.mark.anyio

VIRTUAL = ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)})


@pytest.fixture(params=[VIRTUAL], ids=["virtual"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


def wait(seconds: float) -> Any:
    return partial(anyio.sleep, seconds)


def grow(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


async def test_a_file_is_taken_when_it_has_been_still_long_enough(bench: Any, inbox: Path) -> None:
    """The source looks again when the time is over, and takes the file then."""
    (inbox / "a").write_text("x")
    bench.between = [wait(5)]
    assert await bench.work(FileSource(directory=inbox, after="delete", stable=5)) == [b"x"]


async def test_a_file_is_not_taken_earlier(bench: Any, inbox: Path) -> None:
    """One second too early is too early."""
    (inbox / "a").write_text("x")
    bench.between = [wait(4)]
    assert await bench.work(FileSource(directory=inbox, after="delete", stable=5)) == []


async def test_half_a_file_is_never_taken(bench: Any, inbox: Path) -> None:
    """Each change, even of the time alone, starts the wait anew."""
    (inbox / "a").write_text("x")
    touch = partial(os.utime, inbox / "a", (1000, 1000))
    bench.between = [wait(4), partial(grow, inbox / "a"), wait(4), touch, wait(4)]
    assert await bench.work(FileSource(directory=inbox, after="delete", stable=5)) == []


async def test_many_files_ripen_side_by_side(bench: Any, inbox: Path) -> None:
    """A thousand files take as long as one."""
    for number in range(1000):
        (inbox / f"{number:04}").touch()
    bench.between = [wait(5)]
    assert len(await bench.take(FileSource(directory=inbox, after="delete", stable=5))) == 1000


async def test_the_rest_is_no_longer_than_the_ripening(bench: Any, inbox: Path) -> None:
    """With a long poll, a file is taken when it is ripe and not a poll later."""
    (inbox / "a").write_text("x")
    bench.between = [wait(2), lambda: (inbox / "b").write_text("y"), wait(3)]
    assert await bench.work(FileSource(directory=inbox, after="delete", stable=5, poll=60)) == [b"x"]
    assert bench.rests[:4] == [5, 3, 3, 2]


async def test_the_first_look_may_be_delayed(bench: Any, inbox: Path) -> None:
    """Nothing is taken before, and the wait is no rest: a run of the routes does not end meanwhile."""
    (inbox / "a").write_text("x")
    start = anyio.current_time()
    assert await bench.work(FileSource(directory=inbox, after="delete", delay=30)) == [b"x"]
    assert anyio.current_time() - start == pytest.approx(30)
    assert bench.rests == [1]


@pytest.mark.parametrize("sort", ["name", "-name", "none", "modified"])
async def test_files_ripen_that_a_look_does_not_reach(bench: Any, inbox: Path, sort: Any) -> None:
    """With one file a look, the others are as ripe as they were when their turn comes."""
    for number in range(20):
        (inbox / f"{number * 7 % 20:02}").touch()
    bench.between = [wait(5)]
    assert len(await bench.work(FileSource(directory=inbox, after="delete", stable=5, max_files=1, sort=sort))) == 20


async def test_files_that_do_not_ripen_do_not_hide_those_behind_them(bench: Any, inbox: Path) -> None:
    """A file that changes all the time, such as a log, is not counted while it does."""
    for name in ("a-log", "b-log", "c", "d", "e"):
        (inbox / name).write_text(name)

    async def write() -> None:
        grow(inbox / "a-log")
        grow(inbox / "b-log")
        await anyio.sleep(6)

    bench.between = [write] * 4
    source = FileSource(directory=inbox, after="delete", max_files=1, stable=5)
    assert await bench.work(source) == [b"c", b"d", b"e"]
