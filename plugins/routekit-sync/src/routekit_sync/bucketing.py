"""Buckets: sums of digests by ranges of ids, by which two long lists are compared without having them side by side."""

from array import array
from collections.abc import Iterator
from hashlib import blake2b

DEPTH = 12
"""So many times the ranges are halved: 4,096 buckets of 8 bytes, whatever the number of records."""


def place(id: str, depth: int = DEPTH) -> int:
    """The bucket of an id; ids that look alike are spread over all of them."""
    return int.from_bytes(blake2b(id.encode(), digest_size=4).digest(), "big") >> (32 - depth)


class Buckets:
    """What a list holds, in a size that does not depend on it: each entry adds its digest to the bucket of its id.

    Entries may come in any order. Two lists with the same entries have the same buckets; an entry that is missing,
    added or different shows in its own.
    """

    def __init__(self, depth: int = DEPTH) -> None:
        self.depth = depth
        self._sums = array("Q", bytes(8 << depth))

    def add(self, id: str, content: str) -> None:
        """Count an entry in; one that is counted twice does not cancel itself."""
        digest = blake2b(f"{id}\x1f{content}".encode(), digest_size=8).digest()
        where = place(id, self.depth)
        self._sums[where] = (self._sums[where] + int.from_bytes(digest, "big")) & 0xFFFFFFFFFFFFFFFF

    def differing(self, other: "Buckets") -> Iterator[int]:
        """The buckets that are not the same in both, found by halving the ranges that differ.

        Both have the same depth.
        """
        yield from _halved(self, other, 0, 1 << self.depth)

    def same(self, other: "Buckets", start: int, end: int) -> bool:
        """Whether a range is the same in both: bucket by bucket, as two differences may cancel out in a sum."""
        return self._sums[start:end] == other._sums[start:end]


def _halved(one: Buckets, other: Buckets, start: int, end: int) -> Iterator[int]:
    if one.same(other, start, end):
        return
    if end - start == 1:
        yield start
        return
    middle = (start + end) // 2
    yield from _halved(one, other, start, middle)
    yield from _halved(one, other, middle, end)
