"""The language: every word that a route is written in, one typed method each.

A flow is an immutable chain of steps that ends in a body of type `T`. Functions get the body; one with two parameters
gets `(body, message)`; plain and async functions both work. Nested scopes are functions from flow to flow, so nothing
has to be closed. Options are keyword-only. All methods raise DefinitionError for what can be seen to be wrong at once.

Over 300 lines, since it is the one page on which the whole language stands.
"""

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

from .callables import Function, Predicate, arity
from .eip.attempt import Attempt
from .eip.choice import Choice
from .eip.filter import Filter
from .eip.for_each import ForEach
from .eip.gather import Gather
from .eip.idempotent import Idempotent
from .eip.log import Level, Log
from .eip.parse import Parse
from .eip.remove_header import RemoveHeader
from .eip.set_header import SetHeader
from .eip.split import Split
from .eip.stop import Stop
from .eip.tap import Tap
from .eip.to import To
from .eip.transform import Transform
from .eip.validate import Validate
from .endpoint import Endpoint, Producer
from .errors import DefinitionError
from .letter import Letter
from .message import Message
from .parts import OnError, Splitting, Tally
from .place import NOWHERE, Place, here
from .reading import PartsOf
from .route import Policy, Retry, Route
from .step import Chain, CodecChoice, Step, Target

T = TypeVar("T")
U = TypeVar("U")
P = TypeVar("P")
Params = ParamSpec("Params")

Parts: TypeAlias = (
    PartsOf[P]
    | Callable[[T], Iterable[P]]
    | Callable[[T], AsyncIterable[P]]
    | Callable[[T, Message[T]], Iterable[P]]
    | Callable[[T, Message[T]], AsyncIterable[P]]
)
"""How a message is taken apart: `Records` or `Batches` of a codec, or a function that gives or yields the parts."""

Rule: TypeAlias = Callable[[T], object] | Callable[[T, Message[T]], object]
Option: TypeAlias = (
    Callable[[T], object] | Callable[[T, Message[T]], object] | str | int | float | bool | Sequence[str] | None
)
"""An option of an endpoint: a value, or a function that computes it for each message."""

Retries: TypeAlias = Retry | tuple[Retry, ...]


@overload
def from_(uri: str | Endpoint, *, codec: CodecChoice | None = None, policy: Policy | None = None) -> "Flow[Any]": ...
@overload
def from_(
    uri: str | Endpoint, body: type[T], *, codec: CodecChoice | None = None, policy: Policy | None = None
) -> "Flow[T]": ...
def from_(
    uri: str | Endpoint,
    body: type[Any] | None = None,
    *,
    codec: CodecChoice | None = None,
    policy: Policy | None = None,
) -> "Flow[Any]":
    """Start a route at a source: a URI or a typed endpoint.

    Each body is checked or parsed into `body` at the edge, by `codec` where it is bytes (JSON if none is given); one
    that does not fit is a dead letter with the reason. The message is acknowledged when the whole route has returned.
    """
    return Flow(Chain(), Target(uri, {}, codec), body, policy, here())


def dead_letters(branch: "Callable[[Flow[Letter]], Flow[Any]]") -> Chain:
    """A branch as the dead letter channel of a policy: `Policy(dead_letter=dead_letters(lambda letters: ...))`.

    A message that was given up enters it as a `Letter`. If the branch fails, the message stays unacknowledged.
    """
    return _branch(branch, "dead_letters")


