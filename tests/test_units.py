"""Durations and sizes as people write them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from routekit import Bytes, Seconds

SECONDS: TypeAdapter[float] = TypeAdapter(Seconds)
BYTES: TypeAdapter[int] = TypeAdapter(Bytes)


@pytest.mark.parametrize(
    ("text", "value"),
    [("30", 30), ("1.5", 1.5), (5, 5), ("250ms", 0.25), ("2m30s", 150), ("1h", 3600), ("7d", 604800), ("0.5h", 1800)],
)
def test_durations(text: Any, value: float) -> None:
    """A number is seconds; units may be joined."""
    assert SECONDS.validate_python(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "5x", "s", "-5s", "1h 30m", "1h30"])
def test_no_durations(text: str) -> None:
    """What is not wholly a duration is refused."""
    with pytest.raises(ValidationError):
        SECONDS.validate_python(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4096", 4096),
        (5, 5),
        ("256KB", 262144),
        ("256 kb", 262144),
        ("10MB", 10 << 20),
        ("2gb", 2 << 30),
        ("5b", 5),
        ("3k", 3072),
    ],
)
def test_sizes(text: Any, value: int) -> None:
    """1 KB is 1,024 bytes; case does not matter."""
    assert BYTES.validate_python(text) == value


@pytest.mark.parametrize("text", ["", "many", "1.5MB", "5TB", "-1", "KB"])
def test_no_sizes(text: str) -> None:
    """What is not wholly a size is refused."""
    if text == "-1":
        assert BYTES.validate_python(text) == -1, "the option's own limits refuse it"
        return
    with pytest.raises(ValidationError):
        BYTES.validate_python(text)


@given(st.integers(0, 99), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_all_units_add_up(days: int, hours: int, minutes: int, seconds: int, ms: int) -> None:
    """Whatever is written one after the other."""
    text = f"{days}d{hours}h{minutes}m{seconds}s{ms}ms"
    assert SECONDS.validate_python(text) == pytest.approx(
        days * 86400 + hours * 3600 + minutes * 60 + seconds + ms / 1000
    )
