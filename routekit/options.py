"""Options that people write: checked into a model, explained when they are wrong, printed without their secrets."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .errors import BadOption, did_you_mean
from .secrecy import MASK as MASK
from .secrecy import hidden

M = TypeVar("M", bound=BaseModel)


def made(kind: type[M], values: Mapping[str, Any], of: str) -> M:
    """The model `kind` of these values; raises BadOption, which names `of` and offers the nearest known option."""
    for name in values:
        if name not in kind.model_fields:
            raise BadOption(f"{of}: has no option '{name}'", hint=did_you_mean(name, kind.model_fields))
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise BadOption(f"{of}: {options_wrong(error)}", hint=f"routekit describe {of}") from None


def options_wrong(error: ValidationError) -> str:
    """What pydantic found, one sentence for each option, without links and without secrets."""
    rows: list[str] = []
    for problem in error.errors(include_url=False):
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing":
            rows.append(f"'{name}' is missing")
        else:
            found = "" if _SECRET.search(name) else f", found {masked(repr(problem.get('input')))}"
            text = problem["msg"].removeprefix("Value error, ")
            rows.append(f"'{name}': {text[:1].lower()}{text[1:]}{found}" if name else text)
    return "; ".join(rows)


_SECRET = re.compile(r"passw|passphrase|pwd|secret|token|(?:api|access|private)[-_]?key|credential", re.IGNORECASE)
_USERINFO = re.compile(r"(://[^/?#\s:@]*:)[^/?#\s]+@")  # to the last @, which people forget to encode
_QUERY = re.compile(rf"([?&][\w.-]*(?:{_SECRET.pattern})[\w.-]*=)[^&\s]+", re.IGNORECASE)


def sounds_secret(name: str) -> bool:
    """Whether an option of that name holds what nobody may read.

    >>> sounds_secret("password"), sounds_secret("api_key"), sounds_secret("key")
    (True, True, False)
    """
    return _SECRET.search(name) is not None


def masked(text: str) -> str:
    """A text that may hold URIs, with the passwords and secret options in them hidden, and all that is known as secret.

    >>> masked("amqp://me:hunter2@host/v?api_key=abc&x=1")
    'amqp://me:***@host/v?api_key=***&x=1'
    """
    return hidden(_QUERY.sub(rf"\g<1>{MASK}", _USERINFO.sub(rf"\g<1>{MASK}@", text)))
