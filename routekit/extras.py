"""Libraries that not everybody needs: imported when something of theirs is written, named when they are missing."""

from importlib import import_module
from typing import Any

from .errors import DefinitionError

DISTRIBUTION = "routekit-eip"


def library(module: str, *, extra: str, asked: str) -> Any:
    """The module; raises DefinitionError that says what to install for `asked`.

    >>> library("nowhere_to_be_found", extra="xpath", asked="xpath()")
    Traceback (most recent call last):
    routekit.errors.DefinitionError: xpath() needs a library that is not installed; pip install 'routekit-eip[xpath]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the library is there and broken: say so
        hint = f"pip install '{DISTRIBUTION}[{extra}]'"
        raise DefinitionError(f"{asked} needs a library that is not installed", hint=hint) from None
