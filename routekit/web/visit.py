"""Visit: one request to the console, who it is from, and how a page answers it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from anyio import to_thread
from jinja2 import Environment, Template
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ..errors import BodyError
from ..operating.desk import Desk, Operator
from ..operating.letter_desk import LetterDesk
from ..reference import Entry
from .glance import Glance
from .sessions import Session, Sessions

Admit: TypeAlias = Callable[[str | None], Operator | None]
"""Who shows a token, or none: `Door.admitted`. None for somebody who must not come in."""

Documented: TypeAlias = Callable[[str], Sequence[Entry]]
"""The reference of a scheme, step or codec; raises UnknownName."""

LARGEST = 8_000_000
"""Bytes of a form, in which an edited body is."""


@dataclass(frozen=True, slots=True)
class Console:
    """What pages are made of."""

    desk: Desk
    glance: Glance
    letters: LetterDesk | None
    admit: Admit
    documented: Documented | None
    sessions: Sessions
    templates: Environment
    clock: Callable[[], float]

    @property
    def guest(self) -> Operator | None:
        """Who everybody is; None where everybody has to log in."""
        return self.admit(None)


@dataclass(slots=True)
class Visit:
    """A request by somebody known."""

    request: Request
    console: Console
    session: Session
    form: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def desk(self) -> Desk:
        """The desk."""
        return self.console.desk

    @property
    def glance(self) -> Glance:
        """What all pages look at, of the desk."""
        return self.console.glance

    @property
    def who(self) -> Operator:
        """Who asks."""
        return self.session.who

    def query(self, name: str) -> str:
        """A parameter of the address; empty if it is not there."""
        return self.request.query_params.get(name, "")

    @property
    def live(self) -> bool:
        """Whether only the part of the page that changes by itself is wanted."""
        return "HX-Request" in self.request.headers

    async def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """The page, or what changes of it; nothing at all if the browser has that already.

        It is made in a thread: a long one is not to keep messages waiting.
        """
        found = self.console.templates.get_template(template)
        context = {**self._shared(status), **context}
        if not self.live or status != 200:
            answer = HTMLResponse(await to_thread.run_sync(found.render, context), status_code=status)
            answer.delete_cookie(self._said, path="/")
            return answer
        text = await to_thread.run_sync(_live, found, context)
        mark = f'"{sha256(text.encode()).hexdigest()[:24]}"'
        if self.request.headers.get("If-None-Match") == mark:
            return Response(status_code=304, headers={"ETag": mark})
        return HTMLResponse(text, headers={"ETag": mark})

    def _shared(self, status: int) -> dict[str, Any]:
        said = unquote(self.request.cookies.get(self._said, ""))
        return {
            "who": self.who,
            "may": self.who.role == "operator",
            "csrf": self.session.csrf,
            "path": self.request.url.path,
            "here": address_of(self.request),
            "live_at": "",
            "fixed": status != 200,
            "now": self.console.clock(),
            "said": said[1:],
            "said_well": said[:1] == "+",
            "logout": self.console.guest is None,
            "has_letters": self.console.letters is not None,
        }

    @property
    def _said(self) -> str:
        """The cookie of a sentence that the next page says."""
        return f"{cookie_name(self.request)}-said"

    def back(self, said: str, *, to: str = "", well: bool = True) -> Response:
        """Send the browser on to a page that says what was done."""
        answer = RedirectResponse(to or own(self.form.get("back", "")), status_code=303)
        text = quote(f"{'+' if well else '-'}{said}"[:1000])
        answer.set_cookie(self._said, text, max_age=60, path="/", httponly=True, samesite="strict")
        return answer


def _live(template: Template, context: dict[str, Any]) -> str:
    """The part of a page that changes by itself."""
    live = template.blocks.get("live")
    return "" if live is None else "".join(live(template.new_context(context)))


Page: TypeAlias = Callable[[Visit], Awaitable[Response]]


def cookie_name(request: Request) -> str:
    """What the cookie is called: browsers do not tell the ports of a machine apart, and each may have a daemon."""
    return f"routekit-{request.url.port or 0}"


def address_of(request: Request) -> str:
    """The path and query of a request, to come back to."""
    query = request.url.query
    return request.url.path + (f"?{query}" if query else "")


def own(address: str) -> str:
    r"""An address of this console, or its first page: a form cannot send anybody elsewhere.

    >>> own("/letters?cluster=1"), own("https://evil.example/"), own("//evil.example"), own("/\\evil.example")
    ('/letters?cluster=1', '/', '/', '/')
    """
    parts = urlsplit(address)
    fine = address.startswith("/") and not parts.scheme and not parts.netloc and "\\" not in address
    return address if fine and not any(ord(letter) < 32 for letter in address) else "/"


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; raises BodyError for one that is too large or no form."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LARGEST:
            raise BodyError(f"the form has more than {LARGEST:,} bytes", hint="use: routekit letters edit")
    try:
        return dict(parse_qsl(data.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise BodyError("this is not a form") from error
