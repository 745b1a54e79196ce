"""Folder: a system whose records are JSON files, to try a pair by hand: an editor is its user interface."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

from anyio import to_thread

from routekit import Runtime
from routekit.remotes import Abilities, Creating, Feed, Fields, Gone, Page, Record, Refused, Stale


@dataclass(frozen=True)
class FolderRemote:
    """Records in `folder`, each a JSON object in a file whose name is its id; changed since is what the files say.

    It is as good as a system can be: the feed is at once, a create that is sent twice makes one record, and an update
    of a record that somebody has just changed is refused.
    """

    name: str
    folder: Path
    abilities: ClassVar[Abilities] = Abilities(
        feed=Feed.STAMP,
        granularity=0.05,
        creating=Creating.REPLAY,
        compare_and_set=True,
        answers=True,
        batch=100,
    )

    @asynccontextmanager
    async def open(self, runtime: Runtime | None = None) -> AsyncGenerator["FolderSession"]:
        """The folder, which is made if it is not there."""
        await to_thread.run_sync(lambda: self.folder.mkdir(parents=True, exist_ok=True))
        yield FolderSession(self.folder)


class FolderSession:
    """The files of a folder as records."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def changes(self, since: float | str | None, page: str | None = None) -> Page:
        """The files changed since then, the oldest first; all in one page."""
        found = await to_thread.run_sync(self._all)
        return Page(sorted((one for one in found if (one.stamp or 0.0) >= float(since or 0.0)), key=_order))

    async def scan(self, page: str | None = None, *, fields: bool = True) -> Page:
        """All files."""
        return Page(await to_thread.run_sync(self._all))

    async def get(self, id: str) -> Record | None:
        """One file."""
        return await to_thread.run_sync(self._read, id)

    async def many(self, ids: Sequence[str]) -> Sequence[Record]:
        """Some files."""
        found = [await self.get(own) for own in ids]
        return [one for one in found if one is not None]

    async def find(self, name: str, value: Any) -> Sequence[Record]:
        """The files with that value in a field."""
        return [one for one in await to_thread.run_sync(self._all) if one.fields.get(name) == value]

    async def create(self, fields: Fields, *, key: str) -> Record:
        """A new file, named by the key: the same create again gives the same file."""
        return await to_thread.run_sync(self._create, blake2b(key.encode(), digest_size=4).hexdigest(), fields)

    async def update(self, id: str, fields: Fields, *, version: str | None = None, key: str = "") -> Record:
        """Change a file."""
        return await to_thread.run_sync(self._update, id, fields, version)

    async def delete(self, id: str, *, version: str | None = None) -> None:
        """Remove a file."""
        await to_thread.run_sync(lambda: self._file(id).unlink(missing_ok=True))

    def _file(self, id: str) -> Path:
        if "/" in id or id.startswith("."):
            raise Refused(f"'{id}' is no name of a file")
        return self._folder / f"{id}.json"

    def _all(self) -> list[Record]:
        found = (self._read(file.stem) for file in sorted(self._folder.glob("*.json")))
        return [one for one in found if one is not None]

    def _read(self, id: str) -> Record | None:
        file = self._file(id)
        try:
            text, stamp = file.read_text(encoding="utf-8"), file.stat().st_mtime
        except FileNotFoundError:
            return None
        try:
            fields = json.loads(text)
        except ValueError as error:
            raise Refused(f"{file} is no JSON: {error}", hint="mend it by an editor") from error
        if not isinstance(fields, Mapping):
            raise Refused(f"{file} is no JSON object", hint="mend it by an editor")
        return Record(id, dict(fields), blake2b(text.encode(), digest_size=8).hexdigest(), stamp)  # pyright: ignore[reportUnknownArgumentType]  # JSON

    def _create(self, id: str, fields: Fields) -> Record:
        return self._read(id) or self._write(id, fields)

    def _update(self, id: str, fields: Fields, version: str | None) -> Record:
        there = self._read(id)
        if there is None:
            raise Gone(f"there is no {self._file(id)} any more")
        if version is not None and version != there.version:
            raise Stale(f"{self._file(id)} was changed by somebody else")
        return self._write(id, {**there.fields, **fields})

    def _write(self, id: str, fields: Fields) -> Record:
        file = self._file(id)
        text = json.dumps(dict(fields), indent=2, ensure_ascii=False, default=str) + "\n"
        beside = file.with_suffix(".tmp")
        beside.write_text(text, encoding="utf-8")
        beside.replace(file)
        return Record(id, dict(fields), blake2b(text.encode(), digest_size=8).hexdigest(), file.stat().st_mtime)


def _order(record: Record) -> tuple[float, str]:
    return record.stamp or 0.0, record.id
