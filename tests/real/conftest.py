"""The real systems, their people's hands, and a project that keeps them in step."""

import json
import os
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any
from urllib.parse import urlencode

import pytest

from routekit_connectors.testing import BottleCRM, Roundup, Tryton
from routekit_connectors.testing import bottlecrm_server as bottlecrm_server
from routekit_connectors.testing import roundup_server as roundup_server
from routekit_connectors.testing import tryton_server as tryton_server

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]


@dataclass
class Api:
    """Calls as people's programs make them, past all of RouteKit."""

    url: str
    headers: Mapping[str, str]

    def __call__(self, method: str, path: str, document: Any = None, **headers: str) -> Any:
        body = None if document is None else json.dumps(document).encode()
        given = {"Content-Type": "application/json", "Accept": "application/json", **self.headers, **headers}
        request = urllib.request.Request(f"{self.url}/{path}", body, given, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")


class Crm:
    """The hands of BottleCRM's people."""

    def __init__(self, server: BottleCRM) -> None:
        self.ask = Api(server.api, {"Authorization": f"Bearer {server.token}"})

    def contacts(self) -> list[Row]:
        return self.ask("GET", "contacts/?limit=1000")["results"]

    def deal(self, id: str) -> Row:
        return self.ask("GET", f"opportunities/{id}/")["opportunity_obj"]

    def cases(self) -> list[Row]:
        return self.ask("GET", "cases/?limit=1000")["cases"]

    def make(self, path: str, **fields: Any) -> str:
        return self.ask("POST", f"{path}/", fields)["id"]

    def edit(self, path: str, id: str, **fields: Any) -> None:
        self.ask("PATCH", f"{path}/{id}/", fields)


class Erp:
    """The hands of Tryton's people."""

    def __init__(self, server: Tryton) -> None:
        self.ask = Api(server.rest, {"Authorization": f"bearer {server.key}"})

    def parties(self) -> list[Row]:
        return self.ask("GET", "party.party?" + urlencode([("f", name) for name in ("name", "email", "phone")]))

    def make(self, name: str, email: str) -> int:
        reached = [["create", [{"type": "email", "value": email}]]]
        return self.ask("POST", "party.party", {"name": name, "contact_mechanisms": reached})["id"]

    def edit(self, id: int, **fields: Any) -> None:
        self.ask("PUT", f"party.party/{id}", fields)

    def sales(self) -> list[Row]:
        return self.ask(
            "GET", "sale.sale?s=1000&" + urlencode([("f", name) for name in ("reference", "state", "number")])
        )


class Desk:
    """The hands of Roundup's people."""

    def __init__(self, server: Roundup) -> None:
        login = b64encode(f"{server.user}:{server.password}".encode()).decode()
        origin = {"Origin": server.url, "Referer": f"{server.url}/", "X-Requested-With": "rest"}
        self.ask = Api(f"{server.rest}/data", {"Authorization": f"Basic {login}", **origin})

    def issues(self) -> list[Row]:
        query = urlencode({"@fields": "title,status,priority", "@verbose": "2"})
        return self.ask("GET", f"issue?{query}")["data"]["collection"]

    def make(self, **fields: Any) -> str:
        return self.ask("POST", "issue", fields)["data"]["id"]

    def edit(self, id: str, **fields: Any) -> None:
        version = self.ask("GET", f"issue/{id}")["data"]["@etag"]
        self.ask("PATCH", f"issue/{id}", fields, **{"If-Match": version})


@dataclass
class Project:
    """A folder with the pairs, as users have it, and `routekit sync` on it."""

    folder: Path

    def routes(self, *only: str) -> str:
        """What our own routes say while they do what there is to do."""
        chosen = [word for name in only for word in ("--route", name)]
        command = [str(Path(sys.executable).parent / "routekit"), "run", str(ROOT / "routes"), *chosen]
        often = {**os.environ, "ORDERS_EVERY": "1", "DESK_EVERY": "1"}
        done = subprocess.run(command, cwd=self.folder, env=often, capture_output=True, text=True)
        assert done.returncode in (0, 1), f"{done.stdout}\n{done.stderr}"
        return done.stderr

    def run(self, pair: str, kill: str = "") -> Row | None:
        """What one cycle says of itself; None if it was killed, once the write `kill` (`create/a`) was answered."""
        command = [str(Path(sys.executable).parent / "routekit"), "sync", "run", pair, "--json"]
        killing = {"ROUTEKIT_TEST_KILL": kill} if kill else {}
        done = subprocess.run(command, cwd=self.folder, env={**os.environ, **killing}, capture_output=True, text=True)
        if kill:
            assert done.returncode == -9, done.stderr
            return None
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)[0]


@pytest.fixture
def crm(bottlecrm_server: BottleCRM) -> Crm:
    return Crm(bottlecrm_server)


@pytest.fixture
def erp(tryton_server: Tryton) -> Erp:
    return Erp(tryton_server)


@pytest.fixture
def desk(roundup_server: Roundup) -> Desk:
    return Desk(roundup_server)


@pytest.fixture
def project(tmp_path: Path, bottlecrm_server: BottleCRM, tryton_server: Tryton, roundup_server: Roundup) -> Project:
    (tmp_path / "routes").mkdir()
    copy(Path(__file__).parent / "pairs.py", tmp_path / "routes" / "pairs.py")
    (tmp_path / "routekit.toml").write_text(
        f"""[http.crm]
url = "{bottlecrm_server.api}"
auth = {{ kind = "bearer", token = "{bottlecrm_server.token}" }}

[http.erp]
url = "{tryton_server.url}/{tryton_server.database}"
auth = {{ kind = "basic", user = "{tryton_server.user}", password = "{tryton_server.password}" }}

[http.desk]
url = "{roundup_server.url}"
auth = {{ kind = "basic", user = "{roundup_server.user}", password = "{roundup_server.password}" }}
"""
    )
    return Project(tmp_path)
