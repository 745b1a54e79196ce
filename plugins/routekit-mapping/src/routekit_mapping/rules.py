"""Rules: what a mapping is declared of; each says which fields of the two sides belong together, and how."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, overload
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import Unpack

from .converting import Converter
from .errors import BadMapping
from .limits import Limit
from .presence import MISSING
from .references import Path, path_of, paths_of, unmarked

L = TypeVar("L")
R = TypeVar("R")
L2 = TypeVar("L2")
L3 = TypeVar("L3")
R2 = TypeVar("R2")
R3 = TypeVar("R3")
T = TypeVar("T")
M = TypeVar("M", BaseModel, Enum)
Fixed = TypeVar("Fixed", bound=BaseModel | Enum)
Scalar = TypeVar("Scalar", str, bool, int, float, Decimal, datetime, date, time, UUID, bytes)

Direction: TypeAlias = Literal["both", "to_b", "to_a"]
OnNull: TypeAlias = Literal["clear", "keep", "default"]
Empty: TypeAlias = Literal["kept", "null"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, as data."""

    kind: str
    """`same`, `convert`, `computed`, `default`, `reference`, `nested` or `each`."""
    a: tuple[Path, ...]
    b: tuple[Path, ...]
    name: str = ""
    direction: Direction = "both"
    by: Converter[Any, Any] | None = None
    mapping: Any = None
    """Of `nested` and `each`: the mapping of what is inside."""
    table: str = ""
    """Of `reference`: what the resolver is asked for."""
    value: Any = MISSING
    """Of `default`."""
    unit: str = ""
    """The rules that decide as one have the same."""
    key: bool = False
    """Whether it tells which rows of two lists belong together."""
    on_null: OnNull = "clear"
    empty: Empty = "kept"
    default: Any = MISSING
    """What b gets at its creation if a says nothing, and with `on_null="default"` for null."""
    default_a: Any = MISSING
    limit: Limit | None = None
    """Of side b."""
    limit_a: Limit | None = None
    several_a: bool = False
    """Whether converters get a tuple of side a, and not a single value."""
    several_b: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """What happens to a value, in order, in words."""
        said = () if self.by is None else self.by.steps or (self.by.name,)
        said = (*said, *(() if self.mapping is None else (f"mapping {self.mapping.name}",)))
        said = (*said, *((f"reference {self.table}",) if self.table else ()))
        return (*said, *(() if self.limit is None else (str(self.limit),)))


@dataclass(frozen=True, slots=True)
class Together:
    """Rules that decide as one: what `unit` gives."""

    name: str
    rules: tuple[Rule, ...]


@overload
def same(
    a: Scalar | None,
    b: Scalar | None,
    *,
    name: str = "",
    direction: Direction = "both",
    key: bool = False,
    on_null: OnNull = "clear",
    empty: Empty = "kept",
    default: Scalar | None = None,
    default_a: Scalar | None = None,
    limit: Limit | None = None,
    limit_a: Limit | None = None,
) -> Rule: ...
@overload
def same(
    a: list[T] | None,
    b: list[T] | None,
    *,
    name: str = "",
    direction: Direction = "both",
    on_null: OnNull = "clear",
    empty: Empty = "kept",
) -> Rule: ...
@overload
def same(
    a: Fixed | None,
    b: Fixed | None,
    *,
    name: str = "",
    direction: Direction = "both",
    key: bool = False,
    on_null: OnNull = "clear",
    default: Fixed | None = None,
    default_a: Fixed | None = None,
) -> Rule: ...
@overload
def same(
    a: set[T] | None,
    b: set[T] | None,
    *,
    name: str = "",
    direction: Direction = "both",
    on_null: OnNull = "clear",
) -> Rule: ...
@overload
def same(
    a: dict[str, T] | None,
    b: dict[str, T] | None,
    *,
    name: str = "",
    direction: Direction = "both",
    on_null: OnNull = "clear",
) -> Rule: ...
def same(a: Any, b: Any, **options: Any) -> Rule:
    """The two fields have the same value: they differ in name and place only.

    Their types are the same but for None; `date` and `datetime`, or `int` and `float`, are not.

    Args:
        a: a field of side a.
        b: a field of side b.
        options: `name` of the rule, the field of side a by itself; `direction`: `to_b` and `to_a` go one way only;
            `key`: it tells which rows of two lists belong together; `on_null`: what null does on the other side:
            `clear` it, `keep` what is there, or put the `default`; `empty="null"`: an empty text or list is no value,
            and null is written as one where the other side knows no null; `default` and `default_a`: what b and a get
            at their creation when the other says nothing; `limit` and `limit_a`: what b and a take.
    """
    left, right = path_of(a), path_of(b)
    if not fits(left.kind, right.kind):
        raise BadMapping(
            f"{left.model.__name__}.{left} is {shown(left.kind)} and {right.model.__name__}.{right} is "
            f"{shown(right.kind)}: they are not the same",
            hint="say how one becomes the other: convert(a, b, by=...)",
        )
    return declare("same", a, b, options)


class ConvertOptions(TypedDict, total=False):
    """What every rule with a converter may say; see `same`."""

    name: str
    direction: Direction
    key: bool
    on_null: OnNull
    empty: Empty
    limit: Limit | None
    limit_a: Limit | None


