"""luggage"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from routekit import BodyError, Message, Meta, StoreError
from routekit.fitting import fitting
from routekit.luggage import Folder, body_of, claim_id, known, text_of

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@dataclass
class Line:
    sku: str
    day: date


class Order(BaseModel):
    number: int
    lines: list[Line] = []
    hidden: int = Field(default=0, exclude=True)


class Plain:
    """A class of which nothing is known."""


ORDER = Order(number=1, lines=[Line("a", date(2026, 1, 2))])


@given(DATA | st.binary())
def test_what_is_kept_comes_back(body: Any) -> None:
    """Equal and of the same type, or it is not kept at all."""
    fit = fitting(type(body))
    try:
        text = text_of(body, fit)
    except BodyError:
        assert isinstance(body, str | dict | list), "only text without an encoding, and what looks like bytes"
        return
    again = body_of(text, fit)
    assert (again, type(again)) == (body, type(body))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (ORDER, Order),
        ([ORDER], list[Order]),
        ({"when": date(2026, 1, 2)}, dict[str, date]),
        (b"\xff", bytes),
        ((1, 2), tuple),
    ],
)
def test_a_type_brings_back_what_json_has_not(body: Any, kind: Any) -> None:
    """Models, dataclasses, times, bytes."""
    fit = fitting(kind)
    assert body_of(text_of(body, fit), fit) == body


@pytest.mark.parametrize(
    "body",
    [
        [ORDER],
        {"when": date(2026, 1, 2)},
        {"a": (1, 2)},
        {1: "a"},
        {"base64": "/w=="},
        {"raw": b"\xff"},
        float("nan"),
        object(),
        Plain(),
        {"plain": Plain()},
        Order(number=1, hidden=7),
    ],
)
def test_what_would_not_come_back_is_refused(body: Any) -> None:
    """When it is to be kept, not when it is wanted back; with what to do about it."""
    with pytest.raises(
        BodyError, match=r"a body of type \w+ (cannot be kept|would not come back).*claim\(\.\.\., body="
    ):
        text_of(body, fitting(type(body)))


def test_the_id_of_a_claim_is_that_of_a_delivery_and_its_content() -> None:
    """The same for each try, another one for another delivery or content; and no path."""
    first = Message("a", {}, "m1", Meta(received=1.5))
    assert claim_id(first, "a") == claim_id(first.with_meta(first.meta.changed(attempt=2)), "a")
    others = [
        claim_id(first, "b"),
        claim_id(Message("a", {}, "m2", Meta(received=1.5)), "a"),
        claim_id(Message("a", {}, "m1", Meta(received=1.6)), "a"),
    ]
    assert len({claim_id(first, "a"), *others}) == 4
    assert known(claim_id(Message("a", {}, "../\udc00"), "a"))


@pytest.mark.parametrize(
    "given_", [None, 7, "", "../../etc/passwd", "a" * 31, "a" * 33, "A" * 32, "a" * 32 + "\n", "g" * 32]
)
def test_what_is_no_id_is_refused(given_: Any) -> None:
    """It came from outside, and could be a path."""
    with pytest.raises(BodyError, match="is no id of a claim"):
        known(given_)


@pytest.mark.anyio
@pytest.mark.real_time
async def test_a_folder_keeps_files(tmp_path: Path) -> None:
    """Whole and under their own names, also when they are written again; nothing is left beside them."""
    one, two = "1" * 32, "2" * 32
    shelf = Folder(tmp_path / "deep" / "claims")
    assert await shelf.get(one) is None
    await shelf.put(one, "ä")
    await shelf.put(two, "b")
    await shelf.put(one, "c")
    assert (await shelf.get(one), await shelf.get(two)) == ("c", "b")
    await shelf.delete(one)
    await shelf.delete(one)
    assert await shelf.get(one) is None
    assert [file.name for file in (tmp_path / "deep" / "claims").iterdir()] == [f"{two}.json"]


@pytest.mark.anyio
@pytest.mark.real_time
async def test_a_folder_that_cannot_be_used_is_a_store_error(tmp_path: Path) -> None:
    """It names the folder; and a half-written file is never seen."""
    (tmp_path / "file").write_text("")
    shelf = Folder(tmp_path / "file")
    for act in (shelf.put("1" * 32, "a"), shelf.get("1" * 32)):
        with pytest.raises(StoreError, match="the folder of claims"):
            await act
    broken = Folder(tmp_path / "claims")
    with pytest.raises(UnicodeEncodeError):
        await broken.put("1" * 32, "\udc00")
    assert list((tmp_path / "claims").iterdir()) == []


@pytest.mark.anyio
async def test_a_folder_is_not_left() -> None:
    """By no id."""
    with pytest.raises(BodyError):
        await Folder(Path("claims")).get("../x")
