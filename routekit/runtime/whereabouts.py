"""Whereabouts: which message the code that runs right now works at, found when somebody asks.

No message pays for it: nothing is noted while they run. The frames of the running code are looked through, from the
inside to the outside, for those of steps, which know their names, and of `Processing.process`, which knows the message.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any, cast

from ..callables import BLAME, Own, in_worker
from ..events import Counts
from ..message import Message
from .failure import Failure
from .processing import Processing

_PLAIN = (dict, list, str, bytes, bytearray)
"""Bodies that do not say by themselves what is sensitive in them."""

_DEEP = 10_000
"""So many calls inside one another are looked through."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A message, the route that it is in, and the step that it is at; `source` before the first one.

    `kind` is what the body that came into the route is declared as, where that is known.
    """

    route: str
    step: str
    message: Message[Any]
    kind: Any = None


def whereabouts(frame: FrameType | None = None) -> Whereabouts | None:
    """Those of the code that calls this, or runs in a frame; None if that works at no message."""
    message: Message[Any] | None = None
    step: Failure | None = None
    for one in _outwards(frame or sys._getframe(1)):  # pyright: ignore[reportPrivateUsage]  # the only way to callers
        step = step or step_at(one)
        message = message or _message_in(one)
        if step is not None and message is not None and not isinstance(message.body, _PLAIN):
            return Whereabouts(step.route, step.step, message)
        found = processing_at(one)
        if found is not None:
            at, route = (step.step, step.route) if step is not None else ("source", found[1])
            return Whereabouts(route, at, message if step is not None and message else found[2], _kind(one))
    return None if step is None or message is None else Whereabouts(step.route, step.step, message)


def _kind(frame: FrameType) -> Any:
    return frame.f_locals["self"].kind


def processing_at(frame: FrameType) -> tuple[Counts, str, Message[Any]] | None:
    """The counts, the route and the message of a frame that processes a message."""
    if frame.f_code is not Processing.process.__code__:
        return None
    processing, taken = frame.f_locals["self"], frame.f_locals.get("taken")
    return None if taken is None else (processing.counts, taken.meta.route, taken)


def step_at(frame: FrameType) -> Failure | None:
    """The step that a frame belongs to, if it is one of those around them; see `observed`."""
    failure = frame.f_locals.get("failure") if _has(frame, "failure") else None
    if frame.f_code is Own.__await__.__code__:
        failure = getattr(getattr(frame.f_locals["self"], "_handler", None), BLAME, None)
        failure = getattr(failure, "keywords", {}).get("failure")
    return failure if isinstance(failure, Failure) else None


def _message_in(frame: FrameType) -> Message[Any] | None:
    """The message that a step's function is about, where a frame has one by that name."""
    if not _has(frame, "message"):
        return None
    found = cast("object", frame.f_locals.get("message"))
    return cast("Message[Any]", found) if isinstance(found, Message) and found.meta.route else None


def _has(frame: FrameType, name: str) -> bool:
    code = frame.f_code
    return name in code.co_varnames or name in code.co_freevars or name in code.co_cellvars


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it; from a worker thread on into those that wait for it."""
    for _ in range(_DEEP):
        if frame is None:
            return
        yield frame
        if frame.f_code is in_worker.__code__:
            yield from cast("list[FrameType]", list(frame.f_locals["frames"]))
            return
        frame = frame.f_back
