"""The contracts of the language: Handler, Step, Chain, and the Runtime that steps and endpoints may ask."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

from .codec import Codec
from .conduct import Conduct
from .events import Event
from .figures import Readers
from .message import Delivery, Message
from .options import masked
from .passage import Passage
from .place import Place
from .remedy import Remedy
from .store import Office, Store
from .transactions import Transactions

T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")

Handler: TypeAlias = Callable[[Message[T]], Awaitable[Message[Any] | None]]
"""What handles a message: returning is done (None: it ended early), raising is refusing.

A handler that has nothing to wait for is a plain function that hands on the awaitable of the next one; so it may
raise when called or when awaited, and whoever calls it awaits it at once.
"""

Send: TypeAlias = Callable[..., Awaitable[Message[Any] | None]]
"""`await send(message, **options)`: deliver, and return the answer if the other side gives one.

Returning means delivered or durably stored over there. Options are those per-message fields that the author wrote.
"""


class Read(Protocol):
    """Begins to read from a source."""

    def __call__(self, *, idle: Callable[[], None] | None = None) -> AsyncGenerator[Delivery[Any]]:
        """Deliveries until it is exhausted, or for ever; `idle` is called each time that it has nothing for now."""
        ...


Command: TypeAlias = Callable[..., Awaitable[Any]]
"""What a step does when the control bus asks it to: `await command(**options)`; what it returns is the answer."""

Job: TypeAlias = Callable[[], Coroutine[Any, Any, None]]


class Hold(Protocol):
    """A message that a step keeps in memory: its source is told the outcome only when all its holds have ended."""

    def done(self) -> None:
        """What the step kept it for is done."""
        ...

    def failed(self, error: Exception) -> None:
        """It could not be done: the message is refused."""
        ...


class Kept(Protocol):
    """What the steps behind a step hold of a message."""

    @property
    def used(self) -> bool:
        """Whether anything was held."""
        ...

    def hold(self) -> Hold:
        """Hold the message itself."""
        ...

    def when_settled(self, settled: Callable[[Exception | None], None]) -> None:
        """Call it once, with the first failure, when no hold is open any more."""
        ...


class Alarms(Protocol):
    """Exact timers by key, one heap for each route and no polling; times are wall time in seconds since 1970."""

    def set(self, key: str, due: float) -> None:
        """Ring for `key` at that time; replaces what was set for it before."""
        ...

    def cancel(self, key: str) -> None:
        """Do not ring for `key`."""
        ...

    def working(self) -> Callable[[], None]:
        """Count as ringing until what this gives is called, once: so the route does not end in the middle of it."""
        ...


class Address(Protocol):
    """A typed endpoint, as far as the language needs to know it."""

    def uri(self) -> str:
        """The endpoint as a URI, secrets masked."""
        ...


@dataclass(frozen=True)
class Target:
    """Where a step sends: a URI or typed endpoint, and the options that the author gave by keyword.

    Prints as a URI, secrets masked.

    An option that is a function is computed for each message, from `(body)` or `(body, message)`.
    """

    endpoint: str | Address
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    codec: "CodecChoice | None" = None

    def __str__(self) -> str:
        return masked(self.endpoint) if isinstance(self.endpoint, str) else self.endpoint.uri()


CodecChoice: TypeAlias = str | Mapping[str, Any] | Codec
"""A codec by its name, by name and options, or as it is: `"csv"`, `{"name": "csv", "delimiter": ";"}`, `Csv(...)`."""


@dataclass(frozen=True)
class Chain:
    """Steps in order, each with the place where it was written; a route's body, or one branch of it."""

    steps: tuple["Step[Any, Any]", ...] = ()
    places: tuple[Place, ...] = field(default=(), compare=False, repr=False)

    def then(self, step: "Step[Any, Any]", place: Place) -> "Chain":
        return Chain((*self.steps, step), (*self.places, place))


class Joining(Protocol):
    """A place of transactions, as a step uses it."""

    def joins(self, target: Target) -> bool:
        """Whether what is sent to `target` is part of a transaction there; raises DefinitionError."""
        ...

    def effects(self, target: Target) -> Callable[[Message[Any]], Awaitable[Any]]:
        """What a send to a target that joins does in a transaction, for each message. Only while binding."""
        ...

    @property
    def opened(self) -> Transactions:
        """What commits, while the route runs; raises `Unavailable` before."""
        ...


