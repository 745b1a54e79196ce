"""Canaries: values of people and secrets are planted, routes fail in every way, and all that is written is searched."""

import gzip
import json
import re
from collections.abc import Generator
from http.client import HTTPConnection
from signal import SIGTERM
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest

from ..cli.conftest import PATIENCE, Command, Running

PEOPLE = {
    "email": "Zygmunt.Quibbleworth@canarymail.example",
    "phone": "+49 5371 9042688",
    "name": "Zygmunt Quibbleworth",
    "street": "77 Xylophone Crescent, Wobbleton",
    "iban": "DE02 1203 0000 0000 2020 51",
    "note": "has an allergy against marzipan and wants nobody to hear of it, least of all her employer",
    "api_key": "k3y-of-the-customer-4711",
}
SETTING = "s3tting-that-is-s3cret-0815"

TRACES = {
    "email": ("quibbleworth", "zygmunt"),
    "phone": ("9042688",),
    "street": ("xylophone", "wobbleton"),
    "iban": ("0000202051", "0000 2020 51"),
    "note": ("marzipan", "least of all"),
    "secrets": ("k3y-of-the", "s3tting-that", "bearer-of-the"),
}
"""What gives each of them away, in small letters."""

ROUTES = '''
"""Leads that fail in every way, and errors that quote all that they can."""
import logging
from functools import partial
from typing import Annotated

from pydantic import BaseModel, Field

from routekit import Policy, Rejected, Retry, Sensitive, Unavailable, from_


class Lead(BaseModel):
    how: str
    email: Annotated[str, Sensitive("email")]
    phone: Annotated[str, Sensitive("phone")] = Field(max_length=20)
    name: Annotated[str, Sensitive("name")]
    street: Annotated[str, Sensitive("address")]
    iban: Annotated[str, Sensitive("iban")]
    note: Annotated[str, Sensitive()]
    api_key: str


class Order(BaseModel):
    who: str


def quoted(lead):
    said = [lead.email.upper(), lead.phone.replace(" ", ""), lead.name, lead.street.lower(), lead.iban, repr(lead.note)]
    return f"{' '.join(said)} {lead.api_key} {lead.note[:40]}... {lead.name.split()[1]}"


def branch(how, flow):
    match how:
        case "filter":
            return flow.filter(fails)
        case "transform":
            return flow.transform(fails)
        case "pydantic":
            return flow.transform(slim)
        case "header":
            return flow.transform(lambda lead, message: boom(message))
        case "validate":
            return flow.validate(fails)
        case "split":
            return flow.split(parts).transform(fails)
        case "aggregate":
            return flow.aggregate("days", Lead, key=fails, size=2)
        case "breaker":
            return flow.circuit_breaker(lambda inner: inner.transform(away), name="crm", minimum=1, window=1)
        case "refusal":
            return flow.to("direct:refusing")
        case "send":
            return flow.to("http:crm/people", query=lambda lead: {"mail": lead.email})
        case "log":
            return flow.log("all of it: {body} {headers}").to("log:leads?headers=true")
        case _:
            return flow.to("direct:slow")


def fails(lead, *rest):
    logging.getLogger("routes.leads").warning("about to fail for %s", quoted(lead))
    try:
        {}[lead.email]
    except KeyError as error:
        raise ValueError(quoted(lead)) from error


def away(lead):
    raise Unavailable(f"409 conflict: {quoted(lead)} exists already")


def slim(lead):
    Order.model_validate({"who": [lead.note, lead.email]})


def parts(lead):
    return [lead, lead]


HOWS: list[str] = []
policy = Policy(dead_letter="store", trace=1.0)
hard = Policy(dead_letter="store", trace=1.0, retry=Retry(2, first=0.01, most=0.01))

leads = (
    from_("file:in?after=delete", Lead, codec="json", policy=policy)
    .set_header("authorization", lambda lead: "bearer-of-" + "the-sender-2342")
    .recipients(lambda lead: [lead.how], {how: partial(branch, how) for how in HOWS})
)


def boom(message):
    raise RuntimeError(f"refused with {message.headers['authorization']} and {message.body.name}")


refusing = from_("direct:refusing", Lead, policy=Policy(dead_letter="refuse", trace=1.0)).transform(fails)
slow = from_("direct:slow", Lead, policy=hard).transform(away)
raw = from_("file:raw?after=delete", Lead, codec="json", policy=policy).to("log:raw")
'''

