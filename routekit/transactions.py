"""What one message does in a database in one transaction: its effects, the mark that it was there, and what it sends.

An endpoint whose other side can do that is a `Transactor`; the word `transaction` is what asks it to. Messages that go
elsewhere wait in an outbox, of the same database, until they have been sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .message import Message


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that waits in an outbox.

    `number` says when it came in among the others; it is given by the database. Messages with the same `to` and `lane`
    are sent one after the other. `at` is wall time in seconds since 1970.
    """

    number: int
    id: str
    to: str
    lane: str
    message: str
    """The message as text, as the step wrote it."""
    at: float


class Transactions(Protocol):
    """An open `Transactor`, for one word `transaction`. All raise `Unavailable` while the database is away."""

    def effect(self, sink: Any, message: Message[Any], options: Mapping[str, Any]) -> Any:
        """What a send to this sink does in a transaction; nothing is done yet.

        `sink` is one of those that it was opened for, `options` are those that were computed for the message. Raises
        BodyError for a body that the sink would refuse.
        """
        ...

    async def commit(self, id: str, effects: Sequence[Any], outgoing: Sequence[Outgoing]) -> bool:
        """Do all of it, and mark `id` as done: in one transaction, durably when this returns.

        False if the id was marked before: then nothing was changed. An empty id is not marked. Raises BodyError if an
        effect is refused: then nothing of it was done.
        """
        ...

    async def take(self, *, owner: str, after: int = 0) -> Sequence[Outgoing] | None:
        """Some of the messages that wait, those numbered above `after`, oldest first; empty if there are no more.

        One owner ships at a time: None while another one does, until that has left or was not heard of for the time
        of its lease.
        """
        ...

    async def sent(self, numbers: Sequence[int]) -> None:
        """Forget these messages: the other side has confirmed them."""
        ...

    async def leave(self, *, owner: str) -> None:
        """Let others ship, if it was this owner who did."""
        ...

    async def waiting(self) -> tuple[int, float | None]:
        """How many messages wait, and since when the oldest one does."""
        ...

    async def news(self) -> None:
        """Return when other processes may have put something in: told by the database, or after a while."""
        ...