@overload
def convert(
    a: tuple[L | None, L2 | None],
    b: tuple[R | None, R2 | None],
    by: Converter[tuple[L | None, L2 | None], tuple[R | None, R2 | None]],
    **options: Unpack[ConvertOptions],
) -> Rule: ...
@overload
def convert(
    a: tuple[L | None, L2 | None],
    b: R | None,
    by: Converter[tuple[L | None, L2 | None], R],
    **options: Unpack[ConvertOptions],
) -> Rule: ...
@overload
def convert(
    a: tuple[L | None, L2 | None, L3 | None],
    b: R | None,
    by: Converter[tuple[L | None, L2 | None, L3 | None], R],
    **options: Unpack[ConvertOptions],
) -> Rule: ...
@overload
def convert(
    a: L | None,
    b: tuple[R | None, R2 | None],
    by: Converter[L, tuple[R | None, R2 | None]],
    **options: Unpack[ConvertOptions],
) -> Rule: ...
@overload
def convert(
    a: L | None,
    b: tuple[R | None, R2 | None, R3 | None],
    by: Converter[L, tuple[R | None, R2 | None, R3 | None]],
    **options: Unpack[ConvertOptions],
) -> Rule: ...
@overload
def convert(
    a: L | None,
    b: R | None,
    by: Converter[L, R],
    *,
    default: R | None = None,
    default_a: L | None = None,
    **options: Unpack[ConvertOptions],
) -> Rule: ...
def convert(a: Any, b: Any, by: Converter[Any, Any], **options: Any) -> Rule:
    """A converter leads from one field to the other, and back.

    `a`, `b` or both may be tuples of fields: a full name of two, an amount with its currency. Such a converter gets and
    gives tuples, with None where a field has no value. The options are those of `same`.
    """
    if by.back is None and options.get("direction", "both") == "both":
        raise BadMapping(
            f"converter '{by.name}' has no way back", hint="say direction='to_b', or use computed(), or give it one"
        )
    return replace(declare("convert", a, b, options), by=by)


@overload
def computed(target: Scalar | None, source: L, by: Callable[[L], Scalar | None], *, name: str = "") -> Rule: ...
@overload
def computed(target: list[T] | None, source: L, by: Callable[[L], list[T] | None], *, name: str = "") -> Rule: ...
@overload
def computed(target: M | None, source: L, by: Callable[[L], M | None], *, name: str = "") -> Rule: ...
def computed(target: Any, source: Any, by: Callable[[Any], Any], *, name: str = "") -> Rule:
    """A field that is made of the other side's and never read back: a label, a count.

    `source` is a field of the other side, or a tuple of them: then the function gets None for what has no value.
    """
    said = name or str(paths_of(target)[0])
    to = Converter[Any, Any](getattr(by, "__qualname__", said).replace("<lambda>", said), by, None)
    return Rule(
        "computed", paths_of(source), paths_of(target), said, "to_b", to,
        several_a=isinstance(source, tuple), several_b=isinstance(target, tuple),
    )  # fmt: skip


@overload
def default(target: Scalar | None, value: Scalar, *, name: str = "") -> Rule: ...
@overload
def default(target: list[T] | None, value: list[T], *, name: str = "") -> Rule: ...
@overload
def default(target: M | None, value: M, *, name: str = "") -> Rule: ...
def default(target: Any, value: Any, *, name: str = "") -> Rule:
    """What a field gets at the creation of its record, which the other side has nothing for; later it is left alone."""
    path = path_of(target)
    return Rule("default", (), (path,), name or str(path), "to_b", value=value)


def reference(
    a: object,
    b: object,
    of: str,
    *,
    name: str = "",
    direction: Direction = "both",
    key: bool = False,
    on_null: OnNull = "clear",
) -> Rule:
    """The id of another record, which has another id on the other side: a contact's account.

    Which one that is says the resolver, which is given at run time and asked for `of`, such as `accounts`.
    """
    options = {"name": name, "direction": direction, "key": key, "on_null": on_null}
    return replace(declare("reference", a, b, options), table=of)


def unit(name: str, *rules: Rule) -> Together:
    """Rules that decide as one: a street goes with its town, an amount with its currency."""
    return Together(name, rules)


def declare(kind: str, a: object, b: object, options: dict[str, Any]) -> Rule:
    """A rule between references, or tuples of them, with those options that were given."""
    given = {name: value for name, value in options.items() if name not in ("default", "default_a")}
    for name in ("default", "default_a"):
        if options.get(name) is not None:
            given[name] = options[name]
    left, right = paths_of(a), paths_of(b)
    given["name"] = options.get("name") or "+".join(str(path) for path in left)
    return Rule(
        kind, left, right, several_a=isinstance(a, tuple), several_b=isinstance(b, tuple), **given
    )  # fmt: skip


def fits(left: Any, right: Any) -> bool:
    """Whether two types are the same, as far as is known."""
    return left is Any or right is Any or unmarked(left) == unmarked(right)


def shown(kind: Any) -> str:
    """A type as it is written."""
    return (
        kind.__name__
        if isinstance(kind, type) and not getattr(kind, "__args__", ())
        else str(kind).replace("typing.", "")
    )