class Runtime(Protocol):
    """All that a step or endpoint may ask for. There is no other door to the engine."""

    @property
    def route(self) -> str:
        """The name of the route that asks."""
        ...

    @property
    def body(self) -> Any:
        """The type into which bodies of its source are checked or parsed; None takes them as they come."""
        ...

    @property
    def doc(self) -> str:
        """What its author says of it: the docstring of its module."""
        ...

    @property
    def random(self) -> Random:
        """The generator for all chance, seeded in tests."""
        ...

    @property
    def store(self) -> Store: ...

    @property
    def office(self) -> Office | None:
        """Who leads the route's source among the processes that share the store; None where nobody has to."""
        ...

    @property
    def workers(self) -> int:
        """How many processes of one command run the route: a source that listens shares its port with the others."""
        ...

    @property
    def data(self) -> Path:
        """The folder for embedded state and relative paths of embedded databases."""
        ...

    def now(self) -> float:
        """Wall time in seconds since 1970; virtual in tests. For waiting use `anyio.sleep`."""
        ...

    def bind(
        self, chain: Chain, proceed: Handler[Any], label: str, *, sends: Callable[[Target], Send] | None = None
    ) -> Handler[Any]:
        """A branch as a handler that goes on to `proceed`; `label` names it in errors.

        The steps in it that ask for a sender get what `sends` gives, if it is given.
        """
        ...

    def sender(self, target: Target, *, now: bool = False) -> Send:
        """The way to send to `target`; opened before the route takes messages, closed after the last.

        A step that needs the answer, or has to send at once for another reason, asks with `now=True`: within a
        transaction the others send once it is committed. Raises DefinitionError for an unknown scheme or option. Only
        while binding.
        """
        ...

    def transactions(self, target: Target, name: str) -> Joining:
        """The way to commit at `target`, by the state of that name; opened and closed as senders are.

        Raises DefinitionError for an unknown scheme or option, or one that has no transactions. Only while binding.
        """
        ...

    def codec(self, choice: CodecChoice) -> Codec:
        """The codec of that name; raises UnknownName with what there is."""
        ...

    def settings(self, table: str, name: str) -> Mapping[str, Any] | None:
        """The settings under `[table.name]` in `routekit.toml`, or None."""
        ...

    async def shared(self, factory: Callable[..., AbstractAsyncContextManager[R]], *args: Hashable) -> R:
        """A resource that all routes share, such as a pool or a web server.

        Opened once for equal `factory` and `args`, in a task of its own, and closed when the service ends.
        """
        ...

    def named(self, make: Callable[..., R], name: str, *args: Hashable) -> R:
        """State in memory that all steps of this service share by name, such as a circuit breaker; only while binding.

        It is what `make(name, *args)` gives for the first that asks. Raises DefinitionError if another asks for it with
        other `args`.
        """
        ...

    def spawn(self, job: Job) -> None:
        """Run a background job for as long as the route runs; if it raises, the route is degraded and restarts."""
        ...

    def resting(self) -> AbstractContextManager[None]:
        """Wait for the outside inside it: `with runtime.resting(): await event.wait()`; as `rest`, without a time."""
        ...

    async def rest(self, seconds: float) -> None:
        """Sleep between two polls: tells the engine that the source has nothing for now.

        Consumers rest instead of sleeping, so that `routekit run` and tests know when a route is idle.
        """
        ...

    def emit(self, event: Event) -> None:
        """Tell whoever watches."""
        ...

    def metered(self, endpoint: Address, figures: Readers) -> AbstractContextManager[None]:
        """Let whoever looks read these figures of an endpoint: `with runtime.metered(self, {"waiting": ...}): ...`.

        They are functions, called when somebody looks, and gone when the block is left; no message pays for them.
        Raises DefinitionError for a name that is not snake_case.
        """
        ...

    def reader(self, target: Target) -> Read:
        """The way to read from `target` beside the route's own source. Only while binding.

        Raises DefinitionError for an unknown scheme or option, and for a source that hands over by itself.
        """
        ...

    def alarms(self, ring: Callable[[str], Awaitable[None]], *, load: Job | None = None) -> Alarms:
        """Timers that call `ring(key)` in a task of the route when they are due. Only while binding.

        `load` is awaited first, when the route starts: it sets the timers of what an earlier run has left. A route
        with timers set does not end when its source is exhausted; while it holds messages, it is not idle.
        """
        ...

    def holding(self) -> Callable[[], Hold] | None:
        """How a step holds the message that is being handled, or None if the store is durable. Only while binding.

        What a step keeps in memory only is acknowledged when it has ended its hold. The message gives up its slot; at
        a stop, what is still held is left unacknowledged and will be redelivered.
        """
        ...

    def keeping(self) -> Callable[[], AbstractContextManager[Kept]] | None:
        """How a step learns what becomes of messages that are held behind it, or None if the store is durable.

        `with keeping() as kept: await proceed(message)`. What is held in there is not told to the source: if `kept` was
        used, the step holds the message itself until that is settled. Only while binding.
        """
        ...

    def closing(self, close: Job) -> None:
        """Run `close` when the route has taken its last message and handled all; only while binding."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether the route is being stopped: a step begins nothing any more that can wait for the next start."""
        ...

    async def release(self, message: Message[Any], *, entry: int, held: Sequence[Hold] = ()) -> Message[Any] | None:
        """Run a message that the route itself brings, such as a complete group, from that entry.

        It goes the way of a message from the source: retried by the route's policy, given up as a letter of that
        entry. Returns its reply, or None if it ended early or became a dead letter. The holds `held` end with it.
        Raises what prevented its end, if nothing was held: then the step must keep it.
        """
        ...

    def offer(self, action: str, name: str, command: Command) -> None:
        """Make known what the control bus may ask of this step, such as `control:flush?name=orders`.

        `name` is that of the step's state. Only while binding.
        """
        ...

    async def control(self, action: str, name: str, **options: Any) -> Any:
        """Ask a route or step of this service to do something, as `control:` does; the answer is what that gives.

        A route that is told to stop or pause is not waited for. Raises UnknownName if nothing of that name offers the
        action, and Unavailable while the route of that step is not up.
        """
        ...

    def entry(self, handler: Handler[Any]) -> int:
        """Make known where messages enter the route other than at its start, such as the parts of a split one.

        The number goes to `give_up`: a dead letter of such a message is replayed there. Only while binding.
        """
        ...

    @property
    def durable(self) -> bool:
        """Whether the route keeps its messages itself: a source is told as soon as its message is in the journal."""
        ...

    def once(self, act: Send, *, answered: bool = True, then: Handler[Any] | None = None) -> Send:
        """The same, as one effect of the message: a durable route does not do it again for it, but gives its answer.

        What is not `answered` is not kept: it gives None then. `then` is what follows it at once: where the route ends
        with it, the end of the message is all that is recorded. `sender` does it, unless the step says otherwise by
        `recorded`. Only while binding.
        """
        ...

    def marking(self) -> Callable[[str], Callable[[], None]] | None:
        """For a step that may run its branch again for a message, as a retry does; None: it need not do anything.

        Called with the id of the message before the first try, it gives what has to be called before every other one:
        then the effects of the branch that have happened are not done again.
        """
        ...

    def checkpoint(self, place: str, fit: Callable[[Any], Any], proceed: Handler[Any]) -> Handler[Any]:
        """The handler that keeps the message as it is, goes on to `proceed`, and there again after a crash.

        `fit` makes its body of plain data. Only while binding.
        """
        ...

    async def give_up(
        self, message: Message[Any], error: Exception, channel: Handler[Any] | None = None, *, entry: int = 0
    ) -> None:
        """Put a message, such as one failed part, among the dead letters: into `channel`, or where the policy says.

        Raises what prevented it: then the message must not be acknowledged.
        """
        ...


