"""Columns of fixed width: how a field is cut out of a record and what it means, in both directions."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation, localcontext
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..errors import BodyError

_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_TIMES = re.compile(r"%[HIMSf]")


class Column(BaseModel):
    """One column; as text `name:width`, `name:width:integer`, `name:width:decimal:2` or `name:width:date:%d.%m.%Y`.

    The name `_` stands for room that nobody reads: it is left out, and written blank.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    width: int = Field(gt=0, description="characters")
    type: Literal["text", "integer", "decimal", "date"] = "text"
    places: int | None = Field(default=None, ge=0, description="of a decimal: digits after a point that is not written")
    format: str = Field(default="%Y%m%d", description="of a date, as strptime(3) has it; with an hour it is a time")
    align: Literal["left", "right"] | None = Field(default=None, description="unset: numbers right, others left")
    pad: str | None = Field(
        default=None, min_length=1, max_length=1, description="unset: whole numbers 0, others blank"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        name, _, rest = given.strip().partition(":")
        width, _, rest = rest.partition(":")
        kind, _, detail = rest.partition(":")
        column: dict[str, Any] = {"name": name, "width": width}
        if kind:
            column["type"] = kind
        if detail:
            column["places" if kind == "decimal" else "format"] = detail
        return column

    @model_validator(mode="after")
    def _sensible(self) -> "Column":
        for option, kind in (("places", "decimal"), ("format", "date")):
            if option in self.model_fields_set and self.type != kind:
                raise ValueError(f"'{option}' is for type {kind}, but column '{self.name}' is {self.type}")
        return self

    def reader(self) -> Callable[[str], Any]:
        """What a field means; raises ValueError."""
        pad = self._pad
        if self.type == "text":
            return (lambda field: field.lstrip(pad)) if self._right else (lambda field: field.rstrip(pad))
        read = {"integer": self._integer, "decimal": self._decimal, "date": lru_cache(1000)(self._date)}[self.type]

        filling = "" if pad == "0" else pad

        def unless_blank(field: str) -> Any:
            text = field.strip(f" {filling}")
            return read(text) if text else None

        return unless_blank

    def write(self, value: Any) -> str:
        """The field of a value; raises BodyError for one that does not fit. None is blank, text is written as it is."""
        text = self._text(value)
        if len(text) > self.width:
            found = f"{text[:50]!r} has {len(text)} characters, the column has {self.width}"
            raise BodyError(found, column=self.name, hint="shorten it first: nothing is cut off")
        if any(end in text for end in "\r\n\0"):
            raise BodyError("the value has a line end in it", column=self.name, hint="remove it first")
        if value is None and self.type != "text":
            return " " * self.width
        if self._pad == "0" and text[:1] in ("-", "+"):
            return text.zfill(self.width)
        return text.rjust(self.width, self._pad) if self._right else text.ljust(self.width, self._pad)

    @property
    def _right(self) -> bool:
        return self.align == "right" if self.align else self.type in ("integer", "decimal")

    @property
    def _pad(self) -> str:
        if self.pad is not None:
            return self.pad
        return "0" if self.type == "integer" or self.places is not None else " "

    def _text(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        try:
            if self.type == "date" and isinstance(value, date):
                return value.strftime(self.format)
            if self.type == "decimal" and isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                return self._digits(Decimal(str(value)))
            if self.type == "integer" and isinstance(value, int) and not isinstance(value, bool):
                return str(value)
        except (ValueError, ArithmeticError) as error:
            raise BodyError(str(error), column=self.name) from None
        raise BodyError(f"a {type(value).__name__} is no {self.type}", column=self.name, hint="transform it first")

    def _integer(self, text: str) -> int:
        return int(_signed(text))

    def _decimal(self, text: str) -> Decimal:
        signed = _leading_sign(text)
        if self.places is not None and "." not in signed:
            return Decimal(_signed(text)).scaleb(-self.places)
        try:
            found = Decimal(signed)
        except InvalidOperation:
            raise ValueError(f"'{text}' is no number") from None
        if not found.is_finite():
            raise ValueError(f"'{text}' is no number")
        return found

    def _digits(self, value: Decimal) -> str:
        if not value.is_finite():
            raise ValueError(f"{value} is no number that can be written")
        if self.places is None:
            return f"{value:f}"
        with localcontext() as context:
            context.prec = max(self.width + self.places, len(value.as_tuple().digits)) + 1
            moved = value.scaleb(self.places)
            if moved != moved.to_integral_value():
                raise ValueError(f"{value} has more than {self.places} digits after the point")
            return f"{moved.to_integral_value():f}"

    def _date(self, text: str) -> date | None:
        if not text.strip("0"):  # how many systems write that there is none
            return None
        try:
            found = datetime.strptime(text, self.format)
        except ValueError:
            raise ValueError(f"'{text}' is no date like {self.format}") from None
        if found.strftime(self.format).casefold() != text.casefold():  # `2026111` has a digit too few
            raise ValueError(f"'{text}' is no date like {self.format}")
        return found if _TIMES.search(self.format) else found.date()


def _leading_sign(text: str) -> str:
    """A number with its sign in front: many systems write it behind, `12-`."""
    return text[-1] + text[:-1] if text[-1:] in ("-", "+") else text


def _signed(text: str) -> str:
    signed = _leading_sign(text)
    if not _WHOLE.fullmatch(signed):
        raise ValueError(f"'{text}' is no whole number")
    return signed
