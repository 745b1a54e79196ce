"""The console of a real daemon."""

import json
from collections.abc import Generator
from signal import SIGTERM
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from ..cli.conftest import Command, routekit  # noqa: F401  # a fixture
from .conftest import PATIENCE

ROUTES = '''
"""Orders of the shop."""
from routekit import Policy, from_


def paid(order: dict) -> bool | str:
    return order["total"] > 0 or "the amount is missing"


kept = Policy(dead_letter="store")
orders = from_("file:in?after=delete", dict, codec="json", policy=kept).validate(paid).to("direct:book")
book = from_("direct:book", dict).to("file:out", codec="json", name=lambda order: f"{order['id']}.json")
'''


@pytest.fixture
def page(browser: Browser, routekit: Command) -> Generator[Page]:  # noqa: F811  # the fixture
    """The first page of a daemon that has done one order, and given one up."""
    (routekit.folder / "routes").mkdir()
    (routekit.folder / "routes/shop.py").write_text(ROUTES)
    (routekit.folder / "in").mkdir()
    for number, total in ((1, 10), (2, 0)):
        (routekit.folder / f"in/{number}.json").write_text(json.dumps({"id": f"o-{number}", "total": total}))
    running = routekit.start("serve", "routes", ROUTEKIT_TRACE="true")
    running.until("console and control API: ")
    url = json.loads((routekit.folder / "data/daemon.json").read_text())["url"]
    running.until("dead letter at")
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE * 1000)
    expect.set_options(timeout=PATIENCE * 1000)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    yield page
    context.close()
    running.signal(SIGTERM)
    assert running.ended() == 0, running.log
    assert said == []


@pytest.mark.timeout(240)
def test_from_the_flow_to_a_replay(page: Page, routekit: Command) -> None:  # noqa: F811  # the fixture
    """A daemon's routes are drawn and counted; a letter is mended, tried and replayed, and the audit tells it."""
    boxes: Any = page.locator(".shape.route")
    expect(boxes).to_have_count(2)
    expect(page.locator('[id="route-shop.book"]')).to_contain_text("1")
    page.locator('[id="shape-r:shop.orders"]').click()
    expect(page.locator("h1")).to_have_text("shop.orders")
    expect(page.locator(".picture")).to_contain_text("1 failed")
    expect(page.locator(".promise").first).to_be_visible()
    expect(page.locator("pre.code")).to_contain_text(".validate(paid)")
    page.locator(".failures a").first.click()
    while not page.locator(".hops li").count():  # traces are written in groups, a moment after their messages
        page.reload()
    expect(page.locator(".hops li").first).to_contain_text("the amount is missing")
    page.locator(".attention a").first.click()
    page.get_by_label("What a replay takes").fill('{"id": "o-2", "total": 5}')
    page.get_by_label("Why").first.fill("the shop said so")
    page.get_by_role("button", name="Save the edit").click()
    expect(page.get_by_role("status")).to_contain_text("edited")
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator("#trial")).to_contain_text("it would be done")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("status")).to_contain_text("1 replayed")
    assert json.loads((routekit.folder / "out/o-2.json").read_text()) == {"id": "o-2", "total": 5}
    page.keyboard.type("ga")
    expect(page.locator("tbody")).to_contain_text("letters.edit")
    expect(page.locator("tbody")).to_contain_text("console")
    page.keyboard.type("ge")
    page.get_by_role("link", name="file", exact=True).first.click()
    expect(page.locator(".entry").first).to_contain_text("after")
