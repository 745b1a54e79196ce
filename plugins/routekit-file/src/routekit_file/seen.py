"""Seen: the memory of files that stay where they are."""

from pathlib import Path
from typing import Literal

from routekit import Store

from .checksums import digest_of
from .found import Found
from .regular import opened

KnownBy = Literal["version", "content", "name"]


class Seen:
    """What of the files of a directory a route has handled, by the relative path: size, time and perhaps a digest.

    A route that reads two directories has two memories. Before, it had one for all of them: what is in that is still
    known, but written into no more. A memory outlives a change of `by`: each entry has all that it was made with.
    """

    def __init__(self, store: Store, route: str, directory: str, by: KnownBy) -> None:
        self._marks = store.marks(f"file-seen:{route}:{directory}")
        self._before = store.marks(f"file-seen:{route or directory}")
        self._by: KnownBy = by
        self._known: dict[str, str] = {}

    async def recall(self) -> None:
        """Recall what was handled."""
        self._known = {**dict(await self._before.items()), **dict(await self._marks.items())}

    def knows(self, found: Found) -> bool:
        """Whether the file was handled, as far as that can be told without reading it."""
        known = self._known.get(found.label)
        return known is not None and (self._by == "name" or _version(known) == found.signature)

    def digest(self, path: Path) -> str:
        """What tells the content of a file, if that is what it is known by; else empty. Blocks."""
        return _digest(path) if self._by == "content" else ""

    async def knew(self, found: Found, digest: str) -> bool:
        """Whether the file was handled, asked again: by another process meanwhile, or under another time."""
        known = await self._marks.get(found.label) or self._known.get(found.label)
        if known is None:
            return False
        if digest and known.endswith(f":{digest}") and _version(known) != found.signature:
            await self.put(found, digest)
            return True
        self._known[found.label] = known
        return self.knows(found)

    async def put(self, found: Found, digest: str) -> None:
        """Remember that this version of a file was handled."""
        known = f"{found.signature}:{digest}" if digest else found.signature
        await self._marks.put(found.label, known)
        self._known[found.label] = known


def _version(known: str) -> str:
    return ":".join(known.split(":", 2)[:2])


def _digest(path: Path) -> str:
    """The SHA-256 of a file, empty if it cannot be read: whoever reads it next says why."""
    try:
        with opened(path) as file:
            return digest_of(file, "sha256")
    except OSError:
        return ""
