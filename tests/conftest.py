"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LOUD = "NOT TESTED HERE: "
DATABASE_FIXTURES = frozenset({"db", "transactional_db", "live_server", "admin_client", "databases"})
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

os.environ.setdefault("OBSPORTAL_SESAME", "false")  # no test asks the network for names

# Time limits say how busy a machine is, not whether the code is right. CI tries the same cases each time.
hypothesis.settings.register_profile("obsportal", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("obsportal")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample files; the test is skipped where it is not beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{LOUD}real sample files (no {SHARED_DATA.parent.name} folder beside the checkout)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for the run."""
    path = next((found for found in map(shutil.which, CHROMIUM_NAMES) if found), None)
    if path is None:
        pytest.skip(f"{LOUD}pages in a browser (none of {', '.join(CHROMIUM_NAMES)} is on PATH)")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright's event loop lives in this thread, which Django takes for asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        chromium = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def browser_page(browser: Browser) -> Iterator[Page]:
    """An empty page, 1280 by 900. The test fails when the page asks anything of another machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    foreign: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith(("http://localhost:", "http://127.0.0.1:", "data:", "blob:", "about:")):
            foreign.append(request.url)

    context.on("request", note)
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert not foreign, f"the page asked another machine for {foreign[0]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On PostgreSQL, run the tests that use the database and leave the others to the SQLite run."""
    wanted = os.environ.get("OBSPORTAL_TEST_DATABASE", "")
    if wanted not in {"", "sqlite", "postgresql"}:
        raise pytest.UsageError(f"OBSPORTAL_TEST_DATABASE is {wanted!r}: allowed are sqlite and postgresql")
    if wanted != "postgresql":
        return
    from django.db import connection

    if connection.vendor != "postgresql":
        raise pytest.UsageError("OBSPORTAL_TEST_DATABASE=postgresql needs a server in OBSPORTAL_DATABASE_URL")

    def needs_database(item: pytest.Item) -> bool:
        if item.get_closest_marker("browser"):
            return False
        return bool(
            item.get_closest_marker("django_db")
            or DATABASE_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        )

    kept = [item for item in items if needs_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if not needs_database(item)])
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly, last, what this machine could not test."""
    missing = {os.environ["OBSPORTAL_NOT_TESTED"]: 1} if os.environ.get("OBSPORTAL_NOT_TESTED") else {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if LOUD in reason:
            what = reason.split(LOUD, 1)[1]
            missing[what] = missing.get(what, 0) + 1
    for what, count in missing.items():
        terminalreporter.section("NOT TESTED HERE", sep="!", red=True, bold=True)
        terminalreporter.write_line(f"{what}: {count} test(s) did not run" if count > 1 else what, red=True)
