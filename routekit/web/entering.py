"""Entering: login with a token, and logout."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..errors import BodyError
from .sessions import LASTS
from .visit import Console, cookie_name, form_of, own

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names by which a browser on this machine asks."""


def entrance(made: Console) -> list[BaseRoute]:
    """The pages that need no login."""

    async def door(request: Request) -> Response:
        onward = own(request.query_params.get("next", "/"))
        if made.guest is not None or made.sessions.read(request.cookies.get(cookie_name(request))) is not None:
            return RedirectResponse(onward, status_code=303)
        return _page(made, onward)

    async def enter(request: Request) -> Response:
        try:
            form = await form_of(request)
        except BodyError as error:
            return PlainTextResponse(str(error), status_code=413)
        onward = own(form.get("next", "/"))
        who = made.admit(form.get("token", "").strip())
        if who is None:
            return _page(made, onward, wrong=True)
        answer = RedirectResponse(onward, status_code=303)
        give(answer, request, made.sessions.begun(who))
        return answer

    async def leave(request: Request) -> Response:
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(cookie_name(request), path="/", httponly=True, samesite="strict")
        return answer

    return [
        Route("/login", door, methods=["GET"]),
        Route("/login", enter, methods=["POST"]),
        Route("/logout", leave, methods=["POST"]),
    ]


def give(answer: Response, request: Request, cookie: str) -> None:
    """Let the browser keep who it is; no script can read that, and no other site can make it be sent."""
    secure = request.url.scheme == "https"
    answer.set_cookie(
        cookie_name(request), cookie, max_age=int(LASTS), path="/", httponly=True, samesite="strict", secure=secure
    )


def _page(made: Console, onward: str, *, wrong: bool = False) -> Response:
    text = made.templates.get_template("login.html").render(next=onward, wrong=wrong)
    return HTMLResponse(text, status_code=401 if wrong else 200)
