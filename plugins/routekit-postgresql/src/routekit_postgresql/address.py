"""Where the database is, and how the store uses it: the parts of its URI."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from routekit import BadOption, Seconds

_FORM = "write postgresql://user:password@host:port/database"
_PLACE = re.compile(r"(?P<host>\[[^\]]+\]|[^:/]*)(?::(?P<port>\d+))?/(?P<database>[^/]+)")


class PostgresqlOptions(BaseModel):
    """The options of `store = "postgresql://user:password@host/database?option=value"`."""

    model_config = ConfigDict(frozen=True)

    db_schema: str = Field(
        default="routekit",
        alias="schema",
        pattern=r"^[a-z_][a-z0-9_]{0,40}$",
        description="the schema with the tables, made if it is not there; services that share a store name the same",
    )
    connections: int = Field(default=4, ge=1, le=64, description="connections that write and read; one more listens")
    lease: Seconds = Field(
        default=15.0, ge=1, description="seconds after its last sign of life until a process is held for dead"
    )
    timeout: Seconds = Field(
        default=10.0, gt=0, description="seconds that a call waits for a server that is away, before it fails"
    )
    patience: Seconds = Field(default=60.0, ge=1, description="seconds that one statement may take")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        default="prefer", description="whether the connection is encrypted and the server's certificate checked"
    )
    sslrootcert: str = Field(default="", description="the file of the certificates that sign the server's")


@dataclass(frozen=True, slots=True)
class Address:
    """The database; its `repr` has no password."""

    host: str
    port: int | None
    database: str
    user: str
    password: "Hidden"

    def __str__(self) -> str:
        port = f":{self.port}" if self.port else ""
        return f"postgresql://{self.host}{port}/{self.database}"

    def arguments(self) -> dict[str, Any]:
        """As the driver takes it; what is not given comes from its environment, such as `PGPASSFILE`."""
        given = {
            "host": self.host.strip("[]"),
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password.text,
        }
        return {name: value for name, value in given.items() if value}


class Hidden:
    """A text that is not printed."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return "***"


def address_of(path: str) -> Address:
    """The address in the path of a store's URI, which is decoded already; raises BadOption."""
    who, _, where = path.removeprefix("//").rpartition("@")  # the last one: a password may have others
    found = _PLACE.fullmatch(where)
    if not path.startswith("//") or found is None:
        shown = f"//...@{where}" if who else path
        raise BadOption(f"the postgresql store needs a server and a database, found '{shown}'", hint=_FORM)
    user, _, password = who.partition(":")
    port = int(found["port"]) if found["port"] else None
    return Address(found["host"], port, found["database"], user, Hidden(password))
