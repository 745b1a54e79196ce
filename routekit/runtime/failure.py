"""Which step of a route failed: noted on the error once, where steps are bound, and read where letters are written."""

import inspect
from dataclasses import dataclass, replace
from functools import partial
from traceback import walk_tb
from types import FunctionType
from typing import Any, cast

from ..callables import BLAME
from ..discretion import concerns
from ..message import Message
from ..place import Place
from ..step import Handler
from .tallies import Cell

_ATTRIBUTE = "__routekit_failure__"


@dataclass(frozen=True, slots=True)
class Failure:
    """The step that raised, with the place where it was written, and the message that it got, if that is known."""

    route: str
    step: str
    place: Place
    message: Message[Any] | None = None
    cell: Cell | None = None
    """Where the failures of the step are counted, if they are."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Failure":
        """Itself: an error may be a body, and is copied with it; that must not drag the message along."""
        return self


def observed(
    handler: Handler[Any], route: str, step: str, place: Place, cell: Cell | None = None, *, counts: bool = False
) -> Handler[Any]:
    """The same handler, whose errors know where they come from. It costs nothing but a call while all goes well.

    With a `cell` the traces of its messages are told of it, and what enters it `counts` there, or not.
    """
    failure = Failure(route, step, place, cell=cell)
    if cell is not None:
        return _watched(handler, failure, cell, counts)
    if not inspect.iscoroutinefunction(handler):

        def plain(message: Message[Any]) -> Any:
            try:
                return handler(message)
            except Exception as error:
                _note(error, failure, message)
                raise

        _blamed(handler, failure)
        return plain

    async def waiting(message: Message[Any]) -> Message[Any] | None:
        try:
            return await handler(message)
        except Exception as error:
            _note(error, failure, message)
            raise

    return waiting


def _watched(handler: Handler[Any], failure: Failure, cell: Cell, counts: bool) -> Handler[Any]:
    """As `observed`, and what is called when all goes well can be changed: while a message is followed, and back.

    So a look at each message for its trace, which most have not, costs nothing at the steps.
    """
    called = noting = handler

    def followed(message: Message[Any]) -> Any:
        trace = message.meta.trace
        return handler(message) if trace is None else trace.step(cell.spot, noting, message)

    def follow(following: bool) -> None:
        nonlocal called
        called = followed if following else handler

    cell.follow = follow
    if not inspect.iscoroutinefunction(handler):
        _blamed(handler, failure)

        def noted(message: Message[Any]) -> Any:  # what a trace gives is awaited outside of `plain`
            try:
                return handler(message)
            except Exception as error:
                _note(error, failure, message)
                raise

        noting = noted

        def plain(message: Message[Any]) -> Any:
            try:
                return called(message)
            except Exception as error:
                _note(error, failure, message)
                raise

        def counted(message: Message[Any]) -> Any:
            cell.count += 1
            try:
                return called(message)
            except Exception as error:
                _note(error, failure, message)
                raise

        return counted if counts else plain

    async def waiting(message: Message[Any]) -> Message[Any] | None:
        try:
            return await called(message)
        except Exception as error:
            _note(error, failure, message)
            raise

    async def counted_waiting(message: Message[Any]) -> Message[Any] | None:
        cell.count += 1
        try:
            return await called(message)
        except Exception as error:
            _note(error, failure, message)
            raise

    return counted_waiting if counts else waiting


def _blamed(handler: Handler[Any], failure: Failure) -> None:
    """Let a plain handler take the errors of what it waits for after it has returned."""
    if isinstance(handler, FunctionType):
        setattr(handler, BLAME, partial(_note_later, failure=failure))


def failure_of(error: BaseException) -> Failure | None:
    """Where an error was first seen, if it passed a step."""
    return getattr(error, _ATTRIBUTE, None)


def _note_later(error: Exception, failure: Failure) -> None:
    """As `_note`, for what has no message at hand: it is found where the step waits for its function."""
    for frame, _ in walk_tb(error.__traceback__):
        message: object = frame.f_locals.get("message")
        if isinstance(message, Message):
            return _note(error, failure, cast("Message[Any]", message))
    return _note(error, failure)


def _note(error: Exception, failure: Failure, message: Message[Any] | None = None) -> None:
    if message is not None:
        concerns(error, message)
    if hasattr(error, _ATTRIBUTE):
        return
    if message is not None:
        failure = replace(failure, message=message)
    try:
        setattr(error, _ATTRIBUTE, failure)
    except AttributeError:  # an exception with slots: it goes unmarked
        return
    if failure.cell is not None:
        failure.cell.failures += 1
    error.add_note(f"in route {failure.route}, step {failure.step} ({failure.place})")
