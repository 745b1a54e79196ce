"""The options of the sinks `http:` and `https:`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, field_validator, model_validator

from routekit import PER_MESSAGE, Bytes, Codec, PathField, Producer, Seconds

from .content import Kind
from .statuses import Statuses
from .targets import Target, target_of

Method = Annotated[str, AfterValidator(str.upper), Field(pattern=r"^[A-Za-z-]+$")]
"""An option that names a method, in capitals or not."""


def _names(text: object) -> object:
    return tuple(name.strip().lower() for name in text.split(",") if name.strip()) if isinstance(text, str) else text


Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
"""An option that is a comma list of headers."""

_SECRET = ("authorization", "cookie", "proxy-authorization")


class Requests(Producer):
    """What a request is made of, and what its answers mean."""

    target: PathField = Field(
        description="NAME/path by a connection of the settings, //host/path, or * if each message brings its URL; "
        "{names} in the path are filled by `path`"
    )
    method: Annotated[Method, PER_MESSAGE] = Field(default="POST", description="get, post, put, patch, delete, ...")
    path: Annotated[str | Mapping[str, Any] | None, PER_MESSAGE] = Field(
        default=None, description="values for the {names}, or a path to put behind; what is given is made safe"
    )
    url: Annotated[str | None, PER_MESSAGE] = Field(
        default=None,
        description="a whole URL from data: it cannot lead into private networks, and gets no credentials "
        "unless it is of the connection's own origin",
    )
    query: Annotated[Mapping[str, Any] | None, PER_MESSAGE] = Field(
        default=None, description="query parameters, query.limit=10; computed ones are added"
    )
    headers: Annotated[Mapping[str, Any] | None, PER_MESSAGE] = Field(
        default=None, description="headers of the request, headers.Accept=text/csv; computed ones are added"
    )
    body: Annotated[Any, PER_MESSAGE] = Field(default=None, description="what to send instead of the message's body")
    content: Kind = Field(
        default="auto",
        description="how a body is sent: auto (JSON, and bytes, text, files and streams as they are; "
        "nothing with GET), json, form, multipart, raw, none",
    )
    codec: str | dict[str, Any] | InstanceOf[Codec] | None = Field(default=None, description="how bodies are written")
    content_type: str = Field(default="", description="what to call the content, unless it is what `content` implies")
    forward: Names = Field(default=(), description="comma list: headers of the message that are sent as they are")
    ok: Statuses = Field(default=((200, 299),), description="statuses that mean delivered")
    unavailable: Statuses = Field(
        default=((401, 401), (407, 408), (421, 421), (423, 425), (429, 429), (500, 500), (502, 504), (506, 599)),
        description="statuses that are worth another try; what is neither is refused for good",
    )
    absent: Statuses = Field(default=((304, 304),), description="statuses that mean: there is nothing, as 404 may")
    keep: Names = Field(
        default=("content-type", "etag", "last-modified", "location"),
        description="comma list: headers of the answer that it keeps, as http.NAME",
    )
    result: Literal["body", "full"] = Field(
        default="body", description="full: the answer's body is an HttpAnswer with status, headers and body"
    )
    save: Annotated[Path | None, PER_MESSAGE] = Field(
        default=None, description="write the answer to this file; the answer's body is its path then"
    )
    idempotency_key: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="header by which the other side knows a request again; `message`: by the message's id"
    )
    idempotency_header: str = Field(default="Idempotency-Key", description="the name of that header")
    if_match: Annotated[str | None, PER_MESSAGE] = Field(default=None, description="only if the ETag is still this one")
    if_none_match: Annotated[str | None, PER_MESSAGE] = Field(
        default=None, description="only if the ETag is another one; * only if there is none yet"
    )
    timeout: Seconds | None = Field(default=None, gt=0, description="seconds for the request; else the connection's 30")
    max_answer: Bytes | None = Field(default=None, gt=0, description="a longer answer is refused; else 16MB")
    redirects: int = Field(default=0, ge=0, le=10, description="redirects to follow; each is checked like `url`")
    allow_private: bool = Field(default=False, description="`url` and redirects may lead into private networks")

    @field_validator("headers")
    @classmethod
    def _no_credentials(cls, headers: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        for name in headers or ():
            if name.lower() in _SECRET:
                raise ValueError(f"{name} does not belong into a route: write it into [http.NAME.auth]")
        return headers

    @model_validator(mode="after")
    def _fits(self) -> "Requests":
        target = self.to
        if self.idempotency_key not in (None, "message"):
            raise ValueError("idempotency_key is `message`, or computed for each message")
        if self.result == "full" and self.save is not None:
            raise ValueError("save= gives a path, so result=full gives nothing")
        if self.url is not None and (target.connection or target.origin):
            raise ValueError("a fixed url is the path of the URI itself")
        return self

    @property
    def to(self) -> Target:
        """What is asked."""
        return target_of(self.scheme, self.target)
