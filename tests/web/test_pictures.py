"""Pictures: what they show of routes and steps, and what they join."""

from typing import Any

import pytest

from routekit import Policy, Records, dead_letters, from_
from routekit.operating.sights import EndpointSight, HopSight, RouteSight, StepSight
from routekit.show import as_json
from routekit.web.landscape import View, fitting, landscape, modules
from routekit.web.message_pages import HOPS, ROOM, hops_of
from routekit.web.picture import Picture
from routekit.web.steps import picture_of

from . import sample
from .shop import alerted, routes


def route(name: str, **more: Any) -> RouteSight:
    plain: dict[str, Any] = {"state": "running", "since": 0.0, "module": name.partition(".")[0], "source": "timer:x"}
    return RouteSight(name=name, **{**plain, **more})


def end(route: str, role: Any, uri: str, **more: Any) -> EndpointSight:
    plain: dict[str, Any] = {"scheme": uri.partition(":")[0], "health": "ok", "since": 0.0}
    return EndpointSight(route=route, role=role, uri=uri, **{**plain, **more})


def drawn(those: list[RouteSight], ends: list[EndpointSight] | None = None, view: View | None = None) -> Picture:
    view = view or View()
    picture = landscape(modules(fitting(those, view.q), view), ends or [], view)
    assert picture is not None
    return picture


def joined(picture: Picture) -> set[tuple[str, str]]:
    return {(arrow.source, arrow.target) for arrow in picture.arrows}


def test_routes_are_joined_by_what_they_feed() -> None:
    """An arrow leads from a route to each that it sends to, and to none that is not shown."""
    picture = drawn([route("a.x", feeds=["a.y", "gone"]), route("a.y", feeds=["a.y"])])
    assert joined(picture) <= {("r:a.x", "r:a.y"), ("r:a.y", "r:a.y")}
    assert ("r:a.x", "r:a.y") in joined(picture)


def test_routes_are_joined_by_endpoints() -> None:
    """One endpoint that two routes name with other options is one box between them."""
    ends = [end("a.x", "sink", "sql:crm/t?mode=insert"), end("a.y", "source", "sql:crm/t?cursor=id")]
    picture = drawn([route("a.x"), route("a.y")], ends)
    assert joined(picture) == {("r:a.x", "e:sql:crm/t"), ("e:sql:crm/t", "r:a.y")}


def test_figures_stand_where_they_are_sure() -> None:
    """The rate of a route stands on the one arrow that leads to it, and on none of two."""
    one = drawn([route("a.x", feeds=["a.y"]), route("a.y", rate=5.0, oldest=30.0, errors=1.0)])
    assert [(arrow.label, arrow.below, arrow.alarm) for arrow in one.arrows] == [("5.0/s", "lag 30 s", "1.0/s")]
    two = drawn([route("a.x", feeds=["a.y"]), route("a.z", feeds=["a.y"]), route("a.y", rate=5.0)])
    assert [arrow.label for arrow in two.arrows] == ["", ""]


def test_what_is_sent_stands_on_its_arrow() -> None:
    """The arrow out of a route says how many are sent there and how many fail; that of a folded module does not."""
    ends = [end("a.x", "sink", "http:crm", rate=4.0, errors=0.5), end("a.x", "sink", "sql:log/t")]
    picture = drawn([route("a.x", rate=9.0)], ends)
    said = {arrow.target: (arrow.label, arrow.alarm, arrow.tip) for arrow in picture.arrows}
    assert said == {"e:http:crm": ("4.0/s", "0.50/s", "4.0/s sent; 0.50/s failing"), "e:sql:log/t": ("", "", "")}


def test_what_is_away_is_marked() -> None:
    """An endpoint that is down, its arrow and a degraded route say so in words."""
    picture = drawn(
        [route("a.x", state="degraded", why="Unavailable: no")], [end("a.x", "sink", "http:x", health="down")]
    )
    assert [arrow.alarm for arrow in picture.arrows] == ["away"]
    assert {shape.id: (shape.state, shape.alarm) for shape in picture.shapes} == {
        "r:a.x": ("degraded", "Unavailable"),
        "e:http:x": ("down", ""),
    }


def test_a_folded_module_has_the_worst_state() -> None:
    """Many routes are folded by module; the box sums them, and shows that one of them is ill."""
    those = [route(f"m{n % 4}.r{n:02}", rate=1.0) for n in range(40)]
    those[1] = route("m1.r01", state="degraded")
    picture = drawn(those)
    assert {shape.id: shape.state for shape in picture.shapes}["m:m1"] == "degraded"
    assert next(shape for shape in picture.shapes if shape.id == "m:m1").alarm == "1 degraded"
    opened = drawn(those, view=View(open=frozenset({"m1"})))
    assert len(opened.shapes) == 13


def test_boxes_keep_their_size() -> None:
    """What changes from second to second does not change where anything stands."""
    still = drawn([route("a.x", feeds=["a.y"]), route("a.y")])
    busy = drawn(
        [route("a.x", feeds=["a.y"]), route("a.y", rate=1e6, errors=3.0, oldest=1e5, state="degraded", why="x")]
    )
    assert [(shape.x, shape.y, shape.height) for shape in still.shapes] == [
        (shape.x, shape.y, shape.height) for shape in busy.shapes
    ]


@pytest.mark.parametrize("name", [one.name for one in routes()])
def test_every_step_has_its_figures(name: str) -> None:
    """The count of each step stands in its box, also within branches, as labels there are written in two ways."""
    detail = sample.desk().details[name]
    counted = [step.model_copy(update={"count": 100 + n}) for n, step in enumerate(detail.steps)]
    picture = picture_of(detail.drawing, counted, received=99)
    said = [shape.lines[0].partition(" ")[0] for shape in picture.shapes if shape.title != "to file:data/aside"]
    assert sorted(said) == sorted(str(99 + n) for n in range(len(counted) + 1))


def test_parts_and_their_letters() -> None:
    """The steps for each part are drawn, with their figures, and dead letters beside the way."""
    flow = (
        from_("file:in?after=move&read=path", policy=Policy(concurrency=2))
        .for_each(Records(dict, codec="csv"), lambda rows: rows.transform(str), on_error=dead_letters(alerted))
        .log("done")
        .route("r")
    )
    data = as_json(flow)
    place = data["steps"][1]["branches"][0]["steps"][0]["place"]
    picture = picture_of(data, [StepSight(label="each > transform(str)", place=place, count=7)])
    shapes = {shape.title: shape for shape in picture.shapes}
    assert shapes["transform(str)"].lines == ("7",)
    assert "aside" in shapes["to log:sales"].look
    assert "aside" not in shapes["log"].look if "log" in shapes else True
    assert shapes["from file:in"].title == "from file:in"


def test_a_way_is_numbered_as_the_picture() -> None:
    """A hop of a part has the number of its step, however many parts pass it; a long way is cut, and says so."""

    def hop(step: str, part: str) -> HopSight:
        body = [{"n": n} for n in range(40)]
        return HopSight(id=part, step=step, place="a.py:1", at=0.0, seconds=0.1, outcome="on", before=body, after=body)

    hops = hops_of([hop(step, str(part)) for part in range(100) for step in ("a", "b")])
    assert [one.number for one in hops[:4]] == [1, 2, 1, 2]
    assert len(hops) == HOPS
    assert sum(len(one.lines) for one in hops) == ROOM
    assert hops[-1].cut > 0
