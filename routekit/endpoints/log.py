"""log: a sink that writes one line for each message."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

from pydantic import Field

from ..about import About
from ..endpoint import Capabilities, Endpoint, PathField, Producer
from ..events import Logged
from ..hookspecs import hookimpl
from ..message import Message
from ..sensitive import masked_body, scrubbed, sensitive_texts
from ..step import Runtime, Send


class Log(Producer):
    """Writes `name: body` to the log of the service. Delivered when written."""

    scheme = "log"
    capabilities = Capabilities(ordered=True)
    about = About(
        example="""
            from routekit import from_

            ticks = from_("timer:tick", int).to("log:ticks?level=debug&headers=true")
        """
    )
    name: PathField = Field(description="name that begins each line")
    level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="level of the line")
    headers: bool = Field(default=False, description="write the headers too")
    most: int = Field(default=1000, ge=1, description="characters of the body that are written")

    @asynccontextmanager
    async def open(self, runtime: Runtime) -> AsyncGenerator[Send]:
        async def send(message: Message[Any]) -> None:
            text = scrubbed(str(message.body), sensitive_texts(message.body))
            body = text if len(text) <= self.most else f"{text[: self.most]}... ({len(text)} characters)"
            headers = f" {masked_body(dict(message.headers))}" if self.headers else ""
            runtime.emit(Logged(runtime.route, self.level, f"{self.name}: {body}{headers}"))

        yield send


@hookimpl
def register_endpoints() -> Sequence[type[Endpoint]]:
    """`log:` as a sink."""
    return [Log]
