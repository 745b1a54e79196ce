"""Traced: which messages of a route are followed step by step, for people to look at later."""

from dataclasses import dataclass
from typing import Final, cast
from zlib import crc32

from .demands import amount
from .errors import DefinitionError
from .units import seconds


@dataclass(frozen=True, slots=True)
class Tracing:
    """What is traced of a route, as the field `trace` of its policy says.

    `share`: of its messages, from 0 to 1; the id of a message decides, so that all routes that trace the same share
    trace the same messages. `failed`: keep only the traces of messages that were given up or refused, or of which parts
    were. `bodies`: keep the body in front of each step and behind it, with what is sensitive in it masked. `keep`: for
    how long, in seconds or as `"7d"`; unset: as the settings say, `[retention] traces`, a day.
    """

    share: float = 1.0
    failed: bool = False
    bodies: bool = True
    keep: float | str | None = None

    def __post_init__(self) -> None:
        share = cast("object", self.share)
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
            raise DefinitionError(f"share of a trace is {share!r}", hint="write a number from 0 to 1, such as 0.01")
        if isinstance(seconds(self.keep), str):
            raise DefinitionError(f"keep of a trace is {self.keep!r}", hint='write seconds, or a time such as "7d"')
        if self.seconds is not None:
            amount("keep of a trace", self.seconds)

    @property
    def seconds(self) -> float | None:
        """For how long a trace is kept, if it is said here."""
        return cast("float | None", seconds(self.keep))

    @property
    def bound(self) -> int:
        """What `chance` must be below for a message to be traced."""
        return round(self.share * CHANCES)


CHANCES: Final = 1 << 32
"""What `chance` is below."""


def chance(id: str) -> int:
    """A number that is the same for a message and its parts in all processes, and evenly spread over messages.

    >>> chance("m-1") == chance("m-1/7") != chance("m-2")
    True
    """
    return crc32((whole(id) if "/" in id else id).encode(errors="surrogatepass"))


def whole(id: str) -> str:
    """The id of the message that a part belongs to.

    >>> whole("m-1/7/0"), whole("in/a.csv")
    ('m-1', 'in/a.csv')
    """
    while "/" in id:
        above, _, index = id.rpartition("/")
        if not index.isdigit():
            break
        id = above  # noqa: A001 - it is one
    return id


def tracing_of(value: object) -> Tracing | None:
    """What the field `trace` of a policy, or a setting, says; None: nothing is traced.

    `True` means every message, a number a share of them, and `"failed"` those that fail.
    """
    if value is None or value is False:
        return None
    if isinstance(value, Tracing):
        return value if value.share else None
    if value is True:
        return Tracing()
    if value == "failed":
        return Tracing(failed=True)
    if isinstance(value, int | float):
        return tracing_of(Tracing(share=value))
    raise DefinitionError(f"trace is {value!r}", hint="write True, a share such as 0.01, 'failed', or Tracing(...)")
