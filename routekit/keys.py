"""The keys that a route author's function gives: as a text that is the same in every process, today and tomorrow."""

from collections.abc import Callable
from typing import Any

from .callables import name_of
from .errors import BodyError


def key_text(key: object, function: Callable[..., Any]) -> str:
    """The key as a store keeps it; 1 and "1" are two keys. Raises BodyError for one that would never come again.

    >>> key_text("a", str), key_text(1, str), key_text((1, "a"), str)
    ('a', 'int:1', "tuple:(1, 'a')")
    """
    if key is None or key == "":
        raise BodyError(f"the key is empty, asked of {name_of(function)}", hint="filter such messages first")
    if isinstance(key, str):
        return key
    text = repr(key)
    if " at 0x" in text or type(key) in (set, frozenset):  # the order of a set is another one in each process
        reason = f"the key that {name_of(function)} gave is a {type(key).__name__}, which is another one each time"
        raise BodyError(reason, hint="give a text, a number, or a tuple of them")
    return f"{type(key).__name__}:{text}"
