"""Remove headers by name or pattern."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class RemoveHeader(Step[T, T]):
    """`*` and `?` match as in file names; a name that is not there is no error."""

    patterns: tuple[str, ...]
    word = "remove_header"

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        def kept(name: str) -> bool:
            return not any(fnmatchcase(name, pattern) for pattern in self.patterns)

        return lambda message: proceed(
            message.with_headers({name: value for name, value in message.headers.items() if kept(name)})
        )

    @property
    def label(self) -> str:
        return f"remove_header({', '.join(self.patterns)})"
