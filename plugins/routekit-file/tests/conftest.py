"""A bench for the file endpoints: a runtime whose rests end the test instead of taking time."""

import inspect
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager
from functools import cache
from pathlib import Path
from random import Random
from time import time
from typing import Any

import pytest

from routekit import Consumer, Delivery, Event, Message, Producer
from routekit.testing import Run, setup_for

NOBODY = 65534


@cache
def catalog() -> Any:
    """What is installed; finding that out takes most of the time of a test."""
    return setup_for(Run()).catalog


class Idle(Exception):
    """The source rests, and the test has nothing more for it."""


class Bench:
    """What the endpoints need of a runtime. `between` are run at one rest after the other, then the source is idle."""

    def __init__(self, store: Any, stack: AsyncExitStack) -> None:
        self.route = "leads"
        self.random = Random(1)
        self.store = store
        self.events: list[Event] = []
        self.rests: list[float] = []
        self.between: list[Callable[[], Any]] = []
        self.time: float | None = None
        self.data = Path("data")
        self.figures: Mapping[str, Callable[[], float]] = {}
        self._catalog = catalog()
        self._stack = stack
        self._shared: dict[Any, Any] = {}

    def now(self) -> float:
        return time() if self.time is None else self.time

    def codec(self, choice: Any) -> Any:
        return self._catalog.codec(choice)

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        return None

    @contextmanager
    def metered(self, endpoint: Any, figures: Mapping[str, Callable[[], float]]) -> Iterator[None]:
        self.figures = figures
        assert set(figures) == set(endpoint.about.figures), "what is not told in the reference"
        yield

    def emit(self, event: Event) -> None:
        self.events.append(event)

    async def shared(self, factory: Any, *args: Any) -> Any:
        key = (factory, args)
        if key not in self._shared:
            self._shared[key] = await self._stack.enter_async_context(factory(*args))
        return self._shared[key]

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        if not self.between:
            raise Idle
        done = self.between.pop(0)()
        if inspect.isawaitable(done):
            await done

    async def take(self, source: Consumer, most: int | None = None) -> list[Delivery[Any]]:
        """What the source delivers until it is idle, or `most` of it; nothing is acknowledged."""
        taken: list[Delivery[Any]] = []
        async with aclosing(source.consume(self)) as deliveries:
            try:
                async for delivery in deliveries:
                    taken.append(delivery)
                    if len(taken) == most:
                        break
            except Idle:
                pass
        return taken

    async def work(self, source: Consumer, most: int | None = None) -> list[Any]:
        """The bodies that the source delivers, each acknowledged before the next one is asked for."""
        bodies: list[Any] = []
        async with aclosing(source.consume(self)) as deliveries:
            try:
                async for delivery in deliveries:
                    bodies.append(delivery.message.body)
                    await accepted(delivery)
                    if len(bodies) == most:
                        break
            except Idle:
                pass
        return bodies

    async def send(self, sink: Producer, *messages: Any, **options: Any) -> list[Message[Any]]:
        """The replies to these bodies or messages, sent one after the other through an open sink."""
        async with sink.open(self) as send:
            replies = []
            for number, given in enumerate(messages, 1):
                message = given if isinstance(given, Message) else Message(given, id=f"m{number}")
                replies.append(await send(message, **options))
            return replies


async def accepted(delivery: Delivery[Any]) -> None:
    assert delivery.ack is not None
    await delivery.ack(None)


async def refused(delivery: Delivery[Any], error: Exception) -> None:
    assert delivery.nack is not None
    await delivery.nack(error)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def bench(anyio_backend: Any) -> AsyncGenerator[Bench]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(catalog().open_store("memory:", time))
        yield Bench(store, stack)


@pytest.fixture
def accept() -> Any:
    return accepted


@pytest.fixture
def refuse() -> Any:
    return refused


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """The visible and hidden files below a folder with their contents; the folder of leases must be empty."""

    def tree(root: Path) -> dict[str, bytes]:
        files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        assert not [name for name in files if ".routekit" in name], f"something was left behind: {sorted(files)}"
        return files

    return tree


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A filesystem of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=1m tmpfs {disk} 2>/dev/null") != 0:
        pytest.skip("a disk that fills up needs a tmpfs mount, which this user may not make")
    yield disk
    os.system(f"umount {disk}")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder of a user who is not root; the test is that user meanwhile."""
    if os.geteuid() != 0:
        pytest.skip("root alone can become somebody else, and root alone may read everything")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    os.seteuid(0)
    shutil.rmtree(folder)
