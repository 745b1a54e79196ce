"""Sameness: whether two definitions say the same, though they were made anew, as by loading a module once more.

Values are compared by what they say, and functions by their code: its instructions, constants, names, defaults,
closure, marks, and the globals of its module that it reads, in turn compared. Classes and modules are compared by what
they are: one that was loaded anew is another one. What cannot be compared is another one too.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from types import CellType, CodeType, FunctionType, MappingProxyType, MethodType
from typing import Any

from pydantic import BaseModel

_ABSENT = object()

_CODE = (
    "co_code",
    "co_names",
    "co_varnames",
    "co_cellvars",
    "co_freevars",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
    "co_qualname",
    "co_exceptiontable",
)
"""What a code object is, without where it stands."""


def same(one: object, other: object) -> bool:
    """Whether both say the same; in doubt they do not.

    >>> same([lambda body: body + 1], [lambda body: body + 1]), same(lambda body: body + 1, lambda body: body + 2)
    (True, False)
    """
    return _Comparing().same(one, other)


class _Comparing:
    """One comparison; what is compared already, or is being compared in a circle, is not compared again."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[int, int], tuple[object, object]] = {}  # holds them: an id is that of a living object

    def same(self, one: Any, other: Any) -> bool:
        if one is other:
            return True
        if type(one) is not type(other):
            return False
        pair = id(one), id(other)
        if pair in self._pairs:
            return True
        self._pairs[pair] = (one, other)
        return self._rule(one)(one, other)

    def _rule(self, thing: Any) -> Callable[[Any, Any], bool]:
        found = next((rule for kind, rule in self._rules() if isinstance(thing, kind)), None)
        if found is not None:
            return found
        if isinstance(thing, BaseModel) and type(thing).__eq__ is BaseModel.__eq__:
            return self._models
        return self._dataclasses if is_dataclass(thing) and not isinstance(thing, type) else _equal

    def _rules(self) -> Iterable[tuple[type | tuple[type, ...], Callable[[Any, Any], bool]]]:
        yield FunctionType, self._functions
        yield CodeType, self._codes
        yield (list, tuple), self._all
        yield (dict, MappingProxyType), self._mappings
        yield MethodType, self._methods
        yield partial, self._partials
        yield CellType, self._cells

    def _all(self, some: Iterable[Any], others: Iterable[Any]) -> bool:
        these, those = list(some), list(others)
        return len(these) == len(those) and all(map(self.same, these, those))

    def _mappings(self, one: Mapping[Any, Any], other: Mapping[Any, Any]) -> bool:
        """In order: that of rescues, or of columns, may mean something."""
        return self._all(one, other) and self._all(one.values(), other.values())

    def _methods(self, one: MethodType, other: MethodType) -> bool:
        return self.same(one.__func__, other.__func__) and self.same(one.__self__, other.__self__)

    def _partials(self, one: "partial[Any]", other: "partial[Any]") -> bool:
        return (
            self.same(one.func, other.func)
            and self._all(one.args, other.args)
            and self.same(one.keywords, other.keywords)
        )

    def _cells(self, one: CellType, other: CellType) -> bool:
        return self.same(_content(one), _content(other))

    def _models(self, one: BaseModel, other: BaseModel) -> bool:
        given = one.model_fields_set == other.model_fields_set
        return given and self.same(one.__dict__, other.__dict__) and self.same(one.model_extra, other.model_extra)

    def _dataclasses(self, one: Any, other: Any) -> bool:
        """By their fields, without those that are no part of what they say."""
        if type(one).__eq__ is object.__eq__:
            return False
        return all(
            self.same(getattr(one, field.name, _ABSENT), getattr(other, field.name, _ABSENT))
            for field in fields(one)
            if field.compare
        )

    def _functions(self, one: FunctionType, other: FunctionType) -> bool:
        if not self.same(one.__code__, other.__code__):
            return False
        said = ("__defaults__", "__kwdefaults__", "__closure__", "__dict__", "__annotations__")
        return all(self.same(getattr(one, name), getattr(other, name)) for name in said) and all(
            self.same(one.__globals__.get(name, _ABSENT), other.__globals__.get(name, _ABSENT))
            for name in sorted(_names(one.__code__))
        )

    def _codes(self, one: CodeType, other: CodeType) -> bool:
        return all(getattr(one, name) == getattr(other, name) for name in _CODE) and self._all(
            one.co_consts, other.co_consts
        )


def _names(code: CodeType) -> set[str]:
    """The names that it and what is inside it reads: those of globals, and of attributes as well."""
    inner = (_names(const) for const in code.co_consts if isinstance(const, CodeType))
    return {*code.co_names}.union(*inner)


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return _ABSENT


def _equal(one: object, other: object) -> bool:
    """What has no other rule says itself whether it is equal; that it is the same object has been asked."""
    if type(one).__eq__ is object.__eq__:
        return False
    try:
        return bool(one == other) and not (isinstance(one, float | complex) and repr(one) != repr(other))
    except Exception:  # a stranger's class may do anything
        return False
