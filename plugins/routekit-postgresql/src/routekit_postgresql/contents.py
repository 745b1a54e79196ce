"""What the database holds, counted, and its unused space given back."""

from collections.abc import Sequence
from typing import Final

from routekit import Held, StoreFacts

from .asking import Ask, Row
from .connecting import Database

_COUNTS: Final = """
    SELECT 'audit', '', count(*), min(at) FROM audit HAVING count(*) > 0
    UNION ALL SELECT 'finished', name, count(*), min(at) FROM journal WHERE until IS NOT NULL GROUP BY name
    UNION ALL SELECT 'groups', name, count(*), min(first) FROM groups JOIN kept USING (number)
        WHERE until IS NULL AND message IS NOT NULL GROUP BY name
    UNION ALL SELECT 'journal', name, count(*), min(at) FROM journal WHERE until IS NULL GROUP BY name
    UNION ALL SELECT 'keys', name, count(*), min(at) FROM keys GROUP BY name
    UNION ALL SELECT 'letters', route, count(*), min(at) FROM letters GROUP BY route
    UNION ALL SELECT 'marks', name, count(*), min(at) FROM marks GROUP BY name
    UNION ALL SELECT 'outbox', name, count(*), min(at) FROM outbox GROUP BY name
    UNION ALL SELECT 'values', name, count(*), min(at) FROM user_values
        WHERE until IS NULL OR until > %(now)s GROUP BY name
"""
_FACTS: Final = """
    SELECT current_setting('server_version'), (SELECT max(version) FROM version),
        extract(epoch FROM clock_timestamp())::float8
"""
_TABLES: Final = "keys, marks, letters, groups, kept, journal, effects, user_values, outbox, audit, owners, lanes"
_VACUUM: Final = f"VACUUM (ANALYZE) {_TABLES}"


def counting(now: float) -> Ask[Sequence[Held]]:
    """Asks what there is of each kind under each name."""
    return Ask(_COUNTS, {"now": now}, _held, writes=False)


def describing() -> Ask[StoreFacts]:
    """Asks what server it is, how old its tables are, and what time it is there."""
    return Ask(_FACTS, {}, _facts, writes=False)


def vacuum(database: Database) -> None:
    """Let PostgreSQL use the space of what is gone; nobody has to wait for it. In a thread; raises psycopg.Error."""
    with database.connect("vacuum") as connection:
        connection.execute("SET statement_timeout = 0")
        connection.patience = 24 * 3600
        connection.execute(_VACUUM)


def _facts(rows: list[Row]) -> StoreFacts:
    ((server, schema, now),) = rows
    return StoreFacts(f"PostgreSQL {server}", schema, now)


def _held(rows: list[Row]) -> list[Held]:
    return sorted((Held(*row) for row in rows), key=lambda held: (held.kind, held.name))
