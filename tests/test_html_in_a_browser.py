"""The report as HTML in a real browser: it loads nothing, heeds the keyboard, fits on a telephone and paper; all can read it."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Literal

import pytest
import report_samples as samples

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.reports import html
from mailaudit.reports.view import Reader

pytest.importorskip("playwright", reason="playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

pytestmark = pytest.mark.daemon

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
EXAMPLES = Path(__file__).parents[1] / "examples"
LONG = "mx2." + "long-label." * 12 + "example.com"
PHONE, DESK, HEIGHT = 360, 1200, 740  # pixels
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if PROGRAM is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as started:
        running = started.chromium.launch(executable_path=PROGRAM, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Addresses of reports by name: a real one, one with something of everything, a hostile one, several hosts, a failed run."""
    reader = Reader(rulebook.load().pages, show_passed=True)
    usual = samples.usual()
    reports = {
        "published": audit([str(EXAMPLES / "as-published")], Options()),
        "usual": usual,
        "hostile": samples.hostile(),
        "several": replace(
            usual, hosts=(*usual.hosts, replace(usual.hosts[0], name="mx2." + "long-label." * 12 + "example.com"))
        ),
        "failed": samples.failed(),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, report in reports.items():
        (folder / f"{name}.html").write_text(html.write(report, reader), "utf-8")
    return {name: (folder / f"{name}.html").as_uri() for name in reports}


@contextmanager
def opened(
    browser: Browser, address: str, scheme: Scheme = "light", width: int = DESK, *, scripts: bool = True
) -> Iterator[Page]:
    """The page in a context of its own; whatever it says to the console, or asks for, is wrong."""
    said: list[str] = []
    size = ViewportSize(width=width, height=HEIGHT)
    with browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=scripts) as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto(address)
        yield page
        assert said == [address]


def shown(page: Page) -> int:
    return int(page.evaluate("[...document.querySelectorAll('[data-verdict]')].filter((each) => !each.hidden).length"))


NAMED = ("published", "usual", "hostile", "several", "failed")


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("width", [320, PHONE, DESK])
def test_it_fits_the_screen(browser: Browser, pages: dict[str, str], name: str, width: int) -> None:
    with opened(browser, pages[name], width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMED)
def test_anybody_can_read_it(browser: Browser, pages: dict[str, str], name: str, scheme: Scheme) -> None:
    with opened(browser, pages[name], scheme=scheme) as page:
        page.evaluate(AXE)
        found = page.evaluate("axe.run()")
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]] == []
        assert len(found["passes"]) > 15


