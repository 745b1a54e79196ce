"""What a query that may find several values gives."""

from typing import Any

from ..absence import Missing
from ..errors import BodyError


def picked(found: list[Any], *, one: bool, missing: object, asked: str) -> Any:
    """All that was found, or the only one; raises BodyError if it is not one, and none may not be `missing`."""
    if not one:
        return found
    if len(found) == 1:
        return found[0]
    if not found:
        if isinstance(missing, Missing):
            raise BodyError(f"{asked} finds nothing", hint="give missing=... if it need not be there")
        return missing
    raise BodyError(f"{asked} finds {len(found)} values where one is wanted")


def named(function: object, name: str) -> None:
    """Give a callable value the name by which drawings and errors call it."""
    object.__setattr__(function, "__qualname__", name)


def shown(text: str, most: int = 60) -> str:
    """A query as it was written, if it is short."""
    return repr(text if len(text) <= most else f"{text[:most]}...")
