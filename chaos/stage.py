"""What a run takes place on: both servers, a proxy before each, and the daemons; and what may be done to them."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

from anyio.from_thread import BlockingPortal, start_blocking_portal

from routekit.testing import FaultProxy, fault_proxy
from routekit_rabbitmq.testing import Server as RabbitMQ
from routekit_rabbitmq.testing import installed
from routekit_sql.testing import PostgreSQL

from . import database
from .daemon import Daemon, configure
from .monkey import BROKER, DATABASE, FREEZE, Act

SQLITE, POSTGRESQL = "sqlite", "postgresql"

_NOTICED = 20.0
"""Seconds after which a stalled connection flows again, if nobody has made a new one instead."""
_DEPOSED = 60.0
"""Seconds after which a frozen daemon goes on, if the others have not taken over."""
_LOOK = 0.05


class Stuck(Exception):
    """Something that was waited for did not happen."""


@dataclass
class Stage:
    """All parts of a run. What is told to `say` is for people."""

    folder: Path
    broker: RabbitMQ
    database: PostgreSQL
    daemons: Sequence[Daemon]
    proxies: dict[str, FaultProxy]
    portal: BlockingPortal
    say: Callable[[str], None]
    down: list[str] = field(default_factory=list[str])
    """What was killed, and not started again so far."""
    deposed: int = 0
    """How often a daemon had to begin anew, since the others held it for dead."""

    def perform(self, acts: Sequence[Act]) -> None:
        """Do what belongs together, and bring back who was killed, in the order of their deaths."""
        for act in acts:
            sleep(act.later)
            self.say(str(act))
            if act.what == "kill":
                self._victim(act.whom).kill()
                self.down.append(act.whom)
            elif act.what == FREEZE:
                self._freeze(act)
            else:
                self._disturb(act)
        while self.down:
            self._victim(self.down.pop(0)).start()

    def look(self) -> None:
        """Start a daemon again that was deposed, as whoever runs it would; raise Stuck if one has ended otherwise."""
        for daemon in self.daemons:
            if daemon.deposed:
                self.say(f"{daemon.name} was deposed, and begins anew")
                self.deposed += 1
                daemon.start()
            if daemon.ended:
                raise Stuck(f"{daemon.name} has ended by itself:\n{daemon.log[-3000:]}")

    def _victim(self, name: str) -> "RabbitMQ | PostgreSQL | Daemon":
        if name == BROKER:
            return self.broker
        return self.database if name == DATABASE else next(one for one in self.daemons if one.name == name)

    def _freeze(self, act: Act) -> None:
        daemon = next(one for one in self.daemons if one.name == act.whom)
        before = database.sharing(self.database.url)
        daemon.freeze()
        try:
            _waited(lambda: database.sharing(self.database.url) < before, _DEPOSED)
        finally:
            daemon.thaw()

    def _disturb(self, act: Act) -> None:
        proxy = self.proxies[act.whom]
        made = proxy.connected
        self.portal.call(getattr(proxy, act.what))
        if act.what in ("stall", "refuse"):
            _waited(lambda: proxy.connected != made, _NOTICED)
            self.portal.call(proxy.heal)


def _waited(reached: Callable[[], bool], limit: float) -> None:
    end = monotonic() + limit
    while not reached() and monotonic() < end:
        sleep(_LOOK)


def missing() -> str | None:
    """The program of a server that is not installed, or None."""
    return "rabbitmq-server" if installed() is None else PostgreSQL.missing()


@contextmanager
def staged(
    folder: Path, customers: Iterable[str], *, store: str, daemons: int, durable: bool, say: Callable[[str], None]
) -> Generator[Stage]:
    """A stage on which the servers run, the tables are made and the daemons are not started; all end with the block.

    Servers are started here, in the thread of the caller: they end with the thread that has started them.
    """
    with ExitStack() as stack:
        broker = stack.enter_context(RabbitMQ(folder / "rabbitmq"))
        store_of = stack.enter_context(PostgreSQL(durable=True))
        database.prepare(store_of.url, customers)
        portal = stack.enter_context(start_blocking_portal("asyncio"))
        proxies = {
            name: stack.enter_context(portal.wrap_async_context_manager(fault_proxy("127.0.0.1", port)))
            for name, port in ((BROKER, broker.port), (DATABASE, store_of.port))
        }
        there = _through(store_of.url, proxies[DATABASE])
        kept = there if store == POSTGRESQL else "sqlite:${data}/routekit.db"
        configure(folder, broker=_through(broker.url, proxies[BROKER]), database=there, store=kept)
        made = [Daemon(folder, f"daemon-{number}", durable=durable) for number in range(1, daemons + 1)]
        for daemon in made:
            stack.callback(daemon.kill)
        yield Stage(folder, broker, store_of, made, proxies, portal, say)


def _through(url: str, proxy: FaultProxy) -> str:
    """The same URL by way of a proxy."""
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    host, port = proxy.address
    return parts._replace(netloc=f"{user}@{host}:{port}").geturl()
