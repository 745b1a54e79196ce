"""What the journal knows of the message that is handled here: which of its effects have happened, and their results.

It travels with the message into its parts and branches, in a context variable; a route that is not durable has none.
"""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from pydantic_core import to_json

from ..store import Entry

Turn = tuple[str, str]
"""A step, as the route names it, and the id of the message that it sends."""


@dataclass(slots=True, eq=False)
class Recording:
    """One message of a durable route.

    `effects` are those that have happened, by their keys; `unrecorded` are the keys among them that the store does not
    have. With a `place` it goes on at that checkpoint, as the text `kept`. `broken` is why the store did not take
    something; while it is there, the message must not be given up.
    """

    id: str
    born: float
    effects: dict[str, str] = field(default_factory=dict[str, str])
    unrecorded: set[str] = field(default_factory=set[str])
    place: str = ""
    kept: str = ""
    broken: Exception | None = None
    again: bool = False
    """Whether it was left, and is taken up again."""
    done: bool = False
    """Whether it has been handled, and the journal does not know yet."""
    _turns: dict[Turn, int] = field(default_factory=dict[Turn, int])

    def begin(self) -> None:
        """The message is handled from its start, or its checkpoint: each step has its first turn again."""
        self.broken = None
        self._turns.clear()

    def turn(self, step: str, id: str) -> int:
        """How often this step has had that message, now counted: 1 for the first time."""
        number = self._turns.get((step, id), 0) + 1
        self._turns[step, id] = number
        return number

    def failed(self, step: str, id: str, number: int) -> None:
        """That turn has failed: the next try is the same one."""
        if self._turns.get((step, id)) == number:
            self._turns[step, id] = number - 1

    def mark(self, id: str) -> Callable[[], None]:
        """How to go back to the turns of now, for a message and its parts, before they are handled once more."""
        before = {turn: number for turn, number in self._turns.items() if _within(turn[1], id)}

        def back() -> None:
            for turn in [turn for turn in self._turns if _within(turn[1], id)]:
                del self._turns[turn]
            self._turns.update(before)

        return back

    def moved(self, place: str, kept: str) -> None:
        """The message has come to a checkpoint: what was before it is never done again."""
        self.place, self.kept = place, kept
        self.effects.clear()
        self.unrecorded.clear()
        self.begin()


def key_of(step: str, id: str, number: int) -> str:
    """An effect as the journal names it: the step, the id of the message that it sends, and how often it has."""
    return to_json([step, id, number]).decode()


_current: ContextVar[Recording | None] = ContextVar("routekit_recording", default=None)

recording = _current.get
"""The recording of the message that is being handled here, if its route is durable."""

recording_is = _current.set
recording_was = _current.reset


def loaded(entry: Entry, born: float, effects: Mapping[str, str]) -> Recording:
    """What the journal knows of a message that was left."""
    kept = entry.message if entry.place else ""
    return Recording(entry.id, born, dict(effects), place=entry.place, kept=kept, again=True)


def marked(id: str) -> Callable[[], None]:
    """How to go back to the turns of now, before that message is handled once more; see `Recording.mark`."""
    known = recording()
    return _nothing if known is None else known.mark(id)


def _nothing() -> None:
    pass


def _within(id: str, whole: str) -> bool:
    return id == whole or id.startswith(f"{whole}/")
