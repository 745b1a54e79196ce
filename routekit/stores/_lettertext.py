"""Dead letters as JSON text, as the stores keep them."""

from dataclasses import fields
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from ..errors import StoreError
from ..letter import Letter

_FIELDS = frozenset(field.name for field in fields(Letter))


def text_of(letter: Letter) -> bytes:
    """The letter as JSON; raises StoreError if its body is not JSON-ready."""
    try:
        return to_json(letter, inf_nan_mode="strings")
    except (PydanticSerializationError, RecursionError) as error:
        hint = "give `routekit.letter.packed(body)` as its body"
        raise StoreError(f"letter {letter.id} cannot be kept: {error}", hint=hint) from error


def letter_of(text: bytes | str) -> Letter:
    """The letter that `text_of` wrote; fields that a newer version added are left out."""
    data: dict[str, Any] = from_json(text)
    return Letter(**{name: value for name, value in data.items() if name in _FIELDS})
