"""Roundup: the helpdesk, with its classic tracker on SQLite."""

import re
from base64 import b64encode

from .processes import run
from .servers import PASSWORD, RealServer, answers, program, text


class Roundup(RealServer):
    """The classic tracker of `roundup`: issues, messages, users; mail is written to a file.

    `calls` limits the calls of a user in each minute; 0: there is no limit.
    """

    name = "roundup"
    title = "Roundup"
    user = "admin"
    password = PASSWORD
    agent = "agent"
    """A user without the rights of an administrator, with the same password."""

    def __init__(self, *, calls: int = 0) -> None:
        super().__init__()
        self.calls = calls

    @property
    def rest(self) -> str:
        """Where REST is spoken: `/data/issue`."""
        return f"{self.url}/rest"

    def make(self) -> None:
        tracker = self.folder / "data"
        admin = [program(type(self), "roundup-admin"), "-i", str(tracker)]
        told = f"tracker_web={self.url}/,mail_domain=example.test,mail_host=127.0.0.1,admin_email=admin@example.test"
        run([*admin, "install", "classic", "sqlite", f"{told},mail_debug=mail.log"], self.folder)
        self._set(password_pbkdf2_default_rounds=1000)  # each call checks the password: that took most of its time
        run([*admin, "initialise", PASSWORD], self.folder)
        agent = (f"username={self.agent}", f"password={PASSWORD}", "address=agent@example.test", "roles=User")
        run([*admin, "create", "user", *agent], self.folder)

    def run(self) -> None:
        self._set(web=f"{self.url}/", api_calls_per_interval=self.calls, api_interval_in_sec=60)
        (self.folder / "serve.py").write_text(text("roundup_serve.txt"))
        process = self.spawn(program(type(self)), "serve.py", str(self.folder / "data"), str(self.port))
        login = b64encode(f"{self.user}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "X-Requested-With": "rest", "Accept": "application/json"}
        process.ready(lambda: answers(f"{self.rest}/data/status", headers))

    def _set(self, **settings: object) -> None:
        configuration = self.folder / "data" / "config.ini"
        written = configuration.read_text()
        for setting, value in settings.items():
            written = re.sub(rf"(?m)^#?{setting} = .*$", f"{setting} = {value}", written)
        configuration.write_text(written)
