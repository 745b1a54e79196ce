"""Which values a function reads is found in its code."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any

import pytest

from routekit import Message, Sensitive
from routekit.sensitive import sensitive_texts
from routekit.tracing.reading import values_read

LIMIT = 100
API_TOKEN = "c4n4ry"


@dataclass
class Lead:
    """A body."""

    email: Annotated[str, Sensitive("email")]
    total: int = 5
    tags: list[int] = field(default_factory=lambda: [1, 2])

    @property
    def big(self) -> bool:
        return self.total > 3

    @property
    def address(self) -> str:
        return self.email.upper()

    def wanted(self) -> bool:
        return self.total > 1


def is_big(lead: Lead, least: int = 7) -> bool:
    """A named function, of several lines."""
    if lead.total > LIMIT:
        return True
    return lead.total > least


LEAD = Message(Lead("xaver@example.org"), {"file.name": "a.csv", "token": "c4n4ry"}, "m1")
ORDER: Message[dict[str, Any]] = Message({"total": 5, "password": "hunter22", "lines": [{"sku": "a"}]})


CASES: list[tuple[Callable[[Any], Any] | Callable[[Any, Any], Any], Message[Any], list[str]]] = [
    (lambda lead: "@" in lead.email, LEAD, ["lead.email = 'x***@example.org'"]),
    (lambda lead: lead.total > LIMIT, LEAD, ["lead.total = 5", "LIMIT = 100"]),
    (lambda lead: lead.big and lead.address, LEAD, ["lead.big = True", "lead.address = '***'"]),
    (lambda lead: lead.email.endswith("org"), LEAD, ["lead.email = 'x***@example.org'"]),
    (lambda lead: len(lead.tags) > 1, LEAD, ["lead.tags = <list of 2>"]),
    (lambda lead: any(tag > lead.total for tag in lead.tags), LEAD, ["lead.tags = <list of 2>", "lead.total = 5"]),
    (lambda _, message: message.headers["file.name"], LEAD, ["message.headers['file.name'] = 'a.csv'"]),
    (lambda _, message: message.headers.get("token"), LEAD, ["message.headers['token'] = '***'"]),
    (lambda lead: lead.total == API_TOKEN, LEAD, ["lead.total = 5"]),
    (lambda order: order["total"] > 1, ORDER, ["order['total'] = 5"]),
    (lambda order: order.get("password"), ORDER, ["order['password'] = '***'"]),
    (lambda order: order["lines"][0]["sku"], ORDER, ["order['lines'][0]['sku'] = 'a'"]),
    (lambda order: order["gone"], ORDER, ["order['gone'] = None"]),
    (lambda n: n > 5, Message(7), ["n = 7"]),
    (is_big, LEAD, ["lead.total = 5", "LIMIT = 100"]),
    (partial(is_big, least=1), LEAD, ["lead.total = 5", "LIMIT = 100"]),
    (str, LEAD, []),
    (Lead.wanted, LEAD, ["self.total = 5"]),
]


@pytest.mark.parametrize(("function", "message", "values"), CASES)
def test_values_are_named_as_the_code_names_them(
    function: Callable[..., Any], message: Message[Any], values: list[str]
) -> None:
    """Fields, keys, headers and constants; masked by marks and by names; a method stands for what it belongs to."""
    assert values_read(function, message, sensitive_texts(message.body)) == values


def test_nothing_of_the_author_is_called() -> None:
    """Neither the function nor what it would call runs again."""
    called: list[str] = []

    def predicate(body: dict[str, int]) -> bool:
        called.append("predicate")
        return body["n"] > 1

    assert values_read(predicate, Message({"n": 1}), {}) == ["body['n'] = 1"]
    assert called == []
