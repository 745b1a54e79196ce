"""What a status means: done, worth another try, absent, or refused for good."""

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

Ranges: TypeAlias = tuple[tuple[int, int], ...]


def ranges(text: object) -> object:
    """A comma list of statuses and ranges of them; what is not text is left for pydantic to judge.

    >>> ranges("200-299, 404")
    ((200, 299), (404, 404))
    """
    if isinstance(text, int):
        text = str(text)
    if not isinstance(text, str):
        return text
    found: list[tuple[int, int]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, _, last = part.partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise ValueError(f"'{part}' is no status and no range of them, such as 200-299")
        low, high = int(first), int(last or first)
        if not 100 <= low <= high <= 599:
            raise ValueError(f"'{part}' is not between 100 and 599")
        found.append((low, high))
    return tuple(found)


Statuses = Annotated[Ranges, BeforeValidator(ranges)]
"""An option that names statuses: `200-299,404`."""


def within(status: int, of: Ranges) -> bool:
    """Whether the status is one of these.

    >>> within(204, ((200, 299),)), within(404, ((200, 299),))
    (True, False)
    """
    return any(low <= status <= high for low, high in of)
