"""answers"""

from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from routekit import BodyError, DefinitionError, Message, NoAnswer
from routekit.answers import REPLACE, Answer
from routekit.codecs.csv import Csv

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Price:
    amount: float


ASKED = Message("order", {"a": 1}, "m1")


async def test_an_answer_becomes_the_body() -> None:
    """Checked or parsed into its type; headers and id stay those of the message."""
    taken = await Answer(Price).taking()(ASKED, b'{"amount": "9.5"}')
    assert taken == Message(Price(9.5), {"a": 1}, "m1")


async def test_a_merge_makes_a_body_of_both() -> None:
    """A plain function or one that waits."""

    async def later(body: str, price: Price) -> tuple[str, float]:
        await anyio.sleep(1)
        return body, price.amount

    for merge in (lambda body, price: (body, price.amount), later):
        assert (await Answer(Price, merge).taking()(ASKED, {"amount": 1})).body == ("order", 1)


async def test_a_codec_reads_bytes() -> None:
    """Where the answer is no JSON."""
    taken = await Answer(list[Price]).taking(Csv())(ASKED, b"amount\n1\n2\n")
    assert taken.body == [Price(1), Price(2)]


async def test_an_answer_that_does_not_fit_is_an_error() -> None:
    """That says so, and which field it is."""
    with pytest.raises(BodyError, match="the answer does not fit: column 'amount'") as error:
        await Answer(Price).taking()(ASKED, {"amount": "much"})
    assert error.value.column == "amount"


async def test_what_is_missing_is_an_error_or_what_stands_for_it() -> None:
    """It is merged as it is, without a check."""
    error = NoAnswer("x")
    with pytest.raises(NoAnswer) as raised:
        await Answer(Price).without(ASKED, error)
    assert raised.value is error
    assert (await Answer(Price, missing=None).without(ASKED, error)).body is None
    merged = Answer(Price, lambda body, price: body if price is None else price, None)
    assert (await merged.without(ASKED, error)).body == "order"


@pytest.mark.parametrize("merge", ["merge", lambda body: body, lambda a, b, c: a])
def test_a_merge_takes_two(merge: Any) -> None:
    """The body and the answer; all else is found where it is written."""
    with pytest.raises(DefinitionError, match="merge"):
        Answer(Price, merge)


def test_builtins_without_a_signature_may_merge() -> None:
    """They are called, and see."""
    assert Answer(int, max).merge is max
    assert repr(REPLACE) == "REPLACE"
