"""Logging in, on the page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer, Trader


def test_a_tab_that_is_loaded_anew_goes_on(
    shared_server: BackendServer, tab: Callable[..., Screen], someone: Trader
) -> None:
    screen = tab(shared_server).enter(someone)
    expect(screen.page.get_by_role("button", name=someone.key)).to_be_visible()
    screen.page.reload()
    expect(screen.page.get_by_role("button", name=someone.key)).to_be_visible()
    screen.check_access()
