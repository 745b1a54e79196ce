"""Messages as the stateful patterns keep them."""

import pytest
from pydantic_core import from_json, to_json

from routekit import Message, StoreError
from routekit.fitting import fitting
from routekit.keeping import Keeping

KEEPING = Keeping(dict, fitting(dict))
MESSAGE = Message({"n": [1, "é", None]}, {"h": b"\xff", "t": "x"}, "m1")


def same(found: Message[object]) -> bool:
    return (found.id, found.body, dict(found.headers)) == (MESSAGE.id, MESSAGE.body, dict(MESSAGE.headers))


def test_what_was_kept_comes_back() -> None:
    """Its id, body and headers; the text says in which version it is."""
    assert same(KEEPING.message(KEEPING.text(MESSAGE)))
    assert from_json(KEEPING.text(MESSAGE))[0] == 1


def test_a_text_of_the_first_releases_is_read() -> None:
    """Theirs had no version."""
    _, *parts = from_json(KEEPING.text(MESSAGE))
    assert same(KEEPING.message(to_json(parts).decode()))


@pytest.mark.parametrize("parts", [[2, "m1", {}, {}], [2, "m1"], [3, "m1", {}, {}, "more"]])
def test_a_text_of_a_later_release_is_refused(parts: list[object]) -> None:
    """With what to do, however that release has changed the rest."""
    with pytest.raises(StoreError, match=rf"kept in version {parts[0]}.*upgrade RouteKit"):
        KEEPING.message(to_json(parts).decode())


def test_a_text_that_is_no_message_is_refused() -> None:
    """As an error of the store, which has lost something."""
    with pytest.raises(StoreError, match="no message"):
        KEEPING.raw("sealed")
