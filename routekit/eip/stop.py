"""Stop: the message ends here, successfully."""

from dataclasses import dataclass
from typing import TypeVar

from ..conduct import Conduct
from ..step import Handler, Runtime, Step, ended

T = TypeVar("T")


@dataclass(frozen=True)
class Stop(Step[T, T]):
    """Nothing after it runs; the message is acknowledged."""

    conduct = Conduct(drops="all that come here")

    ends = True

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        return lambda message: ended()
