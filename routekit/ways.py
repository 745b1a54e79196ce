"""Ways: what is promised to a message on its way through a route, from the source to where it stands.

A way starts with what the source promises, and each step makes of it what its `conduct` says. What is weaker than it
could be is kept as a `Why`: what decides it by name, and the word that would change it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from .conduct import Conduct, Order
from .endpoint import Listener, Producer, Source, Transactor
from .route import REFUSE, Policy
from .step import Chain, Step

DURABLE_STORE = 'store = "sqlite:..." in routekit.toml'
JOURNALED = 'Policy(durable="store")'


@dataclass(frozen=True, slots=True)
class Why:
    """What makes a promise weaker, and the word that would make it stronger, if there is one."""

    text: str
    word: str = ""


Whys: TypeAlias = tuple[Why, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What is promised to a message that has come so far."""

    facts: tuple[str, ...] = ()
    """What keeps it safe, and what the author drops, in the order of the route."""
    lost: Whys = ()
    """Why it may be lost."""
    crash: Whys = ()
    """Why it does not go on after a crash."""
    varies: Whys = ()
    """Why it may be another one when it comes again."""
    unnamed: Whys = ()
    """Why it is not known when it comes again."""
    order: Order = "yes"
    key: Any = None
    """What gives the keys of `per key`."""
    unordered: Whys = ()
    within: Transactor | None = None
    """Where what it does is committed."""

    def fact(self, text: str) -> "Way":
        """With one thing more that is so."""
        return replace(self, facts=(*self.facts, text))

    def losing(self, why: Why, *, crash: bool = True) -> "Way":
        """It may be lost, in a crash or at any time."""
        return replace(self, lost=(*self.lost, why), crash=(*self.crash, why) if crash else self.crash)

    def varying(self, why: Why) -> "Way":
        """It may be another one when it comes again."""
        return replace(self, varies=(*self.varies, why))

    def disordered(self, why: Why) -> "Way":
        """It has no order any more."""
        return replace(self, order="no", key=None, unordered=(*self.unordered, why))

    def keyed(self, key: object, why: Why) -> "Way":
        """It keeps its order only among those of equal keys."""
        if self.order == "yes" or (self.order == "per key" and self.key == key):
            return replace(self, order="per key", key=key, unordered=(*self.unordered, why))
        if self.order == "no":
            return self
        return self.disordered(Why(f"{why.text}, and those are other keys than before", why.word))


_RANK: dict[Order, int] = {"no": 0, "per key": 1, "yes": 2}


def merged(ways: Iterable[Way]) -> Way:
    """The weakest of all: what holds whichever of them a message takes."""
    first, *others = ways
    for way in others:
        weaker = min(first, way, key=lambda one: _RANK[one.order])
        other_keys = first.order == way.order == "per key" and first.key != way.key
        first = Way(
            _joined(first.facts, way.facts),
            _joined(first.lost, way.lost),
            _joined(first.crash, way.crash),
            _joined(first.varies, way.varies),
            _joined(first.unnamed, way.unnamed),
            "no" if other_keys else weaker.order,
            None if other_keys else weaker.key,
            _joined(first.unordered, way.unordered),
            first.within if first.within is way.within else None,
        )
    return first


def _joined(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*first, *(one for one in second if one not in first))


def begun(source: Source, name: str, policy: Policy, *, durable: bool, workers: int = 1) -> Way:
    """The way of a message that has just come from its source; `name` is that as it was written."""
    way = _ordered(_brought(Way(), source, name, policy, durable=durable), source, name, policy)
    return _failing(
        _shared(way, source, name, workers),
        source,
        name,
        policy,
        durable=durable,
    )


def _brought(way: Way, source: Source, name: str, policy: Policy, *, durable: bool) -> Way:
    """What becomes of what is at work at a crash."""
    promises = source.promises()
    if isinstance(source, Listener):
        text = f"who sends to {name} again, for want of an answer, sends a new message"
        way = replace(way, unnamed=(Why(text, ".transaction(..., key=...)"),))
    if promises.volatile:
        return way.losing(Why(f"{name} is memory, or nobody acknowledges there", source.advice.get("volatile", "")))
    if policy.durable == "store" and durable:
        return way.fact(f"{JOURNALED} keeps it in the store before {name} is told")
    if isinstance(source, Listener):
        why = Why(f"what {name} has at work at a crash must be sent again by who sent it", JOURNALED)
        return replace(way.fact(f"{name} tells its caller when all is done"), crash=(why,))
    if not promises.replayable:
        word = source.advice.get("replayable", JOURNALED)
        return way.losing(Why(f"{name} does not bring again what was at work at a crash", word))
    return way.fact(f"{name} brings again what was not acknowledged")


def _ordered(way: Way, source: Source, name: str, policy: Policy) -> Way:
    """The order in which messages are handled."""
    if not source.promises().ordered:
        return way.disordered(Why(f"{name} promises no order", source.advice.get("ordered", "")))
    if isinstance(source, Listener):
        return way.disordered(Why(f"calls of {name} wait for no other"))
    if (policy.concurrency or 1) == 1:
        return way
    at_once = policy.concurrency
    if policy.order_by is None:
        return way.disordered(Why(f"Policy(concurrency={at_once}) handles several at once", "Policy(order_by=...)"))
    return way.keyed(policy.order_by, Why("Policy(order_by=...) keeps those of equal keys in order"))


