"""What operators did, in memory."""

from collections.abc import Sequence

from ..store import Deed


class MemoryAudit:
    """What operators did, in order."""

    def __init__(self) -> None:
        self._deeds: list[Deed] = []

    async def add(self, deed: Deed) -> None:
        """Keep what somebody did."""
        self._deeds.append(deed)

    async def list(self, *, since: float | None = None, limit: int = 1000) -> Sequence[Deed]:
        """The newest first; of those of one time, the one that was added last."""
        newest = [deed for deed in reversed(self._deeds) if since is None or deed.when >= since]
        newest.sort(key=lambda deed: -deed.when)
        return newest[: max(limit, 0)]

    async def prune(self, *, before: float) -> int:
        """Forget what is older; returns how many."""
        count = len(self._deeds)
        self._deeds = [deed for deed in self._deeds if deed.when >= before]
        return count - len(self._deeds)

    def held(self) -> "list[float]":  # the method `list` hides the type here
        """When those things were done."""
        return [deed.when for deed in self._deeds]
