"""Looking: what of a message a trace takes down at once, since it may change, and what it can tell later."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from ..isolation import unchanging
from ..message import Message
from ..sensitive import seen_body
from ..step import Step
from .reading import values_read

MOST_BODY: Final = 4_000
"""Characters of a body that are kept."""

MOST_OF_ALL: Final = 200_000
"""Characters of all bodies of one trace that are kept."""


Known: TypeAlias = dict[int, tuple[object, Any, Mapping[str, str]]]
"""Bodies that cannot change, by their identity, as they are shown and with the sensitive texts in them."""


class Sight:
    """A message as it was at one moment: `data` once it has been told, and the values that its step decided by."""

    __slots__ = ("_look", "data", "message", "step", "texts", "values")

    def __init__(self, look: "Look", message: Message[Any], step: Step[Any, Any] | None) -> None:
        self._look: Final = look
        self.message: Message[Any] | None = message
        self.step: Final = step
        self.data: Any = None
        self.texts: Mapping[str, str] = {}
        self.values: Sequence[str] = ()

    def told(self, known: "Known | None" = None) -> "Sight":
        """The same, with all that is kept of the message, which is let go; `known` are bodies told before."""
        message = self.message
        if message is not None:
            self.message = None
            keys, body = self._look.keys, message.body
            found = None if known is None else known.get(id(body))
            if found is None:
                found = body, *seen_body(body, keys=keys, most=MOST_BODY)
                if known is not None:
                    known[id(body)] = found
            _, data, self.texts = found
            self.data = data if self._look.bodies else None
            if self.step is not None:
                read = (values_read(one, message, self.texts, keys) for one in self.step.decides_by())
                self.values = list(dict.fromkeys(value for values in read for value in values))
        return self


@dataclass(frozen=True, slots=True)
class Look:
    """How a route's traces look at messages: `bodies` are kept or not, `keys` are further sensitive names."""

    bodies: bool = True
    keys: Sequence[str] = ()
    _names: dict[Any, str] = field(default_factory=dict[Any, str])

    def named(self, what: Any, name: Callable[[], str]) -> str:
        """A name that takes long to make, once for each thing; it has to live as long as the route."""
        found = self._names.get(what)
        if found is None:
            found = self._names[what] = name()
        return found

    def at(self, message: Message[Any], step: Step[Any, Any] | None = None) -> Sight:
        """The message as it is now."""
        sight = Sight(self, message, step)
        return sight if unchanging(cast("type[Any]", type(message.body))) else sight.told()
