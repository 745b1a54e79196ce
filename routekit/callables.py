"""The shapes of a route author's functions, and how they are called.

A function takes `(body)` or `(body, message)`, and is plain or async; which of the four is decided here,
once, when a route is bound. What an async function returns is awaited by the step that called it.
"""

import inspect
import linecache
import sys
from collections.abc import Callable, Coroutine, Generator
from functools import partial, wraps
from types import CodeType, CoroutineType, FrameType, FunctionType
from typing import Any, Final, ParamSpec, TypeAlias, TypeVar

import anyio.to_thread

from .errors import DefinitionError
from .message import Message

T = TypeVar("T")
U = TypeVar("U")
P = ParamSpec("P")

Function: TypeAlias = (
    Callable[[T], Coroutine[Any, Any, U]]
    | Callable[[T, Message[T]], Coroutine[Any, Any, U]]
    | Callable[[T], U]
    | Callable[[T, Message[T]], U]
)
"""What `transform` and its kin accept."""

Predicate: TypeAlias = (
    Callable[[T], Coroutine[Any, Any, bool]]
    | Callable[[T, Message[T]], Coroutine[Any, Any, bool]]
    | Callable[[T], object]
    | Callable[[T, Message[T]], object]
)
"""What `filter` and `when` accept: any truth will do."""

Calling = Callable[[Message[Any]], Any]
Coro: type[Any] = CoroutineType
"""The type of what an async function returns when called; compared by identity on the path of a message."""


_AROUND: Final = 100
"""Frames that are kept while a function is in a worker thread."""

BLAME = "__routekit_blame__"
"""The attribute of a plain handler that takes an error of its own; set where steps are bound."""


class Own:
    """What a plain handler hands on when it has to wait itself: an error in it is then known to be its own."""

    __slots__ = ("_handler", "_work")

    def __init__(self, work: Coroutine[Any, Any, U], handler: Callable[..., Any]) -> None:
        self._work: Final = work
        self._handler: Final = handler

    def __await__(self) -> Generator[Any, Any, Any]:
        try:
            return (yield from self._work.__await__())
        except Exception as error:
            getattr(self._handler, BLAME, id)(error)
            raise


def calling(function: Callable[..., Any]) -> Calling:
    """`function` as one that takes the message; raises DefinitionError if it takes neither one nor two arguments."""
    if arity(function) == 1:
        return lambda message: function(message.body)
    return lambda message: function(message.body, message)


async def called(function: Calling, message: Message[Any]) -> Any:
    """The result of `function`, awaited if there is something to await."""
    result: Any = function(message)
    if type(result) is Coro:
        return await result
    return result


def arity(function: Callable[..., Any]) -> int:
    """How many of (body, message) `function` wants: the parameters without a default, or all if there are fewer.

    >>> arity(lambda body: body), arity(lambda body, message: body), arity(str)
    (1, 2, 1)
    """
    if type(function) is FunctionType and (quick := _plainly(function)):
        return quick
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some builtins have no signature: they take the body
        return 1
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in positional if p.default is p.empty]
    keyword_only = [p for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if keyword_only or len(needed) > 2 or not (positional or _starred(function)):
        name = "a lambda of " if getattr(function, "__name__", "") == "<lambda>" else name_of(function)
        found = f"{name}{inspect.signature(function)}"
        raise DefinitionError(f"a step calls its function with (body) or (body, message), found {found}")
    return 2 if len(needed) == 2 else 1


def _plainly(function: FunctionType) -> int:
    """The same of a function without any frills, for a start with thousands of them; 0 of another."""
    code = function.__code__
    needed = code.co_argcount - len(function.__defaults__ or ())
    frills = code.co_kwonlyargcount or code.co_flags & inspect.CO_VARARGS or function.__dict__
    return 0 if frills or not code.co_argcount or needed > 2 else max(1, needed)


def _starred(function: Callable[..., Any]) -> bool:
    return any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(function).parameters.values())


def name_of(function: Callable[..., Any]) -> str:
    """How a function is named in a drawing or an error: its name, or what a lambda says.

    >>> name_of(str.upper), name_of(arity)
    ('str.upper', 'arity')
    """
    while isinstance(function, partial):
        function = function.func
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", type(function).__name__)
    if isinstance(code, CodeType) and name.endswith("<lambda>"):
        return _said(code) or f"lambda at line {code.co_firstlineno}"
    return name.rpartition("<locals>.")[2]


def _said(code: CodeType, most: int = 60) -> str:
    """The body of a lambda as it was written, if it stands on one line and is short."""
    spans = [(line, start, end) for line, last, start, end in code.co_positions() if line == last and start != end]
    lines = {line for line, _, _ in spans}
    if len(lines) != 1:
        return ""
    line = linecache.getline(code.co_filename, lines.pop() or 0).encode()  # columns count bytes
    said = line[min(start or 0 for _, start, _ in spans) : max(end or 0 for _, _, end in spans)].decode(
        errors="replace"
    )
    return said if len(said) <= most else ""


def in_thread(function: Callable[P, U]) -> Callable[P, Coroutine[Any, Any, U]]:
    """A blocking function as an async one: it runs in a worker thread and the other routes go on."""

    @wraps(function)
    async def threaded(*args: P.args, **kwargs: P.kwargs) -> U:
        frames = _callers()
        try:
            return await anyio.to_thread.run_sync(partial(in_worker, frames, function, *args, **kwargs))
        finally:
            frames.clear()

    return threaded


def in_worker(frames: list[FrameType], function: Callable[P, U], *args: P.args, **kwargs: P.kwargs) -> U:
    """Call a function in a thread; `frames` are those that wait for it, the inner ones first, for who asks there."""
    return function(*args, **kwargs)


def _callers() -> list[FrameType]:
    """The frames of who calls the caller, as many as a step has around it."""
    frames: list[FrameType] = []
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # the only way to callers
    while frame is not None and len(frames) < _AROUND:
        frames.append(frame)
        frame = frame.f_back
    return frames
