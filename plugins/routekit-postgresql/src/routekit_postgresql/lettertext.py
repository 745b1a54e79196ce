"""Dead letters as JSON text."""

import json
from dataclasses import fields
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

from routekit import Letter, StoreError

_FIELDS = frozenset(field.name for field in fields(Letter))


def text_of(letter: Letter) -> str:
    """The letter as JSON; raises StoreError if its body is not JSON-ready."""
    try:
        return _text(letter)
    except (PydanticSerializationError, RecursionError) as error:
        hint = "give `routekit.letter.packed(body)` as its body"
        raise StoreError(f"letter {letter.id} cannot be kept: {error}", hint=hint) from error


def _text(letter: Letter) -> str:
    """As it is; with escapes if there is half a character in it, as in a file's name that is no UTF-8."""
    try:
        return to_json(letter, inf_nan_mode="strings").decode()
    except PydanticSerializationError as error:
        if "surrogates not allowed" not in str(error):
            raise
        return json.dumps(to_jsonable_python(letter, inf_nan_mode="strings"))


def letter_of(text: str) -> Letter:
    """The letter that `text_of` wrote; fields that a newer version added are left out."""
    try:
        data: dict[str, Any] = from_json(text)
    except ValueError:  # escapes of half characters
        data = json.loads(text)
    return Letter(**{name: value for name, value in data.items() if name in _FIELDS})
