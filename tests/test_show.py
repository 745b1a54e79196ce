"""Show: every route can be drawn as text, as Mermaid and as JSON, with all its branches and without its secrets."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from routekit import Flow, Policy, Records, Retry, Route, dead_letters, from_, rescue
from routekit.loader import load
from routekit.show import as_json, as_mermaid, as_text, walk

ROOT = Path(__file__).parent.parent


def ticks() -> Flow[Any]:
    return from_("timer:x")


def identity(flow: Flow[Any]) -> Flow[Any]:
    return flow


def to(name: str) -> Any:
    return lambda flow: flow.to(f"mock:{name}")


def positive(n: int) -> bool:
    return n > 0


EVERYTHING = (
    from_("timer:x?every=1s", int, policy=Policy(dead_letter=dead_letters(to("dead"))))
    .filter(positive)
    .transform(str)
    .validate(positive)
    .parse(int)
    .set_header("a", 1)
    .remove_header("a*")
    .idempotent("seen", key=str)
    .log("{body}")
    .tap(to("tap"))
    .attempt(to("body"), rescue={ValueError: to("rescue")}, finally_=to("finally"), retry=Retry(1))
    .choice()
    .when(positive, to("when"))
    .when(str.isdigit, lambda f: f.stop())
    .otherwise(identity)
    .multicast(to("one"), to("two"), on_error=dead_letters(to("lost")))
    .recipients(str, {"crm": to("crm"), "erp": to("erp")})
    .scatter_gather({"low": to("low"), "high": to("high")})
    .routing_slip(list, {"stop": to("stop")})
    .dynamic_router(lambda answers: None, {"hop": to("hop")})
    .detour(lambda answers: answers, to("detour"))
    .loop(to("loop"), times=2)
    .load_balance(to("left"), to("right"), weights=(3, 1))
    .failover(to("main"), to("spare"))
    .gather(lambda n: [n], to("gather"), parallel=2)
    .for_each(Records(int, codec="json"), to("for_each"), on_error=dead_letters(to("bad")))
    .split(lambda tally: [tally], on_error=dead_letters(to("worse")))
    .to("mock:end?keep=3")
    .stop()
    .route("everything", "All words.")
)
"""A route with every word of the language."""


NODE = re.compile(r'^    (n\d+)(\(\["|\["|\[\("|\{"|\{\{")(.*?)("\]\)|"\]|"\)\]|"\}|"\}\})$')
EDGE = re.compile(r'^    (n\d+) (?:-- "([^"]*)" )?--> (n\d+)$')
CALL = re.compile(r"^  (n\d+) -\.-> (n\d+)$")
CLOSING = {'(["': '"])', '["': '"]', '[("': '")]', '{"': '"}', '{{"': '"}}'}


class Drawing:
    """A Mermaid flowchart, read back; fails on a line that it does not know."""

    def __init__(self, text: str) -> None:
        self.nodes: dict[str, str] = {}
        self.edges: list[tuple[str, str, str]] = []
        self.calls: list[tuple[str, str]] = []
        self.titles: list[str] = []
        head, *lines = text.splitlines()
        assert head == "flowchart TD"
        opened = 0
        for line in lines:
            if found := re.fullmatch(r'  subgraph "([^"]+)"', line):
                opened += 1
                self.titles.append(found[1])
            elif line == "  end":
                opened -= 1
            elif found := NODE.match(line):
                assert CLOSING[found[2]] == found[4], line
                assert found[1] not in self.nodes, f"{found[1]} is defined twice"
                self.nodes[found[1]] = found[3]
            elif found := EDGE.match(line):
                self.edges.append((found[1], found[2] or "", found[3]))
            elif found := CALL.match(line):
                self.calls.append((found[1], found[2]))
            else:
                raise AssertionError(f"what is {line!r}?")
            assert opened in (0, 1)
        ends = {end for edge in self.edges for end in (edge[0], edge[2])} | {end for call in self.calls for end in call}
        assert ends <= set(self.nodes), "an edge joins nodes that are not defined"

    def labelled(self) -> set[tuple[str, str, str]]:
        """The edges, with what their nodes say."""
        return {(self.nodes[start], label, self.nodes[end]) for start, label, end in self.edges}


def drawn(flow: Flow[Any], name: str = "r") -> set[tuple[str, str, str]]:
    return Drawing(as_mermaid([flow.route(name)])).labelled()


def labels(data: dict[str, Any]) -> list[str]:
    """All labels of a route's JSON, branches included."""
    found: list[str] = []
    for step in data["steps"]:
        found.append(step["label"])
        for branch in step.get("branches", ()):
            found += [branch["label"], *labels(branch)]
    return found


