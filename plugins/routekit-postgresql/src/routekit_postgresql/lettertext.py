"""Dead letters as JSON text, in the form in which the stores of the core keep them."""

import json
from dataclasses import fields
from typing import Any, Final

from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

from routekit import Letter, StoreError

VERSION: Final = 1
"""Of the text; one of a later release may have another, and is not read."""

_FIELDS: Final = tuple(field.name for field in fields(Letter))


def text_of(letter: Letter) -> str:
    """The letter as JSON; raises StoreError if its body is not JSON-ready."""
    try:
        return _text(letter)
    except (PydanticSerializationError, RecursionError) as error:
        hint = "give `routekit.letter.packed(body)` as its body"
        raise StoreError(f"letter {letter.id} cannot be kept: {error}", hint=hint) from error


def _text(letter: Letter) -> str:
    """As it is; with escapes if there is half a character in it, as in a file's name that is no UTF-8."""
    data = {"version": VERSION, **{name: getattr(letter, name) for name in _FIELDS}}
    try:
        return to_json(data, inf_nan_mode="strings").decode()
    except PydanticSerializationError as error:
        if "surrogates not allowed" not in str(error):
            raise
        return json.dumps(to_jsonable_python(data, inf_nan_mode="strings"))


def letter_of(text: str) -> Letter:
    """The letter that `text_of` wrote; fields that it need not know are left out.

    Raises StoreError for one that a later release has written in another way; it stays where it is.
    """
    try:
        data: dict[str, Any] = from_json(text)
    except ValueError:  # escapes of half characters
        data = _escaped(text)
    version = data.get("version", VERSION)
    if version != VERSION:
        found = f"letter {data.get('id')} was kept in version {version}, this RouteKit reads versions up to {VERSION}"
        raise StoreError(found, hint="upgrade RouteKit; the letter stays where it is")
    return Letter(**{name: value for name, value in data.items() if name in _FIELDS})


def _escaped(text: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except ValueError as error:
        raise StoreError(f"what was kept is no letter: {error}", hint="the store is damaged: look at it") from error
