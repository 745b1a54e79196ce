"""The real systems that tests talk to: they start, survive a kill, and say what is missing."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from time import sleep
from typing import Any

import pytest

from routekit_connectors.testing import BottleCRM, RealServer, Roundup, Tryton, started
from routekit_connectors.testing.processes import run
from routekit_connectors.testing.servers import requirements, usable


def asked(url: str, headers: Mapping[str, str], document: Any = None) -> Any:
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.real
def test_roundup_keeps_what_it_confirmed_when_it_is_killed() -> None:
    """A server that is killed and started again has its records, its port and its users."""
    with Roundup() as server:
        login = b64encode(f"{server.user}:{server.password}".encode()).decode()
        origin = {"Origin": server.url, "Referer": f"{server.url}/", "X-Requested-With": "rest"}
        headers = {"Authorization": f"Basic {login}", "Accept": "application/json", **origin}
        made = asked(f"{server.rest}/data/issue", headers, {"title": "Printer"})["data"]["id"]
        os.kill(server.pids[-1], signal.SIGKILL)
        server.kill()
        assert server.pids == []
        server.start()
        found = asked(f"{server.rest}/data/issue/{made}", headers)
        assert found["data"]["attributes"]["title"] == "Printer"


@pytest.mark.real
def test_tryton_has_a_company_and_a_product(tryton_server: Tryton) -> None:
    """A new Tryton is ready for sales."""
    headers = {"Authorization": f"bearer {tryton_server.key}"}
    assert asked(f"{tryton_server.rest}/product.template", headers)


@pytest.mark.real
def test_bottlecrm_knows_the_token_and_the_session(bottlecrm_server: BottleCRM) -> None:
    """The token reads contacts, and the session webhooks."""
    token = {"Authorization": f"Bearer {bottlecrm_server.token}"}
    assert asked(f"{bottlecrm_server.api}/contacts/", token)["count"] >= 0
    session = {"Authorization": f"Bearer {bottlecrm_server.session}"}
    assert "contact.updated" in json.dumps(asked(f"{bottlecrm_server.api}/webhooks/", session))


@pytest.mark.parametrize("kind", [BottleCRM, Roundup, Tryton])
def test_what_is_missing_is_said(kind: type[RealServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its environment a test is skipped, and fails where servers are required; both say what to do."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.delenv("ROUTEKIT_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=rf"{kind.title} is not installed: `make for-test`"):
        next(started(kind))
    monkeypatch.setenv("ROUTEKIT_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match=rf"{kind.title} is not installed"):
        next(started(kind))


@pytest.mark.parametrize("kind", [BottleCRM, Roundup, Tryton])
def test_what_is_installed_is_named_with_its_version(kind: type[RealServer]) -> None:
    """Each machine has the same, from wherever it takes its packages."""
    lines = requirements(kind).read_text().splitlines()
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_a_python_that_is_too_old_or_none_is_not_used() -> None:
    """It is looked for among several, of which some may be there in name only."""
    assert usable(sys.executable, (3, 11))
    assert not usable(sys.executable, (99, 0))
    assert not usable("/nowhere/python3", (3, 11))


def test_a_server_is_not_led_to_our_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has its own, in versions of its own; all else of the environment is passed on."""
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("ROUTEKIT_TEST", "here")
    program = "import os; print(os.environ.get('PYTHONPATH'), os.environ['ROUTEKIT_TEST'], os.environ['MORE'])"
    assert run([sys.executable, "-c", program], tmp_path, {"MORE": "too"}).split() == ["None", "here", "too"]


@pytest.mark.real
@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up as Linux lists them")
def test_a_server_ends_with_what_started_it() -> None:
    """However that ends: here it is killed."""
    program = (
        "from routekit_connectors.testing import Roundup as R; s = R(); s.start(); print(*s.pids, s.folder); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        server, folder = starter.stdout.readline().split()
        starter.kill()
    while Path(f"/proc/{server}").exists():
        sleep(0.01)
    rmtree(folder)
