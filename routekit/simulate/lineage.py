"""Lineage: which messages from outside are in a message, told by its id and by what stores were seen to keep.

A part's id is `parent/index`; a group's is `name#number`, and the store was seen to put its messages into it.
"""

from collections.abc import Iterator


class Lineage:
    """The ancestry of all messages of a run."""

    def __init__(self) -> None:
        self.arrivals: set[str] = set()
        """The ids of messages from outside."""
        self._members: dict[str, list[str]] = {}
        self._aliases: dict[str, str] = {}

    def alias(self, id: str, of: str) -> None:
        """A message has come again under another id."""
        if id != of:
            self._aliases[id] = of
            self.arrivals.add(id)

    def joined(self, group: str, id: str) -> None:
        """A message was put into a group, `name#number`."""
        members = self._members.setdefault(group, [])
        if id not in members:
            members.append(id)

    def emptied(self, group: str) -> None:
        """A group has lost what was in it, and keeps only the newest."""
        self._members.pop(group, None)

    def members(self, group: str) -> list[str]:
        """The ids of the messages in a group."""
        return list(self._members.get(group, ()))

    def roots(self, id: str) -> frozenset[str]:
        """The ids of the messages from outside that are in a message; none for one of unknown descent."""
        return frozenset(root for root, _, _ in self.leaves(id))

    def leaves(self, id: str) -> Iterator[tuple[str, str, bool]]:
        """What is in a message: the id from outside, the path of the part, and whether it was in a group."""
        yield from self._leaves(id, frozenset())

    def _leaves(self, id: str, within: frozenset[str]) -> Iterator[tuple[str, str, bool]]:
        for known, path in _prefixes(id):
            if known in self._members and known not in within:
                for member in self._members[known]:
                    for root, inner, _ in self._leaves(member, within | {known}):
                        yield root, inner, True
                return
            if known in self.arrivals:
                yield self._aliases.get(known, known), path, False
                return


def _prefixes(id: str) -> Iterator[tuple[str, str]]:
    """An id without its last parts, one after the other, each with the path that was cut off.

    >>> list(_prefixes("m1/0"))
    [('m1/0', ''), ('m1', '/0')]
    """
    known = id
    while known:
        yield known, id[len(known) :]
        known = known.rpartition("/")[0]
