"""BottleCRM: the CRM, with a PostgreSQL of its own."""

import json
import os
from pathlib import Path
from shutil import which
from typing import Any

from .processes import Process, run
from .servers import RealServer, answers, program, text, unprivileged

_KEY = "routekit-signing-key-of-tests-" + "0123456789" * 4
_POSTGRESQL = ("initdb", "postgres", "psql", "pg_isready")
_SETTINGS = (
    *("listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=32MB", "jit=off"),
    *("fsync=off", "full_page_writes=off", "max_connections=50"),
)


class BottleCRM(RealServer):
    """`django-crm` with one organisation, its administrator, a token of his, and a custom field for our ids.

    One thing is not as its makers have it: webhooks may go to this machine, which they refuse otherwise.
    """

    name = "bottlecrm"
    title = "BottleCRM"
    python = (3, 12)
    link_field = "routekit_id"
    """The custom field of contacts, accounts, leads, deals and cases that takes an id of ours."""

    @classmethod
    def missing(cls) -> str | None:
        absent = next((name for name in _POSTGRESQL if _found(name) is None), None)
        return super().missing() or (f"{absent} of PostgreSQL is not installed" if absent else None)

    @property
    def api(self) -> str:
        """Where its interface is: `/contacts/`."""
        return f"{self.url}/api"

    @property
    def token(self) -> str:
        """The personal access token, as `Authorization: Bearer TOKEN`: it may not see webhooks."""
        return self._told["token"]

    @property
    def session(self) -> str:
        """The token of the administrator's session, which may: also `Authorization: Bearer`."""
        return self._told["session"]

    def make(self) -> None:
        (self.folder / "data").mkdir()
        database = self.folder / "data" / "postgresql"
        user = unprivileged("postgres")
        database.mkdir(mode=0o700)
        if user:
            run(["chown", f"{user}:{user}", str(database)], self.folder)
        wanted = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        run([_found("initdb") or "", "-D", str(database), *wanted], self.folder, user=user)
        self._serve_database()
        for statement in ("create role crm login password 'crm' nosuperuser", "create database crm owner crm"):
            self._psql(statement)
        self._write_programs()
        django = [program(type(self)), "-m", "django"]
        run([*django, "migrate", "-v", "0"], self.folder, self._environment)
        run([program(type(self)), "prepare.py", "data/told.json", self.link_field], self.folder, self._environment)
        self._psql("checkpoint")

    def run(self) -> None:
        self._serve_database()
        self._write_programs()
        bound = ("-b", f"127.0.0.1:{self.port}", "-w", "1", "--threads", "8")
        command = (program(type(self)), "-m", "gunicorn", "served:application", *bound)
        process = self.spawn(*command, **self._environment)
        process.ready(lambda: answers(f"{self.api}/contacts/", {"Authorization": f"Bearer {self.token}"}))

    @property
    def _told(self) -> dict[str, Any]:
        return json.loads((self.folder / "data" / "told.json").read_text())

    @property
    def _database_port(self) -> int:
        return self._more_ports[0]

    def _serve_database(self) -> Process:
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        where = ("-D", str(self.folder / "data" / "postgresql"), "-p", str(self._database_port))
        process = self.spawn(_found("postgres") or "", *where, *settings, user=unprivileged("postgres"))
        process.ready(self._database_answers)
        return process

    def _database_answers(self) -> bool:
        try:
            run([_found("pg_isready") or "", "-q", "-h", "127.0.0.1", "-p", str(self._database_port)], self.folder)
        except RuntimeError:
            return False
        return True

    def _psql(self, statement: str) -> None:
        where = ("-h", "127.0.0.1", "-p", str(self._database_port), "-U", "postgres")
        run([_found("psql") or "", *where, "-Xqc", statement], self.folder)

    def _write_programs(self) -> None:
        for name in ("settings_of_tests", "served", "prepare"):
            (self.folder / f"{name}.py").write_text(text(f"bottlecrm_{name}.txt"))

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "DJANGO_SETTINGS_MODULE": "settings_of_tests",
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "SECRET_KEY": _KEY,
            "ENV_TYPE": "dev",
            "DEBUG": "False",
            "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
            "DBNAME": "crm",
            "DBUSER": "crm",
            "DBPASSWORD": "crm",
            "DBHOST": "127.0.0.1",
            "DBPORT": str(self._database_port),
        }


def _found(name: str) -> str | None:
    """A program of PostgreSQL, in the newest version that Debian has installed, or on the path."""
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    newest = sorted(versions, key=lambda folder: float(folder.parent.name), reverse=True)
    return which(name, path=os.pathsep.join(map(str, newest))) or which(name)
