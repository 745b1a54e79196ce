"""Values for values: picklists, enumerations, spellings of yes and no, several choices in one text."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Literal, TypeVar

from .converting import Converter
from .errors import BadMapping, Unconvertible

L = TypeVar("L")
R = TypeVar("R")
E = TypeVar("E", bound=Enum)

Unknown = Literal["quarantine", "pass", "default"]


def value_map(
    values: Mapping[L, R],
    *,
    back: Mapping[R, L] | None = None,
    unknown: Unknown = "quarantine",
    default: R | None = None,
    default_a: L | None = None,
    name: str = "",
) -> Converter[L, R]:
    """A value of the one side for a value of the other.

    >>> stages = value_map({"won": 1, "lost": 2})
    >>> stages.to("won"), stages.back(2)
    (1, 'lost')

    Where several values become one, `back` says which of them comes back. `unknown` says what a value that is not in
    the table does: `quarantine` raises, so that the record is set aside; `pass` leaves it as it is; `default` gives
    `default`, or `default_a` on the way back.
    """
    table, reverse = dict(values), _reversed(values, back)
    if unknown == "default" and default is None and default_a is None:
        raise BadMapping("unknown='default' and no default", hint="say default=..., default_a=... or both")
    lost = len(reverse) < len(table) or unknown == "default"
    said = name or "values " + ", ".join(f"{one}={other}" for one, other in table.items())
    return Converter(
        f"{said}, else {unknown}" if unknown != "quarantine" else said,
        _looked_up(table, unknown, default),
        _looked_up(reverse, unknown, default_a),
        "which of several values it was" if lost else "",
        tuple(table),
        tuple(reverse),
    )


def _reversed(values: Mapping[L, R], back: Mapping[R, L] | None) -> dict[R, L]:
    twice = [value for value, count in Counter(values.values()).items() if count > 1 and value not in (back or {})]
    if twice:
        raise BadMapping(
            f"several values become {twice[0]!r}: which of them comes back?", hint=f"say back={{{twice[0]!r}: ...}}"
        )
    return {**{other: one for one, other in values.items()}, **(back or {})}


def _looked_up(table: Mapping[Any, Any], unknown: Unknown, default: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if value in table:
            return table[value]
        if unknown == "pass":
            return value
        if unknown == "default" and default is not None:
            return default
        raise Unconvertible(f"is none of the {len(table)} values that are known")

    return convert


def enum_of(kind: type[E]) -> Converter[str, E]:
    """A text for the member of an enumeration that has it as its value.

    A member as text is the same the other way round: `enum_of(Colour).inverse`.
    """
    members = {str(member.value): member for member in kind}
    return value_map(members, name=f"member of {kind.__name__}")


def yes_no(
    true: str = "yes", false: str = "no", *, also_true: Sequence[str] = (), also_false: Sequence[str] = ()
) -> Converter[str, bool]:
    """A text that says yes or no; further spellings are read, and never written. Case does not matter.

    >>> flag = yes_no("Y", "N", also_true=["yes", "1"])
    >>> flag.to("1"), flag.back(True), flag.to("n")
    (True, 'Y', False)
    """
    known = {word.casefold(): True for word in (true, *also_true)}
    known |= {word.casefold(): False for word in (false, *also_false)}

    def read(text: str) -> bool:
        found = known.get(text.strip().casefold())
        if found is None:
            raise Unconvertible(f"says neither {true} nor {false}")
        return found

    spellings = (true, false, *also_true, *also_false)
    return Converter(
        f"{true} or {false}", read, lambda value: true if value else false, "the spelling", spellings
    )  # fmt: skip


def multi_select(separator: str = ";") -> Converter[str, list[str]]:
    """Several choices in one text, as CRM systems keep them, and the list of them.

    >>> multi_select().to("red; blue"), multi_select().back(["red", "blue"])
    (['red', 'blue'], 'red;blue')

    A choice that holds the separator is refused.
    """

    def split(text: str) -> list[str]:
        return [part for part in (part.strip() for part in text.split(separator)) if part]

    def join(choices: list[str]) -> str:
        if any(separator in choice for choice in choices):
            raise Unconvertible(f"has a choice with '{separator}' in it")
        return separator.join(choices)

    return Converter(
        f"choices by '{separator}'", split, join, "spaces around choices, empty ones",
        ("red", "red;blue", " red ; blue", ""), (["red"], ["red", "blue"], []),
    )  # fmt: skip
