"""The store of a simulation: it survives every process, and each write to it is an operation that may be the last."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, cast

from pydantic_core import from_json

from ..errors import BodyError, StoreError
from ..store import Adding, Arrival, Store
from ..stores.memory import MemoryStore
from ..written import read
from .outside import DYING, Life, Outside

_READS = frozenset({"get", "items", "all", "messages", "list", "count", "effects", "clusters"})
"""Calls that change nothing which anybody outside could see."""


class LastingStore(MemoryStore):
    """What every process of a run finds again. Its owner is one name, so each takes over what the last one had."""

    durable = True
    owner = "simulated"


class LivingStore:
    """The lasting store, as one process sees it."""

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name in ("letters", "audit"):
            return _State(found, name, "", self._life)
        if name in ("contents", "vacuum", "transaction"):
            return found
        if callable(found):
            opening = cast("Callable[[str], Any]", found)
            return partial(self._opened, opening, name)
        return found

    def _opened(self, opening: Callable[[str], Any], kind: str, name: str) -> "_State":
        return _State(opening(name), kind, name, self._life)


def living(store: Store, life: Life) -> Store:
    """The store for one process."""
    return cast("Store", LivingStore(store, life))


class _State:
    """One kind of state by one name."""

    def __init__(self, state: Any, kind: str, name: str, life: Life) -> None:
        self._state = state
        self._kind = kind
        self._name = name
        self._life = life

    def __getattr__(self, method: str) -> Any:
        call: Callable[..., Awaitable[Any]] = getattr(self._state, method)
        outside, life = self._life.outside, self._life
        seen = _SEEN.get((self._kind, method))

        async def operation(*args: Any, **options: Any) -> Any:
            async def act() -> Any:
                result = await call(*args, **options)
                if seen is not None:
                    seen(outside, self._name, args, options, result)
                return result

            at = " ".join(filter(None, (f"{self._kind}.{method}", self._name, _what(args))))
            return await life.operation(at, act, may=() if method in _READS else DYING)

        return operation


def _what(args: tuple[Any, ...]) -> str:
    """What a call is about: a key, an id, a number; of a letter, its message."""
    named = [str(getattr(arg, "message_id", arg)) for arg in args[:2] if not isinstance(arg, (list, tuple))]
    return " ".join(text for text in named if len(text) <= 60)  # else it is the state itself


def _added(outside: Outside, name: str, args: Any, options: Any, result: Any) -> None:
    adding, group = result
    if adding is not Adding.NEW:
        return
    known = f"{name}#{group.number}"
    if options.get("latest"):
        for one in outside.lineage.members(known):
            outside.held.pop(one, None)
        outside.lineage.emptied(known)
    outside.lineage.joined(known, args[1])
    outside.hold(args[1])
    outside.tell(f"the store keeps {args[1]} in {known}", args[1])


def _removed(outside: Outside, name: str, args: Any, options: Any, result: Any) -> None:
    known = f"{name}#{args[0]}"
    for one in outside.lineage.members(known):
        if outside.held[one] > 0:
            outside.drop(one)
    outside.tell(f"the store forgets {known}", known)


def _journaled(outside: Outside, name: str, args: Any, options: Any, result: Any) -> None:
    if result is not Arrival.NEW:
        return
    if not outside.lineage.roots(args[0]):  # a durable queue has keys of its own
        with suppress(BodyError, StoreError, ValueError, TypeError):
            outside.lineage.joined(args[0], _message_in(args[1]))
    outside.hold(args[0])
    outside.tell(f"the journal of {name} has {args[0]}", args[0])


def _message_in(text: str) -> str:
    """The id of the message that a journal's text holds; that of a queue is behind its priority."""
    found: Any = from_json(text)
    return read(found[1] if len(found) == 2 else text).message.id


def _finished(outside: Outside, name: str, args: Any, options: Any, result: Any) -> None:
    if outside.held[args[0]] > 0:
        outside.drop(args[0])
    outside.tell(f"the journal of {name} has finished {args[0]}", args[0])


def _lettered(outside: Outside, name: str, args: Any, options: Any, result: Any) -> None:
    outside.dead.add(args[0].message_id)


_Seen = Callable[[Outside, str, Any, Any, Any], None]

_SEEN: dict[tuple[str, str], _Seen] = {
    ("groups", "add"): _added,
    ("groups", "remove"): _removed,
    ("journal", "add"): _journaled,
    ("journal", "finish"): _finished,
    ("letters", "add"): _lettered,
}
"""What a call says about the whereabouts of messages."""
