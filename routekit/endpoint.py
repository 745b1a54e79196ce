"""The contract of endpoints, and how a URI becomes one.

An endpoint is one frozen pydantic class per scheme and direction. Its fields are its options: they validate the URI,
make the reference and its help. The first field takes the path of the URI.
"""

import re
from abc import abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self, TypeAlias
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo

from .about import About
from .errors import BadOption, DefinitionError
from .message import Delivery, Message
from .options import MASK, made, masked
from .step import Runtime, Send
from .transactions import Transactions
from .units import Bytes

Deliver: TypeAlias = Callable[[Message[Any]], Awaitable[Message[Any] | None]]
"""How a listener hands over a message: returning is done (with the reply), raising is refused."""


class _PerMessage:
    """The mark of an option that an author may compute for each message."""


PER_MESSAGE = _PerMessage()
"""Mark a producer's field with it: `name: Annotated[str | None, PER_MESSAGE] = None`.

A function given for it, `.to("file:out", name=lambda order: ...)`, is called for each message; what it returns is
checked against the field and passed to `send` by keyword. A value given in the URI is not: it is in `self`.
"""


class Capabilities(BaseModel):
    """What an endpoint promises beyond what each of its kind must hold; what it does not name, it does not promise.

    The conformance kit of `routekit.testing` tries every promise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    replayable: bool = Field(
        default=False,
        description="of a source: what was not acknowledged comes again, with the same id, also after a crash",
    )
    ordered: bool = Field(default=False, description="messages keep their order, as long as one is in flight at a time")
    transactional: bool = Field(
        default=False,
        description="of a sink: of what one message brings all is there or nothing, whenever it is cut off",
    )
    idempotent: bool = Field(
        default=False, description="of a sink: the same message sent again leaves what it left the first time"
    )
    volatile: bool = Field(default=False, description="what is in it is lost when this process ends: it is memory")
    largest: Bytes | None = Field(default=None, description="bytes that a body may have; None: no limit of its own")


class Endpoint(BaseModel):
    """Base of `Consumer`, `Listener` and `Producer`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scheme: ClassVar[str]

    capabilities: ClassVar[Capabilities] = Capabilities()
    """What it promises whatever its options are."""

    about: ClassVar[About] = About()
    """What its reference says beside its fields: headers, errors, figures, settings, an example."""

    singleton: ClassVar[bool] = False
    """Of a source: whether two processes that both run it would do its work twice, as with a timer. See `alone`."""

    advice: ClassVar[Mapping[str, str]] = {}
    """What to write so that it promises what it does not promise now, by the name of the promise:
    `{"idempotent": "mode=upsert&key=..."}`. `routekit check` tells it."""

    @classmethod
    def path_field(cls) -> str | None:
        """The field that takes the path of the URI: the first one."""
        return next(iter(cls.model_fields), None)

    @classmethod
    def per_message(cls) -> dict[str, FieldInfo]:
        """The options that may be computed for each message."""
        return {name: field for name, field in cls.model_fields.items() if PER_MESSAGE in field.metadata}

    @classmethod
    def of(cls, path: str, options: Mapping[str, Any]) -> Self:
        """The endpoint with this path and these options; raises BadOption for one that is unknown or wrong."""
        first = cls.path_field()
        if first in options:
            raise BadOption(f"{cls.scheme}: '{first}' is given twice", hint="it is the path of the URI")
        values = dict(options) if first is None or not path else {first: path, **options}
        return made(cls, values, cls.scheme)

    def promises(self) -> Capabilities:
        """What it promises with these options; an endpoint whose options change that gives more or less here."""
        return self.capabilities

    def alone(self) -> bool:
        """Of a source: whether, with these options, only one of the processes that share a store may run it.

        `singleton`, unless an option changes that. The route of such a source takes messages only in the process that
        the store has elected to lead there; with a store for one process that is this one.
        """
        return self.singleton

    async def probe(self, runtime: Runtime) -> str:
        """Look whether the other side is there and usable, without taking or sending a message: `check --connect`.

        Returns what was found in a few words, `RabbitMQ 3.10, queue orders: 12 waiting`, or nothing where there is no
        other side. Raises `Unavailable`, or any other error, with the reason why it could not be used now.
        """
        return ""

    def clashes(self, other: "Endpoint") -> str | None:
        """Of a source: why it cannot run in one service with another one, such as `both answer POST /leads`; or None.

        `routekit check` asks it for each two sources that both have this method; it knows its own kind only.
        """
        return None

    def uri(self) -> str:
        """This endpoint as a URI, with only the options that were given, secrets masked."""
        first = self.path_field()
        path = "" if first is None else _printed(getattr(self, first)).replace("%", "%25").replace("?", "%3F")
        given = [name for name in type(self).model_fields if name in self.model_fields_set and name != first]
        query = "&".join(f"{name}={quote(_printed(getattr(self, name)), safe='/:,*@;{}$')}" for name in given)
        return masked(f"{self.scheme}:{path}{'?' if query else ''}{query}")

    def __str__(self) -> str:
        return self.uri()


