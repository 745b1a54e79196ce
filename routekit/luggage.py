"""What a claim check keeps: bodies as text, in the store or in a folder, and the ids by which they are known."""

import os
import re
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeVar
from uuid import uuid4

import anyio.to_thread
from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

from .errors import BodyError, StoreError
from .fitting import Fit
from .letter import packed, unpacked
from .message import Message
from .step import Runtime

R = TypeVar("R")

_ID = re.compile(r"[0-9a-f]{32}")


class Shelf(Protocol):
    """Where bodies rest, by id; the marks of a store are one."""

    async def get(self, key: str) -> str | None: ...

    async def put(self, key: str, value: str) -> None: ...

    async def delete(self, key: str) -> None: ...


def shelf(name: str, folder: str | Path | None, runtime: Runtime) -> Shelf:
    """The shelf of that name in the store, or the folder, which is one of the runtime's data if it is relative."""
    return runtime.store.marks(state_of(name)) if folder is None else Folder(runtime.data / folder)


def state_of(name: str) -> str:
    """What the claims of that name are called in the store."""
    return f"claim:{name}"


def header_of(name: str) -> str:
    """The header that carries the id of a claim of that name."""
    return f"claim.{name}"


def claim_id(message: Message[Any], text: str) -> str:
    """The id of a claim: the same for each try of one delivery, another one for everything else."""
    said = f"{message.id}\0{message.meta.received!r}\0{text}"
    return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def known(given: object) -> str:
    """An id as it came with a message; raises BodyError for what is none, such as a path."""
    if isinstance(given, str) and _ID.fullmatch(given):
        return given
    raise BodyError(f"{given!r} is no id of a claim", hint="redeem what `claim` made")


def text_of(body: object, fit: Fit) -> str:
    """The body as JSON; raises BodyError if it would not come back equal."""
    kind = type(body).__name__
    hint = "parse it into a type first, or give the type that it comes back as: claim(..., body=...)"
    try:
        data = packed(body) if isinstance(body, bytes) else to_jsonable_python(body, bytes_mode="base64")
        text = to_json(data).decode()
        if body_of(text, fit) == body:
            return text
    except (BodyError, PydanticSerializationError, ValueError, RecursionError) as error:
        raise BodyError(f"a body of type {kind} cannot be kept: {error}", hint=hint) from None
    raise BodyError(f"a body of type {kind} would not come back as it is", hint=hint)


def body_of(text: str, fit: Fit) -> Any:
    """What `text_of` kept; raises BodyError if it does not fit."""
    return fit(unpacked(from_json(text)))


class Folder:
    """A shelf of files, for bodies that a database should not hold. A file is there whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def get(self, key: str) -> str | None:
        return await self._in_thread(_read, self._file(key))

    async def put(self, key: str, value: str) -> None:
        """Keep it durably: written under another name, synced, then renamed."""
        await self._in_thread(_write, self._file(key), value)

    async def delete(self, key: str) -> None:
        await self._in_thread(partial(Path.unlink, missing_ok=True), self._file(key))

    def _file(self, key: str) -> Path:
        return self._path / f"{known(key)}.json"

    async def _in_thread(self, function: Callable[..., R], *args: Any) -> R:
        try:
            return await anyio.to_thread.run_sync(function, *args)
        except OSError as error:
            raise StoreError(f"the folder of claims {self._path} cannot be used: {error}") from error


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.stem}.{uuid4().hex[:8]}")
    try:
        with beside.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync(file.parent)


def _sync(folder: Path) -> None:
    """Make the new name last, where a folder can be synced."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
