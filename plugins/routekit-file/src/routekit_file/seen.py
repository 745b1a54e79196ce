"""Seen: the memory of files that stay where they are."""

from routekit import Store


class Seen:
    """Which version of each file of a directory a route has handled: its signature, by the relative path.

    A route that reads two directories has two memories. Before, it had one for all of them: what is in that is still
    known, but written into no more.
    """

    def __init__(self, store: Store, route: str, directory: str) -> None:
        self._marks = store.marks(f"file-seen:{route}:{directory}")
        self._before = store.marks(f"file-seen:{route or directory}")

    async def all(self) -> dict[str, str]:
        """The signatures of all files that were handled."""
        return {**dict(await self._before.items()), **dict(await self._marks.items())}

    async def get(self, path: str) -> str | None:
        """The signature of one file, as another process may have written it a moment ago."""
        return await self._marks.get(path)

    async def put(self, path: str, signature: str) -> None:
        """Remember that this version of a file was handled."""
        await self._marks.put(path, signature)
