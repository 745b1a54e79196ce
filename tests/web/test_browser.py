"""The console in a real browser: what people see, press and type, and what must not happen there.

It is one file of more than 300 lines, as a browser is started for each.
"""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from routekit.operating.sights import TraceSight

from . import sample
from .conftest import Opening, Served, serving

PAGES = [
    "/", "/routes/shop.orders", "/work", "/messages", "/message?id=o-88231", "/letters", "/letters?route=shop.orders",
    "/letters/0001c0ffee", "/letters/discarded", "/endpoints", "/reference/timer", "/log", "/audit", "/store",
    "/settings",
]  # fmt: skip

EVIL = '<script>window.ran=1</script><img src=x onerror="window.ran=1">"\'</textarea></pre><svg onload=window.ran=1>'


def shape(page: Page, name: str) -> Any:
    """The box of a route in the picture."""
    return page.locator(f'[id="shape-r:{name}"]')


class TestFlow:
    """The picture of all routes."""

    def test_it_shows_what_flows_and_what_is_stuck(self, served: Served, opened: Opening) -> None:
        """Each route is a box, arrows say rate and lag, and what needs attention is named with its reason."""
        with opened(served) as tab:
            page = tab.page
            for route in sample.FIGURES:
                expect(shape(page, route)).to_be_visible()
            picture = page.locator(".picture")
            expect(picture).to_contain_text("41.7/s")
            expect(picture).to_contain_text("840 waiting")
            expect(picture).to_contain_text("lag 4 min 14 s")
            expect(picture).to_contain_text("0.31/s failing")
            expect(page.locator(".attention")).to_contain_text("connection refused")
            expect(page.locator("#pulse")).to_contain_text("3 need attention")

    def test_it_is_live(self, served: Served, opened: Opening) -> None:
        """What changes in the service changes on the page, by itself, and nothing else is exchanged."""
        with opened(served) as tab:
            page = tab.page
            expect(page.locator("#pulse")).to_contain_text("6 of 8 running")
            page.evaluate("document.querySelector('[id=\"shape-r:shop.orders\"]').kept = true")
            served.desk.change("erp.stock", rate=77.5)
            expect(shape(page, "erp.stock")).to_contain_text("77.5/s")
            served.desk.change("crm.contacts", state="paused", why="paused by anna")
            expect(page.locator('[id="route-crm.contacts"]')).to_contain_text("paused by anna")
            expect(page.locator("#pulse")).to_contain_text("5 of 8 running")
            assert page.evaluate("document.querySelector('[id=\"shape-r:shop.orders\"]').kept")

    def test_it_rests_while_nobody_looks(self, served: Served, opened: Opening) -> None:
        """Nothing is asked while the tab is hidden or live figures are paused; both go on at once."""
        with opened(served, "/login") as tab:
            page = tab.page
            page.clock.install()
            tab.open("/")
            expect(page.locator("#pulse")).to_contain_text("6 of 8 running")
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            hide = "value => { Object.defineProperty(document, 'hidden', {value, configurable: true}); "
            hide += "document.dispatchEvent(new Event('visibilitychange')) }"
            for stop, on in (
                (lambda: page.evaluate(hide, True), lambda: page.evaluate(hide, False)),
                (lambda: page.keyboard.press("p"), lambda: page.keyboard.press("p")),
            ):
                stop()
                page.wait_for_load_state("networkidle")
                asked.clear()
                page.clock.run_for(20_000)
                assert asked == []
                with page.expect_request("**/pulse"):
                    on()

    def test_what_is_found_by_search(self, served: Served, opened: Opening) -> None:
        """Typing shows the routes that fit, in the picture and the table, and stays in the address."""
        with opened(served) as tab:
            page = tab.page
            page.keyboard.press("/")
            expect(page.locator("[data-search]")).to_be_focused()
            page.keyboard.type("crm run")
            expect(shape(page, "shop.orders")).to_have_count(0)
            expect(shape(page, "crm.contacts")).to_be_visible()
            expect(page).to_have_url(re.compile(r"q=crm(\+|%20)run"))
            served.desk.change("crm.contacts", rate=55.5)
            expect(shape(page, "crm.contacts")).to_contain_text("55.5/s")
            expect(shape(page, "shop.orders")).to_have_count(0)
            expect(page.locator("[data-search]")).to_have_value("crm run")
            page.locator("[data-search]").fill("nothing like it")
            expect(page.locator("#live")).to_contain_text("Nothing fits")

    def test_the_daemon_goes_away(self, opened: Opening) -> None:
        """The page says that the daemon does not answer, and until when its figures are."""
        with serving(sample.desk()) as running, opened(running) as tab:
            expect(tab.page.locator("#pulse")).to_contain_text("6 of 8 running")
            tab.page.context.set_offline(True)
            expect(tab.page.locator(".away")).to_be_visible()
            tab.page.context.set_offline(False)
            expect(tab.page.locator(".away")).to_be_hidden()
            tab.complaints.clear()  # of the requests that failed


