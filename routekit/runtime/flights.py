"""Flights: which messages are at work now, found when somebody asks.

No message pays for it: nothing is noted while they run. Their tasks are looked through, from the outside to where each
waits, for the frames of `Processing.process`, which know the message, and of steps, which know their names.
"""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from inspect import isasyncgen, iscoroutine, isgenerator
from types import FrameType
from typing import Any

import anyio

from ..events import Counts, Flight
from ..message import Message
from .whereabouts import processing_at, step_at

_DEEP = 10_000
"""So many calls inside one another are looked through."""


def flights(routes: Iterable[Counts], now: Callable[[], float]) -> Sequence[Flight]:
    """The messages that are at work in the routes of these counts, the oldest first.

    A message that waits for its turn behind another one, or for a source to be told, is not among them.
    """
    wanted = {id(counts) for counts in routes}
    time = now()
    found = [
        (message.meta.received, Flight(route, message.id, step, max(0.0, time - message.meta.received)))
        for task in anyio.get_running_tasks()
        for counts, route, message, step in _passing(task)
        if id(counts) in wanted
    ]
    return [flight for _, flight in sorted(found, key=lambda one: (one[0], one[1].message_id))]


def is_within(counts: Counts) -> bool:
    """Whether the caller acts for a message that is at work in the route of these counts, in a task of it or below."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # the only way to those who wait for the caller
    while frame is not None:
        if _is_of(frame, counts):
            return True
        frame = frame.f_back
    tasks = {task.id: task for task in anyio.get_running_tasks()}
    task = tasks.get(anyio.get_current_task().parent_id or 0)
    while task is not None:
        if any(_is_of(frame, counts) for frame in _frames(task.coro)):
            return True
        task = tasks.get(task.parent_id or 0)
    return False


def _is_of(frame: FrameType, counts: Counts) -> bool:
    found = processing_at(frame)
    return found is not None and found[0] is counts


def _passing(task: anyio.TaskInfo) -> Iterator[tuple[Counts, str, Message[Any], str]]:
    """The messages that a task is at, the outer ones first, each with the step that it has come to."""
    at: tuple[Counts, str, Message[Any]] | None = None
    step = ""
    for frame in _frames(task.coro):
        found = processing_at(frame)
        if found is not None:
            if at is not None:
                yield (*at, step)
            at, step = found, "source"
        else:
            failure = step_at(frame)
            step = step if failure is None else failure.step
    if at is not None:
        yield (*at, step)


def _frames(awaited: Any) -> Iterator[FrameType]:
    """The frames of a coroutine, and of what it waits for."""
    for _ in range(_DEEP):
        if iscoroutine(awaited):
            frame, following = awaited.cr_frame, awaited.cr_await
        elif isgenerator(awaited):
            frame, following = awaited.gi_frame, awaited.gi_yieldfrom
        elif isasyncgen(awaited):
            frame, following = awaited.ag_frame, awaited.ag_await
        else:  # an iterator of one of them, which does not name it
            frame, following = None, next(filter(_waits, gc.get_referents(awaited)), None)
        if frame is not None:
            yield frame
        if following is None:
            return
        awaited = following


def _waits(thing: object) -> bool:
    return iscoroutine(thing) or isgenerator(thing) or isasyncgen(thing)
