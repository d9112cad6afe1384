"""The built site in a real browser, as a file: it asks nobody, fits a telephone, is readable by all, and finds things."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, sync_playwright

pytestmark = pytest.mark.daemon

SITE = Path(__file__).parents[1] / "build" / "docs"
PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PAGES = (
    "index.html",
    "rules/index.html",
    "rules/HOST036.html",
    "docs/settings.html",
    "docs/exit-codes.html",
    "docs/what-the-guide-gets-wrong.html",
    "docs/integrations.html",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("no Chromium is installed")
    if not (SITE / "index.html").exists():
        pytest.skip("the site is not built: make docs")
    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=PROGRAM, args=list(FLAGS))
        yield running
        running.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1300])
def test_everybody_can_read_it(browser: Browser, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        page.goto((SITE / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        wrong = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in wrong] == [], name
    context.close()
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.parametrize(("words", "found"), [("PF020", "rules/PF020.html"), ("sub-address", "rules/SMTPD018.html")])
def test_the_search_finds_without_a_server(browser: Browser, words: str, found: str) -> None:
    page = browser.new_page()
    page.goto(f"{(SITE / 'search.html').as_uri()}?q={words}")
    page.wait_for_selector("#search-results li a", timeout=10_000)
    links = page.eval_on_selector_all("#search-results li a", "all => all.map(each => each.getAttribute('href'))")
    page.close()
    assert any(link.endswith(found) or f"{found}#" in link or f"{found}?" in link for link in links), links
