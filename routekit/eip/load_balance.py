"""Load Balancer: each message goes to one of several branches, in turn, by chance or by its key."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import cycle
from math import log
from random import Random
from typing import Any, Literal, TypeAlias, TypeVar

from ..callables import Coro, Own, arity, name_of
from ..conduct import PLAIN, Conduct
from ..demands import whole
from ..errors import DefinitionError, did_you_mean
from ..keys import key_text
from ..message import Message
from ..passage import Passage
from ..step import Chain, Handler, Reply, Runtime, Step

T = TypeVar("T")
U = TypeVar("U")

By: TypeAlias = Literal["round_robin", "random"] | Callable[..., Any]

_WORDS = ("round_robin", "random")


@dataclass(frozen=True)
class LoadBalance(Step[T, U]):
    """Camel's "Load Balancer".

    A function in `by` gives a key, and messages of one key always go to the same branch: by the weight of its hash
    with each branch (rendezvous hashing, Thaler and Ravishankar 1998), which is the same in every process; a branch
    that is added behind the others takes over its share of the keys, and no other key moves.
    """

    options: tuple[Chain, ...]
    by: By = "round_robin"
    weights: tuple[int, ...] | None = None
    word = "load_balance"

    def __post_init__(self) -> None:
        if not self.options:
            raise DefinitionError("there is no branch", hint="give one at least")
        if not callable(self.by) and self.by not in _WORDS:
            raise DefinitionError(f"by is {self.by!r}", hint=did_you_mean(str(self.by), _WORDS))
        if self.weights is None:
            return
        if len(self.weights) != len(self.options):
            found = f"{len(self.weights)} weights for {len(self.options)} branches"
            raise DefinitionError(found, hint="give one weight for each")
        for weight in self.weights:
            whole("a weight", weight, least=0)
        if not any(self.weights):
            raise DefinitionError(f"the weights are {self.weights}", hint="one must be above 0")

    def bind(self, proceed: Handler[U], runtime: Runtime) -> Handler[T]:
        handlers = [runtime.bind(branch, proceed, name) for name, branch in self.branches()]
        weights = self.weights or (1,) * len(handlers)
        if callable(self.by):
            return _by_key(handlers, weights, self.by)
        turns = by_chance(weights, runtime.random) if self.by == "random" else in_turn(weights)
        return lambda message: handlers[next(turns)](message)

    def behaves(self) -> Conduct:
        return PLAIN if callable(self.by) else Conduct(varies="a message that comes again may take another branch")

    @property
    def label(self) -> str:
        by = name_of(self.by) if callable(self.by) else self.by
        weights = "" if self.weights is None else f", weights={':'.join(map(str, self.weights))}"
        return f"load_balance(by {by}{weights})"

    def decides_by(self) -> Sequence[Callable[..., Any]]:
        return (self.by,) if callable(self.by) else ()

    def explained(self, passage: Passage) -> str:
        return ", ".join(passage.branches)

    def branches(self) -> Sequence[tuple[str, Chain]]:
        return tuple((f"branch-{number}", branch) for number, branch in enumerate(self.options, 1))

    def waits_for(self) -> Mapping[str, Reply]:
        return {label: "on" for label, _ in self.branches()}


def in_turn(weights: Sequence[int]) -> Iterator[int]:
    """Which branch is next: each by its weight in every round, as evenly spread as can be.

    Smooth weighted round robin, as in nginx (upstream_rr): all gain their weight, the first of the richest pays all.
    """
    if len(set(weights)) == 1:
        yield from cycle(range(len(weights)))
    total, riches = sum(weights), [0] * len(weights)
    while True:
        riches = [rich + weight for rich, weight in zip(riches, weights, strict=True)]
        chosen = riches.index(max(riches))
        riches[chosen] -= total
        yield chosen


def by_chance(weights: Sequence[int], random: Random) -> Iterator[int]:
    """Which branch is next, by its weight in the long run."""
    numbers = range(len(weights))
    while True:
        yield random.choices(numbers, weights)[0]


def by_hash(key: str, weights: Sequence[int]) -> int:
    """The branch of a key: that with the best score of all (weighted rendezvous hashing)."""
    return max(range(len(weights)), key=lambda branch: _score(key, branch, weights[branch]))


def _score(key: str, branch: int, weight: int) -> float:
    digest = blake2b(f"{branch}/{key}".encode(errors="surrogatepass"), digest_size=8).digest()
    share = ((int.from_bytes(digest) >> 11) + 0.5) / 2**53  # between 0 and 1, and neither of them
    return -weight / log(share)


def _by_key(handlers: Sequence[Handler[Any]], weights: Sequence[int], by: Callable[..., Any]) -> Handler[Any]:
    with_message = arity(by) == 2

    def handle(message: Message[Any]) -> Awaitable[Message[Any] | None]:
        key = by(message.body, message) if with_message else by(message.body)
        if type(key) is Coro:
            return Own(wait(message, key), handle)
        return handlers[by_hash(key_text(key, by), weights)](message)

    async def wait(message: Message[Any], key: Awaitable[object]) -> Message[Any] | None:
        return await handlers[by_hash(key_text(await key, by), weights)](message)

    return handle