class Consumer(Endpoint):
    """A source that the engine pulls from."""

    internal: ClassVar[bool] = False
    """True for sources fed by other routes of this service: they stop last, once they have nothing left."""

    def takes_back(self) -> bool:
        """Whether a failed message goes back to the source, unless the route's policy says where else.

        True for one that knows what to do with it, such as a folder for failed files; false for one that would only
        bring it again: there it becomes a dead letter.
        """
        return False

    @abstractmethod
    def consume(self, runtime: Runtime) -> AsyncGenerator[Delivery[Any]]:
        """Yield deliveries until the source is exhausted, or for ever.

        The engine pulls the next one when it has a free slot: that is the back-pressure. It may cancel the generator
        while it waits for the next delivery. Never `yield` inside a task group or cancel scope that the generator
        opened; host such a thing by `runtime.shared`. Raise when the source is away: the route is degraded and
        `consume` is called again after a while.
        """


class Listener(Endpoint):
    """A source that hands messages over by itself and waits for the outcome: a call, a request.

    A failed message is raised at the caller; it becomes a dead letter only if the route's policy says so.
    """

    internal: ClassVar[bool] = False
    """As for `Consumer`."""

    def takes_back(self) -> bool:
        """True: the caller is told."""
        return True

    @abstractmethod
    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        """Call `deliver` for each message until cancelled, from any task that lives inside this call."""


class Producer(Endpoint):
    """A sink."""

    raises: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors that nothing but such sinks and steps raises, so that a rescue where there is none is a mistake."""

    @abstractmethod
    def open(self, runtime: Runtime) -> AbstractAsyncContextManager[Send]:
        """A context manager that gives the send function; raise when the sink is away.

        `send` may be called by many messages at once. It returns when the message is delivered for good, with the
        answer if there is one; it raises `Unavailable` or any other error when not.
        """


class Transactor(Endpoint):
    """A database, or whatever else can commit effects, marks and outgoing messages of one message together.

    Neither read from nor sent to: the word `transaction` names it.
    """

    @abstractmethod
    def joins(self, sink: Producer) -> bool:
        """Whether what is sent to this sink is part of the transaction, as it goes to the same database."""

    @abstractmethod
    def open(self, runtime: Runtime, name: str, sinks: Sequence[Producer]) -> AbstractAsyncContextManager[Transactions]:
        """The transactions of the word of that name, whose sinks that join are these; raise when the database is away.

        Marks and outgoing messages are kept by that name: words of one name in several processes share them.
        """


Source: TypeAlias = Consumer | Listener


def address_of(endpoint: Endpoint) -> str:
    """Scheme and path, without options: what is sent to an address is read from the same one."""
    first = endpoint.path_field()
    return f"{endpoint.scheme}:{getattr(endpoint, first) if first else ''}"


def not_polled(target: object) -> DefinitionError:
    """The error for a source that hands over by itself where one has to be asked."""
    return DefinitionError(f"'{target}' hands its messages over by itself", hint="give a source that can be polled")


@dataclass(frozen=True, slots=True)
class Uri:
    """The parts of `scheme:path?option=value`; an option with a dot, `codec.delimiter=;`, is in a dict of its own."""

    scheme: str
    path: str
    options: Mapping[str, Any]


_SCHEME = re.compile(r"[a-z][a-z0-9+-]*")


def parse_uri(text: str) -> Uri:
    """The parts of a URI; values are percent-decoded, `+` stays `+`. Raises DefinitionError.

    >>> parse_uri("file:in?include=*.csv&codec=csv&codec.delimiter=%3B").options
    {'include': '*.csv', 'codec': {'name': 'csv', 'delimiter': ';'}}
    >>> parse_uri("file:in?codec=gzip&codec.inner=csv&codec.inner.delimiter=%3B").options
    {'codec': {'name': 'gzip', 'inner': {'name': 'csv', 'delimiter': ';'}}}
    """
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme):
        raise DefinitionError(f"'{masked(text)}' is no endpoint", hint="write scheme:path?option=value")
    path, _, query = rest.partition("?")
    options: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadOption(f"{scheme}: option '{name}' has no value", hint=f"write {name}=...")
        if name in options:
            raise BadOption(f"{scheme}: option '{name}' is given twice", hint="keep one of them")
        options[unquote(name)] = unquote(value)
    return Uri(scheme, unquote(path), _nested(options))


def _nested(options: dict[str, Any]) -> dict[str, Any]:
    """`{"codec": "csv", "codec.delimiter": ";"}` as `{"codec": {"name": "csv", "delimiter": ";"}}`."""
    plain = {name: value for name, value in options.items() if "." not in name}
    tables: dict[str, dict[str, Any]] = {}
    for name, value in options.items():
        outer, dot, inner = name.partition(".")
        if dot:
            tables.setdefault(outer, {"name": plain[outer]} if outer in plain else {})[inner] = value
    return {**plain, **{name: _nested(table) for name, table in tables.items()}}


def _printed(value: object) -> str:
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, BaseModel):
        return type(value).__name__.lower()
    return str(value)


PathField = Annotated[str, Field(min_length=1)]
"""A path that must not be empty."""
