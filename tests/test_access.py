"""The table [control]: where the daemon listens, and who may ask."""

import doctest

import pytest
from pydantic import ValidationError

from routekit import access
from routekit.access import Access, is_loopback
from routekit.operating.door import Door

TOKEN, READER = "0123456789abcdef", "fedcba9876543210"


def test_its_doctests_hold() -> None:
    """What its docstrings show is so."""
    assert doctest.testmod(access).failed == 0


def test_a_token_is_shown_nowhere() -> None:
    """Neither printed nor in what is wrong."""
    found = Access.model_validate({"token": TOKEN})
    assert TOKEN not in f"{found!r} {found} {found.model_dump()}"
    with pytest.raises(ValidationError) as wrong:
        Access.model_validate({"token": "hunter2"})
    assert "hunter2" not in str(wrong.value)


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ({}, False),
        ({"listen": ""}, False),
        ({"listen": "localhost:80"}, False),
        ({"listen": "[::1]:80"}, False),
        ({"listen": "0.0.0.0:80"}, True),
        ({"listen": "[::]:80"}, True),
        ({"listen": "10.1.2.3:80"}, True),
        ({"listen": "host.example:80"}, True),
        ({"listen": "0.0.0.0:80", "token": TOKEN}, False),
        ({"listen": "0.0.0.0:80", "reader_token": READER}, False),
    ],
)
def test_what_others_can_reach_needs_a_token(table: dict[str, str], wrong: bool) -> None:
    """Of an operator or of a reader; on this machine none is needed."""
    assert (Access.model_validate(table).problem() is not None) is wrong


@pytest.mark.parametrize("listen", ["7180", "host", ":80", "host:x", "host:65536", "::1:80", "host:-1", "http://x:1"])
def test_an_address_is_host_and_port(listen: str) -> None:
    """Anything else is refused when it is read."""
    with pytest.raises(ValidationError, match="write an address and a port"):
        Access.model_validate({"listen": listen})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost", "localhost."])
def test_names_of_this_machine(host: str) -> None:
    """Those that no other machine can have."""
    assert is_loopback(host)


def test_a_door_knows_who_comes() -> None:
    """By the token, or without one where only this machine gets in; the name is as they say, in one line."""
    closed = Door(Access.model_validate({"token": TOKEN, "reader_token": READER}))
    assert closed.admitted(None) is None
    assert closed.admitted("") is None
    assert closed.admitted("ü" * 16) is None
    told = [closed.admitted(token, "ada\n\x1b[2J" + "x" * 100) for token in (TOKEN, READER, closed.own)]
    assert [(one.role, one.name[:7], len(one.name)) for one in told if one] == [
        ("operator", "ada[2Jx", 64), ("reader", "ada[2Jx", 64), ("operator", "ada[2Jx", 64),
    ]  # fmt: skip
    open_ = Door(Access())
    assert (open_.open, closed.open) == (True, False)
    one = open_.admitted(None)
    assert one is not None
    assert (one.name, one.role) == ("console", "operator")
    assert open_.admitted("wrong") is None
