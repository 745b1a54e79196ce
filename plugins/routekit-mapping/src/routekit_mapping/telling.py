"""Telling: the same way as the compiled one, step by step, for explanations, counters and errors."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from routekit import Sensitive

from .errors import MappingError, Problem, Unresolved
from .legs import Leg, Resolve
from .presence import MISSING, presence
from .trees import Tree, opened, settle

LONGEST = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one rule did with one record."""

    rule: str
    targets: tuple[str, ...]
    sources: tuple[str, ...]
    value: str
    """What was read, in words; sensitive values are masked."""
    steps: tuple[str, ...]
    result: str
    """What was written, in words; empty if nothing was."""
    outcome: str
    """`ok`, `null` (cleared), `defaulted`, `missing` (the source says nothing), `kept` (it means the same already, or
    null is not to clear it) or `failed`."""
    why: str = ""
    waits: bool = False
    kind: str = ""
    """What was read, by its class alone: `str of 5`, `int`, `null`; what errors say."""
    nested: tuple[Problem, ...] = ()
    """Of a mapping within, what is wrong there."""


class Counts:
    """How often each rule did what, over many records: `counts["email"]["failed"]`.

    The outcomes of a rule sum to the records.
    """

    def __init__(self) -> None:
        self.records = 0
        self._of: dict[str, Counter[str]] = {}

    def add(self, told: Iterable[Told]) -> None:
        """Count one record."""
        self.records += 1
        for one in told:
            self._of.setdefault(one.rule, Counter())[one.outcome] += 1

    def __getitem__(self, rule: str) -> Counter[str]:
        return self._of.get(rule, Counter())

    def as_data(self) -> dict[str, dict[str, int]]:
        """All of them, as JSON data."""
        return {rule: dict(counter) for rule, counter in self._of.items()}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of a record, rule by rule; `str` is a text with one line for each."""

    mapping: str
    told: Sequence[Told] = field(default=())

    def __str__(self) -> str:
        return "\n".join(_line(one) for one in self.told)

    def html(self) -> str:
        """The same as a table."""
        head = "<tr><th>field</th><th>from</th><th>value</th><th>steps</th><th>result</th><th>outcome</th></tr>"
        return f"<table>{head}{''.join(map(_cells, self.told))}</table>"


def _line(told: Told) -> str:
    steps = "".join(f" -> [{step}]" for step in told.steps)
    said = f"{told.result} " if told.result else ""
    why = f": {told.why}" if told.why else ""
    source = f"{', '.join(told.sources)} = {told.value}" if told.sources else "nothing"
    return f"{', '.join(told.targets)} <- {source}{steps} -> {said}({told.outcome}{why})"


def _cells(told: Told) -> str:
    outcome = f"{told.outcome}: {told.why}" if told.why else told.outcome
    cells = [", ".join(told.targets), ", ".join(told.sources), told.value, ", ".join(told.steps), told.result, outcome]
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def tell(legs: Sequence[Leg], model: Any, target: type[BaseModel], old: Any, resolve: Resolve | None) -> Sequence[Told]:
    """What each rule does, none left out because another one failed; what the target refuses is told of its rule."""
    tree: Tree = {} if old is None else opened(old)
    told = [_told(leg, model, old, tree, resolve) for leg in legs]
    if any(one.outcome == "failed" for one in told):
        return told
    try:
        settle(tree)
        target.__pydantic_validator__.validate_python(tree, strict=True, by_alias=False, by_name=True)
    except ValidationError as error:
        return _blamed(told, legs, model, error)
    return told


def problems(told: Sequence[Told]) -> Sequence[Problem]:
    """Why a record cannot be mapped."""
    found: list[Problem] = []
    for one in told:
        if one.nested:
            found += one.nested
        elif one.outcome == "failed":
            found.append(Problem(", ".join(one.targets), one.sources, one.rule, one.kind, one.why, one.waits))
    return found


def _told(leg: Leg, model: Any, old: Any, tree: Tree, resolve: Resolve | None) -> Told:
    value = leg.read(model)
    told = Told(
        leg.rule.name, tuple(map(str, leg.targets)), tuple(map(str, leg.sources)),
        _said(leg.mark, value), leg.rule.steps, "", "missing", kind=_classes(value),
    )  # fmt: skip
    try:
        outcome, new = _outcome(leg, model, value, old, resolve)
    except MappingError as error:
        return replace(
            told, outcome="failed", why=str(error), nested=_within(leg, value, error, resolve), waits=error.waits
        )
    except (ValueError, ArithmeticError) as error:
        why = _scrubbed(str(error) or type(error).__name__, leg.mark, value)
        return replace(told, outcome="failed", why=why, waits=isinstance(error, Unresolved))
    if outcome in ("ok", "null", "defaulted"):
        leg.write(tree, new)
        return replace(told, outcome=outcome, result=_said(leg.mark, new))
    return replace(told, outcome=outcome)


def _outcome(leg: Leg, model: Any, value: Any, old: Any, resolve: Resolve | None) -> tuple[str, Any]:
    """What a rule comes to, and what it writes."""
    if value is MISSING:
        return ("missing", MISSING) if old is not None or leg.default is MISSING else ("defaulted", leg.default)
    if old is None:
        new = leg.nothing() if value is None else leg.convert(value, resolve)
        alike = False
    else:
        new, was = leg.against(model, old, resolve)
        alike = new is not MISSING and leg.alike(new, was)
    if new is MISSING or alike:
        return "kept", new
    if value is None:
        return ("null" if new is None else "defaulted"), new
    return "ok", new


def _within(leg: Leg, value: Any, error: MappingError, resolve: Resolve | None) -> tuple[Problem, ...]:
    """What is wrong within a model, or within which row."""
    target = str(leg.targets[0])
    if leg.rule.kind != "each":
        return tuple(replace(one, field=f"{target}.{one.field}") for one in error.problems)
    rows = [problems(leg.rule.mapping.tell(row, leg.side, resolve=resolve)) for row in value]
    found = [replace(one, field=f"{target}[{place}].{one.field}") for place, row in enumerate(rows) for one in row]
    return tuple(found) or error.problems


def _blamed(told: Sequence[Told], legs: Sequence[Leg], model: Any, error: ValidationError) -> Sequence[Told]:
    """What the target refuses, with the rules that wrote it; what no rule writes is told beside them."""
    found = list(told)
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        where = ".".join(str(part) for part in detail["loc"])
        place = _to_blame(legs, [str(part) for part in detail["loc"]])
        if place is None:
            why = "no rule gives it a value" if detail["type"] == "missing" else detail["msg"]
            found.append(Told("(none)", (where,), (), "missing", (), "", "failed", why, kind="missing"))
            continue
        leg, one = legs[place], found[place]
        why = _refusal(detail["type"], detail["msg"], one)
        found[place] = replace(one, outcome="failed", result="", why=_scrubbed(why, leg.mark, leg.read(model)))
    return found


def _refusal(kind: str, message: str, told: Told) -> str:
    if kind == "missing":
        return "the source says nothing, and a value is needed"
    if told.outcome == "null":
        return "null, and a value is needed"
    return message[:1].lower() + message[1:]


def _to_blame(legs: Sequence[Leg], where: list[str]) -> int | None:
    """Of the rules that write near a place the one that writes nearest to it."""
    best, found = 0, None
    for place, leg in enumerate(legs):
        for path in leg.targets:
            names = [str(step) for step in path.steps if not str(step).startswith("[")]
            wanted = [part for part in where if not part.isdigit()]
            alike = 0
            for name, part in zip(names, wanted, strict=False):
                if name != part:
                    break
                alike += 1
            if alike > best:
                best, found = alike, place
    return found


def _scrubbed(text: str, mark: Sensitive | None, value: Any) -> str:
    """A reason in which no sensitive value is left, whatever a converter wrote."""
    if mark is None:
        return text
    for one in _parts(value):
        for whole in {repr(one), str(one)} - {"", "None", "MISSING"}:
            text = text.replace(whole, str(mark.masked(one)))
    return text


def _parts(value: Any) -> Sequence[Any]:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)


def _classes(value: Any) -> str:
    return ", ".join(_class(one) for one in _parts(value))


def _class(value: Any) -> str:
    """What kind of value it is, and nothing of the value: errors go where nobody expects what is personal."""
    state = presence(value).value
    if state in ("missing", "null"):
        return state
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, str | list) else type(value).__name__  # pyright: ignore[reportUnknownArgumentType]  # its length is all that is asked


def _said(mark: Sensitive | None, value: Any) -> str:
    """What a value is, in words: its kind and as much of it as may be seen."""
    return ", ".join(_shown(mark, one) for one in _parts(value))


def _shown(mark: Sensitive | None, value: Any) -> str:
    state = presence(value).value
    if state in ("missing", "null"):
        return state
    kind = type(value).__name__
    if isinstance(value, list):
        return f"{kind} of {len(cast('list[Any]', value))}"
    if isinstance(value, BaseModel):
        return kind
    text = repr(value) if mark is None else str(mark.masked(value))
    return f"{kind} {text if len(text) <= LONGEST else text[:LONGEST] + '...'}"
