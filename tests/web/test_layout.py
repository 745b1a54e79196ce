"""Layout: boxes stand apart, in layers by what leads to them, and lines run between them with few crossings."""

import doctest
from itertools import combinations
from random import Random

import pytest

from routekit.web import entering, formats, layering, layout, message_pages, source, visit
from routekit.web.layering import crossings, layered
from routekit.web.layout import Box, Layout, Line, laid_out


@pytest.mark.parametrize("module", [entering, formats, layering, layout, message_pages, source, visit])
def test_what_docstrings_say_holds(module: object) -> None:
    """Each doctest gives what it says."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def graph(names: str, *pairs: str) -> tuple[list[Box], list[Line]]:
    """Boxes of one letter each, and lines written as two letters."""
    return [Box(name, 100, 40) for name in names], [Line(*pair) for pair in pairs]


def apart(found: Layout, boxes: list[Box]) -> bool:
    """Whether no two boxes overlap."""
    for one, other in combinations(boxes, 2):
        (ax, ay), (bx, by) = found.boxes[one.id], found.boxes[other.id]
        if ax < bx + other.width and bx < ax + one.width and ay < by + other.height and by < ay + one.height:
            return False
    return True


def test_a_chain_runs_straight() -> None:
    """Boxes that follow one another stand in one row, in their order."""
    found = laid_out(*graph("abc", "ab", "bc"))
    assert found.boxes["a"][0] < found.boxes["b"][0] < found.boxes["c"][0]
    assert len({round(y, 3) for _, y in found.boxes.values()}) == 1


def test_down_is_the_same_turned() -> None:
    """A chain can run down as well."""
    found = laid_out(*graph("abc", "ab", "bc"), down=True)
    assert found.boxes["a"][1] < found.boxes["b"][1] < found.boxes["c"][1]
    assert len({round(x, 3) for x, _ in found.boxes.values()}) == 1


def test_a_chain_stays_straight_beside_its_branches() -> None:
    """What hangs at a chain weakly does not bend it, and two ways round lie evenly about the middle."""
    boxes = [Box(name, 100, 40) for name in "abcdexy"]
    chain = [Line("a", "b", 6), Line("b", "c", 6), Line("d", "e", 6)]
    found = laid_out(boxes, [*chain, Line("a", "x", 0.05), Line("c", "y"), Line("y", "d"), Line("c", "d")], down=True)
    xs = {name: found.boxes[name][0] for name in "abcde"}
    assert xs["a"] == pytest.approx(xs["b"], abs=4)
    assert xs["b"] == pytest.approx(xs["c"], abs=1)
    assert xs["d"] == pytest.approx(xs["e"], abs=1)


def test_a_circle_has_no_beginning_and_is_drawn() -> None:
    """A line that closes a circle runs back, and every line has a way; one from a box to itself has none."""
    boxes, lines = graph("abc", "ab", "bc", "ca", "bb")
    found = laid_out(boxes, lines)
    assert apart(found, boxes)
    assert set(found.runs) == {0, 1, 2}
    assert found.runs[2].path.startswith(f"M{found.boxes['c'][0]:g}")


def test_lines_that_need_not_cross_do_not() -> None:
    """Boxes are put into the order in which their lines do not cross."""
    pairs = [("a", "z"), ("b", "y"), ("c", "x"), ("d", "w")]
    assert crossings(layered([*"abcd", *"wxyz"], pairs)) == 0


def test_long_lines_pass_beside_boxes() -> None:
    """A line over a layer does not run through the box that stands there."""
    boxes, lines = graph("abc", "ab", "bc", "ac")
    found = laid_out(boxes, lines)
    top = found.boxes["b"][1]
    straight = found.runs[2].path.partition("L")[0].rpartition(" ")[2]
    assert not top <= float(straight) <= top + 40


def test_parts_that_are_not_joined_are_packed() -> None:
    """A hundred boxes without lines make a block, no endless column."""
    boxes = [Box(str(number), 180, 50) for number in range(100)]
    found = laid_out(boxes, [])
    assert apart(found, boxes)
    assert found.width < 1400
    assert found.height < 2200


@pytest.mark.parametrize("seed", range(8))
def test_boxes_never_overlap(seed: int) -> None:
    """Whatever the graph, boxes stand apart and within the picture, and each line has a way."""
    chance = Random(seed)
    boxes = [Box(str(n), chance.randint(60, 240), chance.randint(30, 80)) for n in range(60)]
    ends = [(str(chance.randrange(60)), str(chance.randrange(60))) for _ in range(90)]
    lines = [Line(*pair) for pair in ends if pair[0] != pair[1]]
    found = laid_out(boxes, lines, down=seed % 2 == 1)
    assert apart(found, boxes)
    assert set(found.runs) == set(range(len(lines)))
    for box in boxes:
        x, y = found.boxes[box.id]
        assert x >= 0 <= y
        assert x + box.width <= found.width
        assert y + box.height <= found.height


def test_the_same_graph_gives_the_same_picture() -> None:
    """Nothing jumps when it is drawn again."""
    assert laid_out(*graph("abcd", "ab", "ac", "bd", "cd")) == laid_out(*graph("abcd", "ab", "ac", "bd", "cd"))


def test_a_thousand_boxes_in_a_chain() -> None:
    """A long chain needs no deep stack."""
    boxes = [Box(str(n), 10, 10) for n in range(1000)]
    found = laid_out(boxes, [Line(str(n), str(n + 1)) for n in range(999)])
    assert found.boxes["999"][0] > found.boxes["0"][0]
