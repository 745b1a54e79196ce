"""Take the pictures of docs/operations/console.md: the console over the made-up shop of tests/web, in real Chromium.

`python tools/console_pictures.py`, where Chromium is installed. They are looked at by people, not compared by tests:
fonts differ from machine to machine.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.web import sample  # noqa: E402  # found by the line above
from tests.web.conftest import Served, chromium, serving  # noqa: E402

FOLDER = ROOT / "docs/operations/console"
LARGEST = 150_000

WIDE, PHONE = (1200, 780), (390, 780)

PICTURES = {
    "flow-light": ("/", WIDE, "light"),
    "flow-dark": ("/", WIDE, "dark"),
    "flow-phone": ("/", PHONE, "light"),
    "route-dark": ("/routes/shop.orders", WIDE, "dark"),
    "message-light": ("/message?id=o-88231", WIDE, "light"),
    "letters-light": ("/letters", WIDE, "light"),
    "letter-dark": ("/letters/0001c0ffee", WIDE, "dark"),
    "letter-phone": ("/letters/0001c0ffee", PHONE, "dark"),
    "many-light": ("/", (1200, 560), "light"),
}


def main() -> None:
    """Write them all; fails for one that is too large."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        with serving(sample.desk(), *sample.letters()) as shop, serving(sample.many(1000, 50)) as many:
            for name in PICTURES:
                size = taken(browser, many if name.startswith("many") else shop, name)
                print(f"{name}: {size:,} bytes")
                if size > LARGEST:
                    sys.exit(f"{name}.png has {size:,} bytes, more than {LARGEST:,}")
        browser.close()


def taken(browser: Browser, served: Served, name: str) -> int:
    """Take one, and say how many bytes it has."""
    path, (width, height), scheme = PICTURES[name]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(f"{served.url}{path}")
    page.locator("#pulse .fact").first.wait_for()
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file)
    context.close()
    return file.stat().st_size


if __name__ == "__main__":
    main()
