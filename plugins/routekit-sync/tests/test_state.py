"""What is remembered of a link survives being written and read."""

import pytest
from pydantic import ValidationError

from routekit_sync.state import Intent, Link, Shadow


def test_a_link_reads_back_as_it_was_written() -> None:
    """Shadows, intents and what is blocked come back the same, None and empty kept apart."""
    shadow = Shadow(id="7", fields={"name": "Ada", "phone": None, "note": ""}, version="3", stamp=12.5, seen=13.0)
    intent = Intent(id="i1", side="b", op="create", fields={"title": "Ada"}, key="k", state="sent")
    link = Link(id="l1", a=shadow, state="half", intents=[intent], blocked={"phone": "too long"})
    assert Link.model_validate_json(link.model_dump_json()) == link


def test_what_is_not_known_is_refused() -> None:
    """A document of a later version is not read as if it were one of this version."""
    with pytest.raises(ValidationError, match="later"):
        Link.model_validate_json('{"id": "l1", "later": 1}')
