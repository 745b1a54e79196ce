"""The lines of the log that are still in memory."""

import logging
from collections.abc import Iterator

import pytest

from routekit.operating.log_lines import LogLines


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, LogLines]]:
    lines = LogLines(most=5)
    logger = logging.Logger("routekit", logging.DEBUG)
    logger.addHandler(lines)
    yield logger, lines
    logger.removeHandler(lines)


def test_a_reader_goes_on_after_the_last_line_it_has(log: tuple[logging.Logger, LogLines]) -> None:
    """Numbers grow from 1; what has fallen out is missed, and never told twice."""
    logger, lines = log
    assert lines.after(0, 10) == []
    for number in range(1, 4):
        logger.info("line %d", number)
    assert [(line.number, line.text) for line in lines.after(1, 10)] == [(2, "line 2"), (3, "line 3")]
    for number in range(4, 9):
        logger.info("line %d", number)
    assert [line.number for line in lines.after(3, 10)] == [4, 5, 6, 7, 8]
    assert [line.number for line in lines.after(0, 2)] == [7, 8]
    assert (lines.after(8, 10), lines.after(99, 10), lines.after(0, 0)) == ([], [], [])


def test_a_line_is_one_line_without_secrets(log: tuple[logging.Logger, LogLines]) -> None:
    """Whatever came from outside; with its level, and with what it is about."""
    logger, lines = log
    extra = {"route": "shop.orders", "step": "to x", "message_id": "m1"}
    logger.warning("amqp://me:hunter2@host\nERROR forged", extra=extra)
    (line,) = lines.after(0, 1)
    assert line.text == r"amqp://me:***@host\nERROR forged"
    assert (line.level, line.route, line.step, line.message) == ("warning", "shop.orders", "to x", "m1")


def test_an_error_is_named_with_its_line(log: tuple[logging.Logger, LogLines]) -> None:
    """Its class and text, without the traceback."""
    logger, lines = log
    logger.error("it failed", exc_info=ValueError("no good"))
    assert lines.after(0, 1)[0].text == "it failed: ValueError: no good"
