"""References: fields of a model, named by reading them off a stand-in that is typed as the model itself.

`fields(Customer).address.city` is a `str` to a type checker, and a path to a mapping.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel, EmailStr, TypeAdapter
from pydantic.fields import FieldInfo

from routekit import Sensitive, did_you_mean

from .errors import BadMapping

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attribute:
    """A field of a model."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Row:
    """The row of a list that has these values."""

    where: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return "[" + ",".join(f"{name}={value}" for name, value in self.where) + "]"


Step = Attribute | Row


@dataclass(frozen=True, slots=True)
class Path:
    """The way from a model to one of its values."""

    model: type[BaseModel]
    steps: tuple[Step, ...] = ()
    annotation: Any = None
    """The declared type, with what surrounds it."""
    metadata: tuple[Any, ...] = ()
    """The marks of the value, and those of sensitive values that it is within."""
    outer: tuple[Any, ...] = ()
    """The marks that stand around the declared type."""

    def __str__(self) -> str:
        text = ""
        for step in self.steps:
            text += f".{step}" if text and isinstance(step, Attribute) else str(step)
        return text

    @property
    def top(self) -> str:
        """The field of the model where the way begins."""
        return str(self.steps[0])

    @property
    def kind(self) -> Any:
        """The type of the value, without None and without marks."""
        return bare(self.annotation)

    @property
    def nullable(self) -> bool:
        """Whether the value may be None."""
        return may_be_none(self.annotation)

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """What checks a value by its declared type."""
        wanted = cast("Any", Annotated[(self.annotation, *self.outer)] if self.outer else self.annotation)
        return TypeAdapter(wanted)

    @property
    def sensitive(self) -> Sensitive | None:
        """The mark of the value, or of what it is in; None if it has none."""
        return next((mark for mark in self.metadata if isinstance(mark, Sensitive)), None)


def bare(annotation: Any) -> Any:
    """A type without None and without marks.

    >>> bare(Annotated[str, "mark"] | None), bare(list[int])
    (<class 'str'>, list[int])
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        return bare(get_args(annotation)[0])
    if origin is Union or origin is UnionType:
        rest = [one for one in get_args(annotation) if one is not NoneType]
        return bare(rest[0]) if len(rest) == 1 else annotation
    return str if annotation is EmailStr else annotation


def unmarked(annotation: Any) -> Any:
    """A type without marks, at any depth: what a type checker compares.

    >>> unmarked(list[Annotated[str, "mark"]])
    list[str]
    """
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return unmarked(args[0])
    if annotation is EmailStr:
        return str
    if isinstance(origin, type) and origin is not UnionType and args:
        return GenericAlias(origin, tuple(unmarked(one) for one in args))
    return annotation


def may_be_none(annotation: Any) -> bool:
    """Whether None is a value of the type."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return may_be_none(get_args(annotation)[0])
    if origin is Union or origin is UnionType:
        return any(may_be_none(one) for one in get_args(annotation))
    return annotation is NoneType or annotation is Any or (origin is Literal and None in get_args(annotation))


