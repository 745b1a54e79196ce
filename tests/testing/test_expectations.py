"""What a test expects to be sent, and what it reads when that was not so."""

from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from pydantic import BaseModel

from routekit import Policy, Runs, Unavailable, from_
from routekit.testing import a_message, having, replace_endpoints, run_route, running

pytestmark = pytest.mark.anyio


class Line(BaseModel):
    sku: str
    pieces: int = 1


class Order(BaseModel):
    id: int
    amount: int = 0
    lines: list[Line] = []


@dataclass(frozen=True)
class Point:
    x: int
    y: int


@dataclass(frozen=True)
class Place:
    x: int
    y: int


async def sent(*bodies: Any) -> Any:
    """What was sent to `mock:out`, where these were sent."""
    return (await run_route(from_("timer:t").to("mock:out"), bodies))["mock:out"]


def refusal(channel: Any, *expected: Any, **options: Any) -> list[str]:
    """The lines that a test reads, without the first."""
    with pytest.raises(AssertionError) as raised:
        channel.expect(*expected, **options)
    first, *lines = str(raised.value).splitlines()
    assert first == "what was sent to mock:out is not as expected"
    return lines


async def test_values_models_dicts_classes_and_functions_can_be_expected() -> None:
    """A dict stands for a model with such fields; having(...) for some of them."""
    channel = await sent(Order(id=1, amount=9), {"id": 2}, Point(1, 2), "text", 5)
    channel.expect([Order(id=1, amount=9), {"id": 2}, Point(1, 2), "text", 5])
    channel.expect([{"id": 1, "amount": 9, "lines": []}, having(id=2), {"x": 1, "y": 2}, str, lambda n: n > 4])
    channel.expect([having(amount=lambda amount: amount > 5)], others=True)
    channel.expect(count=5)
    channel.expect()
    channel.expect([5, Point], in_order=False, others=True)


async def test_bytes_are_held_against_what_the_other_side_has() -> None:
    """A model against what the route sent."""
    with replace_endpoints() as world:
        await run_route(from_("timer:t").to("rabbitmq:out"), [{"id": 1}])
        world["rabbitmq:out"].expect([b'{"id":1}'])
        world["rabbitmq:out"].expect([{"id": 1}])
        with pytest.raises(AssertionError, match=r"expected b'\[\]', sent b'{\"id\":1}'"):
            world["rabbitmq:out"].expect([b"[]"])


async def test_a_difference_is_told_by_field() -> None:
    """With its path, beside the message that is most like the one that was expected."""
    channel = await sent(Order(id=1), Order(id=2, amount=7, lines=[Line(sku="a"), Line(sku="b")]))
    expected = [Order(id=1), Order(id=2, amount=5, lines=[Line(sku="a"), Line(sku="c", pieces=3)])]
    assert refusal(channel, expected) == [
        "  =    1 Order(id=1, amount=0, lines=[])",
        "  ~    2 differs: Order(id=2, amount=7, lines=[Line(sku='a', pieces=1), Line(sku='b', pieces=1)])",
        "           amount: expected 5, sent 7",
        "           lines.1.sku: expected 'c', sent 'b'",
        "           lines.1.pieces: expected 3, sent 1",
    ]


async def test_fields_that_are_missing_or_too_many_are_told() -> None:
    """Of dicts and of lists."""
    channel = await sent({"id": 1, "new": 2, "tags": ["a"]})
    assert refusal(channel, [{"id": 1, "old": 1, "tags": ["a", "b"]}])[1:] == [
        "           old: expected 1, sent nothing",
        "           tags.1: expected 'b', sent nothing",
        "           new: expected nothing, sent 2",
    ]
    assert refusal(channel, [having(id=2)])[1:] == ["           id: expected 2, sent 1"]
    assert refusal(channel, [having(no=lambda no: no is not None)])[1:] == [
        "           no: no is not None does not hold for nothing"
    ]
    assert refusal(await sent(5), [having(id=2)])[1:] == ["           expected having(id=2), sent 5"]


async def test_two_classes_with_the_same_fields_are_not_the_same() -> None:
    """Only a dict stands for any."""
    assert (
        refusal(await sent(Point(1, 2)), [Place(1, 2)])[-1]
        == "           expected Place(x=1, y=2), sent Point(x=1, y=2)"
    )


async def test_a_message_is_shown_beside_what_is_most_like_it() -> None:
    """Not beside the first that could be."""
    channel = await sent({"id": 3, "name": "c", "n": 3})
    expected = [{"id": 1, "name": "c", "n": 1}, {"id": 3, "name": "c", "n": 4}]
    for in_order in (True, False):
        lines = refusal(channel, expected, in_order=in_order)
        assert "           n: expected 4, sent 3" in lines
        assert "  -  (1) is missing: {'id': 1, 'name': 'c', 'n': 1}" in lines


