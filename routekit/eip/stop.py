"""Stop: the message ends here, successfully."""

from dataclasses import dataclass
from typing import TypeVar

from ..step import Handler, Runtime, Step, ended

T = TypeVar("T")


@dataclass(frozen=True)
class Stop(Step[T, T]):
    """Nothing after it runs; the message is acknowledged."""

    ends = True

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        return lambda message: ended()
