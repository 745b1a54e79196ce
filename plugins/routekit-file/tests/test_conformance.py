"""The file endpoints keep the contracts that every endpoint has to keep."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from routekit import Capabilities, Message
from routekit.testing.conformance import SinkContract, SourceContract
from routekit_file import FileSink, FileSource


class Folder:
    """A folder, seen from outside."""

    quiet = 0.1

    @asynccontextmanager
    async def outside(self, folder: Path) -> AsyncGenerator[None]:
        self.folder = folder / "files"
        self.folder.mkdir()
        yield

    async def put(self, message: Message[Any]) -> None:
        half = self.folder / f".{message.id}"
        half.write_bytes(message.body)
        half.rename(self.folder / message.id)

    async def delivered(self) -> Sequence[bytes]:
        return [file.read_bytes() for file in self.folder.iterdir() if file.is_file() and file.name[0] != "."]


class TestSource(Folder, SourceContract):
    kind = FileSource

    def source(self) -> FileSource:
        return FileSource(directory=self.folder, after="delete", poll=0.01)


class TestSourceThatMoves(TestSource):
    loops = ("trio",)

    def source(self) -> FileSource:
        return FileSource(directory=self.folder, after="move", poll=0.01)


class TestSourceThatRemembers(TestSource):
    loops = ("asyncio",)

    def source(self) -> FileSource:
        return FileSource(directory=self.folder, after="keep", poll=0.01)


class TestSink(Folder, SinkContract):
    kind = FileSink
    promised = Capabilities(transactional=True, idempotent=True)

    def sink(self) -> str:
        return f"file:{self.folder}"

    def poison(self) -> Any:
        return object()