class TestMany:
    """A thousand routes."""

    def test_they_are_folded(self, opened: Opening) -> None:
        """A module is one box and one row until it is opened; a search goes through all of them."""
        with serving(sample.many(1000, 50)) as running, opened(running) as tab:
            page = tab.page
            expect(page.locator(".shape")).to_have_count(50)
            expect(page.locator("tr.module")).to_have_count(50)
            page.locator('[id="shape-m:branch007"]').click()
            expect(page.locator(".shape")).to_have_count(69)
            expect(page.locator('[id="route-branch007.orders_19"]')).to_be_visible()
            page.locator('[id="shape-m:branch008"]').click()
            expect(page.locator(".shape")).to_have_count(88)
            page.locator("[data-search]").fill("branch031.orders_04")
            expect(page.locator(".shape")).to_have_count(1)
            expect(page.locator("#live")).to_contain_text("1 of 1000")

    def test_too_many_boxes_are_drawn_when_asked_for(self, opened: Opening) -> None:
        """Without modules to fold, no picture is made of hundreds of boxes before somebody asks for it."""
        with serving(sample.many(200, 200)) as running, opened(running) as tab:
            page = tab.page
            expect(page.locator(".shape")).to_have_count(0)
            page.get_by_role("link", name="draw all of them").click()
            expect(page.locator(".shape")).to_have_count(200)


