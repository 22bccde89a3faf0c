"""A browser for all tests, and as many tabs as a test wants; each is held to have had no error."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.page.screen import Screen
from tests.e2e.server import ROOT, BackendServer, Trader


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these need Chromium and the built page."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.full)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    assert (ROOT / "page" / "dist" / "index.html").exists(), "build the page first: make page"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=user-gesture-required"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Screen]]:
    """`tab(server, phone=False, dark=False)` opens one; what went wrong in it fails the test at its end."""
    screens: list[Screen] = []

    def make(server: BackendServer, **how: object) -> Screen:
        screens.append(Screen(browser, server, **how))
        return screens[-1]

    yield make
    for screen in screens:
        screen.close()
    for screen in screens:
        screen.check()


_users = iter(range(1, 1_000_000))


@pytest.fixture
def someone(shared_server: BackendServer) -> Trader:
    """A new account at the shared server, logged in."""
    return Trader(shared_server, f"page{next(_users)}").log_in()
