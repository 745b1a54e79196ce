"""`routekit capture`: an incident becomes a test that fails as it did, until the route is mended."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ORDERS = '''"""Orders get the name of their customer, from the CRM."""
from dataclasses import dataclass
from routekit import Policy, from_

@dataclass(frozen=True)
class Order:
    id: int
    customer: str
    name: str = ""

@dataclass(frozen=True)
class Customer:
    name: str | None

def known(order: Order) -> Customer:
    return Customer(None if order.customer == "x" else "Ada")

def named(order: Order, customer: Customer) -> Order:
    return Order(order.id, order.customer, customer.name.strip())

orders = (
    from_("file:in?after=delete", Order, codec="json", policy=Policy(dead_letter="store"DURABLE))
    .enrich("direct:crm", answer=Customer, merge=named)
    .to("file:out", name=lambda order: f"{order.id}.json")
)
'''
CRM = """
crm = from_("direct:crm", Order).transform(known)
"""
BROKEN = ORDERS.replace("DURABLE", "") + CRM
MENDED = BROKEN.replace("customer.name.strip()", '(customer.name or "?").strip()')


def pytest_of(routekit: Any, file: str = "tests/test_incident.py") -> tuple[int, str]:
    """The exit code of pytest on a file, as a person would run it, and what it said."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file]
    environ = {**os.environ, "COLUMNS": "400", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=routekit.folder, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def incident(routekit: Any, module: str, *bodies: str) -> dict[str, Any]:
    """The dead letter that these files cause."""
    routekit.write("routes/shop.py", module)
    for number, body in enumerate(bodies):
        routekit.write(f"in/{number}.json", body)
    assert routekit("run").code == 1
    (letter,) = routekit("letters", "list", "--json").json
    return letter


def test_from_incident_to_regression_test(routekit: Any) -> None:
    """The test fails with the error of the incident at the same step; once the route is mended, it passes."""
    letter = incident(routekit, BROKEN, '{"id": 1, "customer": "x"}', '{"id": 2, "customer": "y"}')
    made = routekit("capture", letter["id"][:6], "--as-test", "tests/test_incident.py")
    assert (made.code, made.err) == (0, "")
    step = "enrich direct:crm"
    assert made.out.endswith(f"it fails as the message did: AttributeError at {step}\n")
    code, said = pytest_of(routekit)
    assert code == 1
    assert re.search(r"^E +AttributeError: 'NoneType' object has no attribute 'strip'$", said, re.MULTILINE)
    assert re.search(rf"in route shop\.orders, step {step} \(.*routes/shop\.py:23\)", said)
    routekit.write("routes/shop.py", MENDED)
    code, said = pytest_of(routekit)
    assert (code, "1 passed" in said) == (0, True), said


def test_no_file_is_overwritten(routekit: Any) -> None:
    """One that is there is refused, and left as it is."""
    letter = incident(routekit, BROKEN, '{"id": 1, "customer": "x"}')
    file = routekit.write("tests/test_mine.py", "mine = True\n")
    made = routekit("capture", letter["id"], "--as-test", "tests/test_mine.py")
    assert (made.code, made.err) == (
        2,
        "error: 'tests/test_mine.py' is there already\n  give another name, or delete it\n",
    )
    assert file.read_text() == "mine = True\n"


def test_secrets_are_warned_of(routekit: Any) -> None:
    """Fields that may hold what no repository should are named."""
    module = BROKEN.replace("    customer: str\n", "    customer: str\n    email: str\n").replace(
        "Order(order.id, order.customer,", "Order(order.id, order.customer, order.email,"
    )
    letter = incident(routekit, module, '{"id": 1, "customer": "x", "email": "ada@example.org"}')
    made = routekit("capture", letter["id"], "--as-test", "tests/test_incident.py")
    assert made.err == "warning: look for secrets and personal data before you share it: email\n"
    assert "with email: look for secrets" in (routekit.folder / "tests/test_incident.py").read_text()


LOOKUP = ORDERS.replace("direct:crm", "http://127.0.0.1:${PORT}/customers").replace("DURABLE", "")


def test_a_sink_that_was_away(routekit: Any) -> None:
    """What failed was a call: in the test it fails with the same class, and the values of settings are there."""
    routekit.write("routekit.toml", '[values]\nPORT = "1"\n')
    letter = incident(routekit, LOOKUP, '{"id": 1, "customer": "x"}')
    assert (letter["error"], letter["step"]) == ("HttpUnavailable", "enrich http://127.0.0.1:${PORT}/customers")
    assert "it fails as" in routekit("capture", letter["id"], "--as-test", "tests/test_incident.py").out
    text = (routekit.folder / "tests/test_incident.py").read_text()
    assert "lookup={'PORT': '1'}.get" in text
    code, said = pytest_of(routekit)
    assert code == 1
    assert re.search(r"^E +routekit_http\.\S*HttpUnavailable: ", said, re.MULTILINE), said


def test_answers_that_are_not_known(routekit: Any) -> None:
    """A letter knows no answers that its route did not record: that is said, and they can be given."""
    letter = incident(routekit, BROKEN, '{"id": 1, "customer": "x"}')
    routekit.write("routes/shop.py", BROKEN.replace('direct:crm", answer', 'http:crm/customers", answer'))
    made = routekit("capture", letter["id"], "--as-test", "tests/test_a.py")
    assert made.code == 0
    assert "http:crm/customers: no answer is recorded; --answer 'http:crm/customers=JSON' gives one\n" in made.out
    assert made.err.startswith("warning: it does not fail as the message did: it fails with NoAnswer at enrich http:")
    given = ("--answer", 'http:crm/customers={"name": null}')
    made = routekit("capture", letter["id"], "--as-test", "tests/test_b.py", *given)
    code, said = pytest_of(routekit, "tests/test_b.py")
    assert (code, "AttributeError: 'NoneType'" in said) == (1, True), said


@pytest.mark.parametrize("message", ["nope", ""])
def test_a_message_that_is_not_known(routekit: Any, message: str) -> None:
    """Is told; no file is written."""
    incident(routekit, BROKEN, '{"id": 1, "customer": "x"}')
    made = routekit("capture", message or "nope", "--as-test", "tests/test_incident.py")
    assert (made.code, made.err.splitlines()[0]) == (2, "error: there is no letter or journaled message 'nope'")
    assert not Path(routekit.folder / "tests").exists()


def test_by_the_id_of_the_message(routekit: Any) -> None:
    """And as JSON; the audit knows of it."""
    letter = incident(routekit, BROKEN, '{"id": 1, "customer": "x"}')
    made = routekit("capture", letter["message_id"], "--as-test", "tests/test_incident.py", "--json").json
    assert (made["letter"], made["error"], made["differs"]) == (letter["id"], "AttributeError", "")
    (deed,) = routekit("letters", "audit", "--json").json
    assert (deed["action"], deed["what"]) == ("letters.capture", letter["id"])
