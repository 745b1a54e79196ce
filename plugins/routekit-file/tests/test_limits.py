"""Sizes, ages, depths and cases: which files stay where they are."""

import os
from pathlib import Path
from typing import Any

import pytest

from routekit_file import FileSource

pytestmark = pytest.mark.anyio


async def test_globs_may_leave_the_case_aside(bench: Any, inbox: Path) -> None:
    """With ignore_case, include and exclude mean upper and lower case alike, names as well as folders."""
    (inbox / "Sub").mkdir()
    for name in ("a.csv", "B.CSV", "c.Csv", "draft.CSV", "d.txt", "Sub/e.csv"):
        (inbox / name).write_text(name)
    include = {"include": "*.csv,sub/*.csv", "exclude": "DRAFT*", "recursive": True}
    strict = FileSource(directory=inbox, after="keep", **include)
    assert await bench.work(strict) == [b"Sub/e.csv", b"a.csv", b"draft.CSV"][:2]
    bench.route = "other"
    loose = FileSource(directory=inbox, after="keep", ignore_case=True, **include)
    assert await bench.work(loose) == [b"B.CSV", b"Sub/e.csv", b"a.csv", b"c.Csv"]


async def test_small_and_large_files_stay(bench: Any, inbox: Path, tree: Any) -> None:
    """Sizes are those that are named and all between them."""
    for size in range(1, 6):
        (inbox / str(size)).write_bytes(b"x" * size)
    source = FileSource(directory=inbox, after="delete", min_size=2, max_size=4)
    assert await bench.work(source) == [b"xx", b"xxx", b"xxxx"]
    assert set(tree(inbox)) == {"1", "5"}


async def test_young_and_old_files_stay(bench: Any, inbox: Path) -> None:
    """Ages are counted from the last modification."""
    bench.time = 1_000_000.0
    for age in (5, 15, 25):
        (inbox / str(age)).write_text(str(age))
        os.utime(inbox / str(age), (bench.time - age, bench.time - age))
    source = FileSource(directory=inbox, after="delete", min_age=10, max_age=20)
    assert await bench.work(source) == [b"15"]
    bench.time += 6
    assert await bench.work(source) == [b"5"]


@pytest.mark.parametrize(("depth", "taken"), [(1, [b"1", b"a/2"]), (2, [b"1", b"a/2", b"a/b/3"])])
async def test_folders_are_entered_as_deep_as_asked(bench: Any, inbox: Path, depth: int, taken: list[bytes]) -> None:
    """`depth` counts folders below the directory."""
    (inbox / "a" / "b" / "c").mkdir(parents=True)
    for name in ("1", "a/2", "a/b/3", "a/b/c/4"):
        (inbox / name).write_text(name)
    assert await bench.work(FileSource(directory=inbox, after="delete", recursive=True, depth=depth)) == taken