HOWS = (
    *("filter", "transform", "pydantic", "header", "validate", "split"),
    *("aggregate", "breaker", "refusal", "send", "log", "retry"),
)


class Site:
    """A daemon whose leads have all failed."""

    def __init__(self, command: Command, running: Running) -> None:
        self.command = command
        self.running = running
        told = json.loads((command.folder / "data/daemon.json").read_text())
        self.url, self.token = str(told["url"]), str(told["token"])
        self.cookies: dict[str, str] = {}

    def ask(self, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, str, str]:
        """The status, the kind and the text of an answer."""
        where = urlsplit(self.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
        given = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
        body = None if form is None else urlencode(form)
        if form is not None:
            given |= {"content-type": "application/x-www-form-urlencoded", "origin": self.url.rstrip("/")}
        connection.request("GET" if form is None else "POST", path, body, given)
        answer = connection.getresponse()
        kind = answer.headers.get("content-type", "")
        data = b"" if kind.startswith("text/event-stream") else answer.read()
        if answer.headers.get("content-encoding") == "gzip":
            data = gzip.decompress(data)
        connection.close()
        for line in answer.headers.get_all("set-cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, kind, data.decode(errors="replace")

    def has_failed(self) -> bool:
        """Whether all messages have failed that do, and all of them are traced."""
        status, letters = self.api("/api/letters?limit=100")
        traces = self.api("/api/traces?limit=100")[1]
        return (
            status == 200 and json.loads(letters)["count"] >= len(HOWS) + 2 and traces.count('"message"') >= len(HOWS)
        )

    def api(self, path: str) -> tuple[int, str]:
        """An answer of the control API."""
        status, _, text = self.ask(path, authorization=f"Bearer {self.token}")
        return status, text


@pytest.fixture(scope="module")
def site(routekit_of_module: Command) -> Generator[Site]:
    command = routekit_of_module
    command.write("routes/leads.py", ROUTES.replace("HOWS: list[str] = []", f"HOWS = {HOWS!r}"))
    command.write(
        "routekit.toml",
        '[routekit]\nstore = "sqlite:data/state.db?key=${STORE_KEY}"\nlog = "debug"\nlog_format = "json"\n'
        'log_bodies = true\n[control]\nreader_token = "the-token-of-a-reader"\n'
        '[http.crm]\nurl = "http://127.0.0.1:1"\nauth = { kind = "bearer", token = "${LEADS_TOKEN}" }\n',
    )
    for number, how in enumerate(HOWS):
        command.write(f"in/{number:02}.json", json.dumps({**PEOPLE, "how": how}))
    command.write("in/98.json", json.dumps({**PEOPLE, "how": "fits not", "phone": PEOPLE["phone"] * 3}))
    command.write("in/99.json", json.dumps({**PEOPLE, "how": ["no", "text"]}))
    command.write("raw/1.json", f"{';'.join(PEOPLE.values())} is no JSON")
    running = command.start("serve", "routes", LEADS_TOKEN=SETTING, STORE_KEY="0" * 43 + "=")
    running.until("console and control API: ")
    one = Site(command, running)
    end = monotonic() + PATIENCE
    while not one.has_failed():
        assert monotonic() < end, running.log
        sleep(0.05)
    yield one
    running.signal(SIGTERM)
    assert running.ended() == 0, running.log


def leaks(text: str) -> list[str]:
    """What of the canaries can be read in a text, with what stands around it."""
    low = text.lower()
    found = [(low.find(trace), trace) for traces in TRACES.values() for trace in traces if trace in low]
    return [f"{trace}: ...{text[max(0, at - 150) : at + 80]}..." for at, trace in found]


def of_reader(site: Site) -> None:
    """Go on with the session of somebody who may look only."""
    status, _, text = site.ask("/login", {"token": "the-token-of-a-reader", "next": "/"})
    assert status in (200, 303), text


def pages(site: Site) -> dict[str, str]:
    """All pages that links lead to, beginning with the first; of those with numbers some."""
    of_reader(site)
    traced = json.loads(site.api("/api/traces?limit=20")[1])
    left, found = ["/", *(f"/message?id={one['message']}" for one in traced)], dict[str, str]()
    while left and len(found) < 120:
        path = left.pop(0)
        if path in found:
            continue
        status, kind, text = site.ask(path)
        if not kind.startswith(("text/html", "application/json", "image/svg")) or status != 200:
            found[path] = text if kind.startswith("text/") and "event-stream" not in kind else ""
            continue
        found[path] = text
        for link in re.findall(r"(?:href|hx-get|src)=\"([^\"#]+)", text):
            to = urljoin(path, link.replace("&amp;", "&"))
            if to.startswith("/") and not to.startswith(("/static", "/logout", "/assets")):
                left.append(to.replace(" ", "%20"))
    return found


def test_the_log_says_nothing_of_people(site: Site) -> None:
    """As JSON, with bodies, at its most talkative: each failure is told, and none of their values."""
    for said in ("dead letter", "Retrying", "KeyError", "PartsFailed", "circuit breaker"):
        site.running.until(said)
    log = site.running.log
    assert leaks(log) == []
    assert log.count("about to fail for") >= 6


@pytest.mark.parametrize("form", ["plain", "pretty"])
def test_the_other_forms_say_nothing_either(site: Site, form: str) -> None:
    """What a person reads on the screen; with tracebacks."""
    command = site.command
    for number, how in enumerate(("transform", "split", "validate", "retry")):
        command.write(f"again/in/{number}.json", json.dumps({**PEOPLE, "how": how}))
    command.write("again/raw/1.json", f"{';'.join(PEOPLE.values())} is no JSON")
    command.write("again/routes/leads.py", ROUTES.replace("HOWS: list[str] = []", f"HOWS = {HOWS!r}"))
    command.write("again/routekit.toml", '[http.crm]\nurl = "http://127.0.0.1:1"\n')
    again = Command(command.folder / "again", command.environ)
    done = again(
        "--set",
        f"log_format={form}",
        "--set",
        "log=debug",
        "run",
        "routes",
        "--count",
        "5",
        COLUMNS="400",
        LEADS_TOKEN=SETTING,
    )
    assert "dead letter" in done.said, done.said
    assert leaks(done.said) == []


def test_the_database_says_nothing(site: Site) -> None:
    """With a key: neither letters with the bodies that are sent again, nor traces, nor groups."""
    files = list((site.command.folder / "data").glob("state.db*"))
    assert files
    for file in files:
        assert leaks(file.read_bytes().decode("latin-1")) == [], file
    kept = site.api("/api/store")[1]
    assert "routekit.traces" in kept


def test_no_list_of_the_api_says_anything(site: Site) -> None:
    """Routes with their failures, letters, clusters, traces, the log, metrics: whatever has no name in its path."""
    listed: dict[str, Any] = json.loads(site.api("/api/openapi.json")[1])["paths"]
    asked = [path for path, methods in listed.items() if "get" in methods and "{" not in path]
    asked += ["/metrics", "/health", *(f"/api/routes/leads.{name}" for name in ("leads", "slow", "raw", "refusing"))]
    traced = json.loads(site.api("/api/traces?limit=100")[1])
    asked += [f"/api/traces/{one['message']}" for one in traced]
    assert len(traced) >= len(HOWS)
    for path in dict.fromkeys(asked):
        status, text = site.api(path)
        assert status == 200, (path, text)
        assert leaks(text) == [], path


def test_a_reader_of_letters_sees_masks(site: Site) -> None:
    """The reason, the causes and the body, which whoever mends it sees whole."""
    letters = json.loads(site.api("/api/letters?limit=100")[1])["letters"]
    for letter in letters:
        status, _, text = site.ask(f"/api/letters/{letter['id']}", authorization="Bearer the-token-of-a-reader")
        assert status == 200
        assert leaks(text) == [], letter
    mended = site.api(f"/api/letters/{letters[0]['id']}")[1]
    assert PEOPLE["iban"] in mended


def test_no_page_says_anything(site: Site) -> None:
    """Of the console, as a reader goes through it."""
    found = pages(site)
    assert len(found) > 40
    assert any("/letters/" in path for path in found)
    assert any(path.startswith("/message?") and text for path, text in found.items())
    for path, text in found.items():
        assert leaks(text) == [], path


@pytest.mark.parametrize(
    "arguments",
    ["letters list", "letters clusters", "ps", "get health", "get endpoints", "get store", "log", "trace"],
)
def test_no_command_prints_anything(site: Site, arguments: str) -> None:
    """Those that list; `letters show` is for who mends one."""
    done = site.command(*arguments.split(), STORE_KEY="0" * 43 + "=", LEADS_TOKEN=SETTING, COLUMNS="400")
    assert done.code == 0, done.said
    assert leaks(done.said) == []
