"""paths"""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict

from routekit import BodyError, DefinitionError
from routekit.paths import check, dropped, kept, tree

NAMES = st.sampled_from("abc")
LEAVES = st.integers()
DATA = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
ROWS = st.dictionaries(NAMES, DATA, max_size=3)
PATHS = st.lists(st.lists(st.sampled_from("abc*"), min_size=1, max_size=3).map(".".join), min_size=1, max_size=3)


def leaves(data: Any, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Each place of the data that has nothing below it."""
    if isinstance(data, dict) and data:
        return {place: leaf for name in data for place, leaf in leaves(data[name], (*at, name)).items()}
    if isinstance(data, list) and data:
        return {place: leaf for n, one in enumerate(data) for place, leaf in leaves(one, (*at, str(n))).items()}
    return {at: data}


def covers(path: str, place: tuple[str, ...]) -> bool:
    names = path.split(".")
    return len(names) <= len(place) and all(name in ("*", at) for name, at in zip(names, place, strict=False))


def fits(data: Any, paths: Any) -> bool:
    """Whether no path leads into what has no names, and none names a field beside `*`."""
    if not paths:
        return True
    if isinstance(data, list):
        return set(paths) == {"*"} and all(fits(one, paths["*"]) for one in data)
    if not isinstance(data, dict) or ("*" in paths and len(paths) > 1):
        return False
    return all(fits(data[name], paths.get(name, paths.get("*", {}))) for name in data)


@given(row=ROWS, paths=PATHS)
def test_kept_and_dropped_part_the_leaves(row: dict[str, Any], paths: list[str]) -> None:
    """Every leaf is in exactly one of them: in `kept` if a path covers it."""
    which = tree(paths)
    if not fits(row, which):
        return
    before = leaves(row)
    keeping, dropping = kept(row, which, strict=False), dropped(row, which, strict=False)
    inside = {place: leaf for place, leaf in before.items() if any(covers(path, place) for path in paths) and place}
    assert {p: v for p, v in leaves(keeping).items() if v not in ({}, [])} == {
        p: v for p, v in inside.items() if v not in ({}, [])
    }
    assert {leaf for leaf in leaves(dropping).values() if isinstance(leaf, int)} <= {
        leaf for place, leaf in before.items() if place not in inside and isinstance(leaf, int)
    }
    assert leaves(row) == before


def test_a_path_into_what_is_meant_whole_adds_nothing() -> None:
    """In either order."""
    assert tree(["a.b.c", "a", "a.d"]) == tree(["a", "a.b.c"]) == {"a": {}}


def test_none_of_each_is_left() -> None:
    """A path that ends in `*` drops all elements, and all values."""
    assert dropped({"a": [1, 2], "b": {"x": 1}}, tree(["a.*", "b.*"]), strict=True) == {"a": [], "b": {}}


@pytest.mark.parametrize("function", [kept, dropped])
@pytest.mark.parametrize(
    ("data", "path", "said"),
    [
        ({"a": 1}, "b", "has no 'b'"),
        ({"a": [{"b": 1}, {}]}, "a.*.b", "has no 'a.1.b'"),
        ({"a": 1}, "a.b", "has no 'a.b': 'a' is of type int"),
        ({"a": [1]}, "a.b", "has no 'a.b': 'a' is of type list"),
    ],
)
def test_what_is_missing_is_named_by_its_path(function: Any, data: Any, path: str, said: str) -> None:
    """With the place in a list."""
    with pytest.raises(BodyError, match=said.replace("*", r"\*")):
        function(data, tree([path]), strict=True)


@dataclass
class Line:
    sku: str
    more: Any


class Meta(TypedDict):
    tags: dict[str, "Line"]


class Order(BaseModel):
    lines: list[Line] | None
    pair: tuple[int, Line]
    meta: Meta
    note: Annotated[str, "short"]


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


GOOD = ["lines", "lines.*.sku", "pair.*.sku", "meta.tags.red.sku", "meta.tags.*.more.what.ever", "note"]


@pytest.mark.parametrize("path", GOOD)
def test_a_type_has_the_fields_of_its_fields(path: str) -> None:
    """Models, dataclasses, typed dicts, lists, mappings and unions; of Any nothing is known."""
    check(Order, tree([path]))


@pytest.mark.parametrize("kind", [dict, dict[str, Any], Any, object, Loose, Order | Loose])
def test_a_type_that_may_have_it_is_fine(kind: Any) -> None:
    """Only what cannot be is an error."""
    check(kind, tree(["whatever"]))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("line", "Order has no 'line'; did you mean 'lines'?"),
        ("lines.sku", "has no 'lines.sku'"),
        ("lines.*.skuu", "Line has no 'lines.*.skuu'; did you mean 'sku'?"),
        ("meta.tag", "Meta has no 'meta.tag'; did you mean 'tags'?"),
        ("note.x", "str has no 'note.x'"),
        ("*", "Order has no '*'"),
    ],
)
def test_a_field_that_no_value_can_have_is_an_error(path: str, said: str) -> None:
    """With the whole path, and the nearest name."""
    with pytest.raises(DefinitionError) as error:
        check(Order, tree([path]))
    assert said in str(error.value)
