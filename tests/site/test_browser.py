"""The pages in a browser: what a person does with them."""

from __future__ import annotations

import re
from datetime import date
from itertools import chain, permutations
from typing import TYPE_CHECKING, Any

import pytest

from obsportal.demo.generate import generate
from obsportal.exposures.digest import digest_all
from obsportal.exposures.models import Exposure
from obsportal.exposures.services import ingest
from obsportal.formats.header_sources import HeaderSource

expect = pytest.importorskip("playwright.sync_api").expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def site(live_server: Any) -> str:
    """The address of a portal that holds some demonstration nights of several instruments."""
    nights = (generate(40, start=date(year, 1, 1), end=date(year, 12, 31)) for year in (2013, 2017, 2021))
    headers = chain.from_iterable(nights)
    ingest(digest_all((HeaderSource(h.name, h.text, None, None), None) for h in headers))
    return str(live_server.url)


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def found(page: Page) -> int:
    return int(re.sub(r"\D", "", page.locator(".count strong").inner_text()))


def test_a_name_typed_on_the_home_page_finds_its_exposures(site: str, browser_page: Page):
    name = Exposure.objects.order_by("pk").values_list("target__name", flat=True)[0]
    browser_page.goto(site)
    browser_page.get_by_role("searchbox", name="Target, position, programme or exposure").fill(name)
    browser_page.keyboard.press("Enter")
    browser_page.wait_for_url("**/search?target_name=*")
    assert found(browser_page) == Exposure.objects.filter(target__name=name).count()


def test_ticking_a_filter_updates_results_counts_and_address(site: str, browser_page: Page):
    browser_page.goto(f"{site}/search")
    before = found(browser_page)
    instruments = Exposure.objects.values_list("instrument_name", flat=True).distinct().order_by()
    first, second = sorted(set(instruments))[:2]
    alone = Exposure.objects.filter(instrument_name=first).count()
    both = Exposure.objects.filter(instrument_name__in=[first, second]).count()
    assert alone < both
    assert alone < before
    count = browser_page.locator(".count strong")
    browser_page.locator(f"input[name=instrument][value={first}]").check()
    expect(count).to_have_text(str(alone))
    assert browser_page.url.endswith(f"/search?instrument={first}")
    browser_page.locator(f"input[name=instrument][value={second}]").check()
    expect(count).to_have_text(str(both))
    orders = permutations([first, second])
    assert browser_page.url.split("?")[1] in {f"instrument={a}%2C{b}" for a, b in orders}
    browser_page.go_back()
    expect(count).to_have_text(str(alone))
    expect(browser_page.locator(f"input[name=instrument][value={first}]")).to_be_checked()
    expect(browser_page.locator(f"input[name=instrument][value={second}]")).not_to_be_checked()


def test_a_wrong_value_is_explained_beside_its_field(site: str, browser_page: Page):
    browser_page.goto(f"{site}/search")
    browser_page.get_by_label("Night").fill("yesterday")
    browser_page.get_by_label("Night").press("Enter")
    problem = browser_page.locator("#e-night")
    problem.wait_for()
    assert "a date such as 2020-01-26 is needed" in problem.inner_text()


def test_filters_work_without_scripts(site: str, browser_page: Page):
    context = browser_page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    page = context.new_page()
    page.goto(f"{site}/search")
    page.get_by_label("Science").check()
    page.get_by_role("button", name="Apply").click()
    page.wait_for_load_state()
    assert "obs_type=science" in page.url
    assert found(page) == Exposure.objects.filter(obs_type="science").count()
    page.locator("input[name=exp_id]").first.check()
    page.get_by_role("button", name="Plot UV").click()
    page.wait_for_url("**/uv?exp_id=*")
    assert page.locator("svg.uv-plot").count() == 1
    context.close()


def test_selected_rows_are_plotted_together(site: str, browser_page: Page):
    browser_page.goto(f"{site}/search")
    button = browser_page.get_by_role("button", name="Plot UV")
    assert button.is_disabled()
    for k in range(2):
        browser_page.locator("input[name=exp_id]").nth(k).check()
    assert button.inner_text() == "Plot UV of 2 selected"
    button.click()
    browser_page.wait_for_url("**/uv?exp_id=*&exp_id=*")
    assert "2 selected exposures" in browser_page.locator("main").inner_text()
    assert "u (Mλ), east to the left" in browser_page.locator("svg.uv-plot").inner_html()
    browser_page.get_by_role("link", name="Show in m").click()
    browser_page.get_by_role("link", name="Show in Mλ").wait_for()
    assert "u (m), east to the left" in browser_page.locator("svg.uv-plot").inner_html()


def test_selecting_all_rows_selects_the_page(site: str, browser_page: Page):
    browser_page.goto(f"{site}/search?limit=25")
    browser_page.get_by_label("Select all rows of this page").check()
    assert browser_page.locator("input[name=exp_id]:checked").count() == 25


def test_the_theme_is_switched_and_remembered(site: str, browser_page: Page):
    browser_page.emulate_media(color_scheme="light")
    browser_page.goto(site)
    paper = "getComputedStyle(document.body).backgroundColor"
    light = browser_page.evaluate(paper)
    browser_page.get_by_role("button", name="Switch to dark colours").click()
    dark = browser_page.evaluate(paper)
    assert dark != light
    browser_page.reload()
    assert browser_page.evaluate(paper) == dark
    assert browser_page.get_by_role("button", name="Switch to light colours").count() == 1


def test_lines_of_a_header_are_found(site: str, browser_page: Page):
    exposure = Exposure.objects.filter(interferometer_name="VLTI").order_by("pk")[0]
    browser_page.goto(f"{site}/detail/exposure/{exposure.exp_id}")
    browser_page.get_by_label("Find in the header").fill("iss ambi tau0")
    lines = browser_page.locator("#header-text").inner_text().strip().splitlines()
    assert lines
    assert all("TAU0" in line for line in lines)


def test_a_phone_never_scrolls_a_page_sideways(site: str, browser_page: Page):
    exposure = Exposure.objects.order_by("pk")[0]
    places = [f"/detail/exposure/{exposure.exp_id}", f"/target/{exposure.target_id}"]
    browser_page.set_viewport_size({"width": 390, "height": 844})
    for path in [*places, "/", "/search", "/search?ra=x", "/uv", "/refused", "/help/api", "/health", "/no"]:
        browser_page.goto(f"{site}{path}")
        assert overflow(browser_page) <= 0, path
        assert browser_page.locator("h1").count() == 1, path


def test_filters_fold_on_a_phone_and_are_open_on_a_desk(site: str, browser_page: Page):
    browser_page.goto(f"{site}/search")
    assert browser_page.get_by_label("Stations").is_visible()
    browser_page.set_viewport_size({"width": 390, "height": 844})
    browser_page.reload()
    assert not browser_page.get_by_label("Stations").is_visible()
    browser_page.get_by_text("Filters", exact=True).click()
    assert browser_page.get_by_label("Stations").is_visible()


def test_the_keyboard_reaches_the_content_first(site: str, browser_page: Page):
    browser_page.goto(f"{site}/search")
    browser_page.keyboard.press("Tab")
    assert browser_page.evaluate("document.activeElement.textContent") == "Skip to the content"
    browser_page.keyboard.press("Enter")
    assert browser_page.evaluate("document.activeElement.id") == "main"