async def test_as_many_as_possible_are_paired_in_order() -> None:
    """The longest common subsequence."""
    lines = refusal(await sent(9, 5, 1, 2, 8), [1, 2, 3, 4, 5, 6])
    assert [line for line in lines if line.startswith("  =")] == ["  =    3 1", "  =    4 2"]


async def test_what_is_missing_and_what_is_unexpected_is_marked() -> None:
    """A message that was left out makes none of those behind it differ."""
    channel = await sent(*[{"id": n} for n in (1, 2, 4, 5, 9)])
    assert refusal(channel, [{"id": n} for n in (1, 2, 3, 4, 5)]) == [
        "  =    1 {'id': 1}",
        "  =    2 {'id': 2}",
        "  -  (3) is missing: {'id': 3}",
        "  =    3 {'id': 4}",
        "  =    4 {'id': 5}",
        "  +    5 is unexpected: {'id': 9}",
    ]


async def test_many_messages_that_are_as_expected_take_one_line() -> None:
    """However many there are."""
    channel = await sent(*range(300))
    assert refusal(channel, [*range(299), 7]) == [
        "  =    1 to 299 are as expected",
        "  ~  300 differs: 299",
        "           expected 7, sent 299",
    ]
    channel.expect(range(300))
    channel.expect([*range(300)][::-1], in_order=False)
    (await sent(-1, *range(300), -2)).expect(range(300), others=True)


async def test_another_order_is_said_to_be_one() -> None:
    """It is told how to allow it."""
    channel = await sent("a", "b")
    assert refusal(channel, ["b", "a"])[-1] == (
        "  the same messages were sent, but in another order: in_order=False takes any"
    )
    channel.expect(["b", "a"], in_order=False)


async def test_a_message_goes_to_the_expectation_that_needs_it() -> None:
    """In any order, where several fit."""
    channel = await sent(1, 2)
    channel.expect([int, 1], in_order=False)
    channel.expect([lambda n: n > 0, lambda n: n == 1], in_order=False)
    assert refusal(channel, [1, 1], in_order=False) == [
        "  =    1 1",
        "  +    2 is unexpected: 2",
        "  -  (2) is missing: 1",
    ]


async def test_a_function_that_does_not_hold_is_named() -> None:
    """With what it raised, if it did."""

    def is_even(n: int) -> bool:
        return n % 2 == 0

    assert refusal(await sent(3), [is_even])[1] == "           is_even does not hold for 3"
    assert "does not hold for 'x', TypeError: " in refusal(await sent("x"), [is_even])[1]
    assert refusal(await sent("x"), [int])[1] == "           expected a int, sent 'x'"


async def test_a_long_text_is_shown_where_it_differs() -> None:
    """Not from its beginning."""
    text = "x" * 500
    line = refusal(await sent(f"{text}one{text}"), [f"{text}two{text}"])[1]
    assert "two" in line
    assert "one" in line
    assert "from character 501 on" in line
    assert len(line) < 300


async def test_headers_and_options_hold_for_each_or_are_given_for_each() -> None:
    """What is not named may be anything."""
    first, second = a_message(1, {"h": "x", "other": 1}), a_message(2, {"h": "y"})
    with replace_endpoints() as world:
        await run_route(from_("timer:t", int).to("queue:out", priority=lambda n: n), [first, second])
        channel = world["queue:out"]
        channel.expect([1, 2], headers=[{"h": "x"}, {"h": "y"}], options=[{"priority": 1}, {"priority": 2}])
        channel.expect(headers={"h": str}, options={"priority": lambda n: n > 0})
        with pytest.raises(AssertionError, match=r"header\.h: expected 'x', sent 'y'"):
            channel.expect([1, 2], headers={"h": "x"})
        with pytest.raises(AssertionError, match=r"option\.priority: expected 5, sent 1"):
            channel.expect(options={"priority": 5})


async def test_numbers_of_messages_are_told() -> None:
    """Without bodies, anything may have been sent, but not nothing."""
    channel = await sent(1, 2)
    assert refusal(channel, count=3)[0] == "  expected 3 messages, sent 2"
    assert refusal(channel, [])[0] == "  +    1 is unexpected: 1"
    with replace_endpoints() as world:
        await run_route(from_("timer:t").to("mock:out"), [])
        assert refusal(world["mock:out"]) == ["  expected a message, sent 0"]
        world["mock:out"].expect([])
        world["mock:out"].expect(count=0)


