"""A name can never leave the directory of the sink, whoever gave it."""

from contextlib import AsyncExitStack, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from routekit import BodyError, Message, Runtime
from routekit.testing import Run, setup_for
from routekit_file import FileSink


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/x",
        "..",
        ".",
        "",
        "a//b",
        "a/",
        "./a",
        "a\0b",
        ".routekit/x",
        "a/.b",
        "\ud800",
        "x" * 256,
    ],
)
@pytest.mark.parametrize("exists", ["fail", "append"])
async def test_a_name_that_is_no_place_inside_is_refused(
    bench: Any, tmp_path: Path, name: str, exists: Any, tree: Any
) -> None:
    """The error quotes what was asked, and nothing is written anywhere."""
    with pytest.raises(BodyError) as refused:
        await bench.send(FileSink(directory=tmp_path / "out", exists=exists), b"x", name=name)
    assert repr(name) in str(refused.value)
    assert tree(tmp_path) == {}


@pytest.mark.anyio
@pytest.mark.parametrize("exists", ["fail", "replace", "append"])
async def test_links_are_no_way_out(bench: Any, tmp_path: Path, exists: Any) -> None:
    """Neither a linked folder nor a linked file leads out, also if somebody puts it there while the sink is open."""
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "file").write_text("theirs")
    sink = FileSink(directory=tmp_path / "out", exists=exists)
    async with sink.open(bench) as send:
        (tmp_path / "out" / "folder").symlink_to(tmp_path / "away")
        (tmp_path / "out" / "link").symlink_to(tmp_path / "away" / "file")
        with pytest.raises(BodyError, match="symbolic link"):
            await send(Message(b"x"), name="folder/new")
        if exists == "replace":
            await send(Message(b"x"), name="link")
            assert not (tmp_path / "out" / "link").is_symlink()
        else:
            with pytest.raises(BodyError):
                await send(Message(b"x"), name="link")
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["file"]
    assert (tmp_path / "away" / "file").read_text() == "theirs"


@pytest.mark.anyio
async def test_the_directory_itself_may_be_a_link(bench: Any, tmp_path: Path) -> None:
    """The author's own directory is trusted; only what comes with messages is not."""
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "real")
    await bench.send(FileSink(directory=tmp_path / "out", name="sub/a"), b"x")
    assert (tmp_path / "real" / "sub" / "a").read_bytes() == b"x"


PIECES = st.sampled_from(["..", ".", "", "a", "b.csv", "\0", "/", "~", "\\", "\n", "\ud800", "é" * 130, "-", "%2e%2e"])
NAMES = st.one_of(st.text(), st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=6).map("/".join))


class OnlyChance:
    """All that a sink of bytes needs of a runtime."""

    random = setup_for(Run()).random

    def metered(self, endpoint: Any, figures: Any) -> Any:
        return nullcontext()


async def send_once(root: Path, name: str, exists: Any) -> None:
    sink = FileSink(directory=root / "out", exists=exists, fsync=False)
    async with AsyncExitStack() as stack:
        runtime: Runtime = OnlyChance()  # pyright: ignore
        send = await stack.enter_async_context(sink.open(runtime))
        reply = await send(Message(b"x", id="m"), name=name)
        assert reply is not None
        assert (root / "out" / reply.headers["file.path"]).read_bytes() == b"x"


@given(name=NAMES, exists=st.sampled_from(["fail", "replace", "rename", "append"]))
@example(name="../../x", exists="fail")
@example(name="a/../../x", exists="append")
def test_any_name_is_inside_or_refused(name: str, exists: Any) -> None:
    """For every text there is: the file is inside the directory, or BodyError is raised and nothing written."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "deep" / "root"
        root.mkdir(parents=True)
        try:
            anyio.run(partial(send_once, root, name, exists))
        except BodyError:
            assert not [path for path in Path(folder).rglob("*") if path.is_file()]
        else:
            [written] = [path for path in Path(folder).rglob("*") if path.is_file()]
            assert written.resolve().is_relative_to(root / "out")