def _shared(way: Way, source: Source, name: str, workers: int) -> Way:
    """What becomes of it where several processes run the route."""
    if workers == 1 or source.internal:
        return way
    if source.alone():
        return way.fact(f"one of {workers} workers runs {name}: the store elects it, and the next one when it dies")
    if isinstance(source, Listener):
        return way.fact(f"{workers} workers share what comes to {name}")
    return way.disordered(Why(f"{workers} workers share what {name} brings", "workers = 1"))


def _failing(way: Way, source: Source, name: str, policy: Policy, *, durable: bool) -> Way:
    """What becomes of what fails for good."""
    letters = policy.dead_letter
    if isinstance(letters, Chain):
        return way.fact("what fails goes into the branch of dead letters, or is not acknowledged")
    if letters == REFUSE and not source.takes_back():
        if not source.promises().replayable:
            why = Why(f"{name} does not bring again what is refused", 'Policy(dead_letter="store")')
            return way.losing(why, crash=False)
        text = 'Policy(dead_letter="refuse") lets what failed come again, behind others'
        return way.disordered(Why(text, 'Policy(dead_letter="store")')).fact(f"what fails goes back to {name}")
    if letters is None and source.takes_back():
        return way.fact(f"what fails is told to {name}")
    if not durable:
        return way.losing(Why("dead letters are kept in memory", DURABLE_STORE))
    return way.fact("what fails becomes a dead letter in the store")


def passed(way: Way, step: Step[Any, Any], *, durable: bool) -> Way:
    """The way behind a step; its branches are looked at for themselves."""
    conduct, label = step.behaves(), step.label
    if conduct is None:
        word = f"conduct = ... in class {type(step).__name__}"
        return way.varying(Why(f"{label} does not say what it does", word)).disordered(
            Why(f"{label} does not say whether it keeps the order", word)
        )
    way = _kept(way, step, conduct, durable=durable)
    if conduct.drops:
        way = way.fact(f"{label} drops {conduct.drops}, as its author says")
    if conduct.varies:
        way = way.varying(Why(f"{label}: {conduct.varies}"))
    if conduct.knows and durable:
        way = way.fact(f"{label} knows what was done, by {conduct.knows}")
    return _reordered(way, conduct, label)


def _kept(way: Way, step: Step[Any, Any], conduct: Conduct, *, durable: bool) -> Way:
    if step.keeps and durable:
        way = way.fact(f"{step.label} keeps messages in the store until they go on")
    elif step.keeps:
        way = way.fact(f"{step.label} holds messages in memory, unacknowledged until they are done")
    if conduct.anew and not durable:
        way = way.varying(Why(f"{step.label}: {conduct.anew} begin anew after a crash", DURABLE_STORE))
    if conduct.loses and not durable:
        way = way.losing(Why(f"{step.label}: {conduct.loses} are in memory", DURABLE_STORE))
    return way


def _reordered(way: Way, conduct: Conduct, label: str) -> Way:
    if conduct.sorts:
        way = replace(way, order="yes", key=None, unordered=())
    if conduct.order == "no":
        return way.disordered(Why(f"{label} lets them go on in any order"))
    if conduct.order == "per key":
        return way.keyed(conduct.key, Why(f"{label} keeps those of equal keys in order"))
    return way


def entered(way: Way, step: Step[Any, Any], branch: str, commits: Transactor | None) -> Way:
    """The way at the start of a branch of a step that it has come to; `commits` is that of the step itself."""
    conduct = step.behaves()
    if conduct is None:
        return way
    if branch in conduct.leaves_out:
        way = way.losing(Why(f"{step.label} goes on without '{branch}' if that fails"), crash=False)
    if conduct.varies:
        way = way.varying(Why(f"{step.label}: {conduct.varies}"))
    if conduct.scatters:
        way = way.disordered(Why(f"{step.label}: {conduct.scatters}"))
    if commits is None:
        return way
    return replace(way, within=commits, unnamed=() if conduct.knows else way.unnamed)


def queued(way: Way, sink: Producer, source: Source, name: str, policy: Policy, *, durable: bool) -> Way:
    """The way behind an endpoint inside this service that another route reads from, such as `queue:`."""
    here, there = sink.promises(), source.promises()
    if here.volatile or there.volatile:
        way = way.losing(Why(f"{name} is memory", sink.advice.get("volatile", "")))
    elif not isinstance(source, Listener):
        kept = way.fact(f"{name} is kept in the store")
        way = kept if durable else way.losing(Why(f"{name} is kept in a store that is memory", DURABLE_STORE))
    if isinstance(source, Listener) and policy.durable != "store":
        return way  # the caller waits, so that its own order is kept
    if isinstance(source, Listener):
        return way.disordered(
            Why(f"{name} is left as soon as a message is in the journal, and several are handled at once")
        )
    if not (here.ordered and there.ordered):
        return way.disordered(Why(f"{name} promises no order"))
    own = _ordered(Way(), source, name, policy)
    if own.order == "no":
        return way.disordered(own.unordered[-1])
    return way.keyed(own.key, own.unordered[-1]) if own.order == "per key" else way
