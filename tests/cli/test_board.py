"""The board of `routekit top`: what is on a screen of any size, and what keys do; and the keys of a terminal."""

from typing import Any

import pytest
from rich.cells import cell_len

from routekit.cli.board import COLUMNS, Board
from routekit.cli.keyboard import split
from routekit.operating.sights import RouteSight


def sight(name: str, **changes: Any) -> RouteSight:
    values: dict[str, Any] = {"state": "running", "since": 1000.0, "module": "m", "source": "timer:t"}
    return RouteSight(name=name, **values | changes)


def board(*routes: RouteSight) -> Board:
    made = Board()
    made.title = "http://127.0.0.1:7180"
    made.update(routes, 1075.0)
    return made


SOME = (
    sight("b.orders", rate=12.5, done=1000, p95=0.004),
    sight("a.leads", state="degraded", why="the broker is away", dead=3, errors=0.5),
    sight("c.idle", state="paused", why="asked for", rate=0.5, oldest=70.0),
)


def names(made: Board) -> list[str]:
    return [one.name for one in made.shown]


def keys(made: Board, *pressed: str) -> list[Any]:
    return [made.key(key) for key in pressed]


@pytest.mark.parametrize("height", [1, 2, 3, 5, 8, 24, 60])
@pytest.mark.parametrize("width", [5, 20, 40, 80, 200])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_it_fits_any_screen(width: int, height: int, count: int) -> None:
    """No line is longer than the screen, and there is always one line less than it has, so that it never scrolls."""
    made = board(*(sight(f"module.route-{number:04}-漢", why="x" * 300) for number in range(count)))
    lines = made.lines(width, height)
    assert len(lines) <= max(1, height - 1)
    assert all(cell_len(line.plain) <= width for line in lines)


def test_what_is_said() -> None:
    """States and figures are summed up; each route has a line; the selected one has its reason below."""
    lines = [line.plain for line in board(*SOME).lines(120, 12)]
    assert lines[0].startswith("3 routes  1 running  1 paused  1 degraded  13.0/s  0 in flight  3 dead")
    assert " ".join(lines[1].split()) == "route^ state rate in flight dead p95 done errors oldest since"
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["a.leads", "degraded"],
        ["b.orders", "running"],
        ["c.idle", "paused"],
    ]
    assert lines[-2] == "a.leads: degraded for 1m 15s: the broker is away  from timer:t"
    assert lines[-1].startswith("q quit")


def test_narrow_screens_have_fewer_columns() -> None:
    """What does not fit is left out, the least important first; names and states stay."""
    wide, narrow = (board(*SOME).lines(width, 12)[1].plain.split() for width in (120, 40))
    assert "errors" in wide
    assert " ".join(narrow) == "route^ state rate in flight"


def test_sorting() -> None:
    """`>` goes from column to column; figures begin with the largest, states with the worst; `r` turns it round."""
    made = board(*SOME)
    keys(made, ">")
    assert (made.sort, names(made)) == ("state", ["a.leads", "c.idle", "b.orders"])
    keys(made, "right")
    assert (made.sort, names(made)) == ("rate", ["b.orders", "c.idle", "a.leads"])
    keys(made, "r")
    assert names(made) == ["a.leads", "c.idle", "b.orders"]
    keys(made, "<", "left")
    assert (made.sort, names(made)) == ("route", ["a.leads", "b.orders", "c.idle"])
    keys(made, "<")
    assert made.sort == list(COLUMNS)[-1]


def test_sorting_reversed_keeps_names_in_order() -> None:
    """Routes with equal figures stand by name, whichever way round they are sorted."""
    made = board(sight("b"), sight("a"), sight("c"))
    keys(made, ">", ">")
    before = names(made)
    keys(made, "r")
    assert (before, names(made)) == (["a", "b", "c"], ["a", "b", "c"])


def test_filtering() -> None:
    """Letters typed after `/` filter by name or state; enter keeps the filter, escape takes it away."""
    made = board(*SOME)
    keys(made, "/", "L", "e", "a", "x", "backspace")
    assert (names(made), made.lines(80, 12)[-1].plain[:12]) == (["a.leads"], "filter: Lea_")
    keys(made, "enter")
    assert (made.typing, names(made)) == (False, ["a.leads"])
    assert made.key("p") == ("pause", "a.leads"), "the selected route is one that is seen"
    keys(made, "escape")
    assert len(names(made)) == 3
    keys(made, "/", *"paused", "enter")
    assert names(made) == ["c.idle"]
    keys(made, "/", *"zzz")
    assert "no route fits 'pausedzzz'" in [line.plain for line in made.lines(80, 12)]
    assert made.key("escape") is None
    assert made.filter == ""


def test_typing_quits_nothing() -> None:
    """While a filter is typed, letters are letters."""
    made = board(*SOME)
    assert keys(made, "/", "q", "p", "s") == [None] * 4
    assert (made.quit, made.filter) == (False, "qps")


def test_selecting_and_wishing() -> None:
    """p pauses what runs and resumes what is paused; s stops it, and starts what is stopped."""
    made = board(*SOME, sight("d.off", state="stopped"))
    assert keys(made, "p", "down", "s") == [("pause", "a.leads"), None, ("stop", "b.orders")]
    assert keys(made, "down", "p") == [None, ("resume", "c.idle")]
    assert keys(made, "end", "s", "j", "home", "k", "up") == [None, ("start", "d.off"), None, None, None, None]
    assert made.selected == "a.leads"


def test_nothing_is_asked_of_no_route() -> None:
    """Without a route there is nothing to pause."""
    assert keys(board(), "p", "s", "down", "up") == [None] * 4


def test_the_selected_route_stays_selected() -> None:
    """When figures change the order, the same route is selected; when it is gone, another one is."""
    made = board(*SOME)
    keys(made, "down")
    made.update([sight("b.orders"), sight("0.new")], 1080.0)
    assert made.selected == "b.orders"
    made.update([sight("0.new")], 1081.0)
    assert made.selected == "0.new"


def test_the_selected_route_is_on_the_screen() -> None:
    """Of a thousand routes those around the selected one are shown, and which of how many they are."""
    made = board(*(sight(f"r{number:04}") for number in range(1000)))
    keys(made, *["page down"] * 50)
    lines = [line.plain for line in made.lines(100, 15)]
    assert made.selected == "r0500"
    assert any(line.startswith("r0500 ") for line in lines)
    assert lines[0].startswith("1,000 routes  496-505 of 1,000  1000 running")
    keys(made, "end")
    assert any(line.startswith("r0999 ") for line in [line.plain for line in made.lines(100, 15)])


def test_what_comes_from_outside_steers_no_terminal() -> None:
    """A reason with escape sequences is shown as what it is."""
    made = board(sight("a", state="degraded", why="away\x1b[2J\nforged"))
    assert all("\x1b" not in line.plain and "\n" not in line.plain for line in made.lines(120, 12))


def test_keys_of_a_terminal() -> None:
    """What comes at once is taken apart; what is not known is its letters."""
    assert list(split("\x1b[A\x1bOBq\r\x7f/é")) == ["up", "down", "q", "enter", "backspace", "/", "é"]