async def test_it_is_told_where_the_messages_went() -> None:
    """To other endpoints, out of the route, among the dead letters with error and step, or nowhere yet."""

    def checked(n: int) -> int:
        if n < 0:
            raise ValueError("negative")
        return n

    with replace_endpoints({"http:crm/*": Unavailable("crm is away")}) as world:
        flow = (
            from_("rabbitmq:in", int)
            .filter(lambda n: n != 7)
            .transform(checked)
            .choice()
            .when(lambda n: n > 100, lambda big: big.to("mock:big"))
            .when(lambda n: n > 50, lambda some: some.to("http:crm/some"))
            .otherwise(lambda rest: rest.to("mock:out"))
        )
        run = await run_route(flow, [1, 500, 7, -4, 60])
        assert run.sent == {"mock:out": [1], "mock:big": [500]}
        lines = refusal(world["mock:out"], [1, 500])
        assert lines[:3] == ["  =    1 1", "  -  (2) is missing: 500", "what happened besides"]
        assert "  1 sent to mock:big, with what is missing here: (2)" in lines
        assert "  7 ended early in route route-1" in lines
        assert any(
            "-4 became a dead letter of route route-1: ValueError: negative, in step tr" in line for line in lines
        )
        assert any("60 became a dead letter" in line and "crm is away" in line for line in lines)
        with pytest.raises(AssertionError, match="a try to send failed: 60: Unavailable: crm is away"):
            world["http:crm/some"].expect([60])


async def test_what_was_refused_or_is_at_work_is_told() -> None:
    """With the error."""

    async def slow(n: int) -> int:
        await anyio.sleep(3600 if n else 0)
        return 1 // n

    policy = Policy(dead_letter="refuse", concurrency=2)
    with replace_endpoints() as world:
        async with running(from_("rabbitmq:in", int, policy=policy).transform(slow).to("mock:out")):
            world["rabbitmq:in"].put(0, 1)
            with pytest.raises(AssertionError) as raised:
                await world["mock:out"].expect([1], within=60)
            lines = str(raised.value).splitlines()
            assert lines[0] == "what was sent to mock:out within 60 s is not as expected"
            assert any(line.startswith("  0 was refused in route route-1: ZeroDivisionError") for line in lines)
            assert "  1 is still at work in route route-1" in lines
            await world["mock:out"].expect([1], within=3600)


async def test_what_was_not_taken_is_told() -> None:
    """And which route is not up, and why."""
    with replace_endpoints(keep=["direct:*", "timer:*", "http:*"]) as world:
        manual = Policy(runs=Runs(start="manual"))
        away = from_("timer:t?every=1").to("http:nowhere/x")
        async with running(from_("rabbitmq:in", policy=manual).to("mock:out"), away=away):
            world["rabbitmq:in"].put(1)
            with pytest.raises(AssertionError) as raised:
                await world["mock:out"].expect([1], within=60)
            lines = str(raised.value).splitlines()
            assert "  1 was put to rabbitmq:in, and not taken" in lines
            assert any(line.startswith("  route away is not up: UnknownName: [http.nowhere]") for line in lines), lines


async def test_a_test_may_wait_until_all_is_settled() -> None:
    """Whatever became of it; what is not done in time is told."""

    async def slow(n: int) -> int:
        await anyio.sleep(60)
        return 1 // n

    with replace_endpoints() as world:
        async with running(from_("rabbitmq:in", int).filter(lambda n: n < 5).transform(slow).to("mock:out")):
            world["rabbitmq:in"].put(1, 0, 7)
            await world["rabbitmq:in"].settled(within=200)
            assert [came.state for came in world["rabbitmq:in"].arrivals] == ["done", "dead", "ended"]
            world["rabbitmq:in"].put(1)
            with pytest.raises(AssertionError, match="1 of what came from rabbitmq:in is not settled within 30 s"):
                await world["rabbitmq:in"].settled(within=30)


async def test_an_expectation_waits_in_virtual_time() -> None:
    """Until it holds, but no longer; where nothing may be sent, for the whole time."""
    with replace_endpoints(keep=["timer:*"]) as world:
        flow = from_("timer:t?every=60").filter(lambda n: n < 5).to("mock:out").filter(lambda n: n == 4).to("mock:four")
        async with running(flow):
            begin = anyio.current_time()
            await world["mock:out"].expect([1, 2], within=3600)
            assert anyio.current_time() - begin == pytest.approx(120)
            await world["mock:four"].expect([], within=60)
            assert anyio.current_time() - begin == pytest.approx(180)
            with pytest.raises(AssertionError, match="1 is unexpected: 4"):
                await world["mock:four"].expect([], within=3600)
            assert anyio.current_time() - begin == pytest.approx(240)
            with pytest.raises(AssertionError, match="within 60 s"):
                await world["mock:out"].expect(count=5, within=60)
            with pytest.raises(AssertionError, match="expected 3 messages, sent 4"):
                await world["mock:out"].expect(count=3, within=3600)
            assert anyio.current_time() - begin == pytest.approx(300)