def marks(annotation: Any) -> tuple[Any, ...]:
    """The marks that a type has, at any depth of None and of annotations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        first, *own = get_args(annotation)
        said = [mark.metadata if isinstance(mark, FieldInfo) else [mark] for mark in own]
        return (*(mark for some_ in said for mark in some_), *marks(first))
    if origin is Union or origin is UnionType:
        return tuple(mark for one in get_args(annotation) for mark in marks(one))
    return ()


def sensitive_within(annotation: Any, seen: frozenset[Any] = frozenset()) -> Sensitive | None:
    """The first mark of a sensitive value that is anywhere in a type: in its rows, in the models that it holds."""
    kind = bare(annotation)
    own = next((mark for mark in marks(annotation) if isinstance(mark, Sensitive)), None)
    if own is not None:
        return own
    inner = [found for one in get_args(kind) if (found := sensitive_within(one, seen)) is not None]
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
        for info in kind.model_fields.values():
            marked = next((mark for mark in info.metadata if isinstance(mark, Sensitive)), None)
            found = marked or sensitive_within(info.annotation, seen | {kind})
            inner += [] if found is None else [found]
    return next(iter(inner), None)


def fields(model: type[M]) -> M:
    """A stand-in for the model, whose attributes are references to its fields.

    >>> from pydantic import BaseModel
    >>> class Customer(BaseModel):
    ...     name: str
    >>> fields(Customer).name
    <field name of Customer>

    A name that the model does not have raises `BadMapping` where it is written.
    """
    if not (isinstance(model, type) and issubclass(model, BaseModel)):  # pyright: ignore[reportUnnecessaryIsInstance]  # who runs it without a type checker
        raise BadMapping(f"fields() takes a pydantic model, not {model!r}")
    return cast("M", Reference(Path(model, annotation=model)))


def some(value: T | None) -> T:
    """The same reference, to go on behind a field that may be None: `some(customer.address).city`."""
    path_of(value)
    return cast("T", value)


def row(items: Sequence[T] | None, **where: Any) -> T:
    """The row of a list that has these values: `row(party.mechanisms, type="email").value`.

    It turns the rows of one side into fields of the other. A list without such a row says that there is no value; where
    one is written that is not there yet, the row is made.
    """
    path = path_of(items)
    args = get_args(path.kind)
    item: Any = args[0] if get_origin(path.kind) is list and args else None
    if not (isinstance(item, type) and issubclass(item, BaseModel)):
        raise BadMapping(f"row() needs a list of models, and {path} is {path.annotation}")
    if not where:
        raise BadMapping(f"row() of {path} has to say which row, such as type='email'")
    for name in where:
        declared(item, name)
    step = Row(tuple(where.items()))
    return cast("T", Reference(replace(path, steps=(*path.steps, step), annotation=item)))


def declared(model: type[BaseModel], name: str) -> FieldInfo | None:
    """What a model says about a field; None for one that it computes. A name that it does not have raises."""
    found = model.model_fields.get(name)
    if found is not None:
        return found
    if name in model.model_computed_fields or isinstance(getattr(model, name, None), property):
        return None
    known = [*model.model_fields, *model.model_computed_fields]
    raise BadMapping(f"{model.__name__} has no field '{name}'", hint=did_you_mean(name, known))


class Reference:
    """What stands in for a model or a value of it while a mapping is declared."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        object.__setattr__(self, "_path", path)

    def __getattr__(self, name: str) -> "Reference":
        if name.startswith("__"):
            raise AttributeError(name)
        path: Path = object.__getattribute__(self, "_path")
        model: Any = path.kind
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise BadMapping(f"{path} of {path.model.__name__} is no model, so it has no field '{name}'")
        return Reference(behind(path, model, name))

    def __setattr__(self, name: str, value: object) -> None:
        raise BadMapping(f"a reference names a field, it cannot be given a value: {name}")

    def __repr__(self) -> str:
        path: Path = object.__getattribute__(self, "_path")
        return f"<field {path} of {path.model.__name__}>"


def behind(path: Path, model: type[BaseModel], name: str) -> Path:
    """The path to a field of the model that a path leads to."""
    info = declared(model, name)
    steps = (*path.steps, Attribute(name))
    if info is None:
        return replace(path, steps=steps, annotation=Any, outer=())
    own = (*info.metadata, *marks(info.annotation))
    inherited = tuple(mark for mark in path.metadata if isinstance(mark, Sensitive))
    return replace(
        path, steps=steps, annotation=info.annotation, metadata=(*own, *inherited), outer=tuple(info.metadata)
    )


def path_of(value: object) -> Path:
    """The path of a reference; whatever else was given raises."""
    if isinstance(value, Reference):
        return object.__getattribute__(value, "_path")
    raise BadMapping(
        f"a mapping is declared with references to fields, and this is {type(value).__name__} {value!r}",
        hint="write fields(Model).name",
    )


def paths_of(value: object) -> tuple[Path, ...]:
    """The paths of a reference, or of a tuple of them."""
    if isinstance(value, tuple):
        return tuple(path_of(one) for one in cast("tuple[object, ...]", value))
    return (path_of(value),)
