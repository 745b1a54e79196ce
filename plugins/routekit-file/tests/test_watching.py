"""Watching: a change wakes the source before its next poll."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from routekit import Event, Logged, from_
from routekit.testing import Run, running, setup_for
from routekit_file import FileSource

pytestmark = pytest.mark.anyio


class Inlet:
    """The end of a route: hands its bodies to the test."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[bytes](10)

    def route(self, source: FileSource) -> Any:
        return from_(source).transform(self._send.send)

    async def next(self) -> bytes:
        with anyio.fail_after(60):
            return await self._receive.receive()


async def test_a_change_during_the_rest_is_not_missed(bench: Any, inbox: Path) -> None:
    """A source that rests for a day is woken by a file that comes meanwhile."""

    async def rest(seconds: float) -> None:
        (inbox / "b").write_text("2")
        await anyio.sleep_forever()

    bench.rest = rest
    (inbox / "a").write_text("1")
    async with AsyncExitStack() as bench._stack:
        deliveries = FileSource(directory=inbox, after="delete", watch=True, poll=86400).consume(bench)
        assert (await anext(deliveries)).message.body == b"1"
        with anyio.fail_after(20):
            assert (await anext(deliveries)).message.body == b"2"
        await deliveries.aclose()


@pytest.fixture
def inlet() -> Any:
    inlet = Inlet()
    yield inlet
    inlet._send.close()
    inlet._receive.close()


async def test_a_change_wakes_the_source(inbox: Path, inlet: Any) -> None:
    """With a poll of a day, a new file is taken as soon as the kernel tells of it."""
    async with running(inlet.route(FileSource(directory=inbox, after="delete", watch=True, poll=86400))):
        (inbox / "a").write_text("1")
        assert await inlet.next() == b"1"
        (inbox / "b").write_text("2")
        assert await inlet.next() == b"2"


async def test_changes_below_the_directory_wake_a_recursive_source(inbox: Path, inlet: Any) -> None:
    """Sub-folders are watched as well, also those that are made later."""
    source = FileSource(directory=inbox, after="delete", watch=True, poll=86400, recursive=True)
    async with running(inlet.route(source)):
        (inbox / "sub").mkdir()
        (inbox / "sub" / "a").write_text("1")
        assert await inlet.next() == b"1"


async def test_polling_goes_on_when_the_directory_cannot_be_watched(
    inbox: Path, inlet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel without free watches is told once as a warning; files are still found by the poll."""
    import watchfiles

    def no_watches(*_: object, **__: object) -> Any:
        raise OSError(28, "no inotify watches left")

    monkeypatch.setattr(watchfiles, "awatch", no_watches)
    warnings: list[str] = []
    warned = anyio.Event()

    def watch(event: Event) -> None:
        if isinstance(event, Logged):
            warnings.append(event.text)
            warned.set()

    source = FileSource(directory=inbox, after="delete", watch=True, poll=0.01)
    async with running(inlet.route(source), setup=setup_for(Run(), watch=watch)):
        with anyio.fail_after(60):
            await warned.wait()
        for content in ("1", "2"):
            (inbox / "a").write_text(content)
            assert await inlet.next() == content.encode()
    [warning] = warnings
    assert "no inotify watches left" in warning
    assert "polled every 0.01 s" in warning


def test_the_package_that_watches_is_imported_only_when_it_is_used() -> None:
    """Who does not watch does not need it."""
    import subprocess

    program = "import sys, routekit_file; sys.exit('watchfiles' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
