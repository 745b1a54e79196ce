"""A console that is served on a free port, and a real browser before it."""

import os
import shutil
import socket
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlencode

import anyio
import pytest
import uvicorn
from anyio.from_thread import BlockingPortal, start_blocking_portal
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from routekit import Letter
from routekit.operating.desk import Operator
from routekit.operating.letter_desk import LetterDesk
from routekit.reference import describe
from routekit.store import Store
from routekit.stores.memory import open_memory
from routekit.testing import Run, setup_for
from routekit.web.app import console

from . import sample, shop
from .memory_desk import MemoryDesk

PATIENCE = 30.0
"""Seconds that something may take on a loaded machine; nothing is measured."""

TOKENS = {"operator-token-of-anna": Operator("anna"), "reader-token-of-ben": Operator("ben", "reader")}


def admit(token: str | None) -> Operator | None:
    """A door that is not open: everybody shows a token."""
    return None if token is None else TOKENS.get(token)


@dataclass
class Served:
    """A console that runs, and what is behind it."""

    desk: MemoryDesk
    port: int
    store: Store
    portal: BlockingPortal
    key: bytes
    """By which its sessions are signed."""
    cookies: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def cookie(self) -> str:
        """The name of the cookie of a session."""
        return f"routekit-{self.port}"

    def ask(
        self, path: str, *, method: str = "GET", form: dict[str, str] | None = None, **headers: str
    ) -> tuple[HTTPResponse, str]:
        """The answer to one request, with the cookies so far, and its text."""
        given = {"Host": f"localhost:{self.port}", "Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("POST" if form is not None else method, path, urlencode(form or {}) or None, given)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for line in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value.strip('"')
        return answer, text

    def letters(self) -> list[Letter]:
        """Those that are left."""

        async def listed() -> list[Letter]:
            return list(await self.store.letters.list(oldest=True))

        return self.portal.call(listed)

    def put(self, letter: Letter) -> None:
        """One letter more."""
        self.portal.call(self.store.letters.add, letter)


@contextmanager
def serving(
    desk: MemoryDesk, *letters: Letter, door: Callable[[str | None], Operator | None] | None = None
) -> Generator[Served]:
    """A console over this desk, and over a real desk of letters."""
    with socket.socket() as listening, start_blocking_portal("asyncio") as portal:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        began, ends = anyio.Event(), anyio.Event()
        stores: list[Store] = []
        key = b"a key of tests"

        async def run() -> None:
            async with open_memory("", {}, lambda: sample.NOW) as store:
                for one in letters:
                    await store.letters.add(one)
                setup = setup_for(Run(), store=store, now=lambda: sample.NOW)
                async with LetterDesk(lambda: store, shop.routes, lambda: setup).opened() as letter_desk:
                    named: Any = {} if door is None else {"admit": door}
                    app = console(
                        desk,
                        letter_desk,
                        documented=lambda name: describe(name, setup.catalog),
                        now=lambda: desk.now,
                        key=key,
                        **named,
                    )
                    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
                    server.config.load()
                    server.lifespan = server.config.lifespan_class(server.config)
                    await server.startup(sockets=[listening])
                    stores.append(store)
                    began.set()
                    await ends.wait()
                    await server.shutdown(sockets=[listening])

        async def stop() -> None:
            ends.set()

        future = portal.start_task_soon(run)
        portal.call(began.wait)
        try:
            yield Served(desk, port, stores[0], portal, key)
        finally:
            portal.call(stop)
            future.result(PATIENCE)


def chromium() -> str:
    """The browser's program; a test that needs it is skipped, or fails where it must be there."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        give_up = pytest.fail if os.environ.get("ROUTEKIT_REQUIRE_SERVERS") else pytest.skip
        give_up("Chromium is not installed")
    return str(found)


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """One browser for the tests of a module, each of which has a context of its own.

    Not for the whole session: while it is there, no test can have an event loop in this thread.
    """
    program = chromium()
    with sync_playwright() as playwright:
        flags = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A page in the browser, that fails the test if the browser complains of anything."""

    page: Page
    served: Served
    complaints: list[str] = field(default_factory=list[str])

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.served.url}{path}")
        return self.page


Opening = Callable[..., AbstractContextManager[Tab]]


@pytest.fixture
def opened(browser: Browser) -> Opening:
    """Open a page of a console: `with opened(served, "/letters") as page`."""

    @contextmanager
    def opened(served: Served, path: str = "/", **options: Any) -> Generator[Tab]:
        context: BrowserContext = browser.new_context(**{"reduced_motion": "reduce", **options})
        context.set_default_timeout(PATIENCE * 1000)
        expect.set_options(timeout=PATIENCE * 1000)
        tab = Tab(context.new_page(), served)
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        tab.page.on("console", lambda said: tab.complaints.append(said.text) if said.type == "error" else None)
        tab.open(path)
        try:
            yield tab
        finally:
            context.close()
        assert tab.complaints == []

    return opened


@pytest.fixture
def served() -> Generator[Served]:
    """The shop's console, as on this machine: everybody may do everything."""
    with serving(sample.desk(), *sample.letters()) as running:
        yield running


@pytest.fixture
def guarded() -> Generator[Served]:
    """The shop's console behind a door."""
    with serving(sample.desk(), *sample.letters(), door=admit) as running:
        yield running
