"""The settings of one named connection: the table `[sql.NAME]` of `routekit.toml`."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from routekit import BadOption, Runtime, Seconds, UnknownName, did_you_mean


class ConnectionSettings(BaseModel):
    """Where a database is and how it is opened. Frozen and hashable: equal settings share one engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(
        description="sqlite:///data/crm.db, relative to the working directory, postgresql://user:password@host/crm, mariadb://..."
    )
    pool_size: int = Field(default=5, ge=1, description="connections for reading; writing has one of its own")
    timeout: Seconds = Field(default=5.0, gt=0, description="seconds to wait for a lock or a free connection")
    patience: Seconds = Field(
        default=60.0, gt=0, description="servers: seconds until a statement, or a server that is silent, is given up"
    )
    script: str | None = Field(
        default=None, alias="schema", description="SQL file that is run at start, of CREATE TABLE IF NOT EXISTS ..."
    )
    synchronous: Literal["full", "normal", "extra"] = Field(
        default="full", description="SQLite: full survives a power cut; normal may lose the last commits in one"
    )


def settings_of(runtime: Runtime, name: str) -> ConnectionSettings:
    """The settings of the connection `name`; raises UnknownName without any, BadOption for wrong ones."""
    table = runtime.settings("sql", name)
    if table is None:
        raise UnknownName(
            f"[sql.{name}] is not in routekit.toml",
            hint=f'write [sql.{name}] with a line such as url = "sqlite:///data/{name}.db"',
        )
    _known(name, table)
    try:
        return ConnectionSettings.model_validate(dict(table))
    except ValidationError as error:
        # without the values that were found: a URL holds a password
        wrong = "; ".join(f"'{problem['loc'][0]}': {problem['msg']}" for problem in error.errors(include_url=False))
        raise BadOption(f"[sql.{name}]: {wrong}", hint="see the README of routekit-sql") from None


def _known(name: str, table: Mapping[str, Any]) -> None:
    options = {field.alias or option for option, field in ConnectionSettings.model_fields.items()}
    for option in table:
        if option not in options:
            raise BadOption(f"[sql.{name}] has no option '{option}'", hint=did_you_mean(option, options))
