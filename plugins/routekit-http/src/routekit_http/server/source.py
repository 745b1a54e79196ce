"""The sources `http:HOST:PORT/path` and `https:HOST:PORT/path`: each request is a message."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import BeforeValidator, Field, field_validator, model_validator

from routekit import (
    About,
    Bytes,
    Capabilities,
    Consumer,
    Deliver,
    Endpoint,
    Listener,
    Logged,
    PathField,
    Runtime,
    Seconds,
)

from ..pages import HttpPoll, HttpsPoll
from ..requests import Names
from ..targets import address_of
from .about import SERVER
from .gate import gate_of
from .incoming import BodyKind, Incoming
from .openapi import Description
from .probing import serveable
from .reception import Reception
from .serving import app_of
from .table import Entry
from .templates import template_of


def _methods(text: object) -> object:
    return tuple(name.strip().upper() for name in text.split(",") if name.strip()) if isinstance(text, str) else text


Methods = Annotated[
    tuple[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], ...], BeforeValidator(_methods), Field(min_length=1)
]
"""An option that is a comma list of methods."""


class HttpServer(Listener):
    """Answers requests: each is a message, and the reply of the route is the answer.

    The caller is told when everything that the message caused is done, or durably stored: a failure is an answer with
    a status of 400 and more, without what is inside. Nothing that a request brings changes what the endpoint does. All
    routes of one address share one server. While a route is stopped, paused or degraded its callers get 503.
    """

    scheme = "http"
    capabilities: ClassVar[Capabilities] = Capabilities(ordered=True)
    polled: ClassVar[type[Consumer]] = HttpPoll
    about: ClassVar[About] = SERVER

    address: PathField = Field(description="HOST:PORT/path; {names} take a part of the path each, {name*} all the rest")
    method: Methods = Field(default=("POST",), description="comma list of methods")
    body: BodyKind = Field(
        default="auto",
        description="what the body is: raw bytes, a form's fields, the query parameters, merged (a JSON object, query "
        "and path in one), a stream; auto: query with GET and DELETE, else raw",
    )
    status: int | None = Field(
        default=None, ge=200, le=299, description="of a success; else 200, 204 without a reply, 202 of a durable route"
    )
    reply: Literal["body", "none"] = Field(default="body", description="none: the answer has no content")
    content_type: str = Field(default="", description="what to call the reply, unless it is what its class implies")
    keep: Names = Field(
        default=("content-type",),
        description="comma list: headers of the request that the message keeps, http.header.NAME",
    )
    id_header: str = Field(default="", description="the header that holds the message's id, such as X-Event-Id")
    signature: str = Field(default="", description="requests must be signed by [http_signature.NAME], else 401")
    jwt: str = Field(default="", description="requests must bring a token that [http_jwt.NAME] takes, else 401 or 403")
    max_body: Bytes = Field(default=1 << 20, gt=0, description="a longer request is answered 413")
    read_timeout: Seconds = Field(default=10.0, gt=0, description="seconds in which the content must be here, else 408")
    most: int = Field(default=100, ge=1, description="requests at work at once; more are answered 503")

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        found = address_of(address)
        if found is None or not 0 <= found[1] <= 65535:
            raise ValueError("write HOST:PORT/path, such as 0.0.0.0:8080/leads")
        template_of(found[2])
        return address

    @model_validator(mode="after")
    def _fits(self) -> "HttpServer":
        if self.signature and self.body == "stream":
            raise ValueError("a signature is over the whole content, so it cannot be a stream")
        return self

    def clashes(self, other: Endpoint) -> str | None:
        """Two routes of one address cannot answer the same, nor can one of them speak TLS and the other not."""
        if not isinstance(other, HttpServer):
            return None
        (host, port, path), (its_host, its_port, its_path) = self._place, other._place
        if not port or (host, port) != (its_host, its_port):
            return None
        if self.scheme != other.scheme:
            return f"{host}:{port} cannot be both {other.scheme}: and {self.scheme}:"
        twice = sorted({*self.method} & {*other.method})
        same = template_of(path).shape == template_of(its_path).shape
        return f"both answer {twice[0]} {path} on {host}:{port}" if twice and same else None

    @property
    def _place(self) -> tuple[str, int, str]:
        return cast("tuple[str, int, str]", address_of(self.address))

    def promises(self) -> Capabilities:
        """Bodies are bounded."""
        return self.capabilities.model_copy(update={"largest": self.max_body})

    @classmethod
    def of(cls, path: str, options: Mapping[str, Any]) -> Self:
        """The source of a URI: a path that is no address to serve is that of an API to poll."""
        if address_of(path) is None:
            return cast("Self", cls.polled.of(path, options))
        return super().of(path, options)

    async def probe(self, runtime: Runtime) -> str:
        """Whether the address can be served."""
        host, port, _ = self._place
        return serveable(runtime, self.scheme, host, port)

    async def listen(self, runtime: Runtime, deliver: Deliver) -> None:
        """Answer until cancelled; see `Listener.listen`."""
        host, port, path = self._place
        app = await app_of(runtime, self.scheme, host, port)
        plain = self.body == "auto" and not {*self.method} & {"GET", "DELETE"}
        incoming = Incoming("raw" if plain else self.body, self.max_body)
        gate = await gate_of(runtime, self.signature, self.jwt)
        status = self.status or (202 if runtime.durable else None)  # kept, and done later
        reception = Reception(self, incoming, gate, runtime.codec("json"), deliver, status)
        template = template_of(path)
        described = Description(
            runtime.route,
            self.method,
            template,
            self.body,
            runtime.body,
            runtime.doc,
            status,
            self.reply == "none" or runtime.durable,
            bool(self.jwt),
            bool(self.signature),
        )
        entry = Entry(runtime.route, self.method, template, reception.answer, described)
        figures = {"requests_total": lambda: reception.requests, "at_work": lambda: len(reception)}
        with app.table.entered(entry), runtime.metered(self, figures), runtime.resting():
            runtime.emit(Logged(runtime.route, "info", f"serving {', '.join(self.method)} {app.url}{path}"))
            await reception.open()


class HttpsServer(HttpServer):
    """As `http:`, with the certificate of `[http_server."HOST:PORT"]`."""

    scheme = "https"
    polled: ClassVar[type[Consumer]] = HttpsPoll
