"""What errors say elsewhere, without the sensitive values of the messages that they are about."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import pytest
from pydantic import BaseModel

from routekit import Message, PartsFailed, Policy, Rejected, Retry, Sensitive, from_, said
from routekit.discretion import Discreet, concerns, discreet, told
from routekit.events import DeadLettered, Event, Refused, Retrying
from routekit.testing import Feed, Run, run_routes, setup_for

EMAIL = "ada.lovelace@example.org"


class Person(BaseModel):
    """A person with marks."""

    email: Annotated[str, Sensitive("email")]
    note: Annotated[str, Sensitive()] = ""


class Row(TypedDict):
    """A plain dict when the program runs."""

    street: Annotated[str, Sensitive("address")]


@dataclass(frozen=True)
class Frozen(Exception):
    """An error that nothing can be noted on in the usual way."""

    text: str

    def __str__(self) -> str:
        return self.text


def about(error: Exception, body: Any, kind: Any = None, **headers: Any) -> Exception:
    """The error, which knows its message."""
    concerns(error, Message(body, headers, "m"), kind)
    return error


def test_an_error_is_told_without_the_values_of_its_message() -> None:
    """By the marks of the body's type, by names of headers; the error itself stays as it is."""
    error = about(KeyError(EMAIL, "s3cr3t-token"), Person(email=EMAIL), token="s3cr3t-token")
    assert said(error) == "('a***@example.org', '***')"
    assert told(error) == "KeyError: ('a***@example.org', '***')"
    assert EMAIL in str(error)


def test_an_error_of_no_message_says_all() -> None:
    """Nothing is known of it but what is secret anyway."""
    assert said(ValueError(f"{EMAIL} at amqp://me:hunter2@host")) == f"{EMAIL} at amqp://me:***@host"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"street": "12 High Street"}, Row),
        ([{"street": "12 High Street"}], list[Row]),
        (json.dumps({"street": "12 High Street"}).encode(), Row),
        ("7;12 High Street;London", Row),
        ({"api_key": "12 High Street"}, None),
    ],
)
def test_plain_and_unread_bodies_are_known_by_their_declaration(body: object, kind: Any) -> None:
    """Data, JSON that was not read yet, and text that nobody could read, where the type says that it is sensitive."""
    assert "High Street" not in said(about(Rejected("12 High Street is unknown"), body, kind))


def test_the_words_of_all_errors_behind_it_are_masked() -> None:
    """A group names the errors of its parts, a wrapper that of its cause; each is about a message of its own."""
    part = about(ValueError("no Babbage here"), Person(email="x@example.org", note="no Babbage here"))
    group = PartsFailed([("m/1", part)], failed=1, total=2)
    assert "Babbage" not in said(group)
    wrapped = RuntimeError(f"failed: {part}")
    wrapped.__cause__ = part
    assert "Babbage" not in said(wrapped)
    assert "Babbage" not in said(ExceptionGroup(f"several: {part}", [part]))


def test_addresses_for_mail_are_masked_in_errors_about_messages() -> None:
    """Whoever has put them there: an answer of the other side, say. The user of a URI is none."""
    error = about(Rejected("sent to bob@example.com by sftp://me@files.example.com"), {})
    assert said(error) == "sent to b***@example.com by sftp://me@files.example.com"


def test_an_error_that_is_frozen_or_copied_is_known_too() -> None:
    """And a copy does not drag the message along."""
    error = about(Frozen(f"no {EMAIL}"), Person(email=EMAIL))
    assert said(error) == "no a***@example.org"
    body = Person(email=EMAIL)
    kept = about(ValueError(EMAIL), body)
    again = copy.deepcopy(kept)
    assert said(again) == "a***@example.org"
    assert again.__dict__["__routekit_about__"] is kept.__dict__["__routekit_about__"]


def test_names_of_a_site_count() -> None:
    """Those of `[privacy] keys`, for bodies and headers."""
    error = ValueError("customer K-778899")
    concerns(error, Message({"customer_no": "K-778899"}, {}, "m"), keys=["customer_no"])
    assert said(error) == "customer ***"
    assert Discreet(None, Message({"customer_no": "K-778899"}, {}, "m"), ["customer_no"])("K-778899") == "***"


def test_a_text_about_an_error_is_masked_as_a_whole() -> None:
    """Such as its traceback."""
    error = about(ValueError(EMAIL), Person(email=EMAIL))
    assert discreet(f"Traceback\n  ValueError: {EMAIL}\n", error) == "Traceback\n  ValueError: a***@example.org\n"


@pytest.mark.anyio
async def test_what_a_route_tells_of_failures_says_nothing_of_its_people() -> None:
    """Each failed try, the dead letter with its causes and cluster, and the recent failures that are shown."""
    events: list[Event] = []

    found: dict[str, Person] = {}

    def fail(person: Person) -> Person:
        try:
            return found[person.email]
        except KeyError as error:
            raise ConnectionError(f"no {person.email.upper()}, {person.note[:30]}...") from error

    policy = Policy(retry=Retry(1, first=0.01), dead_letter="store")
    flow = from_(Feed([{"email": EMAIL, "note": "has called us twice about her broken boiler"}]), Person, policy=policy)
    flow = flow.transform(lambda person: person.model_copy(update={"note": person.note.title()})).transform(fail)
    run = await run_routes(flow, setup=setup_for(Run(), watch=events.append, metrics=True))
    errors = [event.error for event in events if isinstance(event, Retrying | DeadLettered | Refused)]
    assert len(errors) == 2
    assert all("LOVELACE" in str(error) for error in errors)
    (letter,) = run.letters
    shown = [*map(said, errors), letter.reason, *letter.causes]
    for text in shown:
        assert not _leaks(text), text
    assert letter.body == {"email": EMAIL, "note": "has called us twice about her broken boiler"}


def _leaks(text: str) -> Sequence[str]:
    return [part for part in ("lovelace", "boiler", "has called us") if part in text.lower()]
