"""Messages as text: what comes back is what was kept, or it is refused at once."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import BaseModel

from routekit import BodyError, Message, StoreError
from routekit.fitting import fitting
from routekit.written import read, result_read, result_text, unkept_text, written


@dataclass(frozen=True)
class Order:
    number: int
    day: date


class Contact(BaseModel):
    name: str


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
)


@given(JSON.filter(lambda body: not (isinstance(body, dict) and list(body) == ["base64"])) | some.binary())
def test_plain_data_and_bytes_come_back_as_they_were(body: Any) -> None:
    """Of whatever depth, with the id, and with the time when they came."""
    back = read(written(Message(body, {"a": 1}, "m1"), 12.5))
    assert (back.message, back.born) == (Message(body, {"a": 1}, "m1"), 12.5)


@pytest.mark.parametrize("body", [Order(1, date(2026, 1, 2)), Contact(name="Ada")])
def test_dataclasses_and_models_come_back_as_such(body: Any) -> None:
    """By the name of their class."""
    assert read(written(Message(body), 0.0)).message.body == body


@pytest.mark.parametrize("body", [object(), {1: 2}, (1, 2), {"base64": "x"}, [object()], date(2026, 1, 2)])
def test_a_body_that_would_come_back_otherwise_is_refused(body: Any) -> None:
    """At once, and not after a crash."""
    with pytest.raises(BodyError, match="cannot be kept"):
        written(Message(body), 0.0)


def test_a_reader_who_knows_the_type_makes_it_of_plain_data() -> None:
    """Then the class need not have a name by which it is found; but it must be possible."""

    @dataclass
    class Local:
        n: int

    fit = fitting(Local)
    assert fit(read(written(Message(Local(1)), 0.0, fit=fit)).message.body) == Local(1)
    with pytest.raises(BodyError, match="cannot be kept"):
        written(Message(object()), 0.0, fit=fit)


def test_a_text_of_another_form_is_an_error_of_the_store() -> None:
    """A later release may write what this one cannot read; it says so and touches nothing."""
    with pytest.raises(StoreError, match="form 2, this release reads form 1"):
        read('[2,"m1",0,null,{},""]')
    with pytest.raises(StoreError, match="is no message"):
        read("broken")


def test_a_class_that_is_gone_is_named() -> None:
    """With the text, as a body error: the message becomes a dead letter."""
    with pytest.raises(BodyError, match="nowhere:Order was kept, which is no class any more"):
        read('[1,"m1",0,{},{},"nowhere:Order"]')
    with pytest.raises(BodyError, match="does not fit that class any more"):
        read(f'[1,"m1",0,{{"x":1}},{{}},"{__name__}:Order"]')


def test_answers_come_back_too() -> None:
    """None as None, and what could not be kept as the reason."""
    assert result_read(result_text(None)) is None
    assert result_read(result_text(Message(b"x", {}, "a"))) == Message(b"x", {}, "a")
    with pytest.raises(BodyError, match="too odd"):
        result_read(unkept_text(BodyError("too odd")))
