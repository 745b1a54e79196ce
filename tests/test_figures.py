"""Figures of endpoints: shown while the block lasts, read when somebody looks."""

import logging

import pytest

from routekit import DefinitionError
from routekit.figures import Figure, Figures


def test_figures_are_read_when_somebody_looks() -> None:
    """A figure is what its function gives at that moment, with the route and the endpoint that show it."""
    figures, waiting = Figures(), [1, 2]
    with figures.shown("orders", "queue:in", {"waiting": lambda: len(waiting)}):
        waiting.append(3)
        assert figures.read() == [Figure("orders", "queue:in", "waiting", 3.0)]


def test_figures_end_with_their_block() -> None:
    """What is left shows nothing any more, and what another one shows stays."""
    figures = Figures()
    with figures.shown("a", "queue:in", {"waiting": lambda: 1}):
        with figures.shown("a", "queue:in", {"waiting": lambda: 2}):
            assert [figure.value for figure in figures.read()] == [1, 2]
        assert [figure.value for figure in figures.read()] == [1]
    assert figures.read() == []


def test_a_route_that_comes_back_shows_its_figures_again() -> None:
    """Also while what it showed before is still being put away."""
    figures = Figures()
    first = figures.shown("a", "queue:in", {"waiting": lambda: 1})
    first.__enter__()
    with figures.shown("a", "queue:out", {"waiting": lambda: 2}):
        first.__exit__(None, None, None)
        assert [figure.value for figure in figures.read("a")] == [2]
    assert figures.read("a") == []
    with figures.shown("a", "queue:in", {"waiting": lambda: 3}):
        assert [figure.value for figure in figures.read()] == [3]


def test_figures_of_one_route() -> None:
    """Who asks for a route gets no figure of another one."""
    figures = Figures()
    with figures.shown("a", "queue:in", {"waiting": lambda: 1}), figures.shown("b", "queue:in", {"waiting": lambda: 2}):
        assert [figure.value for figure in figures.read("b")] == [2]


def test_a_figure_that_cannot_be_read_breaks_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """It is left out and told in the log."""
    figures = Figures()
    with (
        caplog.at_level(logging.ERROR),
        figures.shown("a", "queue:in", {"broken": lambda: 1 / 0, "waiting": lambda: 1}),
    ):
        assert [figure.name for figure in figures.read()] == ["waiting"]
    assert "'broken' of queue:in cannot be read" in caplog.text


@pytest.mark.parametrize("name", ["", "Waiting", "waiting messages", "_waiting", "waiting_", "2nd", "a__b"])
def test_names_are_those_that_monitors_take(name: str) -> None:
    """Anything but snake_case is refused, with advice."""
    with pytest.raises(DefinitionError, match="is no name for a figure"), Figures().shown("a", "b:", {name: lambda: 1}):
        pass