def test_text_is_a_tree() -> None:
    """As text a route is its name and place, its source, and a tree of its steps with their branches."""
    route = (
        ticks()
        .filter(positive)
        .choice()
        .when(lambda n: n > 5, lambda f: f.log("a").to("mock:big"))
        .otherwise(identity)
        .to("mock:end")
        .route("ticks")
    )
    head, *lines = as_text(route).splitlines()
    assert re.fullmatch(r"ticks  \(.*test_show\.py:\d+\)", head)
    assert lines == [
        "from timer:x",
        "├─ filter(positive)",
        "├─ choice",
        "│  when n > 5:",
        "│  ├─ log('a')",
        "│  └─ to mock:big",
        "│  otherwise: goes on",
        "└─ to mock:end",
    ]


def test_text_has_every_branch() -> None:
    """Whatever a route says, also about dead letters, stands in its text once."""
    text = as_text(EVERYTHING)
    names = "dead tap body rescue finally when gather for_each bad worse end one two lost crm erp low high stop hop"
    for name in [*names.split(), "detour", "loop", "left", "right", "main", "spare"]:
        assert text.count(f"to mock:{name}") == 1, name


def test_json_says_the_same_as_text() -> None:
    """JSON has every label of the text, with the branches in their steps and a place for each step."""
    data = as_json(EVERYTHING)
    assert (data["name"], data["doc"]) == ("everything", "All words.")
    said = labels(data)
    for label in said:
        assert label in as_text(EVERYTHING)
    assert {step["place"].rpartition(":")[0] for step in data["steps"]} == {data["place"].rpartition(":")[0]}
    kinds = [step["kind"] for step in data["steps"]]
    assert kinds[:3] == ["from", "filter", "transform"]
    assert kinds[-2:] == ["to", "stop"]


def test_every_word_can_be_drawn() -> None:
    """The Mermaid drawing of every word defines each node once and joins nothing but defined nodes."""
    drawing = Drawing(as_mermaid([EVERYTHING]))
    assert sorted(drawing.nodes.values()) == sorted(
        node.replace('"', "#quot;") for node in _labels_of_nodes(as_json(EVERYTHING))
    )


