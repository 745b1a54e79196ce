"""Watching: a change wakes the source before its next poll."""
# ruff: noqa: ASYNC240 - nothing else runs in the event loop of a test

import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from routekit import Event, Logged, from_
from routekit.testing import Run, running, setup_for
from routekit_file import FileSource, watching

pytestmark = pytest.mark.anyio


class Inlet:
    """The end of a route: hands its bodies to the test."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[bytes](1000)

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


async def test_what_is_moved_in_wakes_the_source(inbox: Path, inlet: Any, tmp_path: Path) -> None:
    """A file that is renamed into the folder, as careful writers do, and a folder with files in it."""
    source = FileSource(directory=inbox, after="delete", watch=True, poll=86400, recursive=True)
    (tmp_path / "a").write_text("1")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "b").write_text("2")
    async with running(inlet.route(source)):
        (tmp_path / "a").rename(inbox / "a")
        assert await inlet.next() == b"1"
        (tmp_path / "folder").rename(inbox / "folder")
        assert await inlet.next() == b"2"
        (inbox / "folder" / "deep" / "c").write_text("3")
        assert await inlet.next() == b"3"


async def test_folders_that_are_made_later_are_watched(inbox: Path, inlet: Any) -> None:
    """However deep, and long after they were made."""
    source = FileSource(directory=inbox, after="delete", watch=True, poll=86400, recursive=True)
    async with running(inlet.route(source)):
        (inbox / "one" / "two").mkdir(parents=True)
        (inbox / "one" / "two" / "a").write_text("1")
        assert await inlet.next() == b"1"
        (inbox / "one" / "two" / "three").mkdir()
        (inbox / "one" / "two" / "three" / "b").write_text("2")
        assert await inlet.next() == b"2"
        (inbox / "one" / "c").write_text("3")
        assert await inlet.next() == b"3"


async def test_many_changes_at_once_lose_nothing(inbox: Path, inlet: Any) -> None:
    """The kernel's word is only a call to look: what is there is found, however many words there were."""
    source = FileSource(directory=inbox, after="delete", watch=True, poll=86400, max_files=100)
    async with running(inlet.route(source)):
        for number in range(1000):
            (inbox / str(number)).write_text(str(number))
        assert {int(await inlet.next()) for _ in range(1000)} == set(range(1000))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_AT_MOST", 100)


@pytest.mark.usefixtures("impatient")
async def test_a_directory_that_is_made_anew_is_watched_again(inbox: Path) -> None:
    """The watch follows the name, and not a directory that nobody can reach any more."""
    async with watching.watching(str(inbox), False) as watch:
        with anyio.fail_after(60):
            for _ in range(2):
                change = watch.changed
                inbox.rmdir()
                inbox.mkdir()
                await change.wait()
                await watched(watch, inbox)


async def watched(watch: Any, folder: Path) -> None:
    """Return when a change in the folder is told: first the folder itself has to be found again."""
    number = 0
    while True:
        number += 1
        change = watch.changed
        (folder / f"{number}").touch()
        (folder / f"{number}").unlink()
        with anyio.move_on_after(1):
            await change.wait()
            return


@pytest.mark.usefixtures("impatient")
async def test_what_is_hidden_wakes_nobody(inbox: Path) -> None:
    """Leases, half files and work folders of the source itself are no change; what else happens is one."""
    for folder in (".routekit", ".done", "sub"):
        (inbox / folder).mkdir()
    watcher = watching.Watcher(inbox, recursive=True)
    watcher.begin()
    try:
        for name in (".routekit/a.lease", ".done/a", ".half", "sub/.half"):
            (inbox / name).touch()
        assert not watcher.changed()
        (inbox / "sub" / "a").touch()
        assert watcher.changed()
    finally:
        watcher.close()


async def test_watches_leave_the_worker_threads_free(tmp_path: Path) -> None:
    """More watched folders than there are worker threads: files can be read all the same."""
    async with AsyncExitStack() as stack:
        for number in range(50):
            (tmp_path / str(number)).mkdir()
            await stack.enter_async_context(watching.watching(str(tmp_path / str(number)), False))
        with anyio.fail_after(30):
            await anyio.to_thread.run_sync(lambda: None)


async def test_polling_goes_on_when_the_directory_cannot_be_watched(
    inbox: Path, inlet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel without free watches is told once as a warning; files are still found by the poll."""
    from watchfiles import _rust_notify

    def no_watches(*_: object, **__: object) -> Any:
        raise OSError(28, "no inotify watches left")

    monkeypatch.setattr(_rust_notify, "RustNotify", no_watches)
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
