"""/docs: the interface drawn from /openapi.json, by this server's files alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.e2e.page.screen import Screen
from tests.e2e.server import BackendServer
from tests.support.operations import OPERATIONS

Tab = Callable[..., Screen]


@pytest.mark.parametrize("dark", [False, True])
def test_every_route_is_drawn(shared_server: BackendServer, tab: Tab, dark: bool) -> None:
    screen = tab(shared_server, dark=dark).open("docs")
    expect(screen.page.get_by_role("heading", name=re.compile("ctpbee_backend"))).to_be_visible()
    drawn = screen.page.locator(".opblock")
    expect(drawn).to_have_count(len(OPERATIONS))
    screen.shot(f"docs{'-dark' if dark else ''}")


def test_what_reads_can_be_tried_and_what_orders_cannot(shared_server: BackendServer, tab: Tab) -> None:
    screen = tab(shared_server).open("docs")
    order = screen.page.locator("#operations-default-post_order_solve")
    order.locator(".opblock-summary-control").click()
    expect(order.get_by_text("local_symbol").first).to_be_visible()
    expect(order.get_by_role("button", name="Try it out")).to_have_count(0)
    health = screen.page.locator("#operations-default-get_healthz")
    health.locator(".opblock-summary-control").click()
    health.get_by_role("button", name="Try it out").click()
    health.get_by_role("button", name="Execute").click()
    expect(health.locator(".live-responses-table")).to_contain_text('"web": "up"')
    screen.shot("docs-tried")