def _labels_of_nodes(data: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for step in data["steps"]:
        found.append(step["label"])
        for branch in step.get("branches", ()):
            found += _labels_of_nodes(branch)
    return found


def test_all_but_the_source_are_reached() -> None:
    """Every node but the sources has an arrow to it."""
    drawing = Drawing(as_mermaid([EVERYTHING]))
    assert set(drawing.nodes) - {end for _, _, end in drawing.edges} == {"n1"}


def test_choice_joins_again() -> None:
    """The branches of a choice lead on to the next step; a branch that adds nothing does so by its own arrow."""
    flow = ticks().choice().when(positive, to("a")).otherwise(identity).to("mock:end")
    assert drawn(flow) == {
        ("timer:x", "", "choice"),
        ("choice", "when positive", "to mock:a"),
        ("to mock:a", "", "to mock:end"),
        ("choice", "otherwise", "to mock:end"),
    }


def test_nothing_leads_on_from_a_stop() -> None:
    """A branch that stops has no arrow to what comes after the choice."""
    flow = ticks().choice().when(positive, lambda f: f.stop()).otherwise(to("a")).to("mock:end")
    assert drawn(flow) == {
        ("timer:x", "", "choice"),
        ("choice", "when positive", "stop"),
        ("choice", "otherwise", "to mock:a"),
        ("to mock:a", "", "to mock:end"),
    }


def test_branches_aside_lead_nowhere() -> None:
    """From a tap, dead letters and `finally_` nothing leads on: the step itself does."""
    flow = ticks().tap(to("a")).attempt(to("b"), finally_=to("c")).to("mock:end")
    assert drawn(flow) == {
        ("timer:x", "", "tap"),
        ("tap", "tap", "to mock:a"),
        ("tap", "", "attempt"),
        ("attempt", "attempt", "to mock:b"),
        ("attempt", "finally", "to mock:c"),
        ("to mock:b", "", "to mock:end"),
    }


def test_branches_with_copies_lead_nowhere() -> None:
    """From those of a multicast and of recipients nothing leads on: the message goes on from the step itself."""
    flow = ticks().multicast(to("a"), to("b")).recipients(str, {"x": to("c"), "y": identity}).to("mock:end")
    assert drawn(flow) == {
        ("timer:x", "", "multicast()"),
        ("multicast()", "branch-1", "to mock:a"),
        ("multicast()", "branch-2", "to mock:b"),
        ("multicast()", "", "recipients(str)"),
        ("recipients(str)", "x", "to mock:c"),
        ("recipients(str)", "", "to mock:end"),
    }


def test_branches_that_answer_lead_on() -> None:
    """Those of scatter-gather, load balancing and failover join again, whatever they are called."""
    flow = ticks().scatter_gather({"tap": to("a"), "b": to("b")}).load_balance(to("c"), identity).to("mock:end")
    assert drawn(flow) == {
        ("timer:x", "", "scatter_gather()"),
        ("scatter_gather()", "tap", "to mock:a"),
        ("scatter_gather()", "b", "to mock:b"),
        ("to mock:a", "", "load_balance(by round_robin)"),
        ("to mock:b", "", "load_balance(by round_robin)"),
        ("load_balance(by round_robin)", "branch-1", "to mock:c"),
        ("load_balance(by round_robin)", "branch-2", "to mock:end"),
        ("to mock:c", "", "to mock:end"),
    }
    assert ("failover()", "branch-2", "to mock:b") in drawn(ticks().failover(to("a"), to("b")))


def test_branches_that_come_back() -> None:
    """Those of a loop, a routing slip and a dynamic router lead back to their step, which then goes on."""
    flow = ticks().loop(to("a"), times=3).dynamic_router(lambda n: None, {"x": to("b"), "y": lambda f: f.stop()})
    assert drawn(flow.routing_slip(str, {"z": to("c")}).to("mock:end")) == {
        ("timer:x", "", "loop(times 3)"),
        ("loop(times 3)", "turn", "to mock:a"),
        ("to mock:a", "", "loop(times 3)"),
        ("loop(times 3)", "", "dynamic_router(None)"),
        ("dynamic_router(None)", "x", "to mock:b"),
        ("to mock:b", "", "dynamic_router(None)"),
        ("dynamic_router(None)", "y", "stop"),
        ("dynamic_router(None)", "", "routing_slip(str)"),
        ("routing_slip(str)", "z", "to mock:c"),
        ("to mock:c", "", "routing_slip(str)"),
        ("routing_slip(str)", "", "to mock:end"),
    }


def test_a_detour_has_two_ways() -> None:
    """That of its branch, and straight on."""
    assert drawn(ticks().detour(positive, to("a")).to("mock:end")) == {
        ("timer:x", "", "detour(positive)"),
        ("detour(positive)", "detour", "to mock:a"),
        ("to mock:a", "", "to mock:end"),
        ("detour(positive)", "straight on", "to mock:end"),
    }


def test_dead_letters_of_a_policy() -> None:
    """The dead letter channel of a route's policy hangs on its source."""
    flow = from_("timer:x", policy=Policy(dead_letter=dead_letters(to("dead")))).to("mock:end")
    assert drawn(flow) == {("timer:x", "dead letters", "to mock:dead"), ("timer:x", "", "to mock:end")}


def test_rescues_of_a_policy() -> None:
    """The clauses of a policy and its module's hang on the source, with what is done then."""
    policy = Policy(
        rescue={
            ValueError: (rescue(to("big"), when=lambda error: error.args), rescue(identity)),
            OSError: rescue(to("disk"), then="go_on"),
        }
    )
    route = replace(
        from_("timer:x", policy=policy).to("mock:end").route("r"),
        module=Policy(rescue={KeyError: rescue(to("module"))}, dead_letter=dead_letters(to("dead"))),
    )
    assert as_text(route).splitlines()[1:] == [
        "from timer:x",
        "└─ to mock:end",
        "rescue ValueError if error.args:",
        "└─ to mock:big",
        "rescue ValueError: done",
        "rescue OSError, then on:",
        "└─ to mock:disk",
        "rescue KeyError:",
        "└─ to mock:module",
        "dead letters:",
        "└─ to mock:dead",
    ]
    edges = Drawing(as_mermaid([route])).labelled()
    assert ("timer:x", "rescue OSError, then on", "to mock:disk") in edges
    assert ("timer:x", "", "to mock:end") in edges
    assert all(end != "to mock:end" for _, label, end in edges if label)


def test_steps_can_be_numbered() -> None:
    """By the numbers that `explain-errors` knows; branches of a policy have none."""
    flow = from_("timer:x", policy=Policy(dead_letter=dead_letters(to("dead")))).tap(to("a")).to("mock:b")
    assert as_text(flow.route("r"), numbers=True).splitlines()[1:] == [
        "0 from timer:x",
        "├─ 1 tap",
        "│  tap:",
        "│  └─ 2 to mock:a",
        "└─ 3 to mock:b",
        "dead letters:",
        "└─ to mock:dead",
    ]


def test_routes_that_call_each_other() -> None:
    """A dashed line joins a `to` with the source of the route that it calls, also through options."""
    caller = ticks().to("direct:inner").to("queue:side?size=3").to("mock:x").route("caller")
    callees = [from_("direct:inner").route("inner"), from_("queue:side").route("side")]
    drawing = Drawing(as_mermaid([caller, *callees]))
    assert drawing.titles == ["caller", "inner", "side"]
    assert {(drawing.nodes[start], drawing.nodes[end]) for start, end in drawing.calls} == {
        ("to direct:inner", "direct:inner"),
        ("to queue:side?size=3", "queue:side"),
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('say "x"', "say #quot;x#quot;"),
        ("a<b>c", "a#lt;b#gt;c"),
        ("a#b", "a#35;b"),
        ("x?a=1&copy=2", "x?a=1#amp;copy=2"),
        ("x?a=1&key=2", "x?a=1&key=2"),
        ("a\nb", "a b"),
    ],
)
def test_texts_do_not_break_mermaid(text: str, shown: str) -> None:
    """What Mermaid would read as its own signs or as HTML is written so that it shows as it is."""
    drawing = Drawing(as_mermaid([from_(text).route("r")]))
    assert list(drawing.nodes.values()) == [shown]


def test_secrets_are_masked_everywhere() -> None:
    """Passwords and secret options of URIs are in no drawing."""
    flow = from_("amqp://me:hunter2@host/in").to("mock:x?api_key=hunter2&keep=1")
    route = flow.tap(lambda f: f.to("http://me:hunter2@host")).route("r")
    for drawing in (as_text(route), as_mermaid([route]), str(as_json(route))):
        assert "hunter2" not in drawing
        assert "amqp://me:***@host/in" in drawing
        assert "mock:x?api_key=***" in drawing


def test_walk_gives_places() -> None:
    """Each node of a walk has the line on which it was written."""
    nodes = walk(
        from_("timer:x")
        .filter(positive)
        .to("mock:x")
        .route("r")
    )  # fmt: skip
    assert [node.place.line - nodes[0].place.line for node in nodes] == [0, 1, 2]


def test_our_own_routes_can_be_drawn() -> None:
    """The routes that we ship can be drawn in all three forms."""
    routes: list[Route] = list(load(ROOT / "routes").routes)
    assert Drawing(as_mermaid(routes)).titles == [route.name for route in routes]
    for route in routes:
        assert as_text(route).startswith(route.name)
        assert as_json(route)["steps"]
