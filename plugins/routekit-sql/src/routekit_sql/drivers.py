"""Drivers that not everybody needs: imported when a connection is opened, named when they are missing."""

from collections.abc import Callable
from importlib import import_module
from time import monotonic
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError

from routekit import DefinitionError

_IDLE = 1.0
"""Seconds after which a connection of the pool is asked whether it still lives, before it is used."""


def driver(module: str, *, extra: str, of: str) -> Any:
    """The module of a driver; raises DefinitionError that says what to install for `of`.

    >>> driver("no_such_driver", extra="postgresql", of="PostgreSQL")
    Traceback (most recent call last):
    routekit.errors.DefinitionError: the driver of PostgreSQL is missing: No module named 'no_such_driver'; pip install 'routekit-sql[postgresql]'
    """  # noqa: E501  # a doctest cannot be broken
    try:
        return import_module(module)
    except ImportError as error:
        hint = f"pip install 'routekit-sql[{extra}]'"
        raise DefinitionError(f"the driver of {of} is missing: {error}", hint=hint) from None


def watched(engine: Engine, set_up: Callable[[Any], None]) -> Engine:
    """The engine, whose connections are set up by `set_up`, and asked for a sign of life after a rest."""

    def connected(connection: Any, _: object) -> None:
        set_up(connection)

    def given_back(_: object, record: Any) -> None:
        record.info["rests"] = monotonic()

    def taken(connection: Any, record: Any, _: object) -> None:
        if monotonic() - record.info.get("rests", monotonic()) > _IDLE:
            _ask(engine, connection)

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkin", given_back)
    event.listen(engine, "checkout", taken)
    return engine


def _ask(engine: Engine, connection: Any) -> None:
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise DisconnectionError(str(error)) from error  # the pool takes another one
