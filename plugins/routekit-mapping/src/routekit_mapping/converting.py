"""Converters: a function, its inverse, and what is lost on the way; values that are named, chained and tested."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

L = TypeVar("L")
R = TypeVar("R")
X = TypeVar("X")


@dataclass(frozen=True)
class Converter(Generic[L, R]):
    """How a value of side a becomes one of side b, and back.

    Both functions get a value, never None and never what is missing; they raise ValueError with the reason for one that
    they cannot convert, and that text never holds the value itself.
    """

    name: str
    """As it is shown in tables, with its options: two converters of one name do the same."""
    to: Callable[[L], R]
    back: Callable[[R], L] | None
    """None: there is no way back, and a rule with it goes one way only."""
    loss: str = ""
    """What the way there and back loses, in words, such as `case of letters`; empty: nothing."""
    samples: Sequence[L] = ()
    """Values of side a that it takes, for tests that are generated; none: whatever the type allows."""
    samples_b: Sequence[R] = ()
    steps: tuple[str, ...] = ()
    """The names of what it is chained of."""

    def __or__(self, other: "Converter[R, X]") -> "Converter[L, X]":
        """This one, and then the other."""
        return chained(self, other)

    @property
    def reversible(self) -> bool:
        """Whether every value comes back as it was."""
        return self.back is not None and not self.loss

    @property
    def inverse(self) -> "Converter[R, L]":
        """The same with its sides exchanged."""
        if self.back is None:
            raise ValueError(f"converter '{self.name}' has no way back")
        steps = tuple(f"{step}, back" for step in reversed(self.steps or (self.name,)))
        return Converter(f"{self.name}, back", self.back, self.to, self.loss, self.samples_b, self.samples, steps)

    def __repr__(self) -> str:
        return f"<converter {self.name}>"


def converter(
    to: Callable[[L], R],
    back: Callable[[R], L] | None = None,
    *,
    name: str = "",
    loss: str = "",
    samples: Sequence[L] = (),
    samples_b: Sequence[R] = (),
) -> Converter[L, R]:
    """A converter of two functions of one's own.

    `name` is needed for a lambda: it tells versions of a mapping apart, and is what tables show. Without `back` it goes
    one way only; `loss` says in words what does not come back as it was.

    >>> cents = converter(lambda euros: euros * 100, lambda cents: cents // 100, name="euros in cents")
    >>> cents.to(3), cents.back(300), cents.reversible
    (300, 3, True)
    """
    said = name or getattr(to, "__qualname__", "")
    if not said or "<lambda>" in said:
        raise ValueError("a converter of a lambda needs a name: converter(..., name='what it does')")
    return Converter(said, to, back, loss, samples, samples_b)


def chained(first: Converter[L, X], second: Converter[X, R]) -> Converter[L, R]:
    """Two converters as one."""
    to, then = first.to, second.to
    back, before = first.back, second.back
    loss = "; ".join(part for part in (first.loss, second.loss) if part)
    steps = (*(first.steps or (first.name,)), *(second.steps or (second.name,)))
    both = None if back is None or before is None else _after(back, before)
    return Converter(" | ".join(steps), _after(then, to), both, loss, first.samples, second.samples_b, steps)


def _after(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: outer(inner(value))


def canonical(converter: Converter[L, R], value: L) -> object:
    """What of a value survives the way there and back: two values with the same mean the same to the mapping.

    As it is a function of the value, meaning the same is an equivalence. A value that cannot be converted means itself.
    """
    try:
        there = converter.to(value)
        return there if converter.back is None else converter.back(there)
    except (ValueError, ArithmeticError):
        return ("itself", value)
