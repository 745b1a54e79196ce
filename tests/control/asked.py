"""The control API in this process: its application over a real service, asked without a socket."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import anyio

from routekit import Flow
from routekit.access import Access
from routekit.control.app import application
from routekit.control.flood import App
from routekit.operating.door import Door
from routekit.operating.letter_desk import LetterDesk
from routekit.operating.seen import Seen
from routekit.operating.service_desk import ServiceDesk
from routekit.runtime.service import Service
from routekit.testing import Clock, Run, routes_of, setup_for


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Asked:
    """An application, and how it is asked."""

    app: App
    door: Door
    service: Service
    letters: LetterDesk

    async def get(self, url: str, **headers: str) -> Answer:
        return await self.ask("GET", url, **headers)

    async def post(self, url: str, body: Any = None, **headers: str) -> Answer:
        """POST with JSON, unless the headers say something else."""
        text = b"" if body is None else json.dumps(body).encode()
        return await self.ask("POST", url, text, **{"content_type": "application/json", **headers})

    async def ask(
        self, method: str, url: str, body: bytes = b"", *, client: str = "127.0.0.1", **headers: str
    ) -> Answer:
        """One request; names of headers are written with `_`, an empty one is left out."""
        given = {"host": "127.0.0.1:7180", **{name.replace("_", "-"): value for name, value in headers.items()}}
        split = urlsplit(url)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": split.path,
            "raw_path": split.path.encode(),
            "query_string": split.query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items() if value],
            "client": (client, 50000),
            "server": ("127.0.0.1", 7180),
        }
        parts = [body[at : at + 65536] for at in range(0, len(body), 65536)] or [b""]
        told: list[Mapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            if "trickle" in headers:  # the test's own header: bytes come, and never the last one
                await anyio.sleep(7)
                return {"type": "http.request", "body": b" ", "more_body": True}
            if not parts:
                await anyio.sleep_forever()
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Mapping[str, Any]) -> None:
            told.append(message)

        await self.app(scope, receive, send)
        start, *rest = told
        shown = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], shown, b"".join(part.get("body", b"") for part in rest).decode())


@asynccontextmanager
async def asked_of(access: Access | None = None, **flows: Flow[Any]) -> AsyncGenerator[Asked]:
    """The application over a service that runs these routes."""
    access = access or Access(rate=10_000)
    clock = Clock()
    seen = Seen(clock.now)
    setup = setup_for(Run(), watch=seen.hear, now=clock.now, metrics=True)
    service = Service(routes_of(**flows), setup)
    door = Door(access)
    tool = replace(setup, watch=lambda event: None)
    letters = LetterDesk(lambda: service.store, lambda: [one.route for one in service.runners], lambda: tool)
    async with service.started(), letters.opened():
        for runner in service.runners:
            with anyio.move_on_after(10):
                await runner.tried.wait()
        desk = ServiceDesk(service, setup, seen)
        yield Asked(application(desk, letters, door, access, version="1.2"), door, service, letters)
