"""Switches: on or off, turned by the control bus while routes run."""

from dataclasses import dataclass
from typing import cast

from .errors import DefinitionError


@dataclass(frozen=True)
class Switch:
    """On or off; `on` is how it stands until it is turned for the first time.

    `name` owns its state in the store, so that it stands as it was left after a restart.
    """

    name: str
    on: bool = False

    def __post_init__(self) -> None:
        if not isinstance(cast("object", self.name), str) or not self.name:
            found = f"a switch is named {self.name!r}" if self.name else "a switch has no name"
            raise DefinitionError(found, hint="its name owns its state: write Switch('audit')")

    def __str__(self) -> str:
        return self.name