class TestDeeds:
    """What an operator does."""

    def test_a_route_is_paused_and_goes_on(self, served: Served, opened: Opening) -> None:
        """Its page has the buttons that fit its state; the page says what was done, and so does the audit."""
        with opened(served, "/routes/shop.web") as tab:
            page = tab.page
            page.get_by_role("button", name="Pause", exact=True).click()
            expect(page.get_by_role("status")).to_contain_text("shop.web: pausing")
            expect(page.locator(".head .state")).to_contain_text("paused")
            page.get_by_role("button", name="Resume").click()
            expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
            page.get_by_label("Messages at work at once").fill("12")
            page.get_by_role("button", name="Change").click()
            expect(page.get_by_role("status")).to_contain_text("up to 12 messages")
            tab.open("/audit")
            expect(page.locator("tbody tr").first).to_contain_text("concurrency")

    def test_what_a_route_is(self, served: Served, opened: Opening) -> None:
        """Its page shows steps with their figures, failures, guarantees with reasons, and the source."""
        with opened(served, "/routes/shop.orders") as tab:
            page = tab.page
            expect(page.locator(".picture")).to_contain_text("validate(paid)")
            expect(page.locator(".picture")).to_contain_text("when big")
            expect(page.locator("tbody")).to_contain_text("idempotent(orders-seen)")
            expect(page.locator(".failures")).to_contain_text("the amount is missing")
            page.locator(".promise summary").first.click()
            expect(page.locator(".promise").first).to_contain_text("the source is acknowledged after the sink has it")
            served.desk.change("shop.orders", done=200_000)
            expect(page.locator(".tiles")).to_contain_text("200.0k")
            expect(page.locator(".promise").first).to_contain_text("acknowledged")  # it stays open
            expect(page.locator("pre.code")).to_contain_text('.idempotent("orders-seen"')

    def test_a_group_is_flushed_and_a_breaker_closed(self, served: Served, opened: Opening) -> None:
        """Each row has its button."""
        with opened(served, "/work") as tab:
            page = tab.page
            page.get_by_role("button", name="Flush group K-3").click()
            expect(page.get_by_role("status")).to_contain_text("1 group let go on")
            assert [group.key for group in served.desk.these_groups] == ["K-1", "K-2", "K-4", "K-5"]
            page.get_by_role("button", name="Close breaker mail").click()
            expect(page.get_by_role("button", name="Open breaker mail")).to_be_visible()

    def test_a_letter_is_mended_tried_and_replayed(self, served: Served, opened: Opening) -> None:
        """From the cluster to the letter, an edit with a reason, a dry run that says what would go where, a replay."""
        with opened(served, "/letters") as tab:
            page = tab.page
            page.locator(".cluster a", has_text="the amount is missing").click()
            page.get_by_role("link", name="o-88101").click()
            page.get_by_role("button", name="Dry run").click()
            expect(page.locator("#trial")).to_contain_text("it would fail again")
            body = {"id": "A-1", "customer": "Miller", "total": 99.5}
            page.get_by_label("What a replay takes").fill(json.dumps(body))
            page.get_by_label("Why").first.fill("the shop said so")
            page.get_by_role("button", name="Save the edit").click()
            expect(page.locator(".diff")).to_contain_text("99.5")
            page.get_by_role("button", name="Dry run").click()
            expect(page.locator("#trial")).to_contain_text("it would be done")
            expect(page.locator("#trial")).to_contain_text("sql:erp/bookings")
            assert next(one for one in served.letters() if one.id == "0001c0ffee").body == body

    def test_letters_are_discarded_and_restored(self, served: Served, opened: Opening) -> None:
        """A whole cluster goes with a reason, and each letter of it can be brought back."""
        with opened(served, "/letters") as tab:
            page = tab.page
            cluster = page.locator(".cluster", has_text="database is locked")
            cluster.get_by_text("Discard…").click()
            cluster.get_by_label("Why").fill("twice in the books")
            cluster.get_by_role("button", name="Discard 5").click()
            expect(page.get_by_role("status")).to_contain_text("5 discarded")
            expect(page.locator(".cluster")).to_have_count(1)
            page.get_by_role("link", name="Discarded ones").click()
            page.get_by_role("button", name="Restore").first.click()
            expect(page.get_by_role("status")).to_contain_text("restored")
            assert len(served.letters()) == 42

    def test_what_fails_again_is_said(self, served: Served, opened: Opening) -> None:
        """A replay that fails says why, and the letter stays."""
        with opened(served, "/letters/0002c0ffee") as tab:
            tab.page.get_by_role("button", name="Replay").click()
            expect(tab.page.get_by_role("status")).to_contain_text("failed again")
            assert len(served.letters()) == len(sample.letters())

    def test_without_scripts(self, served: Served, opened: Opening) -> None:
        """Pages and buttons work where no script runs, only not by themselves."""
        with opened(served, "/routes/shop.web", java_script_enabled=False) as tab:
            tab.page.get_by_role("button", name="Pause", exact=True).click()
            expect(tab.page.locator(".head .state")).to_contain_text("paused")


class TestMessage:
    """The way of one message."""

    def test_its_way_and_what_changed(self, served: Served, opened: Opening) -> None:
        """The picture has the steps it passed in their order, and each hop the lines that it changed."""
        with opened(served, "/message?id=o-88231") as tab:
            page = tab.page
            expect(page.locator(".shape.trodden")).to_have_count(8)
            expect(page.locator(".shape.faint")).to_have_count(1)
            changed = page.locator(".hops li", has_text="transform(as_booking)")
            expect(changed.locator(".added")).to_contain_text(["account", "amount"])
            expect(changed.locator(".gone")).to_contain_text(["customer", "total"])
            page.locator(".hops li", has_text="choice").locator("summary").click()
            expect(page.locator(".decided")).to_contain_text("order.total > 1000, it is 1890.5")

    def test_it_can_be_replayed_from_there(self, served: Served, opened: Opening) -> None:
        """A message that was given up has its reason and its button on its own page."""
        with opened(served, "/message?id=o-88140") as tab:
            expect(tab.page.locator(".shape.failing")).to_contain_text("the amount is")
            tab.page.get_by_role("button", name="Replay").click()
            expect(tab.page.get_by_role("status")).to_contain_text("failed again")


