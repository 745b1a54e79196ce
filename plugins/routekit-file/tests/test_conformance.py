"""The file endpoints keep the contracts that every endpoint has to keep."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

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
        return FileSource(directory=self.folder, after="delete", poll=0.01, max_bytes=self.large)


class TestSourceThatMoves(TestSource):
    loops = ("trio",)
    promised = Capabilities(replayable=True, largest=1 << 20)

    def source(self) -> FileSource:
        return FileSource(directory=self.folder, after="move", poll=0.01, max_bytes=1 << 20)


class TestSourceThatRemembers(TestSource):
    loops = ("asyncio",)

    def source(self) -> FileSource:
        return FileSource(directory=self.folder, after="keep", poll=0.01)


class TestSourceOfRecords(Folder, SourceContract):
    kind = FileSource
    bodies: ClassVar[Mapping[str, Any]] = {
        "empty": "",
        "unicode": "Grüße, 你好, 🐿",
        "none": None,
        "nested": {"a": [1, {"b": None}]},
    }
    large = 8 << 20
    test_a_refused_one_is_kept_or_comes_again = None  # a refused record fails its file, which is kept as a whole

    def source(self) -> FileSource:
        return FileSource(directory=self.folder, after="delete", poll=0.01, read="records", codec="jsonl")

    def body(self, number: int) -> Any:
        return {"number": number}

    def large_body(self, size: int) -> Any:
        return {"text": "é" * (size // 2)}

    async def put(self, message: Message[Any]) -> None:
        line = json.dumps(message.body, ensure_ascii=False).encode() + b"\n"
        await super().put(Message(line, id=message.id))

    async def put_poison(self) -> None:
        await super().put(Message(b'{"number": \n', id="kit-0-poison"))


class TestSink(Folder, SinkContract):
    kind = FileSink
    promised = Capabilities(transactional=True, idempotent=True)

    def sink(self) -> str:
        return f"file:{self.folder}"

    def poison(self) -> Any:
        return object()
