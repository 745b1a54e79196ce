"""The messages that go in, with what has to come of them: known by construction, not by running anything."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]

SHARES = {
    "trial": 0.08,
    "repeated": 0.04,
    "redelivered": 0.02,
    "torn": 0.003,
    "nameless": 0.003,
    "dearer": 0.004,
    "none": 0.004,
}
"""The parts of the messages that are no plain orders, by kind."""

TORN, NAMELESS, DEARER, NONE = "torn", "nameless", "dearer", "none"


@dataclass(frozen=True)
class Sent:
    """One message as it is published."""

    id: str
    body: bytes
    kind: str


@dataclass(frozen=True)
class Fate:
    """How a message that must become a dead letter fails: the class of its error, and a word of its reason."""

    error: str
    word: str


FATES = {
    TORN: Fate("BodyError", "JSON"),
    NAMELESS: Fate("BodyError", "customer"),
    DEARER: Fate("Invalid", "promised"),
    NONE: Fate("BodyError", "lines_quantity_check"),
}
"""By the kind of message: cut off, without a customer, of another price, with a line that the database refuses."""


@dataclass
class Expected:
    """What there has to be at the end; nothing else may be there."""

    lines: dict[str, Row] = field(default_factory=dict[str, Row])
    """Rows by key: (number, customer, sku, quantity, cents)."""
    totals: dict[int, Row] = field(default_factory=dict[int, Row])
    """Rows by key, and invoices by number: (customer, lines, cents)."""
    accounts: dict[str, Row] = field(default_factory=dict[str, Row])
    """The sum of all invoices of a customer, as (cents,)."""
    twins: set[int] = field(default_factory=set[int])
    """Orders that came under several ids. If one dies half way the other is done, and invoiced under its own id."""
    letters: dict[str, Fate] = field(default_factory=dict[str, Fate])
    """Dead letters by the id of the message."""


def made(count: int, seed: int) -> tuple[Sequence[Sent], Expected]:
    """So many messages, always the same for a seed, and what has to come of them."""
    random = Random(f"orders {seed}")
    expected = Expected()
    plain: list[tuple[str, dict[str, Any]]] = []
    sent: list[Sent] = []
    for number, kind in enumerate(_kinds(count, random), 1):
        own = f"order-{number}"
        if kind in ("repeated", "redelivered") and plain:
            first, order = random.choice(plain)
            expected.twins |= {order["number"]} if kind == "repeated" else set()
            sent.append(Sent(own if kind == "repeated" else first, _body(order), kind))
            continue
        order = _order(number, kind, random)
        sent.append(Sent(own, _body(order)[: 20 if kind == TORN else None], kind))
        if kind in FATES:
            expected.letters[own] = FATES[kind]
        elif not order["trial"]:
            plain.append((own, order))
            _expect(order, expected)
    return sent, expected


def _kinds(count: int, random: Random) -> Iterator[str]:
    kinds = [*SHARES, "plain"]
    weights = [*SHARES.values(), 1 - sum(SHARES.values())]
    yield from random.choices(kinds, weights, k=count)


def _order(number: int, kind: str, random: Random) -> dict[str, Any]:
    count = 1 if kind == NONE else random.randint(1, 4)
    items: list[dict[str, Any]] = [
        {"sku": f"sku-{random.randint(1, 500)}", "quantity": random.randint(1, 9), "cents": random.randint(1, 99_999)}
        for _ in range(count)
    ]
    if kind == NONE:
        items[0]["quantity"] = 0
    promised = sum(item["quantity"] * item["cents"] for item in items) + (1 if kind == DEARER else 0)
    order = {"number": number, "customer": f"customer-{random.randint(1, 200)}", "trial": kind == "trial"}
    if kind == NAMELESS:
        del order["customer"]
    return {**order, "promised": promised, "items": items}


def _body(order: dict[str, Any]) -> bytes:
    return json.dumps(order).encode()


def _expect(order: dict[str, Any], expected: Expected) -> None:
    number, customer, items = order["number"], order["customer"], order["items"]
    for place, item in enumerate(items, 1):
        expected.lines[f"{number}-{place}"] = (number, customer, item["sku"], item["quantity"], item["cents"])
    expected.totals[number] = (customer, len(items), order["promised"])
    (before,) = expected.accounts.get(customer, (0,))
    expected.accounts[customer] = (before + order["promised"],)