@dataclass(frozen=True)
class Flow(Generic[T]):
    """A chain of steps that ends in a `T`; with a source it is a route, without one a fragment."""

    chain: Chain = field(default_factory=Chain)
    source: Target | None = None
    body: Any = None
    policy: Policy | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    def then(self, step: Step[T, U]) -> "Flow[U]":
        """Add any step: the door for patterns that are not words here."""
        return cast("Flow[U]", replace(self, chain=self.chain.then(step, here())))

    def apply(
        self,
        fragment: "Callable[Concatenate[Flow[T], Params], Flow[U]]",
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> "Flow[U]":
        """Go on with a fragment: a function from flow to flow, with arguments of its own."""
        return fragment(self, *args, **kwargs)

    def filter(self, predicate: Predicate[T]) -> "Flow[T]":
        """Pass on messages for which `predicate` holds; the others end here, acknowledged."""
        return self.then(Filter[T](_callable(predicate, "filter")))

    def transform(self, function: Function[T, U]) -> "Flow[U]":
        """The body becomes what `function` makes of it."""
        return self.then(Transform[T, U](_callable(function, "transform")))

    def parse(self, body: type[U], *, codec: CodecChoice | None = None) -> "Flow[U]":
        """Decode the body, if a codec is given, and check it into the type `body`; JSON text needs no codec."""
        return self.then(Parse[T, U](body, codec))

    def validate(self, *rules: Rule[T]) -> "Flow[T]":
        """Refuse a message that breaks a rule, with all reasons at once.

        A rule returns None or True if it holds, else False, a reason, or several reasons; a ValueError is a reason too.
        """
        return self.then(Validate[T](tuple(_callable(rule, "validate") for rule in rules)))

    def set_header(self, name: str, value: "str | int | float | bool | Function[T, object] | None") -> "Flow[T]":
        """Set a header to a value, or to what a function makes of the body."""
        return self.then(SetHeader[T](name, _callable(value, "set_header") if callable(value) else value))

    def remove_header(self, *patterns: str) -> "Flow[T]":
        """Remove the headers whose names match a pattern such as `x-*`."""
        return self.then(RemoveHeader[T](patterns))

    def split(
        self,
        parts: Parts[P, T],
        *,
        parallel: int = 1,
        on_error: OnError = "fail",
        max_failed: int | None = None,
        max_ratio: float | None = None,
    ) -> "Flow[P]":
        """Run the rest of the route once for each part, at most `parallel` at a time, reading parts lazily.

        The message is done when all its parts are. With `on_error="dead_letter_items"` it fails only when more than
        `max_failed` parts, or more than the share `max_ratio`, have failed.
        """
        return self.then(Split[T, P](Splitting(parts, parallel, on_error, max_failed, max_ratio)))

    def gather(
        self,
        parts: Parts[P, T],
        each: "Callable[[Flow[P]], Flow[U]]",
        *,
        parallel: int = 1,
        on_error: OnError = "fail",
        max_failed: int | None = None,
        max_ratio: float | None = None,
    ) -> "Flow[list[U]]":
        """Run the branch `each` for every part, then go on with the list of its results, in the order of the parts."""
        how = Splitting(parts, parallel, on_error, max_failed, max_ratio)
        return cast("Flow[list[U]]", self.then(Gather[T](how, _branch(each, "gather"))))

    def for_each(
        self,
        parts: Parts[P, T],
        each: "Callable[[Flow[P]], Flow[Any]]",
        *,
        parallel: int = 1,
        on_error: OnError = "fail",
        max_failed: int | None = None,
        max_ratio: float | None = None,
    ) -> "Flow[Tally]":
        """Run the branch `each` for every part, then go on with a `Tally`; memory does not grow with the parts."""
        how = Splitting(parts, parallel, on_error, max_failed, max_ratio)
        return self.then(ForEach[T](how, _branch(each, "for_each")))

    def choice(self) -> "Choosing[T]":
        """Open a choice: add `.when(predicate, branch)` as often as needed, close it with `.otherwise(branch)`."""
        return Choosing(self)

    def to(
        self, uri: str | Endpoint, *, codec: CodecChoice | None = None, retry: Retries = (), **options: "Option[T]"
    ) -> "Flow[T]":
        """Send the message to a URI or typed endpoint; it goes on unchanged once it is delivered.

        Options may be given by keyword. One that is a function is computed for each message, if the endpoint allows
        that for it: `.to("file:out", name=lambda order: f"{order.id}.json")`. `retry` repeats just this send.
        """
        if isinstance(uri, Endpoint) and not isinstance(uri, Producer):
            raise DefinitionError(f"{uri} can only be read from", hint="give `to` a sink")
        return self.then(To[T](Target(uri, options, codec), _rules(retry)))

    def tap(
        self, branch: "Callable[[Flow[T]], Flow[Any]]", *, on_error: Literal["fail", "dead_letter"] = "fail"
    ) -> "Flow[T]":
        """Run a branch on a copy of the message, then go on with the message itself.

        A failure in the branch fails the message; with `on_error="dead_letter"` it becomes a dead letter instead.
        """
        return self.then(Tap[T](_branch(branch, "tap"), on_error))

    def log(self, text: "str | Function[T, str]", *, level: Level = "info") -> "Flow[T]":
        """Write one line: a format over `body`, `headers` and `id`, or a function that makes the line."""
        return self.then(Log[T](text if isinstance(text, str) else _callable(text, "log"), level))

    def idempotent(self, name: str, *, key: Function[T, object], lease: float = 300.0) -> "Flow[T]":
        """End messages whose key was done before; `name` owns the memory of keys in the store.

        A key is done when the rest of the route has returned, and free again when it failed. After a crash in
        between, the message is processed again.
        """
        return self.then(Idempotent[T](name, _callable(key, "idempotent"), lease))

    def attempt(
        self,
        body: "Callable[[Flow[T]], Flow[U]]",
        *,
        rescue: "Mapping[type[Exception], Callable[[Flow[T]], Flow[U]]] | None" = None,
        finally_: "Callable[[Flow[T]], Flow[Any]] | None" = None,
        retry: Retries = (),
    ) -> "Flow[U]":
        """Run a branch that may fail, and the `rescue` branch of the nearest error class if it does.

        `retry` repeats the whole branch first. `finally_` runs whatever happened. What follows is not part of it.
        """
        rescues = {kind: _branch(branch, f"rescue {kind.__name__}") for kind, branch in (rescue or {}).items()}
        last = None if finally_ is None else _branch(finally_, "finally_")
        return self.then(Attempt[T, U](_branch(body, "attempt"), rescues, last, _rules(retry)))

    def stop(self) -> "Flow[T]":
        """End here, successfully: nothing after it runs."""
        return self.then(Stop[T]())

    def route(self, name: str, doc: str = "") -> Route:
        """This flow as a route of that name; raises DefinitionError if it has no source."""
        if self.source is None:
            raise DefinitionError(f"'{name}' has no source", hint="start it with from_(...)")
        codec = self.source.codec
        return Route(name, self.source, self.body, codec, self.chain, self.policy, self.place, doc)


@dataclass(frozen=True)
class Choosing(Generic[T]):
    """A choice without a branch yet: only `when` leads on."""

    flow: Flow[T]

    def when(self, predicate: Predicate[T], branch: Callable[[Flow[T]], Flow[U]]) -> "Chosen[T, U]":
        """Take this branch if `predicate` holds and no earlier one did."""
        return Chosen[T, U](self.flow).when(predicate, branch)


@dataclass(frozen=True)
class Chosen(Generic[T, U]):
    """A choice with branches; only `otherwise` leads back to a flow, so that a choice has no hole."""

    flow: Flow[T]
    cases: tuple[tuple[Callable[..., Any], Chain], ...] = ()

    def when(self, predicate: Predicate[T], branch: Callable[[Flow[T]], Flow[U]]) -> "Chosen[T, U]":
        """Take this branch if `predicate` holds and no earlier one did."""
        return replace(self, cases=(*self.cases, (_callable(predicate, "when"), _branch(branch, "when"))))

    def otherwise(self, branch: Callable[[Flow[T]], Flow[U]]) -> Flow[U]:
        """Take this branch for all other messages, and close the choice."""
        return self.flow.then(Choice[T, U](self.cases, _branch(branch, "otherwise")))


def _branch(function: Callable[[Flow[Any]], Flow[Any]], word: str) -> Chain:
    """The chain that a scope's function adds to an empty flow."""
    made = cast("object", function(Flow[Any]()))
    if not isinstance(made, Flow):
        raise DefinitionError(
            f"{word}: a branch gives back the flow that it is given, found {type(made).__name__}",
            hint="write a function from flow to flow, and close a choice with otherwise",
        )
    flow = cast("Flow[Any]", made)
    if flow.source is not None:
        raise DefinitionError(f"{word}: a branch has no source of its own", hint="send to it with .to('direct:...')")
    return flow.chain


def _callable(function: Callable[..., Any], word: str) -> Callable[..., Any]:
    """The function, once it is known to be one that a step can call."""
    if not callable(function):
        raise DefinitionError(f"{word} takes a function, found {function!r}", hint="write a function of the body")
    arity(function)
    return function


def _rules(retry: Retries) -> tuple[Retry, ...]:
    return (retry,) if isinstance(retry, Retry) else retry
