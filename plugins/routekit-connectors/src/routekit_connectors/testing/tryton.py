"""Tryton: the ERP, on SQLite, with a company, its chart of accounts and a product."""

from .processes import run
from .servers import PASSWORD, RealServer, answers, program, text

KEY = "routekit-rest-key-0123456789abcdef0123456789abcdef"
_MODULES = ("sale", "purchase", "stock", "account_invoice")


class Tryton(RealServer):
    """`trytond` with parties, products, sales, purchases, stock and invoices."""

    name = "tryton"
    title = "Tryton"
    database = "erp"
    user = "admin"
    password = PASSWORD
    key = KEY
    """The key of the REST interface, as `Authorization: bearer KEY`."""

    @property
    def rpc(self) -> str:
        """Where JSON-RPC is spoken."""
        return f"{self.url}/{self.database}/rpc/"

    @property
    def rest(self) -> str:
        """Where REST is spoken: `/MODEL`."""
        return f"{self.url}/{self.database}/rest/model"

    def make(self) -> None:
        self._configure()
        (self.folder / "data" / f"{self.database}.sqlite").touch()
        (self.folder / "password").write_text(PASSWORD)
        (self.folder / "company.py").write_text(text("tryton_company.txt"))
        told = {"TRYTONPASSFILE": str(self.folder / "password")}
        admin = [program(type(self), "trytond-admin"), "-c", self._configuration, "-d", self.database]
        run([*admin, "--all", "--email", "admin@example.test"], self.folder, told)
        run([*admin, "-u", *_MODULES, "--activate-dependencies"], self.folder, told)
        run([program(type(self)), "company.py", self._configuration, self.database, KEY], self.folder, told)

    def run(self) -> None:
        self._configure()
        process = self.spawn(program(type(self), "trytond"), "-c", self._configuration, "-d", self.database)
        process.ready(lambda: answers(f"{self.rest}/party.party", {"Authorization": f"bearer {KEY}"}))

    @property
    def _configuration(self) -> str:
        return str(self.folder / "trytond.conf")

    def _configure(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        (self.folder / "trytond.conf").write_text(
            f"[database]\nuri = sqlite://\npath = {data}\n"
            f"[web]\nlisten = 127.0.0.1:{self.port}\n"
            "[session]\nmax_attempt = 1000\n"
        )
