"""Where files go: folders and names by patterns."""

import os
from pathlib import Path
from typing import Any

import pytest

from routekit_file import FileSource

pytestmark = pytest.mark.anyio

NOW = 1_767_225_599.0  # 2025-12-31T23:59:59Z


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("archive", "archive/sub/a.tar.gz"),
        ("archive/{date}", "archive/2025-12-31/sub/a.tar.gz"),
        ("archive/{stem}-{time}{suffix}", "archive/a.tar-20251231T235959.gz"),
        ("archive/{date}/{folder}/{time}-{name}", "archive/2025-12-31/sub/20251231T235959-a.tar.gz"),
        (".done/{name}.done", ".done/a.tar.gz.done"),
    ],
)
async def test_a_pattern_makes_the_folder_or_the_name(
    bench: Any, inbox: Path, tree: Any, pattern: str, path: str
) -> None:
    """A pattern that names the file is its whole path, and else its folder."""
    (inbox / "sub").mkdir()
    (inbox / "sub" / "a.tar.gz").write_text("x")
    bench.time = NOW
    source = FileSource(directory=inbox, after="move", recursive=True, done_to=pattern)
    assert await bench.work(source) == [b"x"]
    assert tree(inbox) == {path: b"x"}
    assert await bench.work(source) == [], "what is done is not found again"


async def test_a_refused_file_goes_by_its_own_pattern(bench: Any, inbox: Path, refuse: Any, tree: Any) -> None:
    """The reason is beside the file, whatever its name became; two of one name do not meet."""
    bench.time = NOW
    source = FileSource(directory=inbox, after="delete", failed_to="bad/{date}-{name}")
    for _ in range(2):
        (inbox / "a").write_text("x")
        [delivery] = await bench.take(source)
        await refuse(delivery, ValueError("no"))
    assert set(tree(inbox)) == {
        "bad/2025-12-31-a",
        "bad/2025-12-31-a.error.json",
        "bad/2025-12-31-a-20251231T235959",
        "bad/2025-12-31-a-20251231T235959.error.json",
    }


async def test_the_name_of_a_file_is_no_pattern(bench: Any, inbox: Path, tree: Any) -> None:
    """Braces in the names of files are just that, and bytes that are no text stay what they are."""
    bench.time = NOW
    (inbox / "{date}{folder}").write_text("x")
    (inbox / os.fsdecode(b"\xff.csv")).write_text("y")
    await bench.work(FileSource(directory=inbox, after="move", done_to="done/{stem}{suffix}-ok"))
    assert set(tree(inbox)) == {"done/{date}{folder}-ok", os.fsdecode(b"done/\xff.csv-ok")}


async def test_a_pattern_may_lead_to_another_place(bench: Any, inbox: Path, tmp_path: Path, tree: Any) -> None:
    """An absolute pattern is followed as it is; one that leads back into the directory does not repeat the file."""
    (inbox / "a").write_text("x")
    await bench.work(FileSource(directory=inbox, after="move", done_to=f"{tmp_path}/else/{{name}}.done"))
    assert tree(tmp_path / "else") == {"a.done": b"x"}
    (inbox / "b").write_text("y")
    source = FileSource(directory=inbox, after="move", recursive=True, done_to=f"{inbox}/old/{{time}}/{{name}}")
    assert await bench.work(source) == [b"y"]
    assert await bench.work(source) == []
