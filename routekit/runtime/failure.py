"""Which step of a route failed: noted on the error once, where steps are bound, and read where letters are written."""

import inspect
from dataclasses import dataclass
from functools import partial
from types import FunctionType
from typing import Any

from ..callables import BLAME
from ..message import Message
from ..place import Place
from ..step import Handler

_ATTRIBUTE = "__routekit_failure__"


@dataclass(frozen=True, slots=True)
class Failure:
    """The step that raised, with the place where it was written."""

    route: str
    step: str
    place: Place


def observed(handler: Handler[Any], route: str, step: str, place: Place) -> Handler[Any]:
    """The same handler, whose errors know where they come from. It costs nothing but a call while all goes well."""
    failure = Failure(route, step, place)
    if not inspect.iscoroutinefunction(handler):

        def plain(message: Message[Any]) -> Any:
            try:
                return handler(message)
            except Exception as error:
                _note(error, failure)
                raise

        if isinstance(handler, FunctionType):  # for what it waits for after it has returned
            setattr(handler, BLAME, partial(_note, failure=failure))
        return plain

    async def waiting(message: Message[Any]) -> Message[Any] | None:
        try:
            return await handler(message)
        except Exception as error:
            _note(error, failure)
            raise

    return waiting


def failure_of(error: BaseException) -> Failure | None:
    """Where an error was first seen, if it passed a step."""
    return getattr(error, _ATTRIBUTE, None)


def _note(error: Exception, failure: Failure) -> None:
    if hasattr(error, _ATTRIBUTE):
        return
    try:
        setattr(error, _ATTRIBUTE, failure)
    except AttributeError:  # an exception with slots: it goes unmarked
        return
    error.add_note(f"in route {failure.route}, step {failure.step} ({failure.place})")