class TestHarm:
    """What must not happen in the browser of an operator."""

    def test_no_body_runs(self, opened: Opening) -> None:
        """A body, header, reason, id or name full of script is shown as the text that it is, on every page."""
        letter = replace(
            sample.letters()[0], body={"note": EVIL, EVIL: 1}, headers={EVIL: EVIL}, reason=EVIL, message_id=EVIL,
            step=EVIL, current={"n": EVIL}, causes=[EVIL], cluster="",
        )  # fmt: skip
        desk = sample.desk()
        desk.change("shop.web", why=EVIL, state="degraded", source=EVIL)
        desk.these_traces.append(evil_trace())
        desk.these_flights[:] = [one.model_copy(update={"message": EVIL, "step": EVIL}) for one in desk.these_flights]
        desk.these_groups[:] = [one.model_copy(update={"key": EVIL}) for one in desk.these_groups]
        desk.lines[:] = [one.model_copy(update={"text": EVIL, "message": EVIL}) for one in desk.lines]
        desk.deeds[:] = [one.model_copy(update={"what": EVIL, "details": EVIL}) for one in desk.deeds]
        with serving(desk, letter) as running, opened(running) as tab:
            page = tab.page
            paths = ["/", "/work", "/messages", "/log", "/audit", "/letters", "/letters?route=shop.orders"]
            for path in [
                *paths,
                f"/letters/{letter.id}",
                "/message?id=evil",
                "/?q=%3Cscript%3Ewindow.ran=1%3C/script%3E",
            ]:
                tab.open(path)
                expect(page.locator("#pulse .fact").first).to_be_visible()  # scripts have run
                assert page.evaluate("window.ran") is None, path
                assert page.locator("img, #live script").count() == 0, path
            tab.open(f"/letters/{letter.id}")
            expect(page.locator(".reason")).to_have_text(EVIL)
            assert EVIL in json.loads(page.get_by_label("What a replay takes").input_value())["note"]
            page.get_by_role("button", name="Dry run").click()
            expect(page.locator("#trial")).to_be_visible()
            assert page.evaluate("window.ran") is None

    def test_a_script_of_a_page_would_not_run(self, served: Served, opened: Opening) -> None:
        """Even a script that got into a page is refused by the browser."""
        with opened(served) as tab:
            tab.page.evaluate(
                "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; "
                "document.body.append(s); document.body.insertAdjacentHTML('beforeend', "
                "'<img src=x onerror=\"window.ran = 1\">') }"
            )
            expect(tab.page.locator("#pulse .fact").first).to_be_visible()
            assert tab.page.evaluate("window.ran") is None
            assert any("Content Security Policy" in said for said in tab.complaints)
            tab.complaints.clear()


def evil_trace() -> TraceSight:
    trace = sample.trace("evil")
    told = {"before": {"a": EVIL}, "after": {"b": EVIL}, "decision": EVIL, "error": EVIL, "outcome": "failed"}
    return trace.model_copy(update={"hops": [hop.model_copy(update=told) for hop in trace.hops], "parent": f"a/{EVIL}"})


class TestDoor:
    """Login."""

    def test_by_token(self, guarded: Served, opened: Opening) -> None:
        """One comes to the page that one wanted, may act, and leaves again; a wrong token is refused."""
        with opened(guarded, "/routes/shop.web") as tab:
            page = tab.page
            page.get_by_label("Token").fill("wrong")
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("alert")).to_contain_text("No token of this daemon")
            tab.complaints.clear()  # the browser says that the answer was 401
            page.get_by_label("Token").fill("operator-token-of-anna")
            page.get_by_role("button", name="Log in").click()
            expect(page).to_have_url(f"{guarded.url}/routes/shop.web")
            assert page.evaluate("document.cookie") == ""
            page.get_by_role("button", name="Stop", exact=True).click()
            expect(page.locator(".head .state")).to_contain_text("stopped")
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_label("Token")).to_be_visible()

    def test_a_reader(self, guarded: Served, opened: Opening) -> None:
        """A reader sees figures and no button that changes anything."""
        with opened(guarded, "/routes/shop.web") as tab:
            tab.page.get_by_label("Token").fill("reader-token-of-ben")
            tab.page.get_by_role("button", name="Log in").click()
            expect(tab.page.locator("main")).to_contain_text("You may look, and change nothing")
            assert tab.page.locator("main button").count() == 0
            tab.open("/letters/0001c0ffee")
            assert tab.page.locator("main button").count() == 0
            expect(tab.page.locator("pre.code").first).to_contain_text("Miller")