CONTRAST = """() => {
  const linear = (part) => (part /= 255) <= .03928 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
  const light = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).map(linear);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const low = [];
  for (const node of document.querySelectorAll(".flow .node")) {
    const behind = light(getComputedStyle(node.querySelector("rect")).fill);
    for (const each of node.querySelectorAll("text, use")) {
      const style = getComputedStyle(each);
      const before = light(each.tagName === "use" ? style.color : style.fill);
      const ratio = (Math.max(before, behind) + .05) / (Math.min(before, behind) + .05);
      if (ratio < 4.5) low.push(`${each.textContent} ${ratio}`);
    }
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_has_contrast_and_is_legible_on_a_telephone(browser: Browser, pages: dict[str, str], scheme: Scheme) -> None:
    with opened(browser, pages["published"], scheme=scheme, width=PHONE) as page:
        assert page.evaluate(CONTRAST) == []
        sizes = "[...document.querySelectorAll('.flow .node text')].map((each) => each.getBoundingClientRect().height)"
        assert min(page.evaluate(sizes)) >= 12
        inside = """[...document.querySelectorAll('.flow .node')].filter((node) => {
          const box = node.querySelector('rect').getBoundingClientRect();
          return [...node.querySelectorAll('text')].some((each) => each.getBoundingClientRect().right > box.right);
        }).length"""
        assert page.evaluate(inside) == 0, "no word leaves its box"


def test_the_filter_works_by_keyboard(browser: Browser, pages: dict[str, str]) -> None:
    with opened(browser, pages["usual"]) as page:
        everything = shown(page)
        page.get_by_role("checkbox", name="critical").focus()
        page.keyboard.press("Space")
        assert 0 < shown(page) < everything
        assert not page.locator('[data-severity="critical"]:not([hidden])').count()
        assert page.locator("#shown").inner_text() == f"{shown(page)} of {everything} shown"
        passed = [page.evaluate("document.activeElement.value")]
        while passed[-1] != "not-applicable":
            page.keyboard.press("Tab")
            passed.append(page.evaluate("document.activeElement.value"))
        assert passed == ["critical", "high", "medium", "low", "info", "fail", "waived", "unknown", "pass", "not-applicable"]
        page.keyboard.press("Tab")
        page.keyboard.type("DNS")
        assert page.evaluate("document.activeElement.value") == "dns"
        assert {each.get_attribute("data-subject") for each in page.locator("[data-subject]:not([hidden])").all()} == {"dns"}
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_function(f"document.getElementById('shown').value === '{everything} of {everything} shown'")
        assert shown(page) == everything


def test_links_lead_to_what_is_shown(browser: Browser, pages: dict[str, str]) -> None:
    with opened(browser, pages["usual"]) as page:
        page.get_by_role("link", name="pf: critical, 2 findings").focus()
        page.keyboard.press("Enter")
        assert page.url.endswith("#h1-hop-pf")
        assert page.locator(":target").evaluate("(each) => each.getBoundingClientRect().top") < HEIGHT
        page.get_by_role("checkbox", name="critical").uncheck()
        page.locator("#h1-hop-pf").get_by_role("link", name="PF001").click()
        page.wait_for_function("!document.querySelector(':target').hidden")
        finding = page.locator("article:target")
        assert "PF001" in finding.inner_text()
        assert 0 <= finding.evaluate("(each) => each.getBoundingClientRect().top") < HEIGHT


def test_without_its_script_everything_is_shown(browser: Browser, pages: dict[str, str]) -> None:
    with opened(browser, pages["usual"], scripts=False) as page:
        assert page.locator("article.finding").count() == page.locator("article.finding:visible").count() > 5
        assert not page.locator("#filter").is_visible()


INTRUDES = """(address) => {
  window.blocked = [];
  document.addEventListener("securitypolicyviolation", (event) => window.blocked.push(event.effectiveDirective));
  fetch(address).catch(() => 0);
  document.body.insertAdjacentHTML("beforeend", `<p onclick="window.ran = 1" id="canary" style="color: red">x</p>
    <img src="${address}"><iframe src="${address}"></iframe><link rel="stylesheet" href="${address}">`);
  const script = document.createElement("script");
  script.textContent = "window.ran = 1";
  document.body.append(script);
  document.getElementById("canary").click();
}"""


def heard(server: socket.socket) -> bytes:
    """What is asked of a server; Chromium may open a connection for a frame before it heeds the policy, and say nothing on it."""
    server.settimeout(0.5)
    try:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(0.5)
            return connection.recv(1000)
    except TimeoutError:
        return b""


def test_its_policy_lets_nothing_be_loaded_or_run(browser: Browser, pages: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(pages["usual"])
        page.evaluate(INTRUDES, f"http://127.0.0.1:{server.getsockname()[1]}/")
        page.wait_for_function("new Set(window.blocked).size >= 6")
        assert page.evaluate("window.ran") is None
        assert heard(server) == b""


def test_bars_are_as_long_as_lifetimes(browser: Browser, pages: dict[str, str]) -> None:
    with opened(browser, pages["usual"]) as page:
        boxes = page.evaluate("""() => {
          const ends = (part) => [part.getBoundingClientRect().left, part.getBoundingClientRect().right];
          const parts = (line) => [line, line.querySelector(".bar"), line.querySelector(".now")];
          return [...document.querySelectorAll("svg.life")].map((line) => parts(line).map(ends));
        }""")
        (line, expired, now), (_, good, _) = boxes
        assert line[0] <= expired[0] < expired[1] < now[0] < good[1] <= line[1] + 1
        assert expired[0] < good[0] < now[0]


def test_what_is_folded_is_printed(browser: Browser, pages: dict[str, str]) -> None:
    with opened(browser, pages["usual"]) as page:
        folded = "document.querySelectorAll('details:not([open])').length"
        before = page.evaluate(folded)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert before > 0 == page.evaluate(folded)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate(folded) == before


@pytest.mark.parametrize("name", NAMED)
def test_it_can_be_printed(browser: Browser, pages: dict[str, str], name: str) -> None:
    with opened(browser, pages[name], scheme="dark") as page:
        made = page.pdf(format="A4", prefer_css_page_size=True)
        assert made.startswith(b"%PDF-")
        count = len(re.findall(rb"/Type\s*/Page\b", made))
        assert 1 <= count <= 60
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not page.locator("nav").count() or not page.locator("nav").first.is_visible()
