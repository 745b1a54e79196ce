"""The console: a web page on which people see what a running service does, and steer it.

`console(desk, letters)` is an ASGI application for the root of a server. It asks the desk and nothing else, keeps
nothing, and loads nothing from elsewhere.
"""

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from pathlib import Path
from secrets import token_bytes
from time import time
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..errors import BodyError, Rejected, RouteKitError, StoreError, UnknownName
from ..operating.desk import Desk, Operator
from ..operating.letter_desk import LetterDesk
from . import endpoint_pages, flow_pages, letter_pages, message_pages, record_pages
from .entering import LOOPBACK, entrance, give
from .files import address, assets
from .formats import ago, clipped, clock, number, paragraphs, pretty, rate, shortened, span, without
from .glance import Glance
from .guarding import Guarded
from .sessions import Session, Sessions
from .source import coded, coloured
from .visit import Admit, Console, Documented, Page, Visit, address_of, cookie_name, form_of

TEMPLATES = Path(__file__).parent / "templates"


def _everybody(token: str | None) -> Operator | None:
    return Operator("console") if token is None else None


def console(
    desk: Desk,
    letters: LetterDesk | None = None,
    *,
    admit: Admit = _everybody,
    documented: Documented | None = None,
    now: Callable[[], float] = time,
    key: bytes | None = None,
) -> Starlette:
    """The application.

    `admit` says who shows a token: `Door.admitted`. Where that takes those who show none, everybody who asks by a name
    of loopback is in, and there is no login. `documented` gives the reference of a scheme. `now` is seconds since 1970.
    `key` signs sessions; without one they end with the process.
    """
    made = Console(
        desk, Glance(desk), letters, admit, documented, Sessions(now, key or token_bytes(32)), _templates(), now
    )
    pages = {**flow_pages.PAGES, **message_pages.PAGES, **endpoint_pages.PAGES, **record_pages.PAGES}
    forms = {**flow_pages.FORMS, **record_pages.FORMS}
    if letters is not None:
        pages |= letter_pages.PAGES
        forms |= letter_pages.FORMS
    routes: list[BaseRoute] = [
        Route("/assets/{name}", _asset),
        *entrance(made),
        *[Route(path, _shown(made, page), methods=["GET"]) for path, page in pages.items()],
        *[Route(path, _done(made, page), methods=["POST"]) for path, page in forms.items()],
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guarded)],
        exception_handlers={404: _nowhere(made)},
    )


def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.globals["asset"] = address
    those: dict[str, Any] = {
        "ago": ago,
        "clipped": clipped,
        "clock": clock,
        "coded": coded,
        "coloured": coloured,
        "number": number,
        "paragraphs": paragraphs,
        "pretty": pretty,
        "rate": rate,
        "shortened": shortened,
        "span": span,
        "url": _quoted,
        "without": without,
    }
    found.filters.update(those)
    return found


def _quoted(text: object) -> str:
    return quote(str(text), safe="")


def _shown(made: Console, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page for whoever is logged in; the others are sent to the door."""

    async def answer(request: Request) -> Response:
        refused = _stranger(made, request)
        if refused is not None:
            return refused
        session = made.sessions.read(request.cookies.get(cookie_name(request)))
        cookie = ""
        if session is None:
            guest = made.guest
            if guest is None:
                return _door(request)
            cookie = made.sessions.begun(guest)
            session = made.sessions.read(cookie)
            assert session is not None  # it was signed a line before
        answered = await _answered(Visit(request, made, session), page)
        if cookie:
            give(answered, request, cookie)
        return answered

    return answer


def _done(made: Console, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A form, of a page of ours, by whoever is logged in."""

    async def answer(request: Request) -> Response:
        refused = _stranger(made, request)
        if refused is not None:
            return refused
        session = made.sessions.read(request.cookies.get(cookie_name(request)))
        if session is None:
            return _door(request)
        try:
            form = await form_of(request)
        except BodyError as error:
            return PlainTextResponse(str(error), status_code=413)
        if not _is_ours(session, request, form.get("csrf", "")):
            wrong = Rejected("this form is not from this page, or too old", hint="reload the page and try again")
            return await _failed(Visit(request, made, session), wrong)
        answered = await _answered(Visit(request, made, session, form), page)
        made.glance.forget()
        return answered

    return answer


def _stranger(made: Console, request: Request) -> Response | None:
    """Without tokens, only names of this machine: a page elsewhere could let its own name point here."""
    if made.guest is not None and (request.url.hostname or "") not in LOOPBACK:
        return PlainTextResponse("Without a token this console answers to localhost only.", status_code=403)
    return None


def _door(request: Request) -> Response:
    if request.method != "GET" or "HX-Request" in request.headers:
        return PlainTextResponse("Log in first: /login", status_code=401)
    return RedirectResponse(f"/login?next={quote(address_of(request), safe='')}", status_code=303)


def _is_ours(session: Session, request: Request, token: str) -> bool:
    """Whether a form was on a page that was made for this session, and this browser says nothing else."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    return site == "same-origin" and compare_digest(token.encode(), session.csrf.encode())


async def _answered(visit: Visit, page: Page) -> Response:
    try:
        return await page(visit)
    except RouteKitError as error:
        return await _failed(visit, error)


async def _failed(visit: Visit, error: RouteKitError) -> Response:
    """What went wrong: on the page that one came from if something was asked for there, else as a page."""
    if visit.request.method == "POST" and visit.form:
        return visit.back(str(error), well=False)
    status = _status(error)
    return await visit.page("error.html", status=status, error=error, code=status)


def _status(error: RouteKitError) -> int:
    match error:
        case UnknownName():
            return 404
        case StoreError():
            return 503
        case BodyError():
            return 400
        case Rejected():
            return 403
        case _:
            return 409


def _nowhere(made: Console) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        return PlainTextResponse("There is no such page. The console begins at /", status_code=404)

    return answer


async def _asset(request: Request) -> Response:
    found = assets().get(request.path_params["name"])
    if found is None:
        return PlainTextResponse("no such asset", status_code=404)
    content, kind = found
    return Response(content, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})
