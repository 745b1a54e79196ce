"""Dead letters in memory."""

from collections.abc import Sequence

from ..letter import Cluster, Letter, clusters_of
from ._lettertext import letter_of, text_of


class MemoryLetters:
    """The dead letters of all routes, kept as text so that nobody can change them afterwards."""

    def __init__(self) -> None:
        self._texts: dict[str, bytes] = {}

    async def add(self, letter: Letter) -> None:
        """Keep a letter; one with the same id replaces it."""
        text = text_of(letter)
        self._texts.pop(letter.id, None)
        self._texts[letter.id] = text

    async def get(self, id: str) -> Letter | None:
        """The letter of that id."""
        text = self._texts.get(id)
        return None if text is None else letter_of(text)

    async def list(
        self,
        *,
        route: str | None = None,
        cluster: str | None = None,
        since: float | None = None,
        before: float | None = None,
        oldest: bool = False,
        limit: int = 1000,
    ) -> Sequence[Letter]:
        """By time; those of the same time in the order in which they were added."""
        found = [
            letter
            for letter in self._of(route, cluster)
            if (since is None or letter.when >= since) and (before is None or letter.when < before)
        ]
        found.sort(key=lambda letter: letter.when)
        if not oldest:
            found.reverse()
        return found[: max(limit, 0)]

    async def count(self, *, route: str | None = None, cluster: str | None = None) -> int:
        """How many there are."""
        return len(self._texts if route is None and cluster is None else self._of(route, cluster))

    async def clusters(self, *, route: str | None = None) -> Sequence[Cluster]:
        """What is alike among them, the largest first."""
        return clusters_of(self._of(route))

    async def remove(self, id: str) -> bool:
        """Forget a letter; false if there was none."""
        return self._texts.pop(id, None) is not None

    async def prune(self, *, before: float) -> int:
        """Forget the letters given up earlier than this time; returns how many."""
        old = [letter.id for letter in self._of() if letter.when < before]
        for one in old:
            del self._texts[one]
        return len(old)

    def held(self) -> "dict[str, list[float]]":  # the method `list` hides the type here
        """When the letters of each route were given up."""
        times: dict[str, list[float]] = {}
        for letter in self._of():
            times.setdefault(letter.route, []).append(letter.when)
        return times

    def _of(self, route: str | None = None, cluster: str | None = None) -> "list[Letter]":  # as above
        letters = map(letter_of, self._texts.values())
        return [
            letter
            for letter in letters
            if (route is None or letter.route == route) and (cluster is None or letter.cluster == cluster)
        ]
