"""The shapes of a route author's functions."""

import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

from routekit import DefinitionError, Message, in_thread
from routekit.callables import arity, called, calling, name_of


def one(body: Any) -> Any:
    return body


def two(body: Any, message: Message[Any]) -> Any:
    return message.id, body


def starred(*args: Any) -> Any:
    return args


async def later(body: Any) -> Any:
    return body


class Callable1:
    def __call__(self, body: Any) -> Any:
        return body

    def method(self, body: Any, message: Message[Any]) -> Any:
        return message.id


@wraps(two)
def wrapping(*args: Any) -> Any:
    return two(*args)


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (one, 1),
        (two, 2),
        (starred, 1),
        (later, 1),
        (lambda body, factor=2: body, 1),
        (lambda body=None: body, 1),
        (lambda body, *rest: body, 1),
        (lambda body, message, more=1: body, 2),
        (lambda body, **options: body, 1),
        (partial(two, message=Message(1)), 1),
        (partial(lambda a, b, c: a, 1), 2),
        (Callable1(), 1),
        (Callable1().method, 2),
        (wrapping, 2),
        (str, 1),
        (int, 1),
        (len, 1),
        (str.upper, 1),
        (dict, 1),
    ],
)
def test_a_function_wants_the_body_or_the_message_too(function: Callable[..., Any], wanted: int) -> None:
    """Judged by the parameters that have no default."""
    assert arity(function) == wanted


@pytest.mark.parametrize("function", [lambda: 1, lambda a, b, c: 1, lambda body, *, flag: 1, lambda *, flag: 1])
def test_other_shapes_are_refused(function: Callable[..., Any]) -> None:
    """With the parameters that were found."""
    with pytest.raises(DefinitionError, match=r"\(body\) or \(body, message\), found .*\("):
        arity(function)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("function", "result"), [(one, 5), (two, ("m", 5)), (later, 5), (lambda b: later(b), 5), (starred, (5,))]
)
async def test_a_call_gets_what_it_wants(function: Callable[..., Any], result: Any) -> None:
    """And what it gives is awaited if it has to be."""
    assert await called(calling(function), Message(5, id="m")) == result


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (one, "one"),
        (partial(partial(two, 1), message=2), "two"),
        (Callable1.method, "Callable1.method"),
        (Callable1(), "Callable1"),
        (str.upper, "str.upper"),
        (lambda order: order.id > 1, "order.id > 1"),
        (eval("lambda x: x"), "lambda at line 1"),
    ],
)
def test_a_function_is_named_as_people_would(function: Callable[..., Any], name: str) -> None:
    """By its name, or by what a lambda says."""
    assert name_of(function) == name


def test_a_function_within_a_function_is_named_alone() -> None:
    """Without where it stands."""

    def inner(body: Any) -> Any:
        return body

    assert name_of(inner) == "inner"


@pytest.mark.anyio
@pytest.mark.real_time
async def test_a_blocking_function_runs_in_a_thread() -> None:
    """With all arguments, its name kept, its errors raised."""

    def where(body: int, *, plus: int = 0) -> tuple[int, int]:
        if body < 0:
            raise ValueError("negative")
        return threading.get_ident(), body + plus

    threaded = in_thread(where)
    thread, result = await threaded(1, plus=2)
    assert (thread != threading.get_ident(), result, threaded.__name__) == (True, 3, "where")
    assert arity(threaded) == 1
    with pytest.raises(ValueError, match="negative"):
        await threaded(-1)
