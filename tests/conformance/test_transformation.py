"""Marshalling, sorting, filtering of content, and expressions: what Camel's users rely on, and its surprises."""

from dataclasses import dataclass
from typing import Any

import pytest

from routekit import DefinitionError, Policy, from_, jmespath, jsonpath, template, xpath
from routekit.testing import Feed, Sink, run_routes

pytestmark = pytest.mark.anyio

REFUSE = Policy(dead_letter="refuse")


@dataclass(frozen=True)
class Order:
    id: int
    who: str


async def test_marshal_and_unmarshal_are_each_others_counterpart() -> None:
    """As data formats; departure: what is read is checked into its type."""
    out = Sink()
    await run_routes(from_(Feed([Order(1, "ann")]), Order).serialize("json").parse(Order).to(out))
    assert out.bodies == [Order(1, "ann")]


async def test_a_body_that_a_codec_cannot_write_is_refused() -> None:
    """As Camel: an exception, and nothing half written goes on."""
    feed, out = Feed([object()]), Sink()
    await run_routes(from_(feed, policy=REFUSE).serialize("csv").to(out))
    assert (out.bodies, len(feed.refused)) == ([], 1)


async def test_a_sorted_body_is_a_list() -> None:
    """As `sort`, by an expression or by itself; the body that came is not changed."""
    out, body = Sink(), [3, 1, 2]
    await run_routes(from_(Feed([body]), list[int]).sort(key=lambda n: -n).to(out))
    assert (out.bodies, body) == ([[3, 2, 1]], [3, 1, 2])


async def test_what_has_no_order_is_refused() -> None:
    """Departure: a comparator for objects of any type makes an order of their texts."""
    feed = Feed([[1, "a"]])
    await run_routes(from_(feed, list, policy=REFUSE).sort())
    assert len(feed.refused) == 1


async def test_a_content_filter_keeps_or_drops_fields() -> None:
    """The book's content filter, which in Camel is a bean or a language."""
    out = Sink()
    body = {"id": 1, "card": {"no": "4111", "name": "ann"}}
    await run_routes(from_(Feed([body]), dict).content_filter(drop=["card.no"]).to(out))
    assert out.bodies == [{"id": 1, "card": {"name": "ann"}}]
    assert body["card"] == {"no": "4111", "name": "ann"}


async def test_messages_of_many_forms_become_one_type() -> None:
    """The book's normalizer, a choice with beans in Camel; departure: what is none of the forms is refused."""
    out, feed = Sink(), Feed([{"no": 1, "who": "ann"}, {"nothing": 1}])
    flow = from_(feed, dict, policy=REFUSE).normalize(
        Order, (lambda row: "no" in row, lambda row: Order(row["no"], row["who"]))
    )
    await run_routes(flow.to(out))
    assert (out.bodies, len(feed.refused)) == ([Order(1, "ann")], 1)


@pytest.mark.parametrize(
    ("make", "wrong"),
    [(jsonpath, "$.["), (jmespath, "a..b"), (xpath, "//["), (template, "{{ body. }}")],
)
def test_an_expression_that_cannot_be_read_is_a_mistake_when_it_is_written(make: Any, wrong: str) -> None:
    """Departure: a language is compiled at the first message, and Simple takes what it does not know as text."""
    with pytest.raises(DefinitionError):
        make(wrong)


async def test_expressions_stand_wherever_functions_do() -> None:
    """As languages in any EIP: predicate, header, parts and body."""
    out = Sink()
    flow = (
        from_(Feed([{"id": 7, "lines": [{"n": 1}, {"n": 2}]}]), dict)
        .filter(jmespath("length(lines) > `1`"))
        .set_header("id", jsonpath("$.id"))
        .split(jsonpath("$.lines[*]"))
        .transform(template("line {{ body.n }}"))
    )
    await run_routes(flow.to(out))
    assert (out.bodies, out.messages[0].headers["id"]) == (["line 1", "line 2"], 7)


@pytest.mark.parametrize(
    "bomb",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>',
    ],
)
async def test_entities_of_xml_read_no_files_and_do_not_grow(bomb: str) -> None:
    """Departure: XML parsers of components have been vulnerable one by one; here there is one door, and it is shut."""
    out, feed = Sink(), Feed([bomb])
    await run_routes(from_(feed, str, policy=REFUSE).transform(xpath("string(/a)")).to(out))
    assert len(feed.refused) == 1
    assert out.bodies == []


async def test_a_template_cannot_reach_the_engine() -> None:
    """Departure: template headers of Camel's Velocity and Freemarker components have run what a message brought."""
    evil = "{{ body.__class__.__mro__ }}"
    out, feed = Sink(), Feed([evil])
    await run_routes(from_(feed, str).transform(template("got {{ body }}")).to(out))
    assert out.bodies == [f"got {evil}"]
    reach = Feed(["x"])
    await run_routes(from_(reach, str, policy=REFUSE).transform(template(evil)).to(out))
    assert len(reach.refused) == 1
