"""What a pair marks is masked wherever people see values."""

from pathlib import Path

from routekit_sync import FolderRemote, SyncPair, Unit
from routekit_sync.hiding import hidden, problem_of, said_of, said_of_link
from routekit_sync.state import Link, Shadow

EMAIL = Unit("email", ["email"], ["mail"], None, None, sensitive={"email": "email"})
NAME = Unit("name", ["name"], ["title"], None, None)
PAIR = SyncPair("people", FolderRemote("crm", Path("crm")), FolderRemote("erp", Path("erp")), [EMAIL, NAME])


def test_marked_fields_are_masked_on_both_sides() -> None:
    """The other side's field has the same value, whatever it is called there; that one is empty may be seen."""
    assert hidden({"email": "ada@example.org", "name": "Ada"}, PAIR) == {"email": "***", "name": "Ada"}
    assert hidden({"mail": "ada@example.org", "title": "Ada"}, PAIR) == {"mail": "***", "title": "Ada"}
    assert hidden({"email": None, "mail": ""}, PAIR) == {"email": None, "mail": ""}


def test_reasons_do_not_quote_them() -> None:
    """A system that refuses a value likes to repeat it."""
    assert said_of("ada@example.org is taken", {"mail": "ada@example.org"}, PAIR) == "*** is taken"
    assert said_of("ADA%40example.org: taken", {"mail": "ada@example.org"}, PAIR) == "***: taken"
    link = Link(id="1", a=Shadow(id="17", fields={"email": "ada@example.org", "name": "Ada"}))
    assert said_of_link("KeyError: 'Ada@Example.org' of Ada", link, PAIR) == "KeyError: '***' of Ada"


def test_a_problem_with_a_marked_unit_quotes_nothing() -> None:
    """A converter likes to say what it could not convert."""
    assert "ada" not in problem_of("email", "'ada@' is no address", PAIR)
    assert problem_of("name", "'Ada' is too short", PAIR) == "'Ada' is too short"
