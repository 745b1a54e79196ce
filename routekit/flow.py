"""The language: every word that a route is written in, one typed method each.

A flow is an immutable chain of steps that ends in a body of type `T`. Functions get the body; one with two parameters
gets `(body, message)`; plain and async functions both work. Nested scopes are functions from flow to flow, so nothing
has to be closed. Options are keyword-only. All methods raise DefinitionError for what can be seen to be wrong at once.

Over 300 lines, since it is the one page on which the whole language stands.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import EllipsisType
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeAlias, TypeVar, cast, overload

from .absence import FAIL, Missing
from .answers import REPLACE, Answer, Merge
from .branching import Branching, OnBranchError
from .breaker import Rules
from .callables import Function, Predicate, arity
from .correlation import CORRELATION, RETURN_ADDRESS
from .demands import mapping, texts
from .eip.aggregate import Aggregate
from .eip.ask import Ask
from .eip.attempt import Attempt
from .eip.batch import Batch
from .eip.bulkhead import Bulkhead
from .eip.checkpoint import Checkpoint
from .eip.choice import Choice
from .eip.circuit_breaker import CircuitBreaker
from .eip.claim import CLAIM_ID, ClaimCheck
from .eip.content_filter import ContentFilter
from .eip.debounce import Debounce
from .eip.delay import Delay
from .eip.detour import Detour
from .eip.dynamic_router import DynamicRouter
from .eip.enrich import Enrich
from .eip.expire import Expire
from .eip.failover import Failover
from .eip.failover import Start as FailoverStart
from .eip.filter import Filter
from .eip.for_each import ForEach
from .eip.gather import Gather
from .eip.hand_over import HandOver
from .eip.idempotent import Idempotent
from .eip.load_balance import LoadBalance
from .eip.log import Level, Log
from .eip.loop import Loop
from .eip.multicast import Multicast
from .eip.normalize import Normalize
from .eip.parse import Parse
from .eip.poll_enrich import PollEnrich
from .eip.recipients import Recipients
from .eip.redeem import Redeem
from .eip.remove_header import RemoveHeader
from .eip.reply_to import ReplyTo
from .eip.resequence import Resequence
from .eip.routing_slip import RoutingSlip
from .eip.saga import Saga
from .eip.sample import Sample
from .eip.scatter_gather import ScatterGather, Scattering
from .eip.serialize import Serialize
from .eip.set_header import SetHeader
from .eip.sort import Sort
from .eip.split import Split
from .eip.stop import Stop
from .eip.tap import Tap
from .eip.throttle import Throttle
from .eip.timeout import Timeout
from .eip.to import To
from .eip.transaction import Transaction
from .eip.transform import Transform
from .eip.update import KEEP, Update
from .eip.validate import Validate
from .endpoint import Endpoint, Producer, Transactor
from .errors import DefinitionError, Rejected
from .grouping import Late
from .letter import Letter
from .message import Message
from .parts import Giving, OnError, Splitting, Tally
from .place import NOWHERE, Place, here
from .reading import PartsOf
from .rescuing import Judge, Rescue, Then
from .rewriting import intercepted
from .route import Errors, Policy, Retry, Route, rules_of
from .rules import rule_of
from .sagas import PATIENT, Action, Plan
from .shipping import PATIENT as SHIPPING
from .step import Chain, CodecChoice, Step, Target
from .switch import Switch

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
P = TypeVar("P")
Params = ParamSpec("Params")

Parts: TypeAlias = PartsOf[P] | Giving[T, P]
"""How a message is taken apart: `Records` or `Batches` of a codec, or a function that gives or yields the parts."""

Rule: TypeAlias = Callable[[T], object] | Callable[[T, Message[T]], object] | type[object]
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


def rescue(branch: "Callable[[Flow[Any]], Flow[Any]]", *, when: "Judge | None" = None, then: Then = "reply") -> Rescue:
    """A branch as what is done about the errors of a class, in a policy or in an attempt.

    As in `Policy(rescue={ValueError: rescue(lambda orders: orders.to("file:bad"))})`. It is asked for errors for which
    `when` holds, a function of `(error)` or `(error, message)`. The branch finds the error in `message.meta.error`.
    With `then="reply"` it gets the message as it entered the route or the attempt, and what it gives is the reply: the
    message is done. With `then="go_on"`, for a policy only, it gets the message as it came to the step that failed, and
    the route goes on after that step with what it gives.
    """
    return Rescue(_branch(branch, "rescue"), when, then, here())


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
        if not isinstance(cast("object", step), Step):
            raise DefinitionError(f"then takes a step, found {step!r}", hint="a function goes into transform")
        return cast("Flow[U]", replace(self, chain=self.chain.then(step, here())))

    def apply(
        self,
        fragment: "Callable[Concatenate[Flow[T], Params], Flow[U]]",
        *args: Params.args,
        **kwargs: Params.kwargs,
    ) -> "Flow[U]":
        """Go on with a fragment: a function from flow to flow, with arguments of its own."""
        return fragment(self, *args, **kwargs)

    def intercept(self, pattern: str, branch: "Callable[[Flow[Any]], Flow[Any]]", *, skip: bool = False) -> "Flow[T]":
        """Put a branch before every step so far that sends to a URI of that pattern, or with `skip` instead of it.

        `*` and `?` stand for any characters, and the options of a URI may be left out. Steps inside of branches, and in
        those of the policy, are found too. What the branch gives is what is sent, and goes on.
        """
        if not isinstance(cast("object", pattern), str):
            raise DefinitionError(f"intercept takes a pattern of URIs, found {pattern!r}", hint="such as 'file:*'")
        policy = self.policy or Policy()
        inside = _branch(branch, "intercept")
        old = (self.chain, policy.dead_letter, policy.rescue)
        chain, letters, rescues = intercepted(old, pattern, inside, skip=skip)
        same = letters is policy.dead_letter and rescues is policy.rescue
        policy = self.policy if same else replace(policy, dead_letter=letters, rescue=rescues)
        return replace(self, chain=chain, policy=policy)

    def filter(self, predicate: Predicate[T]) -> "Flow[T]":
        """Pass on messages for which `predicate` holds; the others end here, acknowledged."""
        return self.then(Filter[T](_callable(predicate, "filter")))

    def transform(self, function: Function[T, U]) -> "Flow[U]":
        """The body becomes what `function` makes of it."""
        return self.then(Transform[T, U](_callable(function, "transform")))

    def parse(self, body: type[U], *, codec: CodecChoice | None = None) -> "Flow[U]":
        """Decode the body, if a codec is given, and check it into the type `body`; JSON text needs no codec."""
        return self.then(Parse[T, U](body, codec))

    def serialize(self, codec: CodecChoice) -> "Flow[bytes]":
        """The body becomes bytes, written by a codec: `serialize("csv")`; the counterpart of `parse`."""
        return self.then(Serialize[T](codec))

    def content_filter(
        self, *, keep: str | Sequence[str] = (), drop: str | Sequence[str] = (), strict: bool = True
    ) -> "Flow[dict[str, Any]]":
        """Go on with some fields of the body, as plain data: with those of `keep`, or all, without those of `drop`.

        A field is a name or a path such as `customer.email`; `*` is each element, as in `lines.*.price`. With `strict`
        a field that is not there refuses the message.
        """
        kept, dropped = texts("keep", keep), texts("drop", drop)
        return self.then(ContentFilter[T](kept, dropped, strict, _body_type(self)))

    def sort(
        self: "Flow[list[U]] | Flow[tuple[U, ...]] | Flow[set[U]] | Flow[Sequence[U]] | Flow[Iterable[U]]",
        *,
        key: "Callable[[U], Any] | None" = None,
        reverse: bool = False,
    ) -> "Flow[list[U]]":
        """The elements of the body as a list in order, by themselves or by what `key` makes of each."""
        return cast("Flow[Any]", self).then(Sort[U](key, reverse))

    def normalize(
        self,
        to: type[U],
        *forms: "tuple[Predicate[T] | type[object], Function[Any, object]]",
        otherwise: "Function[T, object] | None" = None,
    ) -> "Flow[U]":
        """Make one canonical body of several forms: `normalize(Order, (is_shop, from_shop), (Row, of_row))`.

        The first form whose predicate holds, or whose class the body is of, decides which function makes a `to` of it;
        the result is checked. A message of no form is refused, unless `otherwise` makes one of it.
        """
        known = tuple((_callable(is_one, "normalize"), _callable(make, "normalize")) for is_one, make in forms)
        rest = None if otherwise is None else _callable(otherwise, "normalize")
        return self.then(Normalize[T, U](to, known, rest))

    def validate(self, *rules: Rule[T]) -> "Flow[T]":
        """Refuse a message that breaks a rule, with all reasons at once.

        A rule is a function: it returns None or True if it holds, else False, a reason, or several reasons; a
        ValueError is a reason too. Or it is a type that the body has to fit, or a `JsonSchema`.
        """
        return self.then(Validate[T](tuple(rule_of(rule) for rule in rules)))

    def set_header(self, name: str, value: "str | int | float | bool | Function[T, object] | None") -> "Flow[T]":
        """Set a header to a value, or to what a function makes of the body."""
        return self.then(SetHeader[T](name, _callable(value, "set_header") if callable(value) else value))

    def remove_header(self, *patterns: str, keep: "str | tuple[str, ...]" = ()) -> "Flow[T]":
        """Remove the headers whose names match a pattern such as `x-*`, but not those that match one of `keep`."""
        return self.then(RemoveHeader[T](patterns, texts("keep", keep)))

    def split(
        self,
        parts: Parts[P, T],
        *,
        parallel: int = 1,
        on_error: OnError = "fail",
        max_failed: int | None = None,
        max_ratio: float | None = None,
        sequence: bool = False,
        retry: Retries = (),
    ) -> "Flow[P]":
        """Run the rest of the route once for each part, at most `parallel` at a time, reading parts lazily.

        The message is done when all its parts are. With `on_error="dead_letter_items"` it fails only when more than
        `max_failed` parts, or more than the share `max_ratio`, have failed. `retry` repeats just the failing part.
        With `sequence` a part knows its place among the others from `message.meta.sequence`, and one is read ahead.
        """
        how = Splitting(parts, parallel, on_error, max_failed, max_ratio, sequence, _rules(retry))
        return self.then(Split[T, P](how))

    def gather(
        self,
        parts: Parts[P, T],
        each: "Callable[[Flow[P]], Flow[U]]",
        *,
        parallel: int = 1,
        on_error: OnError = "fail",
        max_failed: int | None = None,
        max_ratio: float | None = None,
        sequence: bool = False,
        retry: Retries = (),
    ) -> "Flow[list[U]]":
        """Run the branch `each` for every part, then go on with the list of its results, in the order of the parts."""
        how = Splitting(parts, parallel, on_error, max_failed, max_ratio, sequence, _rules(retry))
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
        sequence: bool = False,
        retry: Retries = (),
    ) -> "Flow[Tally]":
        """Run the branch `each` for every part, then go on with a `Tally`; memory does not grow with the parts."""
        how = Splitting(parts, parallel, on_error, max_failed, max_ratio, sequence, _rules(retry))
        return self.then(ForEach[T](how, _branch(each, "for_each")))

    def aggregate(
        self,
        name: str,
        body: type[T],
        *,
        key: Function[T, object],
        size: "int | Function[T, int] | None" = None,
        timeout: "float | Function[T, float] | None" = None,
        every: float | None = None,
        when: Callable[[Sequence[T]], object] | None = None,
        last: Predicate[T] | None = None,
        before: Callable[[Sequence[T], T], object] | None = None,
        flush: Predicate[T] | None = None,
        one_key: bool = False,
        late: Late = "new",
        remember: float = 3600.0,
        no_key: Literal["refuse", "drop"] = "refuse",
        most: int = 10_000,
        at_stop: Literal["keep", "release"] = "keep",
        parallel: int = 1,
    ) -> "Flow[list[T]]":
        """Keep messages by key; when a group is complete, its list goes on. A message is done once it is kept.

        A group is complete: with `size` messages; `timeout` seconds after its last one; `every` so many seconds (all
        groups); when `when(bodies)` holds; with a message for which `last` holds; before one for which
        `before(bodies, body)` holds, which begins the next; with one of another key, if there is but `one_key`. A
        message for which `flush` holds ends here and completes all groups; so does `control:flush?name=...`.
        """
        functions = {"key": key, "size": size, "timeout": timeout, "last": last, "flush": flush}
        for option, function in functions.items():
            _ = _callable(function, f"aggregate: {option}") if callable(function) else None
        return self.then(
            Aggregate[T](
                name=name,
                body=body,
                key=_callable(key, "aggregate: key"),
                size=size,
                timeout=timeout,
                every=every,
                when=when,
                last=last,
                before=before,
                flush=flush,
                one_key=one_key,
                late=late,
                remember=remember,
                no_key=no_key,
                most=most,
                at_stop=at_stop,
                parallel=parallel,
            )
        )

    def batch(
        self,
        name: str,
        body: type[T],
        *,
        size: int,
        wait: float | None = None,
        at_stop: Literal["keep", "release"] = "keep",
        parallel: int = 1,
    ) -> "Flow[list[T]]":
        """Lists of `size` messages go on, or of fewer `wait` seconds after their first one."""
        return self.then(Batch[T](name=name, body=body, size=size, wait=wait, at_stop=at_stop, parallel=parallel))

    def debounce(
        self,
        name: str,
        body: type[T],
        *,
        quiet: float,
        key: Function[T, object] | None = None,
        longest: float | None = None,
        most: int = 10_000,
    ) -> "Flow[T]":
        """The last message of a key goes on once none has come for `quiet` seconds; those before it end here.

        With `longest`, not later than so many seconds after the first of them. `most` keys wait at once.
        """
        chosen = None if key is None else _callable(key, "debounce: key")
        return self.then(Debounce[T](name=name, body=body, quiet=quiet, key=chosen, longest=longest, most=most))

    def resequence(
        self,
        name: str,
        body: type[T],
        *,
        number: Function[T, int],
        gap: float,
        start: int | None = None,
        per: Function[T, object] | None = None,
        late: Literal["pass", "refuse", "drop"] = "pass",
        most: int = 1000,
        workers: int = 1,
    ) -> "Flow[T]":
        """Messages go on in the order of their numbers, one after the other. A message is done once it is kept.

        A missing number is waited for until `gap` seconds after the first message behind it came, or until `most`
        messages wait. Late ones, whose place was passed, go on at once, are refused, or dropped. Without `start` the
        first messages wait `gap` seconds, and the lowest begins. Each key that `per` gives has a sequence of its own;
        `workers` of them go on at the same time.
        """
        return self.then(
            Resequence[T](
                name=name,
                body=body,
                number=_callable(number, "resequence: number"),
                gap=gap,
                start=start,
                per=None if per is None else _callable(per, "resequence: per"),
                late=late,
                most=most,
                workers=workers,
            )
        )

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
        return self.then(To[T](_sink(uri, options, codec, "to"), _rules(retry)))

    def enrich(
        self,
        uri: str | Endpoint,
        *,
        answer: type[U],
        merge: "Merge[T, U, V]" = REPLACE,
        missing: "U | Missing" = FAIL,
        codec: CodecChoice | None = None,
        retry: Retries = (),
        **options: "Option[T]",
    ) -> "Flow[V]":
        """Send the message as `to` does, and go on with what the endpoint answers.

        The answer is checked or parsed into `answer` and becomes the body, or `merge(body, answer)` makes the body of
        both. `missing` stands for an answer that is not given; without it that is an error. Headers and id stay.
        """
        return self.then(
            Enrich[T, V](_sink(uri, options, codec, "enrich"), Answer(answer, merge, missing), _rules(retry))
        )

    def poll_enrich(
        self,
        uri: str | Endpoint,
        *,
        timeout: float,
        answer: type[U],
        merge: "Merge[T, U, V]" = REPLACE,
        missing: "U | Missing" = FAIL,
        codec: CodecChoice | None = None,
        **options: "str | int | float | bool | None",
    ) -> "Flow[V]":
        """Take one message from a source, waiting `timeout` seconds at most, and go on with its body as `enrich` does.

        With a `timeout` of 0 only what is there at once is taken. `missing` stands for a message that does not come.
        What was taken is acknowledged when the rest of the route has returned, and refused if it failed.
        """
        return self.then(PollEnrich[T, V](Target(uri, options, codec), timeout, Answer(answer, merge, missing)))

    def ask(
        self,
        uri: str | Endpoint,
        *,
        replies: str | Endpoint,
        timeout: float,
        answer: type[U],
        merge: "Merge[T, U, V]" = REPLACE,
        missing: "U | Missing" = FAIL,
        late: "Callable[[Flow[Any]], Flow[Any]] | None" = None,
        correlation: str = CORRELATION,
        return_address: str | None = None,
        codec: CodecChoice | None = None,
        retry: Retries = (),
        **options: "Option[T]",
    ) -> "Flow[V]":
        """Send the message as a request, wait `timeout` seconds for its reply from the source `replies`, and go on.

        The request carries a correlation id in the header `correlation`, which the reply has to bring back, and the
        return address in `reply-to`: the URI of `replies`, or `return_address`. Many may wait at once. The reply is
        taken as `enrich` takes an answer. A reply for which nobody waits goes into `late`, or is a dead letter.
        """
        step = Ask[T, V](
            _sink(uri, options, codec, "ask"),
            Target(replies, {}, codec),
            timeout,
            Answer(answer, merge, missing),
            None if late is None else _branch(late, "late"),
            correlation,
            return_address,
            _rules(retry),
        )
        return self.then(step)

    def reply_to(
        self,
        *addresses: str | Endpoint,
        names: "Mapping[str, str | Endpoint] | None" = None,
        header: str = RETURN_ADDRESS,
        codec: CodecChoice | None = None,
        retry: Retries = (),
    ) -> "Flow[T]":
        """Send the message to that one of the addresses which the header names; it goes on once it is delivered.

        An address is named by its URI without options, or as `names` says. A message that names none is refused.
        """
        sinks = [_sink(address, {}, codec, "reply_to") for address in addresses]
        named = {name: _sink(address, {}, codec, "reply_to") for name, address in (names or {}).items()}
        targets = {str(sink).partition("?")[0]: sink for sink in sinks} | named
        return self.then(ReplyTo[T](targets, header, _rules(retry)))

    def tap(
        self, branch: "Callable[[Flow[T]], Flow[Any]]", *, on_error: Literal["fail", "dead_letter"] = "fail"
    ) -> "Flow[T]":
        """Run a branch on a copy of the message, then go on with the message itself.

        A failure in the branch fails the message; with `on_error="dead_letter"` it becomes a dead letter instead.
        """
        return self.then(Tap[T](_branch(branch, "tap"), on_error))

    def multicast(
        self,
        *branches: "Callable[[Flow[T]], Flow[Any]]",
        parallel: int = 1,
        on_error: OnBranchError = "fail",
        timeout: float | None = None,
    ) -> "Flow[T]":
        """Run each branch on a copy of the message, at most `parallel` at a time, then go on with the message itself.

        The copies have ids of their own, `parent/branch-1`. What is at work after `timeout` seconds is cancelled and
        has failed. With `on_error="dead_letter"` a failed copy becomes a dead letter and the message goes on.
        """
        named = _numbered(branches, "multicast")
        return self.then(Multicast[T](Branching(named, parallel, on_error, timeout)))

    def recipients(
        self,
        choose: Function[T, Iterable[str]],
        branches: "Mapping[str, Callable[[Flow[T]], Flow[Any]]]",
        *,
        parallel: int = 1,
        on_error: OnBranchError = "fail",
        timeout: float | None = None,
    ) -> "Flow[T]":
        """As `multicast`, but only to the branches that `choose` names for the message: one, several or none.

        A name that is not declared here rejects the message. The copies have the ids `parent/name`.
        """
        how = Branching(_named(branches), parallel, on_error, timeout)
        return self.then(Recipients[T](_callable(choose, "recipients"), how))

    def scatter_gather(
        self,
        branches: "Mapping[str, Callable[[Flow[T]], Flow[U]]]",
        *,
        choose: Function[T, Iterable[str]] | None = None,
        parallel: int | None = None,
        timeout: float | None = None,
        enough: int | None = None,
        on_error: OnBranchError | Literal["leave_out"] = "fail",
    ) -> "Flow[dict[str, U]]":
        """Ask branches at the same time, each on a copy, and go on with their answers by name.

        `choose` names those to ask; else all are asked. After `timeout` seconds those that have not answered are
        cancelled and missing from the answers, as is a failed one with `on_error="leave_out"`. If fewer than `enough`
        answer (default: one, if any was asked), the message fails.
        """
        how = Scattering(_named(branches), parallel, on_error, timeout)
        chosen = None if choose is None else _callable(choose, "scatter_gather")
        return cast("Flow[dict[str, U]]", self.then(ScatterGather[T](how, chosen, enough)))

    def routing_slip(
        self,
        slip: Function[T, Iterable[str]],
        stops: "Mapping[str, Callable[[Flow[T]], Flow[T]]]",
        *,
        most: int = 100,
    ) -> "Flow[T]":
        """Go through the stops that `slip` lists, in that order; each gets what the one before it gave.

        The slip is computed once. A name that is not declared here, or more than `most` of them, rejects the message.
        """
        return self.then(RoutingSlip[T](_callable(slip, "routing_slip"), _named(stops), most))

    def dynamic_router(
        self,
        next_stop: Function[T, str | None],
        stops: "Mapping[str, Callable[[Flow[T]], Flow[T]]]",
        *,
        most: int = 100,
    ) -> "Flow[T]":
        """Ask `next_stop` before each hop where the message goes next, until it gives None.

        It sees the message as the last stop left it. More than `most` hops reject the message.
        """
        return self.then(DynamicRouter[T](_callable(next_stop, "dynamic_router"), _named(stops), most))

    def detour(self, when: Switch | Predicate[T], branch: "Callable[[Flow[T]], Flow[T]]") -> "Flow[T]":
        """While `when` holds, go through the branch and come back; else straight on.

        `when` is a function, or a `Switch("name")` that the control bus turns while the route runs.
        """
        held = when if isinstance(when, Switch) else _callable(when, "detour")
        return self.then(Detour[T](held, _branch(branch, "detour")))

    def loop(
        self,
        branch: "Callable[[Flow[T]], Flow[T]]",
        *,
        times: int | Function[T, int] | None = None,
        while_: Predicate[T] | None = None,
        copy: bool = False,
        most: int = 1000,
    ) -> "Flow[T]":
        """Run a branch several `times`, or as long as `while_` holds, and go on with what its last turn gave.

        A turn gets what the last one gave; with `copy` each gets the message as it came. A turn sees its number in
        `message.meta.sequence`. More than `most` turns reject the message.
        """
        count = _callable(times, "loop") if callable(times) else times
        holds = None if while_ is None else _callable(while_, "loop")
        return self.then(Loop[T](_branch(branch, "loop"), count, holds, copy, most))

    def load_balance(
        self,
        *branches: "Callable[[Flow[T]], Flow[U]]",
        by: Literal["round_robin", "random"] | Function[T, object] = "round_robin",
        weights: Sequence[int] | None = None,
    ) -> "Flow[U]":
        """Send each message through one of the branches, and go on with what it gives.

        `by` is `"round_robin"`, `"random"`, or a function that gives a key: messages of one key always go to the same
        branch, also after a restart. `weights` are the shares of the branches, such as (3, 1).
        """
        shares = None if weights is None else tuple(weights)
        how = _callable(by, "load_balance") if callable(by) else by
        options = tuple(_branch(branch, "load_balance") for branch in branches)
        return self.then(LoadBalance[T, U](options, how, shares))

    def failover(
        self,
        *branches: "Callable[[Flow[T]], Flow[U]]",
        on: Errors = Exception,
        never: Errors = Rejected,
        start: FailoverStart = "first",
        rest: float = 0.0,
    ) -> "Flow[U]":
        """Try branches until one succeeds, each at most once, and go on with what that one gives.

        `start` is the branch to begin with: `"first"`, the one that was the `"last_good"`, or for each message the
        `"next"`. One that failed is tried only after all others for `rest` seconds. Errors of other classes than `on`,
        or of those in `never`, are raised at once.
        """
        options = tuple(_branch(branch, "failover") for branch in branches)
        return self.then(Failover[T, U](options, on, never, start, rest))

    def log(self, text: "str | Function[T, str]", *, level: Level = "info") -> "Flow[T]":
        """Write one line: a format over `body`, `headers` and `id`, or a function that makes the line."""
        return self.then(Log[T](text if isinstance(text, str) else _callable(text, "log"), level))

    def claim(
        self,
        name: str,
        *,
        ticket: "Function[T, U]" = CLAIM_ID,
        body: "type[T] | None" = None,
        folder: str | Path | None = None,
    ) -> "Flow[U]":
        """Keep the body durably under `name`, and go on with a ticket for it, until `redeem` brings it back.

        The ticket is the id of the claim, or what a function makes of the body; the id is in the header `claim.NAME`.
        `body` is the type that it comes back as, where its class alone does not say it, such as `list[Order]`. It is
        kept in the store, or in files of `folder`.
        """
        made = ticket if ticket is CLAIM_ID else _callable(ticket, "claim")
        return self.then(ClaimCheck[T, U](name, made, body, folder))

    def checkpoint(self, name: str, body: type[T]) -> "Flow[T]":
        """Store the message as it is here: after a crash, or for a retry, it goes on here and not from the start.

        For a route with `Policy(durable="store")`. `body` is the type of the bodies that come here, and `name` says
        where the message stands, so both stay as they are while messages are on their way.
        """
        return self.then(Checkpoint(name, body))

    def redeem(
        self,
        name: str,
        body: type[U],
        *,
        merge: "Merge[T, U, V]" = REPLACE,
        missing: "U | Missing" = FAIL,
        key: "Function[T, object] | None" = None,
        keep: bool = False,
        folder: str | Path | None = None,
    ) -> "Flow[V]":
        """Go on with the body that `claim` kept, parsed into the type `body`, or with `merge(ticket, body)`.

        The id of the claim is in the header `claim.NAME`, or given by `key`. The claim is forgotten when the rest of
        the route has returned, unless it is to `keep`. `missing` stands for a claim that is not there.
        """
        asked = None if key is None else _callable(key, "redeem")
        return self.then(Redeem[T, V](name, Answer(body, merge, missing), asked, keep, folder))

    def idempotent(
        self, name: str, *, key: Function[T, object], lease: float = 300.0, remember: float | None = 7_776_000.0
    ) -> "Flow[T]":
        """End messages whose key was done before; `name` owns the memory of keys in the store.

        A key is done when the rest of the route has returned, and free again when it failed. After a crash in
        between, the message is processed again. It is forgotten after `remember` seconds (90 days); None: never.
        """
        return self.then(Idempotent[T](name, _callable(key, "idempotent"), lease, remember))

    def update(
        self,
        name: str,
        *,
        key: Function[T, object],
        body: type[U],
        change: "Merge[U, T, U]",
        first: "U | Missing" = FAIL,
        merge: "Merge[T, U, V]" = KEEP,
        remember: int = 100,
        lasts: float | None = None,
    ) -> "Flow[V]":
        """Change the value of the message's key, a `body`: `change(value, body)` gives the new one; then go on.

        `name` owns the values in the store. A key begins with `first`, and `merge(body, value)` makes the body that
        goes on. A message that comes again changes nothing, as far as its id is among the last ones that each value
        remembers. A value that nothing changes for `lasts` seconds is forgotten.
        """
        answer = Answer(body, merge, first)
        return self.then(Update[T, V](name, _callable(key, "update"), change, answer, remember, lasts))

    def saga(
        self,
        name: str,
        body: type[T],
        acts: "Sequence[Act[T]]",
        *,
        retry: Retries = (),
        undo_retry: Retries | None = None,
        timeout: float | None = None,
        key: Function[T, object] | None = None,
        lease: float = 60.0,
        remember: float = 604_800.0,
    ) -> "Flow[T]":
        """Do actions in order; if one fails, undo those before it in reverse, then fail with its error.

        `name` owns the journal in the store, which has the message after each action as a `body`; so a message that
        comes again, after a crash or as a dead letter, goes on where it stood. A message whose saga is done ends here,
        for `remember` seconds. A saga belongs to the id of its message, or to the `key` of it. `retry` is for actions
        that have none of their own; undoing and what comes after a pivot are tried again for minutes. `timeout` is in
        seconds from the first action to the pivot. Processes that share the store hold a saga by a `lease`.
        """
        patient = PATIENT if undo_retry is None else _rules(undo_retry)
        plan = Plan(tuple(_action(act) for act in acts), _rules(retry), patient, timeout, lease, remember)
        return self.then(Saga[T](name, body, plan, None if key is None else _callable(key, "saga")))

    def throttle(
        self,
        *,
        rate: "float | Function[T, float] | None" = None,
        per: float = 1.0,
        key: "Function[T, Hashable] | None" = None,
        concurrent: int | None = None,
        on_excess: Literal["wait", "refuse"] = "wait",
        most_keys: int = 10_000,
        name: str | None = None,
    ) -> "Flow[T]":
        """Let at most `rate` messages pass in any `per` seconds, and at most `concurrent` be in the rest of the route.

        With `key`, each key has limits of its own. A message that is too much waits in its slot, in the order of
        arrival, or is refused with `Throttled`. Throttles of one `name` share their limits in all routes.
        """
        rate = _callable(rate, "throttle") if callable(rate) else rate
        key = None if key is None else _callable(key, "throttle")
        return self.then(Throttle[T](rate, per, key, concurrent, on_excess, most_keys, name))

    def delay(
        self,
        name: str,
        body: type[T],
        *,
        by: "float | Function[T, float] | None" = None,
        until: "Function[T, datetime | float | None] | None" = None,
        most: int = 100_000,
        workers: int = 1,
    ) -> "Flow[T]":
        """Keep messages until their time has come, restarts included. A message is done once it is kept.

        `by` is in seconds; `until` gives a datetime with a time zone, seconds since 1970, or None for no delay. A
        time that has passed is no delay. At most `most` wait; `workers` of them go on at the same time, 1 in order.
        """
        for option, function in {"by": by, "until": until}.items():
            _ = _callable(function, f"delay: {option}") if callable(function) else None
        return self.then(Delay[T](name=name, body=body, by=by, until=until, most=most, workers=workers))

    def hand_over(
        self,
        name: str,
        body: type[T],
        *,
        workers: int = 1,
        size: int = 1000,
        order_by: Function[T, object] | None = None,
    ) -> "Flow[T]":
        """Put messages aside for `workers` that run the rest of the route. A message is done once it is kept.

        At most `size` wait, then the sender waits. Those of equal keys by `order_by` go on one after the other.
        """
        key = None if order_by is None else _callable(order_by, "hand_over: order_by")
        return self.then(HandOver[T](name=name, body=body, workers=workers, size=size, order_by=key))

    def sample(self, *, every: float | None = None, nth: int | None = None) -> "Flow[T]":
        """Pass on one message in `every` seconds, or every `nth`; the others end here, acknowledged."""
        return self.then(Sample[T](every, nth))

    def expire(self, *, at: "Function[T, datetime | float | None]") -> "Flow[T]":
        """Refuse a message whose time has passed, and cancel the rest of the route when it does.

        `at` gives a datetime with a time zone, seconds since 1970, or None for a message that does not expire.
        """
        return self.then(Expire[T](_callable(at, "expire")))

    def attempt(
        self,
        body: "Callable[[Flow[T]], Flow[U]]",
        *,
        rescue: "Mapping[type[Exception], Callable[[Flow[T]], Flow[U]] | Rescue | tuple[Rescue, ...]] | None" = None,
        finally_: "Callable[[Flow[T]], Flow[Any]] | None" = None,
        retry: Retries = (),
    ) -> "Flow[U]":
        """Run a branch that may fail, and the `rescue` branch of the nearest error class if it does.

        A branch with a predicate, or several for one class, are made by `rescue(branch, when=...)`. `retry` repeats the
        whole body first. `finally_` runs whatever happened. What follows is not part of it.
        """
        rescues = {
            kind: cast("Rescue | tuple[Rescue, ...]", one)
            if isinstance(one, Rescue | tuple)
            else Rescue(_branch(one, "rescue"), place=here())
            for kind, one in mapping("rescue", rescue or {}).items()
        }
        last = None if finally_ is None else _branch(finally_, "finally_")
        return self.then(Attempt[T, U](_branch(body, "attempt"), rescues, last, _rules(retry)))

    def transaction(
        self,
        place: str | Endpoint,
        body: "Callable[[Flow[T]], Flow[U]]",
        *,
        name: str,
        key: Function[T, object] | None = None,
        order_by: Function[Any, object] | None = None,
        retry: Retries | None = None,
        workers: int = 8,
        most: int = 1000,
    ) -> "Flow[U]":
        """Run a branch, and commit what it sends to the database `place` as one, once for each message id.

        `name` owns inbox and outbox there. What the branch sends elsewhere is put into the outbox in the same
        transaction, and sent by the route after it: in order for each target, or for each key of `order_by`, to up to
        `workers` at a time; what fails is tried again by `retry`, then a dead letter. A message that comes again, by
        its id or by `key`, changes nothing and goes on. It may bring `most` sends.
        """
        chain = _branch(body, "transaction")
        keys = None if key is None else _callable(key, "transaction")
        order = None if order_by is None else _callable(order_by, "transaction")
        rules = SHIPPING if retry is None else _rules(retry)
        step = Transaction[T, U](_place(place), chain, name, keys, order, rules, workers, most)
        return self.then(step)

    def circuit_breaker(
        self,
        body: "Callable[[Flow[T]], Flow[U]]",
        *,
        name: str,
        window: int = 100,
        seconds: float | None = None,
        minimum: int = 10,
        failures: float = 0.5,
        slow: float | None = None,
        slow_share: float = 1.0,
        open_for: float = 60.0,
        probes: int = 10,
        on: Errors = Exception,
        never: Errors = Rejected,
        fallback: "Callable[[Flow[T]], Flow[U]] | None" = None,
    ) -> "Flow[U]":
        """Run a branch, and leave it out for a while when too great a share of its last calls failed or were slow.

        Of the last `window` calls, none older than `seconds`, and not before there are `minimum` of them: the share
        `failures` opens it, or the share `slow_share` of calls that took `slow` seconds. After `open_for` seconds,
        `probes` calls decide. Meanwhile messages take the `fallback`, as do those whose call failed, or are refused
        with `CircuitOpen`. Breakers of one `name` are one.
        """
        rules = Rules(window, seconds, minimum, failures, slow, slow_share, open_for, probes, on, never)
        rest = None if fallback is None else _branch(fallback, "fallback")
        return self.then(CircuitBreaker[T, U](_branch(body, "circuit_breaker"), name, rules, rest))

    def bulkhead(
        self,
        body: "Callable[[Flow[T]], Flow[U]]",
        *,
        name: str,
        concurrent: int = 25,
        waiting: int = 0,
        wait: float | None = None,
    ) -> "Flow[U]":
        """Run a branch with at most `concurrent` messages inside; others are refused with `BulkheadFull`.

        Up to `waiting` of them wait, in the order of arrival and for at most `wait` seconds. Bulkheads of one `name`
        are one, in all routes.
        """
        return self.then(Bulkhead[T, U](_branch(body, "bulkhead"), name, concurrent, waiting, wait))

    def timeout(self, body: "Callable[[Flow[T]], Flow[U]]", *, seconds: float) -> "Flow[U]":
        """Run a branch, and cancel it when it takes longer: the message is refused with `TimedOut`, worth a retry."""
        return self.then(Timeout[T, U](_branch(body, "timeout"), seconds))

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
class Act(Generic[T]):
    """One action of a saga: the branch that does it, and the one that undoes it.

    `undo` sees the message as it was after the action, and the failure in `message.meta.error`. It has to bear being
    run twice, and finding nothing to undo: an action that failed may have had its effect, so it is undone too, with the
    message as it was before, unless `undo_failed=False`. None says that there is nothing to undo. After the action that
    is the `pivot` there is no way back: what follows is tried until it succeeds. `retry` repeats this action.
    """

    name: str
    _: KW_ONLY
    do: Callable[[Flow[T]], Flow[T]]
    undo: Callable[[Flow[T]], Flow[Any]] | EllipsisType | None = ...
    pivot: bool = False
    retry: Retries | None = None
    undo_failed: bool = True


def _action(act: Act[Any]) -> Action:
    if not isinstance(cast("object", act), Act):
        raise DefinitionError(f"an action of a saga is {act!r}", hint="write Act('book', do=..., undo=...)")
    undo = act.undo
    if undo is not None and undo is not ...:
        undo = _branch(undo, f"undo {act.name}")
    retry = None if act.retry is None else _rules(act.retry)
    return Action(act.name, _branch(act.do, act.name), undo, act.pivot, retry, act.undo_failed)


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
    if not callable(function):
        raise DefinitionError(f"{word} takes a branch, found {function!r}", hint="write a function from flow to flow")
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


def _named(branches: Mapping[str, Callable[[Flow[Any]], Flow[Any]]]) -> dict[str, Chain]:
    return {name: _branch(branch, str(name)) for name, branch in mapping("branches", branches).items()}


def _numbered(branches: Sequence[Callable[[Flow[Any]], Flow[Any]]], word: str) -> dict[str, Chain]:
    return {f"branch-{number}": _branch(branch, word) for number, branch in enumerate(branches, 1)}


def _sink(uri: str | Endpoint, options: Mapping[str, Any], codec: CodecChoice | None, word: str) -> Target:
    """Where a step sends, once it is known that it can be sent to."""
    if not isinstance(cast("object", uri), str | Endpoint):
        raise DefinitionError(f"{word} takes a URI or an endpoint, found {uri!r}", hint="such as 'file:out'")
    if isinstance(uri, Endpoint) and not isinstance(uri, Producer):
        raise DefinitionError(f"{uri} can only be read from", hint=f"give `{word}` a sink")
    return Target(uri, options, codec)


def _place(uri: str | Endpoint) -> Target:
    """Where a transaction is committed."""
    if not isinstance(cast("object", uri), str | Transactor):
        raise DefinitionError(f"transaction takes a database, found {uri!r}", hint="such as 'sql:crm'")
    return Target(uri)


_UNCHANGING = (Filter, Idempotent, Log, RemoveHeader, SetHeader, Tap, To, Validate)
"""Steps behind which the body is of the type that it was before."""


def _body_type(flow: Flow[Any]) -> Any:
    """The type of the bodies at the end of a flow, where it was written down; None where it was not."""
    for step in reversed(flow.chain.steps):
        if isinstance(step, Parse):
            return step.type
        if not isinstance(step, _UNCHANGING):
            return None
    return flow.body


def _callable(function: Callable[..., Any], word: str) -> Callable[..., Any]:
    """The function, once it is known to be one that a step can call."""
    if not callable(function):
        raise DefinitionError(f"{word} takes a function, found {function!r}", hint="write a function of the body")
    arity(function)
    return function


def _rules(retry: Retries) -> tuple[Retry, ...]:
    return rules_of(retry)
