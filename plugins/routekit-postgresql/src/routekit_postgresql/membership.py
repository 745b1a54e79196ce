"""This process among those that share the store: its number, its token, its signs of life, and the end of dead ones.

A process has the lowest number that is free, and a token that nobody had before. It gives a sign of life every third of
its lease, by the database's clock. Who finds a process whose lease has run out removes it: from then on what that one
held is free, and what it still writes is refused. After a start of the server nobody is removed for a whole lease, nor
by who has not reached the server for that long: all have to be able to give their sign first. A process of the same
machine that is gone is removed at once.

The connection that gives the signs holds an advisory lock, too. Who waits for that lock hears of the end of the process
as soon as the server does, and looks then; the lock alone decides nothing, since a connection may break while its
process lives.
"""

import time
from time import monotonic
from typing import Final

from .birth import birth, gone
from .clock import DatabaseTime
from .connecting import Bounded
from .lanes import Fenced

_OTHERS: Final = "SELECT token, birth FROM owners WHERE token <> %s AND birth <> ''"
_BEAT: Final = """
    UPDATE owners SET until = clock_timestamp() + make_interval(secs => lease) WHERE token = %s
    RETURNING extract(epoch FROM clock_timestamp())::float8,
        (SELECT extract(epoch FROM min(o.until) - clock_timestamp())::float8 FROM owners o WHERE o.token <> %s)
"""
_CUT_OFF: Final = """
    SELECT count(pg_terminate_backend(a.pid)) FROM owners o
    JOIN pg_stat_activity a ON starts_with(a.application_name, 'routekit process-' || o.slot || ' lane ')
    JOIN pg_locks l ON l.pid = a.pid AND l.relation = 'lanes'::regclass
    WHERE o.token <> %s AND o.until + make_interval(secs => o.lease) < clock_timestamp()
    AND a.state = 'idle in transaction' AND a.state_change + make_interval(secs => o.lease) < clock_timestamp()
"""
"""A process that hangs within a transaction holds its lanes, so that nobody can remove it. The server's own limit does
not end that: it is not counted for what was sent by a pipeline, whose last message comes after the answer."""
_ENTER: Final = "SELECT slot, token FROM enter(%s, %s, %s::integer)"
_NOTIFY: Final = "SELECT pg_notify(%s, '*')"

_SHOW: Final = "SELECT pg_try_advisory_lock(hashtextextended(%s, 7263))"


def life_of(channel: str, token: int) -> str:
    """What the advisory lock is called that a process holds by a session of its own, as long as it lives."""
    return f"{channel} process {token}"


def boottime() -> float:
    """Seconds by a clock that also counts while the process is stopped or the machine sleeps, as far as it has one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else monotonic()


class Membership:
    """The place of this process. All but the attributes is for a thread."""

    def __init__(self, channel: str, lease: float, lanes: int, clock: DatabaseTime) -> None:
        self.slot = -1
        self.token = 0
        self._channel = channel
        self._lease = lease
        self._lanes = lanes
        self._clock = clock
        self._reached = monotonic()
        self._sure_until = 0.0
        self._shown_by: Bounded | None = None
        self._judges = 0.0  # not before that time of the monotonic clock

    @property
    def name(self) -> str:
        """What no other living process is called."""
        return f"process-{self.slot}"

    def enter(self, connection: Bounded) -> None:
        """Take a number and a token."""
        self._depose(connection)
        asked = boottime()
        row = connection.execute(
            "SELECT * FROM enter(%s, %s, %s::integer)", (self._lease, birth(), self._lanes)
        ).fetchone()
        assert row is not None
        self.slot, self.token = row
        self._reached = monotonic()
        self._alive(connection, asked)

    def beat(self, connection: Bounded) -> float:
        """Give a sign of life; returns in how many seconds the next is due. Raises Fenced."""
        asked = boottime()
        row = connection.execute(_BEAT, (self.token, self.token)).fetchone()
        if row is None:
            raise Fenced
        now, others_end = row
        self._clock.set(now)
        if monotonic() - self._reached > self._lease:
            self._judges = monotonic() + self._lease
        self._reached = monotonic()
        self._alive(connection, asked)
        self._depose(connection)
        third = self._lease / 3
        return third if others_end is None else min(third, max(others_end + 0.05, 0.1))

    @property
    def sure(self) -> float:
        """For how many seconds nobody can have superseded this process; not above 0 if that may be so. For any task."""
        return self._sure_until - boottime()

    def look(self, connection: Bounded) -> None:
        """Remove the processes that are dead, by this connection."""
        self._depose(connection)

    def leave(self, connection: Bounded) -> None:
        """Give up the number, and with it what this process still holds."""
        connection.execute("DELETE FROM owners WHERE token = %s", (self.token,))
        self._announce(connection)

    def _alive(self, connection: Bounded, asked: float) -> None:
        """A sign of life was given, not before `asked`; and this connection shows that the process lives."""
        self._sure_until = asked + self._lease
        if self._shown_by is not connection:
            shown = connection.execute(_SHOW, (life_of(self._channel, self.token),)).fetchone()
            self._shown_by = connection if shown and shown[0] else None  # the server has not noticed the end of another

    def _depose(self, connection: Bounded) -> None:
        ended = [token for token, born in connection.execute(_OTHERS, (self.token,)).fetchall() if gone(born)]
        judges = monotonic() >= self._judges
        if judges:
            connection.execute(_CUT_OFF, (self.token,))
        row = connection.execute("SELECT depose(%s, %s::bigint[])", (judges, ended)).fetchone()
        if row is not None and row[0]:
            self._announce(connection)

    def _announce(self, connection: Bounded) -> None:
        connection.execute(_NOTIFY, (self._channel,))