Reply: TypeAlias = Literal["on", "passed", "used"]
"""What becomes of the reply of a branch. `on`: the branch is bound to what follows the step, whose reply it is.
`passed`: the step waits for it, and goes on with it. `used`: the step itself makes something of it."""

Onward: TypeAlias = Literal["runs", "parts", "done", "later"]
"""What a step does with those that follow it. `runs`: their reply is its own. `parts`: they run for each part, and the
reply is the whole message. `done`: the message is noted as done once they have returned, and ends here if it comes
again. `later`: they run later, for what the step has kept; nothing that waits for a reply gets theirs."""


class Step(ABC, Generic[T, U]):
    """One pattern: a frozen dataclass that is at once its definition and its behaviour.

    `bind` is called once for each route; limits, counters and other state live in its closure.
    """

    word: ClassVar[str] = ""
    """The word of the language that makes this step; the class's name in lower case if empty."""

    ends: ClassVar[bool] = False
    """True for a step after which nothing is ever reached."""

    keeps: ClassVar[bool] = False
    """True for a step that keeps messages and lets them go on later, as messages of the route's own: nothing in front
    of it hears of what becomes of them."""

    leads: ClassVar[Literal["on", "aside", "back", "through"]] = "on"
    """Where its branches lead, for drawing: on to the next step, nowhere, back to this step, which then goes on, or
    through one another, in their order."""

    shares: ClassVar[bool] = False
    """Whether steps of this class in several routes may have one state of one name, such as the keys they have seen."""

    raises: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors that nothing but such steps and sinks raises, so that a rescue where there is none is a mistake."""

    recorded: ClassVar[bool] = True
    """Whether a durable route records each send of this step and its branches. False for one that says itself what its
    effects are, by `Runtime.once`, or that keeps how far its branches have come."""

    conduct: ClassVar[Conduct | None] = None
    """What it does to the promises of a route, whatever its options are; a step that does not say it keeps none that is
    more than at-least-once."""

    @abstractmethod
    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        """The handler of this step, which passes its results on to `proceed`."""

    @property
    def label(self) -> str:
        """The step in one short line, for drawings and errors."""
        return self.word or type(self).__name__.lower()

    def branches(self) -> Sequence[tuple[str, Chain]]:
        """The chains inside this step, each with a short label, for drawing and checking."""
        return ()

    def waits_for(self) -> Mapping[str, Reply]:
        """The branches whose replies it needs, by their labels; what the others give is dropped."""
        return {}

    @property
    def onward(self) -> Onward:
        """What the step does with those that follow it."""
        return "runs"

    def targets(self) -> Sequence[Target]:
        """Where this step sends; branches are asked for themselves."""
        return ()

    def state(self) -> str | None:
        """The name of the durable state that this step owns, if any."""
        return None

    def problems(self, runtime: Runtime) -> Iterable[Exception]:
        """What is wrong with this step, found without running it; branches are asked for themselves."""
        return ()

    def behaves(self) -> Conduct | None:
        """What it does to the promises of a route with these options; a step whose options change that says it here."""
        return self.conduct

    @property
    def settles(self) -> bool:
        """Whether it decides by itself what becomes of failures in what follows it, as a split with dead letters."""
        return False

    def remedies(self, kind: type[Exception], within: str) -> Sequence[Remedy]:
        """What it does about an error of that class, in order, for `explain-errors`; what is left goes outwards.

        `within` is where it was raised: in the branch of that label, `OWN` in the step itself, `REST` in what follows.
        """
        return ()

    def classes(self) -> Sequence[type[Exception]]:
        """The classes of errors that its remedies tell apart."""
        return self.raises

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        """The author's functions by which it decides what becomes of a message: a trace names the values they read."""
        return ()

    def explained(self, passage: Passage) -> str:
        """What it decided about a traced message, in a few words, such as `true` or `seen before`; empty: nothing."""
        return ""


OWN = ""
"""For `remedies`: the error was raised by the step itself, not by one inside it."""

REST = "what follows"
"""For `remedies`: the error was raised by one of the steps that follow it."""


async def finish(message: Message[Any]) -> Message[Any] | None:
    """The end of every chain: the message is the reply."""
    return message


async def ended() -> Message[Any] | None:
    """What a plain handler returns for a message that ends here."""
    return None
