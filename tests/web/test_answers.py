"""What the console answers, without a browser: pages, guards, doors, and what it costs to load.

It is one file of more than 300 lines, so that all that guards the console is seen together.
"""

import html
import re
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest

from routekit import StoreError
from routekit.web.files import assets
from routekit.web.sessions import Sessions

from . import sample
from .conftest import Served, admit, serving

PAGES = [
    "/", "/?q=shop", "/pulse", "/routes/shop.orders", "/routes/crm.nightly", "/work", "/work?route=crm.contacts",
    "/messages", "/messages?route=shop.orders", "/message?id=o-88231", "/message?id=o-88140", "/letters",
    "/letters?route=shop.orders", "/letters?text=Brown", "/letters/0001c0ffee", "/letters/discarded", "/endpoints",
    "/endpoints?q=sql", "/reference/timer", "/log", "/log?level=error", "/audit", "/store", "/settings",
]  # fmt: skip


@pytest.fixture(scope="module")
def shown() -> Generator[Served]:
    """A console that nothing is changed of."""
    with serving(sample.desk(), *sample.letters()) as running:
        yield running


def csrf(text: str) -> str:
    """The token of the forms of a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', text)
    assert found
    return found[1]


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_there_and_guarded(shown: Served, path: str) -> None:
    """Every page answers, forbids scripts and styles of its own, being framed, being kept, and telling where it was."""
    answer, text = shown.ask(path)
    assert answer.status == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?! src=\"/assets/)", text)
    assert not re.search(r'(src|href|action)="(https?:)?//', text)


@pytest.mark.parametrize("path", PAGES)
def test_what_has_not_changed_is_not_sent_again(shown: Served, path: str) -> None:
    """The live part of a page has a mark; who has that already gets nothing but the word that it still holds."""
    answer, text = shown.ask(path, HX_Request="true")
    assert answer.status == 200
    assert "<html" not in text
    again, nothing = shown.ask(path, HX_Request="true", If_None_Match=answer.headers["ETag"])
    assert (again.status, nothing) == (304, "")


@pytest.mark.parametrize("path", ["/", "/pulse", "/routes/shop.web"])
def test_what_has_changed_is_sent(served: Served, path: str) -> None:
    """As soon as something is otherwise, the mark holds no more."""
    answer, _ = served.ask(path, HX_Request="true")
    served.desk.change("shop.web", rate=99.0)
    changed, text = served.ask(path, HX_Request="true", If_None_Match=answer.headers["ETag"])
    assert changed.status == 200
    assert "99.0/s" in text or path == "/pulse"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_weighs_little(shown: Served, path: str) -> None:
    """A page with all that it loads is below 200 KB."""
    _, text = shown.ask(path)
    loaded = set(re.findall(r'(?:src|href)="(/assets/[^"]+)"', text))
    if path != "/pulse":  # a part of the others
        assert len(loaded) == 4
    sizes = [len(shown.ask(one)[1].encode()) for one in loaded]
    assert len(text.encode()) + sum(sizes) < 200_000


def test_a_thousand_routes_weigh_little() -> None:
    """With 1,000 routes the first page is below 200 KB with all that it loads, and so is each module."""
    with serving(sample.many(1000, 50)) as served:
        for path in ("/", "/?q=branch007", "/?open=branch007"):
            _, text = served.ask(path)
            assert len(text.encode()) + sum(len(content) for content, _ in assets().values()) < 200_000
            assert text.count('class="module"') >= 1


def test_the_library_names_its_licence() -> None:
    """What is not ours says whose it is."""
    assert assets()["htmx.js"][0].startswith(b"/*! htmx 4.0.1, Zero-Clause BSD")


def test_what_there_is_not_is_said(shown: Served) -> None:
    """An unknown route, message or letter, page or asset is a page that says so, with what is near."""
    for path in ("/routes/shop.ordres", "/message?id=nowhere", "/letters/ffff", "/reference/carrier-pigeon"):
        answer, text = shown.ask(path)
        assert answer.status == 404, path
        assert "There is no such thing" in text
    assert shown.ask("/nowhere")[0].status == 404
    assert shown.ask("/assets/../app.py")[0].status == 404


def test_the_store_is_away(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store is away the page says that, and the next question is answered again."""
    real = served.desk.store

    async def away() -> Any:
        raise StoreError("the database does not answer", hint="is it up?")

    monkeypatch.setattr(served.desk, "store", away)
    answer, text = served.ask("/store")
    assert answer.status == 503
    assert "the database does not answer" in text
    monkeypatch.setattr(served.desk, "store", real)
    assert served.ask("/store")[0].status == 200


