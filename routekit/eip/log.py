"""Log: one line for each message."""

from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal, TypeVar

from ..callables import called, calling, name_of
from ..conduct import PLAIN
from ..demands import one_of
from ..discretion import message_texts
from ..errors import BodyError, DefinitionError
from ..events import Logged
from ..message import Message
from ..sensitive import scrubbed
from ..step import Handler, Runtime, Step

T = TypeVar("T")

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class Log(Step[T, T]):
    """`text` is a format over `body`, `headers` and `id`, such as `"{body.email} from {headers[file.name]}"`.

    A field that it names is written as it is; where it asks for all of `{body}` or `{headers}`, what is sensitive in
    them is masked. Or a function that makes the line. The author writes the format; nothing in a message is ever one.
    """

    conduct = PLAIN

    text: str | Callable[..., Any]
    level: Level = "info"

    def __post_init__(self) -> None:
        one_of("level", self.level, ("debug", "info", "warning", "error"))

    def bind(self, proceed: Handler[T], runtime: Runtime) -> Handler[T]:
        line = calling(_formatting(self.text) if isinstance(self.text, str) else self.text)

        async def handle(message: Message[T]) -> Message[Any] | None:
            runtime.emit(Logged(runtime.route, self.level, str(await called(line, message))))
            return await proceed(message)

        return handle

    @property
    def label(self) -> str:
        return f"log({self.text!r})" if isinstance(self.text, str) else f"log({name_of(self.text)})"


def _formatting(text: str) -> Callable[[Any, Message[Any]], str]:
    try:
        text.format_map(_Anything())
    except (ValueError, IndexError) as error:
        raise DefinitionError(f"log text {text!r} is no format: {error}", hint="use {body}, {headers}, {id}") from None
    except KeyError as error:
        raise DefinitionError(f"log text {text!r} asks for {error}", hint="known: body, headers, id") from None

    whole = any(name in ("body", "headers") for _, name, _, _ in Formatter().parse(text))

    def line(body: Any, message: Message[Any]) -> str:
        try:
            made = text.format(body=body, headers=message.headers, id=message.id)
            return scrubbed(made, message_texts(message)) if whole else made
        except (AttributeError, KeyError, IndexError, ValueError, TypeError) as error:
            raise BodyError(f"log text {text!r} does not fit the message: {error!r}") from error

    return line


class _Anything(dict[str, Any]):
    """Stands for the message while the format is checked: it has every attribute, item and form."""

    def __init__(self, depth: int = 0) -> None:
        super().__init__()
        self._depth = depth

    def __missing__(self, name: str) -> Any:
        if self._depth == 0 and name not in ("body", "headers", "id"):
            raise KeyError(name)
        return _Anything(self._depth + 1)

    def __getattr__(self, name: str) -> Any:
        return _Anything(self._depth + 1)

    def __format__(self, spec: str) -> str:
        return ""
