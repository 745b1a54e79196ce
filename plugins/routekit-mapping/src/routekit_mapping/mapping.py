"""Mapping: two models, and the rules by which one is read as the other; one declaration, both directions."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Fields
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError

from .errors import BadMapping, MappingError
from .legs import Leg, Resolve
from .partial import Partial
from .presence import MISSING
from .references import Path, path_of
from .rules import Rule, Together
from .runs import Run, run_of
from .showing import Form, Lineage, lineage_of, table_of
from .telling import Counts, Explanation, Told, problems, tell
from .trees import Tree, opened, settle
from .versions import version_of

A = TypeVar("A", bound=BaseModel)
B = TypeVar("B", bound=BaseModel)


class Mapping(Generic[A, B]):
    """How an `A` is read as a `B`, and a `B` as an `A`.

    >>> from pydantic import BaseModel, ValidationError
    >>> from routekit_mapping import fields, same
    >>> class Customer(BaseModel):
    ...     name: str
    >>> class Party(BaseModel):
    ...     title: str
    ...     note: str = ""
    >>> a, b = fields(Customer), fields(Party)
    >>> customers = Mapping(Customer, Party, same(a.name, b.title))
    >>> customers.forward(Customer(name="Ada")), customers.backward(Party(title="Bob"))
    (Party(title='Ada', note=''), Customer(name='Bob'))
    >>> customers.put(Customer(name="Eve"), Party(title="Ada", note="old friend"))
    Party(title='Eve', note='old friend')

    A field that is not set (`model_fields_set`) says nothing; one that is None is cleared. Types are not coerced: what
    does not fit raises `MappingError` with every field that is to blame.
    """

    def __init__(self, a: type[A], b: type[B], *rules: Rule | Together, name: str = "") -> None:
        self.a = a
        self.b = b
        self.name = name or f"{a.__name__} and {b.__name__}"
        self.rules: tuple[Rule, ...] = tuple(_sided(rule, a, b) for rule in _flat(rules))
        """The rules, as data."""
        _checked(self.name, self.rules)
        self._legs = {
            "b": [Leg(rule, "b") for rule in self.rules if rule.direction != "to_a"],
            "a": [Leg(rule, "a") for rule in self.rules if rule.direction != "to_b"],
        }
        self._partials: dict[str, Partial[Any]] = {}
        self._forward = _whole(self._legs["b"], b)
        self._backward = _whole(self._legs["a"], a)
        self.version = version_of(self.name, a, b, self.rules)
        """A hash of all that the rules say: the same in every process, another one after a change."""

    def forward(
        self,
        a: A,
        *,
        rest: Fields[str, Any] | None = None,
        resolve: Resolve | None = None,
        counts: Counts | None = None,
    ) -> B:
        """The whole `B` that an `A` makes.

        `rest` is what `rest_of` gave for the `B` that there was, `counts` counts what each rule did.
        """
        if counts is not None:
            counts.add(self.tell(a, resolve=resolve))
        if rest is not None:
            return cast("B", self._onto("b", a, self._partial("b").read(rest, strict=False), resolve, whole=True))
        try:
            return self._forward(a, resolve)
        except (ValueError, ArithmeticError):
            raise self._failed(self.tell(a, resolve=resolve)) from None  # the cause would show values

    def backward(
        self,
        b: B,
        *,
        rest: Fields[str, Any] | None = None,
        resolve: Resolve | None = None,
        counts: Counts | None = None,
    ) -> A:
        """The whole `A` that a `B` makes; with `rest`, with all of the `A` that there was and that no `B` can hold."""
        if counts is not None:
            counts.add(self.tell(b, "a", resolve=resolve))
        if rest is not None:
            return cast("A", self._onto("a", b, self._partial("a").read(rest, strict=False), resolve, whole=True))
        try:
            return self._backward(b, resolve)
        except (ValueError, ArithmeticError):
            raise self._failed(self.tell(b, "a", resolve=resolve)) from None

    def put(self, a: A, old: B, *, resolve: Resolve | None = None) -> B:
        """`old` with what an `A` says: the rest of it stays, and so does what means the same already.

        If nothing is to be changed, it is `old` itself.
        """
        return cast("B", self._onto("b", a, old, resolve))

    def put_back(self, b: B, old: A, *, resolve: Resolve | None = None) -> A:
        """The same in the other direction."""
        return cast("A", self._onto("a", b, old, resolve))

    def rest_of(self, value: A | B) -> dict[str, Any]:
        """What of a record the other side does not hold, as JSON: extra fields, and those that no rule carries whole.

        It can be kept beside the other side's record, and makes the way back complete: `backward(b, rest=...)`.
        """
        side = "a" if isinstance(value, self.a) else "b"
        carried = {path.top for rule in self.rules for path in _carried(rule, side)}
        names = {*type(value).model_fields, *(value.model_extra or {})} - carried
        return value.model_dump(mode="json", by_alias=True, include=names, exclude_unset=True)

    def table(self, form: Form = "markdown") -> str:
        """All rules as a table, for people: fields, direction, steps, what null does, what is not told apart."""
        return table_of(self.a.__name__, self.b.__name__, self.rules, form)

    def lineage(self, target: object) -> tuple[Lineage, ...]:
        """Where a field of either side gets its value from: source fields and steps, by each rule that writes it."""
        path = path_of(target)
        return lineage_of(self.rules, path, "b" if path.model is self.b else "a")

    def explain(self, value: A | B, old: A | B | None = None, *, resolve: Resolve | None = None) -> Explanation:
        """Field by field: what was read, the steps, what was written and why, or why not. Sensitive values are masked.

        An `A` is explained as it becomes a `B`, and the other way round; with `old`, as it is put into that.
        """
        side = "b" if isinstance(value, self.a) else "a"
        return Explanation(self.name, self.tell(value, side, old=old, resolve=resolve))

    def tell(self, value: Any, side: str = "b", *, old: Any = None, resolve: Resolve | None = None) -> Sequence[Told]:
        """What `explain` shows, as data."""
        return tell(self._legs[side], value, self.b if side == "b" else self.a, old, resolve)

    def rows(
        self, side: str, items: Sequence[Any], olds: Sequence[Any], resolve: Resolve | None = None
    ) -> Sequence[Any]:
        """The rows that a list makes of those there are: each put into its counterpart, or new."""
        legs = self._legs[side]
        keys = [leg for leg in legs if leg.key]
        there: dict[Any, list[Any]] = {}
        for place, old in enumerate(olds):
            there.setdefault(_key_of(keys, old, place), []).append(old)
        found: list[Any] = []
        for place, item in enumerate(items):
            left = there.get(_key_for(keys, item, place, resolve))
            found.append(self._onto(side, item, left.pop(0), resolve) if left else self._made(side, item, resolve))
        unchanged = len(found) == len(olds) and all(new is old for new, old in zip(found, olds, strict=True))
        return olds if unchanged else found

    def legs(self, side: str) -> Sequence[Leg]:
        """The rules that write a side, compiled: for those who build on mappings."""
        return tuple(self._legs[side])

    def _made(self, side: str, value: Any, resolve: Resolve | None) -> Any:
        return self.forward(value, resolve=resolve) if side == "b" else self.backward(value, resolve=resolve)

    def _partial(self, side: str) -> Partial[Any]:
        if side not in self._partials:
            self._partials[side] = Partial(self.b if side == "b" else self.a)
        return self._partials[side]

    def _onto(self, side: str, value: Any, old: Any, resolve: Resolve | None, whole: bool = False) -> Any:
        tree = opened(old)
        changed = False
        try:
            for leg in self._legs[side]:
                changed = leg.onto(value, old, tree, resolve) or changed
            return _built(self.b if side == "b" else self.a, tree) if changed or whole else old
        except (ValueError, ArithmeticError):
            raise self._failed(self.tell(value, side, old=old, resolve=resolve)) from None

    def _failed(self, told: Sequence[Told]) -> MappingError:
        return MappingError(self.name, problems(told))

    def __repr__(self) -> str:
        return f"<mapping {self.name}: {len(self.rules)} rules, version {self.version}>"


def _carried(rule: Rule, side: str) -> Sequence[Path]:
    """The fields of a side that come back as they were."""
    if rule.direction != "both" or rule.mapping is not None or rule.limit is not None or rule.limit_a is not None:
        return ()
    if rule.by is not None and not rule.by.reversible:
        return ()
    return [path for path in (rule.a if side == "a" else rule.b) if len(path.steps) == 1]


def _flat(rules: Sequence[Rule | Together]) -> Sequence[Rule]:
    found: list[Rule] = []
    for rule in rules:
        found += [replace(one, unit=rule.name) for one in rule.rules] if isinstance(rule, Together) else [rule]
    return found


def _sided(rule: Rule, a: type[BaseModel], b: type[BaseModel]) -> Rule:
    """The rule, with the fields of each side on that side: what is written alone says itself on which it is."""
    if rule.kind in ("computed", "default") and rule.b[0].model is a and a is not b:
        rule = replace(rule, a=rule.b, b=rule.a, direction="to_a", several_a=rule.several_b, several_b=rule.several_a)
    for paths, model in ((rule.a, a), (rule.b, b)):
        for path in paths:
            if path.model is not model:
                raise BadMapping(
                    f"rule '{rule.name}' has {path} of {path.model.__name__} where a field of {model.__name__} is meant"
                )
    return rule


def _checked(name: str, rules: Sequence[Rule]) -> None:
    names: set[str] = set()
    written: dict[tuple[str, str], str] = {}
    for rule in rules:
        if rule.name in names:
            raise BadMapping(f"mapping '{name}' has two rules named '{rule.name}'", hint="give one another: name=...")
        names.add(rule.name)
        if rule.on_null == "default" and rule.default is MISSING and rule.default_a is MISSING:
            raise BadMapping(f"rule '{rule.name}' says on_null='default', and there is none", hint="say default=...")
        _written_once(name, rule, written)
        _defaults_fit(rule)


def _defaults_fit(rule: Rule) -> None:
    target = rule.a if rule.kind == "default" and rule.direction == "to_a" else rule.b
    for paths, value in ((target, rule.value), (rule.b, rule.default), (rule.a, rule.default_a)):
        if value is MISSING or len(paths) != 1:
            continue
        try:
            paths[0].adapter.validate_python(value, strict=True)
        except ValidationError as error:
            why = error.errors(include_url=False)[0]["msg"]
            raise BadMapping(f"rule '{rule.name}' has a default that {paths[0]} does not take: {why}") from None


def _written_once(name: str, rule: Rule, written: dict[tuple[str, str], str]) -> None:
    sides = [("a", rule.a)] if rule.direction != "to_b" else []
    sides += [("b", rule.b)] if rule.direction != "to_a" else []
    for side, paths in sides:
        for path in paths:
            first = written.setdefault((side, str(path)), rule.name)
            if first != rule.name:
                raise BadMapping(f"mapping '{name}': {path} is written by rule '{first}' and by rule '{rule.name}'")
            if len(path.steps) == 1 and path.top not in path.model.model_fields:
                raise BadMapping(
                    f"rule '{rule.name}' writes {path}, which {path.model.__name__} computes", hint="say direction=..."
                )


def _whole(legs: Sequence[Leg], model: type[BaseModel]) -> Callable[[Any, Resolve | None], Any]:
    runs: list[Run] = [run_of(leg) for leg in legs]
    deep = any(len(path.steps) > 1 for leg in legs for path in leg.targets)
    validate = model.__pydantic_validator__.validate_python

    def flat(value: Any, resolve: Resolve | None) -> Any:
        tree: Tree = {}
        for run in runs:
            run(value, tree, resolve)
        return validate(tree, strict=True, by_alias=False, by_name=True)

    def deeply(value: Any, resolve: Resolve | None) -> Any:
        tree: Tree = {}
        for run in runs:
            run(value, tree, resolve)
        settle(tree)
        return validate(tree, strict=True, by_alias=False, by_name=True)

    return deeply if deep else flat


def _built(model: type[BaseModel], tree: Tree) -> Any:
    settle(tree)
    return model.__pydantic_validator__.validate_python(tree, strict=True, by_alias=False, by_name=True)


def _key_of(keys: Sequence[Leg], old: Any, place: int) -> Any:
    """By what a row that is there is found: its key as the mapping sees it, or its place."""
    if not keys:
        return place
    return tuple(_hashable(leg.read_old(old), leg) for leg in keys)


def _key_for(keys: Sequence[Leg], item: Any, place: int, resolve: Resolve | None) -> Any:
    return tuple(_hashable(leg.value(item, resolve), leg) for leg in keys) if keys else place


def _hashable(value: Any, leg: Leg) -> Any:
    return value if leg.canon is None or value is None or value is MISSING else leg.canon(value)