class TestForms:
    """What changes something."""

    def test_with_its_token(self, served: Served) -> None:
        """A form of the page does what it says, and leads back to it."""
        _, text = served.ask("/routes/shop.web")
        form = {"csrf": csrf(text), "back": "/routes/shop.web", "action": "pause"}
        answer, _ = served.ask("/routes/shop.web/order", form=form, Sec_Fetch_Site="same-origin")
        assert (answer.status, answer.headers["Location"]) == (303, "/routes/shop.web")
        assert served.desk.details["shop.web"].route.state == "paused"
        assert served.desk.deeds[0].who == "console"
        assert "shop.web: pausing" in served.ask("/routes/shop.web")[1]
        assert "shop.web: pausing" not in served.ask("/routes/shop.web")[1]

    @pytest.mark.parametrize("token", ["", "0" * 64, "ü"])
    def test_without_its_token(self, served: Served, token: str) -> None:
        """A form with no token, or one of somebody else's page, does nothing."""
        served.ask("/")
        answer, text = served.ask("/routes/shop.web/order", form={"csrf": token, "action": "stop"})
        assert answer.status == 403
        assert "this form is not from this page" in text
        assert served.desk.details["shop.web"].route.state == "running"

    def test_of_another_session(self, served: Served) -> None:
        """The token of one browser is worth nothing in another."""
        _, text = served.ask("/routes/shop.web")
        served.cookies.clear()
        served.ask("/")
        served.ask("/routes/shop.web/order", form={"csrf": csrf(text), "action": "stop"})
        assert served.desk.details["shop.web"].route.state == "running"

    def test_from_another_site(self, served: Served) -> None:
        """A browser that says that the form was on a foreign page is not obeyed, even if the token is right."""
        _, text = served.ask("/routes/shop.web")
        form = {"csrf": csrf(text), "action": "stop"}
        served.ask("/routes/shop.web/order", form=form, Sec_Fetch_Site="cross-site")
        assert served.desk.details["shop.web"].route.state == "running"

    def test_leads_nowhere_else(self, served: Served) -> None:
        """Whatever the form says, the browser stays here."""
        _, text = served.ask("/routes/shop.web")
        form = {"csrf": csrf(text), "action": "pause", "back": "https://evil.example/"}
        answer, _ = served.ask("/routes/shop.web/order", form=form)
        assert answer.headers["Location"] == "/"

    @pytest.mark.parametrize(
        ("path", "fields", "said"),
        [
            ("/routes/shop.web/order", {"action": "explode"}, "nothing that a route can be asked"),
            ("/routes/shop.web/concurrency", {"value": "0"}, "cannot be &#39;0&#39;"),
            ("/routes/shop.web/concurrency", {"value": "many"}, "cannot be &#39;many&#39;"),
            ("/breakers/order", {"name": "mail", "action": "kick"}, "nothing that a breaker can be asked"),
            ("/letters/replay", {"rate": "fast", "route": "shop.orders"}, "a rate cannot be"),
            ("/letters/replay", {}, "this would be all letters"),
            ("/letters/discard", {"route": "shop.orders"}, "to discard needs a reason"),
        ],
    )
    def test_wrong(self, served: Served, path: str, fields: dict[str, str], said: str) -> None:
        """What cannot be done is said on the page, and nothing is done."""
        before = served.letters(), list(served.desk.deeds)
        _, text = served.ask("/routes/shop.web")
        answer, _ = served.ask(path, form={"csrf": csrf(text), "back": "/", **fields})
        assert answer.status == 303
        assert said in served.ask("/")[1]
        assert (served.letters(), served.desk.deeds) == before

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"body": '{"mine": <', "why": "because"}, "the body is not JSON"),
            ({"body": '{"mine": 1}', "why": " "}, "an edit needs a reason"),
            ({"body": '{"mine": 1}', "why": "because"}, "customer"),
        ],
    )
    def test_an_edit_that_is_refused(self, served: Served, fields: dict[str, str], said: str) -> None:
        """What somebody wrote is not lost: the page says what is wrong with it, and has it to be mended."""
        before = served.letters()
        form = {"csrf": csrf(served.ask("/letters/0001c0ffee")[1]), **fields}
        answer, text = served.ask("/letters/0001c0ffee/edit", form=form)
        assert answer.status == 400
        assert said in text
        assert html.escape(fields["body"]).replace("&quot;", "&#34;") in text
        assert f'value="{fields["why"]}"' in text
        assert served.letters() == before

    def test_that_is_too_large(self, served: Served) -> None:
        """A form is read up to a limit."""
        served.ask("/")
        answer, _ = served.ask("/letters/0001c0ffee/edit", form={"body": "x" * 9_000_000})
        assert answer.status == 413


