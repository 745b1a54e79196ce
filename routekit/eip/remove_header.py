"""Remove headers by name or pattern."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar, cast

from ..conduct import PLAIN
from ..errors import DefinitionError
from ..step import Handler, Runtime, Step

T = TypeVar("T")


@dataclass(frozen=True)
class RemoveHeader(Step[T, T]):
    """`*` and `?` match as in file names; a name that is not there is no error. What matches `keep` stays."""

    conduct = PLAIN

    patterns: tuple[str, ...]
    keep: tuple[str, ...] = ()
    word = "remove_header"

    def __post_init__(self) -> None:
        for pattern in cast("tuple[object, ...]", (*self.patterns, *self.keep)):
            if not isinstance(pattern, str):
                raise DefinitionError(f"a header is named {pattern!r}", hint="write a name, or a pattern such as 'x-*'")

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        def kept(name: str) -> bool:
            return _matches(name, self.keep) or not _matches(name, self.patterns)

        return lambda message: proceed(
            message.with_headers({name: value for name, value in message.headers.items() if kept(name)})
        )

    @property
    def label(self) -> str:
        keep = [f"keep={', '.join(self.keep)}"] if self.keep else []
        return f"remove_header({', '.join([*self.patterns, *keep])})"


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