class TestHands:
    """Keys, eyes and small screens."""

    def test_keys(self, served: Served, opened: Opening) -> None:
        """`?` tells them, `g` and a letter goes, arrows walk, Enter opens, `u` goes up, and typing is typing."""
        with opened(served) as tab:
            page = tab.page
            page.keyboard.press("?")
            expect(page.locator("#help")).to_be_visible()
            page.keyboard.press("Escape")
            expect(page.locator("#help")).to_be_hidden()
            for keys, path in (("gl", "/letters"), ("gw", "/work"), ("gr", "/"), ("gs", "/settings"), ("gf", "/")):
                page.keyboard.type(keys)
                expect(page).to_have_url(f"{served.url}{path}")
            page.keyboard.press("/")
            page.keyboard.type("gl?")
            expect(page.locator("[data-search]")).to_have_value("gl?")
            page.locator("[data-search]").fill("stock")
            expect(page.locator("tbody th a")).to_have_count(1)
            page.keyboard.press("ArrowDown")
            page.keyboard.press("j")
            page.keyboard.press("k")
            page.keyboard.press("Enter")
            expect(page.locator("h1")).to_have_text("erp.stock")
            page.keyboard.press("u")
            expect(page.locator("h1")).to_have_text("Flow")

    def test_colours(self, served: Served, opened: Opening) -> None:
        """They follow the system; the switch changes them, and the choice is kept over pages."""
        with opened(served, color_scheme="dark") as tab:
            page = tab.page
            dark = background(page)
            assert luminance(dark) < 0.1
            page.keyboard.press("t")
            expect(page.locator("html")).to_have_attribute("data-colours", "light")
            assert luminance(background(page)) > 0.8
            tab.open("/audit")
            assert luminance(background(page)) > 0.8

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_contrast(self, served: Served, opened: Opening, scheme: Any) -> None:
        """Every text stands out from what is behind it by 4.5 to 1, in the light and in the dark."""
        with opened(served, color_scheme=scheme) as tab:
            for path in PAGES:
                tab.open(path)
                expect(tab.page.locator("#pulse .fact").first).to_be_visible()
                pairs = tab.page.evaluate(COLOURS)
                assert pairs
                poor = [(text, ratio) for text, ink, paper in pairs if (ratio := contrast(ink, paper)) < 4.5]
                assert poor == [], path

    def test_structure(self, served: Served, opened: Opening) -> None:
        """Each page has its landmarks, one first heading, a name for each control, and ids that are unique."""
        with opened(served) as tab:
            for path in PAGES:
                page = tab.open(path)
                expect(page.locator("#pulse .fact").first).to_be_visible()
                for landmark in ("main", "header", "nav"):
                    assert page.locator(landmark).count() == 1, (path, landmark)
                assert page.locator("h1").count() == 1, path
                assert page.locator("html[lang]").count() == 1
                assert page.evaluate(NAMELESS) == [], path
                assert page.evaluate(TWICE) == [], path

    def test_a_phone(self, served: Served, opened: Opening) -> None:
        """On a narrow screen nothing but pictures and source is wider than it."""
        with opened(served, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as tab:
            for path in PAGES:
                page = tab.open(path)
                expect(page.locator("#pulse .fact").first).to_be_visible()
                assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance; of `rgb(...)`."""
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


COLOURS = r"""() => {
  const plain = colour => /^rgb\(/.test(colour);
  const found = [];
  for (const part of ["main", "nav", "header"]) for (const element of document.querySelectorAll(`${part} *`)) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.nodeValue.trim());
    if (!own || !element.getClientRects().length || element.closest("svg, .skip, [hidden]")) continue;
    let behind = element;
    while (behind && !plain(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
    const ink = getComputedStyle(element).color;
    if (!behind || !plain(ink)) continue;
    found.push([element.textContent.trim().slice(0, 40), ink, getComputedStyle(behind).backgroundColor]);
  }
  return found;
}"""

NAMELESS = r"""() => {
  const all = "button, input:not([type=hidden]), select, textarea, a[href], [role=region], progress";
  const named = one => one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length || one.title;
  return [...document.querySelectorAll(all)].filter(one => !named(one)).map(one => one.outerHTML);
}"""

TWICE = r"""() => {
  const ids = [...document.querySelectorAll("[id]")].map(one => one.id).filter(id => id !== "tip");
  return ids.filter((id, n) => ids.indexOf(id) !== n);
}"""
