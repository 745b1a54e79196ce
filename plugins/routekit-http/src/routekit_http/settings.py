"""The settings of one named connection: the table `[http.NAME]` of `routekit.toml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from routekit import BadOption, Bytes, Runtime, Seconds, UnknownName, did_you_mean

from .auth import Auth
from .limiter import Rates
from .values import Pairs

S = TypeVar("S", bound=BaseModel)


class ConnectionSettings(BaseModel):
    """Where an API is and how it is asked. Frozen and hashable: equal settings share one pool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="where the API begins, such as https://api.example.com/v1")
    auth: Auth | None = Field(default=None, description="how to log in: a table with `kind`, see the README")
    headers: Pairs = Field(default=(), description="headers that every request gets, as a table")
    connect_timeout: Seconds = Field(default=10.0, gt=0, description="seconds to connect in")
    timeout: Seconds = Field(
        default=30.0, gt=0, description="seconds for a whole request, without waiting for its turn"
    )
    connections: int = Field(default=20, ge=1, description="connections at once; further requests wait for one")
    keep_alive: Seconds = Field(default=30.0, ge=0, description="seconds that a connection is kept without a request")
    rate: Rates | None = Field(default=None, description="requests in a time: 10/s, 100/10s, 5000/d")
    max_wait: Seconds = Field(default=30.0, ge=0, description="a request that would wait longer for its turn fails")
    max_answer: Bytes = Field(default=16 << 20, gt=0, description="a longer answer is refused")
    read_only: bool = Field(default=False, description="refuse every method but GET, HEAD and OPTIONS")
    allow_private: bool = Field(
        default=False, description="addresses that come with data may be those of private networks"
    )
    proxy: SecretStr | None = Field(default=None, description="URL of a proxy; those of the environment are not used")
    ca: Path | None = Field(default=None, description="file of the authorities to trust, instead of the usual ones")
    cert: Path | None = Field(default=None, description="file of the client's certificate (mTLS)")
    key: Path | None = Field(default=None, description="file of its key, unless it is in `cert`")
    key_password: SecretStr | None = Field(default=None, description="password of the key")
    unsafe_no_verify: bool = Field(default=False, description="do not check the server's certificate: never use it")

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write a whole URL, such as https://api.example.com/v1")
        if parts.username or parts.password:
            raise ValueError("no user and password in the URL: write them into the table auth")
        if parts.query or parts.fragment:
            raise ValueError("no query in the URL: give it where it is used, query.NAME=...")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _fits(self) -> "ConnectionSettings":
        if self.key is not None and self.cert is None:
            raise ValueError("key= needs cert=")
        return self


def connection_settings(runtime: Runtime, name: str) -> ConnectionSettings:
    """The settings of the connection `name`; raises UnknownName without any, BadOption for wrong ones."""
    return table_of(runtime, "http", name, ConnectionSettings, 'url = "https://..."')


def table_of(runtime: Runtime, table: str, name: str, kind: type[S], example: str) -> S:
    """The table `[table.name]` as a `kind`; raises UnknownName without it, BadOption for what is wrong in it."""
    found = runtime.settings(table, name)
    if found is None:
        hint = f"write [{table}.{name}] with a line such as {example}"
        raise UnknownName(f"[{table}.{name}] is not in routekit.toml", hint=hint)
    return checked(found, kind, f"[{table}.{name}]")


def checked(found: Mapping[str, Any], kind: type[S], where: str) -> S:
    """A table as a `kind`; raises BadOption, which shows no value: it may be a secret."""
    for option in found:
        if option not in kind.model_fields:
            raise BadOption(f"{where} has no option '{option}'", hint=did_you_mean(option, kind.model_fields))
    try:
        return kind.model_validate(dict(found))
    except ValidationError as error:
        wrong = "; ".join(_wrong(problem) for problem in error.errors(include_url=False, include_input=False))
        raise BadOption(f"{where}: {wrong}", hint="see the README of routekit-http") from None


def _wrong(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    text = str(problem["msg"]).removeprefix("Value error, ")
    return f"'{place}': {text}" if place else text
