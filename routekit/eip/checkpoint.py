"""Checkpoint: from here a message of a durable route goes on after a crash, as it is here."""

from dataclasses import dataclass
from typing import Any, TypeVar

from ..conduct import PLAIN
from ..fitting import fitting
from ..keeping import name_and_body_checked
from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint(Step[T, T]):
    """A point of a durable route that a message does not go back behind: neither after a crash nor for a retry.

    What stands before it is not run again for the message, and what was recorded of it is forgotten. Its dead letter
    is one of this place. The message is stored before it goes on.
    """

    conduct = PLAIN

    name: str
    body: Any

    def __post_init__(self) -> None:
        name_and_body_checked(self.name, self.body, "checkpoint")

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        return runtime.checkpoint(self.name, fitting(self.body), proceed)

    @property
    def label(self) -> str:
        return f"checkpoint({self.name})"
