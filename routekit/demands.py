"""What the values of options have to be: refused with the option, what was found, and what to write instead."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar, cast

from .errors import DefinitionError

K = TypeVar("K")
V = TypeVar("V")


def whole(option: str, value: Any, *, least: int = 1) -> None:
    """Refuse what is not an int of `least` or more; `option` names it, as in `batch 'orders': size`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise DefinitionError(f"{option} is {value!r}", hint=f"it must be a whole number, {least} or more")
    if value < least:
        raise DefinitionError(f"{option} is {value}", hint=f"it must be {least} or more")


def amount(option: str, value: Any, *, least: float | None = None) -> None:
    """Refuse what is not a number above 0; with `least`, of that or more. Without end is not a number."""
    wanted = "more than 0" if least is None else f"{least:g} or more"
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise DefinitionError(f"{option} is {value!r}", hint=f"it must be a number, {wanted}")
    if not (value > 0 if least is None else value >= least):
        raise DefinitionError(f"{option} is {value}", hint=f"it must be {wanted}")


def texts(option: str, given: str | Sequence[str]) -> tuple[str, ...]:
    """One text or several, as several."""
    several = cast("object", (given,) if isinstance(given, str) else given)
    if not isinstance(several, Sequence):
        raise DefinitionError(f"{option} is {given!r}", hint="write a text, or several in a list")
    for one in cast("Sequence[object]", several):
        if not isinstance(one, str):
            raise DefinitionError(f"one of {option} is {one!r}", hint="write a text")
    return tuple(cast("Sequence[str]", several))


def mapping(option: str, given: Mapping[K, V]) -> Mapping[K, V]:
    """The mapping, once it is known to be one."""
    if not isinstance(cast("object", given), Mapping):
        raise DefinitionError(f"{option} is {given!r}", hint="write a dict: {...: lambda flow: ...}")
    return given


def errors(option: str, given: object) -> None:
    """Refuse what is not a class of errors, or a tuple of them."""
    for kind in cast("tuple[object, ...]", given if isinstance(given, tuple) else (given,)):
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise DefinitionError(f"{option} is {given!r}", hint="give a class of errors, or a tuple of them")


def one_of(option: str, value: object, words: Sequence[str]) -> None:
    """Refuse what is none of these words."""
    if value not in words:
        *others, last = [f"'{word}'" for word in words]
        raise DefinitionError(f"{option} is {value!r}", hint=f"it must be {', '.join(others)} or {last}")
