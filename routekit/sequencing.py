"""Numbers in order: which message of a sequence goes on next, and how long a missing one is waited for.

Nothing is awaited here; times are wall time in seconds since 1970.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """What goes on now: the messages of one number, and the numbers from `missing` on that were given up for it."""

    number: int
    messages: Sequence[int]
    missing: int | None = None


class Numbering:
    """One sequence. Messages are known by the numbers of their groups, and by their own numbers in the sequence."""

    def __init__(self, next: int | None) -> None:
        self.next = next
        """The number that goes on next; None until a message has begun the sequence."""
        self._messages: dict[int, list[int]] = {}
        self._since: dict[int, float] = {}  # when the first message of a number came; in that order
        self._coming: Counter[int] = Counter()
        self._given_up: int | None = None  # no gap before this number is waited for

    @property
    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return sum(map(len, self._messages.values()))

    @property
    def idle(self) -> bool:
        """Whether nothing waits or comes."""
        return not self._messages and not self._coming

    def late(self, number: int) -> bool:
        """Whether the sequence has gone past that number."""
        return self.next is not None and number < self.next

    def announce(self, number: int) -> None:
        """A message of that number is being kept: the sequence does not go past it."""
        self._coming[number] += 1

    def dismiss(self, number: int) -> None:
        """It was not kept, or has been by now."""
        self._coming[number] -= 1
        if not self._coming[number]:
            del self._coming[number]

    def add(self, number: int, message: int, since: float) -> None:
        """A message waits for its turn."""
        self._messages.setdefault(number, []).append(message)
        self._since.setdefault(number, since)

    def give_up(self, *, all_gaps: bool = False) -> None:
        """Wait no longer for what is missing before the next message, or before any that waits."""
        if self._messages:
            self._given_up = max(self._messages) if all_gaps else min(self._messages)

    def due(self, gap: float) -> float | None:
        """When the next turn is: 0 for at once; None if that cannot be known before more has come."""
        if not self._messages:
            return None
        first = self._first()
        if any(number <= first for number in self._coming):
            return None
        if first == self.next or (self._given_up is not None and first <= self._given_up):
            return 0.0
        return next(iter(self._since.values())) + gap

    def turn(self, now: float, gap: float) -> Turn | None:
        """The next messages, if it is their turn."""
        due = self.due(gap)
        if due is None or due > now:
            return None
        number = self._first()
        missing = None if self.next in (None, number) else self.next
        self.next = number + 1
        del self._since[number]
        return Turn(number, self._messages.pop(number), missing)

    def _first(self) -> int:
        return self.next if self.next is not None and self.next in self._messages else min(self._messages)