class TestDoor:
    """Who comes in."""

    def test_other_names_of_this_machine(self, served: Served) -> None:
        """Without a login nothing but names of loopback is answered: another name may be bound to this address."""
        assert served.ask("/", Host="evil.example")[0].status == 403
        assert served.ask("/", Host=f"127.0.0.1:{served.port}")[0].status == 200

    def test_it_asks_for_a_token(self, guarded: Served) -> None:
        """Every page leads to the login and back; what is live, and what changes something, is refused."""
        for path in PAGES:
            answer, text = guarded.ask(path)
            assert answer.status == 303
            assert answer.headers["Location"].startswith("/login?next=%2F")
            assert not text
        assert guarded.ask("/", HX_Request="true")[0].status == 401
        assert guarded.ask("/routes/shop.web/order", form={"action": "stop"})[0].status == 401
        assert guarded.desk.details["shop.web"].route.state == "running"

    def test_a_wrong_token(self, guarded: Served) -> None:
        """It is refused, and gets no cookie."""
        answer, text = guarded.ask("/login", form={"token": "a guess", "next": "/"})
        assert answer.status == 401
        assert "No token of this daemon" in text
        assert not guarded.cookies

    def test_a_right_token(self, guarded: Served) -> None:
        """It gives a cookie that no script reads and no other site makes the browser send, and leads on."""
        answer, _ = guarded.ask("/login", form={"token": "operator-token-of-anna", "next": "/letters?route=a"})
        assert (answer.status, answer.headers["Location"]) == (303, "/letters?route=a")
        cookie = answer.headers["Set-Cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "operator-token" not in cookie
        assert guarded.ask("/")[0].status == 200

    @pytest.mark.parametrize("next", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1"])
    def test_it_leads_nowhere_else(self, guarded: Served, next: str) -> None:
        """After the login one is on a page of this console."""
        answer, _ = guarded.ask("/login", form={"token": "operator-token-of-anna", "next": next})
        assert answer.headers["Location"] == "/"

    def test_a_forged_cookie(self, guarded: Served) -> None:
        """A cookie that was changed, or is too old, is none."""
        guarded.ask("/login", form={"token": "reader-token-of-ben", "next": "/"})
        right = guarded.cookies[guarded.cookie]
        for wrong in (right[:-1] + ("0" if right[-1] != "0" else "1"), "." + right, right.partition(".")[0], "x.y"):
            guarded.cookies[guarded.cookie] = wrong
            assert guarded.ask("/")[0].status == 303
        guarded.cookies[guarded.cookie] = right
        assert guarded.ask("/")[0].status == 200
        guarded.desk.now += 13 * 3600
        assert guarded.ask("/")[0].status == 303

    def test_leaving(self, guarded: Served) -> None:
        """Who logs out has to log in."""
        guarded.ask("/login", form={"token": "operator-token-of-anna", "next": "/"})
        guarded.ask("/logout", form={"x": ""})
        assert guarded.ask("/")[0].status == 303

    def test_a_reader_sees_no_button_and_may_do_nothing(self, guarded: Served) -> None:
        """The pages of a reader have no form that changes anything, and the desk refuses one that is sent anyway."""
        guarded.ask("/login", form={"token": "reader-token-of-ben", "next": "/"})
        for path in PAGES:
            _, text = guarded.ask(path)
            posts = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', text)
            assert set(posts) <= {"/logout"}, path
        session = Sessions(lambda: guarded.desk.now, guarded.key).read(guarded.cookies[guarded.cookie])
        assert session is not None
        guarded.ask("/routes/shop.web/order", form={"csrf": session.csrf, "action": "stop"})
        assert guarded.desk.details["shop.web"].route.state == "running"
        guarded.ask("/letters/0001c0ffee/discard", form={"csrf": session.csrf, "why": "no reason"})
        assert len(guarded.letters()) == len(sample.letters())
        assert "may look" in guarded.ask("/")[1]

    def test_who_it_was_is_written_down(self, guarded: Served) -> None:
        """The audit names who logged in."""
        guarded.ask("/login", form={"token": "operator-token-of-anna", "next": "/"})
        form = {"csrf": csrf(guarded.ask("/routes/shop.web")[1]), "action": "pause"}
        guarded.ask("/routes/shop.web/order", form=form)
        assert guarded.desk.deeds[0].who == "anna"


def test_masked_for_a_reader() -> None:
    """A reader sees bodies with what sounds secret masked."""
    letter = replace(sample.letters()[0], body={"id": "1", "password": "hunter2"})
    with serving(sample.desk(), letter, door=admit) as guarded:
        guarded.ask("/login", form={"token": "reader-token-of-ben", "next": "/"})
        _, text = guarded.ask(f"/letters/{letter.id}")
        assert "hunter2" not in text
        assert "masked" in text
