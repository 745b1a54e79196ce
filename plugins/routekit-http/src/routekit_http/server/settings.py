"""The settings of a server: `[http_server."HOST:PORT"]`, or `[http_server.default]` for all addresses without one."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from routekit import Bytes, Runtime, Seconds

from ..settings import checked


class ServerSettings(BaseModel):
    """What all routes of one address have in common. Frozen and hashable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cert: Path | None = Field(default=None, description="file of the certificate, for https:")
    key: Path | None = Field(default=None, description="file of its key, unless it is in `cert`")
    key_password: SecretStr | None = Field(default=None, description="password of the key")
    client_ca: Path | None = Field(default=None, description="authorities of which clients need a certificate (mTLS)")
    connections: int = Field(default=1000, ge=1, description="connections at once; more are answered 503")
    keep_alive: int = Field(default=5, ge=1, description="seconds that a connection is kept without a request")
    head_timeout: Seconds = Field(default=10.0, gt=0, description="seconds in which the head of a request must be here")
    max_head: Bytes = Field(default=64 << 10, ge=1024, description="a longer head of a request is refused")
    grace: int = Field(default=5, ge=0, description="seconds that the last answers get when the service ends")
    max_message: Bytes = Field(default=1 << 20, gt=0, description="a longer message of a WebSocket closes it")
    ping: Seconds = Field(default=20.0, gt=0, description="seconds between two pings of a WebSocket")
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="addresses of proxies whose X-Forwarded-For and -Proto are believed"
    )
    openapi: str = Field(
        default="", description="path at which the routes are described, /openapi.json; unset: nowhere"
    )
    title: str = Field(default="RouteKit", description="what the API is called there")
    version: str = Field(default="1", description="which version of it this is")
    cors_origins: tuple[str, ...] = Field(default=(), description="origins whose pages may call, or `*` (CORS)")
    cors_headers: tuple[str, ...] = Field(default=(), description="request headers that they may send")
    cors_expose: tuple[str, ...] = Field(default=(), description="headers of answers that they may read")
    cors_credentials: bool = Field(default=False, description="whether they may send cookies and credentials")
    cors_max_age: Seconds = Field(default=600.0, ge=0, description="seconds that browsers remember all this")


def server_settings(runtime: Runtime, host: str, port: int) -> ServerSettings:
    """The settings of an address; raises BadOption for what is wrong in them."""
    for name in (f"{host}:{port}", "default"):
        found = runtime.settings("http_server", name)
        if found is not None:
            return checked(found, ServerSettings, f"[http_server.{name}]")
    return ServerSettings()
