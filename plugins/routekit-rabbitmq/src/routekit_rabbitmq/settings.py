"""The settings of one named connection: the table `[rabbitmq.NAME]` of `routekit.toml`."""

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from routekit import BadOption, Runtime, Seconds, UnknownName, did_you_mean

_PORTS = {"amqp": 5672, "amqps": 5671}


class ConnectionSettings(BaseModel):
    """Where a broker is, and how it is spoken to. Frozen and hashable: equal settings share one broker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: SecretStr = Field(description="amqp://user:password@host:5672/vhost, or amqps: for TLS")
    user: str = Field(default="", description="the user; unset: that of the URL, else guest")
    password: SecretStr | None = Field(default=None, description="the password; unset: that of the URL, else guest")
    vhost: str = Field(default="", description="the virtual host; unset: that of the URL, else /")
    ca: str = Field(default="", description="TLS: file of the certificates to trust; unset: those of the system")
    certificate: str = Field(default="", description="TLS: file of the client's own certificate")
    key: str = Field(default="", description="TLS: file of its key, if it is not in the same file")
    verify: bool = Field(default=True, description="TLS: false trusts every server; for trying out only")
    heartbeat: int = Field(
        default=10,
        ge=1,
        le=3600,
        description="seconds between signs of life; three missing ones are a broken connection",
    )
    timeout: Seconds = Field(default=10.0, gt=0, description="seconds that connecting or declaring may take")
    name: str = Field(default="routekit", description="what the broker's console calls the connection")

    def address(self, purpose: str) -> str:
        """The full URL, for the driver only: it holds the password. Raises BadOption, which does not."""
        parts = _parts(self.url.get_secret_value())
        user = self.user or unquote(parts.username or "") or "guest"
        given = self.password.get_secret_value() if self.password is not None else unquote(parts.password or "")
        host = parts.hostname or "localhost"
        vhost = self.vhost or unquote(parts.path[1:]) or "/"
        login = f"{quote(user, safe='')}:{quote(given or 'guest', safe='')}"
        place = f"{f'[{host}]' if ':' in host else host}:{parts.port or _PORTS[parts.scheme]}"
        options = f"heartbeat={self.heartbeat}&name={quote(f'{self.name} {purpose}')}"
        return f"{parts.scheme}://{login}@{place}/{quote(vhost, safe='')}?{options}"

    @property
    def place(self) -> str:
        """Where it is, without any secret: `host:5672/vhost`."""
        parts = urlsplit(self.address(""))
        return f"{parts.netloc.rpartition('@')[2]}{'' if parts.path == '/%2F' else unquote(parts.path)}"

    def trust(self) -> ssl.SSLContext | None:
        """What TLS trusts, or None for a connection without it; raises BadOption for files that cannot be read."""
        if not self.address("").startswith("amqps:"):
            if self.ca or self.certificate:
                raise BadOption("certificates are for TLS", hint="write url = amqps://...")
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None)
        except OSError as error:
            named = ", ".join(filter(None, (self.ca, self.certificate, self.key)))
            raise BadOption(f"the certificates cannot be read: {error}", hint=f"see {named}") from error
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


def settings_of(runtime: Runtime, name: str, url: SecretStr | None) -> ConnectionSettings:
    """The settings of the connection `name`, or those for `url`; raises UnknownName or BadOption."""
    if url is not None:
        return _made("url", {"url": url})
    table = runtime.settings("rabbitmq", name)
    if table is None:
        raise UnknownName(
            f"[rabbitmq.{name}] is not in routekit.toml",
            hint=f'write [rabbitmq.{name}] with a line such as url = "amqp://guest:guest@localhost/"',
        )
    for option in table:
        if option not in ConnectionSettings.model_fields:
            hint = did_you_mean(option, ConnectionSettings.model_fields)
            raise BadOption(f"[rabbitmq.{name}] has no option '{option}'", hint=hint)
    return _made(f"[rabbitmq.{name}]", table)


def _made(where: str, table: Mapping[str, Any]) -> ConnectionSettings:
    try:
        made = ConnectionSettings.model_validate(dict(table))
        made.address("")
    except ValidationError as error:
        # without the values that were found: a URL holds a password
        wrong = "; ".join(f"'{problem['loc'][0]}': {problem['msg']}" for problem in error.errors(include_url=False))
        raise BadOption(f"{where}: {wrong}", hint="see the README of routekit-rabbitmq") from None
    except BadOption as error:
        raise BadOption(f"{where}: {error.message}", hint=error.hint) from None
    return made


def _parts(url: str) -> Any:
    hint = "write amqp://user:password@host:5672/vhost, with what is special in a password percent-encoded"
    try:
        parts = urlsplit(url)
        sound = parts.scheme in _PORTS and parts.hostname and (parts.port or 1)
    except ValueError:
        sound, parts = False, None
    if not sound or parts is None:
        raise BadOption("the url is no AMQP URL", hint=hint)
    if parts.query or parts.fragment:
        raise BadOption("the url has options", hint="write them as options of the connection: heartbeat = 10")
    return parts
